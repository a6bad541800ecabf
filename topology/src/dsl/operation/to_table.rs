//! `to_table`: a stream read as the changes of a table.

use std::sync::Arc;

use super::table_source::materialize;
use crate::dsl::repartition::{Purpose, RepartitionSettings};
use crate::dsl::sink::Partitioning;
use crate::dsl::{Data, KStream, KTable, Materialized, StoreKey};
use crate::plan::Follower;
use crate::serde::Nullable;

impl<'b, K: StoreKey, V: Data> KStream<'b, K, Option<V>> {
    /// Each record replaces its key's value; `None` deletes it. Repartitions first if the key may have changed.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder};
    /// # use candlewick::{I64Serde, KeyValueStore, Nullable, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, Option<i64>>::default())
    ///     .to_table(Materialized::named("latest"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic::<String, Option<i64>>("in", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(1), 0), ("k", Some(2), 1)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let latest = driver.with_store::<KeyValueStore<String, i64>, _>("latest", |store| {
    /// #     store.get(&"k".to_string()).expect("in memory").map(|entry| entry.value)
    /// # });
    /// // Of 1 and 2:
    /// assert_eq!(latest, Some(2));
    /// ```
    pub fn to_table(self, materialized: Materialized<K, V>) -> KTable<'b, K, V> {
        let name = self.builder.next_name("KSTREAM-TOTABLE-");
        let store = materialized.store_name(self.builder, "KSTREAM-TOTABLE-");
        let stream = if self.rekeyed {
            self.through(RepartitionSettings {
                key: Arc::clone(&materialized.key),
                value: Arc::new(Nullable(Arc::clone(&materialized.value))),
                name: None,
                generated: Arc::clone(&name),
                partitions: None,
                partitioning: Partitioning::OfKey,
                drop_null_keys: true,
                purpose: Purpose::Operation,
            })
        } else {
            self
        };
        let table = materialize(self.builder, stream.node, name, &store, materialized);
        if self.rekeyed {
            self.builder.graph.borrow_mut().call_after(table.node, Follower::Topic(stream.node));
        }
        table
    }
}
