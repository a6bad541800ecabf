//! `aggregate`, `count` and `reduce` within sliding windows.

use std::marker::PhantomData;
use std::sync::Arc;

use super::closing::Closing;
use super::keep::{self, Aggregation, Initial, Keep, Step};
use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{
    Change, Data, KTable, Materialized, SlidingWindowedKStream, SlidingWindows, StoreKey, StreamsBuilder,
    Windowed, WindowedSerde,
};
use crate::error::ProcessError;
use crate::plan::{MakeNode, Wiring};
use crate::processor::{Context, DropReason, Node, Processor, Typed};
use crate::record::{Headers, Record};
use crate::state::{Dirty, Entry, StateStore as _, StoreHandle, Stores, WindowStore};
use crate::time::{Timestamp, duration};

impl<'b, K: StoreKey, V: Data> SlidingWindowedKStream<'b, K, V> {
    /// Keeps an aggregate per key and window; see
    /// [`KGroupedStream::aggregate`](crate::KGroupedStream::aggregate). Null keys and null values are dropped.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, SlidingWindows, StreamsBuilder};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(SlidingWindows::of_time_difference_with_no_grace(Duration::from_millis(10)))
    ///     .aggregate(|| 0, |_, n, sum: &mut i64| *sum += n, Materialized::named("sums"))
    ///     .to_stream()
    ///     .map(|window, sum| (format!("{} to {}", window.window.start, window.window.end), sum.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [20, 25] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
    /// // Of 20 and 25, each at its own time: alone, behind the first one, and together.
    /// assert_eq!(out, [("10 to 20", 20), ("21 to 31", 25), ("15 to 25", 45)]);
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
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, SlidingWindows, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(SlidingWindows::of_time_difference_with_no_grace(Duration::from_millis(10)))
    ///     .count(Materialized::named("counts"))
    ///     .to_stream()
    ///     .map(|window, count| (format!("{} to {}", window.window.start, window.window.end), count.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [20, 25] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let pairs: Vec<(String, i64)> = out.read_all().into_iter().map(|(key, value, _)| (key, value)).collect();
    /// # let pairs: Vec<(&str, i64)> = pairs.iter().map(|(key, count)| (key.as_str(), *count)).collect();
    /// // Of records at 20 and 25: both lie in the window that ends with the second one.
    /// assert_eq!(pairs, [("10 to 20", 1), ("21 to 31", 1), ("15 to 25", 2)]);
    /// ```
    pub fn count(self, materialized: Materialized<K, i64>) -> KTable<'b, Windowed<K>, i64> {
        let from = (self.grouped, "KSTREAM-AGGREGATE-");
        keep::aggregate(from, (&self.windows, self.on_close), || Some(0), keep::counting, materialized)
    }

    /// Keeps one value per key and window.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, SlidingWindows, StreamsBuilder, Windowed, KTable};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let highest: KTable<'_, Windowed<String>, i64> = builder
    ///     .stream("prices", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60)))
    ///     .reduce(|one, other| one.max(other).to_owned(), Materialized::named("highest"));
    /// # let _ = highest;
    /// # builder.build().expect("valid");
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

impl<K: StoreKey, A: Data> Keep<K, A> for SlidingWindows {
    type Key = Windowed<K>;

    fn add_store(&self, builder: &StreamsBuilder, store: &Arc<str>, materialized: &Materialized<K, A>) {
        // Those of a record's windows that are made of older ones must still be there.
        let needed = 2 * self.time_difference_ms() + self.grace_ms();
        let retention = materialized.retention_of_at_least(needed);
        let (key, value) = (Arc::clone(&materialized.key), Arc::clone(&materialized.value));
        let windows = Stores::window(store, key, value, duration(self.time_difference_ms()), retention);
        builder.add_store(materialized.configure(windows));
    }

