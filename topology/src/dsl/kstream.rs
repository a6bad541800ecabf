//! The stream handle. Its operations stand one per file in `operation`.

use std::marker::PhantomData;
use std::sync::Arc;

use super::Data;
use super::builder::StreamsBuilder;
use crate::plan::{Effect, MakeNode, NodeId, NodeRole};
use crate::processor::ErrorPolicy;
use crate::record::Record;

/// A stream of records: a `Copy` handle, so that using it twice is fan-out.
///
/// ```
/// use candlewick::{Consumed, Produced, StreamsBuilder};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// numbers.filter(|_, n| n % 2 == 0).to("out", Produced::default());
/// numbers.filter(|_, n| n % 2 == 1).map_values(|n| n * 100).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 1 and 2:
/// assert_eq!(values, [100, 2]);
/// ```
pub struct KStream<'b, K, V> {
    pub(crate) builder: &'b StreamsBuilder,
    pub(crate) node: NodeId,
    /// The key may have changed since the records were partitioned by it.
    pub(crate) rekeyed: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for KStream<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for KStream<'_, K, V> {}

impl<'b, K, V> KStream<'b, K, V> {
    pub(crate) fn new(builder: &'b StreamsBuilder, node: NodeId, rekeyed: bool) -> Self {
        Self { builder, node, rekeyed, types: PhantomData }
    }

    /// Names the node that made this stream, in place of its generated name. The number is used up all the same, as in Kafka
    /// Streams, but for that of `process` and `process_values`: name those before the next operation.
    ///
    /// ```
    /// use candlewick::{Consumed, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in", Consumed::<String, i64>::default()).filter(|_, n| *n > 0).named("positive");
    /// assert!(builder.build().expect("valid").describe().contains("Processor: positive"));
    /// ```
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        self.builder.graph.borrow_mut().rename(self.node, &name.into());
        self
    }

    /// What to do about errors of the node that made this stream, whatever the application's handler says.
    ///
    /// ```
    /// use candlewick::{Context, DropReason, ErrorPolicy, ProcessError, Processor, Record};
    /// # use candlewick::*;
    ///
    /// /// Takes even numbers.
    /// struct Even;
    ///
    /// impl Processor<String, i64, String, i64> for Even {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         if record.value % 2 == 0 { cx.forward(record) } else { Err(ProcessError::new("it is odd")) }
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let even = numbers.process::<String, i64, _>(&[], |_| Even).on_error(ErrorPolicy::skip());
    /// # even.to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// // Of 1 and 2:
    /// assert_eq!(driver.dropped(DropReason::Process), 1);
    /// ```
    #[must_use]
    pub fn on_error(self, policy: ErrorPolicy) -> Self {
        self.builder.graph.borrow_mut().node_mut(self.node).policy = Some(policy);
        self
    }
}

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Adds a processor node below this stream under a generated name.
    pub(crate) fn then<K2: Data, V2: Data>(
        self,
        prefix: &str,
        stores: Vec<Arc<str>>,
        make: MakeNode,
    ) -> KStream<'b, K2, V2> {
        let name = self.builder.next_name(prefix);
        self.then_named(name, stores, make)
    }

    pub(crate) fn then_named<K2: Data, V2: Data>(
        self,
        name: Arc<str>,
        stores: Vec<Arc<str>>,
        make: MakeNode,
    ) -> KStream<'b, K2, V2> {
        let role = NodeRole::Processor { make };
        let node = self.builder.add_node::<Record<K, V>, Record<K2, V2>>(name, vec![self.node], role, stores);
        KStream::new(self.builder, node, self.rekeyed)
    }

    /// The same stream, marked as no longer partitioned by its key: its node changes keys.
    pub(crate) fn rekeyed(mut self) -> Self {
        self.rekeyed = true;
        self.with_effect(Effect::Key)
    }

    /// The same stream, with what its node changes.
    pub(crate) fn with_effect(self, effect: Effect) -> Self {
        self.builder.graph.borrow_mut().node_mut(self.node).effect = effect;
        self
    }
}
