//! Which log and which registry a command works with: Kafka when brokers are named, the embedded log otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{EmbeddedLog, EmbeddedSettings, Log, NewTopic};
use candlewick_connectors::avro::{
    ConfluentRegistry, Credentials, MemoryRegistry, RegistrySettings, SchemaRegistry,
};

use crate::cli::LogOptions;
use crate::error::CommandError;

/// Time for one call to the log at start.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Opens the log.
///
/// # Errors
/// When Kafka is not there, or the folder cannot be used.
pub fn open(options: &LogOptions, client_id: &str) -> Result<Arc<dyn Log>, CommandError> {
    let Some(brokers) = &options.brokers else {
        if options.in_memory {
            return Ok(EmbeddedLog::in_memory());
        }
        return Ok(EmbeddedLog::open(&options.data_dir.join("log"), EmbeddedSettings::default())?);
    };
    let mut settings = KafkaSettings::new(brokers, client_id);
    settings.properties = kafka_properties(&options.kafka_properties, std::env::vars())?;
    Ok(Arc::new(KafkaLog::connect(settings)?))
}

/// Begins the variables that are properties of librdkafka: what follows is the name, with `_` for `.`.
const PROPERTY: &str = "CANDLEWICK_KAFKA_PROPERTY_";

/// The properties by variables and by flags; a flag is stronger.
fn kafka_properties(
    flags: &[String],
    variables: impl Iterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut properties = BTreeMap::new();
    for (name, value) in variables {
        if let Some(key) = name.strip_prefix(PROPERTY) {
            properties.insert(key.to_lowercase().replace('_', "."), value);
        }
    }
    for flag in flags {
        let Some((key, value)) = flag.split_once('=') else {
            return Err(CommandError::Usage(format!("--kafka-property {flag}: write KEY=VALUE")));
        };
        properties.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(properties)
}

/// Opens the schema registry: a local file, or the one at the address given.
///
/// # Errors
/// When the file or the address cannot be used.
pub fn registry(options: &LogOptions) -> Result<Arc<dyn SchemaRegistry>, CommandError> {
    match &options.registry {
        Some(url) => {
            let mut settings = RegistrySettings::new(url);
            if let (Some(user), Some(password)) = (&options.registry_user, &options.registry_password) {
                let password = password.reveal().to_owned();
                settings.credentials = Credentials::Basic { user: user.clone(), password };
            }
            Ok(Arc::new(ConfluentRegistry::new(settings)?))
        }
        None if options.in_memory => Ok(Arc::new(MemoryRegistry::new())),
        None => {
            let folder = &options.data_dir;
            std::fs::create_dir_all(folder)
                .map_err(|source| CommandError::Io { path: folder.clone(), source })?;
            Ok(Arc::new(MemoryRegistry::in_file(folder.join("schemas.jsonl"))?))
        }
    }
}

/// Registers the schemas that will be written, by topic: a registry that is down or refuses one is told of before
/// anything runs, and nothing that runs waits for it.
///
/// # Errors
/// When the registry does not answer or refuses.
pub fn register(registry: &Arc<dyn SchemaRegistry>, schemas: &[(&str, &str)]) -> Result<(), CommandError> {
    for (topic, schema) in schemas {
        registry.register(&format!("{topic}-value"), schema)?;
    }
    Ok(())
}

/// Makes topics that do not exist yet. Recorded time is older than any retention, so that nothing expires by age.
///
/// # Errors
/// When the log refuses.
pub fn create_topics(log: &Arc<dyn Log>, names: &[&str], partitions: i32) -> Result<(), CommandError> {
    let mut admin = log.admin()?;
    let found = admin.describe(names, TIMEOUT)?;
    let config = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
    let missing: Vec<NewTopic> = names
        .iter()
        .zip(found)
        .filter(|(_, found)| found.is_none())
        .map(|(name, _)| NewTopic {
            name: (*name).to_owned(),
            partitions,
            replication: -1,
            config: config.clone(),
        })
        .collect();
    Ok(admin.create(&missing, TIMEOUT)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_come_from_variables_and_a_flag_is_stronger() {
        let variables = [
            ("CANDLEWICK_KAFKA_PROPERTY_SASL_PASSWORD", "hush"),
            ("CANDLEWICK_KAFKA_PROPERTY_CONSUMER_FETCH_WAIT_MAX_MS", "5"),
            ("CANDLEWICK_BROKERS", "b:1"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let flags = ["consumer.fetch.wait.max.ms=50".to_owned()];
        let found = kafka_properties(&flags, variables.into_iter()).expect("valid");
        let expected = [("consumer.fetch.wait.max.ms", "50"), ("sasl.password", "hush")];
        assert!(found.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected));
        assert!(kafka_properties(&["x".to_owned()], std::iter::empty()).is_err());
    }
}
