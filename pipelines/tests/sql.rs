//! The binary with `--sql`: what `psql` is told about candles is what the recording says; and who may not ask is told so.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use candlewick_tests::require;
use candlewick_tests::servers::psql;
use candlewick_tests::shipped::{Candlewick, ExpectedCandle, Recording};

const START: i64 = 1_600_000_020_000;
const MINUTES: i64 = 20;
const MINUTE: i64 = 60_000;
const TIMEOUT: Duration = Duration::from_secs(120);

fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}

/// The binary that this test was built with: it has the feature.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_candlewick"));
    command.args(["run", "--pipeline", "candles", "--intervals", "1m", "--commit-interval-ms", "100"]);
    command.args(arguments);
    command
}

fn start(folder: &Path, sql: SocketAddr, password: Option<&str>) -> (Candlewick, Recording) {
    let recording = Recording::new(23, START, MINUTES, 60);
    let replay = recording.write(folder);
    let listen = free_address().to_string();
    let mut command = command(&[
        "--listen",
        &listen,
        "--sql",
        &sql.to_string(),
        "--replay",
        replay.to_str().expect("UTF-8"),
    ]);
    if let Some(password) = password {
        command.env("CANDLEWICK_SQL_PASSWORD", password);
    }
    let mut process = Candlewick::start_command(folder, &mut command);
    let deadline = Instant::now() + TIMEOUT;
    while !process.output().contains(&format!("candlewick: postgresql://{sql}/candlewick")) {
        assert!(process.is_running() && Instant::now() < deadline, "it answers:\n{}", process.output());
        std::thread::sleep(Duration::from_millis(20));
    }
    (process, recording)
}

/// A number without the zeros behind its last place.
fn number(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

#[test]
fn psql_is_told_the_candles_that_the_recording_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    let sql = free_address();
    let psql = require!(psql(sql));
    let (process, recording) = start(folder.path(), sql, None);
    let expected = recording.candles(MINUTE);
    let newest = expected.keys().map(|(_, start)| *start).max().expect("some candle");
    let rows = "SELECT key, extract(epoch FROM window_start)::bigint * 1000, open, high, low, close, volume, \
                quote_volume_whole, trades, taker_buy_volume FROM candles_1m ORDER BY key, window_start";
    let deadline = Instant::now() + TIMEOUT;
    let held = loop {
        let found = psql.rows(rows);
        let has_all = |start: i64| found.iter().filter(|row| row[1] == start.to_string()).count();
        let last: Vec<_> = expected.iter().filter(|((_, start), _)| *start == newest).collect();
        let is_last = |row: &Vec<String>| {
            last.iter().any(|((symbol, start), candle)| {
                *symbol == row[0] && start.to_string() == row[1] && candle.trades.to_string() == row[8]
            })
        };
        if has_all(newest) == last.len() && found.iter().filter(|row| is_last(row)).count() == last.len() {
            break found;
        }
        assert!(Instant::now() < deadline, "{found:?}\n{}", process.output());
        std::thread::sleep(Duration::from_millis(100));
    };
    for row in &held {
        let place = (row[0].clone(), row[1].parse::<i64>().expect("a start"));
        let candle = ExpectedCandle {
            open: number(&row[2]),
            high: number(&row[3]),
            low: number(&row[4]),
            close: number(&row[5]),
            volume: number(&row[6]),
            quote_volume: number(&row[7]),
            trades: row[8].parse().expect("a count"),
            taker_buy_volume: number(&row[9]),
        };
        assert_eq!(Some(&candle), expected.get(&place), "{place:?}");
    }
    let trades: u64 =
        expected.iter().filter(|((_, start), _)| *start == newest).map(|(_, candle)| candle.trades).sum();
    let last =
        format!("SELECT sum(trades) FROM candles_1m WHERE window_start >= to_timestamp({})", newest / 1_000);
    assert_eq!(psql.value(&last), trades.to_string());
    assert_eq!(psql.value("SELECT count(*) > 0 FROM indicators"), "t");
    assert!(psql.refusal("DELETE FROM candles_1m").contains("only reads"));
    assert!(process.terminate(TIMEOUT).success());
}

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let sql = free_address();
    let psql = require!(psql(sql));
    let password = "so long and thanks";
    let (process, _) = start(folder.path(), sql, Some(password));
    assert!(!psql.say("SELECT 1").good);
    assert_eq!(psql.with_password(password).value("SELECT 1"), "1");
    assert!(!process.output().contains(password) && !process.log().contains(password));
    assert!(process.terminate(TIMEOUT).success());
}

#[test]
fn other_machines_are_not_let_in_without_a_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let process =
        Candlewick::start_command(folder.path(), &mut command(&["--sql", "0.0.0.0:0", "--in-memory"]));
    let said = process.fails_with(2, TIMEOUT);
    assert!(said.contains("without a password"), "{said}");
}
