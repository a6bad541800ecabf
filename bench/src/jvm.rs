//! The JVM's application of `java/`: built by Maven at the time of the run, started, and its figures read. Owns its
//! command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::BenchError;
use crate::workload::Workload;

/// What the JVM's application runs with when it is not told.
const DEFAULT_THREADS: usize = 4;

/// The built application.
pub(crate) struct Jvm {
    class_path: String,
}

/// Where one run of it reads and writes.
pub(crate) struct JvmRun<'a> {
    pub(crate) brokers: &'a str,
    pub(crate) input: &'a str,
    pub(crate) output: &'a str,
    pub(crate) application_id: &'a str,
    pub(crate) schema_id: u32,
    pub(crate) records: u64,
    pub(crate) threads: Option<usize>,
    pub(crate) state_dir: PathBuf,
}

/// What it says about itself: its start and its warm part cannot be told apart from outside.
#[derive(Debug, Deserialize)]
pub(crate) struct JvmFigures {
    #[serde(rename = "cpu_s_per_M_last40pct")]
    pub(crate) warm_cpu_s_per_million: f64,
}

impl Jvm {
    /// Compiles it and fetches its jars into `folder`.
    pub(crate) fn build(folder: &Path) -> Result<Self, BenchError> {
        let pom = candlewick_tests::checkout().join("bench/java/pom.xml");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "compile", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
        maven.arg("-f").arg(pom).arg(format!("-Dbench.build={}", folder.display()));
        maven.arg(format!("-DoutputDirectory={}", folder.join("libs").display()));
        let output = maven.output().map_err(BenchError::io("mvn"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let lines: Vec<&str> = text.lines().take(12).collect();
            return Err(BenchError::Maven { reason: lines.join("\n") });
        }
        let class_path = format!("{0}/classes:{0}/libs/*", folder.display());
        Ok(Self { class_path })
    }

    /// The command of a run.
    pub(crate) fn command(&self, workload: &Workload, run: &JvmRun<'_>) -> Command {
        let mut java = self.java();
        java.arg("bench.App");
        java.arg(format!("topology={}", workload.application.name()));
        java.arg(format!("guarantee={}", if workload.exactly_once { "eos" } else { "alo" }));
        java.arg(format!("brokers={}", run.brokers));
        java.arg(format!("in={}", run.input)).arg(format!("out={}", run.output));
        java.arg(format!("app={}", run.application_id)).arg(format!("schema={}", run.schema_id));
        java.arg(format!("n={}", run.records))
            .arg(format!("threads={}", run.threads.unwrap_or(DEFAULT_THREADS)));
        java.arg(format!("state={}", run.state_dir.display()));
        if let Some(interval) = workload.commit_interval {
            java.arg(format!("commit={}", interval.as_millis()));
        }
        if !workload.cache {
            java.arg("cache=0");
        }
        java
    }

    /// The command that restores a store of counts.
    pub(crate) fn restore_command(&self, brokers: &str, application: &str, state: &Path) -> Command {
        let mut java = self.java();
        java.arg("bench.Restore").args([brokers, application]).arg(state);
        java
    }

    pub(crate) fn java(&self) -> Command {
        let mut java = Command::new(std::env::var_os("CANDLEWICK_JAVA").unwrap_or_else(|| "java".into()));
        java.args(["-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"]).arg(&self.class_path);
        java
    }

    /// The figures at the end of its log.
    pub(crate) fn figures(log: &Path) -> Result<JvmFigures, BenchError> {
        let text = std::fs::read_to_string(log).map_err(BenchError::io(log))?;
        let line = text.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
        serde_json::from_str(line)
            .map_err(|_| BenchError::NoFigures { line: text.lines().last().unwrap_or_default().to_owned() })
    }
}
