//! An application of the real Kafka Streams, to be taken over: it runs on a broker until it is told to end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::cache::{Parts, jars, java, recipe};
use super::missing::Missing;
use super::process::{Process, data_folder};

const SERVER: &str = "kafka-streams";
const PARTS: Parts = Parts { server: SERVER, version: "4.3.1", make };

/// A running application. It is killed when dropped.
#[derive(Debug)]
pub struct JavaStreams {
    process: Process,
    log: PathBuf,
}

impl JavaStreams {
    /// Starts `tests/servers/kafka-streams/App.java` under this application id with this guarantee, by Kafka's name of it.
    ///
    /// # Errors
    /// When there is no Java or Maven here, or the application does not start.
    pub fn start(bootstrap: &str, application: &str, guarantee: &str) -> Result<Self, Missing> {
        let parts = PARTS.folder()?;
        let missing = |why: String| Missing::new(SERVER, why);
        let folder = data_folder(SERVER).map_err(|error| missing(error.to_string()))?;
        let mut command = Command::new(java(17).map_err(missing)?);
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
        command.arg("-cp").arg(parts.join("libs/*")).arg(recipe("kafka-streams/App.java"));
        command.args([bootstrap, application]).arg(folder.join("state")).arg(guarantee);
        let log = folder.join("application.log");
        Ok(Self { process: Process::start(SERVER, command, &log)?, log })
    }

    /// Tells it to end, and waits until it has.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop(mut self) {
        self.process.terminate();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.process.has_ended() {
            assert!(Instant::now() < deadline, "the application does not end; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn make(folder: &Path) -> Result<(), String> {
    jars(&recipe("kafka-streams/pom.xml"), &folder.join("libs"))
}
