//! The builder: the open end of a topology. `build` consumes it, so no stream outlives the graph it names.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use super::global_table::GlobalKTable;
use super::kstream::KStream;
use super::ktable::KTable;
use super::operation::process::ProcessorStores;
use super::options::{Consumed, Materialized};
use super::{Data, StoreKey};
use crate::error::{TopologyError, TopologyErrors};
use crate::plan::{
    BuildOptions, Graph, NodeDecl, NodeId, NodeRole, TopicPattern, TopicRef, Topology, TypeInfo,
};
use crate::processor::{Processor, ProcessorWrapper};
use crate::state::{KeyValueStore, StoreBuilder};

/// Declares a topology.
///
/// ```
/// use candlewick::{Consumed, Produced, StreamsBuilder, TopologyErrors};
/// # fn main() -> Result<(), TopologyErrors> {
/// let builder = StreamsBuilder::new();
/// builder
///     .stream("words", Consumed::<String, String>::default())
///     .filter(|_, word| !word.is_empty())
///     .map_values(|word| word.to_uppercase())
///     .to("shouts", Produced::default());
/// let topology = builder.build()?;
/// assert!(topology.describe().contains("KSTREAM-FILTER-0000000001"));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct StreamsBuilder {
    pub(crate) graph: RefCell<Graph>,
    /// What is known of each table (`TableInfo`); the type is known where the handle is.
    pub(crate) tables: RefCell<Vec<Box<dyn Any>>>,
    /// What is known of each global table (`GlobalInfo`).
    pub(crate) globals: RefCell<Vec<Box<dyn Any>>>,
    pub(crate) options: BuildOptions,
}

impl StreamsBuilder {
    /// An empty builder; every store and internal topic must be named.
    ///
    /// ```
    /// use candlewick::{StreamsBuilder, TopologyError};
    /// let errors = StreamsBuilder::new().build().expect_err("nothing was declared");
    /// assert!(matches!(errors.0[..], [TopologyError::Empty]));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty builder with other options.
    ///
    /// ```
    /// use candlewick::{BuildOptions, Consumed, Grouped, I64Serde, Materialized, StreamsBuilder, StringSerde};
    /// let builder = StreamsBuilder::with_options(BuildOptions { generated_names: true, ..BuildOptions::default() });
    /// let words = builder.stream("words", Consumed::<String, String>::default());
    /// words.group_by_key(Grouped::default()).count(Materialized::generated(StringSerde, I64Serde));
    /// let topology = builder.build().expect("it need not be named");
    /// assert!(topology.describe().contains("KSTREAM-AGGREGATE-STATE-STORE-"));
    /// ```
    #[must_use]
    pub fn with_options(options: BuildOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Reads one topic as a stream of records.
    ///
    /// ```
    /// use candlewick::{Consumed, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let words = builder.stream("words", Consumed::<String, String>::default().named("read-words"));
    /// # let _ = words;
    /// let topology = builder.build().expect("valid");
    /// assert!(topology.describe().contains("Source: read-words (topics: [words])"));
    /// ```
    pub fn stream<K: Data, V: Data>(&self, topic: &str, consumed: Consumed<K, V>) -> KStream<'_, K, V> {
        self.stream_of(&[topic], consumed)
    }

