//! The nodes of a join of two streams: one keeps a side's records, one matches each record with the other side's, and in
//! an outer join tells which never found a match.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::dsl::options::SharedSerde;
use crate::dsl::{Data, JoinWindows, StoreKey};
use crate::error::ProcessError;
use crate::processor::{Context, DropReason, Processor};
use crate::record::{Headers, Record};
use crate::state::{Entry, JoinBuffer, JoinClock, Released, Side, Sided, StoreHandle, WindowStore};
use crate::time::Timestamp;

/// Hands each record on and then keeps it, so that a record never meets itself.
pub(super) struct KeepSide<K, V> {
    pub(super) store: StoreHandle<WindowStore<K, V>>,
    pub(super) key: SharedSerde<K>,
    pub(super) value: SharedSerde<V>,
}

impl<K: StoreKey, V: Data> Processor<K, V, K, V> for KeepSide<K, V> {
    fn process(&mut self, record: Record<K, V>, cx: &mut Context<'_, K, V>) -> Result<(), ProcessError> {
        cx.forward(record.clone())?;
        if self.key.is_null(&record.key) {
            return Ok(());
        }
        if self.value.is_null(&record.value) {
            cx.store(self.store).skip();
            return Ok(());
        }
        let Record { key, value, timestamp, .. } = record;
        Ok(cx.store(self.store).append(&key, timestamp, &Entry { value, timestamp })?)
    }
}

/// What differs between the two sides of a join.
pub(super) trait JoinSide<L: Data, R: Data>: Send + 'static {
    type This: Data;
    type Other: Data;
    const SIDE: Side;

    /// The two values as the joiner takes them.
    fn arrange<'v>(
        this: Option<&'v Self::This>,
        other: Option<&'v Self::Other>,
    ) -> (Option<&'v L>, Option<&'v R>);

    /// A value that is to be held.
    fn sided(this: Self::This) -> Sided<L, R>;
}

pub(super) struct LeftSide;
pub(super) struct RightSide;

impl<L: Data, R: Data> JoinSide<L, R> for LeftSide {
    type This = L;
    type Other = R;
    const SIDE: Side = Side::Left;

    fn arrange<'v>(this: Option<&'v L>, other: Option<&'v R>) -> (Option<&'v L>, Option<&'v R>) {
        (this, other)
    }

    fn sided(this: L) -> Sided<L, R> {
        Sided::Left(this)
    }
}

impl<L: Data, R: Data> JoinSide<L, R> for RightSide {
    type This = R;
    type Other = L;
    const SIDE: Side = Side::Right;

    fn arrange<'v>(this: Option<&'v R>, other: Option<&'v L>) -> (Option<&'v L>, Option<&'v R>) {
        (other, this)
    }

    fn sided(this: R) -> Sided<L, R> {
        Sided::Right(this)
    }
}

/// What an outer join holds back, and under which keys its clock is committed with the offsets.
pub(super) struct Held<K, L, R> {
    pub(super) buffer: StoreHandle<JoinBuffer<K, L, R>>,
    pub(super) stream_time_key: Arc<str>,
    pub(super) min_time_key: Arc<str>,
    pub(super) scan_interval_ms: i64,
}

/// Matches the records of one side.
pub(super) struct MatchSide<S: JoinSide<L, R>, F, K, L: Data, R: Data, O> {
    pub(super) other: StoreHandle<WindowStore<K, S::Other>>,
    /// Both sides' records without a match, where either side wants them.
    pub(super) held: Option<Held<K, L, R>>,
    /// Whether this side's records are told without a match.
    pub(super) outer: bool,
    pub(super) windows: JoinWindows,
    pub(super) key: SharedSerde<K>,
    pub(super) value: SharedSerde<S::This>,
    pub(super) joiner: Arc<F>,
    pub(super) found: Vec<(Timestamp, Entry<S::Other>)>,
    pub(super) released: Vec<Released<K, L, R>>,
    pub(super) types: PhantomData<fn() -> (S, O)>,
}

