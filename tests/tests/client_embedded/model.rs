//! Random producing, committing, aborting and reopening against a model that is a list for each partition.

use std::sync::Arc;

use candlewick::TopicPartition;
use candlewick::client::{EmbeddedLog, EmbeddedSettings, Isolation, Log};
use candlewick_tests::client_suite::fixture::{
    PATIENCE, Writer, admin, at, outsider, read_all, texts, topic, watermarks,
};
use proptest::prelude::*;

const PARTITIONS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// Plain records.
    Plain {
        partition: usize,
        count: usize,
    },
    /// Records in the transaction of one of two ids, which is begun when it is not open.
    InTransaction {
        owner: usize,
        partition: usize,
        count: usize,
    },
    /// An offset in that transaction.
    Offset {
        owner: usize,
    },
    Commit {
        owner: usize,
    },
    Abort {
        owner: usize,
    },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..PARTITIONS, 1usize..30).prop_map(|(partition, count)| Step::Plain { partition, count }),
        5 => (0usize..2, 0..PARTITIONS, 1usize..30)
            .prop_map(|(owner, partition, count)| Step::InTransaction { owner, partition, count }),
        2 => (0usize..2).prop_map(|owner| Step::Offset { owner }),
        3 => (0usize..2).prop_map(|owner| Step::Commit { owner }),
        2 => (0usize..2).prop_map(|owner| Step::Abort { owner }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

/// What lies at one offset.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Plain(u64),
    Open(usize, u64),
    Aborted(u64),
    Marker,
}

#[derive(Default)]
struct Model {
    slots: [Vec<Slot>; PARTITIONS],
    committed: Option<i64>,
    pending: [Option<i64>; 2],
}

impl Model {
    fn end(&mut self, owner: usize, is_committed: bool) {
        for slots in &mut self.slots {
            let mut has_written = false;
            for slot in slots.iter_mut() {
                if let Slot::Open(of, value) = *slot
                    && of == owner
                {
                    *slot = if is_committed { Slot::Plain(value) } else { Slot::Aborted(value) };
                    has_written = true;
                }
            }
            if has_written {
                slots.push(Slot::Marker);
            }
        }
        let pending = self.pending[owner].take();
        if is_committed {
            self.committed = pending.or(self.committed);
        }
    }

    fn check(&self, log: &Arc<dyn Log>, topic: &str) {
        for (number, slots) in self.slots.iter().enumerate() {
            let number = i32::try_from(number).expect("few partitions");
            let stable = slots.iter().position(|slot| matches!(slot, Slot::Open(..))).unwrap_or(slots.len());
            let marks = watermarks(log, topic, number);
            assert_eq!((marks.high, marks.stable), (slots.len() as i64, stable as i64));
            let expected = |isolation: Isolation| -> Vec<(i64, String)> {
                let end = if isolation == Isolation::ReadCommitted { stable } else { slots.len() };
                let value = |slot: &Slot| match (slot, isolation) {
                    (Slot::Plain(value), _) => Some(value.to_string()),
                    (Slot::Open(_, value) | Slot::Aborted(value), Isolation::ReadUncommitted) => {
                        Some(value.to_string())
                    }
                    _ => None,
                };
                (0..).zip(&slots[..end]).filter_map(|(offset, slot)| Some((offset, value(slot)?))).collect()
            };
            for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
                let seen = read_all(log, topic, number, isolation);
                let seen: Vec<(i64, String)> = seen
                    .iter()
                    .map(|one| one.offset)
                    .zip(texts(&seen).into_iter().map(str::to_owned))
                    .collect();
                assert_eq!(seen, expected(isolation), "partition {number}, {isolation:?}");
            }
        }
        let offsets = admin(log).group_offsets("group", PATIENCE).expect("offsets");
        assert_eq!(offsets.first().map(|(_, at)| at.offset), self.committed);
    }
}

fn check(steps: &[Step], folder: &std::path::Path) {
    let open = || -> Arc<dyn Log> {
        let settings =
            EmbeddedSettings { segment_bytes: 600, tail_bytes_max: 300, ..EmbeddedSettings::default() };
        EmbeddedLog::open(folder, settings).expect("the folder can be opened")
    };
    let mut log = open();
    let topic = topic(&log, "model", 2);
    let id = TopicPartition::new(&*topic, 0);
    let owners =
        |log: &Arc<dyn Log>| [Writer::transactional(log, "left"), Writer::transactional(log, "right")];
    let (mut plain, mut writers) = (Writer::plain(&log), owners(&log));
    let mut is_open = [false; 2];
    let mut model = Model::default();
    let mut next = 0;
    for step in steps {
        match *step {
            Step::Plain { partition, count } => {
                for value in next..next + count as u64 {
                    plain.send(&topic, partition as i32, "k", &value.to_string());
                    model.slots[partition].push(Slot::Plain(value));
                }
                next += count as u64;
                plain.flush();
            }
            Step::InTransaction { owner, partition, count } => {
                if !std::mem::replace(&mut is_open[owner], true) {
                    writers[owner].begin();
                }
                for value in next..next + count as u64 {
                    writers[owner].send(&topic, partition as i32, "k", &value.to_string());
                    model.slots[partition].push(Slot::Open(owner, value));
                }
                next += count as u64;
                writers[owner].flush();
            }
            Step::Offset { owner } if is_open[owner] => {
                let offset = next as i64;
                let sent =
                    writers[owner].0.send_offsets(&[(id.clone(), at(offset))], &outsider("group"), PATIENCE);
                sent.expect("nobody objects");
                model.pending[owner] = Some(offset);
            }
            Step::Commit { owner } if std::mem::take(&mut is_open[owner]) => {
                writers[owner].commit();
                model.end(owner, true);
            }
            Step::Abort { owner } if std::mem::take(&mut is_open[owner]) => {
                writers[owner].abort();
                model.end(owner, false);
            }
            Step::Reopen => {
                drop((plain, writers, log));
                log = open();
                (plain, writers) = (Writer::plain(&log), owners(&log));
                is_open = [false; 2];
                // The order in which two open transactions are ended at open is not promised, and does not show.
                model.end(0, false);
                model.end(1, false);
            }
            _ => {}
        }
    }
    model.check(&log, &topic);
    drop((plain, writers, log));
    model.end(0, false);
    model.end(1, false);
    model.check(&open(), &topic);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn log_equals_its_model(steps in steps()) {
        check(&steps, tempfile::tempdir().expect("a temporary folder").path());
    }
}
