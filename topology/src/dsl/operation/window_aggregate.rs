//! `aggregate`, `count` and `reduce` within tumbling and hopping windows.

use std::marker::PhantomData;
use std::sync::Arc;

use super::closing::Closing;
use super::keep::{self, Aggregation, Initial, Keep, Step};
use super::kept::apply;
use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{
    Change, Data, KTable, Materialized, StoreKey, StreamsBuilder, TimeWindowedKStream, TimeWindows, Window,
    Windowed, WindowedSerde,
};
use crate::error::ProcessError;
use crate::plan::{MakeNode, Wiring};
use crate::processor::{Context, DropReason, Node, Processor, Typed};
use crate::record::{Headers, Record};
use crate::state::{Dirty, Entry, StateStore as _, StoreHandle, Stores, WindowStore};
use crate::time::{Timestamp, duration};

impl<'b, K: StoreKey, V: Data> TimeWindowedKStream<'b, K, V> {
    /// Keeps an aggregate per key and window; see
    /// [`KGroupedStream::aggregate`](crate::KGroupedStream::aggregate). A record is dropped from the windows that
    /// closed before it came: those whose end plus grace stream time has reached. Null keys are dropped; null values
    /// are aggregated, as in Kafka Streams.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder, TimeWindows};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10)))
    ///     .aggregate(|| 0, |_, n, most: &mut i64| *most = n.max(most).to_owned(), Materialized::named("most"))
    ///     .to_stream()
    ///     .map(|window, most| (format!("from {}", window.window.start), most.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [3, 7, 12, 8] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
    /// // Of 3, 7, 12 and 8, each at its own time; the last one comes when its window has closed.
    /// assert_eq!(out, [("from 0", 3), ("from 0", 7), ("from 10", 12)]);
    /// ```
    pub fn aggregate<A: Data>(
        self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, Windowed<K>, A> {
        let step = keep::adding(add);
        let from = (self.grouped, "KSTREAM-AGGREGATE-");
        keep::aggregate(from, (&self.windows, self.on_close), move || Some(initialize()), step, materialized)
    }

    /// Counts the records of each key and window.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder, TimeWindows};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10)))
    ///     .count(Materialized::named("counts"))
    ///     .to_stream()
    ///     .map(|window, count| (format!("{} from {}", window.key, window.window.start), count.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 9, 11] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let pairs: Vec<(String, i64)> = out.read_all().into_iter().map(|(key, value, _)| (key, value)).collect();
    /// # let pairs: Vec<(&str, i64)> = pairs.iter().map(|(key, count)| (key.as_str(), *count)).collect();
    /// // Of records at 1, 9 and 11:
    /// assert_eq!(pairs, [("k from 0", 1), ("k from 0", 2), ("k from 10", 1)]);
    /// ```
    pub fn count(self, materialized: Materialized<K, i64>) -> KTable<'b, Windowed<K>, i64> {
        materialized.burn_number(self.grouped.stream.builder);
        let from = (self.grouped, "KSTREAM-AGGREGATE-");
        keep::aggregate(from, (&self.windows, self.on_close), || Some(0), keep::counting, materialized)
    }

    /// Keeps one value per key and window.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder, TimeWindows};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10)))
    ///     .reduce(|one, other| one + other, Materialized::named("sums"))
    ///     .to_stream()
    ///     .map(|window, sum| (window.key, sum.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [3, 7, 12] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 3, 7 and 12, each at its own time:
    /// assert_eq!(values, [3, 10, 12]);
    /// ```
    pub fn reduce(
        self,
        reducer: impl Fn(&V, &V) -> V + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<'b, Windowed<K>, V> {
        let step = keep::reducing(reducer);
        let from = (self.grouped, "KSTREAM-REDUCE-");
        keep::aggregate(from, (&self.windows, self.on_close), || None, step, materialized)
    }
}

impl<K: StoreKey, A: Data> Keep<K, A> for TimeWindows {
    type Key = Windowed<K>;

