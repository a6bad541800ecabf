//! What the rows of each kind of store look like as JSON, and how text becomes a key. Must not know HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use candlewick::{
    Answer, Entry, KeyValueStore, Keys, Page, Position, QueryError, QueryableStore, Session, SessionStore,
    StoreQuery, Times, Timestamp, VersionedStore, WindowStore, millis,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::application::{Question, Range, ReadError, Reply, Row, Rows};

/// A store whose rows can be told in JSON.
pub(super) trait ShownStore: Send + Sync {
    fn read(&self, question: &Question) -> Result<Reply, ReadError>;
}

/// A store of windows of a size.
pub(super) struct Windows<K: 'static, V: 'static> {
    pub(super) store: StoreQuery<WindowStore<K, V>>,
    pub(super) size: Duration,
}

impl<K, V> ShownStore for StoreQuery<KeyValueStore<K, V>>
where
    K: Serialize + DeserializeOwned + 'static,
    V: Serialize + 'static,
{
    fn read(&self, question: &Question) -> Result<Reply, ReadError> {
        let store = aged(self.clone(), question);
        match &question.rows {
            Rows::One { at: None, end: None, key } => {
                let key = parse(key)?;
                one(&key, store.get(&key)?, |_| {})
            }
            Rows::One { .. } => Err(unfit("Its values have no times: ask for the key alone.")),
            Rows::Many(Range { times: (Some(_), _) | (_, Some(_)), .. }) => {
                Err(unfit("Its values have no times: leave `from_time` and `to_time` out."))
            }
            Rows::Many(range) => {
                many(store.range(keys(range)?)?, |(key, entry)| row(&key, Some(&entry), |_| {}))
            }
        }
    }
}

impl<K, V> ShownStore for Windows<K, V>
where
    K: Serialize + DeserializeOwned + 'static,
    V: Serialize + 'static,
{
    fn read(&self, question: &Question) -> Result<Reply, ReadError> {
        let store = aged(self.store.clone(), question);
        let size_ms = millis(self.size);
        let window = move |start: Timestamp| {
            move |fields: &mut Map<String, Value>| {
                let end = start.plus_millis(size_ms);
                let window = json!({ "start": start.as_millis(), "end": end.as_millis() });
                fields.insert("window".to_owned(), window);
            }
        };
        match &question.rows {
            Rows::One { key, at: Some(start), end: None } => {
                let (key, start) = (parse(key)?, Timestamp(*start));
                one(&key, store.get(&key, start)?, window(start))
            }
            Rows::One { .. } => Err(unfit("A key has many windows: name one by `at`, the time it starts.")),
            Rows::Many(range) => {
                let page = store.fetch(keys(range)?, times(range))?;
                many(page, |(key, start, entry)| row(&key, Some(&entry), window(start)))
            }
        }
    }
}

impl<K, V> ShownStore for StoreQuery<SessionStore<K, V>>
where
    K: Serialize + DeserializeOwned + 'static,
    V: Serialize + 'static,
{
    fn read(&self, question: &Question) -> Result<Reply, ReadError> {
        let store = aged(self.clone(), question);
        let span = |session: Session| {
            move |fields: &mut Map<String, Value>| {
                let session = json!({ "start": session.start.as_millis(), "end": session.end.as_millis() });
                fields.insert("session".to_owned(), session);
            }
        };
        match &question.rows {
            Rows::One { key, at: Some(start), end: Some(end) } => {
                let key = parse(key)?;
                let session = Session { start: Timestamp(*start), end: Timestamp(*end) };
                one(&key, store.get(&key, session)?, span(session))
            }
            Rows::One { .. } => Err(unfit(
                "A key has many sessions: name one by `at` and `end`, the times of its first and last record.",
            )),
            Rows::Many(range) => {
                let page = store.fetch(keys(range)?, times(range))?;
                many(page, |(key, session, entry)| row(&key, Some(&entry), span(session)))
            }
        }
    }
}

impl<K, V> ShownStore for StoreQuery<VersionedStore<K, V>>
where
    K: Serialize + DeserializeOwned + 'static,
    V: Serialize + 'static,
{
    fn read(&self, question: &Question) -> Result<Reply, ReadError> {
        let store = aged(self.clone(), question);
        match &question.rows {
            Rows::One { key, at, end: None } => {
                let key = parse(key)?;
                let at = Timestamp(at.unwrap_or(i64::MAX));
                one(&key, store.get_as_of(&key, at)?, |_| {})
            }
            Rows::One { .. } => Err(unfit("A version holds from its time on: ask by `at` alone.")),
            Rows::Many(range) => {
                let page = store.fetch(keys(range)?, times(range))?;
                many(page, |(key, timestamp, value)| {
                    let entry = value.map(|value| Entry { value, timestamp });
                    row(&key, entry.as_ref(), |fields| {
                        fields.insert("timestamp".to_owned(), timestamp.as_millis().into());
                    })
                })
            }
        }
    }
}

