//! Strimzi's custom resource definitions, made by its own generator from its classes on Maven Central, and manifests
//! checked against them. None is committed. Must not know which manifests there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::schema::faults;
use super::yaml::documents;
use crate::servers::Missing;
use crate::servers::cache::{Parts, done, jars, java, recipe};

const SERVER: &str = "strimzi";
const PARTS: Parts = Parts { server: SERVER, version: "1.2.0", make };

/// The generator's class, and the resources asked of it: our file's name and the class that describes it.
const GENERATOR: &str = "io.strimzi.crdgenerator.CrdGenerator";
const RESOURCES: [(&str, &str); 4] = [
    ("kafka", "io.strimzi.api.kafka.model.kafka.Kafka"),
    ("nodepool", "io.strimzi.api.kafka.model.nodepool.KafkaNodePool"),
    ("topic", "io.strimzi.api.kafka.model.topic.KafkaTopic"),
    ("user", "io.strimzi.api.kafka.model.user.KafkaUser"),
];

/// Schemas by API version and kind.
#[derive(Debug)]
pub struct Definitions {
    schemas: BTreeMap<(String, String), Value>,
}

/// Strimzi's definitions, made once for this machine.
///
/// # Errors
/// When there is no Java of 21 or newer, or no Maven, or the generator fails.
pub fn strimzi_definitions() -> Result<Definitions, Missing> {
    let folder = PARTS.folder()?;
    let mut schemas = BTreeMap::new();
    for (name, _) in RESOURCES {
        let path = folder.join(format!("{name}.yaml"));
        let missing = |why: String| Missing { server: SERVER, why: format!("{}: {why}", path.display()) };
        let text = std::fs::read_to_string(&path).map_err(|error| missing(error.to_string()))?;
        for definition in documents(&text).map_err(|error| missing(error.to_string()))? {
            read(&definition, &mut schemas)
                .ok_or_else(|| missing("it is no resource definition".to_owned()))?;
        }
    }
    Ok(Definitions { schemas })
}

fn read(definition: &Value, schemas: &mut BTreeMap<(String, String), Value>) -> Option<()> {
    let spec = definition.get("spec")?;
    let (group, kind) = (spec.get("group")?.as_str()?, spec.get("names")?.get("kind")?.as_str()?);
    for version in spec.get("versions")?.as_array()? {
        let schema = version.get("schema")?.get("openAPIV3Schema")?.clone();
        let version = version.get("name")?.as_str()?;
        schemas.insert((format!("{group}/{version}"), kind.to_owned()), schema);
    }
    Some(())
}

impl Definitions {
    /// Whether these are the definitions of `manifest`'s API group.
    #[must_use]
    pub fn know_group_of(&self, manifest: &Value) -> bool {
        let group = |version: &str| version.split('/').next().unwrap_or_default().to_owned();
        let asked = manifest["apiVersion"].as_str().map(group);
        self.schemas.keys().any(|(version, _)| Some(group(version)) == asked)
    }

    /// What is wrong with a manifest, each with the path of the place.
    #[must_use]
    pub fn faults(&self, manifest: &Value) -> Vec<String> {
        let name = |field: &str| manifest[field].as_str().unwrap_or_default().to_owned();
        let key = (name("apiVersion"), name("kind"));
        let Some(schema) = self.schemas.get(&key) else {
            return vec![format!("there is no {} in {}", key.1, key.0)];
        };
        let mut checked = manifest.clone();
        let Some(fields) = checked.as_object_mut() else { return vec!["a manifest is a mapping".into()] };
        // Every resource's metadata is Kubernetes' own; a definition only says that there is some.
        let metadata = fields.insert("metadata".into(), Value::Object(serde_json::Map::new()));
        let mut found = faults(schema, &checked);
        let named = metadata.as_ref().and_then(|metadata| metadata["name"].as_str());
        if named.is_none_or(str::is_empty) {
            found.push("metadata.name: is missing".into());
        }
        found
    }
}

fn make(folder: &Path) -> Result<(), String> {
    let java = java(21)?;
    let libraries = folder.join("libs");
    jars(&recipe("strimzi/pom.xml"), &libraries)?;
    let mut generator = Command::new(java);
    generator.arg("-XX:TieredStopAtLevel=1").arg("-cp").arg(libraries.join("*")).arg(GENERATOR);
    generator.args(["--label", "app:strimzi", "--target-kube", "1.30+", "--crd-api-version", "v1"]);
    generator.args(["--api-versions", "v1", "--storage-version", "v1", "--yaml"]);
    for (name, class) in RESOURCES {
        generator.arg(format!("{class}={}", folder.join(format!("{name}.yaml")).display()));
    }
    done("the generator of Strimzi's definitions", &mut generator)?;
    std::fs::remove_dir_all(&libraries).map_err(|error| error.to_string())
}