    fn add_store(&self, builder: &StreamsBuilder, store: &Arc<str>, materialized: &Materialized<K, A>) {
        let needed = self.size_ms().saturating_add(self.grace_ms());
        let retention = materialized.retention_of_at_least(needed);
        let (key, value) = (Arc::clone(&materialized.key), Arc::clone(&materialized.value));
        let windows = Stores::window(store, key, value, duration(self.size_ms()), retention);
        builder.add_store(materialized.configure(windows));
    }

    fn make<V: Data, I: Initial<A>, F: Step<K, V, A>>(
        &self,
        aggregation: Aggregation<K, V, A, I, F>,
    ) -> MakeNode {
        let windows = *self;
        Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
            let Aggregation { store, key, aggregate, initial, step, on_close, .. } = &aggregation;
            let final_only = wiring.node.final_only && wiring.caches(store);
            let closing = || Closing::new(Arc::clone(key), wiring.changelog(store), &wiring.node.name);
            Box::new(Typed::new(WindowAggregate {
                store: wiring.store::<WindowStore<K, A>>(store),
                windows,
                key: Arc::clone(key),
                aggregate: Arc::clone(aggregate),
                initial: Arc::clone(initial),
                step: Arc::clone(step),
                observed: Timestamp::UNKNOWN,
                observed_key: format!("{}-observed", wiring.node.name).into(),
                next_close: Timestamp::UNKNOWN,
                cached: wiring.caches(store),
                closing: (*on_close || final_only).then(closing),
                final_only,
                takes_over: false,
                told_key: Closing::<K>::told_key(&wiring.node.name),
                untold_key: format!("{}-untold", wiring.node.name).into(),
                owes: false,
                send_old: wiring.node.send_old,
                flush_on_close: wiring.node.flush_on_close,
                dirty: Vec::new(),
                types: PhantomData,
            }))
        })
    }

    fn can_wait(&self) -> bool {
        true
    }

    fn grace_ms(&self) -> Option<i64> {
        Some(Self::grace_ms(self))
    }

    fn info(&self, store: &Arc<str>, materialized: Materialized<K, A>) -> TableInfo<Windowed<K>, A> {
        let key: SharedSerde<_> = Arc::new(WindowedSerde::shared(materialized.key, self.size_ms()));
        let getter = Some(ValueGetter::of_windows(Arc::clone(store)));
        TableInfo { getter, key: Some(key), value: Some(materialized.value), keep: None }
    }
}

struct WindowAggregate<I, F, K: StoreKey, V, A: Data> {
    store: StoreHandle<WindowStore<K, A>>,
    windows: TimeWindows,
    key: SharedSerde<K>,
    aggregate: SharedSerde<A>,
    initial: Arc<I>,
    step: Arc<F>,
    /// The operator's own stream time: the greatest time it has seen, not the task's.
    observed: Timestamp,
    /// Under which `observed` is committed with the offsets.
    observed_key: Arc<str>,
    next_close: Timestamp,
    cached: bool,
    /// The windows that are open, where each is told once.
    closing: Option<Closing<K>>,
    /// Each is told once because a suppression below lets nothing else pass.
    final_only: bool,
    told_key: Arc<str>,
    /// Another program has filled the stores: what had closed by the first record is in the suppression's buffer, or told.
    takes_over: bool,
    /// Under which is committed whether open windows are not known below.
    untold_key: Arc<str>,
    /// Such a run has left open windows that are not known below, where this one tells every change.
    owes: bool,
    send_old: bool,
    flush_on_close: bool,
    dirty: Vec<Dirty<(K, Timestamp), A>>,
    types: PhantomData<fn(V)>,
}

