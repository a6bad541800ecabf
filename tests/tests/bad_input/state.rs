//! State that cannot be used: a folder that another process holds, files that are damaged.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use candlewick_tests::{require, servers};

use super::run::{PATIENCE, Run};

#[test]
fn a_state_folder_in_use_is_one_sentence_and_exit_code_2_and_its_owner_goes_on() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let owner = Run::on_kafka(kafka.bootstrap(), registry.url(), "heldstate", 15).with(&["--speed", "x150"]);
    let state = owner.path().join("state");
    let state = state.to_str().expect("UTF-8").to_owned();
    let owner = owner.with(&["--state-dir", &state]);
    let intruder =
        Run::on_kafka(kafka.bootstrap(), registry.url(), "heldstate", 15).with(&["--state-dir", &state]);
    let mut process = owner.start();
    process.wait_for("state=Running", PATIENCE);
    let said = intruder.start().fails_with(2, PATIENCE);
    assert!(said.contains(&state) && said.contains("in use by another process"), "{said}");
    owner.ends_well(process);
    owner.candles_are_exact();
}

#[test]
fn an_embedded_log_in_use_is_one_sentence_and_exit_code_2_and_its_owner_goes_on() {
    let owner = Run::embedded(41, 15).with(&["--speed", "x150"]);
    let data = owner.path().join("data");
    let data = data.to_str().expect("UTF-8").to_owned();
    let intruder = Run::embedded(41, 15).with_instead("--data-dir", &data);
    let mut process = owner.start();
    process.wait_for("state=Running", PATIENCE);
    let said = intruder.start().fails_with(2, PATIENCE);
    assert!(said.contains(&data) && said.contains("open in another process"), "{said}");
    owner.ends_well(process);
    owner.candles_are_exact();
}

#[test]
fn a_recordings_windows_stay_in_their_changelog_however_old_it_is() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "oldstate", 15);
    run.succeeds();
    run.candles_are_exact();
    let changelog = run.topic("app-candles-1m-changelog");
    let mut admin = run.log().admin().expect("an administrator");
    let config = admin.topic_config(&changelog, PATIENCE).expect("the changelog is there");
    assert_eq!(config["retention.ms"], "-1", "Kafka deletes by the time of records, which is years ago");
}

/// The data files of the tasks of a run.
fn task_files(run: &Run, name: &str) -> Vec<PathBuf> {
    let application = run.path().join("data/state").join(run.topic("app"));
    let tasks = std::fs::read_dir(application).expect("the state folder").flatten();
    let mut files: Vec<PathBuf> =
        tasks.map(|task| task.path().join(name)).filter(|path| path.exists()).collect();
    files.sort();
    files
}

/// Kills a run in the middle, damages the state of every task, and starts it again.
fn survives(name: &str, file: &str, damage: impl Fn(&Path)) {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), name, 15).with(&["--speed", "x150"]);
    let mut process = run.start();
    process.wait_for("state=Running", PATIENCE);
    std::thread::sleep(Duration::from_secs(2));
    process.kill();
    let files = task_files(&run, file);
    assert_eq!(files.len(), 4, "every task has its state");
    files.iter().for_each(|file| damage(file));
    let mut process = run.start();
    process.wait_for("cannot be trusted", PATIENCE);
    run.ends_well(process);
    run.candles_are_exact();
}

#[test]
fn a_damaged_trust_mark_means_that_the_state_is_restored() {
    survives("tornmark", "trust.json", |file| std::fs::write(file, b"{\"clean\":tr").expect("written"));
}

#[test]
fn a_state_file_that_was_cut_is_restored() {
    survives("cutstate", "data.mdb", |file| {
        let state = std::fs::File::options().write(true).open(file).expect("opened");
        state.set_len(state.metadata().expect("its length").len() / 2).expect("cut");
    });
}

#[test]
fn a_state_file_with_a_damaged_head_is_restored() {
    survives("tornhead", "data.mdb", |file| {
        let state = std::fs::File::options().write(true).open(file).expect("opened");
        state.write_all_at(&[0x5a; 8192], 0).expect("written");
    });
}
