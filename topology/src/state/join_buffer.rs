//! What an outer join of streams holds back: records without a match whose window is still open, in order of time, side
//! and key bytes. Owns that order, the bytes, and the time both sides of the join share; must not know windows.

use std::any::Any;
use std::ops::Bound;
use std::sync::Arc;

use super::StateStore;
use super::error::StoreError;
use super::overlay::{Layer, WHOLE};
use super::rows::{AHEAD, Place, RankedRows, RowBytes};
use super::schema::join::{self, Side};
use crate::record::RecordRun;
use crate::serde::{Serde, SerdeError};
use crate::time::Timestamp;

/// A record's value, by the side it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sided<L, R> {
    Left(L),
    Right(R),
}

impl<L, R> Sided<L, R> {
    fn side(&self) -> Side {
        match self {
            Self::Left(_) => Side::Left,
            Self::Right(_) => Side::Right,
        }
    }
}

/// The time that both sides of a join share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JoinClock {
    /// The greatest time either side has seen.
    pub(crate) stream_time: Timestamp,
    /// A time before which nothing is held, as far as it is known.
    pub(crate) min_time: Timestamp,
    /// The wall-clock time before which nothing is looked for.
    pub(crate) next_scan: Timestamp,
}

impl Default for JoinClock {
    fn default() -> Self {
        Self { stream_time: Timestamp::UNKNOWN, min_time: Timestamp(i64::MAX), next_scan: Timestamp(0) }
    }
}

/// Records of one key, time and side.
struct Held<K, L, R> {
    key: K,
    first: Sided<L, R>,
    more: Vec<Sided<L, R>>,
    /// Whether the overlay has not seen it as it is.
    is_dirty: bool,
    /// Whether the layers below may hold it: what comes and goes between two commits never gets there.
    is_below: bool,
}

/// A record that is let go: its key, its time and its value.
pub(crate) type Released<K, L, R> = (K, Timestamp, Sided<L, R>);

/// How a join's key and values are written.
pub(crate) struct JoinSerdes<K, L, R> {
    pub(crate) key: Arc<dyn Serde<K>>,
    pub(crate) left: Arc<dyn Serde<L>>,
    pub(crate) right: Arc<dyn Serde<R>>,
}

/// The records without a match of one join.
pub(crate) struct JoinBuffer<K, L, R> {
    key: Arc<dyn Serde<K>>,
    left: Arc<dyn Serde<L>>,
    right: Arc<dyn Serde<R>>,
    topic: Arc<str>,
    layer: Layer,
    /// By the bytes of time, side and key, in order of time and side.
    rows: RankedRows<(Timestamp, Side), Held<K, L, R>>,
    /// The rows that became dirty, and the bytes of those below that were forgotten, since both were last staged.
    dirty: Vec<Place>,
    gone: Vec<RowBytes>,
    loaded: bool,
    /// The time both sides share; not state of the store, but of the operator whose two nodes meet here.
    pub(crate) clock: JoinClock,
    /// The time of the record in process, which changelog records carry.
    now: Timestamp,
    scratch: Vec<u8>,
    row: Vec<u8>,
}