impl<I, F, K, V, A> WindowAggregate<I, F, K, V, A>
where
    I: Fn() -> Option<A> + Send + Sync + 'static,
    F: Fn(&K, &V, &mut Option<A>) + Send + Sync + 'static,
    K: StoreKey,
    V: Data,
    A: Data,
{
    /// Updates one window; gives the change when it is to be forwarded at once.
    fn update(
        &mut self,
        record: &Record<K, V>,
        start: Timestamp,
        store: &mut WindowStore<K, A>,
    ) -> Result<Option<(Change<A>, Timestamp)>, ProcessError> {
        let (time, send_old) = (record.timestamp, self.send_old);
        let (cached, mut opened) = (self.cached || self.closing.is_some(), false);
        let changed = store.update(&record.key, start, time, |slot| {
            opened = slot.is_none();
            let step = |value: &mut Option<A>| (self.step)(&record.key, &record.value, value);
            let old_wanted = send_old && !cached;
            let (old, timestamp) = apply(slot, time, old_wanted, &*self.initial, step, &*self.aggregate);
            if cached {
                return None;
            }
            let new = slot.as_ref().map(|entry| entry.value.clone());
            Some((Change::new(old, new), timestamp))
        })?;
        if let Some(closing) = self.closing.as_mut().filter(|_| opened) {
            closing.opened((start, Timestamp(0)), &record.key)?;
        }
        Ok(changed)
    }

    /// Tells the windows that have closed, where each is told once.
    fn emit(
        &mut self,
        headers: &Headers,
        cx: &mut Context<'_, Windowed<K>, Change<A>>,
    ) -> Result<(), ProcessError> {
        let close = self.observed.minus_millis(self.windows.grace_ms());
        let last = close.minus_millis(self.windows.size_ms());
        let Some(closing) = &mut self.closing else { return Ok(()) };
        // At the first record, whether anything is due or not: what closes later is this program's to tell.
        if std::mem::take(&mut self.takes_over) {
            while closing.next(last).is_some() {}
        }
        if closing.is_due(close) {
            while let Some(((start, _), key)) = closing.next(last) {
                let Some(entry) = cx.store(self.store).get_closing(&key, start)?.cloned() else { continue };
                let (key, headers) = (Windowed { key, window: self.windows.window(start) }, headers.clone());
                let value = Change::new(None, Some(entry.value));
                cx.forward(Record { key, value, timestamp: entry.timestamp, headers })?;
            }
            closing.told(close);
        }
        // Nothing below waits for what the cache gathers.
        if cx.store(self.store).wants_flush() { Ok(cx.store(self.store).settle()?) } else { Ok(()) }
    }

    /// Tells the windows that an earlier run has left for later.
    fn tell_open(&mut self, cx: &mut Context<'_, Windowed<K>, Change<A>>) -> Result<(), ProcessError> {
        self.owes = false;
        let told = Timestamp(cx.recall(&self.told_key).unwrap_or(-1));
        let first = told.minus_millis(self.windows.size_ms()).plus_millis(1);
        let mut open = Vec::new();
        cx.store(self.store).fetch_all(first, Timestamp(i64::MAX), &mut open)?;
        open.sort_by_key(|(_, start, _)| *start);
        for (key, start, Entry { value, timestamp }) in open {
            let key = Windowed { key, window: self.windows.window(start) };
            let value = Change::new(None, Some(value));
            cx.forward(Record { key, value, timestamp, headers: Headers::default() })?;
        }
        Ok(())
    }

    /// Forwards what the cache gathered once a window has closed, so that a `suppress` below need not wait for the
    /// commit; also when the cache is full.
    fn flush_when_due(&mut self, cx: &mut Context<'_, Windowed<K>, Change<A>>) -> Result<(), ProcessError> {
        let closed = self.flush_on_close && self.observed >= self.next_close;
        if closed {
            self.next_close = self.windows.next_close(self.observed);
        }
        if closed || cx.store(self.store).wants_flush() { self.flush(cx) } else { Ok(()) }
    }
}

