//! The same operators through the JVM's `TopologyTestDriver`, by the program `bench.Operators` of `java/`, and one table of
//! both. Owns the table and what must be equal.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde::Serialize;

use super::{KEYS, MEASURED, OperatorCost, WARM, operator_cost, operators};
use crate::error::BenchError;
use crate::jvm::Jvm;

/// What one operator costs on either side.
#[derive(Clone, Debug, Serialize)]
struct Row {
    ours: OperatorCost,
    jvm: OperatorCost,
}

impl Row {
    fn is_equal(&self) -> bool {
        (self.ours.outputs, self.ours.checksum) == (self.jvm.outputs, self.jvm.checksum)
    }
}

/// What each operator costs here and in the JVM.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorTable {
    keys: i64,
    warm: i64,
    measured: i64,
    operators: Vec<Row>,
}

impl OperatorTable {
    /// Whether the same came out on both sides of every operator.
    #[must_use]
    pub fn outputs_equal(&self) -> bool {
        self.operators.iter().all(Row::is_equal)
    }

    /// The table as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "CPU µs of the processing thread a record; {} keys, {} records after {} that warm up, stores in memory, no \
             record caches.\nThe JVM is TopologyTestDriver of Kafka Streams 4.3.1, which commits after every record, \
             gathers changelogs in lists, and keeps versions in RocksDB;\nwe commit after 4,096 records.\n\n\
             {:<28} {:>7} {:>7} {:>7}   outputs\n",
            self.keys, self.measured, self.warm, "operator", "ours", "JVM", "ratio"
        );
        for row in &self.operators {
            let (name, ours, jvm) = (&row.ours.operator, row.ours.us, row.jvm.us);
            let outputs = match row.is_equal() {
                true => format!("{}", row.ours.outputs),
                false => format!(
                    "DIFFER: ours {} ({}), JVM {} ({})",
                    row.ours.outputs, row.ours.checksum, row.jvm.outputs, row.jvm.checksum
                ),
            };
            let _ = writeln!(text, "{name:<28} {ours:>7.2} {jvm:>7.2} {:>6.1}x   {outputs}", jvm / ours);
        }
        text
    }
}

/// Measures the operators of these names, or all, on both sides; `build_dir` takes the Java program.
///
/// # Errors
/// When Maven or Java fails.
pub fn beside_driver(wanted: &[String], build_dir: &Path) -> Result<OperatorTable, BenchError> {
    let jvm = Jvm::build(build_dir)?;
    let mut table = OperatorTable { keys: KEYS, warm: WARM, measured: MEASURED, operators: Vec::new() };
    for operator in operators(wanted) {
        let ours = operator_cost(operator);
        let row = Row { ours, jvm: of_jvm(&jvm, operator)? };
        eprintln!("{operator}: {:.2} µs, JVM {:.2} µs", row.ours.us, row.jvm.us);
        table.operators.push(row);
    }
    Ok(table)
}

/// One operator in a JVM of its own: no other's types disturb what its compiler assumes.
fn of_jvm(jvm: &Jvm, operator: &str) -> Result<OperatorCost, BenchError> {
    let mut java = jvm.java();
    java.arg("bench.Operators")
        .arg(operator)
        .arg(KEYS.to_string())
        .arg(WARM.to_string())
        .arg(MEASURED.to_string());
    let mut child = java.stdout(Stdio::piped()).spawn().map_err(BenchError::io("java"))?;
    let out = BufReader::new(child.stdout.take().expect("its output is piped"));
    let last = out.lines().map_while(Result::ok).last().unwrap_or_default();
    child.wait().map_err(BenchError::io("java"))?;
    serde_json::from_str(&last).map_err(|_| BenchError::NoFigures { line: last })
}
