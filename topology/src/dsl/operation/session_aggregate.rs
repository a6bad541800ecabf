//! `aggregate`, `count` and `reduce` within sessions.

use std::marker::PhantomData;
use std::sync::Arc;

use super::closing::Closing;
use super::keep::{self, Aggregation, Initial, Keep, Step};
use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::session_windows::window_of;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{
    Change, Data, KTable, Materialized, SessionWindowedKStream, SessionWindowedSerde, SessionWindows,
    StoreKey, StreamsBuilder, Windowed,
};
use crate::error::ProcessError;
use crate::plan::{MakeNode, Wiring};
use crate::processor::{Context, DropReason, Node, Processor, Typed};
use crate::record::{Headers, Record};
use crate::state::{Dirty, Entry, Session, SessionStore, StateStore as _, StoreHandle, Stores};
use crate::time::Timestamp;

impl<'b, K: StoreKey, V: Data> SessionWindowedKStream<'b, K, V> {
    /// Keeps an aggregate per key and session; `merge` makes one of the aggregates of two sessions. What was told of a
    /// session that grows is taken back: its deletion comes before the new one. Null keys are dropped; null values are
    /// aggregated, as in Kafka Streams.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, SessionWindows, StreamsBuilder};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let visits = builder
    ///     .stream("clicks", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(300)))
    ///     .aggregate(|| 0, |_, click, sum| *sum += click, |_, one, other| one + other, Materialized::named("visits"));
    /// # let _ = visits;
    /// # builder.build().expect("valid");
    /// ```
    pub fn aggregate<A: Data>(
        self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        merge: impl Fn(&K, &A, &A) -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, Windowed<K>, A> {
        let step = keep::adding(add);
        let sessions = Sessions::new(self.windows, merge);
        let from = (self.grouped, "KSTREAM-AGGREGATE-");
        keep::aggregate(from, (&sessions, self.on_close), move || Some(initialize()), step, materialized)
    }

    /// Counts the records of each key and session.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, SessionWindows, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10)))
    ///     .count(Materialized::named("visits"))
    ///     .to_stream()
    ///     .filter(|_, count| count.is_some())
    ///     .map(|visit, count| (format!("{} to {}", visit.window.start, visit.window.end), count.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [20, 25, 40] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let pairs: Vec<(String, i64)> = out.read_all().into_iter().map(|(key, value, _)| (key, value)).collect();
    /// # let pairs: Vec<(&str, i64)> = pairs.iter().map(|(key, count)| (key.as_str(), *count)).collect();
    /// // Of records at 20, 25 and 40: the second one makes the first session longer.
    /// assert_eq!(pairs, [("20 to 20", 1), ("20 to 25", 2), ("40 to 40", 1)]);
    /// ```
    pub fn count(self, materialized: Materialized<K, i64>) -> KTable<'b, Windowed<K>, i64> {
        materialized.burn_number(self.grouped.stream.builder);
        let sessions = Sessions::new(self.windows, |_: &K, one: &i64, other: &i64| one + other);
        let from = (self.grouped, "KSTREAM-AGGREGATE-");
        keep::aggregate(from, (&sessions, self.on_close), || Some(0), keep::counting, materialized)
    }

    /// Keeps one value per key and session; sessions that become one are reduced too.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, SessionWindows, StreamsBuilder};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10)))
    ///     .emit_on_window_close()
    ///     .reduce(|one, other| one.max(other).to_owned(), Materialized::named("most"))
    ///     .to_stream()
    ///     .map(|visit, most| (format!("{} to {}", visit.window.start, visit.window.end), most.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [20, 25, 40] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
    /// // Of 20, 25 and 40, each at its own time: the last session is not over.
    /// assert_eq!(out, [("20 to 25", 25)]);
    /// ```
    pub fn reduce(
        self,
        reducer: impl Fn(&V, &V) -> V + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<'b, Windowed<K>, V> {
        let reducer = Arc::new(reducer);
        let merger = Arc::clone(&reducer);
        let step = keep::reducing(move |one: &V, other: &V| reducer(one, other));
        let sessions = Sessions::new(self.windows, move |_: &K, one: &V, other: &V| merger(one, other));
        let from = (self.grouped, "KSTREAM-REDUCE-");
        keep::aggregate(from, (&sessions, self.on_close), || None, step, materialized)
    }
}

/// Sessions and how their aggregates become one.
pub(super) struct Sessions<M> {
    windows: SessionWindows,
    merge: Arc<M>,
}

impl<M> Sessions<M> {
    pub(super) fn new(windows: SessionWindows, merge: M) -> Self {
        Self { windows, merge: Arc::new(merge) }
    }
}

