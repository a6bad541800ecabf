//! A stream grouped by key: where aggregations begin.

use std::sync::Arc;

use super::Data;
use super::kstream::KStream;
use super::options::{Grouped, SharedSerde};
use super::repartition::{Purpose, RepartitionSettings};
use super::sink::Partitioning;
use super::windowed_stream::{WindowKind, WindowedKStream};

/// A stream whose records are gathered by key. Made by [`KStream::group_by_key`] and [`KStream::group_by`].
///
/// ```
/// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let by_key = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
/// by_key
///     .aggregate(|| 0, |_, n, most: &mut i64| *most = (*most).max(*n), Materialized::named("most"))
///     .to_stream()
///     .map_values(|most| most.unwrap_or(0))
///     .to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [3, 1, 4] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 3, 1 and 4:
/// assert_eq!(values, [3, 3, 4]);
/// ```
pub struct KGroupedStream<'b, K, V> {
    pub(crate) stream: KStream<'b, K, V>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
}

impl<K, V> Clone for KGroupedStream<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            stream: self.stream,
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            name: self.name.clone(),
        }
    }
}

impl<'b, K: Data, V: Data> KGroupedStream<'b, K, V> {
    pub(crate) fn new(stream: KStream<'b, K, V>, grouped: Grouped<K, V>) -> Self {
        Self { stream, key: grouped.key, value: grouped.value, name: grouped.name }
    }

    /// Aggregates within windows instead of over all time: [`TimeWindows`](crate::TimeWindows),
    /// [`SlidingWindows`](crate::SlidingWindows) or [`SessionWindows`](crate::SessionWindows).
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, SessionWindows, StreamsBuilder};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10)))
    ///     .emit_on_window_close()
    ///     .count(Materialized::named("visits"))
    ///     .to_stream()
    ///     .map(|visit, count| (visit.key, count.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 5, 50] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of clicks at 1, 5 and 50: the first visit is over, the second one is not.
    /// assert_eq!(values, [2]);
    /// ```
    #[must_use]
    pub fn windowed_by<W: WindowKind>(self, windows: W) -> WindowedKStream<'b, K, V, W> {
        WindowedKStream { grouped: self, windows, on_close: false }
    }

    /// The stream by its key: repartitioned when the key may have changed. `store` names the topic where the user
    /// named no group, as in Kafka Streams.
    pub(crate) fn partitioned(&self, store: Option<&Arc<str>>, generated: &Arc<str>) -> KStream<'b, K, V> {
        if !self.stream.rekeyed {
            return self.stream;
        }
        self.stream.through(RepartitionSettings {
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            name: self.name.clone().or_else(|| store.cloned()),
            generated: Arc::clone(generated),
            partitions: None,
            partitioning: Partitioning::OfKey,
            drop_null_keys: true,
            purpose: Purpose::Operation,
        })
    }
}
