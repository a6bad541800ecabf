//! An instance with an empty disk begins with the newest snapshot of its task's stores: what the changelog no longer holds
//! comes from there, and what came after it from the changelog. One of rows that were given up since is passed over.
#![cfg(feature = "lmdb")]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use candlewick::client::{Admin, EmbeddedLog, Log, NewTopic, OutgoingRecord, ProducerSettings};
use candlewick::{
    Consumed, FolderSnapshots, Grouped, Guarantee, Headers, KafkaStreams, KeyValueStore, Keys, Materialized,
    Partition, RunningStreams, SnapshotStore, StreamsBuilder, StreamsConfig, Timestamp, TopicPartition,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const CHANGELOG: &str = "counter-counts-changelog";
const KEYS: i64 = 100;

fn log_with_input() -> (Arc<EmbeddedLog>, Box<dyn Admin>) {
    let log = EmbeddedLog::in_memory();
    let mut admin = log.admin().expect("an administrator");
    let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: BTreeMap::new() };
    admin.create(&[topic], TIMEOUT).expect("made");
    (log, admin)
}

fn write(log: &Arc<EmbeddedLog>, numbers: std::ops::Range<i64>) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let handle = producer.topic("in").expect("topic");
    for number in numbers {
        let record = OutgoingRecord {
            topic: handle,
            partition: Partition(0),
            key: Some(&(number % KEYS).to_be_bytes()),
            value: Some(&number.to_be_bytes()),
            headers: &Headers::default(),
            timestamp: Timestamp(number),
        };
        producer.send(record).expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

fn start(log: &Arc<EmbeddedLog>, disk: &Path, snapshots: &Path) -> RunningStreams {
    start_with(log, disk, Arc::new(FolderSnapshots::new(snapshots)))
}

fn start_with(log: &Arc<EmbeddedLog>, disk: &Path, snapshots: Arc<dyn SnapshotStore>) -> RunningStreams {
    start_counting(log, disk, snapshots, Materialized::named("counts"))
}

fn start_counting(
    log: &Arc<EmbeddedLog>,
    disk: &Path,
    snapshots: Arc<dyn SnapshotStore>,
    counts: Materialized<i64, i64>,
) -> RunningStreams {
    let builder = StreamsBuilder::new();
    builder.stream("in", Consumed::<i64, i64>::default()).group_by_key(Grouped::default()).count(counts);
    let config = StreamsConfig {
        guarantee: Guarantee::ExactlyOnce,
        commit_interval_ms: Some(10),
        state_dir: Some(disk.to_owned()),
        snapshot_interval_ms: 30,
        ..StreamsConfig::new("counter")
    };
    let streams = KafkaStreams::new(builder.build().expect("valid"), config, log.clone());
    streams.snapshots(snapshots).start().expect("started")
}

fn counts(running: &RunningStreams) -> BTreeMap<i64, i64> {
    let store = running.handle().store::<KeyValueStore<i64, i64>>("counts");
    let page = store.and_then(|store| store.range(Keys::all().limit(1_000)));
    page.map(|page| page.rows.into_iter().map(|(key, entry)| (key, entry.value)).collect())
        .unwrap_or_default()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !is_there() {
        assert!(Instant::now() < until, "{what} within {TIMEOUT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Writes on, so that there are commits to take snapshots at.
fn write_until(log: &Arc<EmbeddedLog>, written: &mut i64, what: &str, is_there: impl Fn() -> bool) {
    wait_for(what, || {
        write(log, *written..*written + 10);
        *written += 10;
        is_there()
    });
}

/// How often each key was written, of so many numbers.
fn expected(numbers: i64) -> BTreeMap<i64, i64> {
    (0..KEYS).map(|key| (key, numbers / KEYS + i64::from(key < numbers % KEYS))).collect()
}

#[test]
fn an_empty_disk_begins_with_a_snapshot_and_goes_on_with_the_changelog() {
    let (log, mut admin) = log_with_input();
    let folder = tempfile::tempdir().expect("a folder");
    let snapshots = folder.path().join("snapshots");
    let names = || FolderSnapshots::new(&snapshots).list("counter/0_0/").expect("a folder");
    let first = start(&log, &folder.path().join("first"), &snapshots);
    write(&log, 0..5_050);
    wait_for("all counts", || counts(&first) == expected(5_050));
    // One that was begun after the last commit; the commits that ask for it have something to commit.
    let seen = names();
    let mut more = 5_050;
    wait_for("a snapshot", || {
        write(&log, more..more + 1);
        more += 1;
        names().last() > seen.last()
    });
    wait_for("all counts", || counts(&first) == expected(more));
    let held = admin.watermarks(&TopicPartition::new(CHANGELOG, 0), TIMEOUT).expect("offsets");
    first.stop(TIMEOUT).expect("stopped");
    assert!((1..=2).contains(&names().len()), "older ones are deleted: {:?}", names());
    // What the snapshot has is in the changelog no more.
    let before = held.high - 8;
    admin.delete_records(&[(TopicPartition::new(CHANGELOG, 0), before)], TIMEOUT).expect("deleted");
    // It alone is not enough any more, and a snapshot of the day before yesterday is not begun with.
    let old = folder.path().join("old");
    for name in names() {
        let parts: Vec<&str> = name.rsplitn(3, '-').collect();
        let taken = parts[1].parse::<i64>().expect("a time") - 2 * 86_400_000;
        let file = snapshots.join(&name);
        let aged = format!("{}-{taken:015}-{}", parts[2], parts[0]);
        FolderSnapshots::new(&old).put(&aged, &file).expect("copied");
    }
    let third = start(&log, &folder.path().join("third"), &old);
    wait_for("a running task", || !counts(&third).is_empty());
    assert_ne!(counts(&third), expected(more));
    third.stop(TIMEOUT).expect("stopped");
    let second = start(&log, &folder.path().join("second"), &snapshots);
    wait_for("the same counts", || counts(&second) == expected(more));
    write(&log, more..more + 500);
    wait_for("counts that go on", || counts(&second) == expected(more + 500));
    second.stop(TIMEOUT).expect("stopped");
}

/// A folder of snapshots that knows which were fetched.
struct Watched {
    folder: FolderSnapshots,
    fetched: Mutex<Vec<String>>,
}

impl Watched {
    fn new(folder: &Path) -> Self {
        Self { folder: FolderSnapshots::new(folder), fetched: Mutex::default() }
    }
}

impl SnapshotStore for Watched {
    fn put(&self, name: &str, file: &Path) -> io::Result<()> {
        self.folder.put(name, file)
    }

    fn get(&self, name: &str, file: &Path) -> io::Result<()> {
        self.fetched.lock().expect("no panic").push(name.to_owned());
        self.folder.get(name, file)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        self.folder.list(prefix)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.folder.delete(name)
    }
}

#[test]
fn an_application_that_was_reset_begins_without_the_snapshots_from_before() {
    let (log, mut admin) = log_with_input();
    let folder = tempfile::tempdir().expect("a folder");
    let snapshots = folder.path().join("snapshots");
    let names = || FolderSnapshots::new(&snapshots).list("counter/").expect("a folder");
    let first = start(&log, &folder.path().join("first"), &snapshots);
    let mut written = 0;
    write_until(&log, &mut written, "snapshots", || names().len() == 2);
    first.stop(TIMEOUT).expect("stopped");
    let before = names();
    // What `candlewick reset` does: the input is read from its beginning again.
    admin.delete(&["counter-control", CHANGELOG], TIMEOUT).expect("deleted");
    admin.delete_group("counter", TIMEOUT).expect("deleted");
    let watched = Arc::new(Watched::new(&snapshots));
    let second = start_with(&log, &folder.path().join("second"), watched.clone());
    wait_for("all counts", || counts(&second) == expected(written));
    assert!(watched.fetched.lock().expect("no panic").is_empty(), "one of {before:?} was gone on with");
    write_until(&log, &mut written, "snapshots of its own in their place", || {
        names().len() == 2 && names().iter().all(|name| !before.contains(name))
    });
    second.stop(TIMEOUT).expect("stopped");
    // These are gone on with.
    let third = start_with(&log, &folder.path().join("third"), watched.clone());
    wait_for("all counts", || counts(&third) == expected(written));
    assert_eq!(watched.fetched.lock().expect("no panic").len(), 1);
    third.stop(TIMEOUT).expect("stopped");
}

#[test]
fn a_store_that_is_rebuilt_begins_without_the_snapshots_from_before() {
    let (log, _) = log_with_input();
    let folder = tempfile::tempdir().expect("a folder");
    let snapshots = folder.path().join("snapshots");
    let watched = Arc::new(Watched::new(&snapshots));
    let first = start_with(&log, &folder.path().join("first"), watched.clone());
    let mut written = 0;
    write_until(&log, &mut written, "snapshots", || watched.list("counter/").expect("a folder").len() == 2);
    first.stop(TIMEOUT).expect("stopped");
    // A version with the store in memory, and one with the store on disk again: both plans say that it is rebuilt.
    let mut disks = ["second", "third"].iter().map(|name| folder.path().join(name));
    for materialized in [Materialized::named("counts").in_memory(), Materialized::named("counts")] {
        let disk = disks.next().expect("two versions");
        assert!(!watched.list("counter/").expect("a folder").is_empty(), "there is one to begin with");
        let running = start_counting(&log, &disk, watched.clone(), materialized);
        wait_for("all counts", || counts(&running) == expected(written));
        running.stop(TIMEOUT).expect("stopped");
        assert!(watched.fetched.lock().expect("no panic").is_empty());
    }
}
