//! A table that every task has whole.

use std::marker::PhantomData;
use std::sync::Arc;

use super::options::{Consumed, Materialized, SharedSerde};
use super::{Data, StoreKey, StreamsBuilder};
use crate::plan::{GlobalDecl, TopicRef};

/// A table whose topic every instance reads to its end, all partitions of it, before any task runs, and goes on reading
/// beside them: a record looks up any key, not only one of its own partition. What is read is as new as the last poll;
/// there is no order between it and the streams. Made by [`StreamsBuilder::global_table`].
///
/// ```
/// use candlewick::{Consumed, Joined, Materialized, Produced, StreamsBuilder};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let names = builder.global_table("names", Consumed::<i64, Option<String>>::default(), Materialized::named("names"));
/// builder
///     .stream("in", Consumed::<String, i64>::default())
///     .join_global(names, |_, id| Some(*id), |_, _, name| name.clone(), Joined::default())
///     .to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # driver.input_topic("names", I64Serde, Nullable(StringSerde)).pipe(7, Some("Ada".to_owned()), Timestamp(0)).expect("processed");
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [7, 8] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde).read_all();
/// # let named: Vec<&str> = out.iter().map(|(_, name, _)| name.as_str()).collect();
/// // There is a name of 7 and none of 8:
/// assert_eq!(named, ["Ada"]);
/// ```
pub struct GlobalKTable<'b, K, V> {
    pub(crate) builder: &'b StreamsBuilder,
    /// Its place among the topology's global tables.
    pub(crate) index: usize,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for GlobalKTable<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for GlobalKTable<'_, K, V> {}

/// How a global table is read.
pub(crate) struct GlobalInfo<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) topic: Arc<str>,
    pub(crate) store: Arc<str>,
}

impl<K, V> Clone for GlobalInfo<K, V> {
    fn clone(&self) -> Self {
        Self {
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            topic: Arc::clone(&self.topic),
            store: Arc::clone(&self.store),
        }
    }
}

pub(super) fn global_table<'b, K: StoreKey, V: Data>(
    builder: &'b StreamsBuilder,
    topic: &str,
    consumed: Consumed<K, Option<V>>,
    materialized: Materialized<K, V>,
) -> GlobalKTable<'b, K, V> {
    let store = materialized.store_name(builder, &format!("{topic}-"));
    let (source, processor) = builder.kept_names(consumed.name.as_ref());
    materialized.require_name(builder, &processor, &store);
    // The topic is its own changelog.
    let decl = materialized.key_value_store(&store).without_changelog().without_cache();
    let topic: Arc<str> = topic.into();
    let info =
        GlobalInfo { key: materialized.key, value: materialized.value, topic: Arc::clone(&topic), store };
    let mut graph = builder.graph.borrow_mut();
    let (index, before) = (graph.globals.len(), graph.nodes.len());
    let topic = TopicRef::External(topic);
    graph.globals.push(GlobalDecl { source, processor, topic, store: decl.into(), before, fill: None });
    drop(graph);
    builder.globals.borrow_mut().push(Box::new(info));
    GlobalKTable { builder, index, types: PhantomData }
}

impl<K: StoreKey, V: Data> GlobalKTable<'_, K, V> {
    pub(crate) fn info(&self) -> GlobalInfo<K, V> {
        let globals = self.builder.globals.borrow();
        let info = globals[self.index].downcast_ref::<GlobalInfo<K, V>>();
        info.expect("the handle's types are those its information was stored with").clone()
    }
}
