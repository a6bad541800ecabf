//! Files that are not whole: an unfinished end is cut off, a hole in the middle is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candlewick::client::{ClientError, EmbeddedLog, EmbeddedSettings, Isolation, Log};
use candlewick_tests::client_suite::fixture::{Writer, read_all, texts, topic, watermarks};
use proptest::prelude::*;

fn open(folder: &Path) -> Result<Arc<EmbeddedLog>, ClientError> {
    EmbeddedLog::open(folder, EmbeddedSettings::default())
}

/// Writes batches of these sizes to one partition and closes the log; answers the topic, its only segment file, and
/// the file's length before each batch.
fn written(folder: &Path, sizes: &[usize]) -> (String, PathBuf, Vec<u64>) {
    let log: Arc<dyn Log> = open(folder).expect("a fresh folder");
    let topic = topic(&log, "damaged", 1);
    let file = folder.join("topics").join(&topic).join("0").join(format!("{:020}.log", 0));
    let mut writer = Writer::plain(&log);
    let mut lengths = Vec::new();
    let mut number = 0;
    for size in sizes {
        lengths.push(std::fs::metadata(&file).map_or(0, |file| file.len()));
        for _ in 0..*size {
            writer.send(&topic, 0, "key", &number.to_string());
            number += 1;
        }
        writer.flush();
    }
    (topic, file, lengths)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("it is a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

fn check_every_cut(sizes: &[usize], step: usize) {
    let original = tempfile::tempdir().expect("a temporary folder");
    let (topic, file, lengths) = written(original.path(), sizes);
    let whole = std::fs::metadata(&file).expect("the file").len();
    let last = *lengths.last().expect("batches were written");
    let kept: usize = sizes[..sizes.len() - 1].iter().sum();
    let expected: Vec<String> = (0..kept).map(|number| number.to_string()).collect();
    for length in (last..whole).step_by(step) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(original.path(), folder.path());
        let file = folder.path().join(file.strip_prefix(original.path()).expect("it lies within"));
        let cut = std::fs::OpenOptions::new().write(true).open(&file).expect("the file");
        cut.set_len(length).expect("it can be cut");
        let log: Arc<dyn Log> = open(folder.path()).expect("a torn end is no damage");
        assert_eq!(texts(&read_all(&log, &topic, 0, Isolation::ReadCommitted)), expected);
        let mut writer = Writer::plain(&log);
        writer.send(&topic, 0, "key", "next");
        writer.flush();
        assert_eq!(watermarks(&log, &topic, 0).high, i64::try_from(kept).expect("few") + 1);
    }
}

#[test]
fn log_cut_at_any_byte_of_its_last_batch_opens_with_all_batches_before() {
    check_every_cut(&[3, 1, 4], 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn log_cut_in_its_last_batch_opens_whatever_was_written(sizes in prop::collection::vec(1usize..40, 1..6)) {
        check_every_cut(&sizes, 37);
    }
}

#[test]
fn damage_before_sound_batches_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (topic, file, lengths) = written(folder.path(), &[3, 3, 3]);
    let mut bytes = std::fs::read(&file).expect("the file");
    let at = usize::try_from(lengths[1]).expect("small") + 70;
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).expect("the file is written");
    let error = open(folder.path()).expect_err("a batch in the middle is damaged").to_string();
    assert!(error.contains(&topic) && error.contains("is damaged although later ones are whole"), "{error}");
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).expect("the file is written");
    open(folder.path()).expect("the damage was repaired");
}
