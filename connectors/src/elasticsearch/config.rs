//! What the sink is told: where from, where to, and how much at once. Owns the settings and the making of ids.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use candlewick::{RawRecord, TopicPartition};
use serde_json::Value;

use super::codec::DocumentCodec;
use super::refused::RefusedRecords;
use crate::retry::BackoffSettings;

/// Elasticsearch takes no longer ids.
const ID_BYTES_MAX: usize = 512;

/// Makes an id from a record and its document; the document is none for a tombstone. An error is a sentence, and the
/// record becomes a dead letter.
///
/// ```
/// use candlewick_connectors::elasticsearch::{DocumentId, IdFunction};
/// use std::sync::Arc;
/// let by_time: IdFunction = Arc::new(|record, _| Ok(record.timestamp.as_millis().to_string()));
/// assert_eq!(format!("{:?}", DocumentId::Function(by_time)), "Function");
/// ```
pub type IdFunction = Arc<dyn Fn(&RawRecord<'_>, Option<&Value>) -> Result<String, String> + Send + Sync>;

/// How a document's id is made. It must be the same whenever the record is read again.
///
/// ```
/// use candlewick_connectors::elasticsearch::{DocumentId, ElasticsearchConfig, JsonDocuments};
/// use std::sync::Arc;
/// let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "minutes", Arc::new(JsonDocuments));
/// let fields = DocumentId::Fields(vec!["symbol".to_owned(), "ts".to_owned()]);
/// let config = ElasticsearchConfig { id: fields, ..config };
/// # let _ = config;
/// ```
#[derive(Clone)]
pub enum DocumentId {
    /// `topic-partition-offset`: each record is a document of its own.
    Position,
    /// The record's key, which must be UTF-8 text: the topic is a table, and a tombstone deletes.
    Key,
    /// These fields of the document, joined by `|`; a tombstone, which has none, takes the key as it is.
    Fields(Vec<String>),
    /// By a function.
    Function(IdFunction),
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position => f.write_str("Position"),
            Self::Key => f.write_str("Key"),
            Self::Fields(fields) => f.debug_tuple("Fields").field(fields).finish(),
            Self::Function(_) => f.write_str("Function"),
        }
    }
}

impl DocumentId {
    /// The id of a record's document.
    pub(super) fn make(
        &self,
        source: &TopicPartition,
        record: &RawRecord<'_>,
        document: Option<&Value>,
    ) -> Result<String, String> {
        let id = match self {
            Self::Position => format!("{}-{}-{}", source.topic, source.partition, record.offset),
            Self::Key => key_text(record)?,
            Self::Fields(fields) => match document {
                Some(document) => fields_text(fields, document)?,
                None => key_text(record)?,
            },
            Self::Function(make) => make(record, document)?,
        };
        match id.len() {
            0 => Err("the document's id is empty".to_string()),
            1..=ID_BYTES_MAX => Ok(id),
            len => Err(format!("the document's id has {len} bytes; Elasticsearch takes {ID_BYTES_MAX}")),
        }
    }
}

fn key_text(record: &RawRecord<'_>) -> Result<String, String> {
    let key = record.key.ok_or("the record has no key to make the document's id from")?;
    let text = std::str::from_utf8(key).map_err(|_| "the record's key is not UTF-8 text")?;
    Ok(text.to_string())
}

fn fields_text(fields: &[String], document: &Value) -> Result<String, String> {
    let mut id = String::new();
    for name in fields {
        if !id.is_empty() {
            id.push('|');
        }
        match &document[name.as_str()] {
            Value::String(text) => id.push_str(text),
            Value::Number(number) => id.push_str(&number.to_string()),
            _ => return Err(format!("the document has no text or number '{name}' to make its id from")),
        }
    }
    Ok(id)
}

/// How to log in.
///
/// ```
/// use candlewick_connectors::elasticsearch::Login;
/// assert_eq!(format!("{:?}", Login::ApiKey("secret".to_owned())), "ApiKey");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// Not at all.
    #[default]
    None,
    /// With a user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// With an API key as Elasticsearch shows it, encoded.
    ApiKey(String),
}

impl fmt::Debug for Login {
    /// Never shows a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::ApiKey(_) => "ApiKey",
        })
    }
}

