//! How what a suppression buffers becomes durable and comes back: flush, rollback, restore. Must not know in which order
//! records are let go.

use std::any::Any;

use super::{SuppressBuffer, serialize, to_write};
use crate::record::RecordRun;
use crate::state::StateStore;
use crate::state::error::StoreError;
use crate::state::overlay::{Layer, WHOLE};
use crate::state::rows::{AHEAD, Place};
use crate::state::schema::buffer::{self, VERSION_HEADER};
use crate::time::Timestamp;

impl<K, C> SuppressBuffer<K, C>
where
    K: Clone + Send + 'static,
    C: Send + 'static,
{
    fn stage(&mut self, place: Place) -> Result<(), StoreError> {
        let Self { rows, scratch, change_serde, topic, layer, .. } = self;
        let Some((key, time, row)) = rows.at_mut(place).filter(|(_, _, row)| row.is_dirty) else {
            return Ok(());
        };
        row.is_dirty = false;
        let written = serialize(&**change_serde, topic, &row.record.change, scratch)
            .map_err(|source| StoreError::Serde { store: layer.store.clone(), source })?;
        let mut bytes = std::mem::take(&mut scratch.row);
        bytes.clear();
        to_write(scratch, (time, &row.record, row.prior.as_deref()), written).write(&mut bytes);
        // Stamped by the log, as its deletion is: compaction may not take a deletion before what it deletes.
        let outcome = layer.stage(WHOLE, key, Some(&bytes), Timestamp::UNKNOWN);
        scratch.row = bytes;
        outcome
    }
}

impl<K, C> StateStore for SuppressBuffer<K, C>
where
    K: Clone + Send + 'static,
    C: Send + 'static,
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
        for key in self.gone.drain(..) {
            self.layer.stage(WHOLE, &key, None, Timestamp::UNKNOWN)?;
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
        self.byte_len = 0;
        self.loaded = false;
    }

    fn restore(&mut self, run: &RecordRun) -> Result<(), StoreError> {
        for record in run.iter() {
            let Some(key) = record.key else { continue };
            let malformed = |reason| StoreError::Changelog {
                store: self.layer.store.clone(),
                offset: record.offset,
                reason,
            };
            if let Some(value) = record.value {
                let version =
                    record.headers.last(VERSION_HEADER.0).and_then(|header| header.value.as_deref());
                if version != Some(VERSION_HEADER.1) {
                    return Err(malformed(
                        "its format is not version 3, which Kafka Streams writes since 2.5",
                    ));
                }
                if buffer::read(value).is_none() {
                    return Err(malformed("its value is torn"));
                }
            }
            self.layer.restored(WHOLE).push(key, &[], record.value);
        }
        Ok(())
    }
}
