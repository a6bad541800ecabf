//! `batch`: one call for many records, of all tasks of the process together.

use std::sync::Arc;
use std::time::Duration;

use crate::dsl::{Data, KStream};
use crate::error::ProcessError;
use crate::plan::Effect;
use crate::processor::{AsyncOrder, Policy, Retry, SlowNode, Terms, Way, together};
use crate::record::Record;

/// How [`KStream::batch`] gathers records.
///
/// ```
/// use std::time::Duration;
/// use candlewick::BatchOptions;
/// let options = BatchOptions { max: 256, linger: Duration::from_millis(2), ..BatchOptions::default() };
/// assert_eq!(options.threads, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// Records of one call at most. A task has at most twice as many unfinished ones.
    pub max: usize,
    /// How long the first record of a batch waits for others. What gathers while a call runs needs no wait.
    pub linger: Duration,
    /// Calls that may run at the same time, each on a thread of its own.
    pub threads: usize,
}

impl Default for BatchOptions {
    /// 64 records, 2 ms, one call at a time.
    fn default() -> Self {
        Self { max: 64, linger: Duration::from_millis(2), threads: 1 }
    }
}

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Gives `call` many records at once and forwards a result for each, in their order: for work that costs little more for
    /// many than for one, such as a model's forward pass. Records of all tasks of the process share calls; a call runs on a
    /// thread of its own while tasks go on. The key stays.
    ///
    /// No commit passes a record whose result is not there: tasks with stores, and all tasks under exactly-once, take no new
    /// records from the moment a commit is due until everything is finished, so a call should take much less than the commit
    /// interval. When a call fails, or panics, its records are tried again one by one; those that fail alone go to the
    /// process handler. A test driver and a backtest call `call` on their own thread.
    ///
    /// ```
    /// use candlewick::{BatchOptions, Consumed, ProcessError, Produced, Record, StreamsBuilder};
    /// # use candlewick::*;
    ///
    /// /// A model that sees all rows at once.
    /// fn predict(rows: &[Record<String, i64>]) -> Result<Vec<i64>, ProcessError> {
    ///     Ok(rows.iter().map(|row| row.value * 2).collect())
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .batch(BatchOptions::default(), predict)
    ///     .named("predict")
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1 and 2:
    /// assert_eq!(values, [2, 4]);
    /// ```
    pub fn batch<V2: Data>(
        self,
        options: BatchOptions,
        call: impl Fn(&[Record<K, V>]) -> Result<Vec<V2>, ProcessError> + Send + Sync + 'static,
    ) -> KStream<'b, K, V2> {
        let max = options.max.max(1);
        let terms = Terms {
            threads: options.threads.max(1),
            together_max: max,
            linger: options.linger,
            // Each task has its own bound.
            places: usize::MAX,
        };
        let policy = Policy {
            // One batch is filled while another is under way.
            room: max.saturating_mul(2),
            order: AsyncOrder::Partition,
            timeout: None,
            retry: Retry::NEVER,
        };
        let work = together(call);
        let make = move |name: Arc<str>| {
            SlowNode::<K, V, V2>::new(name, terms, policy, Way::Desk(Arc::clone(&work)), |_| 0)
        };
        self.then(
            "KSTREAM-BATCH-",
            Vec::new(),
            Box::new(move |wiring| Box::new(make(Arc::clone(&wiring.node.name)))),
        )
        .with_effect(Effect::Value)
    }
}
