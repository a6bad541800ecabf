//! A process that writes transactions is killed; the next one finds every decided transaction whole and no other.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use candlewick::TopicPartition;
use candlewick::client::{EmbeddedLog, EmbeddedSettings, Isolation, Log};
use candlewick_tests::client_suite::fixture::{
    PATIENCE, Writer, admin, at, outsider, read_all, texts, watermarks,
};

const FOLDER: &str = "CANDLEWICK_TEST_KILLED_FOLDER";
const PARTITIONS: i32 = 3;
const RECORDS: usize = 5;

fn open(folder: &Path) -> Arc<dyn Log> {
    let settings = EmbeddedSettings { segment_bytes: 8_000, ..EmbeddedSettings::default() };
    EmbeddedLog::open(folder, settings).expect("the folder can be opened again")
}

fn committed(log: &Arc<dyn Log>) -> i64 {
    let mut consumer = log.consumer("group", Isolation::ReadCommitted).expect("a consumer");
    let offsets = consumer.committed(&[TopicPartition::new("killed", 0)], PATIENCE).expect("offsets");
    offsets[0].as_ref().map_or(0, |one| one.offset)
}

/// The child: does nothing unless it is told a folder; then it commits transactions until it is killed. Number `n`
/// writes `n` to every partition, some of them in several flushes, and commits the offset `n`.
#[test]
fn child_commits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let log = open(Path::new(&folder));
    let id = TopicPartition::new("killed", 0);
    let mut number = committed(&log);
    let mut writer = Writer::transactional(&log, "killed");
    loop {
        number += 1;
        writer.begin();
        for at in 0..RECORDS {
            for partition in 0..PARTITIONS {
                writer.send("killed", partition, "k", &number.to_string());
            }
            if at % 2 == 0 {
                writer.flush();
            }
        }
        writer
            .0
            .send_offsets(&[(id.clone(), at(number))], &outsider("group"), PATIENCE)
            .expect("no objection");
        if number % 7 == 0 {
            writer.abort();
            continue;
        }
        writer.commit();
        println!("committed {number}");
    }
}

#[test]
fn killed_process_loses_no_committed_transaction_and_shows_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    {
        let log = open(folder.path());
        let topic = candlewick::client::NewTopic {
            name: "killed".to_owned(),
            partitions: PARTITIONS,
            replication: -1,
            config: Default::default(),
        };
        admin(&log).create(&[topic], PATIENCE).expect("the folder is fresh");
    }
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["killed::child_commits_until_it_is_killed", "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let wanted = 40 + 13 * round;
        let told =
            lines.map_while(Result::ok).filter_map(|line| line.rsplit_once("committed ")?.1.parse().ok());
        let last: i64 = told.take(wanted).last().expect("the child commits");
        child.kill().expect("the child is killed");
        child.wait().expect("the child is gone");

        let log = open(folder.path());
        let reached = committed(&log);
        assert!(reached >= last, "{last} was committed, the log says {reached}");
        let expected: Vec<String> = (1..=reached)
            .filter(|number| number % 7 != 0)
            .flat_map(|number| std::iter::repeat_n(number.to_string(), RECORDS))
            .collect();
        for partition in 0..PARTITIONS {
            let seen = read_all(&log, "killed", partition, Isolation::ReadCommitted);
            assert_eq!(texts(&seen), expected, "partition {partition}, round {round}");
            let marks = watermarks(&log, "killed", partition);
            assert_eq!(marks.stable, marks.high, "no transaction stays open");
        }
    }
}
