//! The embedded log's files: a segment is damaged, and the log is opened, read and written to.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use candlewick::client::{
    EmbeddedLog, EmbeddedSettings, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings,
    StartAt,
};
use candlewick::{Headers, Partition, Timestamp, TopicPartition};

const TIMEOUT: Duration = Duration::from_secs(5);

/// A folder with a log of one topic, and the file of its records.
fn sample() -> &'static (tempfile::TempDir, PathBuf) {
    static SAMPLE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        {
            let log = EmbeddedLog::open(folder.path(), EmbeddedSettings::default()).expect("a new log");
            let topic =
                NewTopic { name: "t".into(), partitions: 1, replication: 1, config: Default::default() };
            log.admin().expect("an administrator").create(&[topic], TIMEOUT).expect("a topic");
            write(&*log);
        }
        let file = largest(folder.path()).expect("the records' file").1;
        (folder, file)
    })
}

fn write(log: &dyn Log) {
    let settings = ProducerSettings { transactional_id: Some("w".into()), ..ProducerSettings::default() };
    let Ok(mut producer) = log.producer(&settings) else { return };
    // What is damaged may be refused at any step.
    let _ = (|| {
        producer.init_transactions(TIMEOUT)?;
        producer.begin_transaction()?;
        let topic = producer.topic("t")?;
        let mut headers = Headers::default();
        headers.push("h", None);
        for value in [&b"one"[..], b"two"] {
            producer.send(OutgoingRecord {
                topic,
                partition: Partition(0),
                key: Some(b"k"),
                value: Some(value),
                headers: &headers,
                timestamp: Timestamp(5),
            })?;
        }
        producer.commit_transaction(TIMEOUT)
    })();
}

/// The largest file below a folder.
fn largest(folder: &Path) -> Option<(u64, PathBuf)> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let sized = entries.filter_map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => {
                largest(&path).filter(|_| path.to_string_lossy().contains("t-") || path.ends_with("topics"))
            }
            false => Some((entry.metadata().ok()?.len(), path)),
        }
    });
    sized.max()
}

/// The bytes of a good segment.
pub(super) fn segments() -> Vec<Vec<u8>> {
    vec![std::fs::read(&sample().1).expect("the records' file")]
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

/// Opens a log with this segment, reads what is left of it, and writes to it.
pub(super) fn open(bytes: &[u8]) {
    let (sample, file) = sample();
    let folder = tempfile::tempdir().expect("a folder");
    copy(sample.path(), folder.path());
    let inside = file.strip_prefix(sample.path()).expect("it is below the folder");
    std::fs::write(folder.path().join(inside), bytes).expect("a file");
    let Ok(log) = EmbeddedLog::open(folder.path(), EmbeddedSettings::default()) else { return };
    if let Ok(mut consumer) = log.consumer("fuzz", Isolation::ReadCommitted)
        && consumer.assign(&[(TopicPartition::new("t", 0), StartAt::Beginning)]).is_ok()
    {
        let mut batch = PolledBatch::default();
        for _ in 0..3 {
            let _ = consumer.poll(100, Duration::ZERO, &mut batch);
        }
    }
    write(&*log);
}
