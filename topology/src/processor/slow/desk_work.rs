//! What is done with the pieces of a desk: each by itself, or all together. The types are known here and forgotten outside.

use std::sync::Arc;

use super::completion::{Completion, guarded};
use super::workplace::{Piece, Work};
use crate::error::ProcessError;
use crate::record::Record;

/// A piece with its types.
pub(super) struct Errand<K, V, VO> {
    pub(super) record: Record<K, V>,
    pub(super) done: Completion<VO>,
}

/// The function gave another number of results than it was given records.
#[derive(Debug, thiserror::Error)]
#[error(
    "the batch function gave {given} results for {records} records; it must give one for each, in their order"
)]
struct WrongCount {
    given: usize,
    records: usize,
}

fn errand<K: 'static, V: 'static, VO: 'static>(piece: Piece) -> Errand<K, V, VO> {
    *piece.downcast().expect("a desk is one node's, and so are its pieces")
}

/// Calls `call` for each record.
pub(crate) fn each<K, V, VO>(
    call: impl Fn(Record<K, V>) -> Result<VO, ProcessError> + Send + Sync + 'static,
) -> Work
where
    K: Send + 'static,
    V: Send + 'static,
    VO: Send + 'static,
{
    Arc::new(move |pieces| {
        for piece in pieces {
            let Errand { record, done } = errand::<K, V, VO>(piece);
            done.complete(guarded(|| call(record)));
        }
    })
}

/// Calls `call` for all records together. When that fails each is tried alone, so that one bad record costs only itself.
pub(crate) fn together<K, V, VO>(
    call: impl Fn(&[Record<K, V>]) -> Result<Vec<VO>, ProcessError> + Send + Sync + 'static,
) -> Work
where
    K: Send + 'static,
    V: Send + 'static,
    VO: Send + 'static,
{
    let checked = move |records: &[Record<K, V>]| {
        let results = guarded(|| call(records))?;
        if results.len() != records.len() {
            return Err(WrongCount { given: results.len(), records: records.len() }.into());
        }
        Ok(results)
    };
    Arc::new(move |pieces| {
        let errands = pieces.into_iter().map(errand::<K, V, VO>);
        let (records, waiting): (Vec<_>, Vec<_>) = errands.map(|errand| (errand.record, errand.done)).unzip();
        match checked(&records) {
            Ok(results) => {
                waiting.into_iter().zip(results).for_each(|(done, result)| done.complete(Ok(result)));
            }
            Err(error) if records.len() == 1 => {
                waiting.into_iter().zip([error]).for_each(|(done, error)| done.complete(Err(error)));
            }
            Err(error) => {
                tracing::warn!(records = records.len(), %error, "a batch failed: its records are tried one by one");
                for (record, done) in records.iter().zip(waiting) {
                    let result = checked(std::slice::from_ref(record));
                    done.complete(result.and_then(|mut results| {
                        results.pop().ok_or_else(|| WrongCount { given: 0, records: 1 }.into())
                    }));
                }
            }
        }
    })
}