    fn make<V: Data, I: Initial<A>, F: Step<K, V, A>>(
        &self,
        aggregation: Aggregation<K, V, A, I, F>,
    ) -> MakeNode {
        let windows = *self;
        Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
            let Aggregation { store, key, value, aggregate, initial, step, on_close } = &aggregation;
            let closing = || Closing::new(Arc::clone(key), wiring.changelog(store), &wiring.node.name);
            Box::new(Typed::new(SlidingAggregate {
                store: wiring.store::<WindowStore<K, A>>(store),
                windows,
                key: Arc::clone(key),
                value: Arc::clone(value),
                aggregate: Arc::clone(aggregate),
                initial: Arc::clone(initial),
                step: Arc::clone(step),
                observed: Timestamp::UNKNOWN,
                observed_key: format!("{}-observed", wiring.node.name).into(),
                // Those below that wait for windows to close must see each update: a window may close at any time.
                cached: wiring.caches(store) && !*on_close && !wiring.node.flush_on_close,
                send_old: wiring.node.send_old,
                closing: on_close.then(closing),
                found: Vec::new(),
                dirty: Vec::new(),
                types: PhantomData,
            }))
        })
    }

    fn grace_ms(&self) -> Option<i64> {
        Some(Self::grace_ms(self))
    }

    fn info(&self, store: &Arc<str>, materialized: Materialized<K, A>) -> TableInfo<Windowed<K>, A> {
        let size = self.time_difference_ms();
        let key: SharedSerde<_> = Arc::new(WindowedSerde::shared(materialized.key, size));
        let getter = Some(ValueGetter::of_windows(Arc::clone(store)));
        TableInfo { getter, key: Some(key), value: Some(materialized.value), keep: None }
    }
}

/// An aggregate on its way into a window, and the greatest time of a record in it.
type Slot<A> = (Option<A>, Timestamp);

/// What the windows around a record tell.
struct Around<A> {
    /// The aggregate of the records behind the new one, if one is known.
    right: Option<Entry<A>>,
    /// Whether the window that begins right behind the record is there.
    has_right: bool,
    /// The time of the record before the new one.
    previous: Option<Timestamp>,
}

struct SlidingAggregate<I, F, K: StoreKey, V, A: Data> {
    store: StoreHandle<WindowStore<K, A>>,
    windows: SlidingWindows,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    aggregate: SharedSerde<A>,
    initial: Arc<I>,
    step: Arc<F>,
    /// The operator's own stream time.
    observed: Timestamp,
    observed_key: Arc<str>,
    cached: bool,
    send_old: bool,
    closing: Option<Closing<K>>,
    /// Scratch: the windows that a record may fall into.
    found: Vec<(Timestamp, Entry<A>)>,
    dirty: Vec<Dirty<(K, Timestamp), A>>,
    types: PhantomData<fn(V)>,
}

type Cx<'a, K, A> = Context<'a, Windowed<K>, Change<A>>;

