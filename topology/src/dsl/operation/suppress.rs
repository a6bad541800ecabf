//! `suppress` of tables: hold changes back until their window closes, or for a time.

use std::sync::Arc;
use std::time::Duration;

use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{Change, Data, KTable};
use crate::error::{ProcessError, TopologyError};
use crate::plan::Wiring;
use crate::processor::{Context, Node, Processor, Typed};
use crate::record::{Record, RecordMetadata, TopicPartition};
use crate::serde::{Serde, SerdeError};
use crate::state::{BufferStats, Buffered, ChangeSerde, Evicted, StoreHandle, Stores, SuppressBuffer};
use crate::time::{Timestamp, millis};

/// Until when a table's changes are held back, and how much of them. The store's name is the buffer's identity.
///
/// ```
/// use candlewick::Suppressed;
/// use std::time::Duration;
/// let _ = Suppressed::until_window_closes("final-candles");
/// let _ = Suppressed::until_time_limit("calm", Duration::from_secs(10)).records_max(1_000).emit_early_when_full();
/// ```
#[derive(Clone, Debug)]
pub struct Suppressed {
    name: Option<Arc<str>>,
    until: Until,
    records_max: Option<usize>,
    bytes_max: Option<usize>,
    emit_early: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    WindowCloses,
    TimeLimit(i64),
}

impl Suppressed {
    fn new(name: Option<Arc<str>>, until: Until) -> Self {
        Self { name, until, records_max: None, bytes_max: None, emit_early: false }
    }

    /// Forwards one change per key and window: the last one, once stream time has reached the window's end plus grace.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder, Suppressed, TopologyError};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("prices", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"))
    ///     .suppress(Suppressed::until_window_closes("final"));
    /// let errors = builder.build().expect_err("a plain table has no windows");
    /// assert!(matches!(errors.0[..], [TopologyError::NoWindowAbove { .. }]));
    /// ```
    pub fn until_window_closes(name: impl Into<Arc<str>>) -> Self {
        Self::new(Some(name.into()), Until::WindowCloses)
    }

    /// Forwards a key's last change once stream time is `wait` behind the time of its first one.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, Produced, StreamsBuilder, Suppressed};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
    ///     .suppress(Suppressed::until_time_limit("calm", Duration::from_millis(10)))
    ///     .to_stream()
    ///     .map_values(|n| n.unwrap_or(0))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 5, 11, 12] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1, 5, 11 and 12, each at its own time: 11 comes ten milliseconds after 1.
    /// assert_eq!(values, [11]);
    /// ```
    pub fn until_time_limit(name: impl Into<Arc<str>>, wait: Duration) -> Self {
        Self::new(Some(name.into()), Until::TimeLimit(millis(wait)))
    }

    /// Takes a generated name, as Kafka Streams does; see [`BuildOptions`](crate::BuildOptions).
    ///
    /// ```
    /// let suppressed = candlewick::Suppressed::until_window_closes("final").with_generated_name();
    /// # let _ = suppressed;
    /// ```
    #[must_use]
    pub fn with_generated_name(mut self) -> Self {
        self.name = None;
        self
    }

    /// The most records to hold; beyond it the task fails, or emits early where that was chosen.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, Produced, StreamsBuilder, Suppressed};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
    ///     .suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)).records_max(1));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// let input = driver.input_topic("in", StringSerde, I64Serde);
    /// assert!(input.pipe("a".to_owned(), 1, Timestamp(1)).is_ok());
    /// assert!(input.pipe("b".to_owned(), 2, Timestamp(2)).is_err());
    /// ```
    #[must_use]
    pub fn records_max(mut self, records: usize) -> Self {
        self.records_max = Some(records);
        self
    }

