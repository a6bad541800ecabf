//! The records an application is fed: drawn from the seed, some of them twice.

use candlewick::{Partition, Timestamp, partition_for_key};

use super::topologies::{GRACE_MS, WINDOW_MS};
use super::{FACTS, Kind};
use crate::chance::Chance;

/// One record.
pub(crate) struct Input {
    pub(crate) topic: &'static str,
    pub(crate) partition: Partition,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) time: Timestamp,
}

/// Draws `count` records, whose times begin at `start`, and some that close all windows. The second number says how many
/// were sent twice.
pub(crate) fn inputs(
    chance: &mut Chance,
    kind: Kind,
    count: u64,
    partitions: i32,
    start: i64,
) -> (Vec<Input>, u64) {
    let keys = chance.between(3, 25);
    let sends_twice = chance.once_in(2);
    let (mut all, mut twice, mut time) = (Vec::new(), 0, start);
    if kind == Kind::Global {
        all.extend((0..keys).map(|n| {
            let key = format!("g{n}");
            let partition = partition_for_key(key.as_bytes(), partitions);
            Input { topic: FACTS, partition, key, value: format!("fact {n}"), time: Timestamp(start) }
        }));
    }
    for id in 1..=count {
        time += i64::try_from(chance.below(9)).expect("small");
        let late = i64::try_from(chance.below(GRACE_MS - 1)).expect("small");
        let topics = if kind == Kind::Global { &["in"] } else { kind.sources() };
        let topic = topics[chance.place(topics.len())];
        // The right side of a foreign key is keyed by what the left side's values name.
        let letter = if kind == Kind::Foreign && topic == "right" { 'g' } else { 'k' };
        let key = format!("{letter}{}", chance.below(keys));
        let value = format!("g{} #{id}", chance.below(keys));
        let partition = partition_for_key(key.as_bytes(), partitions);
        let repeat = sends_twice && chance.once_in(20);
        twice += u64::from(repeat);
        for _ in 0..=u64::from(repeat) {
            let (key, value) = (key.clone(), value.clone());
            all.push(Input { topic, partition, key, value, time: Timestamp((time - late).max(0)) });
        }
    }
    if kind == Kind::Foreign {
        // A left row that comes to a foreign key without a right row, and changes again before that is known, keeps the
        // result of before, here as with Kafka Streams 4.3: so every key gets its row in the end.
        for (key, id) in (0..keys).map(|n| format!("g{n}")).zip(count + 1..) {
            let partition = partition_for_key(key.as_bytes(), partitions);
            all.push(Input {
                topic: "right",
                partition,
                key,
                value: format!("g0 #{id}"),
                time: Timestamp(time),
            });
        }
    }
    if kind == Kind::Windows {
        let time = Timestamp(time + 20 * WINDOW_MS);
        for (partition, id) in (0..partitions).zip(count + 1..) {
            let key = (0..).map(|n| format!("end{n}"));
            let key =
                key.into_iter().find(|key| partition_for_key(key.as_bytes(), partitions).0 == partition);
            let key = key.expect("keys are many");
            let value = format!("g0 #{id}");
            all.push(Input { topic: "in", partition: Partition(partition), key, value, time });
        }
    }
    (all, twice)
}