impl<S, F, K, L, R, O> MatchSide<S, F, K, L, R, O>
where
    S: JoinSide<L, R>,
    F: Fn(&K, Option<&L>, Option<&R>) -> Option<O> + Send + Sync + 'static,
    K: StoreKey,
    L: Data,
    R: Data,
    O: Data,
{
    /// How far before and after a record of this side the other side's may lie.
    fn reach(&self) -> (i64, i64) {
        match S::SIDE {
            Side::Left => (self.windows.before, self.windows.after),
            Side::Right => (self.windows.after, self.windows.before),
        }
    }

    fn send(
        &self,
        (key, this, other): (&K, Option<&S::This>, Option<&S::Other>),
        timestamp: Timestamp,
        headers: &Headers,
        cx: &mut Context<'_, K, O>,
    ) -> Result<(), ProcessError> {
        let (left, right) = S::arrange(this, other);
        let Some(value) = (self.joiner)(key, left, right) else { return Ok(()) };
        cx.forward(Record { key: key.clone(), value, timestamp, headers: headers.clone() })
    }

    /// Tells the records without a match whose window has closed. As in Kafka Streams the first look is at the reach of
    /// the side whose record came, so that with unequal ends one of the other side may wait for a later record.
    fn release(&mut self, headers: &Headers, cx: &mut Context<'_, K, O>) -> Result<(), ProcessError> {
        let Some(held) = &self.held else { return Ok(()) };
        let (_, after) = self.reach();
        let (windows, wall) = (self.windows, cx.wall_clock());
        let buffer = cx.store(held.buffer);
        let JoinClock { stream_time, min_time, next_scan } = buffer.clock;
        // The least time of an empty buffer is unknown, not late: there the first look is never in vain.
        let known = min_time.0 != i64::MAX;
        if (known && min_time.plus_millis(after + windows.grace) >= stream_time) || wall < next_scan {
            return Ok(());
        }
        buffer.clock.next_scan = wall.plus_millis(held.scan_interval_ms);
        let is_open = |side: Side, time: Timestamp| {
            let reach = if side == Side::Left { windows.after } else { windows.before };
            time.plus_millis(reach + windows.grace) >= stream_time
        };
        let mut released = std::mem::take(&mut self.released);
        buffer.release(is_open, &mut released)?;
        let told = released.drain(..).try_for_each(|(key, timestamp, value)| {
            let value = match &value {
                Sided::Left(left) => (self.joiner)(&key, Some(left), None),
                Sided::Right(right) => (self.joiner)(&key, None, Some(right)),
            };
            let headers = headers.clone();
            value.map_or(Ok(()), |value| cx.forward(Record { key, value, timestamp, headers }))
        });
        self.released = released;
        told
    }

    /// No record of the other side matches: tell it now when its window has closed already, else hold it.
    fn no_match(
        &mut self,
        record: Record<K, S::This>,
        to: Timestamp,
        cx: &mut Context<'_, K, O>,
    ) -> Result<(), ProcessError> {
        if let Some(held) = &self.held {
            let buffer = cx.store(held.buffer);
            if to >= buffer.clock.stream_time {
                buffer.clock.min_time = buffer.clock.min_time.min(record.timestamp);
                return Ok(buffer.put(record.timestamp, &record.key, S::sided(record.value))?);
            }
        }
        self.send((&record.key, Some(&record.value), None), record.timestamp, &record.headers, cx)
    }

    /// Forwards a match for each record found; those of them that waited for one wait no longer.
    fn matched(
        &mut self,
        record: &Record<K, S::This>,
        cx: &mut Context<'_, K, O>,
    ) -> Result<(), ProcessError> {
        let other_side = if S::SIDE == Side::Left { Side::Right } else { Side::Left };
        let found = std::mem::take(&mut self.found);
        for (time, other) in &found {
            if let Some(held) = &self.held {
                cx.store(held.buffer).remove(*time, other_side, &record.key)?;
            }
            let both = (&record.key, Some(&record.value), Some(&other.value));
            self.send(both, record.timestamp.max(*time), &record.headers, cx)?;
        }
        self.found = found;
        Ok(())
    }
}

impl<S, F, K, L, R, O> Processor<K, S::This, K, O> for MatchSide<S, F, K, L, R, O>
where
    S: JoinSide<L, R>,
    F: Fn(&K, Option<&L>, Option<&R>) -> Option<O> + Send + Sync + 'static,
    K: StoreKey,
    L: Data,
    R: Data,
    O: Data,
{
    fn init(&mut self, cx: &mut Context<'_, K, O>) -> Result<(), ProcessError> {
        let Some(held) = &self.held else { return Ok(()) };
        let stream_time = cx.recall(&held.stream_time_key).map_or(Timestamp::UNKNOWN, Timestamp);
        let min_time = cx.recall(&held.min_time_key).map_or(Timestamp(i64::MAX), Timestamp);
        let clock = JoinClock { stream_time, min_time, ..JoinClock::default() };
        cx.store(held.buffer).clock = clock;
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<K, S::This>,
        cx: &mut Context<'_, K, O>,
    ) -> Result<(), ProcessError> {
        let time = record.timestamp;
        let mut leads = false;
        if let Some(held) = &self.held {
            let buffer = cx.store(held.buffer);
            buffer.at(time);
            buffer.clock.stream_time = buffer.clock.stream_time.max(time);
            leads = buffer.clock.stream_time == time;
        }
        if self.value.is_null(&record.value) {
            cx.drop_record(DropReason::NullValue);
            return Ok(());
        }
        if self.key.is_null(&record.key) {
            if self.outer {
                return self.send((&record.key, Some(&record.value), None), time, &record.headers, cx);
            }
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        if leads {
            self.release(&record.headers, cx)?;
        }
        let (before, after) = self.reach();
        let from = time.minus_millis(before).max(Timestamp(0));
        let to = time.plus_millis(after).max(Timestamp(0));
        self.found.clear();
        cx.store(self.other).fetch(&record.key, from, to, &mut self.found)?;
        if !self.found.is_empty() {
            self.matched(&record, cx)
        } else if self.outer {
            self.no_match(record, to, cx)
        } else {
            Ok(())
        }
    }

    fn flush(&mut self, cx: &mut Context<'_, K, O>) -> Result<(), ProcessError> {
        let Some(held) = &self.held else { return Ok(()) };
        let JoinClock { stream_time, min_time, .. } = cx.store(held.buffer).clock;
        cx.remember(&held.stream_time_key, stream_time.0);
        cx.remember(&held.min_time_key, min_time.0);
        Ok(())
    }
}
