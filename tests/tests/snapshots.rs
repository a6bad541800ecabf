//! The shipped binary with `--snapshots`: an instance whose disk is gone begins with a snapshot and goes on exactly, and a
//! reset takes the snapshots with it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{EmbeddedLog, EmbeddedSettings};
use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
use candlewick_tests::servers::Bucket;
use candlewick_tests::shipped::{self, Candlewick, Recording};
use candlewick_tests::{require, servers};

const START: i64 = 1_600_000_020_000;
const TIMEOUT: Duration = Duration::from_secs(120);

/// One place of snapshots, and the binary that reaches it.
struct Place<'a> {
    binary: &'a Path,
    url: String,
    variables: Vec<(&'static str, String)>,
}

impl Place<'_> {
    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary);
        command.current_dir(folder).args(arguments).args(["--data-dir", "data", "--snapshots", &self.url]);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn start(&self, folder: &Path, arguments: &[&str]) -> Candlewick {
        Candlewick::start_command(folder, &mut self.command(folder, arguments))
    }

    fn reset(&self, folder: &Path, arguments: &[&str]) -> Vec<String> {
        let all: Vec<&str> =
            ["reset", "--application-id", "candles"].iter().chain(arguments).copied().collect();
        let output = self.command(folder, &all).output().expect("the binary runs");
        assert!(output.status.success(), "{}", said(&output));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let of_snapshots =
            lines.lines().filter_map(|line| line.split_once("snapshot ")).map(|(_, name)| name.to_owned());
        of_snapshots.collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Kills it once it has taken some snapshots, takes its disk away, and has it finish the recording.
fn a_lost_disk_is_made_up_for(place: &Place<'_>, folder: &Path, names: &dyn Fn() -> Vec<String>) {
    let recording = Recording::new(17, START, 30, 120);
    let replay = recording.write(folder);
    let config = folder.join("candlewick.toml");
    std::fs::write(&config, "snapshot-interval-ms = 100\n").expect("written");
    let arguments = ["run", "--pipeline", "candles", "--intervals", "1m", "--guarantee", "exactly-once"];
    let mut arguments = arguments.to_vec();
    arguments.extend(["--no-server", "--partitions", "1", "--exit-when-done"]);
    arguments.extend([
        "--config",
        config.to_str().expect("UTF-8"),
        "--replay",
        replay.to_str().expect("UTF-8"),
    ]);
    let run = |speed| [&arguments[..], &["--speed", speed]].concat();
    let first = place.start(folder, &run("x180"));
    let until = Instant::now() + TIMEOUT;
    while first.log().matches("a snapshot of the task's stores was taken").count() < 4 {
        assert!(Instant::now() < until, "it takes snapshots:\n{}", first.output());
        std::thread::sleep(Duration::from_millis(20));
    }
    first.kill();
    let kept = names();
    assert!((1..=3).contains(&kept.len()), "older ones are deleted: {kept:?}");
    std::fs::remove_dir_all(folder.join("data/state")).expect("the disk was used");
    let mut second = place.start(folder, &run("max"));
    second.wait_for("the task's stores begin with a snapshot", TIMEOUT);
    let status = second.wait(TIMEOUT);
    assert!(status.success());
    let data = folder.join("data");
    let log = EmbeddedLog::open(&data.join("log"), EmbeddedSettings::default()).expect("the log opens");
    let registry: Arc<dyn SchemaRegistry> =
        Arc::new(MemoryRegistry::in_file(data.join("schemas.jsonl")).expect("the schemas"));
    let expected = recording.candles(60_000).into_iter().map(|(place, candle)| (place, vec![candle]));
    assert!(
        shipped::candles(&*log, &registry, "candles").into_iter().eq(expected),
        "each candle once, exactly"
    );
    drop(log);
    let kept = names();
    assert!(!kept.is_empty());
    assert_eq!(place.reset(folder, &["--dry-run"]), kept);
    assert_eq!(names(), kept, "a dry run deletes nothing");
    assert_eq!(place.reset(folder, &[]), kept);
    assert!(names().is_empty());
}

#[test]
fn a_lost_disk_is_made_up_for_by_snapshots_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let snapshots = folder.path().join("snapshots");
    let url = format!("file://{}", snapshots.display());
    let place = Place { binary: shipped::binary(), url, variables: Vec::new() };
    let names = || {
        use candlewick::SnapshotStore;
        candlewick::FolderSnapshots::new(&snapshots).list("").expect("a folder")
    };
    a_lost_disk_is_made_up_for(&place, folder.path(), &names);
}

#[test]
fn a_lost_disk_is_made_up_for_by_snapshots_in_a_bucket() {
    let bucket: Bucket = require!(servers::bucket());
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place {
        binary: shipped::secured_binary(),
        url: format!("s3://{}/some/prefix", bucket.name()),
        variables: bucket.variables(),
    };
    let names = || {
        let of_prefix = |name: String| name.strip_prefix("some/prefix/").map(str::to_owned);
        bucket.objects().into_iter().filter_map(of_prefix).collect()
    };
    a_lost_disk_is_made_up_for(&place, folder.path(), &names);
}

#[test]
fn a_place_that_cannot_be_used_is_told_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |binary: &Path, url: &str, code: i32| {
        let place = Place { binary, url: url.to_owned(), variables: Vec::new() };
        place.start(folder.path(), &["run", "--no-server"]).fails_with(code, TIMEOUT)
    };
    let said = refused(shipped::binary(), "s3://bucket/x", 2);
    assert!(said.contains("`object-store`"), "{said}");
    let said = refused(shipped::binary(), "snapshots", 2);
    assert!(said.contains("file:///FOLDER"), "{said}");
    let said = refused(shipped::secured_binary(), "s3://key:never-seen@bucket/x", 2);
    assert!(said.contains("variables") && !said.contains("never-seen"), "{said}");
}
