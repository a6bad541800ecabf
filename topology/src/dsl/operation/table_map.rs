//! `filter`, `filter_not` and `map_values` of tables: a value for a value, or none. They need no store of their own:
//! old values and look-ups are computed from the table above, unless `materialized` gives them one.

use std::sync::Arc;

use super::kept::Kept;
use crate::dsl::ktable::{KeptIn, TableInfo};
use crate::dsl::options::SharedSerde;
use crate::dsl::{Change, Data, KTable, StoreKey};
use crate::error::ProcessError;
use crate::plan::{MakeNode, Wiring};
use crate::processor::{Context, Node, Processor, Typed};
use crate::record::Record;

impl<'b, K: StoreKey, V: Data> KTable<'b, K, V> {
    /// Keeps the rows for which `predicate` holds. A change to a row that no longer matches is forwarded as a deletion;
    /// one between two values that do not match is not mentioned.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let prices = builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"));
    /// let high = prices.filter(|_, price| *price > 100).materialized(Materialized::named("high-prices"));
    /// # let _ = high;
    /// # builder.build().expect("valid");
    /// ```
    pub fn filter(self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let value = self.info().value;
        let step = move |key: &K, value: V| predicate(key, &value).then_some(value);
        // A table of versions also tells of rows that did not match at their time, as Kafka Streams does.
        let quiet = !self.info().getter.is_some_and(|getter| getter.versioned);
        let table = table_map(self, "KTABLE-FILTER-", step, quiet);
        // What was there before tells whether there is anything to delete.
        table.builder.graph.borrow_mut().enable_old_values(table.node);
        let info = TableInfo { value, ..table.info() };
        table.with_info(info)
    }

    /// Keeps the rows for which `predicate` does not hold.
    ///
    /// ```
    /// use candlewick::{Consumed, I64Serde, Materialized, Nullable, Produced, StreamsBuilder, StringSerde};
    /// # use candlewick::{Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
    ///     .filter_not(|_, number| number % 2 == 0)
    ///     .to_stream()
    ///     .to("out", Produced::with(StringSerde, Nullable(I64Serde)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic::<String, Option<i64>>("in", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(1), 0), ("k", Some(2), 1), ("k", None, 2)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, Option<i64>>("out", StringSerde, Nullable(I64Serde));
    /// # let values: Vec<Option<i64>> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // 1, then 2, then a deletion: what does not pass is deleted, once.
    /// assert_eq!(values, [Some(1), None]);
    /// ```
    pub fn filter_not(self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// Makes a new value of each value. A deletion stays one.
    ///
    /// ```
    /// use candlewick::{Consumed, I64Serde, Materialized, Nullable, Produced, StreamsBuilder, StringSerde};
    /// # use candlewick::{Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
    ///     .map_values(|number| number * 10)
    ///     .to_stream()
    ///     .to("out", Produced::with(StringSerde, Nullable(I64Serde)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic::<String, Option<i64>>("in", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(1), 0), ("k", Some(2), 1), ("k", None, 2)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, Option<i64>>("out", StringSerde, Nullable(I64Serde));
    /// # let values: Vec<Option<i64>> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // 1, then 2, then a deletion:
    /// assert_eq!(values, [Some(10), Some(20), None]);
    /// ```
    pub fn map_values<W: Data>(self, mapper: impl Fn(V) -> W + Send + Sync + 'static) -> KTable<'b, K, W> {
        self.map_values_with_key(move |_, value| mapper(value))
    }

    /// As [`map_values`](Self::map_values), for a mapper that looks at the key too.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
    ///     .map_values_with_key(|key, number| number * key.len() as i64)
    ///     .to_stream()
    ///     .map_values(|number| number.unwrap_or(0))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (key, value, time) in [("a", 5, 0), ("abc", 5, 1)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // a is 5, and so is abc:
    /// assert_eq!(values, [5, 15]);
    /// ```
    pub fn map_values_with_key<W: Data>(
        self,
        mapper: impl Fn(&K, V) -> W + Send + Sync + 'static,
    ) -> KTable<'b, K, W> {
        table_map(self, "KTABLE-MAPVALUES-", move |key: &K, value: V| Some(mapper(key, value)), false)
    }
}

/// `quiet`: a change from nothing to nothing is not mentioned.
fn table_map<'b, K: StoreKey, V: Data, W: Data>(
    table: KTable<'b, K, V>,
    prefix: &str,
    step: impl Fn(&K, V) -> Option<W> + Send + Sync + 'static,
    quiet: bool,
) -> KTable<'b, K, W> {
    let step = Arc::new(step);
    let (info, for_getter, for_store) = (table.info(), Arc::clone(&step), Arc::clone(&step));
    let name = table.builder.next_name(prefix);
    let below: KTable<'b, K, W> = table.then(name, Vec::new(), make::<_, K, V, W>(step, None, quiet));
    below.builder.graph.borrow_mut().node_mut(below.node).old_from_parent = true;
    let getter = info.getter.map(|getter| getter.map(move |key: &K, value: V| for_getter(key, value)));
    below.with_info(TableInfo {
        getter,
        key: info.key,
        value: None,
        keep: Some(Arc::new(move |kept| make::<_, K, V, W>(Arc::clone(&for_store), Some(kept), quiet))),
    })
}