    /// The most bytes to hold, counted as Kafka Streams counts them.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder, Suppressed};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
    ///     .suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)).bytes_max(10));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// // A record is longer than that, with its key, its origin and its times.
    /// assert!(driver.input_topic("in", StringSerde, I64Serde).pipe("a".to_owned(), 1, Timestamp(1)).is_err());
    /// ```
    #[must_use]
    pub fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = Some(bytes);
        self
    }

    /// Lets the oldest records go early when the buffer is full. Without effect until windows close: those results
    /// would not be final.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, Produced, StreamsBuilder, Suppressed};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
    ///     .suppress(Suppressed::until_time_limit("calm", Duration::MAX).records_max(1).emit_early_when_full())
    ///     .to_stream()
    ///     .map_values(|n| n.unwrap_or(0))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (key, value, time) in [("a", 1, 1), ("a", 2, 2), ("b", 3, 3)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
    /// // There is room for a, but not for a and b:
    /// assert_eq!(out, [("a", 2)]);
    /// ```
    #[must_use]
    pub fn emit_early_when_full(mut self) -> Self {
        self.emit_early = true;
        self
    }
}

/// The buffer is full and may not emit early.
#[derive(Debug, thiserror::Error)]
#[error(
    "the suppression buffer {store} is full ({records} records, {bytes} bytes); raise its bound, or let it emit early"
)]
struct BufferFull {
    store: Arc<str>,
    records: usize,
    bytes: usize,
}

impl<'b, K: Windowable, V: Data> KTable<'b, K, V> {
    /// Holds changes back as `suppressed` says; what is let go keeps the time and headers of its last change. A join that
    /// reads this table sees what was there before the first change that is held back.
    ///
    /// ```
    /// use candlewick::{
    ///     Consumed, Grouped, Materialized, Produced, StreamsBuilder, Suppressed, TimeWindows,
    /// };
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10)))
    ///     .count(Materialized::named("counts"))
    ///     .suppress(Suppressed::until_window_closes("final-counts"))
    ///     .to_stream()
    ///     .map(|window, count| (window.key, count.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 5, 9, 11] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of records at 1, 5, 9 and 11: the first window is told once, when the second one has begun.
    /// assert_eq!(values, [3]);
    /// ```
    pub fn suppress(self, suppressed: Suppressed) -> Self {
        let builder = self.builder;
        let name = match &suppressed.name {
            Some(name) => Arc::clone(name),
            None => builder.next_name("KTABLE-SUPPRESS-"),
        };
        let store: Arc<str> = match &suppressed.name {
            Some(name) => format!("{name}-store").into(),
            None => builder.next_name("KTABLE-SUPPRESS-STATE-STORE-"),
        };
        let info = self.info();
        let mut graph = builder.graph.borrow_mut();
        if suppressed.name.is_none() {
            graph.errors.push(TopologyError::Unnamed {
                node: name.to_string(),
                what: "store",
                generated: store.to_string(),
                advice: "give Suppressed a name",
            });
        }
        let grace_ms = match suppressed.until {
            Until::TimeLimit(_) => 0,
            Until::WindowCloses => graph.wait_for_windows(self.node).unwrap_or_else(|| {
                graph.errors.push(TopologyError::NoWindowAbove { node: name.to_string() });
                0
            }),
        };
        let (Some(key), Some(value)) = (info.key.clone(), info.value.clone()) else {
            graph.errors.push(TopologyError::UnknownSerde { node: name.to_string() });
            drop(graph);
            return self;
        };
        let is_bounded = suppressed.records_max.is_some() || suppressed.bytes_max.is_some();
        let waits_for_close = suppressed.until == Until::WindowCloses && !is_bounded;
        let above = graph.node_mut(self.node).stores.first().cloned();
        // Kafka Streams buffers old values too, counts their bytes, and has joins read them.
        graph.enable_old_values(self.node);
        drop(graph);
        let change = BufferedChange(Arc::clone(&value));
        builder.add_store(Stores::suppress(&store, key, change));
        let (store_name, sealed, of_buffer) = (Arc::clone(&store), Arc::new(suppressed), Arc::clone(&value));
        let make = Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
            Box::new(Typed::new(Suppress::<K, V> {
                store: wiring.store(&store_name),
                name: Arc::clone(&store_name),
                suppressed: Arc::clone(&sealed),
                value: Arc::clone(&of_buffer),
                topic: wiring.changelog(&store_name),
                grace_ms,
                send_old: wiring.node.send_old,
                final_only: wiring.node.final_only
                    && above.as_ref().is_some_and(|store| wiring.caches(store)),
                observed: Timestamp::UNKNOWN,
                observed_key: format!("{}-observed", wiring.node.name).into(),
                released: Vec::new(),
            }))
        });
        let below: Self = self.then(name, vec![Arc::clone(&store)], make);
        let mut graph = builder.graph.borrow_mut();
        let decl = graph.node_mut(below.node);
        (decl.old_from_parent, decl.waits_for_close) = (true, waits_for_close);
        drop(graph);
        let getter = info.getter.map(|above| ValueGetter::of_suppressed(above, store, value));
        below.with_info(TableInfo { getter, keep: None, ..info })
    }
}

