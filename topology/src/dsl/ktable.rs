//! The table handle. Its operations stand one per file in `operation`.

use std::marker::PhantomData;
use std::sync::Arc;

use super::builder::StreamsBuilder;
use super::change::Change;
use super::options::{Materialized, SharedSerde};
use super::value_getter::ValueGetter;
use super::{Data, StoreKey};
use crate::error::TopologyError;
use crate::plan::{MakeNode, NodeId, NodeRole};
use crate::processor::ErrorPolicy;
use crate::record::Record;

/// A table: the latest value of each key, as a stream of changes. A `Copy` handle.
///
/// ```
/// use candlewick::{Consumed, KeyValueStore, Materialized, StreamsBuilder};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let prices = builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"));
/// prices.filter(|_, price| *price > 10).materialized(Materialized::named("high"));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic::<String, Option<i64>>("in", StringSerde, Nullable(I64Serde));
/// # for (key, price) in [("a", 5), ("b", 15), ("b", 25)] { input.pipe(key.to_string(), Some(price), Timestamp(0)).expect("processed"); }
/// // a is 5, b is 15 and then 25.
/// # driver.with_store("high", |high: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
/// assert_eq!(high.get(&"a".to_owned())?, None);
/// assert_eq!(high.get(&"b".to_owned())?.map(|entry| entry.value), Some(25));
/// # Ok(())
/// # }).expect("in memory");
/// ```
pub struct KTable<'b, K, V> {
    pub(crate) builder: &'b StreamsBuilder,
    /// The node that sends the changes.
    pub(crate) node: NodeId,
    /// Where the builder keeps what is known of this table beside its types.
    pub(crate) info: Option<usize>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for KTable<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for KTable<'_, K, V> {}

impl<'b, K: Data, V: Data> KTable<'b, K, V> {
    pub(crate) fn new(builder: &'b StreamsBuilder, node: NodeId) -> Self {
        Self { builder, node, info: None, types: PhantomData }
    }

    /// Names the node that made this table, in place of its generated name, and with it what Kafka Streams calls after it:
    /// the sides of a join, the parts of a cogroup, the way to a grouped table's aggregation, and the repartition topic of
    /// [`KStream::to_table`](crate::KStream::to_table).
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let prices = builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"));
    /// prices.filter(|_, price| *price > 10).named("only-high");
    /// assert!(builder.build().expect("valid").describe().contains("Processor: only-high"));
    /// ```
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        self.builder.graph.borrow_mut().rename(self.node, &name.into());
        self
    }

    /// What to do about errors of the node that made this table, whatever the application's handler says.
    ///
    /// ```
    /// use candlewick::{DropReason, ErrorPolicy, TableContext};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let texts = builder.table("in", Consumed::<String, Option<String>>::default(), Materialized::<String, String>::named("texts"));
    /// let numbers = texts
    ///     .transform_values(&[], |_| {
    ///         |_: &String, text: Option<String>, _: &mut TableContext<'_>| {
    ///             Ok(text.map(|text| text.parse::<i64>()).transpose()?)
    ///         }
    ///     })
    ///     .on_error(ErrorPolicy::skip());
    /// # let _ = numbers;
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, StringSerde);
    /// # for text in ["7", "seven"] { input.pipe("k".to_owned(), text.to_owned(), Timestamp(0)).expect("processed"); }
    /// // Of "7" and "seven":
    /// assert_eq!(driver.dropped(DropReason::Process), 1);
    /// ```
    #[must_use]
    pub fn on_error(self, policy: ErrorPolicy) -> Self {
        self.builder.graph.borrow_mut().node_mut(self.node).policy = Some(policy);
        self
    }

    /// Adds a table node below this one.
    pub(crate) fn then<K2: Data, V2: Data>(
        self,
        name: Arc<str>,
        stores: Vec<Arc<str>>,
        make: MakeNode,
    ) -> KTable<'b, K2, V2> {
        let role = NodeRole::Processor { make };
        let node = self.builder.add_node::<Record<K, Change<V>>, Record<K2, Change<V2>>>(
            name,
            vec![self.node],
            role,
            stores,
        );
        KTable::new(self.builder, node)
    }
}

