//! `candlewick backtest` over recordings made from seeds: every candle, to the last digit, the same bytes each time, and
//! one clear sentence for every bad line.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use candlewick_tests::shipped::{ExpectedCandle, Recording, binary};

const START: i64 = 1_600_000_020_000;

fn backtest(folder: &Path, replay: &Path, out: &str, more: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command
        .current_dir(folder)
        .args(["backtest", "--interval", "1m", "--candles", out, "--replay"])
        .arg(replay);
    command.args(more).output().expect("the binary runs")
}

fn candles_of(path: &Path) -> BTreeMap<(String, i64), ExpectedCandle> {
    let text = std::fs::read_to_string(path).expect("the candle file");
    let mut lines = text.lines();
    let header = "exchange,symbol,ts_ms,open,high,low,close,volume,quote_volume,trades,taker_buy_volume";
    assert_eq!(lines.next(), Some(header));
    let mut found = BTreeMap::new();
    for line in lines {
        let f: Vec<&str> = line.split(',').collect();
        let candle = ExpectedCandle {
            open: f[3].into(),
            high: f[4].into(),
            low: f[5].into(),
            close: f[6].into(),
            volume: f[7].into(),
            quote_volume: f[8].into(),
            trades: f[9].parse().expect("a count"),
            taker_buy_volume: f[10].into(),
        };
        let place = (f[1].to_owned(), f[2].parse().expect("a time"));
        assert!(found.insert(place, candle).is_none(), "{line} came twice");
    }
    found
}

#[test]
fn every_candle_is_exact_and_the_same_bytes_come_out_again() {
    for seed in [1, 7, 2_024] {
        let folder = tempfile::tempdir().expect("a folder");
        let recording = Recording::new(seed, START, 90, 120);
        let replay = recording.write(folder.path());
        let first = backtest(folder.path(), &replay, "a.csv", &[]);
        assert!(first.status.success(), "{first:?}");
        let expected = recording.candles(60_000);
        assert!(expected.len() > 200, "the recording fills candles");
        assert_eq!(candles_of(&folder.path().join("a.csv")), expected, "seed {seed}");
        assert!(backtest(folder.path(), &replay, "b.csv", &[]).status.success());
        let bytes = |name| std::fs::read(folder.path().join(name)).expect("candles");
        assert_eq!(bytes("a.csv"), bytes("b.csv"), "seed {seed}");
    }
}

#[test]
fn bad_lines_are_counted_and_told_with_their_number_and_fatal_when_strict() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = Recording::new(3, START, 5, 60);
    let replay = recording.write(folder.path());
    let mut lines: Vec<String> =
        std::fs::read_to_string(&replay).expect("readable").lines().map(str::to_owned).collect();
    lines.insert(10, "not,a,trade".into());
    lines.insert(20, format!("{START},BTC-USD,0,1,buy,900001"));
    lines.insert(30, format!("{START},BTC-USD,NaN,1,buy,900002"));
    lines.insert(40, format!("{START},BTC-USD,-5,1,buy,900003"));
    std::fs::write(&replay, lines.join("\n") + "\n").expect("written");
    let lenient = backtest(folder.path(), &replay, "a.csv", &[]);
    assert!(lenient.status.success(), "{lenient:?}");
    assert_eq!(candles_of(&folder.path().join("a.csv")), recording.candles(60_000));
    let said = String::from_utf8_lossy(&lenient.stdout).into_owned();
    for number in [11, 21, 31, 41] {
        assert!(said.contains(&format!("line {number}")), "line {number} is told:\n{said}");
    }
    let strict = backtest(folder.path(), &replay, "b.csv", &["--strict"]);
    assert!(!strict.status.success(), "strict ends at the first bad line");
    assert!(String::from_utf8_lossy(&strict.stderr).contains("line 11"), "{strict:?}");
}

#[test]
fn what_cannot_be_read_is_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = backtest(folder.path(), Path::new("nowhere.csv"), "a.csv", &[]);
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success());
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("nowhere.csv"), "{said}");
}
