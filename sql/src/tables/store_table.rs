//! A store as the query engine sees a table. Owns what of a query is given to the store and what is left to the engine;
//! must not know how pages are read.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use candlewick_server::Range;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use super::column::Column;
use super::filter::{helps, narrowed};
use super::registry::{Known, Tables};
use super::scan::Scan;

/// A store as a table, for one query.
pub(crate) struct StoreTable {
    tables: Arc<Tables>,
    known: Arc<Known>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl StoreTable {
    pub(super) fn new(tables: Arc<Tables>, known: Arc<Known>) -> Self {
        let columns = known.columns();
        let schema = schema(&columns);
        Self { tables, known, columns, schema }
    }
}

impl fmt::Debug for StoreTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreTable").field(&self.known.name).finish()
    }
}

#[async_trait]
impl TableProvider for StoreTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_logical_plan(&'_ self) -> Option<Cow<'_, LogicalPlan>> {
        None
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match helps(filter, &self.columns, self.known.kind()) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let narrowed = narrowed(filters, &self.columns, self.known.kind(), &self.known.key());
        let range = |key: Option<String>| Range {
            // From a key to itself, instead of the key alone, asks every task: a topic may have been written by another
            // partitioner than the one that knows where a key belongs.
            from: key.clone(),
            to: key,
            times: narrowed.times,
            ..Range::default()
        };
        let ranges = match narrowed.keys {
            Some(keys) => keys.into_iter().map(|key| range(Some(key))).collect(),
            None => vec![range(None)],
        };
        let columns: Vec<Column> = match projection {
            Some(wanted) => wanted.iter().map(|at| self.columns[*at].clone()).collect(),
            None => self.columns.clone(),
        };
        let schema = schema(&columns);
        let scan = Scan {
            tables: Arc::clone(&self.tables),
            known: Arc::clone(&self.known),
            ranges,
            columns,
            schema: Arc::clone(&schema),
            limit,
        };
        let scan: Arc<dyn PartitionStream> = Arc::new(scan);
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![scan], None, [], false, limit)?))
    }
}

fn schema(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()))
}