/// The store a table is kept in when `materialized` gives it one.
pub(crate) struct KeptIn<V> {
    pub(crate) store: Arc<str>,
    pub(crate) value: SharedSerde<V>,
}

/// Makes a table's node anew, over a store of its own.
pub(crate) type KeepIn<V> = Arc<dyn Fn(KeptIn<V>) -> MakeNode>;

/// What the builder knows of a table beside its types.
pub(crate) struct TableInfo<K, V> {
    /// How other nodes read its values, where they can.
    pub(crate) getter: Option<ValueGetter<K, V>>,
    /// How its keys and values are written, where that is known.
    pub(crate) key: Option<SharedSerde<K>>,
    pub(crate) value: Option<SharedSerde<V>>,
    /// How it is given a store, if it has none.
    pub(crate) keep: Option<KeepIn<V>>,
}

impl<K, V> Clone for TableInfo<K, V> {
    fn clone(&self) -> Self {
        let (getter, keep) = (self.getter.clone(), self.keep.clone());
        Self { getter, key: self.key.clone(), value: self.value.clone(), keep }
    }
}

impl<K, V> Default for TableInfo<K, V> {
    fn default() -> Self {
        Self { getter: None, key: None, value: None, keep: None }
    }
}

impl<'b, K: Data, V: Data> KTable<'b, K, V> {
    pub(crate) fn with_info(mut self, info: TableInfo<K, V>) -> Self {
        let mut tables = self.builder.tables.borrow_mut();
        self.info = Some(tables.len());
        tables.push(Box::new(info));
        drop(tables);
        self
    }

    pub(crate) fn info(&self) -> TableInfo<K, V> {
        let tables = self.builder.tables.borrow();
        let Some(index) = self.info else { return TableInfo::default() };
        let info = tables[index].downcast_ref::<TableInfo<K, V>>();
        info.expect("the handle's types are those its information was stored with").clone()
    }
}

impl<K: StoreKey, V: Data> KTable<'_, K, V> {
    /// Keeps this table in a store of its own, which can be queried and from which joins and old values are read. For
    /// tables made by [`filter`](Self::filter) and [`map_values`](Self::map_values), which else compute their values
    /// from the table above.
    ///
    /// ```
    /// use candlewick::{Consumed, KeyValueStore, Materialized, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"))
    ///     .map_values(|price| price * 100)
    ///     .materialized(Materialized::named("cents"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.input_topic("in", StringSerde, Nullable(I64Serde)).pipe("k".to_owned(), Some(7), Timestamp(0)).expect("processed");
    /// # driver.with_store("cents", |cents: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// assert_eq!(cents.get(&"k".to_owned())?.map(|entry| entry.value), Some(700));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub fn materialized(self, materialized: Materialized<K, V>) -> Self {
        let store = materialized.store_name(self.builder, "KTABLE-");
        let name = Arc::clone(&self.builder.graph.borrow_mut().node_mut(self.node).name);
        materialized.require_name(self.builder, &name, &store);
        let Some(keep) = self.info().keep else {
            let error = TopologyError::AlreadyMaterialized { node: name.to_string() };
            self.builder.graph.borrow_mut().errors.push(error);
            return self;
        };
        self.builder.add_store(materialized.key_value_store(&store));
        let value = Arc::clone(&materialized.value);
        let make = keep(KeptIn { store: Arc::clone(&store), value });
        let mut graph = self.builder.graph.borrow_mut();
        let node = graph.node_mut(self.node);
        node.role = NodeRole::Processor { make };
        // In front of those the node was connected to.
        node.stores.insert(0, Arc::clone(&store));
        node.old_from_parent = false;
        drop(graph);
        self.with_info(TableInfo {
            getter: Some(ValueGetter::of_store(store)),
            key: Some(materialized.key),
            value: Some(materialized.value),
            keep: None,
        })
    }
}
