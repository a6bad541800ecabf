//! The `candlewick` binary on the bench's topics. Owns its command line; knows nothing else of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BenchError;
use crate::workload::{Application, Workload};

/// Where one run of it reads and writes.
pub(crate) struct OurRun<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) brokers: &'a str,
    pub(crate) input: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) application_id: &'a str,
    pub(crate) threads: Option<usize>,
    pub(crate) data_dir: PathBuf,
}

/// The command of a run.
pub(crate) fn command(workload: &Workload, run: &OurRun<'_>) -> Command {
    let mut command = Command::new(run.binary);
    command.arg("run").args(["--pipeline", workload.application.name()]);
    command.args(["--brokers", run.brokers, "--input", run.input, "--output-prefix", run.prefix]);
    command.args(["--application-id", run.application_id, "--intervals", "1m", "--grace", "5s"]);
    command.args(["--no-source", "--no-server"]);
    if let Some(threads) = run.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    command.arg("--data-dir").arg(&run.data_dir).arg("--state-dir").arg(run.data_dir.join("state"));
    let guarantee = if workload.exactly_once { "exactly-once" } else { "at-least-once" };
    command.args(["--guarantee", guarantee]);
    if let Some(interval) = workload.commit_interval {
        command.args(["--commit-interval-ms", &interval.as_millis().to_string()]);
    }
    if !workload.cache {
        command.args(["--cache-bytes", "0"]);
    }
    command
}

/// The schemas of the topics, in a data folder.
pub(crate) const SCHEMAS: &str = "schemas.jsonl";

/// The command of a run in a data folder that is made for it if need be, with a copy of these schemas and this configuration.
pub(crate) fn configured_command(
    workload: &Workload,
    run: &OurRun<'_>,
    schemas: &Path,
    config: &str,
) -> Result<Command, BenchError> {
    fs::create_dir_all(&run.data_dir).map_err(BenchError::io(&run.data_dir))?;
    let copied = run.data_dir.join(SCHEMAS);
    fs::copy(schemas, &copied).map_err(BenchError::io(&copied))?;
    let file = run.data_dir.join("candlewick.toml");
    fs::write(&file, config).map_err(BenchError::io(&file))?;
    let mut command = command(workload, run);
    command.arg("--config").arg(&file);
    Ok(command)
}

/// The topic that is compared.
pub(crate) fn output_topic(application: Application, prefix: &str) -> String {
    match application {
        Application::Candles => format!("{prefix}indicators"),
        Application::Notional => format!("{prefix}notional"),
    }
}
