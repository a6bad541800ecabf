//! A store of a user's own making is committed, rolled back, reopened and restored like any other.

use super::*;
use crate::serde::SerdeError;

/// A tally by name that tells its changes in the order they came.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<Vec<u8>, u8>,
    changed: Vec<Vec<u8>>,
}

impl Tally {
    fn add(&mut self, name: &[u8], count: u8) {
        *self.counts.entry(name.to_vec()).or_default() += count;
        self.changed.push(name.to_vec());
    }

    fn remove(&mut self, name: &[u8]) {
        self.counts.remove(name);
        self.changed.push(name.to_vec());
    }
}

impl CustomStore for Tally {
    fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), SerdeError> {
        match value {
            Some([count]) => self.counts.insert(key.to_vec(), *count),
            None => self.counts.remove(key),
            Some(_) => return Err(SerdeError::Malformed { format: "count", reason: "not one byte".into() }),
        };
        Ok(())
    }

    fn take_changes(&mut self, sink: &mut RowSink<'_>) {
        for name in self.changed.drain(..) {
            let count = self.counts.get(&name).map(std::slice::from_ref);
            sink(&name, count, Timestamp(7));
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

fn counts(task: &mut Task) -> Vec<(Vec<u8>, u8)> {
    task.store::<UserStore<Tally>>(0).counts.clone().into_iter().collect()
}

#[test]
fn a_users_store_is_what_was_committed_on_every_engine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for engine in engines(folder.path()) {
        let mut task = Task::open(vec![Stores::custom("tally", Tally::default).into()], engine, 0);
        let tally = task.store::<UserStore<Tally>>(0);
        tally.add(b"a", 1);
        tally.add(b"b", 2);
        tally.add(b"a", 3);
        tally.remove(b"b");
        tally.add(b"c", 5);
        task.commit();
        let committed = vec![(b"a".to_vec(), 4), (b"c".to_vec(), 5)];
        assert_eq!(counts(&mut task), committed);
        let log: Vec<_> = task.logs[0].iter().map(|(key, row)| (key.clone(), row.0[0])).collect();
        assert_eq!(log, committed, "the changelog has the last of each");
        assert!(task.logs[0].values().all(|(_, time)| *time == 7));

        // Changed, flushed, and not committed.
        task.store::<UserStore<Tally>>(0).add(b"a", 9);
        task.state().flush(|_, _, _, _| ()).expect("flush");
        task.store::<UserStore<Tally>>(0).remove(b"c");
        task.state().rollback().expect("rolled back");
        assert_eq!(counts(&mut task), committed);
        task.commit();
        assert_eq!(counts(&mut task), committed, "what was forgotten is not told later");

        let is_persistent = task.settings.engine_is_persistent();
        task.reopen();
        assert_eq!(counts(&mut task), if is_persistent { committed.clone() } else { Vec::new() });
        let changes: [LogRecord<'_>; 3] = [(1, b"c", None), (2, b"d", Some(&[8])), (3, b"a", Some(&[4]))];
        task.restore(0, &run_of(&changes), 3).expect("restored");
        let restored = vec![(b"a".to_vec(), 4), (b"d".to_vec(), 8)];
        assert_eq!(counts(&mut task), restored);
        task.state().rollback().expect("rolled back");
        assert_eq!(counts(&mut task), restored, "what was restored is committed");
        let odd: [LogRecord<'_>; 1] = [(1, b"c", Some(b"two bytes"))];
        let refused = task.restore(0, &run_of(&odd), 1).expect_err("not one byte");
        assert!(refused.to_string().contains("tally"), "{refused}");
    }
}
