//! Which windows are open, in the order in which they close: what an aggregation that tells each window once looks through
//! instead of its store.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dsl::Data;
use crate::dsl::options::SharedSerde;
use crate::error::ProcessError;
use crate::processor::Context;
use crate::time::Timestamp;

/// Where a window stands in the order: its start, or a session's end and then its start.
pub(super) type Place = (Timestamp, Timestamp);

/// A window that closes: its place and its key.
pub(super) type Due<K> = (Place, K);

/// The open windows of one aggregation. Kept in memory; made anew from the store when the task starts.
pub(super) struct Closing<K> {
    key: SharedSerde<K>,
    /// The changelog, which the key's serde is told.
    topic: Arc<str>,
    /// Keys by place and key bytes: the order in which Kafka Streams tells them.
    open: BTreeMap<(Place, Box<[u8]>), K>,
    /// The time up to which windows were told.
    told: Timestamp,
    told_key: Arc<str>,
    scratch: Vec<u8>,
}

impl<K: Data> Closing<K> {
    /// `node`: its name is what the time up to which windows were told is committed under.
    pub(super) fn new(key: SharedSerde<K>, topic: Arc<str>, node: &str) -> Self {
        let (open, scratch) = (BTreeMap::new(), Vec::new());
        Self { key, topic, open, told: Timestamp::UNKNOWN, told_key: Self::told_key(node), scratch }
    }

    /// Under which the time up to which windows were told is committed.
    pub(super) fn told_key(node: &str) -> Arc<str> {
        format!("{node}-told").into()
    }

    /// Takes up the time up to which windows were told, and gives it.
    pub(super) fn recall<V>(&mut self, cx: &Context<'_, impl Data, V>) -> Timestamp {
        self.told = cx.recall(&self.told_key).map_or(Timestamp::UNKNOWN, Timestamp);
        self.told
    }

    /// Has the time up to which windows were told committed with the offsets.
    pub(super) fn remember<V>(&self, cx: &mut Context<'_, impl Data, V>) {
        cx.remember(&self.told_key, self.told.0);
    }

    fn write(&mut self, key: &K) -> Result<Box<[u8]>, ProcessError> {
        self.scratch.clear();
        self.key.serialize(&self.topic, key, &mut self.scratch)?;
        Ok(self.scratch.as_slice().into())
    }

    /// A window has begun.
    pub(super) fn opened(&mut self, place: Place, key: &K) -> Result<(), ProcessError> {
        let bytes = self.write(key)?;
        self.open.insert((place, bytes), key.clone());
        Ok(())
    }

    /// A window is no longer: another has taken it up.
    pub(super) fn merged(&mut self, place: Place, key: &K) -> Result<(), ProcessError> {
        let bytes = self.write(key)?;
        self.open.remove(&(place, bytes));
        Ok(())
    }

    /// Whether windows may close at `close` that were open before.
    pub(super) fn is_due(&self, close: Timestamp) -> bool {
        close.0 >= 0 && close > self.told
    }

    /// The next window whose place is at or before `last`, which is the last one that closes at `close`.
    pub(super) fn next(&mut self, last: Timestamp) -> Option<Due<K>> {
        let first = self.open.first_entry()?;
        let ((time, _), _) = first.key();
        let time = *time;
        (time <= last).then(|| {
            let ((place, _), key) = first.remove_entry();
            (place, key)
        })
    }

    /// All windows that close at `close` were told.
    pub(super) fn told(&mut self, close: Timestamp) {
        self.told = close;
    }
}
