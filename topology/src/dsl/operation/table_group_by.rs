//! `group_by` of tables: each change takes the old row out of its group and puts the new one into its own.

use std::sync::Arc;

use crate::dsl::{Change, Data, Grouped, KGroupedTable, KStream, KTable};
use crate::error::ProcessError;
use crate::plan::{NodeRole, Wiring};
use crate::processor::{Context, MapNode, Node};
use crate::record::Record;

impl<'b, K: Data, V: Data> KTable<'b, K, V> {
    /// Groups the rows by a new key and value. Where the old and the new row fall into one group, one change carries
    /// both; else the old one is taken out first. Rows with a null group key or value are left out.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder, StringSerde};
    /// # use candlewick::{I64Serde, Nullable, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// type Place = Option<String>;
    /// builder
    ///     .table("in", Consumed::<String, Place>::default(), Materialized::named("homes"))
    ///     .group_by(|person, home| (home.clone(), person.clone()), Grouped::with(StringSerde, StringSerde).named("by-home"))
    ///     .count(Materialized::named("inhabitants"))
    ///     .to_stream()
    ///     .map_values(|count| count.unwrap_or(0))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic::<String, Option<String>>("in", StringSerde, Nullable(StringSerde));
    /// # for (key, value, time) in [("ada", Some("Rome"), 0), ("grace", Some("Rome"), 1), ("ada", Some("Oslo"), 2)] { input.pipe(key.to_string(), value.map(str::to_string), Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let pairs: Vec<(String, i64)> = out.read_all().into_iter().map(|(key, value, _)| (key, value)).collect();
    /// # let pairs: Vec<(&str, i64)> = pairs.iter().map(|(key, count)| (key.as_str(), *count)).collect();
    /// // Ada and Grace come to Rome, then Ada moves to Oslo.
    /// assert_eq!(pairs, [("Rome", 1), ("Rome", 2), ("Rome", 1), ("Oslo", 1)]);
    /// ```
    pub fn group_by<K2: Data + PartialEq, V2: Data>(
        self,
        selector: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
        grouped: Grouped<K2, V2>,
    ) -> KGroupedTable<'b, K2, V2> {
        let selector = Arc::new(selector);
        let (key_serde, value_serde) = (Arc::clone(&grouped.key), Arc::clone(&grouped.value));
        let make = Box::new(move |_: &Wiring<'_>| -> Box<dyn Node> {
            let (selector, keys, values) =
                (Arc::clone(&selector), Arc::clone(&key_serde), Arc::clone(&value_serde));
            let run = move |record: Record<K, Change<V>>, cx: &mut Context<'_, K2, Change<V2>>| {
                let Record { key, value: change, timestamp, headers } = record;
                // A group holds the latest rows alone.
                if !change.is_latest {
                    return Ok(());
                }
                let regroup = |value: Option<V>| {
                    let (key, value) = selector(&key, &value?);
                    (!keys.is_null(&key) && !values.is_null(&value)).then_some((key, value))
                };
                let (old, new) = (regroup(change.old), regroup(change.new));
                let mut send = |key, old, new| {
                    cx.forward(Record {
                        key,
                        value: Change::new(old, new),
                        timestamp,
                        headers: headers.clone(),
                    })
                };
                match (old, new) {
                    (Some((old_key, old)), Some((new_key, new))) if old_key == new_key => {
                        send(new_key, Some(old), Some(new))
                    }
                    (old, new) => {
                        if let Some((key, old)) = old {
                            send(key, Some(old), None)?;
                        }
                        new.map_or(Ok::<(), ProcessError>(()), |(key, new)| send(key, None, Some(new)))
                    }
                }
            };
            Box::new(MapNode::new(run))
        });
        let name = self.builder.name_or(grouped.name.as_ref(), "KTABLE-SELECT-");
        let node = self.builder.add_node::<Record<K, Change<V>>, Record<K2, Change<V2>>>(
            name,
            vec![self.node],
            NodeRole::Processor { make },
            Vec::new(),
        );
        self.builder.graph.borrow_mut().enable_old_values(self.node);
        let changes = KStream::new(self.builder, node, true);
        KGroupedTable { changes, key: grouped.key, value: grouped.value, name: grouped.name }
    }
}
