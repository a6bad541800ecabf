//! Handlers of bytes that cannot be decoded, and the dead letters they can ask for.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::processor::{ErrorPolicy, ProcessResponse};
use crate::record::{RawRecord, TopicPartition};
use crate::serde::SerdeError;

/// Bytes that a source could not decode.
///
/// ```
/// use candlewick::{FailedBytes, Headers, RecordRun, SerdeError, Timestamp, TopicPartition};
/// fn told(failed: &FailedBytes<'_>) -> String {
///     format!("{} at {}: {}", failed.source, failed.record.offset, failed.error)
/// }
/// # let source = TopicPartition::new("trades", 3);
/// # let mut run = RecordRun::new(source.clone());
/// # run.push(7, Timestamp(1), None, Some(b"7"), Headers::default());
/// let error = SerdeError::Null { what: "key" };
/// let failed = FailedBytes { source: &source, record: run.get(0).expect("one record"), error: &error, failures: 0 };
/// assert!(told(&failed).ends_with(&format!("at 7: {error}")));
/// ```
#[derive(Debug)]
pub struct FailedBytes<'a> {
    /// Where they came from.
    pub source: &'a TopicPartition,
    /// The record as it lies in the log.
    pub record: RawRecord<'a>,
    /// What is wrong.
    pub error: &'a SerdeError,
    /// How often this record has failed and was tried again before.
    pub failures: u32,
}

/// Decides about records that cannot be decoded.
///
/// ```
/// use std::sync::Arc;
/// use candlewick::{DeserializationHandler, DriverOptions, DropReason, FailedBytes, ProcessResponse};
/// # use candlewick::*;
///
/// /// Leaves out empty values, and fails on any other.
/// struct SkipEmpty;
///
/// impl DeserializationHandler for SkipEmpty {
///     fn on_error(&self, failed: &FailedBytes<'_>) -> ProcessResponse {
///         match failed.record.value {
///             Some([]) => ProcessResponse::Continue,
///             Some(_) | None => ProcessResponse::Fail,
///         }
///     }
/// }
///
/// let options = DriverOptions { decode_handler: Arc::new(SkipEmpty), ..DriverOptions::default() };
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
/// # let driver = TopologyTestDriver::with_options(&builder.build().expect("valid"), &options).expect("started");
/// # let input = driver.input_topic("in", StringSerde, StringSerde);
/// // Into a topic of 64-bit numbers:
/// assert!(input.pipe("k".to_owned(), String::new(), Timestamp(0)).is_ok());
/// assert!(input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(1)).is_err());
/// assert_eq!(driver.dropped(DropReason::Decode), 1);
/// ```
pub trait DeserializationHandler: Send + Sync + 'static {
    /// Called on the thread that read the record.
    fn on_error(&self, failed: &FailedBytes<'_>) -> ProcessResponse;
}

/// Ends the task: the default.
///
/// ```
/// use candlewick::StringSerde;
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// // Into a topic of 64-bit numbers:
/// let input = driver.input_topic("in", StringSerde, StringSerde);
/// assert!(input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(1)).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FailOnDecodeError;

/// Leaves such records out, with a warning.
///
/// ```
/// use std::sync::Arc;
/// use candlewick::{DriverOptions, DropReason, SkipOnDecodeError};
/// # use candlewick::*;
/// let options = DriverOptions { decode_handler: Arc::new(SkipOnDecodeError), ..DriverOptions::default() };
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
/// # let driver = TopologyTestDriver::with_options(&builder.build().expect("valid"), &options).expect("started");
/// # let input = driver.input_topic("in", StringSerde, StringSerde);
/// // Into a topic of 64-bit numbers:
/// input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(1)).expect("skipped");
/// assert_eq!(driver.dropped(DropReason::Decode), 1);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SkipOnDecodeError;

/// Writes such records, byte for byte, to the dead letter topic.
///
/// ```
/// use std::sync::Arc;
/// use candlewick::{DeadLetterOnDecodeError, DriverOptions, StringSerde};
/// # use candlewick::*;
/// let options = DriverOptions {
///     decode_handler: Arc::new(DeadLetterOnDecodeError),
///     dead_letter_topic: Some("dead".to_owned()),
///     ..DriverOptions::default()
/// };
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
/// # let driver = TopologyTestDriver::with_options(&builder.build().expect("valid"), &options).expect("started");
/// # let input = driver.input_topic("in", StringSerde, StringSerde);
/// // Into a topic of 64-bit numbers:
/// input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(1)).expect("a dead letter");
/// let dead = driver.output_topic::<String, String>("dead", StringSerde, StringSerde);
/// assert_eq!(dead.read_value().as_deref(), Some("seven"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadLetterOnDecodeError;

impl DeserializationHandler for ErrorPolicy {
    fn on_error(&self, failed: &FailedBytes<'_>) -> ProcessResponse {
        let FailedBytes { source, record, error, failures } = failed;
        let answer = self.answer(*failures);
        if let Some(count) = worth_telling() {
            tracing::warn!(%source, offset = record.offset, %error, count, ?answer, "a record cannot be decoded");
        }
        answer
    }
}

impl DeserializationHandler for FailOnDecodeError {
    fn on_error(&self, _: &FailedBytes<'_>) -> ProcessResponse {
        ProcessResponse::Fail
    }
}

impl DeserializationHandler for SkipOnDecodeError {
    fn on_error(&self, failed: &FailedBytes<'_>) -> ProcessResponse {
        let FailedBytes { source, record, error, .. } = failed;
        if let Some(count) = worth_telling() {
            tracing::warn!(%source, offset = record.offset, %error, count, "record skipped: it cannot be decoded");
        }
        ProcessResponse::Continue
    }
}

impl DeserializationHandler for DeadLetterOnDecodeError {
    fn on_error(&self, failed: &FailedBytes<'_>) -> ProcessResponse {
        let FailedBytes { source, record, error, .. } = failed;
        if let Some(count) = worth_telling() {
            tracing::warn!(%source, offset = record.offset, %error, count, "dead letter: the record cannot be decoded");
        }
        ProcessResponse::DeadLetter
    }
}

/// Counts a record of this process that cannot be decoded; gives the count when it is to be told: the first ones, and then
/// ever fewer. A topic full of them would otherwise fill the log with one line each; metrics count all.
fn worth_telling() -> Option<u64> {
    static SO_FAR: AtomicU64 = AtomicU64::new(0);
    const ALL_UP_TO: u64 = 20;
    let count = SO_FAR.fetch_add(1, Ordering::Relaxed) + 1;
    (count <= ALL_UP_TO || count.is_power_of_two()).then_some(count)
}
