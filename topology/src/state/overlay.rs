//! Bytes that are serialized but not committed, and the one way to read them together with the engine below.
//! Owns [`Overlay`] and [`Layer`]; must not know types, caches or changelog topics.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use super::engine::{Batch, Bounds, Engine, Keyspace, Rows, Visit};
use super::error::StoreError;
use super::restore::RestoredRows;
use super::rows::{Grouping, RowBytes, RowTable, is_reversed};
use crate::time::Timestamp;

/// The uncommitted rows of one segment.
pub(crate) type StagedMap = RowTable<Staged>;

/// An uncommitted row; `value` is `None` for a deletion.
pub(crate) struct Staged {
    pub(crate) value: Option<RowBytes>,
    timestamp: Timestamp,
    /// Which pass over the changelog it waits for, by its number.
    pass: u32,
}

/// What the changelog gets of a row: key, value (`None` is a tombstone) and time.
pub(crate) type Log<'l> = dyn FnMut(&[u8], Option<&[u8]>, Timestamp) + 'l;

/// What a scan calls for each row, key and value.
pub(crate) type VisitAll<'v> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'v;

/// Which keyspace of the engine holds what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One keyspace, segment 0.
    Whole,
    /// One keyspace for each segment of time.
    Segmented,
}

/// Rooms that are kept from one commit to the next: the segment that comes to its end and the one that has begun.
const SPARE_MAX: usize = 2;

/// How often rows must have been looked for in the engine for it to pay to touch those that come next.
const ASKED_MIN: u32 = 8;

/// Segment 0 of a store that is not segmented.
pub(crate) const WHOLE: i64 = 0;

/// The bytes of one store: an overlay over an engine.
pub(crate) struct Layer {
    pub(crate) store: Arc<str>,
    engine: Arc<Engine>,
    layout: Layout,
    grouping: Grouping,
    segments: BTreeMap<i64, Keyspace>,
    staged: BTreeMap<i64, StagedMap>,
    /// What a changelog brings, on its way into the engine: it is not read here.
    restored: BTreeMap<i64, RestoredRows>,
    /// The room of the last commit's rows, for the next one's.
    spare: Vec<StagedMap>,
    bytes: usize,
    unlogged: usize,
    /// How often the changelog was told what it had not seen.
    passes: u32,
    /// Rows are written together or not at all.
    is_whole: bool,
    /// How often the engine was asked for a key's rows since it was last told which keys come.
    asked: Cell<u32>,
}

/// The name of a segment's keyspace. `store` cannot hold a slash: topics are named after it.
pub(crate) fn keyspace_name(store: &str, layout: Layout, segment: i64) -> String {
    match layout {
        Layout::Whole => format!("{store}/"),
        Layout::Segmented => format!("{store}/{segment}"),
    }
}

impl Layer {
    /// The bytes of `store` in `engine`. `grouping` tells which rows [`scan_key`](Self::scan_key) finds together.
    pub(crate) fn open(
        engine: Arc<Engine>,
        store: Arc<str>,
        layout: Layout,
        grouping: Grouping,
    ) -> Result<Self, StoreError> {
        let mut segments = BTreeMap::new();
        if layout == Layout::Whole {
            segments.insert(WHOLE, engine.create(&keyspace_name(&store, layout, WHOLE), grouping)?);
        } else {
            let prefix = format!("{store}/");
            for (name, keyspace) in engine.view(|view| view.keyspaces(&prefix))? {
                if let Ok(segment) = name[prefix.len()..].parse() {
                    segments.insert(segment, keyspace);
                }
            }
        }
        let (staged, restored, spare) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let (bytes, unlogged, passes, is_whole, asked) = (0, 0, 0, false, Cell::default());
        Ok(Self {
            store,
            engine,
            layout,
            grouping,
            segments,
            staged,
            restored,
            spare,
            bytes,
            unlogged,
            passes,
            is_whole,
            asked,
        })
    }