    /// Reads several topics as one stream. Their records come interleaved by time, as far as it is known.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// builder.stream_of(&["in", "more"], Consumed::<String, i64>::default()).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # driver.input_topic("more", StringSerde, I64Serde).pipe("k".to_string(), 2, Timestamp(2)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1 in one topic and 2 in the other:
    /// assert_eq!(values, [1, 2]);
    /// ```
    pub fn stream_of<K: Data, V: Data>(
        &self,
        topics: &[&str],
        consumed: Consumed<K, V>,
    ) -> KStream<'_, K, V> {
        let topics = topics.iter().map(|topic| TopicRef::External((*topic).into())).collect();
        let node = self.add_source(topics, consumed);
        KStream::new(self, node, false)
    }

    /// Reads every topic whose whole name matches a regular expression as one stream. The topics are those that the log
    /// has when an instance starts: unlike with Kafka Streams, one that is made later is read after the next start. Kafka's
    /// own topics and the application's internal ones never match.
    ///
    /// ```
    /// use candlewick::{Consumed, DriverOptions, Produced, StreamsBuilder, StringSerde, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder.stream_matching("trades-.*", Consumed::<String, String>::default()).to("all", Produced::default());
    /// let topology = builder.build().expect("valid");
    /// let options = DriverOptions { topics: vec!["trades-btc".into(), "quotes".into()], ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// let trades = driver.input_topic("trades-btc", StringSerde, StringSerde);
    /// trades.pipe("k".to_string(), "1".to_string(), 0.into()).expect("processed");
    /// assert_eq!(driver.output_topic::<String, String>("all", StringSerde, StringSerde).read_all().len(), 1);
    /// ```
    pub fn stream_matching<K: Data, V: Data>(
        &self,
        pattern: &str,
        consumed: Consumed<K, V>,
    ) -> KStream<'_, K, V> {
        let (topics, mistake) = match TopicPattern::new(pattern) {
            Ok(pattern) => (vec![TopicRef::Pattern(pattern)], None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        let node = self.add_source(topics, consumed);
        if let Some(reason) = mistake {
            let mut graph = self.graph.borrow_mut();
            let node = graph.node_mut(node).name.to_string();
            graph.errors.push(TopologyError::InvalidPattern { node, pattern: pattern.to_owned(), reason });
        }
        KStream::new(self, node, false)
    }

    /// Reads a topic as a table: each record replaces its key's value, a null value deletes it.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder};
    /// # use candlewick::{I64Serde, KeyValueStore, Nullable, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic::<String, Option<i64>>("in", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("a", Some(1), 0), ("b", Some(2), 1), ("a", None, 2)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let kept = driver.with_store::<KeyValueStore<String, i64>, _>("numbers", |store| {
    /// #     let mut kept = Vec::new();
    /// #     store.all(&mut kept).expect("in memory");
    /// #     kept.into_iter().map(|(key, entry)| (key, entry.value)).collect::<Vec<_>>()
    /// # });
    /// // a is 1, b is 2, and a is deleted.
    /// assert_eq!(kept, [("b".to_owned(), 2)]);
    /// ```
    pub fn table<K: StoreKey, V: Data>(
        &self,
        topic: &str,
        consumed: Consumed<K, Option<V>>,
        materialized: Materialized<K, V>,
    ) -> KTable<'_, K, V> {
        super::operation::table_source::table(self, topic, consumed, materialized)
    }

    /// Reads a topic as a table that every instance has whole; see [`GlobalKTable`].
    ///
    /// ```
    /// use candlewick::{Consumed, Joined, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// let rates = Consumed::<i64, Option<i64>>::default();
    /// let rates = builder.global_table("rates", rates, Materialized::named("rates"));
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .join_global(rates, |_, amount| Some(amount % 10), |_, amount, rate| amount * rate, Joined::default())
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.input_topic("rates", I64Serde, Nullable(I64Serde)).pipe(2, Some(100), Timestamp(0)).expect("processed");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [11, 12] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // There is a rate of 2 and none of 1:
    /// assert_eq!(values, [1_200]);
    /// ```
    pub fn global_table<K: StoreKey, V: Data>(
        &self,
        topic: &str,
        consumed: Consumed<K, Option<V>>,
        materialized: Materialized<K, V>,
    ) -> GlobalKTable<'_, K, V> {
        super::global_table::global_table(self, topic, consumed, materialized)
    }

    /// Has a processor fill a store from a topic, in every instance and from all partitions: a
    /// [global table](Self::global_table) whose rows need not be the topic's records. Kafka Streams' `addGlobalStore`.
    ///
    /// Any processor may read the store, by [`ProcessorStores::global`], and need not be connected to it; nobody but
    /// `supplier`'s processor may change it. The topic is read to its end before any task runs, and on from there. It is its
    /// changelog too: at every start all of it goes through the processor again, into an empty store in memory. The processor
    /// should therefore keep nothing but what is in the store, and its store should depend on the topic alone.
    ///
    /// Records that fail, and those that cannot be decoded, go to [`Consumed::on_error`] or the application's handlers, at the
    /// start too; they become no dead letters. Records with a null key are left out where the key's type admits no null. There
    /// is no task here: nothing is forwarded, and punctuators are refused.
    ///
    /// ```
    /// use candlewick::{
    ///     Consumed, Context, GlobalHandle, I64Serde, KeyValueStore, ProcessError, Processor, Produced, Record,
    ///     StoreHandle, Stores, StreamsBuilder, StringSerde,
    /// };
    /// # use candlewick::{Timestamp, TopologyTestDriver};
    ///
    /// /// Keeps the highest bid for each thing.
    /// struct Highest(StoreHandle<KeyValueStore<String, i64>>);
    ///
    /// impl Processor<String, i64, (), ()> for Highest {
    ///     fn process(&mut self, bid: Record<String, i64>, cx: &mut Context<'_, (), ()>) -> Result<(), ProcessError> {
    ///         let highest = cx.store(self.0);
    ///         if highest.get(&bid.key)?.is_none_or(|before| before.value < bid.value) {
    ///             highest.put(bid.key, bid.value, bid.timestamp)?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// /// Answers what is asked for with its highest bid.
    /// struct Answer(GlobalHandle<String, i64>);
    ///
    /// impl Processor<String, String, String, i64> for Answer {
    ///     fn process(&mut self, asked: Record<String, String>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         let highest = cx.global(&self.0).get(&asked.value)?.map_or(0, |bid| bid.value);
    ///         cx.forward(asked.with_value(highest))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let store = Stores::key_value::<String, i64>("highest", StringSerde, I64Serde);
    /// builder.global_store("bids", Consumed::default(), store, |stores| Highest(stores.get("highest")));
    /// builder
    ///     .stream("questions", Consumed::<String, String>::default())
    ///     .process::<String, i64, _>(&[], |stores| Answer(stores.global("highest")))
    ///     .to("answers", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let bids = driver.input_topic("bids", StringSerde, I64Serde);
    /// # for n in [3, 5, 4] { bids.pipe("lamp".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # driver.input_topic("questions", StringSerde, StringSerde).pipe("k".to_owned(), "lamp".to_owned(), Timestamp(9)).expect("processed");
    /// # let answers = driver.output_topic::<String, i64>("answers", StringSerde, I64Serde);
    /// // Of bids of 3, 5 and 4:
    /// assert_eq!(answers.read_value(), Some(5));
    /// ```
    pub fn global_store<K: Data, V: Data, SK: StoreKey, SV: Data, P: Processor<K, V, (), ()>>(
        &self,
        topic: &str,
        consumed: Consumed<K, V>,
        store: StoreBuilder<KeyValueStore<SK, SV>>,
        supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
    ) {
        super::global_store::global_store(self, topic, consumed, store, supplier);
    }

    /// Has a processor fill a store of each task from a topic that is its changelog: several applications can share the state
    /// that one of them has written (KIP-813). Kafka Streams' `Topology.addReadOnlyStateStore`.
    ///
    /// Other processors read the store as any other, by naming it where they are added. Each task has the rows of its own
    /// partition: `build`'s user must see to it that keys lie in the same partition there as in the topics of those who ask,
    /// and it is an error at the start when these do not have the same number of partitions.
    ///
    /// No changelog is made. What is restored is the topic itself, record by record and past the processor: keys and values
    /// must be in the store's own formats, and the processor must put just what it is given. Nobody else may write the store:
    /// it would be lost when the store is restored. The topic is read from its beginning, whatever `consumed` says.
    ///
    /// ```
    /// use candlewick::{
    ///     Consumed, Context, I64Serde, KeyValueStore, ProcessError, Processor, Produced, Record, StoreHandle, Stores,
    ///     StreamsBuilder, StringSerde,
    /// };
    /// # use candlewick::{Timestamp, TopologyTestDriver};
    ///
    /// /// Keeps every price as it comes.
    /// struct Keep(StoreHandle<KeyValueStore<String, i64>>);
    ///
    /// impl Processor<String, Option<i64>, (), ()> for Keep {
    ///     fn process(&mut self, price: Record<String, Option<i64>>, cx: &mut Context<'_, (), ()>) -> Result<(), ProcessError> {
    ///         let (prices, time) = (cx.store(self.0), price.timestamp);
    ///         match price.value {
    ///             Some(value) => prices.put(price.key, value, time)?,
    ///             None => {
    ///                 prices.delete(&price.key, time)?;
    ///             }
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// /// Orders at their prices.
    /// struct Charge(StoreHandle<KeyValueStore<String, i64>>);
    ///
    /// impl Processor<String, i64, String, i64> for Charge {
    ///     fn process(&mut self, order: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         let price = cx.store(self.0).get(&order.key)?.map_or(0, |entry| entry.value);
    ///         let amount = order.value * price;
    ///         cx.forward(order.with_value(amount))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let store = Stores::key_value::<String, i64>("prices", StringSerde, I64Serde);
    /// builder.read_only_store("prices", Consumed::default(), store, |stores| Keep(stores.get("prices")));
    /// builder
    ///     .stream("orders", Consumed::<String, i64>::default())
    ///     .process::<String, i64, _>(&["prices"], |stores| Charge(stores.get("prices")))
    ///     .to("charged", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.input_topic("prices", StringSerde, I64Serde).pipe("lamp".to_owned(), 20, Timestamp(1)).expect("processed");
    /// # driver.input_topic("orders", StringSerde, I64Serde).pipe("lamp".to_owned(), 3, Timestamp(2)).expect("processed");
    /// # let charged = driver.output_topic::<String, i64>("charged", StringSerde, I64Serde);
    /// // Of 3 lamps at 20:
    /// assert_eq!(charged.read_value(), Some(60));
    /// ```
    pub fn read_only_store<K: Data, V: Data, S: 'static, P: Processor<K, V, (), ()>>(
        &self,
        topic: &str,
        consumed: Consumed<K, V>,
        store: StoreBuilder<S>,
        supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
    ) {
        super::read_only_store::read_only_store(self, topic, consumed, store, supplier);
    }

    /// Adds a store for processors to use, by the name it was built with.
    ///
    /// ```
    /// use candlewick::{I64Serde, Stores, StreamsBuilder, StringSerde};
    /// let builder = StreamsBuilder::new();
    /// builder.add_store(Stores::key_value::<String, i64>("seen", StringSerde, I64Serde));
    /// // A processor uses it by this name.
    /// # builder.stream("in", candlewick::Consumed::<String, i64>::default()).process::<String, i64, _>(&["seen"], |_| Idle);
    /// # struct Idle;
    /// # impl candlewick::Processor<String, i64, String, i64> for Idle {
    /// #     fn process(&mut self, _: candlewick::Record<String, i64>, _: &mut candlewick::Context<'_, String, i64>) -> Result<(), candlewick::ProcessError> { Ok(()) }
    /// # }
    /// # let topology = builder.build().expect("valid");
    /// assert!(topology.describe().contains("(stores: [seen])"));
    /// ```
    pub fn add_store<S: 'static>(&self, store: StoreBuilder<S>) {
        self.graph.borrow_mut().add_store(store.into());
    }

    /// Puts a wrapper around every processor and sink.
    ///
    /// ```
    /// use candlewick::{ProcessError, ProcessorWrapper, StreamsBuilder};
    /// struct Traced;
    /// impl ProcessorWrapper for Traced {
    ///     fn process(
    ///         &self,
    ///         node: &str,
    ///         run: &mut dyn FnMut() -> Result<(), ProcessError>,
    ///     ) -> Result<(), ProcessError> {
    ///         println!("-> {node}");
    ///         run()
    ///     }
    /// }
    /// StreamsBuilder::new().wrap_processors(Traced);
    /// ```
    pub fn wrap_processors(&self, wrapper: impl ProcessorWrapper) {
        self.graph.borrow_mut().wrapper = Some(Arc::new(wrapper));
    }

    /// Seals the topology.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, I64Serde, Materialized, StreamsBuilder, StringSerde, TopologyError};
    /// let builder = StreamsBuilder::new();
    /// let words = builder.stream("words", Consumed::<String, String>::default());
    /// words.group_by_key(Grouped::default()).count(Materialized::generated(StringSerde, I64Serde));
    /// let errors = builder.build().expect_err("the store has no name");
    /// assert!(matches!(errors.0[..], [TopologyError::Unnamed { what: "store", .. }]));
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with it, each error naming its node.
    pub fn build(self) -> Result<Topology, TopologyErrors> {
        Topology::seal(self.graph.into_inner(), self.options)
    }

    pub(crate) fn next_name(&self, prefix: &str) -> Arc<str> {
        self.graph.borrow_mut().next_name(prefix)
    }

    /// The user's name for a node, or a generated one. Either way a number is used up, as in Kafka Streams.
    pub(crate) fn name_or(&self, name: Option<&Arc<str>>, prefix: &str) -> Arc<str> {
        self.name_behind_or(name, "", prefix)
    }

    /// As [`name_or`](Self::name_or), with `suffix` behind the user's name.
    pub(crate) fn name_behind_or(&self, name: Option<&Arc<str>>, suffix: &str, prefix: &str) -> Arc<str> {
        let generated = self.next_name(prefix);
        name.map_or(generated, |name| format!("{name}{suffix}").into())
    }

    /// Adds a node whose input and output are records of these types.
    pub(crate) fn add_node<I: 'static, O: 'static>(
        &self,
        name: Arc<str>,
        parents: Vec<NodeId>,
        role: NodeRole,
        stores: Vec<Arc<str>>,
    ) -> NodeId {
        let input = (!parents.is_empty()).then(TypeInfo::of::<I>);
        let types = (input, TypeInfo::of::<O>());
        self.graph.borrow_mut().add(NodeDecl::new(name, parents, types, role, stores))
    }
}