/// An Elasticsearch sink.
///
/// ```
/// use candlewick_connectors::elasticsearch::{ElasticsearchConfig, JsonDocuments, Login};
/// use std::sync::Arc;
/// let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "minutes", Arc::new(JsonDocuments));
/// let config = ElasticsearchConfig { login: Login::ApiKey("secret".to_owned()), ..config };
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct ElasticsearchConfig {
    /// Elasticsearch's address, for example `http://localhost:9200`.
    pub url: String,
    /// How to log in.
    pub login: Login,
    /// The topic that is read.
    pub topic: String,
    /// The group whose offsets say how far it was read.
    pub group: String,
    /// The index that is written.
    pub index: String,
    /// The composable index template that is put at the start, as Elasticsearch takes it; its name is the index's with
    /// `-template`. `None` leaves the mapping to Elasticsearch.
    pub template: Option<Value>,
    /// How ids are made.
    pub id: DocumentId,
    /// How a record becomes a document.
    pub codec: Arc<dyn DocumentCodec>,
    /// What is done about a record that will never be a document.
    pub refused: RefusedRecords,
    /// Documents of one bulk request.
    pub bulk_documents_max: usize,
    /// Bytes of one bulk request; a document that is larger goes alone.
    pub bulk_bytes_max: usize,
    /// How long a document waits for company.
    pub linger: Duration,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long the sink may be silent before its group gives its partitions away; longer than a request.
    pub session_timeout: Duration,
    /// The pauses between attempts.
    pub backoff: BackoffSettings,
}

impl ElasticsearchConfig {
    /// A sink with the usual bounds: 1,000 documents, 5 MiB or 500 ms for a bulk request, the group `<index>-sink`, ids
    /// from the position.
    ///
    /// ```
    /// use candlewick_connectors::elasticsearch::{ElasticsearchConfig, JsonDocuments};
    /// use std::sync::Arc;
    /// let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "minutes", Arc::new(JsonDocuments));
    /// assert_eq!((config.group.as_str(), config.bulk_documents_max), ("minutes-sink", 1_000));
    /// ```
    pub fn new(
        url: impl Into<String>,
        topic: impl Into<String>,
        index: impl Into<String>,
        codec: Arc<dyn DocumentCodec>,
    ) -> Self {
        let index = index.into();
        Self {
            url: url.into(),
            login: Login::None,
            topic: topic.into(),
            group: format!("{index}-sink"),
            index,
            template: None,
            id: DocumentId::Position,
            codec,
            refused: RefusedRecords::default(),
            bulk_documents_max: 1_000,
            bulk_bytes_max: 5 << 20,
            linger: Duration::from_millis(500),
            request_timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(12),
            backoff: BackoffSettings::default(),
        }
    }

    /// Where records go that will never be documents, unless [`refused`](Self::refused) says otherwise.
    ///
    /// ```
    /// use candlewick_connectors::elasticsearch::{ElasticsearchConfig, JsonDocuments};
    /// use std::sync::Arc;
    /// let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "minutes", Arc::new(JsonDocuments));
    /// assert_eq!(config.dead_letter_topic(), "candles-dlq");
    /// ```
    #[must_use]
    pub fn dead_letter_topic(&self) -> String {
        format!("{}-dlq", self.topic)
    }
}

impl fmt::Debug for ElasticsearchConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElasticsearchConfig")
            .field("url", &self.url)
            .field("login", &self.login)
            .field("topic", &self.topic)
            .field("group", &self.group)
            .field("index", &self.index)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use candlewick::{Headers, RecordRun, Timestamp};
    use serde_json::json;

    use super::*;

    fn made(id: &DocumentId, key: Option<&[u8]>, document: Option<&Value>) -> Result<String, String> {
        let mut run = RecordRun::new(TopicPartition::new("candles", 3));
        run.push(42, Timestamp(1), key, None, Headers::default());
        id.make(&run.source, &run.get(0).expect("one record"), document)
    }

    #[test]
    fn ids_come_from_position_key_fields_or_a_function() {
        let document = json!({"symbol": "BTC-USD", "ts": 60_000, "price": 1.5});
        assert_eq!(made(&DocumentId::Position, None, None), Ok("candles-3-42".to_string()));
        assert_eq!(made(&DocumentId::Key, Some(b"BTC-USD"), None), Ok("BTC-USD".to_string()));
        let fields = DocumentId::Fields(vec!["symbol".to_string(), "ts".to_string()]);
        assert_eq!(made(&fields, None, Some(&document)), Ok("BTC-USD|60000".to_string()));
        assert_eq!(made(&fields, Some(b"BTC-USD|60000"), None), Ok("BTC-USD|60000".to_string()));
        let function = DocumentId::Function(Arc::new(|record, _| Ok(format!("at {}", record.offset))));
        assert_eq!(made(&function, None, None), Ok("at 42".to_string()));
    }

    #[test]
    fn what_gives_no_id_says_why() {
        let fields = DocumentId::Fields(vec!["symbol".to_string()]);
        assert!(made(&DocumentId::Key, None, None).expect_err("no key").contains("no key"));
        assert!(made(&DocumentId::Key, Some(&[0xff]), None).expect_err("no text").contains("UTF-8"));
        assert!(made(&DocumentId::Key, Some(b""), None).expect_err("empty").contains("empty"));
        assert!(made(&DocumentId::Key, Some(&[b'x'; 600]), None).expect_err("long").contains("600"));
        assert!(made(&fields, None, Some(&json!({}))).expect_err("no field").contains("symbol"));
    }
}
