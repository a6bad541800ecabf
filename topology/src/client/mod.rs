//! The log, as the runtime sees it: synchronous, batch-wise traits of bytes. Owns the traits, their errors and the
//! engines behind them; the only room that may name a Kafka library. Must not know tasks, stores, processors or serdes,
//! and the traits must not show which engine stands behind them.
//!
//! ```
//! use std::time::Duration;
//! use candlewick::client::{
//!     ConsumerSettings, EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
//! };
//! use candlewick::{Headers, Partition, Timestamp, TopicPartition};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
//!
//! // Topics are made, described and deleted by an administrator.
//! let mut admin = log.admin()?;
//! let topic = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
//! admin.create(&[topic], timeout)?;
//! let described = admin.describe(&["trades", "quotes"], timeout)?;
//! assert_eq!((described[0].as_ref().map(|topic| topic.partitions), &described[1]), (Some(1), &None));
//!
//! // What is sent waits in the producer until it is flushed.
//! let mut producer = log.producer(&ProducerSettings::default())?;
//! let (topic, headers) = (producer.topic("trades")?, Headers::default());
//! for (time, price) in [(10, b"100"), (20, b"120")] {
//!     producer.send(OutgoingRecord {
//!         topic,
//!         partition: Partition(0),
//!         key: Some(b"BTC"),
//!         value: Some(price),
//!         headers: &headers,
//!         timestamp: Timestamp(time),
//!     })?;
//! }
//! producer.flush(timeout)?;
//! assert_eq!(producer.acknowledged(topic, Partition(0)), Some(2));
//!
//! // A consumer reads the partitions it is told to, from where it is told to.
//! let partition = TopicPartition::new("trades", 0);
//! let mut consumer = log.consumer_with(&ConsumerSettings::new("readers", Isolation::ReadCommitted))?;
//! consumer.assign(&[(partition.clone(), StartAt::Beginning)])?;
//! let mut batch = PolledBatch::default();
//! consumer.poll(100, timeout, &mut batch)?;
//! assert_eq!(batch.runs[0].len(), 2);
//! assert_eq!(consumer.position(&partition), Some(2));
//!
//! // And back to a time.
//! let offset = admin.offset_for_time(&partition, Timestamp(15), timeout)?.expect("there is a record at 20");
//! consumer.seek(&partition, StartAt::Offset(offset))?;
//! consumer.poll(100, timeout, &mut batch)?;
//! assert_eq!(batch.runs[0].get(0).and_then(|record| record.value), Some(&b"120"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! Under exactly-once, records and the offsets they follow from are committed together or not at all:
//!
//! ```
//! use std::time::Duration;
//! use candlewick::client::{ConsumerSettings, EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord};
//! use candlewick::client::{PolledBatch, ProducerSettings, StartAt};
//! # use candlewick::{Headers, Partition, Timestamp, TopicPartition};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
//! # let topic = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
//! # log.admin()?.create(&[topic], timeout)?;
//! let settings = ProducerSettings { transactional_id: Some("writer-0".into()), ..ProducerSettings::default() };
//! let mut producer = log.producer(&settings)?;
//! producer.init_transactions(timeout)?;
//! # let (topic, headers) = (producer.topic("trades")?, Headers::default());
//! # let record = OutgoingRecord { topic, partition: Partition(0), key: None, value: Some(b"1"), headers: &headers, timestamp: Timestamp(1) };
//! producer.begin_transaction()?;
//! producer.send(record)?;
//! producer.abort_transaction(timeout)?;
//! producer.begin_transaction()?;
//! producer.send(record)?;
//! producer.commit_transaction(timeout)?;
//!
//! let mut consumer = log.consumer("readers", Isolation::ReadCommitted)?;
//! consumer.assign(&[(TopicPartition::new("trades", 0), StartAt::Beginning)])?;
//! let (mut batch, mut read) = (PolledBatch::default(), 0);
//! # for _ in 0..3 {
//! consumer.poll(100, timeout, &mut batch)?;
//! read += batch.runs.iter().map(|run| run.len()).sum::<usize>();
//! # }
//! assert_eq!(read, 1);
//! # Ok(())
//! # }
//! ```
//!
//! A member of a group is told which partitions are its own, and commits in its own name:
//!
//! ```
//! use std::time::Duration;
//! use candlewick::client::{CommittedOffset, EmbeddedLog, GroupEvent, Isolation, Log, NewTopic};
//! use candlewick::{Partition, TopicPartition};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
//! # let topic = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
//! # log.admin()?.create(&[topic], timeout)?;
//! let mut group = log.group("readers", "trades", Duration::from_secs(10))?;
//! assert_eq!(group.poll(timeout)?, [GroupEvent::Assigned(vec![Partition(0)])]);
//!
//! let mut consumer = log.consumer("readers", Isolation::ReadCommitted)?;
//! let partition = TopicPartition::new("trades", 0);
//! let next = CommittedOffset { offset: 0, metadata: String::new() };
//! consumer.commit(&[(partition.clone(), next.clone())], &group.metadata()?)?;
//! assert_eq!(log.admin()?.group_offsets("readers", timeout)?, [(partition, next)]);
//! group.leave(timeout)?;
//! # Ok(())
//! # }
//! ```

mod embedded;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "sim")]
mod sim;
mod traits;

pub use embedded::{EmbeddedLog, EmbeddedSettings};
pub use error::{ClientError, ProducerError};
#[cfg(feature = "sim")]
pub use sim::{Call, Fate, Scheduler, Seen, SimLog};
pub use traits::{
    Admin, CommittedOffset, Consumer, ConsumerSettings, Group, GroupEvent, GroupMetadata, Isolation, Log,
    NewTopic, OutgoingRecord, PolledBatch, Producer, ProducerSettings, StartAt, TopicDescription,
    TopicHandle, Watermarks,
};