impl<I, F, K, V, A> SlidingAggregate<I, F, K, V, A>
where
    I: Initial<A>,
    F: Step<K, V, A>,
    K: StoreKey,
    V: Data,
    A: Data,
{
    fn closed(&self) -> Timestamp {
        self.observed.minus_millis(self.windows.grace_ms())
    }

    /// Puts an aggregate into a window and tells the change where changes go on at once.
    fn put(
        &mut self,
        (record, start): (&Record<K, V>, Timestamp),
        (old, new, timestamp): (Option<A>, Option<A>, Timestamp),
        cx: &mut Cx<'_, K, A>,
    ) -> Result<(), ProcessError> {
        let new = new.filter(|value| !self.aggregate.is_null(value));
        let entry = new.clone().map(|value| Entry { value, timestamp });
        let opened = cx
            .store(self.store)
            .update(&record.key, start, timestamp, |slot| std::mem::replace(slot, entry).is_none())?;
        if let Some(closing) = &mut self.closing {
            return if opened { closing.opened((start, Timestamp(0)), &record.key) } else { Ok(()) };
        }
        if self.cached {
            return Ok(());
        }
        let key = Windowed { key: record.key.clone(), window: self.windows.window(start) };
        let old = if self.send_old { old } else { None };
        cx.forward(Record { key, value: Change::new(old, new), timestamp, headers: record.headers.clone() })
    }

    /// Adds the record to the aggregate of the window that starts at `start`, unless it has closed.
    fn update(
        &mut self,
        (record, start): (&Record<K, V>, Timestamp),
        (value, time): Slot<A>,
        cx: &mut Cx<'_, K, A>,
    ) -> Result<(), ProcessError> {
        if self.windows.window(start).end < self.closed() {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        let time = if value.is_some() { time.max(record.timestamp) } else { record.timestamp };
        let old = if self.send_old { value.clone() } else { None };
        let mut new = value;
        (self.step)(&record.key, &record.value, &mut new);
        self.put((record, start), (old, new, time), cx)
    }

    /// Begins a window with the record.
    fn begin(&mut self, at: (&Record<K, V>, Timestamp), cx: &mut Cx<'_, K, A>) -> Result<(), ProcessError> {
        let initial = ((self.initial)(), at.0.timestamp);
        self.update(at, initial, cx)
    }

    /// Makes the window that begins right behind the record, where records lie in it.
    fn make_right(
        &mut self,
        record: &Record<K, V>,
        around: &Around<A>,
        cx: &mut Cx<'_, K, A>,
    ) -> Result<(), ProcessError> {
        match &around.right {
            Some(right) if !around.has_right && right.timestamp > record.timestamp => {
                let start = record.timestamp.plus_millis(1);
                let change = (None, Some(right.value.clone()), right.timestamp);
                self.put((record, start), change, cx)
            }
            _ => Ok(()),
        }
    }

    /// A record that could begin a window before time itself: one window from 0 on holds all of them.
    fn early(
        &mut self,
        record: &Record<K, V>,
        found: &[(Timestamp, Entry<A>)],
        cx: &mut Cx<'_, K, A>,
    ) -> Result<(), ProcessError> {
        let time = record.timestamp;
        let mut around = Around { right: None, has_right: false, previous: None };
        let mut combined = None;
        for (start, entry) in found {
            if start.0 == 0 {
                combined = Some(entry);
                around.previous = (entry.timestamp < time).then_some(entry.timestamp);
            } else if *start <= time {
                around.right = Some(entry.clone());
                self.update((record, *start), (Some(entry.value.clone()), entry.timestamp), cx)?;
            } else {
                around.has_right = true;
            }
        }
        if around.right.is_none() {
            around.right = combined.filter(|entry| entry.timestamp > time).cloned();
        }
        self.make_right(record, &around, cx)?;
        if let Some(previous) = around.previous.map(|time| time.plus_millis(1))
            && !found.iter().any(|(start, _)| *start == previous)
        {
            self.begin((record, previous), cx)?;
        }
        match combined {
            Some(entry) => {
                self.update((record, Timestamp(0)), (Some(entry.value.clone()), entry.timestamp), cx)
            }
            None => self.begin((record, Timestamp(0)), cx),
        }
    }

    /// Adds the record to the windows it falls into, the latest first, and makes those that it begins and ends.
    fn add(
        &mut self,
        record: &Record<K, V>,
        found: &[(Timestamp, Entry<A>)],
        cx: &mut Cx<'_, K, A>,
    ) -> Result<(), ProcessError> {
        let (time, difference) = (record.timestamp, self.windows.time_difference_ms());
        let mut around = Around { right: None, has_right: false, previous: None };
        let (mut before, mut has_left) = (None, false);
        for (start, entry) in found {
            let end = start.plus_millis(difference);
            if *start > time {
                around.has_right = true;
            } else if end > time {
                around.right.get_or_insert_with(|| entry.clone());
                self.update((record, *start), (Some(entry.value.clone()), entry.timestamp), cx)?;
            } else if end == time {
                has_left = true;
                self.update((record, *start), (Some(entry.value.clone()), entry.timestamp), cx)?;
                if entry.timestamp >= time {
                    // A record of the same time has made all windows already.
                    return Ok(());
                }
                around.previous = Some(entry.timestamp);
            } else {
                before = Some(entry);
                around.previous = Some(entry.timestamp);
                break;
            }
        }
        if let Some(start) = around.previous.map(|previous| previous.plus_millis(1))
            && start.plus_millis(difference) >= time
            && !found.iter().any(|(found, _)| *found == start)
        {
            self.begin((record, start), cx)?;
        }
        if !has_left {
            let left = time.minus_millis(difference);
            match before.filter(|entry| left <= entry.timestamp) {
                Some(entry) => self.update((record, left), (Some(entry.value.clone()), time), cx)?,
                None => self.begin((record, left), cx)?,
            }
        }
        self.make_right(record, &around, cx)
    }

    /// Tells the windows that have closed, where each is told once.
    fn emit(&mut self, headers: &Headers, cx: &mut Cx<'_, K, A>) -> Result<(), ProcessError> {
        let close = self.closed();
        let Some(closing) = self.closing.as_mut().filter(|closing| closing.is_due(close)) else {
            return Ok(());
        };
        let last = close.minus_millis(self.windows.time_difference_ms() + 1);
        while let Some(((start, _), key)) = closing.next(last) {
            let Some(entry) = cx.store(self.store).get_closing(&key, start)?.cloned() else { continue };
            let (key, headers) = (Windowed { key, window: self.windows.window(start) }, headers.clone());
            let value = Change::new(None, Some(entry.value));
            cx.forward(Record { key, value, timestamp: entry.timestamp, headers })?;
        }
        closing.told(close);
        Ok(())
    }
}

impl<I, F, K, V, A> Processor<K, V, Windowed<K>, Change<A>> for SlidingAggregate<I, F, K, V, A>
where
    I: Initial<A>,
    F: Step<K, V, A>,
    K: StoreKey,
    V: Data,
    A: Data,
{
    fn init(&mut self, cx: &mut Cx<'_, K, A>) -> Result<(), ProcessError> {
        cx.store(self.store).capture_old(self.send_old);
        self.observed = Timestamp(cx.recall(&self.observed_key).unwrap_or(-1));
        let Some(closing) = &mut self.closing else { return Ok(()) };
        let told = closing.recall(cx).minus_millis(self.windows.time_difference_ms()).max(Timestamp(0));
        let mut open = Vec::new();
        cx.store(self.store).fetch_all(told, Timestamp(i64::MAX), &mut open)?;
        open.iter().try_for_each(|(key, start, _)| closing.opened((*start, Timestamp(0)), key))
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut Cx<'_, K, A>) -> Result<(), ProcessError> {
        if self.key.is_null(&record.key) {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        if self.value.is_null(&record.value) {
            cx.drop_record(DropReason::NullValue);
            return Ok(());
        }
        let (time, difference) = (record.timestamp, self.windows.time_difference_ms());
        self.observed = self.observed.max(time);
        if time.plus_millis(difference) < self.closed() {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        let early = time.0 < difference;
        let from = if early { Timestamp(0) } else { time.minus_millis(2 * difference).max(Timestamp(0)) };
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        let (store, to) = (cx.store(self.store), time.plus_millis(1));
        if early {
            store.fetch(&record.key, from, to, &mut found)?;
            self.early(&record, &found, cx)?;
        } else {
            store.fetch_reverse(&record.key, from, to, &mut found)?;
            self.add(&record, &found, cx)?;
            self.emit(&record.headers, cx)?;
        }
        self.found = found;
        if !(self.cached || self.closing.is_some()) || !cx.store(self.store).wants_flush() {
            return Ok(());
        }
        // Where each window is told once, nothing below waits for what the cache gathers.
        if self.cached { self.flush(cx) } else { Ok(cx.store(self.store).settle()?) }
    }

    fn advance(&mut self, time: Timestamp, cx: &mut Cx<'_, K, A>) -> Result<(), ProcessError> {
        self.observed = self.observed.max(time);
        self.emit(&Headers::default(), cx)
    }

    fn flush(&mut self, cx: &mut Cx<'_, K, A>) -> Result<(), ProcessError> {
        cx.remember(&self.observed_key, self.observed.0);
        if let Some(closing) = &self.closing {
            closing.remember(cx);
        }
        if !self.cached {
            return Ok(());
        }
        cx.store(self.store).take_dirty(&mut self.dirty)?;
        for Dirty { key: (key, start), old, new, timestamp } in self.dirty.drain(..) {
            if self.send_old && old.is_none() && new.is_none() {
                continue;
            }
            let old = if self.send_old { old.map(|entry| entry.value) } else { None };
            let (window, value) =
                (self.windows.window(start), Change::new(old, new.map(|entry| entry.value)));
            let (key, headers) = (Windowed { key, window }, Headers::default());
            cx.forward(Record { key, value, timestamp, headers })?;
        }
        Ok(())
    }
}
