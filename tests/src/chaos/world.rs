//! The servers of all rounds: a broker behind a door, a registry, Elasticsearch behind a door, and a trained model. Must
//! not know what happens to them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick_connectors::avro::{ConfluentRegistry, RegistrySettings, SchemaRegistry};

use crate::servers::{self, Door, Kafka, Missing};
use crate::shipped::binary;

/// What rounds share.
pub struct World {
    pub(super) kafka: Kafka,
    pub(super) network: Door,
    pub(super) log: Arc<KafkaLog>,
    pub(super) registry_url: String,
    pub(super) registry: Arc<dyn SchemaRegistry>,
    /// Elasticsearch and its door, unless it is left out.
    pub(super) elasticsearch: Option<(String, Door)>,
    pub(super) folder: PathBuf,
}

impl World {
    /// Starts the servers and trains a small model; what is kept lies in `folder`.
    ///
    /// # Errors
    /// When a server cannot be started here.
    ///
    /// # Panics
    /// When the broker or the registry does not answer, or no model is trained.
    pub fn start(folder: &Path, with_elasticsearch: bool) -> Result<Self, Missing> {
        let (kafka, network) = Kafka::start_behind_a_door()?;
        let registry_url = servers::registry()?.url().to_owned();
        let elasticsearch = if with_elasticsearch {
            let url = servers::elasticsearch()?.url().to_owned();
            let door = Door::before(&url);
            Some((url, door))
        } else {
            None
        };
        let log =
            KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "chaos")).expect("the broker answers");
        let registry = ConfluentRegistry::new(RegistrySettings::new(&registry_url)).expect("a registry");
        if elasticsearch.is_some() {
            train(&folder.join("model"));
        }
        let (log, registry) = (Arc::new(log), Arc::new(registry));
        Ok(Self { kafka, network, log, registry_url, registry, elasticsearch, folder: folder.to_owned() })
    }
}

fn train(folder: &Path) {
    let mut command = Command::new(binary());
    command.arg("train").arg("--model-dir").arg(folder).stdin(Stdio::null());
    let output = command.output().expect("the binary starts");
    assert!(output.status.success(), "a model is trained: {}", String::from_utf8_lossy(&output.stderr));
}