fn aged<S: QueryableStore>(store: StoreQuery<S>, question: &Question) -> StoreQuery<S> {
    match question.staleness_max {
        Some(age) => store.staleness_max(age),
        None => store,
    }
}

/// The key that a text stands for: the string itself, or else what the text is as JSON.
fn parse<K: DeserializeOwned>(text: &str) -> Result<K, ReadError> {
    serde_json::from_value(Value::String(text.to_owned()))
        .or_else(|_| serde_json::from_str(text))
        .map_err(|error| unfit(&format!("`{text}` is no key of it ({error}).")))
}

fn keys<K: DeserializeOwned>(range: &Range) -> Result<Keys<K>, ReadError> {
    let key = |text: &Option<String>| text.as_deref().map(parse::<K>).transpose();
    let keys = match (key(&range.key)?, &range.prefix, key(&range.from)?, key(&range.to)?) {
        (Some(key), None, None, None) => Keys::one(key),
        (None, Some(prefix), None, None) => Keys::prefix(prefix.as_bytes()),
        (None, None, Some(from), Some(to)) => Keys::between(from, to),
        (None, None, Some(from), None) => Keys::from(from),
        (None, None, None, Some(to)) => Keys::to(to),
        (None, None, None, None) => Keys::all(),
        _ => {
            return Err(unfit(
                "Ask by one key, by `prefix`, or by `from` and `to`: they do not go together.",
            ));
        }
    };
    let keys = keys.limit(range.limit);
    let keys = if range.reverse { keys.reverse() } else { keys };
    Ok(match &range.after {
        Some(cursor) => keys.after(cursor.clone()),
        None => keys,
    })
}

fn times(range: &Range) -> Times {
    let (from, to) = range.times;
    Times::between(Timestamp(from.unwrap_or(0)), Timestamp(to.unwrap_or(i64::MAX)))
}

type Fields = Map<String, Value>;

fn row<K: Serialize, V: Serialize>(
    key: &K,
    entry: Option<&Entry<V>>,
    more: impl FnOnce(&mut Fields),
) -> Result<Fields, ReadError> {
    let shown =
        |value: serde_json::Result<Value>| value.map_err(|error| ReadError::Failed(error.to_string()));
    let mut fields = Map::new();
    fields.insert("key".to_owned(), shown(serde_json::to_value(key))?);
    fields.insert("value".to_owned(), shown(serde_json::to_value(entry.map(|entry| &entry.value)))?);
    if let Some(entry) = entry {
        fields.insert("timestamp".to_owned(), entry.timestamp.as_millis().into());
    }
    more(&mut fields);
    Ok(fields)
}

fn one<K: Serialize, V: Serialize>(
    key: &K,
    answer: Answer<Option<Entry<V>>>,
    more: impl FnOnce(&mut Fields),
) -> Result<Reply, ReadError> {
    let fields = answer.value.map(|entry| row(key, Some(&entry), more)).transpose()?;
    let rows = fields.map(|fields| Row { fields, cursor: None }).into_iter().collect();
    let position = positions(&answer.position);
    Ok(Reply { rows, next: None, position, elsewhere: BTreeMap::new() })
}

fn many<T>(page: Page<T>, shown: impl Fn(T) -> Result<Fields, ReadError>) -> Result<Reply, ReadError> {
    let cursors: Vec<_> = page.cursors().to_vec();
    let rows = page.rows.into_iter().zip(cursors);
    let rows = rows.map(|(row, cursor)| Ok(Row { fields: shown(row)?, cursor: Some(cursor) }));
    Ok(Reply {
        rows: rows.collect::<Result<_, ReadError>>()?,
        next: page.next,
        position: positions(&page.position),
        elsewhere: page.elsewhere.into_iter().map(|(task, to)| (task.to_string(), to)).collect(),
    })
}

fn positions(position: &Position) -> BTreeMap<String, i64> {
    position.iter().map(|(task, offset)| (task.to_string(), offset)).collect()
}

fn unfit(sentence: &str) -> ReadError {
    ReadError::Unfit(sentence.to_owned())
}

impl From<QueryError> for ReadError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::UnknownStore { .. } => Self::UnknownStore,
            QueryError::WrongType { .. } => Self::NotReadable,
            QueryError::Rebalancing { .. } => Self::Rebalancing,
            QueryError::Moved { to, .. } => Self::Moved { to },
            QueryError::Stale { .. } => Self::Stale,
            QueryError::NotRunning { .. } => Self::NotRunning,
            other => Self::Failed(other.to_string()),
        }
    }
}
