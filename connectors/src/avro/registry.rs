//! Schema registries with Confluent's API. Owns the calls, their retries and what is remembered of failures; must not
//! know types or topics.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use apache_avro::Schema;
use schema_registry_converter::blocking::schema_registry::{
    SrSettings, get_referenced_schema, get_schema_by_id, get_schema_by_subject, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{
    RawError, RegisteredSchema, SchemaType, SubjectNameStrategy, SuppliedSchema,
};

use super::registry_error::RegistryError;
use crate::retry::{Backoff, BackoffSettings};

/// An id that the registry does not know is asked for again after this time, not for every record.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
const UNKNOWN_MAX: usize = 1_024;

/// Gives schemas by id and ids for schemas. Calls may block; callers remember the answers.
///
/// ```
/// use candlewick_connectors::avro::{MemoryRegistry, RegistryError, SchemaRegistry};
/// /// The id of a schema of values.
/// fn id_for(registry: &dyn SchemaRegistry, topic: &str, schema: &str) -> Result<u32, RegistryError> {
///     registry.register(&format!("{topic}-value"), schema)
/// }
/// let registry = MemoryRegistry::new();
/// assert_eq!(id_for(&registry, "a", "\"long\"")?, id_for(&registry, "b", "\"long\"")?);
/// # Ok::<(), RegistryError>(())
/// ```
pub trait SchemaRegistry: fmt::Debug + Send + Sync + 'static {
    /// What errors call it: an address or a file.
    fn name(&self) -> &str;

    /// The schema of an id.
    ///
    /// # Errors
    /// [`RegistryError::UnknownId`], or [`RegistryError::Unreachable`] after the retries.
    fn schema(&self, id: u32) -> Result<Schema, RegistryError>;

    /// The id of a schema under a subject; registers it where it is new.
    ///
    /// # Errors
    /// [`RegistryError::Incompatible`] with both schemas, or [`RegistryError::Unreachable`] after the retries.
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError>;
}

/// How to log in.
///
/// ```
/// use candlewick_connectors::avro::Credentials;
/// assert_eq!(format!("{:?}", Credentials::Token("secret".to_owned())), "Token");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// HTTP basic authentication.
    Basic {
        /// The user, or a cloud's API key.
        user: String,
        /// The password, or the API secret.
        password: String,
    },
    /// A bearer token.
    Token(String),
}

impl fmt::Debug for Credentials {
    /// Never shows a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Token(_) => "Token",
        })
    }
}

/// How a registry is reached.
///
/// ```
/// use candlewick_connectors::avro::{Credentials, RegistrySettings};
/// let credentials = Credentials::Basic { user: "candles".to_owned(), password: "secret".to_owned() };
/// let settings = RegistrySettings { credentials, ..RegistrySettings::new("http://localhost:8081") };
/// assert!(!format!("{settings:?}").contains("secret"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RegistrySettings {
    /// Its address, for example `http://localhost:8081`; several are tried in their order.
    pub urls: Vec<String>,
    /// How to log in.
    pub credentials: Credentials,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long a registry that does not answer is asked again before the call fails.
    pub retry_for: Duration,
    /// The pauses between attempts.
    pub backoff: BackoffSettings,
}

impl RegistrySettings {
    /// The registry at this address, with a timeout of 5 s and retries for 20 s.
    ///
    /// ```
    /// use candlewick_connectors::avro::RegistrySettings;
    /// assert_eq!(RegistrySettings::new("http://localhost:8081").retry_for.as_secs(), 20);
    /// ```
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            credentials: Credentials::None,
            timeout: Duration::from_secs(5),
            retry_for: Duration::from_secs(20),
            backoff: BackoffSettings::default(),
        }
    }
}

/// A registry behind Confluent's HTTP API (Confluent, Apicurio's compatible path, Redpanda, Karapace).
///
/// Its calls block the thread; they must not be made from within an asynchronous runtime.
///
/// ```no_run
/// use candlewick_connectors::avro::{ConfluentRegistry, RegistrySettings, SchemaRegistry};
/// let registry = ConfluentRegistry::new(RegistrySettings::new("http://localhost:8081"))?;
/// let id = registry.register("trades-value", r#"{"type":"string"}"#)?;
/// println!("{:?}", registry.schema(id)?);
/// # Ok::<(), candlewick_connectors::avro::RegistryError>(())
/// ```
pub struct ConfluentRegistry {
    settings: RegistrySettings,
    client: SrSettings,
    name: String,
    unknown: Mutex<BTreeMap<u32, Instant>>,
    /// Ids by subject and schema: what was registered at the start needs no registry later.
    registered: Mutex<BTreeMap<(String, String), u32>>,
}