impl<K: StoreKey, A: Data, M> Keep<K, A> for Sessions<M>
where
    M: Fn(&K, &A, &A) -> A + Send + Sync + 'static,
{
    type Key = Windowed<K>;

    fn add_store(&self, builder: &StreamsBuilder, store: &Arc<str>, materialized: &Materialized<K, A>) {
        let needed = self.windows.inactivity_gap_ms() + self.windows.grace_ms();
        let retention = materialized.retention_of_at_least(needed);
        let (key, value) = (Arc::clone(&materialized.key), Arc::clone(&materialized.value));
        builder.add_store(materialized.configure(Stores::session(store, key, value, retention)));
    }

    fn make<V: Data, I: Initial<A>, F: Step<K, V, A>>(
        &self,
        aggregation: Aggregation<K, V, A, I, F>,
    ) -> MakeNode {
        let (windows, merge) = (self.windows, Arc::clone(&self.merge));
        Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
            let Aggregation { store, key, aggregate, initial, step, on_close, .. } = &aggregation;
            let closing = || Closing::new(Arc::clone(key), wiring.changelog(store), &wiring.node.name);
            Box::new(Typed::new(SessionAggregate {
                store: wiring.store::<SessionStore<K, A>>(store),
                windows,
                key: Arc::clone(key),
                aggregate: Arc::clone(aggregate),
                initial: Arc::clone(initial),
                step: Arc::clone(step),
                merge: Arc::clone(&merge),
                observed: Timestamp::UNKNOWN,
                observed_key: format!("{}-observed", wiring.node.name).into(),
                // Those below that wait for sessions to close must see each update: a session has no end known before.
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
        Some(self.windows.inactivity_gap_ms() + self.windows.grace_ms())
    }

    fn info(&self, store: &Arc<str>, materialized: Materialized<K, A>) -> TableInfo<Windowed<K>, A> {
        let key: SharedSerde<_> = Arc::new(SessionWindowedSerde::new(materialized.key));
        let getter = Some(ValueGetter::of_sessions(Arc::clone(store)));
        TableInfo { getter, key: Some(key), value: Some(materialized.value), keep: None }
    }
}

struct SessionAggregate<I, F, M, K: StoreKey, V, A: Data> {
    store: StoreHandle<SessionStore<K, A>>,
    windows: SessionWindows,
    key: SharedSerde<K>,
    aggregate: SharedSerde<A>,
    initial: Arc<I>,
    step: Arc<F>,
    merge: Arc<M>,
    /// The operator's own stream time.
    observed: Timestamp,
    observed_key: Arc<str>,
    cached: bool,
    send_old: bool,
    closing: Option<Closing<K>>,
    /// Scratch: the sessions that a record belongs to.
    found: Vec<(Session, Entry<A>)>,
    dirty: Vec<Dirty<(K, Session), A>>,
    types: PhantomData<fn(V)>,
}

/// Forwards a change of a session, whose time is its end.
fn tell<K: StoreKey, A: Data>(
    (key, session): (K, Session),
    (old, new): (Option<A>, Option<A>),
    headers: Headers,
    cx: &mut Context<'_, Windowed<K>, Change<A>>,
) -> Result<(), ProcessError> {
    let key = Windowed { key, window: window_of(session) };
    cx.forward(Record { key, value: Change::new(old, new), timestamp: session.end, headers })
}

impl<I, F, M, K, V, A> SessionAggregate<I, F, M, K, V, A>
where
    I: Initial<A>,
    F: Step<K, V, A>,
    M: Fn(&K, &A, &A) -> A + Send + Sync + 'static,
    K: StoreKey,
    V: Data,
    A: Data,
{
    /// Whether changes go on at once.
    fn tells_updates(&self) -> bool {
        !self.cached && self.closing.is_none()
    }

    /// The time before which a session is over.
    fn close(&self) -> Timestamp {
        self.observed.minus_millis(self.windows.grace_ms()).minus_millis(self.windows.inactivity_gap_ms())
    }

    /// Puts `value` in the place of the sessions found, which it has taken up.
    fn replace(
        &mut self,
        (record, session): (&Record<K, V>, Session),
        value: Option<A>,
        cx: &mut Context<'_, Windowed<K>, Change<A>>,
    ) -> Result<(), ProcessError> {
        let (key, tells) = (&record.key, self.tells_updates());
        let mut found = std::mem::take(&mut self.found);
        let mut old = None;
        // A record that makes a session of its own changes the one of that very time, if there is one, in place.
        let alone = session == Session { start: record.timestamp, end: record.timestamp };
        for (before, entry) in found.drain(..) {
            if alone {
                old = self.send_old.then_some(entry.value);
                continue;
            }
            cx.store(self.store).remove(key, before, record.timestamp)?;
            if let Some(closing) = &mut self.closing {
                closing.merged((before.end, before.start), key)?;
            }
            if tells {
                let old = self.send_old.then_some(entry.value);
                tell((key.clone(), before), (old, None), Headers::default(), cx)?;
            }
        }
        self.found = found;
        let value = value.filter(|value| !self.aggregate.is_null(value));
        let store = cx.store(self.store);
        match value.clone() {
            Some(value) => store.put(key, session, value, record.timestamp)?,
            None => drop(store.remove(key, session, record.timestamp)?),
        }
        if let Some(closing) = &mut self.closing {
            closing.opened((session.end, session.start), key)?;
        }
        if tells { tell((key.clone(), session), (old, value), Headers::default(), cx) } else { Ok(()) }
    }

    /// Tells the sessions that are over.
    fn emit(
        &mut self,
        headers: &Headers,
        cx: &mut Context<'_, Windowed<K>, Change<A>>,
    ) -> Result<(), ProcessError> {
        let close = self.close();
        let Some(closing) = self.closing.as_mut().filter(|closing| closing.is_due(close)) else {
            return Ok(());
        };
        while let Some(((end, start), key)) = closing.next(close.minus_millis(1)) {
            let session = Session { start, end };
            let value = cx.store(self.store).get(&key, session)?.map(|entry| entry.value.clone());
            if value.is_some() {
                tell((key, session), (None, value), headers.clone(), cx)?;
            }
        }
        closing.told(close);
        Ok(())
    }

    fn flush_when_full(&mut self, cx: &mut Context<'_, Windowed<K>, Change<A>>) -> Result<(), ProcessError> {
        if self.tells_updates() || !cx.store(self.store).wants_flush() {
            return Ok(());
        }
        // Where each session is told once, nothing below waits for what the cache gathers.
        if self.cached { self.flush(cx) } else { Ok(cx.store(self.store).settle()?) }
    }
}

impl<I, F, M, K, V, A> Processor<K, V, Windowed<K>, Change<A>> for SessionAggregate<I, F, M, K, V, A>
where
    I: Initial<A>,
    F: Step<K, V, A>,
    M: Fn(&K, &A, &A) -> A + Send + Sync + 'static,
    K: StoreKey,
    V: Data,
    A: Data,
{
    fn init(&mut self, cx: &mut Context<'_, Windowed<K>, Change<A>>) -> Result<(), ProcessError> {
        cx.store(self.store).capture_old(self.send_old);
        self.observed = Timestamp(cx.recall(&self.observed_key).unwrap_or(-1));
        let Some(closing) = &mut self.closing else { return Ok(()) };
        let told = closing.recall(cx);
        let mut open = Vec::new();
        cx.store(self.store).find_kept(told, &mut open)?;
        open.iter().try_for_each(|(key, session, _)| closing.opened((session.end, session.start), key))
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
        let (time, gap) = (record.timestamp, self.windows.inactivity_gap_ms());
        self.observed = self.observed.max(time);
        self.found.clear();
        let store = cx.store(self.store);
        store.find(&record.key, time.minus_millis(gap), time.plus_millis(gap), &mut self.found)?;
        let (mut session, mut value) = (Session { start: time, end: time }, (self.initial)());
        for (found, entry) in &self.found {
            session.start = session.start.min(found.start);
            session.end = session.end.max(found.end);
            value = Some(match value {
                Some(value) => (self.merge)(&record.key, &value, &entry.value),
                None => entry.value.clone(),
            });
        }
        if session.end < self.close() {
            cx.drop_record(DropReason::Late);
        } else {
            (self.step)(&record.key, &record.value, &mut value);
            self.replace((&record, session), value, cx)?;
        }
        self.emit(&record.headers, cx)?;
        self.flush_when_full(cx)
    }

    fn advance(
        &mut self,
        time: Timestamp,
        cx: &mut Context<'_, Windowed<K>, Change<A>>,
    ) -> Result<(), ProcessError> {
        self.observed = self.observed.max(time);
        self.emit(&Headers::default(), cx)
    }

    fn flush(&mut self, cx: &mut Context<'_, Windowed<K>, Change<A>>) -> Result<(), ProcessError> {
        cx.remember(&self.observed_key, self.observed.0);
        if let Some(closing) = &self.closing {
            closing.remember(cx);
        }
        if !self.cached {
            return Ok(());
        }
        cx.store(self.store).take_dirty(&mut self.dirty)?;
        for Dirty { key, old, new, .. } in self.dirty.drain(..) {
            if self.send_old && old.is_none() && new.is_none() {
                continue;
            }
            let old = if self.send_old { old.map(|entry| entry.value) } else { None };
            tell(key, (old, new.map(|entry| entry.value)), Headers::default(), cx)?;
        }
        Ok(())
    }
}
