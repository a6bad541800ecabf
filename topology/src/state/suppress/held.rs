//! What a suppression holds and lets go, and how its changes are written. Must not know in which order, nor when.

use crate::record::{Headers, RecordMetadata};
use crate::serde::SerdeError;
use crate::state::rows::RowBytes;
use crate::time::Timestamp;

/// A record in the buffer: a change and where the record that made it came from.
///
/// ```
/// # use {candlewick::*, std::time::Duration};
/// # let builder = StreamsBuilder::new();
/// # let numbers = Consumed::<String, Option<i64>>::default();
/// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
/// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for (n, key) in (1..).zip(["b", "a", "b"]) {
/// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
/// # }
/// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
/// // Of b at 1, a at 2 and b again at 3:
/// let mut out = Vec::new();
/// buffer.evict_while(|_| true, &mut out)?;
/// let Buffered { change, timestamp, metadata, .. } = &out[0].record;
/// assert_eq!((change.new, *timestamp, metadata.offset), (Some(3), Timestamp(3), 2));
/// # Ok(())
/// # }).expect("in memory");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Buffered<C> {
    /// The change.
    pub change: C,
    /// The record's time.
    pub timestamp: Timestamp,
    /// The record's headers.
    pub headers: Headers,
    /// The source record in process when the change was made.
    pub metadata: RecordMetadata,
}

/// What is let go.
///
/// ```
/// use candlewick::Evicted;
/// let keys = |out: &[Evicted<String, i64>]| out.iter().map(|evicted| evicted.key.clone()).collect::<Vec<_>>();
/// assert!(keys(&[]).is_empty());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Evicted<K, C> {
    /// The key.
    pub key: K,
    /// Its last change.
    pub record: Buffered<C>,
    pub(super) prior: Option<RowBytes>,
}

impl<K, C> Evicted<K, C> {
    /// The bytes of the old value of its first change: what those below still believe.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// // Of b at 1, a at 2 and b again at 3:
    /// let mut out = Vec::new();
    /// buffer.evict_while(|_| true, &mut out)?;
    /// // Those below know of no value of either.
    /// assert!(out.iter().all(|evicted| evicted.prior().is_none()));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub fn prior(&self) -> Option<&[u8]> {
        self.prior.as_deref()
    }
}

/// Splits a change into its old and its new value and puts it together again.
///
/// ```
/// use candlewick::{ChangeSerde, I64Serde, Serde, SerdeError};
///
/// /// The old number and the new one.
/// struct Pair;
///
/// impl ChangeSerde<(i64, i64)> for Pair {
///     fn serialize_old(&self, topic: &str, change: &(i64, i64), out: &mut Vec<u8>) -> Result<bool, SerdeError> {
///         I64Serde.serialize(topic, &change.0, out).map(|()| true)
///     }
///
///     fn serialize_new(&self, topic: &str, change: &(i64, i64), out: &mut Vec<u8>) -> Result<bool, SerdeError> {
///         I64Serde.serialize(topic, &change.1, out).map(|()| true)
///     }
///
///     fn deserialize(&self, topic: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<(i64, i64), SerdeError> {
///         let read = |bytes: Option<&[u8]>| I64Serde.deserialize(topic, bytes.unwrap_or(&[]));
///         Ok((read(old)?, read(new)?))
///     }
/// }
///
/// let mut old = Vec::new();
/// assert!(Pair.serialize_old("topic", &(7, 8), &mut old)?);
/// assert_eq!(Pair.deserialize("topic", Some(&old), Some(&old))?, (7, 7));
/// # Ok::<(), SerdeError>(())
/// ```
pub trait ChangeSerde<C>: Send + Sync + 'static {
    /// Appends the bytes of the old value to `out`; `false` when there is none.
    ///
    /// # Errors
    /// When the value has no representation.
    fn serialize_old(&self, topic: &str, change: &C, out: &mut Vec<u8>) -> Result<bool, SerdeError>;

    /// Appends the bytes of the new value to `out`; `false` when there is none.
    ///
    /// # Errors
    /// When the value has no representation.
    fn serialize_new(&self, topic: &str, change: &C, out: &mut Vec<u8>) -> Result<bool, SerdeError>;

    /// Reads a change.
    ///
    /// # Errors
    /// When the bytes are not values.
    fn deserialize(&self, topic: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<C, SerdeError>;
}

/// How full a buffer is.
///
/// ```
/// use candlewick::{BufferStats, Timestamp};
/// let is_full = |stats: &BufferStats| stats.len > 1_000 || stats.byte_len > 1 << 20;
/// assert!(!is_full(&BufferStats { min_time: Timestamp(0), len: 1, byte_len: 40 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferStats {
    /// The lowest buffer time; the greatest timestamp there is when the buffer is empty.
    pub min_time: Timestamp,
    /// Records.
    pub len: usize,
    /// Bytes, counted as Kafka counts them.
    pub byte_len: usize,
}
