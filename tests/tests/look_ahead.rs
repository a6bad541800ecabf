//! No prediction knows what comes after it: over the shipped binary, predictions made before some moment are the same to the
//! last digit whatever the trades after that moment are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use candlewick_tests::shipped::{Recording, binary};

const START: i64 = 1_600_000_020_000;
const MINUTE: i64 = 60_000;
const MINUTES: i64 = 150;

/// Runs a command of the binary in a folder, which must end well.
fn candlewick(folder: &Path, arguments: &[&str]) {
    let output = Command::new(binary()).current_dir(folder).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The predictions of a recording, by symbol and candle, as they are written.
fn predictions(folder: &Path, replay: &Path) -> BTreeMap<(String, i64), String> {
    let replay = replay.to_str().expect("UTF-8");
    let arguments = ["backtest", "--replay", replay, "--candles", "c.csv", "--predictions", "p.csv"];
    candlewick(folder, &[&arguments[..], &["--model-dir", "model"]].concat());
    let text = std::fs::read_to_string(folder.join("p.csv")).expect("the predictions");
    let rows = text.lines().skip(1).map(|row| {
        let fields: Vec<&str> = row.split(',').collect();
        ((fields[1].to_owned(), fields[2].parse().expect("a time")), row.to_owned())
    });
    rows.collect()
}

/// What may happen to the trades after a moment.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Other prices, sizes and sides.
    Changed,
    /// There are none.
    Gone,
}

/// The recording with other trades from `moment` on.
fn altered(folder: &Path, replay: &Path, moment: i64, fate: Fate, seed: u64) -> PathBuf {
    let text = std::fs::read_to_string(replay).expect("the recording");
    let (mut lines, mut chance) = (Vec::new(), seed);
    for line in text.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let is_after = fields[0].parse::<i64>().is_ok_and(|time| time >= moment);
        match fate {
            _ if !is_after => lines.push(line.to_owned()),
            Fate::Gone => {}
            Fate::Changed => {
                chance =
                    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (price, size) = (1 + (chance >> 40) % 90_000, 1 + (chance >> 20) % 90);
                let side = if chance >> 63 == 0 { "buy" } else { "sell" };
                lines.push(format!("{},{},{price},{size},{side},{}", fields[0], fields[1], fields[5]));
            }
        }
    }
    let path = folder.join("altered.csv");
    std::fs::write(&path, lines.join("\n") + "\n").expect("written");
    path
}

#[test]
fn no_prediction_changes_when_the_trades_after_it_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let history = Recording::new(5, START - 10_000 * MINUTE, 400, 60).write(folder);
    let history = history.to_str().expect("UTF-8").to_owned();
    candlewick(folder, &["backtest", "--replay", &history, "--candles", "history.csv"]);
    let train = ["train", "--candles", "history.csv", "--model-dir", "model", "--folds", "0"];
    candlewick(folder, &[&train[..], &["--window", "16", "--hidden", "8"]].concat());
    for seed in [2, 77] {
        let replay = Recording::new(seed, START, MINUTES, 60).write(folder);
        let whole = predictions(folder, &replay);
        assert!(whole.len() > 150, "the recording outlasts the warm-up: {} predictions", whole.len());
        // In the middle of a minute, at its turn, and at its last millisecond.
        for moment in [START + 90 * MINUTE + 31_007, START + 110 * MINUTE, START + 131 * MINUTE - 1] {
            let before: BTreeMap<_, _> =
                whole.iter().filter(|((_, candle), _)| candle + MINUTE <= moment).collect();
            assert!(before.len() > 50, "{} predictions come before", before.len());
            for fate in [Fate::Changed, Fate::Gone] {
                let other = predictions(folder, &altered(folder, &replay, moment, fate, seed));
                for (place, row) in &before {
                    assert_eq!(
                        other.get(*place),
                        Some(*row),
                        "{fate:?} from {moment} on, seed {seed}: {place:?}"
                    );
                }
                let same = other.iter().filter(|(place, row)| whole.get(*place) == Some(*row)).count();
                assert!(same < whole.len(), "{fate:?}: what comes after is not what it was");
            }
        }
    }
}
