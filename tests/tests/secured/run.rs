//! One run of the binary behind one of the broker's doors: its topics, its permissions and what it says.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{Log, NewTopic};
use candlewick_tests::checkout;
use candlewick_tests::servers::{self, Acl, Missing, SecuredKafka};
use candlewick_tests::shipped::{Candlewick, Recording, secured_binary};

pub(super) const TIMEOUT: Duration = Duration::from_secs(120);
/// The id of the application in `deploy/strimzi/user.yaml`.
const ID: &str = "market";

/// The broker of this test process.
pub(super) fn kafka() -> Option<&'static SecuredKafka> {
    static SHARED: OnceLock<Result<SecuredKafka, Missing>> = OnceLock::new();
    let shared = SHARED.get_or_init(SecuredKafka::start);
    servers::required(shared.as_ref().map_err(Clone::clone))
}

/// The test's own view of the broker: it may do everything.
pub(super) fn log(kafka: &SecuredKafka) -> Arc<dyn Log> {
    Arc::new(KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "judge")).expect("the broker answers"))
}

/// What the user is allowed by `deploy/strimzi/user.yaml`, one permission an entry.
pub(super) fn deployed() -> Vec<Acl> {
    let text = std::fs::read_to_string(checkout().join("deploy/strimzi/user.yaml")).expect("the manifest");
    let user: serde_json::Value = serde_norway::from_str(&text).expect("YAML");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let of_one = |acl: &serde_json::Value| {
        let resource = &acl["resource"];
        let one = |operation: &serde_json::Value| Acl {
            resource: text(&resource["type"]),
            name: text(&resource["name"]),
            is_prefix: resource["patternType"] == "prefix",
            operation: text(operation),
        };
        acl["operations"].as_array().expect("a list").iter().map(one).collect::<Vec<_>>()
    };
    user["spec"]["authorization"]["acls"].as_array().expect("a list").iter().flat_map(of_one).collect()
}

/// The same for an application of another id, whose topics have that prefix; and what it needs to write its own input.
pub(super) fn allowed(prefix: &str) -> Vec<Acl> {
    let renamed = |acl: Acl| {
        let is_own = acl.name.starts_with(ID);
        let name = match acl.resource.as_str() {
            "group" if !is_own => acl.name,
            _ if is_own => acl.name.replacen(ID, &format!("{prefix}{ID}"), 1),
            _ => format!("{prefix}{}", acl.name),
        };
        Acl { name, ..acl }
    };
    let mut acls: Vec<Acl> = deployed().into_iter().map(renamed).collect();
    acls.push(Acl {
        resource: "topic".to_owned(),
        name: format!("{prefix}trades"),
        is_prefix: false,
        operation: "Write".to_owned(),
    });
    acls
}

/// Makes the topics that an operator would make: input and outputs.
pub(super) fn make_topics(kafka: &SecuredKafka, prefix: &str) {
    let topics = ["trades", "candles", "indicators", "predictions"].map(|name| NewTopic {
        name: format!("{prefix}{name}"),
        partitions: 4,
        replication: 1,
        config: [("retention.ms".to_owned(), "-1".to_owned())].into(),
    });
    log(kafka).admin().expect("an administrator").create(&topics, TIMEOUT).expect("topics");
}

/// Starts the binary in this folder, behind this door, on a recording.
pub(super) fn start(
    folder: &Path,
    (bootstrap, properties): (String, Vec<(String, String)>),
    password: Option<&str>,
    prefix: &str,
    recording: &Recording,
    more: &[&str],
) -> Candlewick {
    let replay = recording.write(folder);
    let mut command = Command::new(secured_binary());
    command.arg("run").arg("--replay").arg(replay).args(["--intervals", "1m", "--guarantee", "exactly-once"]);
    command.args([
        "--exit-when-done",
        "--data-dir",
        "data",
        "--listen",
        "127.0.0.1:0",
        "--brokers",
        &bootstrap,
    ]);
    command.arg("--input").arg(format!("{prefix}trades")).arg("--output-prefix").arg(prefix);
    command.arg("--application-id").arg(format!("{prefix}{ID}")).args(more);
    for (key, value) in properties {
        command.arg("--kafka-property").arg(format!("{key}={value}"));
    }
    if let Some(password) = password {
        command.env("CANDLEWICK_KAFKA_PROPERTY_SASL_PASSWORD", password);
    }
    Candlewick::start_command(folder, &mut command)
}
