//! A statement's rows on their way to a client: what its columns are called and are, each row's message, and the bounds on
//! time and size that hold until the last one. Must not know where rows come from.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::execution::SendableRecordBatchStream;
use futures_util::{Stream, StreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldFormat, FieldInfo};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use tokio::time::{Instant, timeout_at};

use super::encode::{Form, sized};
use super::fault::{failed, refused};
use super::types::pg_type;
use crate::error::Refusal;

/// How long a statement may take from here on, and how much it may answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
    pub(super) bytes_max: usize,
}

/// The columns as a client is told them.
pub(super) fn fields(schema: &Schema, names: Option<&[String]>, format: &Format) -> Vec<FieldInfo> {
    let count = schema.fields().len();
    let names = names.filter(|names| names.len() == count);
    let field = |(at, field): (usize, &Arc<datafusion::arrow::datatypes::Field>)| {
        let name = names.map_or_else(|| field.name().clone(), |names| names[at].clone());
        let modifier = match field.data_type() {
            DataType::Decimal128(precision, scale) => (i32::from(*precision) << 16 | i32::from(*scale)) + 4,
            _ => -1,
        };
        FieldInfo::new(name, None, None, pg_type(field.data_type()), format_at(format, at))
            .with_type_size(size(field.data_type()))
            .with_type_modifier(modifier)
    };
    schema.fields().iter().enumerate().map(field).collect()
}

/// The format of a column; text, where a client names fewer than there are.
fn format_at(format: &Format, at: usize) -> FieldFormat {
    match format {
        Format::Individual(codes) if at >= codes.len() => FieldFormat::Text,
        _ => format.format_for(at),
    }
}

fn size(data_type: &DataType) -> i16 {
    match pg_type(data_type).name() {
        "bool" => 1,
        "int2" => 2,
        "int4" | "float4" | "date" => 4,
        "int8" | "float8" | "timestamp" | "timestamptz" | "time" => 8,
        "interval" => 16,
        _ => -1,
    }
}

/// How far the rows are.
struct Progress {
    rows: SendableRecordBatchStream,
    fields: Arc<Vec<FieldInfo>>,
    bounds: Bounds,
    bytes: usize,
    is_over: bool,
}

/// The rows as messages. An error is the last of them.
pub(super) fn messages(
    rows: SendableRecordBatchStream,
    fields: Arc<Vec<FieldInfo>>,
    bounds: Bounds,
) -> impl Stream<Item = PgWireResult<DataRow>> + Send + 'static {
    let progress = Progress { rows, fields, bounds, bytes: 0, is_over: false };
    stream::unfold(progress, |mut progress| async move {
        if progress.is_over {
            return None;
        }
        let rows = progress.next().await?;
        progress.is_over = rows.is_err();
        let messages = match rows {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        Some((stream::iter(messages), progress))
    })
    .flatten()
}

impl Progress {
    /// The rows of the next batch; `None` behind the last one.
    async fn next(&mut self) -> Option<PgWireResult<Vec<DataRow>>> {
        let next = match timeout_at(self.bounds.deadline, self.rows.next()).await {
            Err(_) => return Some(Err(refused(&Refusal::TooSlow(self.bounds.timeout)))),
            Ok(next) => next?,
        };
        Some(next.map_err(|error| failed(&error)).and_then(|batch| self.rows_of(&batch)))
    }

    fn rows_of(&mut self, batch: &RecordBatch) -> PgWireResult<Vec<DataRow>> {
        let forms: Vec<Form> = self
            .fields
            .iter()
            .map(|field| if field.format() == FieldFormat::Binary { Form::Bytes } else { Form::Text })
            .collect();
        let count = i16::try_from(batch.num_columns()).unwrap_or(i16::MAX);
        let mut rows = Vec::with_capacity(batch.num_rows());
        let mut buffer = Vec::new();
        for row in 0..batch.num_rows() {
            buffer.clear();
            for (column, form) in batch.columns().iter().zip(&forms) {
                sized(column, row, *form, &mut buffer)
                    .map_err(|error| PgWireError::ApiError(Box::new(error)))?;
            }
            self.bytes += buffer.len();
            if self.bytes > self.bounds.bytes_max {
                return Err(refused(&Refusal::TooLarge { max: self.bounds.bytes_max }));
            }
            rows.push(DataRow::new(buffer.as_slice().into(), count));
        }
        Ok(rows)
    }
}
