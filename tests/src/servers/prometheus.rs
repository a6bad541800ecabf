//! Prometheus, from the path, with a configuration that the test writes.

use std::process::Command;
use std::time::Duration;

use super::missing::Missing;
use super::process::{Process, answers, data_folder, free_port};

const SERVER: &str = "prometheus";

/// A Prometheus of one's own; it ends when dropped.
#[derive(Debug)]
pub struct Prometheus {
    url: String,
    _process: Process,
}

/// Starts a Prometheus with this configuration (the text of a `prometheus.yml`).
///
/// # Errors
/// When `prometheus` is not on the path, or refuses the configuration.
pub fn prometheus(config: &str) -> Result<Prometheus, Missing> {
    let missing = |why: String| Missing::new(SERVER, why);
    if let Err(error) = Command::new(SERVER).arg("--version").output() {
        return Err(missing(format!("`prometheus` does not run ({error}): install it")));
    }
    let folder = data_folder(SERVER).map_err(|error| missing(error.to_string()))?;
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, config).map_err(|error| missing(error.to_string()))?;
    let port = free_port();
    let mut command = Command::new(SERVER);
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let url = format!("http://127.0.0.1:{port}");
    let mut process = Process::start(SERVER, command, &folder.join("prometheus.log"))?;
    process.wait_until(Duration::from_secs(30), |_| answers(&format!("{url}/-/ready")))?;
    Ok(Prometheus { url, _process: process })
}

impl Prometheus {
    /// Its address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