pub(super) fn make<F, K: StoreKey, V: Data, W: Data>(
    step: Arc<F>,
    kept: Option<KeptIn<W>>,
    quiet: bool,
) -> MakeNode
where
    F: Fn(&K, V) -> Option<W> + Send + Sync + 'static,
{
    Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
        Box::new(Typed::<_, K, Change<V>, K, Change<W>>::new(TableMap {
            step: Arc::clone(&step),
            kept: kept.as_ref().map(|kept| (Kept::new(wiring, &kept.store), Arc::clone(&kept.value))),
            send_old: wiring.node.send_old,
            quiet,
        }))
    })
}

struct TableMap<F, K: StoreKey, W: Data> {
    step: Arc<F>,
    /// The store of a table that was given one, and how its values are written.
    kept: Option<(Kept<K, W>, SharedSerde<W>)>,
    send_old: bool,
    quiet: bool,
}

impl<F, K, V, W> Processor<K, Change<V>, K, Change<W>> for TableMap<F, K, W>
where
    F: Fn(&K, V) -> Option<W> + Send + Sync + 'static,
    K: StoreKey,
    V: Data,
    W: Data,
{
    fn init(&mut self, cx: &mut Context<'_, K, Change<W>>) -> Result<(), ProcessError> {
        if let Some((kept, _)) = &self.kept {
            kept.init(cx);
        }
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<K, Change<V>>,
        cx: &mut Context<'_, K, Change<W>>,
    ) -> Result<(), ProcessError> {
        let Record { key, value: Change { old, new, is_latest }, timestamp, headers } = record;
        let new = new.and_then(|value| (self.step)(&key, value));
        let value = match &mut self.kept {
            None => {
                let old = old.filter(|_| self.send_old).and_then(|value| (self.step)(&key, value));
                Change { old, new, is_latest }
            }
            Some((kept, serde)) => {
                // What a store of one value a key holds is the latest.
                let new = new.filter(|value| !serde.is_null(value));
                let told = kept.replace(&key, new, timestamp, cx)?;
                let Some((change, _)) = told else { return Ok(()) };
                change
            }
        };
        if self.quiet && value.old.is_none() && value.new.is_none() {
            return Ok(());
        }
        cx.forward(Record { key, value, timestamp, headers })
    }

    fn flush(&mut self, cx: &mut Context<'_, K, Change<W>>) -> Result<(), ProcessError> {
        self.kept.as_mut().map_or(Ok(()), |(kept, _)| kept.flush(cx))
    }
}
