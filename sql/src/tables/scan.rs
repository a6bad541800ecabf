//! Reading a store for a query, page by page, from all instances. Owns the bounds on what is read and how versions learn
//! until when they held; must not know conditions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use candlewick::StoreType;
use candlewick_server::{Range, ReadError, Row};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures_util::stream;
use serde_json::Value;

use super::batch::{Fields, VALID_TO, batch};
use super::column::Column;
use super::registry::{Known, Tables, refused};
use crate::error::Refusal;

/// Rows of one page.
const PAGE_ROWS: usize = 1_000;

/// One read of a store.
#[derive(Clone)]
pub(super) struct Scan {
    pub(super) tables: Arc<Tables>,
    pub(super) known: Arc<Known>,
    /// What is read, one after the other.
    pub(super) ranges: Vec<Range>,
    /// The columns that are wanted, as in `schema`.
    pub(super) columns: Vec<Column>,
    pub(super) schema: SchemaRef,
    /// Rows that are enough.
    pub(super) limit: Option<usize>,
}

/// How far a read is.
struct Progress {
    scan: Scan,
    /// Ranges that are left, the next one last.
    left: Vec<Range>,
    rows: usize,
    memory: MemoryReservation,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("store", &self.known.name).field("ranges", &self.ranges).finish()
    }
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let memory = MemoryConsumer::new("versions of a store").register(context.memory_pool());
        let left = self.ranges.iter().rev().cloned().collect();
        let progress = Progress { scan: self.clone(), left, rows: 0, memory };
        let batches = stream::try_unfold(progress, |mut progress| async move {
            let batch = if progress.scan.known.kind() == StoreType::Versioned {
                progress.versions().await?
            } else {
                progress.page().await?
            };
            Ok(batch.map(|batch| (batch, progress)))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), Box::pin(batches)))
    }
}

impl Progress {
    /// The next page; `None` behind the last one.
    async fn page(&mut self) -> Result<Option<RecordBatch>> {
        Ok(match self.rows().await? {
            Some(rows) => Some(self.scan.columns_of(rows)?),
            None => None,
        })
    }

    async fn rows(&mut self) -> Result<Option<Vec<Row>>> {
        if self.scan.limit.is_some_and(|limit| self.rows >= limit) {
            return Ok(None);
        }
        let Some(mut range) = self.left.pop() else { return Ok(None) };
        let options = &self.scan.tables.options;
        let enough = self.scan.limit.map_or(PAGE_ROWS, |limit| limit - self.rows);
        range.limit = PAGE_ROWS.min(enough);
        let store = &self.scan.known.name;
        let page = match self.scan.tables.instances.page(store, &range, options.staleness_max).await {
            Ok(page) => page,
            // What cannot be a key is none.
            Err(ReadError::Unfit(_)) if range.from.is_some() => return Ok(Some(Vec::new())),
            Err(error) => return Err(refused(store, &error)),
        };
        self.rows += page.rows.len();
        if self.rows > options.scan_rows_max {
            let refusal = Refusal::TooManyRows { store: store.clone(), max: options.scan_rows_max };
            return Err(DataFusionError::External(Box::new(refusal)));
        }
        if page.next.is_some() {
            range.after = page.next;
            self.left.push(range);
        }
        Ok(Some(page.rows))
    }

    /// All versions of a range at once: one holds until the next one of its key, which may lie pages behind it. Deletions
    /// end a version and are none.
    async fn versions(&mut self) -> Result<Option<RecordBatch>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        // A limit is applied by the engine behind this: a deletion that was read is not a row.
        self.scan.limit = None;
        let mut all: Vec<Row> = Vec::new();
        while let Some(rows) = self.rows().await? {
            self.memory.try_grow(rows.iter().map(|row| bytes(&row.fields)).sum())?;
            all.extend(rows);
        }
        let mut latest: BTreeMap<String, usize> = BTreeMap::new();
        for at in 0..all.len() {
            let key = all[at].fields.get("key").map(Value::to_string).unwrap_or_default();
            let since = all[at].fields.get("timestamp").cloned().unwrap_or_default();
            if let Some(before) = latest.insert(key, at) {
                all[before].fields.insert(VALID_TO.to_owned(), since);
            }
        }
        all.retain(|row| row.fields.get("value").is_some_and(|value| !value.is_null()));
        Ok(Some(self.scan.columns_of(all)?))
    }
}

impl Scan {
    fn columns_of(&self, rows: Vec<Row>) -> Result<RecordBatch> {
        let fields: Vec<Fields> = rows.into_iter().map(|row| row.fields).collect();
        batch(&self.schema, &self.columns, &fields).map_err(|unfit| {
            let rows: Vec<Row> = fields.into_iter().map(|fields| Row { fields, cursor: None }).collect();
            let (store, why) = (self.known.name.clone(), unfit.to_string());
            let refusal = match self.known.learn(&rows) {
                true => Refusal::Widened { store, why },
                false => Refusal::Misfit { store, why },
            };
            DataFusionError::External(Box::new(refusal))
        })
    }
}

/// What a row takes in memory, about.
fn bytes(fields: &Fields) -> usize {
    const FIELD: usize = 64;
    fn of(value: &Value) -> usize {
        match value {
            Value::String(text) => FIELD + text.len(),
            Value::Array(values) => values.iter().map(of).sum::<usize>() + FIELD,
            Value::Object(fields) => bytes(fields),
            _ => FIELD,
        }
    }
    fields.iter().map(|(name, value)| FIELD + name.len() + of(value)).sum()
}