impl<I, F, K, V, A> Processor<K, V, Windowed<K>, Change<A>> for WindowAggregate<I, F, K, V, A>
where
    I: Fn() -> Option<A> + Send + Sync + 'static,
    F: Fn(&K, &V, &mut Option<A>) + Send + Sync + 'static,
    K: StoreKey,
    V: Data,
    A: Data,
{
    fn init(&mut self, cx: &mut Context<'_, Windowed<K>, Change<A>>) -> Result<(), ProcessError> {
        cx.store(self.store).capture_old(self.send_old && !self.final_only);
        self.observed = Timestamp(cx.recall(&self.observed_key).unwrap_or(-1));
        self.takes_over = self.final_only && cx.recall(&self.told_key).is_none();
        let Some(closing) = &mut self.closing else {
            self.owes = cx.recall(&self.untold_key) == Some(UNTOLD);
            return Ok(());
        };
        let told = closing.recall(cx).minus_millis(self.windows.size_ms()).max(Timestamp(-1));
        let mut open = Vec::new();
        cx.store(self.store).fetch_all(told.plus_millis(1), Timestamp(i64::MAX), &mut open)?;
        open.iter().try_for_each(|(key, start, _)| closing.opened((*start, Timestamp(0)), key))
    }

    fn process(
        &mut self,
        record: Record<K, V>,
        cx: &mut Context<'_, Windowed<K>, Change<A>>,
    ) -> Result<(), ProcessError> {
        if self.key.is_null(&record.key) {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        self.observed = self.observed.max(record.timestamp);
        if self.owes {
            self.tell_open(cx)?;
        }
        let closed = self.observed.minus_millis(self.windows.grace_ms());
        for start in self.windows.starts(record.timestamp) {
            let window = self.windows.window(start);
            if window.end <= closed {
                cx.drop_record(DropReason::Late);
                continue;
            }
            if let Some((change, timestamp)) = self.update(&record, start, cx.store(self.store))? {
                let (key, headers) = (Windowed { key: record.key.clone(), window }, record.headers.clone());
                cx.forward(Record { key, value: change, timestamp, headers })?;
            }
        }
        if self.closing.is_some() {
            // What a cache gathers has no headers.
            let headers = if self.final_only { Headers::default() } else { record.headers };
            return self.emit(&headers, cx);
        }
        if self.cached { self.flush_when_due(cx) } else { Ok(()) }
    }

    fn advance(
        &mut self,
        time: Timestamp,
        cx: &mut Context<'_, Windowed<K>, Change<A>>,
    ) -> Result<(), ProcessError> {
        self.observed = self.observed.max(time);
        if self.owes {
            self.tell_open(cx)?;
        }
        if self.closing.is_some() {
            return self.emit(&Headers::default(), cx);
        }
        if self.cached { self.flush_when_due(cx) } else { Ok(()) }
    }

    fn flush(&mut self, cx: &mut Context<'_, Windowed<K>, Change<A>>) -> Result<(), ProcessError> {
        cx.remember(&self.observed_key, self.observed.0);
        if let Some(closing) = &self.closing {
            closing.remember(cx);
            if self.final_only {
                cx.remember(&self.untold_key, UNTOLD);
            }
            return Ok(());
        }
        if self.flush_on_close && !self.owes {
            // A later run with a cache begins to tell where the suppression below has what went before.
            cx.remember(&self.told_key, self.observed.minus_millis(self.windows.grace_ms()).0);
            cx.remember(&self.untold_key, TOLD);
        }
        if !self.cached {
            return Ok(());
        }
        cx.store(self.store).take_dirty(&mut self.dirty)?;
        if self.flush_on_close {
            // A row's time lies within its window, so in this order none closes, below, a window whose row is still to
            // come. In the order of first changes a `suppress` would tell that window without its last records.
            self.dirty.sort_by_key(|row| row.key.1);
        }
        for Dirty { key: (key, start), old, new, timestamp } in self.dirty.drain(..) {
            if self.send_old && old.is_none() && new.is_none() {
                continue;
            }
            let window: Window = self.windows.window(start);
            let old = if self.send_old { old.map(|entry| entry.value) } else { None };
            let change = Change::new(old, new.map(|entry| entry.value));
            let key = Windowed { key, window };
            cx.forward(Record { key, value: change, timestamp, headers: Headers::default() })?;
        }
        Ok(())
    }
}

/// What is committed beside the offsets about open windows: they wait in the store, unknown below.
const UNTOLD: i64 = 1;
/// They are known below.
const TOLD: i64 = 0;
