//! Apache Kafka: one broker that is its own controller, on a loopback port, with small heaps and quick coordinators.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::cache::{Parts, done, jars, java, recipe};
use super::door::Door;
use super::missing::Missing;
use super::process::{Process, data_folder, free_port, listens};

const SERVER: &str = "kafka";
const PARTS: Parts = Parts { server: SERVER, version: "4.3.1", make };
const STARTED: &str = "Kafka Server started";
/// Any id will do: the cluster is never part of another.
const CLUSTER_ID: &str = "Y2FuZGxld2ljay10ZXN0cw";

/// A broker.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    /// Nothing for a broker that somebody else runs.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    port: u16,
    folder: PathBuf,
    process: Mutex<Option<Process>>,
}

/// The broker that all tests of this process share.
///
/// # Errors
/// When there is no Java or Maven here, or the broker does not start.
pub fn kafka() -> Result<&'static Kafka, Missing> {
    static SHARED: OnceLock<Result<Kafka, Missing>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match std::env::var("CANDLEWICK_KAFKA") {
        Ok(bootstrap) => Ok(Kafka { bootstrap, own: None }),
        Err(_) => Kafka::start_new(),
    });
    shared.as_ref().map_err(Clone::clone)
}

impl Kafka {
    /// A broker of one's own, empty: for tests that kill it.
    ///
    /// # Errors
    /// When there is no Java or Maven here, or the broker does not start.
    pub fn start_new() -> Result<Self, Missing> {
        Self::start_with(&[])
    }

    /// A broker of one's own with these properties besides, such as `log.cleaner.enable=false`.
    ///
    /// # Errors
    /// As [`start_new`](Self::start_new).
    pub fn start_with(more: &[&str]) -> Result<Self, Missing> {
        let port = free_port();
        Self::start_told(port, port, more)
    }

    /// A broker of one's own behind a door, through which all its clients go: it tells them the door's port as its own.
    ///
    /// # Errors
    /// As [`start_new`](Self::start_new).
    pub fn start_behind_a_door() -> Result<(Self, Door), Missing> {
        let port = free_port();
        let door = Door::before(&format!("http://127.0.0.1:{port}"));
        let mut kafka = Self::start_told(port, door.port(), &[])?;
        kafka.bootstrap = format!("127.0.0.1:{}", door.port());
        Ok((kafka, door))
    }

    /// A broker on `port` that tells its clients `told`.
    fn start_told(port: u16, told: u16, more: &[&str]) -> Result<Self, Missing> {
        Self::start_in(port, |parts, folder| {
            copy_folder(&parts.join("formatted"), &folder.join("logs")).map_err(|error| error.to_string())?;
            let text = properties(port, told, free_port(), &folder.join("logs")) + &more.join("\n");
            std::fs::write(folder.join("server.properties"), text).map_err(|error| error.to_string())
        })
    }

    /// A broker whose folder has been filled by `fill`: its data in `logs`, and `server.properties`.
    pub(super) fn start_in(
        port: u16,
        fill: impl FnOnce(&Path, &Path) -> Result<(), String>,
    ) -> Result<Self, Missing> {
        let parts = PARTS.folder()?;
        let missing = |why: String| Missing::new(SERVER, why);
        let folder = data_folder(SERVER).map_err(|error| missing(error.to_string()))?;
        fill(&parts, &folder).map_err(missing)?;
        let process = start(&parts, &folder, port)?;
        let own = Own { port, folder, process: Mutex::new(Some(process)) };
        Ok(Self { bootstrap: format!("127.0.0.1:{port}"), own: Some(own) })
    }

