//! The binary's backtest over a large recording: what a million trades cost, and how much memory it holds. The recording is
//! generated, read once and removed; what must come out is counted while it is written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use candlewick::Timestamp;
use serde::Serialize;

use crate::child::Child;
use crate::error::BenchError;
use crate::trades::TradeGenerator;

const SEED: u64 = 42;
/// 2026-01-01 00:00 UTC: a whole minute.
const START: Timestamp = Timestamp(1_767_225_600_000);
const MINUTE_MS: i64 = 60_000;
const LIMIT: Duration = Duration::from_secs(1_800);

/// What a backtest has cost.
#[derive(Clone, Debug, Serialize)]
pub struct BacktestFigures {
    /// Trades in the recording.
    pub records: u64,
    /// User and system seconds for a million of them.
    pub backtest_cpu_s_per_million: f64,
    /// Peak of the anonymous resident memory, sampled every 50 ms, in MiB.
    pub backtest_rss_anon_mib: f64,
    /// From the start of the process to its end, in seconds.
    pub wall_s: f64,
    /// Candles that had to come out.
    pub candles_expected: u64,
    /// Candles that came out.
    pub candles: u64,
}

impl BacktestFigures {
    /// Whether there was one candle for each symbol and minute with trades.
    #[must_use]
    pub fn outputs_equal(&self) -> bool {
        self.candles_expected > 0 && self.candles == self.candles_expected
    }
}

/// Writes a recording of `records` trades, and runs `candlewick backtest` over it.
///
/// # Errors
/// When the disk refuses, or the binary fails.
pub fn backtest(candlewick: &Path, records: u64) -> Result<BacktestFigures, BenchError> {
    let folder =
        tempfile::TempDir::with_prefix("candlewick-bench-").map_err(BenchError::io("a temporary folder"))?;
    let (recording, candles) = (folder.path().join("trades.csv"), folder.path().join("candles.csv"));
    eprintln!("bench: writing {records} trades");
    let candles_expected = write(&recording, records).map_err(BenchError::io(&recording))?;
    eprintln!("bench: the backtest");
    let mut command = Command::new(candlewick);
    command.args(["backtest", "--interval", "1m", "--grace", "5s", "--replay"]).arg(&recording);
    command.arg("--candles").arg(&candles);
    let child = Child::start(command, &folder.path().join("program.log"))?;
    let started = child.started();
    let cost = child.wait_for_end(LIMIT)?;
    let wall_s = started.elapsed().as_secs_f64();
    let lines = count_lines(&candles).map_err(BenchError::io(&candles))?;
    Ok(BacktestFigures {
        records,
        backtest_cpu_s_per_million: cost.cpu_s / (records as f64 / 1e6),
        backtest_rss_anon_mib: cost.rss_anon_mib,
        wall_s,
        candles_expected,
        candles: lines.saturating_sub(1),
    })
}

/// Writes the recording; gives how many pairs of symbol and minute have trades.
fn write(path: &PathBuf, records: u64) -> std::io::Result<u64> {
    let mut trades = TradeGenerator::new(SEED, START);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    // Trades come two seconds late at most: older minutes are counted and forgotten.
    let (mut open, mut counted) = (BTreeSet::new(), 0);
    writeln!(file, "ts_ms,symbol,price,size,side,trade_id")?;
    for _ in 0..records {
        let trade = trades.next_trade();
        let minute = trade.time.as_millis().div_euclid(MINUTE_MS);
        if open.insert((minute, trade.symbol)) {
            counted += 1;
            while open.first().is_some_and(|(first, _)| *first < minute - 1) {
                open.pop_first();
            }
        }
        let (symbol, side) = (trades.name(trade.symbol), if trade.buy { "buy" } else { "sell" });
        let (time, id) = (trade.time.as_millis(), trade.id + 1);
        writeln!(file, "{time},{symbol},{:.2},{:.2},{side},{id}", trade.price, trade.size)?;
    }
    file.flush()?;
    Ok(counted)
}

fn count_lines(path: &PathBuf) -> std::io::Result<u64> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut lines = 0;
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        lines += 1;
        line.clear();
    }
    Ok(lines)
}