    /// The rows of a store mean something only together: what the changelog brings again after a crash would not mend some
    /// of them without the others.
    pub(crate) fn uncut(self) -> Self {
        Self { is_whole: true, ..self }
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The engine and the keyspace of a store that is not segmented.
    pub(crate) fn whole(&self) -> (Arc<Engine>, Keyspace) {
        (Arc::clone(&self.engine), self.segments[&WHOLE])
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Lets `f` read the newest bytes of a key.
    pub(crate) fn get<R>(
        &self,
        segment: i64,
        key: &[u8],
        f: impl FnOnce(Option<&[u8]>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        if let Some(staged) = self.staged.get(&segment).and_then(|rows| rows.get(key)) {
            return f(staged.value.as_deref());
        }
        self.asked.set(self.asked.get().saturating_add(1));
        match self.segments.get(&segment) {
            Some(&keyspace) => self.engine.view(|view| f(view.get(keyspace, key)?)),
            None => f(None),
        }
    }

    /// Touches the memory of the engine's rows of keys that are likely asked for next, unless hardly any was asked for
    /// since the last ones.
    pub(crate) fn warm(&self, keys: &mut dyn Iterator<Item = &[u8]>) {
        if self.asked.replace(0) < ASKED_MIN {
            return;
        }
        if let (Engine::Memory(engine), Some(&keyspace)) = (&*self.engine, self.segments.get(&WHOLE)) {
            engine.view(|tables| tables.warm(keyspace, keys));
        }
    }

    /// Whether [`warm`](Self::warm) knows where the rows of a key lie.
    pub(crate) fn pays_ahead(&self) -> bool {
        matches!(*self.engine, Engine::Memory(_)) && !matches!(self.grouping, Grouping::Suffix(_))
    }

    /// Puts the newest bytes of a key, or its deletion, above the engine.
    pub(crate) fn stage(
        &mut self,
        segment: i64,
        key: &[u8],
        value: Option<&[u8]>,
        timestamp: Timestamp,
    ) -> Result<(), StoreError> {
        let bytes_max = self.engine.key_bytes_max();
        if key.len() > bytes_max {
            return Err(StoreError::KeyTooLong { store: self.store.clone(), bytes: key.len(), bytes_max });
        }
        let added = value.map_or(0, <[u8]>::len);
        let staged = Staged { value: value.map(Into::into), timestamp, pass: self.passes };
        let (grouping, spare) = (self.grouping, &mut self.spare);
        let fresh = || spare.pop().unwrap_or_else(|| StagedMap::new(grouping));
        match self.staged.entry(segment).or_insert_with(fresh).insert(key, staged) {
            Some(before) => {
                self.bytes = self.bytes + added - before.value.as_ref().map_or(0, |value| value.len());
                self.unlogged += usize::from(before.pass != self.passes);
            }
            None => {
                self.bytes += added + key.len() + size_of::<Staged>();
                self.unlogged += 1;
            }
        }
        Ok(())
    }

    /// Visits the newest rows of a range of one segment, overlay and engine merged.
    pub(crate) fn scan(
        &self,
        segment: i64,
        bounds: Bounds<'_>,
        reverse: bool,
        visit: &mut VisitAll<'_>,
    ) -> Result<(), StoreError> {
        self.scan_while(segment, bounds, reverse, &mut |key, value| visit(key, value).map(|()| true))
    }

    /// As [`scan`](Self::scan), until `visit` answers `false`.
    pub(crate) fn scan_while(
        &self,
        segment: i64,
        bounds: Bounds<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if is_reversed(bounds) {
            return Ok(());
        }
        let above = self.staged.get(&segment).map(|rows| rows.range(bounds));
        let below = |visit: &mut Visit<'_>| match self.segments.get(&segment) {
            Some(&keyspace) => self.engine.view(|view| view.scan(keyspace, bounds, reverse, visit)),
            None => Ok(()),
        };
        merged(above, below, reverse, visit)
    }

    /// Visits the newest rows of one key of one segment, by the rest of their keys' bytes: those within `bounds`, in order
    /// or against it, until `visit` answers `false`.
    pub(crate) fn scan_key(
        &self,
        segment: i64,
        key: &[u8],
        bounds: Bounds<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if is_reversed(bounds) {
            return Ok(());
        }
        self.asked.set(self.asked.get().saturating_add(1));
        let (above, of) = (self.staged.get(&segment).map(|rows| rows.of_key(key, bounds)), self.grouping);
        let below = |visit: &mut Visit<'_>| match self.segments.get(&segment) {
            Some(&keyspace) => {
                self.engine.view(|view| view.scan_key(keyspace, (key, of), bounds, reverse, visit))
            }
            None => Ok(()),
        };
        merged(above, below, reverse, visit)
    }

    /// Which rows [`scan_key`](Self::scan_key) finds together.
    pub(crate) fn grouping(&self) -> Grouping {
        self.grouping
    }

    /// All segments that may hold rows, in order of time.
    pub(crate) fn segments(&self, from: i64, to: i64, out: &mut Vec<i64>) {
        out.clear();
        if from > to {
            return;
        }
        out.extend(self.segments.range(from..=to).map(|(segment, _)| *segment));
        out.extend(self.staged.range(from..=to).map(|(segment, _)| *segment));
        out.sort_unstable();
        out.dedup();
    }

    /// Hands each row the changelog has not seen to `log`, once; each segment's in no order that means anything, but the
    /// same for the same changes.
    pub(crate) fn drain_log(&mut self, log: &mut Log<'_>) {
        if self.unlogged == 0 {
            return;
        }
        let passes = self.passes;
        for rows in self.staged.values() {
            let Ok(()) = rows.for_each(|key, staged| {
                if staged.pass == passes {
                    log(key, staged.value.as_deref(), staged.timestamp);
                }
                Ok::<(), Infallible>(())
            });
        }
        self.passes = self.passes.wrapping_add(1);
        self.unlogged = 0;
    }

    pub(crate) fn has_unlogged(&self) -> bool {
        self.unlogged > 0
    }

    /// Makes the keyspaces that the next batch needs; segments before `first` are left out of it.
    pub(crate) fn prepare(&mut self, first: i64) -> Result<(), StoreError> {
        let missing: Vec<i64> =
            self.staged.range(first..).map(|(s, _)| *s).filter(|s| !self.segments.contains_key(s)).collect();
        for segment in missing {
            self.create(segment)?;
        }
        Ok(())
    }

    /// The keyspace of a segment, made when there is none.
    pub(crate) fn create(&mut self, segment: i64) -> Result<Keyspace, StoreError> {
        if let Some(&keyspace) = self.segments.get(&segment) {
            return Ok(keyspace);
        }
        let keyspace =
            self.engine.create(&keyspace_name(&self.store, self.layout, segment), self.grouping)?;
        self.segments.insert(segment, keyspace);
        Ok(keyspace)
    }

    /// Adds the overlay to a batch, after [`prepare`](Self::prepare) with the same `first`.
    pub(crate) fn add_to<'a>(&'a mut self, first: i64, batch: &mut Batch<'a>) {
        batch.is_whole |= self.is_whole;
        for (segment, rows) in self.staged.range_mut(first..) {
            batch.parts.push((self.segments[segment], Rows::Staged(rows)));
        }
    }

