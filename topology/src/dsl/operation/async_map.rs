//! `async_map`: a slow call for each record, several under way at the same time.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::time::Duration;

use crate::dsl::{Data, KStream};
use crate::error::ProcessError;
use crate::plan::Effect;
use crate::processor::{AsyncOrder, Completion, Policy, Retry, SlowNode, Terms, Way, each};
use crate::record::Record;

/// How [`KStream::async_map`] treats its calls.
///
/// ```
/// use std::time::Duration;
/// use candlewick::{AsyncOptions, AsyncOrder, Retry};
/// let options = AsyncOptions {
///     concurrency: 32,
///     order: AsyncOrder::None,
///     timeout: Duration::from_secs(2),
///     retry: Retry { attempts_max: 5, ..Retry::default() },
/// };
/// assert_eq!(AsyncOptions { concurrency: 16, ..options }.timeout, options.timeout);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsyncOptions {
    /// Calls of the process under way at the same time. A task has at most as many unfinished records.
    pub concurrency: usize,
    /// In which order results go on.
    pub order: AsyncOrder,
    /// How long one attempt may take. Under exactly-once all attempts of a record together, with the waits in between, must
    /// fit into half of `transaction-timeout-ms`; an application whose calls do not is not started. An attempt that is given up keeps its place until it has ended all the same: a blocking call
    /// needs a timeout of its own.
    pub timeout: Duration,
    /// How often a call is tried.
    pub retry: Retry,
}

impl Default for AsyncOptions {
    /// 16 calls, results in the order of their key's records, 1 s for an attempt, three attempts.
    fn default() -> Self {
        Self {
            concurrency: 16,
            order: AsyncOrder::default(),
            timeout: Duration::from_secs(1),
            retry: Retry::default(),
        }
    }
}

/// A slow call for one record: blocking, or completed elsewhere.
///
/// ```
/// use candlewick::{AsyncCall, Record};
/// // It runs on one of `concurrency` threads of the framework, and may block.
/// let blocking = AsyncCall::blocking(|record: Record<String, i64>| Ok(record.value + 1));
/// // It runs on the stream thread, must not block, and is completed from wherever the work is done.
/// let elsewhere = AsyncCall::completing(|record: Record<String, i64>, done| {
///     std::thread::spawn(move || done.complete(Ok(record.value + 1)));
/// });
/// # let _ = (blocking, elsewhere);
/// ```
pub struct AsyncCall<K, V, V2> {
    way: Way<K, V, V2>,
}

impl<K: Data, V: Data, V2: Data> AsyncCall<K, V, V2> {
    /// A call that blocks its thread until the result is there. A panic is an error of this record.
    ///
    /// ```
    /// use candlewick::{AsyncCall, AsyncOptions, Consumed, Produced, Record, StreamsBuilder};
    /// # use candlewick::*;
    /// let read = AsyncCall::blocking(|path: Record<String, String>| Ok(std::fs::read_to_string(path.value)?));
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("paths", Consumed::<String, String>::default())
    ///     .async_map(AsyncOptions::default(), read)
    ///     .to("texts", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let paths = driver.input_topic("paths", StringSerde, StringSerde);
    /// let fault = paths.pipe("k".to_owned(), "/no/such/file".to_owned(), Timestamp(0)).expect_err("it is tried, and fails");
    /// assert!(fault.to_string().contains("KSTREAM-ASYNC-MAP-0000000001"));
    /// ```
    pub fn blocking(call: impl Fn(Record<K, V>) -> Result<V2, ProcessError> + Send + Sync + 'static) -> Self {
        Self { way: Way::Desk(each(call)) }
    }

    /// A call that is only begun, and completed by somebody else: an executor of the user's own. It runs on the stream
    /// thread and must not block. See [`Completion`].
    ///
    /// ```
    /// use candlewick::{AsyncCall, Completion, Record};
    /// let double = AsyncCall::completing(|record: Record<String, i64>, done: Completion<i64>| {
    ///     std::thread::spawn(move || done.complete(Ok(record.value * 2)));
    /// });
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).async_map(AsyncOptions::default(), double).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1 and 2:
    /// assert_eq!(values, [2, 4]);
    /// ```
    pub fn completing(call: impl Fn(Record<K, V>, Completion<V2>) + Send + Sync + 'static) -> Self {
        Self { way: Way::Direct(Arc::new(call)) }
    }
}

/// Records of equal keys have equal lanes; others, rarely, too, which costs them nothing but their independence.
fn lane_of<K: Hash>(key: &K) -> u64 {
    foldhash::fast::FixedState::default().hash_one(key)
}

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Makes a new value of each by a slow call: to a service, a disk, a device. Up to
    /// [`concurrency`](AsyncOptions::concurrency) calls are under way at the same time, while the task goes on with other
    /// records; when as many records are unfinished the task takes no more. The key stays.
    ///
    /// No commit passes a record whose result is not there: tasks with stores, and all tasks under exactly-once, take no new
    /// records from the moment a commit is due until everything is finished. A call may be made again after a crash: what it
    /// does elsewhere should be harmless when it is done twice. A call that fails or takes too long is tried again as
    /// [`retry`](AsyncOptions::retry) says; the error of its last attempt goes to the process handler.
    ///
    /// ```
    /// use candlewick::{AsyncCall, AsyncOptions, Consumed, ProcessError, Produced, Record, StreamsBuilder};
    /// # use candlewick::*;
    ///
    /// /// Asks a service.
    /// fn price_of(record: Record<String, i64>) -> Result<i64, ProcessError> {
    ///     // ... a blocking request ...
    ///     Ok(record.value * 100)
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .async_map(AsyncOptions { concurrency: 4, ..AsyncOptions::default() }, AsyncCall::blocking(price_of))
    ///     .named("prices")
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1 and 2:
    /// assert_eq!(values, [100, 200]);
    /// ```
    pub fn async_map<V2: Data>(self, options: AsyncOptions, call: AsyncCall<K, V, V2>) -> KStream<'b, K, V2>
    where
        K: Hash,
    {
        let concurrency = options.concurrency.max(1);
        let terms =
            Terms { threads: concurrency, together_max: 1, linger: Duration::ZERO, places: concurrency };
        let retry = Retry { attempts_max: options.retry.attempts_max.max(1), ..options.retry };
        let policy =
            Policy { room: concurrency, order: options.order, timeout: Some(options.timeout), retry };
        let AsyncCall { way } = call;
        let make =
            move |name: Arc<str>| SlowNode::<K, V, V2>::new(name, terms, policy, way.clone(), lane_of::<K>);
        let mapped = self.then(
            "KSTREAM-ASYNC-MAP-",
            Vec::new(),
            Box::new(move |wiring| Box::new(make(Arc::clone(&wiring.node.name)))),
        );
        self.builder.graph.borrow_mut().node_mut(mapped.node).longest_call = policy.longest();
        mapped.with_effect(Effect::Value)
    }
}
