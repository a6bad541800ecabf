//! A stream grouped by key: where aggregations begin.

use std::sync::Arc;

use super::Data;
use super::kstream::KStream;
use super::options::{Grouped, SharedSerde};
use super::repartition::RepartitionSettings;
use super::sink::Partitioning;
use super::windowed_stream::{WindowKind, WindowedKStream};

/// A stream whose records are gathered by key. Made by [`KStream::group_by_key`] and [`KStream::group_by`].
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
            explicit: false,
        })
    }
}
