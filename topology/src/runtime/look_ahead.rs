//! What comes next, while it waits: the rows that the next records of a partition will ask for lie anywhere in memory, and
//! their memory comes at once where each record would wait for its own. Owns which stores that pays for; must not know
//! operators.

use super::partition_group::PartitionQueue;
use crate::plan::SourceCell;
use crate::state::TaskState;

/// Records that are looked at together.
const RECORDS: usize = 32;

/// For each source the stores whose rows are touched ahead of its records: those below it that look for them in memory.
/// What their keys really are only the operators know; a wrong guess costs a look-up.
pub(super) struct LookAhead(Vec<Box<[usize]>>);

impl LookAhead {
    pub(super) fn new(sources: &[SourceCell], state: &TaskState) -> Self {
        let of_source = sources.iter().map(|source| {
            let stores = source.stores.iter().copied();
            stores.filter(|store| state.pays_ahead(*store)).collect()
        });
        Self(of_source.collect())
    }

    /// To be called before each record of a queue.
    #[inline]
    pub(super) fn before(&self, queue: &PartitionQueue, state: &TaskState) {
        let stores = &self.0[queue.source];
        if !stores.is_empty() && queue.cursor().is_multiple_of(RECORDS) {
            stores.iter().for_each(|store| state.warm(*store, &mut queue.coming(RECORDS)));
        }
    }
}