    /// The restored rows of a segment, which wait to be written.
    pub(crate) fn restored(&mut self, segment: i64) -> &mut RestoredRows {
        self.restored.entry(segment).or_default()
    }

    /// Bytes that wait so.
    pub(crate) fn restored_bytes(&self) -> usize {
        self.restored.values().map(RestoredRows::bytes).sum()
    }

    /// Writes the restored rows of the segments from `first` on, and marks, in one batch.
    pub(crate) fn write_restored(&mut self, first: i64, marks: Vec<(String, i64)>) -> Result<(), StoreError> {
        let mut restored = std::mem::take(&mut self.restored);
        restored.retain(|segment, _| *segment >= first);
        let mut batch = Batch { parts: Vec::with_capacity(restored.len()), marks, is_whole: self.is_whole };
        for (segment, rows) in &mut restored {
            rows.sort();
            batch.parts.push((self.create(*segment)?, Rows::Restored(rows)));
        }
        self.engine.write(&mut batch)?;
        // There may be more to come: the room stays.
        restored.values_mut().for_each(RestoredRows::clear);
        self.restored = restored;
        Ok(())
    }

    /// Nothing more is restored for now.
    pub(crate) fn end_restore(&mut self) {
        self.restored = BTreeMap::new();
    }

    /// Drops the overlay: it was committed, or is to be forgotten.
    pub(crate) fn clear(&mut self) {
        while let Some((_, mut rows)) = self.staged.pop_last() {
            if self.spare.len() < SPARE_MAX {
                rows.clear();
                self.spare.push(rows);
            }
        }
        self.bytes = 0;
        self.unlogged = 0;
    }

    /// Drops the segments before `first` whole.
    pub(crate) fn remove_before(&mut self, first: i64) -> Result<(), StoreError> {
        while let Some((&segment, _)) = self.segments.range(..first).next() {
            self.engine.remove(&keyspace_name(&self.store, self.layout, segment))?;
            self.segments.remove(&segment);
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows of the engine, and rows of the overlay whether new or not.
    pub(crate) fn approximate_len(&self) -> Result<usize, StoreError> {
        let staged: usize = self.staged.values().map(RowTable::len).sum();
        let committed = self.engine.view(|view| {
            self.segments
                .values()
                .try_fold(0, |sum, &keyspace| Ok::<_, StoreError>(sum + view.len(keyspace)?))
        })?;
        Ok(staged + committed)
    }

    /// The committed mark `name` of this store.
    pub(crate) fn mark(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let name = mark_name(name, &self.store);
        self.engine.view(|view| view.mark(&name))
    }
}

/// Visits the rows of an overlay and of the engine below it in one order; where both have a row, the overlay's holds.
fn merged<'t>(
    mut above: Option<impl DoubleEndedIterator<Item = (&'t RowBytes, &'t Staged)>>,
    below: impl FnOnce(&mut Visit<'_>) -> Result<(), StoreError>,
    reverse: bool,
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    let mut step = || {
        let rows = above.as_mut()?;
        if reverse { rows.next_back() } else { rows.next() }
    };
    let (mut head, mut wanted) = (step(), true);
    below(&mut |key, value| {
        let mut hidden = false;
        while let Some((over, staged)) = head {
            let order = if reverse { key.cmp(over) } else { (**over).cmp(key) };
            if order.is_gt() {
                break;
            }
            hidden = order.is_eq();
            if let Some(value) = &staged.value {
                wanted = visit(over, value)?;
            }
            if !wanted {
                return Ok(false);
            }
            head = step();
        }
        if !hidden {
            wanted = visit(key, value)?;
        }
        Ok(wanted)
    })?;
    while let Some((over, staged)) = head.filter(|_| wanted) {
        if let Some(value) = &staged.value {
            wanted = visit(over, value)?;
        }
        head = step();
    }
    Ok(())
}

/// The name of a store's mark in its engine.
pub(crate) fn mark_name(what: &str, store: &str) -> String {
    format!("{what}/{store}")
}
