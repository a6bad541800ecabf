//! A table's own store, as its node keeps it: changes go on at once, or gathered by the cache. Shared by every node that
//! keeps one value a key.

use crate::dsl::{Change, Data, StoreKey};
use crate::error::ProcessError;
use crate::plan::Wiring;
use crate::processor::Context;
use crate::record::{Headers, Record};
use crate::serde::Serde;
use crate::state::{Dirty, Entry, KeyValueStore, StoreHandle};
use crate::time::Timestamp;

/// A store of one value a key, and how its changes are told.
pub(super) struct Kept<K: StoreKey, A: Data> {
    store: StoreHandle<KeyValueStore<K, A>>,
    cached: bool,
    send_old: bool,
    dirty: Vec<Dirty<K, A>>,
}

/// A change that is to be told now, and its time.
pub(super) type Told<A> = Option<(Change<A>, Timestamp)>;

impl<K: StoreKey, A: Data> Kept<K, A> {
    pub(super) fn new(wiring: &Wiring<'_>, store: &str) -> Self {
        let (cached, send_old) = (wiring.caches(store), wiring.node.send_old);
        Self { store: wiring.store(store), cached, send_old, dirty: Vec::new() }
    }

    pub(super) fn init(&self, cx: &mut Context<'_, K, Change<A>>) {
        cx.store(self.store).capture_old(self.send_old);
    }

    /// Lets `change` change a key's entry, which tells the old value, where it is asked for it, and the change's time.
    /// Gives what is to be told now: nothing where the cache gathers changes.
    #[inline]
    pub(super) fn change(
        &mut self,
        key: &K,
        time: Timestamp,
        cx: &mut Context<'_, K, Change<A>>,
        change: impl FnOnce(&mut Option<Entry<A>>, bool) -> (Option<A>, Timestamp),
    ) -> Result<Told<A>, ProcessError> {
        let (cached, old_wanted) = (self.cached, self.send_old && !self.cached);
        let told = cx.store(self.store).update(key, time, |slot| {
            let (old, timestamp) = change(slot, old_wanted);
            let new = || slot.as_ref().map(|entry| entry.value.clone());
            (!cached).then(|| (Change::new(old, new()), timestamp))
        })?;
        if cached && cx.store(self.store).wants_flush() {
            self.flush(cx)?;
        }
        Ok(told)
    }

    /// Puts a value in the place of what a key had.
    #[inline]
    pub(super) fn replace(
        &mut self,
        key: &K,
        value: Option<A>,
        time: Timestamp,
        cx: &mut Context<'_, K, Change<A>>,
    ) -> Result<Told<A>, ProcessError> {
        if !self.cached && !self.send_old {
            let entry = value.clone().map(|value| Entry { value, timestamp: time });
            cx.store(self.store).replace(key, entry, time)?;
            return Ok(Some((Change::new(None, value), time)));
        }
        let entry = value.map(|value| Entry { value, timestamp: time });
        self.change(key, time, cx, |slot, old_wanted| {
            let before = std::mem::replace(slot, entry);
            (if old_wanted { before.map(|entry| entry.value) } else { None }, time)
        })
    }

    /// As [`change`](Self::change), and forwards what is to be told now.
    #[inline]
    pub(super) fn change_and_tell<V>(
        &mut self,
        record: Record<K, V>,
        cx: &mut Context<'_, K, Change<A>>,
        change: impl FnOnce(&K, V, &mut Option<Entry<A>>, bool) -> (Option<A>, Timestamp),
    ) -> Result<(), ProcessError> {
        let Record { key, value, timestamp, headers } = record;
        let told =
            self.change(&key, timestamp, cx, |slot, old_wanted| change(&key, value, slot, old_wanted))?;
        match told {
            Some((value, timestamp)) => cx.forward(Record { key, value, timestamp, headers }),
            None => Ok(()),
        }
    }

    /// Forwards what the cache gathered. A key that came and went in between is not mentioned.
    pub(super) fn flush(&mut self, cx: &mut Context<'_, K, Change<A>>) -> Result<(), ProcessError> {
        if !self.cached {
            return Ok(());
        }
        cx.store(self.store).take_dirty(&mut self.dirty)?;
        for Dirty { key, old, new, timestamp } in self.dirty.drain(..) {
            if self.send_old && old.is_none() && new.is_none() {
                continue;
            }
            let old = if self.send_old { old.map(|entry| entry.value) } else { None };
            let value = Change::new(old, new.map(|entry| entry.value));
            cx.forward(Record { key, value, timestamp, headers: Headers::default() })?;
        }
        Ok(())
    }
}

/// Runs one aggregation step on a slot; gives the old value where it is wanted, and the new timestamp. The old value
/// of a first step is the initial one, not none, as in Kafka Streams.
#[inline]
pub(super) fn apply<A: Data>(
    slot: &mut Option<Entry<A>>,
    time: Timestamp,
    old_wanted: bool,
    initial: &impl Fn() -> Option<A>,
    step: impl FnOnce(&mut Option<A>),
    serde: &dyn Serde<A>,
) -> (Option<A>, Timestamp) {
    let (mut value, timestamp) = match slot.take() {
        Some(entry) => (Some(entry.value), entry.timestamp.max(time)),
        None => (initial(), time),
    };
    let old = if old_wanted { value.clone() } else { None };
    step(&mut value);
    *slot = value.filter(|value| !serde.is_null(value)).map(|value| Entry { value, timestamp });
    (old, timestamp)
}
