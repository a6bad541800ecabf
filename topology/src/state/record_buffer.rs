//! Records that a join with a table holds back until the table is known for their time, in order of time, key bytes and
//! arrival, with the changelog bytes of Kafka's time-ordered key-value buffer. Must not know when to let go.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::StateStore;
use super::error::StoreError;
use super::overlay::{Layer, WHOLE};
use super::schema::buffer::{self, RowToWrite};
use crate::record::{Record, RecordMetadata, RecordRun};
use crate::serde::{Serde, SerdeError};
use crate::time::Timestamp;

/// What stands before the time in a row's key: rows are ordered by time first.
const TIME_FIRST: u8 = 0;

/// Bytes before and behind the key in a row's key.
const PREFIX_BYTES: usize = 9;
const SEQUENCE_BYTES: usize = 4;

/// Buffers that are used again.
#[derive(Default)]
struct Scratch {
    row: Vec<u8>,
    value: Vec<u8>,
    bytes: Vec<u8>,
}

/// Held-back records. A row's key holds the order: time, key bytes, number of arrival.
pub(crate) struct RecordBuffer<K, V> {
    key: Arc<dyn Serde<K>>,
    value: Arc<dyn Serde<V>>,
    topic: Arc<str>,
    layer: Layer,
    rows: BTreeMap<Arc<[u8]>, Record<K, V>>,
    sequence: i32,
    loaded: bool,
    scratch: Scratch,
}

impl<K, V> RecordBuffer<K, V>
where
    K: Send + 'static,
    V: Send + 'static,
{
    pub(crate) fn new(
        key: Arc<dyn Serde<K>>,
        value: Arc<dyn Serde<V>>,
        topic: Arc<str>,
        layer: Layer,
    ) -> Self {
        Self {
            key,
            value,
            topic,
            layer,
            rows: BTreeMap::new(),
            sequence: 0,
            loaded: false,
            scratch: Scratch::default(),
        }
    }

    fn fault(&self, source: SerdeError) -> StoreError {
        StoreError::Serde { store: self.layer.store.clone(), source }
    }

    /// Holds a record back.
    pub(crate) fn put(&mut self, record: Record<K, V>, metadata: RecordMetadata) -> Result<(), StoreError> {
        self.load()?;
        self.sequence = self.sequence.checked_add(1).unwrap_or(0);
        let Scratch { mut row, mut value, mut bytes } = std::mem::take(&mut self.scratch);
        row.clear();
        value.clear();
        bytes.clear();
        row.push(TIME_FIRST);
        row.extend_from_slice(&record.timestamp.0.to_be_bytes());
        self.key.serialize(&self.topic, &record.key, &mut row).map_err(|source| self.fault(source))?;
        row.extend_from_slice(&self.sequence.to_be_bytes());
        let written = self.value.serialize(&self.topic, &record.value, &mut value);
        written.map_err(|source| self.fault(source))?;
        let context = RowToWrite {
            time: Timestamp(0),
            timestamp: record.timestamp,
            metadata: &metadata,
            headers: &record.headers,
            prior: None,
            old: None,
            new: Some(&value),
        };
        context.write(&mut bytes);
        // Stamped by the log, as its deletion is: compaction may not take a deletion before what it deletes.
        self.layer.stage(WHOLE, &row, Some(&bytes), Timestamp::UNKNOWN)?;
        self.rows.insert(row.as_slice().into(), record);
        self.scratch = Scratch { row, value, bytes };
        Ok(())
    }

    /// Lets the records go whose time is not after `until`, and appends them to `out` in order.
    pub(crate) fn release(
        &mut self,
        until: Timestamp,
        out: &mut Vec<Record<K, V>>,
    ) -> Result<(), StoreError> {
        self.load()?;
        while let Some(row) = self.rows.first_entry() {
            if row.get().timestamp > until {
                break;
            }
            let (key, record) = row.remove_entry();
            self.layer.stage(WHOLE, &key, None, Timestamp::UNKNOWN)?;
            out.push(record);
        }
        Ok(())
    }

    /// Reads what the layers below hold, once after opening, restoring and rolling back.
    fn load(&mut self) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let Self { key: keys, value: values, topic, layer, rows, sequence, .. } = self;
        let store = layer.store.clone();
        let fault = |source| StoreError::Serde { store: store.clone(), source };
        layer.scan(WHOLE, (Bound::Unbounded, Bound::Unbounded), false, &mut |row, bytes| {
            let parts = buffer::read(bytes).zip(key_of(row));
            let malformed = || {
                let reason = "not a held-back record".to_owned();
                fault(SerdeError::Malformed { format: "record buffer row", reason })
            };
            let (context, (key, number)) = parts.ok_or_else(malformed)?;
            let key = keys.deserialize(topic, key).map_err(fault)?;
            let value = values.deserialize(topic, context.new.ok_or_else(malformed)?).map_err(fault)?;
            let record = Record { key, value, timestamp: context.timestamp, headers: context.headers };
            rows.insert(row.into(), record);
            *sequence = (*sequence).max(number);
            Ok(())
        })?;
        self.loaded = true;
        Ok(())
    }
}

/// The key's bytes and the number of arrival in a row's key.
fn key_of(row: &[u8]) -> Option<(&[u8], i32)> {
    let (key, sequence) = row.get(PREFIX_BYTES..)?.split_last_chunk::<SEQUENCE_BYTES>()?;
    Some((key, i32::from_be_bytes(*sequence)))
}

impl<K, V> StateStore for RecordBuffer<K, V>
where
    K: Send + 'static,
    V: Send + 'static,
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
        Ok(())
    }

    fn unload(&mut self) {
        self.rows.clear();
        self.sequence = 0;
        self.loaded = false;
    }

    fn restore(&mut self, run: &RecordRun) -> Result<(), StoreError> {
        for record in run.iter() {
            let Some(key) = record.key else { continue };
            if key_of(key).is_none() || record.value.is_some_and(|value| buffer::read(value).is_none()) {
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
