//! What a task knows about records that slow nodes have taken and not yet forwarded: how many there are, where they came
//! from, and whether the task may take more. Without slow nodes it stays empty, and costs a record one look at a flag.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::workplace::Workplace;
use crate::error::ProcessError;
use crate::record::{Headers, RawRecord};
use crate::time::Timestamp;

/// Where an unfinished record came from: an index into the task's partitions, and the offset. Nowhere before a task has
/// processed its first record.
pub(crate) type Origin = Option<(usize, i64)>;

/// The bytes of a source record, for its dead letter.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    offset: i64,
    timestamp: Timestamp,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Headers,
}

impl Held {
    fn of(raw: RawRecord<'_>) -> Self {
        Self {
            offset: raw.offset,
            timestamp: raw.timestamp,
            key: raw.key.map(<[u8]>::to_vec),
            value: raw.value.map(<[u8]>::to_vec),
            headers: raw.headers.clone(),
        }
    }

    pub(crate) fn raw(&self) -> RawRecord<'_> {
        RawRecord {
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
        }
    }
}

/// A source record that is unfinished in some node.
#[derive(Default)]
struct Entry {
    /// In how many places: it may have been flattened, or have gone two ways.
    count: usize,
    held: Option<Held>,
}

/// See the module.
pub(crate) struct Unfinished {
    pub(crate) workplace: Arc<dyn Workplace>,
    /// The slow nodes, by their places in the arena, parents first.
    nodes: Vec<u32>,
    /// How many of them are full.
    full: usize,
    /// Something was taken since the last look.
    has_taken: bool,
    /// A commit waits until everything is finished: nothing more is taken meanwhile.
    is_draining: bool,
    count: usize,
    entries: BTreeMap<Origin, Entry>,
    /// Failed records that are to be written to the dead letter topic.
    dead: Vec<(usize, Held, ProcessError)>,
}

impl Unfinished {
    pub(crate) fn new(workplace: Arc<dyn Workplace>) -> Self {
        Self {
            workplace,
            nodes: Vec::new(),
            full: 0,
            has_taken: false,
            is_draining: false,
            count: 0,
            entries: BTreeMap::new(),
            dead: Vec::new(),
        }
    }

    pub(super) fn add_node(&mut self, node: u32) {
        self.nodes.push(node);
    }

    pub(crate) fn nodes(&self) -> &[u32] {
        &self.nodes
    }

    /// Whether there are slow nodes at all.
    pub(crate) fn is_used(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Whether the task may take no record now.
    #[inline]
    pub(crate) fn blocks(&self) -> bool {
        self.full > 0 || self.is_draining
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining
    }

    pub(crate) fn drain(&mut self, is_draining: bool) {
        self.is_draining = is_draining && self.is_used();
    }

    pub(super) fn became_full(&mut self, is_full: bool) {
        self.full = if is_full { self.full + 1 } else { self.full - 1 };
    }

    /// How many records are unfinished.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The lowest unfinished offset of a partition.
    pub(crate) fn lowest(&self, source: usize) -> Option<i64> {
        let (origin, _) = self.entries.range(Some((source, i64::MIN))..).next()?;
        origin.filter(|(of, _)| *of == source).map(|(_, offset)| offset)
    }

    pub(super) fn begin(&mut self, origin: Origin) {
        self.has_taken = true;
        self.count += 1;
        self.entries.entry(origin).or_default().count += 1;
    }

    /// A record was forwarded, or left out for `error`, of which a dead letter is to tell.
    pub(super) fn finish(&mut self, origin: Origin, dead: Option<ProcessError>) {
        self.count -= 1;
        let Some(entry) = self.entries.get_mut(&origin) else { return };
        entry.count -= 1;
        let held = if entry.count == 0 {
            self.entries.remove(&origin).and_then(|entry| entry.held)
        } else if dead.is_some() {
            entry.held.clone()
        } else {
            None
        };
        if let (Some(error), Some((source, _)), Some(held)) = (dead, origin, held) {
            self.dead.push((source, held, error));
        }
    }

    /// Whether the record in process has become unfinished: asked once for each record.
    #[inline]
    pub(crate) fn has_taken(&mut self) -> bool {
        self.has_taken && std::mem::take(&mut self.has_taken)
    }

    /// Keeps the bytes of the record that has just become unfinished.
    pub(crate) fn hold(&mut self, source: usize, raw: RawRecord<'_>) {
        if let Some(entry) = self.entries.get_mut(&Some((source, raw.offset))) {
            entry.held = Some(Held::of(raw));
        }
    }

    pub(crate) fn take_dead(&mut self) -> Vec<(usize, Held, ProcessError)> {
        std::mem::take(&mut self.dead)
    }
}