/// Keys that `suppress` can hold: every key has a buffer time; that of a windowed one is its window's end.
///
/// ```
/// use candlewick::{Timestamp, Window, Windowable, Windowed};
///
/// /// A key of your own, for `suppress`: it has no window.
/// #[derive(Clone)]
/// struct Symbol(String);
///
/// impl Windowable for Symbol {}
///
/// assert_eq!(Symbol("BTC".to_owned()).window_end(), None);
/// let window = Window { start: Timestamp(0), end: Timestamp(10) };
/// assert_eq!(Windowed { key: Symbol("BTC".to_owned()), window }.window_end(), Some(Timestamp(10)));
/// ```
pub trait Windowable: Data {
    /// The end of the key's window, if it has one.
    fn window_end(&self) -> Option<Timestamp> {
        None
    }
}

impl<K: Data> Windowable for crate::dsl::Windowed<K> {
    fn window_end(&self) -> Option<Timestamp> {
        Some(self.window.end)
    }
}

macro_rules! plain_keys {
    ($($key:ty),*) => {$(impl Windowable for $key {})*};
}

plain_keys!(String, i64, i32, bytes::Bytes);

impl<T: Windowable> Windowable for Option<T> {
    fn window_end(&self) -> Option<Timestamp> {
        self.as_ref().and_then(T::window_end)
    }
}

/// Records that are let go before they are told: what a window holds need not all be in between at once.
const RELEASED_MAX: usize = 64;

struct BufferedChange<V>(SharedSerde<V>);

impl<V: Data> ChangeSerde<Change<V>> for BufferedChange<V> {
    fn serialize_old(&self, topic: &str, change: &Change<V>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        write(&*self.0, topic, change.old.as_ref(), out)
    }

    fn serialize_new(&self, topic: &str, change: &Change<V>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        write(&*self.0, topic, change.new.as_ref(), out)
    }

    fn deserialize(
        &self,
        topic: &str,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<Change<V>, SerdeError> {
        let read = |bytes: Option<&[u8]>| bytes.map(|bytes| self.0.deserialize(topic, bytes)).transpose();
        Ok(Change::new(read(old)?, read(new)?))
    }
}

fn write<V: 'static>(
    serde: &dyn Serde<V>,
    topic: &str,
    value: Option<&V>,
    out: &mut Vec<u8>,
) -> Result<bool, SerdeError> {
    match value {
        Some(value) if !serde.is_null(value) => serde.serialize(topic, value, out).map(|()| true),
        Some(_) | None => Ok(false),
    }
}

struct Suppress<K: Data, V: Data> {
    store: StoreHandle<SuppressBuffer<K, Change<V>>>,
    name: Arc<str>,
    suppressed: Arc<Suppressed>,
    value: SharedSerde<V>,
    topic: Arc<str>,
    grace_ms: i64,
    send_old: bool,
    /// The aggregation above tells each window when it has closed, and not before.
    final_only: bool,
    /// The operator's own stream time.
    observed: Timestamp,
    /// Under which `observed` is committed with the offsets.
    observed_key: Arc<str>,
    released: Vec<Evicted<K, Change<V>>>,
}

impl<K: Windowable, V: Data> Processor<K, Change<V>, K, Change<V>> for Suppress<K, V> {
    fn init(&mut self, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        self.observed = Timestamp(cx.recall(&self.observed_key).unwrap_or(-1));
        if self.suppressed.bytes_max.is_none() {
            cx.store(self.store).weigh_when_asked();
        }
        Ok(())
    }

