//! Apicurio Registry in memory, spoken to through the Confluent API.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::cache::{Parts, done, java};
use super::missing::Missing;
use super::process::{Process, answers, data_folder, free_port};

const SERVER: &str = "registry";
const PARTS: Parts = Parts { server: SERVER, version: "apicurio-3.3.3", make };
const ARTIFACT: &str = "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all";

/// A schema registry.
#[derive(Debug)]
pub struct Registry {
    url: String,
    _process: Option<Process>,
}

/// The registry that all tests of this process share.
///
/// # Errors
/// When there is no Java of 21 or newer, or no Maven, or the registry does not start.
pub fn registry() -> Result<&'static Registry, Missing> {
    static SHARED: OnceLock<Result<Registry, Missing>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match std::env::var("CANDLEWICK_REGISTRY") {
        Ok(url) => Ok(Registry { url, _process: None }),
        Err(_) => start(),
    });
    shared.as_ref().map_err(Clone::clone)
}

impl Registry {
    /// The root of the Confluent API, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn start() -> Result<Registry, Missing> {
    let missing = |why: String| Missing::new(SERVER, why);
    let java = java(21).map_err(missing)?;
    let app = PARTS.folder()?.join("app");
    let folder = data_folder(SERVER).map_err(|error| missing(error.to_string()))?;
    let (port, management) = (free_port(), free_port());
    let mut command = Command::new(java);
    command.current_dir(&folder);
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    // The management port listens on all addresses unless it is told otherwise.
    command.arg("-Dquarkus.management.host=127.0.0.1").arg(format!("-Dquarkus.management.port={management}"));
    command.arg("-Dquarkus.http.host=127.0.0.1").arg(format!("-Dquarkus.http.port={port}"));
    command.args(["-Dapicurio.storage.kind=sql", "-Dapicurio.storage.sql.kind=h2"]);
    command.arg("-jar").arg(app.join("quarkus-run.jar"));
    let url = format!("http://127.0.0.1:{port}/apis/ccompat/v7");
    let mut process = Process::start(SERVER, command, &folder.join("registry.log"))?;
    process.wait_until(Duration::from_secs(120), |_| answers(&format!("{url}/subjects")))?;
    Ok(Registry { url, _process: Some(process) })
}

fn make(folder: &Path) -> Result<(), String> {
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy"]).arg(format!("-Dartifact={ARTIFACT}"));
    maven.arg(format!("-DoutputDirectory={}", folder.display()));
    // Outside of any folder with a pom: the artifact is named above.
    maven.current_dir(folder);
    done("mvn", &mut maven)?;
    let archive = folder.join("apicurio-registry-app-3.3.3-all.tar.gz");
    let app = folder.join("app");
    std::fs::create_dir_all(&app).map_err(|error| error.to_string())?;
    done("tar", Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(&app))?;
    std::fs::remove_file(archive).map_err(|error| error.to_string())
}
