//! The servers of all rounds: a broker behind a door, a registry, Elasticsearch behind a door, and a trained model. Must
//! not know what happens to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick_connectors::avro::{ConfluentRegistry, RegistrySettings, SchemaRegistry};

use crate::servers::{self, Door, Kafka, Missing};
use crate::shipped::Candlewick;

const TRAINED_WITHIN: Duration = Duration::from_secs(120);

/// What rounds share.
pub struct World {
    pub(super) kafka: Kafka,
    pub(super) network: Door,
    pub(super) log: Arc<KafkaLog>,
    /// The registry's door, and the registry itself for who judges.
    pub(super) registry_door: Door,
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
            train(folder, &folder.join("model"));
        }
        let (log, registry) = (Arc::new(log), Arc::new(registry));
        let registry_door = Door::before(&registry_url);
        let folder = folder.to_owned();
        Ok(Self { kafka, network, log, registry_door, registry, elasticsearch, folder })
    }
}

/// Lets the binary train its first model, as it does where there is none: no instance has to wait for that later.
fn train(folder: &Path, model: &Path) {
    let model = model.display().to_string();
    let arguments = ["run", "--in-memory", "--no-server", "--intervals", "1m", "--model-dir", &model];
    Candlewick::start(folder, &arguments).wait_for("the first model was trained", TRAINED_WITHIN);
}