impl fmt::Debug for ConfluentRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfluentRegistry").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl ConfluentRegistry {
    /// A registry; nothing is asked yet.
    ///
    /// ```
    /// use candlewick_connectors::avro::{ConfluentRegistry, RegistrySettings, SchemaRegistry};
    /// let registry = ConfluentRegistry::new(RegistrySettings::new("http://localhost:8081"))?;
    /// assert_eq!(registry.name(), "http://localhost:8081");
    /// # Ok::<(), candlewick_connectors::avro::RegistryError>(())
    /// ```
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when the settings cannot be used.
    pub fn new(settings: RegistrySettings) -> Result<Self, RegistryError> {
        let name = settings.urls.join(", ");
        let refused = |reason: String| RegistryError::Refused {
            registry: name.clone(),
            operation: "be used with these settings".to_string(),
            reason,
        };
        let mut urls = settings.urls.iter().map(|url| url.trim_end_matches('/').to_string());
        let first = urls.next().ok_or_else(|| refused("no address is given".to_string()))?;
        let mut builder = SrSettings::new_builder(first);
        for url in urls {
            builder.add_url(url);
        }
        match &settings.credentials {
            Credentials::None => {}
            Credentials::Basic { user, password } => {
                builder.set_basic_authorization(user, Some(password));
            }
            Credentials::Token(token) => {
                builder.set_token_authorization(token);
            }
        }
        builder.set_timeout(settings.timeout);
        let client = builder.build().map_err(|error| refused(words(&error)))?;
        let (unknown, registered) = (Mutex::default(), Mutex::default());
        Ok(Self { settings, client, name, unknown, registered })
    }

    /// Calls until there is an answer, for [`RegistrySettings::retry_for`] at most.
    fn call<R>(&self, call: impl Fn() -> Result<R, SRCError>) -> Result<R, Failure> {
        let start = Instant::now();
        let mut backoff = Backoff::new(self.settings.backoff);
        loop {
            let error = match call() {
                Ok(answer) => {
                    if backoff.attempts() > 0 {
                        tracing::info!(registry = %self.name, "the schema registry answers again");
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if !may_pass(&error) {
                return Err(Failure::Answer(error));
            }
            let pause = backoff.next_pause();
            if start.elapsed() + pause > self.settings.retry_for {
                return Err(Failure::Silence(RegistryError::Unreachable {
                    registry: self.name.clone(),
                    attempts: backoff.attempts(),
                    reason: words(&error),
                }));
            }
            if backoff.attempts() == 1 {
                let reason = words(&error);
                tracing::warn!(registry = %self.name, reason, "the schema registry does not answer; trying again");
            }
            std::thread::sleep(pause);
        }
    }

    fn parse(&self, id: u32, registered: &RegisteredSchema) -> Result<Schema, RegistryError> {
        let bad = |reason: String| RegistryError::BadSchema {
            name: id.to_string(),
            registry: self.name.clone(),
            reason,
        };
        if registered.schema_type != SchemaType::Avro {
            return Err(bad(format!("it is {:?} and not Avro", registered.schema_type)));
        }
        if registered.references.is_empty() {
            return Schema::parse_str(&registered.schema).map_err(|error| bad(error.to_string()));
        }
        let mut texts = Vec::new();
        self.references(registered, &mut texts)?;
        let parsed = Schema::parse_str_with_list(&registered.schema, &texts);
        let (mut schema, others) = parsed.map_err(|error| bad(error.to_string()))?;
        schema.denormalize(&others).map_err(|error| bad(error.to_string()))?;
        Ok(schema)
    }

    /// The schemas that a schema refers to, and theirs.
    fn references(&self, of: &RegisteredSchema, texts: &mut Vec<String>) -> Result<(), RegistryError> {
        for reference in &of.references {
            let found = self.call(|| get_referenced_schema(&self.client, reference));
            let found =
                found.map_err(|failure| self.failed(failure, &format!("give {}", reference.subject)))?;
            if !texts.contains(&found.schema) {
                self.references(&found, texts)?;
                texts.push(found.schema);
            }
        }
        Ok(())
    }

    fn failed(&self, failure: Failure, operation: &str) -> RegistryError {
        match failure {
            Failure::Silence(error) => error,
            Failure::Answer(error) => RegistryError::Refused {
                registry: self.name.clone(),
                operation: operation.to_string(),
                reason: words(&error),
            },
        }
    }

    fn is_unknown(&self, id: u32) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.get(&id).is_some_and(|since| since.elapsed() < UNKNOWN_FOR)
    }

    fn remember_unknown(&self, id: u32) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= UNKNOWN_MAX {
            unknown.clear();
        }
        unknown.insert(id, Instant::now());
    }

    /// The newest schema of a subject, for the sentence about a refusal.
    fn newest(&self, subject: &str) -> String {
        let strategy = SubjectNameStrategy::TopicNameStrategy(
            subject.trim_end_matches("-value").trim_end_matches("-key").to_string(),
            subject.ends_with("-key"),
        );
        match get_schema_by_subject(&self.client, &strategy) {
            Ok(found) => found.schema,
            Err(error) => format!("(not told: {})", words(&error)),
        }
    }
}