    fn advance(&mut self, time: Timestamp, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        self.observed = self.observed.max(time);
        self.release(cx)
    }

    fn flush(&mut self, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        cx.remember(&self.observed_key, self.observed.0);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<K, Change<V>>,
        cx: &mut Context<'_, K, Change<V>>,
    ) -> Result<(), ProcessError> {
        self.observed = self.observed.max(record.timestamp);
        if self.final_only {
            // What is buffered came from a run without a cache, or from another program.
            cx.store(self.store).remove(&record.key)?;
            if record.value.new.is_some() {
                cx.forward(record)?;
            }
            return self.release(cx);
        }
        let closing = self.suppressed.until == Until::WindowCloses;
        // Nothing was emitted for a window that is still open, so that its deletion is nothing to tell.
        if !(closing && record.value.new.is_none()) || self.is_buffered(&record.key, cx)? {
            self.buffer(record, cx)?;
        }
        self.release(cx)
    }
}

impl<K: Windowable, V: Data> Suppress<K, V> {
    fn is_buffered(&self, key: &K, cx: &mut Context<'_, K, Change<V>>) -> Result<bool, ProcessError> {
        Ok(cx.store(self.store).prior(key)?.is_some())
    }

    fn buffer(
        &mut self,
        record: Record<K, Change<V>>,
        cx: &mut Context<'_, K, Change<V>>,
    ) -> Result<(), ProcessError> {
        let Record { key, value: change, timestamp, headers } = record;
        let time = match self.suppressed.until {
            Until::WindowCloses => key.window_end().unwrap_or(timestamp),
            Until::TimeLimit(_) => timestamp,
        };
        let metadata = cx.metadata().unwrap_or_else(no_origin);
        Ok(cx.store(self.store).put(time, key, Buffered { change, timestamp, headers, metadata })?)
    }

    fn release(&mut self, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        let expiry = match self.suppressed.until {
            Until::WindowCloses => self.observed.minus_millis(self.grace_ms),
            Until::TimeLimit(wait) => self.observed.minus_millis(wait),
        };
        let (records_max, bytes_max) = (self.suppressed.records_max, self.suppressed.bytes_max);
        let full = |stats: &BufferStats| {
            records_max.is_some_and(|max| stats.len > max)
                || bytes_max.is_some_and(|max| stats.byte_len > max)
        };
        let early = self.suppressed.emit_early && self.suppressed.until != Until::WindowCloses;
        let due = |stats: &BufferStats| stats.min_time <= expiry || (early && full(stats));
        loop {
            let mut left = RELEASED_MAX;
            let wanted = |stats: &BufferStats| {
                let wanted = left > 0 && due(stats);
                left -= usize::from(wanted);
                wanted
            };
            cx.store(self.store).evict_while(wanted, &mut self.released)?;
            if self.released.is_empty() {
                break;
            }
            self.tell(cx)?;
        }
        let buffer = cx.store(self.store);
        let (min_time, records) = (Timestamp::UNKNOWN, buffer.len()?);
        let byte_len = if bytes_max.is_some() { buffer.byte_len()? } else { 0 };
        if full(&BufferStats { min_time, len: records, byte_len }) {
            let (store, bytes) = (Arc::clone(&self.name), buffer.byte_len()?);
            return Err(ProcessError::fatal(BufferFull { store, records, bytes }));
        }
        Ok(())
    }

    /// Tells what was let go.
    fn tell(&mut self, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        for mut evicted in self.released.drain(..) {
            if self.send_old {
                // Those below still believe what was there before the first buffered change.
                let prior = evicted.prior().map(|bytes| self.value.deserialize(&self.topic, bytes));
                evicted.record.change.old = prior.transpose()?;
            }
            let Evicted { key, record: Buffered { change, timestamp, headers, .. }, .. } = evicted;
            if self.suppressed.until == Until::WindowCloses && change.new.is_none() {
                continue;
            }
            cx.forward(Record { key, value: change, timestamp, headers })?;
        }
        Ok(())
    }
}

/// The origin of a change that a wall-clock punctuator made before the first record.
fn no_origin() -> RecordMetadata {
    RecordMetadata { source: TopicPartition::new("", -1), offset: -1 }
}