impl<K, L, R> JoinBuffer<K, L, R>
where
    K: Clone + Send + 'static,
    L: Clone + Send + 'static,
    R: Clone + Send + 'static,
{
    pub(crate) fn new(
        JoinSerdes { key, left, right }: JoinSerdes<K, L, R>,
        topic: Arc<str>,
        layer: Layer,
    ) -> Self {
        Self {
            key,
            left,
            right,
            topic,
            layer,
            rows: RankedRows::new(join::PREFIX_BYTES),
            dirty: Vec::new(),
            gone: Vec::new(),
            loaded: false,
            clock: JoinClock::default(),
            now: Timestamp::UNKNOWN,
            scratch: Vec::new(),
            row: Vec::new(),
        }
    }

    fn fault(&self, source: SerdeError) -> StoreError {
        StoreError::Serde { store: self.layer.store.clone(), source }
    }

    /// Puts the bytes of a row's key into the scratch.
    fn write_key(&mut self, time: Timestamp, side: Side, key: &K) -> Result<(), StoreError> {
        self.row.clear();
        join::put_prefix(time, side, &mut self.row);
        let written = self.key.serialize(&self.topic, key, &mut self.row);
        written.map_err(|source| self.fault(source))
    }

    /// Tells the time of the record in process.
    pub(crate) fn at(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Holds a record beside those of the same key, time and side.
    pub(crate) fn put(&mut self, time: Timestamp, key: &K, value: Sided<L, R>) -> Result<(), StoreError> {
        self.load()?;
        let side = value.side();
        self.write_key(time, side, key)?;
        let (mut value, row) = (Some(value), &self.row);
        let (place, _, held) = self.rows.get_or_insert(row, (time, side), || Held {
            key: key.clone(),
            first: value.take().expect("a value is put once"),
            more: Vec::new(),
            is_dirty: false,
            is_below: false,
        });
        held.more.extend(value);
        if !std::mem::replace(&mut held.is_dirty, true) {
            self.dirty.push(place);
        }
        Ok(())
    }

    /// Forgets what is held for this key, time and side: it found a match.
    pub(crate) fn remove(&mut self, time: Timestamp, side: Side, key: &K) -> Result<(), StoreError> {
        self.load()?;
        // Most matches are of times at which nothing waits: the key is written only when something does.
        if !self.rows.has_rank((time, side)) {
            return Ok(());
        }
        self.write_key(time, side, key)?;
        if self.rows.remove(&self.row).is_some_and(|(_, held)| held.is_below) {
            self.gone.push(RowBytes::from(&self.row[..]));
        }
        Ok(())
    }

    /// Walks what is held in order and lets go what `is_open` does not hold back, until something of both sides is held
    /// back. Leaves in the clock the time of the last record it looked at.
    pub(crate) fn release(
        &mut self,
        is_open: impl Fn(Side, Timestamp) -> bool,
        out: &mut Vec<Released<K, L, R>>,
    ) -> Result<(), StoreError> {
        self.load()?;
        self.clock.min_time = Timestamp(i64::MAX);
        let (mut left_open, mut right_open) = (false, false);
        let mut due = Vec::new();
        for (rank, rows) in self.rows.ranks() {
            let (time, side) = rank;
            self.clock.min_time = time;
            if left_open && right_open {
                break;
            }
            if !is_open(side, time) {
                due.push(rank);
                continue;
            }
            match side {
                Side::Left => left_open = true,
                Side::Right => right_open = true,
            }
            // The next record is one of this time and side, perhaps of the same key.
            let has_more = || rows > 1 || self.rows.any_of(rank).is_some_and(|held| !held.more.is_empty());
            if left_open && right_open && has_more() {
                break;
            }
        }
        for rank in due {
            while let Some((row, (time, _), Held { key, first, more, is_below, .. })) = self.rows.pop(rank) {
                if is_below {
                    self.gone.push(row);
                }
                let values = std::iter::once(first).chain(more);
                out.extend(values.map(|value| (key.clone(), time, value)));
            }
        }
        Ok(())
    }

    /// Reads what the layers below hold, once after opening, restoring and rolling back.
    fn load(&mut self) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let Self { key: keys, left, right, topic, layer, rows, .. } = self;
        let store = layer.store.clone();
        let fault = |source| StoreError::Serde { store: store.clone(), source };
        let malformed = || {
            let reason = "not a row of an outer join".to_owned();
            fault(SerdeError::Malformed { format: "join buffer row", reason })
        };
        layer.scan(WHOLE, (Bound::Unbounded, Bound::Unbounded), false, &mut |row, list| {
            let (time, side, key) = join::split(row).ok_or_else(malformed)?;
            let mut values = Vec::new();
            join::values(list, |value| {
                values.push(match side {
                    Side::Left => left.deserialize(topic, value).map(Sided::Left),
                    Side::Right => right.deserialize(topic, value).map(Sided::Right),
                });
            })
            .ok_or_else(malformed)?;
            let mut more: Vec<Sided<L, R>> = values.into_iter().collect::<Result<_, _>>().map_err(fault)?;
            let key = keys.deserialize(topic, key).map_err(fault)?;
            if !more.is_empty() {
                let first = more.remove(0);
                let make = || Held { key, first, more, is_dirty: false, is_below: true };
                rows.get_or_insert(row, (time, side), make);
            }
            Ok(())
        })?;
        self.loaded = true;
        Ok(())
    }

    fn stage(&mut self, place: Place) -> Result<(), StoreError> {
        let Some((row, _, held)) = self.rows.at_mut(place).filter(|(_, _, held)| held.is_dirty) else {
            return Ok(());
        };
        (held.is_dirty, held.is_below) = (false, true);
        self.scratch.clear();
        join::put_list(1 + held.more.len(), &mut self.scratch);
        for value in std::iter::once(&held.first).chain(&held.more) {
            let written = join::put_value(value.side(), &mut self.scratch, |out| match value {
                Sided::Left(value) => self.left.serialize(&self.topic, value, out),
                Sided::Right(value) => self.right.serialize(&self.topic, value, out),
            });
            written.map_err(|source| StoreError::Serde { store: self.layer.store.clone(), source })?;
        }
        self.layer.stage(WHOLE, row, Some(&self.scratch), self.now)
    }
}

impl<K, L, R> StateStore for JoinBuffer<K, L, R>
where
    K: Clone + Send + 'static,
    L: Clone + Send + 'static,
    R: Clone + Send + 'static,
{
    fn layer(&self) -> &Layer {
        &self.layer
    }

    fn layer_mut(&mut self) -> &mut Layer {
        &mut self.layer
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        // Deletions first: what went and came again is dirty.
        for row in self.gone.drain(..) {
            self.layer.stage(WHOLE, &row, None, self.now)?;
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        let staged = dirty.chunks(AHEAD).try_for_each(|next| {
            self.rows.warm(next);
            next.iter().try_for_each(|place| self.stage(*place))
        });
        dirty.clear();
        self.dirty = dirty;
        staged
    }

    fn is_flushed(&self) -> bool {
        self.dirty.is_empty() && self.gone.is_empty() && !self.layer.has_unlogged()
    }

    fn unload(&mut self) {
        self.rows.clear();
        self.dirty.clear();
        self.gone.clear();
        self.loaded = false;
        self.clock = JoinClock::default();
    }

    fn restore(&mut self, run: &RecordRun) -> Result<(), StoreError> {
        for record in run.iter() {
            let Some(key) = record.key else { continue };
            let torn = join::split(key).is_none()
                || record.value.is_some_and(|list| join::values(list, |_| ()).is_none());
            if torn {
                return Err(StoreError::Changelog {
                    store: self.layer.store.clone(),
                    offset: record.offset,
                    reason: "its key or value is torn",
                });
            }
            self.layer.restored(WHOLE).push(key, &[], record.value);
        }
        Ok(())
    }
}
