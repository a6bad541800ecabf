//! The step from the typed cache into the overlay, which all cached stores share: what changed is serialized once, and
//! what came and went without a trace not at all.

use super::cache::{Below, Cache};
use super::codec::Codec;
use super::error::StoreError;
use super::overlay::Layer;

/// The row of a cached key: the key itself, the bytes behind it, and its segment.
pub(super) type Row<'q, K, S> = (&'q K, S, i64);

/// Serializes what changed into the overlay; the slots stay dirty.
pub(super) fn stage<Q, K: 'static, V: Clone + 'static, S: AsRef<[u8]>>(
    cache: &mut Cache<Q, V>,
    codec: &mut Codec<K, V>,
    layer: &mut Layer,
    row_of: impl Fn(&Q) -> Row<'_, K, S>,
) -> Result<(), StoreError> {
    let write_through = cache.write_through();
    cache.stage(|slot| {
        let timestamp = slot.timestamp();
        let (key, suffix, segment) = row_of(&slot.key);
        let (row, value) = codec.row(key, suffix.as_ref(), slot.entry.as_ref())?;
        if value.is_none() && slot.below != Below::Present && !write_through {
            // Nothing was there and nothing is: unless an earlier state of this change is in the overlay, neither the
            // engine nor the changelog has to hear of it.
            if !layer.get(segment, row, |below| Ok(below.is_some()))? {
                slot.below = Below::Absent;
                return Ok(());
            }
            if slot.below == Below::Unknown {
                slot.below = Below::Present;
            }
        }
        layer.stage(segment, row, value, timestamp)
    })?;
    if let Some(bytes) = codec.row_bytes() {
        cache.expect_heap_bytes(bytes);
    }
    Ok(())
}