/// Why a call failed: the registry said so, or it did not answer.
enum Failure {
    Answer(SRCError),
    Silence(RegistryError),
}

impl SchemaRegistry for ConfluentRegistry {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self, id: u32) -> Result<Schema, RegistryError> {
        let unknown = || RegistryError::UnknownId { id, registry: self.name.clone() };
        if self.is_unknown(id) {
            return Err(unknown());
        }
        match self.call(|| get_schema_by_id(id, &self.client)) {
            Ok(found) => self.parse(id, &found),
            Err(Failure::Answer(error)) if status(&error) == Some(404) => {
                self.remember_unknown(id);
                Err(unknown())
            }
            Err(failure) => Err(self.failed(failure, &format!("give the schema with the id {id}"))),
        }
    }

    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let place = (subject.to_string(), schema.to_string());
        let registered = || self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = registered().get(&place) {
            return Ok(*id);
        }
        let supplied = || SuppliedSchema::new(None, SchemaType::Avro, schema.to_string());
        match self.call(|| post_schema(&self.client, subject.to_string(), supplied())) {
            Ok(found) => {
                registered().insert(place, found.id);
                Ok(found.id)
            }
            Err(Failure::Answer(error)) if status(&error) == Some(409) => Err(RegistryError::Incompatible {
                registry: self.name.clone(),
                subject: subject.to_string(),
                reason: words(&error),
                registered: self.newest(subject),
                ours: schema.to_string(),
            }),
            Err(failure) => Err(self.failed(failure, &format!("take the schema for {subject}"))),
        }
    }
}

/// Whether the same call may succeed later: nobody answered, or the answer was "not now".
fn may_pass(error: &SRCError) -> bool {
    error.retriable || matches!(status(error), Some(408 | 429 | 500..=599))
}

/// The HTTP status, which the library tells in its sentence only, or Confluent's code, whose first digits it is.
fn status(error: &SRCError) -> Option<u32> {
    let told = error.error.split("failed with status ").nth(1);
    let told = told.and_then(|rest| rest.split_whitespace().next()).and_then(|code| code.parse().ok());
    told.or_else(|| {
        let source = std::error::Error::source(error)?.downcast_ref::<RawError>()?;
        Some(if source.error_code > 999 { source.error_code / 100 } else { source.error_code })
    })
}

fn words(error: &SRCError) -> String {
    match std::error::Error::source(error) {
        Some(source) => {
            let mut text = source.to_string();
            let mut cause = source.source();
            while let Some(next) = cause {
                text = format!("{text}: {next}");
                cause = next.source();
            }
            text
        }
        None => error.error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Classified, Retry};

    #[test]
    fn a_registry_that_is_down_is_asked_again_and_then_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        drop(listener);
        let settings =
            RegistrySettings { retry_for: Duration::from_millis(600), ..RegistrySettings::new(url.clone()) };
        let registry = ConfluentRegistry::new(settings).expect("settings");
        let error = registry.schema(1).expect_err("nobody listens");
        assert_eq!(error.retry(), Retry::Backoff);
        let RegistryError::Unreachable { attempts, .. } = &error else { panic!("{error}") };
        assert!(*attempts > 1 && error.to_string().contains(&url), "{error}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials::Basic { user: "u".to_string(), password: "hush".to_string() };
        let settings = RegistrySettings { credentials, ..RegistrySettings::new("http://localhost:1") };
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