    /// Where clients connect: `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Gives a topic more partitions, by Kafka's own tool.
    ///
    /// # Panics
    /// When the tool is not there or refuses.
    pub fn widen(&self, topic: &str, partitions: i32) {
        let parts = PARTS.folder().expect("the broker's parts");
        let mut tool = Command::new(java(17).expect("the broker runs on it"));
        tool.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn").arg("-cp").arg(parts.join("libs/*"));
        tool.args(["org.apache.kafka.tools.TopicCommand", "--bootstrap-server", &self.bootstrap, "--alter"]);
        tool.args(["--topic", topic, "--partitions", &partitions.to_string()]);
        done("org.apache.kafka.tools.TopicCommand", &mut tool).expect("the topic grows");
    }

    /// The broker's process, while it runs and is ours.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let process = self.own.as_ref()?.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_ref().map(Process::pid)
    }

    /// Kills the broker as `kill -9` does. Its data stays.
    ///
    /// # Panics
    /// On a broker that is not our own: use [`Kafka::start_new`].
    pub fn kill(&self) {
        let own = self.own.as_ref().expect("only a broker of one's own may be killed: start_new");
        own.process.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Starts the broker again on the same port and data.
    ///
    /// # Panics
    /// On a broker that is not our own, or when it does not come back.
    pub fn restart(&self) {
        let own = self.own.as_ref().expect("only a broker of one's own may be restarted: start_new");
        let mut process = own.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.take();
        let parts = PARTS.folder().expect("the broker has run before");
        *process = Some(start(&parts, &own.folder, own.port).expect("the broker has run before"));
    }
}

fn start(parts: &Path, folder: &Path, port: u16) -> Result<Process, Missing> {
    let java = java(17).map_err(|why| Missing::new(SERVER, why))?;
    let mut command = Command::new(java);
    command.args(["-Xms192m", "-Xmx384m", "-XX:+UseSerialGC"]);
    command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
    command.arg("-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info");
    command.arg("-Dorg.slf4j.simpleLogger.log.kafka.coordinator.transaction=info");
    command.arg("-cp").arg(parts.join("libs/*")).arg("kafka.Kafka").arg(folder.join("server.properties"));
    let log = folder.join("broker.log");
    let before = std::fs::read_to_string(&log).map_or(0, |text| text.matches(STARTED).count());
    let mut process = Process::start(SERVER, command, &log)?;
    process
        .wait_until(Duration::from_secs(90), |log| log.matches(STARTED).count() > before && listens(port))?;
    Ok(process)
}

fn make(folder: &Path) -> Result<(), String> {
    let libs = folder.join("libs");
    jars(&recipe("kafka/pom.xml"), &libs)?;
    // A formatted folder knows no port: made once and copied, it saves every broker two starts of a JVM.
    let file = folder.join("format.properties");
    let formatted = folder.join("formatted");
    std::fs::write(&file, properties(9092, 9092, 9093, &formatted)).map_err(|error| error.to_string())?;
    format(folder, &file, &[])
}

/// Makes the data folder that a broker's properties name.
pub(super) fn format(parts: &Path, properties: &Path, more: &[String]) -> Result<(), String> {
    let mut tool = Command::new(java(17)?);
    let libs = format!("{}/*", parts.join("libs").display());
    tool.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn").arg("-cp").arg(libs);
    tool.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(properties).args(more);
    done("kafka.tools.StorageTool", &mut tool)
}

pub(super) fn properties(port: u16, told: u16, controller: u16, logs: &Path) -> String {
    let listener = |port| format!("PLAINTEXT://127.0.0.1:{port}");
    let lines = [
        "process.roles=broker,controller".to_owned(),
        "node.id=1".to_owned(),
        format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        format!("listeners={},CONTROLLER://127.0.0.1:{controller}", listener(port)),
        format!("advertised.listeners={}", listener(told)),
        "controller.listener.names=CONTROLLER".to_owned(),
        "inter.broker.listener.name=PLAINTEXT".to_owned(),
        format!("log.dirs={}", logs.display()),
        // One broker; few partitions of its own topics, which it makes at the first use.
        "offsets.topic.replication.factor=1".to_owned(),
        "offsets.topic.num.partitions=2".to_owned(),
        "transaction.state.log.replication.factor=1".to_owned(),
        "transaction.state.log.min.isr=1".to_owned(),
        "transaction.state.log.num.partitions=2".to_owned(),
        "share.coordinator.state.topic.replication.factor=1".to_owned(),
        "share.coordinator.state.topic.min.isr=1".to_owned(),
        // Tests do not wait for members, timed-out transactions, cleaners or deleted files.
        "group.initial.rebalance.delay.ms=0".to_owned(),
        "group.min.session.timeout.ms=1000".to_owned(),
        "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000".to_owned(),
        "log.cleaner.backoff.ms=1000".to_owned(),
        "log.cleaner.dedupe.buffer.size=16777216".to_owned(),
        "log.initial.task.delay.ms=1000".to_owned(),
        "log.retention.check.interval.ms=1000".to_owned(),
        "log.segment.delete.delay.ms=1000".to_owned(),
        "num.partitions=4".to_owned(),
        // A topic exists because a test made it.
        "auto.create.topics.enable=false".to_owned(),
    ];
    lines.join("\n") + "\n"
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
