//! `split`: each record to the first branch whose predicate holds.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::error::ProcessError;
use crate::plan::{NodeId, NodeRole, Wiring};
use crate::processor::{Hop, InPlace, Node, take};
use crate::record::Record;

type Predicate<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;

/// A stream that is being split; `branch` adds a way out, `default_branch` or `no_default_branch` ends it.
///
/// ```
/// use candlewick::{Consumed, Produced, StreamsBuilder};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let mut split = builder.stream("in", Consumed::<String, i64>::default()).split("by-digit");
/// for digit in 0..3 {
///     split = split.branch(&digit.to_string(), move |_, n| n % 10 == digit);
/// }
/// split.no_default_branch().get("2").to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [1, 2, 12, 5] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 1, 2, 12 and 5:
/// assert_eq!(values, [2, 12]);
/// ```
#[must_use = "a split without branches loses every record"]
pub struct SplitStream<'b, K, V> {
    stream: KStream<'b, K, V>,
    node: NodeId,
    prefix: Arc<str>,
    predicates: Vec<Predicate<K, V>>,
    branches: BTreeMap<String, KStream<'b, K, V>>,
}

/// The branches of a split, by name.
///
/// ```
/// use candlewick::{Consumed, Produced, StreamsBuilder};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// let branches = numbers.split("by-sign").branch("negative", |_, n| *n < 0).default_branch("rest");
/// let positive = branches.get("negative").map_values(|n| -n);
/// positive.merge(branches.get("rest")).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for (key, value, time) in [("k", -3, 0), ("k", 4, 1)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of -3 and 4:
/// assert_eq!(values, [3, 4]);
/// ```
pub struct Branches<'b, K, V>(BTreeMap<String, KStream<'b, K, V>>);

impl<'b, K, V> Branches<'b, K, V> {
    /// The branch of this name.
    ///
    /// ```
    /// use candlewick::Produced;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let branches = numbers.split("by-size").branch("small", |_, n| *n < 10).no_default_branch();
    /// branches.get("small").to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [5, 50, 7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 5, 50 and 7:
    /// assert_eq!(values, [5, 7]);
    /// ```
    ///
    /// # Panics
    /// When there is none: the names are those given to `branch` and `default_branch`.
    #[must_use]
    pub fn get(&self, name: &str) -> KStream<'b, K, V> {
        match self.0.get(name) {
            Some(branch) => *branch,
            None => panic!("no branch {name}; there are {:?}", self.0.keys().collect::<Vec<_>>()),
        }
    }
}

struct Split<K, V> {
    predicates: Vec<Predicate<K, V>>,
    types: PhantomData<fn(K, V)>,
}

impl<K: Data, V: Data> Node for Split<K, V> {
    fn process(&mut self, slot: &mut dyn std::any::Any, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        let record: Record<K, V> = take(slot);
        match self.predicates.iter().position(|predicate| predicate(&record.key, &record.value)) {
            Some(branch) => hop.pass_to(branch, record),
            None => Ok(()),
        }
    }
}

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Begins a split into named branches. Each record goes to the first branch whose predicate holds, and nowhere
    /// when there is none and no default.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let numbers = builder.stream("numbers", Consumed::<String, i64>::default());
    /// let branches = numbers.split("by-sign").branch("negative", |_, n| *n < 0).default_branch("rest");
    /// branches.get("negative").to("negative", Produced::default());
    /// # builder.build().expect("valid");
    /// ```
    pub fn split(self, name: &str) -> SplitStream<'b, K, V> {
        let prefix: Arc<str> = name.into();
        // Kafka Streams takes a number for the split and each branch, though their names are given.
        let _ = self.builder.next_name("KSTREAM-BRANCH-");
        let make =
            Box::new(|_: &Wiring<'_>| -> Box<dyn Node> { unreachable!("replaced when the split is ended") });
        let node = self.builder.add_node::<Record<K, V>, Record<K, V>>(
            Arc::clone(&prefix),
            vec![self.node],
            NodeRole::Processor { make },
            Vec::new(),
        );
        SplitStream { stream: self, node, prefix, predicates: Vec::new(), branches: BTreeMap::new() }
    }
}

impl<'b, K: Data, V: Data> SplitStream<'b, K, V> {
    /// A branch for the records for which `predicate` holds and none before it did.
    ///
    /// ```
    /// use candlewick::Produced;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let split = numbers.split("by-size").branch("small", |_, n| *n < 6).branch("medium", |_, n| *n < 10);
    /// split.no_default_branch().get("medium").to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [5, 50, 7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 5, 50 and 7:
    /// assert_eq!(values, [7]);
    /// ```
    pub fn branch(mut self, name: &str, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.predicates.push(Arc::new(predicate));
        let builder = self.stream.builder;
        let _ = builder.next_name("KSTREAM-BRANCHCHILD-");
        let make = Box::new(|_: &Wiring<'_>| -> Box<dyn Node> {
            Box::new(InPlace::new(|_: &mut Record<K, V>| true))
        });
        let node = builder.add_node::<Record<K, V>, Record<K, V>>(
            format!("{}{name}", self.prefix).into(),
            vec![self.node],
            NodeRole::Processor { make },
            Vec::new(),
        );
        self.branches.insert(name.to_owned(), KStream::new(builder, node, self.stream.rekeyed));
        self
    }

    /// Ends the split with a branch for all other records.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .split("by-size")
    ///     .branch("small", |_, n| *n < 10)
    ///     .default_branch("large")
    ///     .get("large")
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [5, 50] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 5 and 50:
    /// assert_eq!(values, [50]);
    /// ```
    pub fn default_branch(self, name: &str) -> Branches<'b, K, V> {
        self.branch(name, |_, _| true).no_default_branch()
    }

    /// Ends the split; records of no branch are left out.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// let branches = builder.stream("in", Consumed::<String, i64>::default())
    ///     .split("by-size")
    ///     .branch("small", |_, number| *number < 2)
    ///     .branch("medium", |_, number| *number < 4)
    ///     .no_default_branch();
    /// branches.get("medium").to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=4 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1, 2, 3 and 4:
    /// assert_eq!(values, [2, 3]);
    /// ```
    pub fn no_default_branch(self) -> Branches<'b, K, V> {
        let predicates = self.predicates;
        let make = Box::new(move |_: &Wiring<'_>| -> Box<dyn Node> {
            Box::new(Split { predicates: predicates.clone(), types: PhantomData })
        });
        self.stream.builder.graph.borrow_mut().node_mut(self.node).role = NodeRole::Processor { make };
        Branches(self.branches)
    }
}
