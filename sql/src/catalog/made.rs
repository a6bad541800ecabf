//! Small tables made on the spot. Owns their form; must not know what is in them.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::Result;

/// A value of a small table.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// A whole number; also the number of anything in the catalog.
    Int(i64),
    /// Text; also names, and lists of numbers as PostgreSQL writes them.
    Text(String),
    /// True or false.
    Bool(bool),
    /// Nothing.
    Null,
}

/// The type of a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Int,
    Text,
    Bool,
    /// Lists of text, of which there are none.
    List,
}

/// A small table: its columns by name and type, and its rows.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) columns: Vec<(&'static str, Type)>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl Made {
    /// A table without rows.
    pub(super) fn empty(columns: Vec<(&'static str, Type)>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// The table as the engine takes it.
    pub(super) fn table(self) -> Result<Arc<dyn TableProvider>> {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (at, (name, column)) in self.columns.iter().enumerate() {
            let cells = self.rows.iter().map(|row| row.get(at).unwrap_or(&Cell::Null));
            let (data_type, array): (DataType, ArrayRef) = match column {
                Type::Int => {
                    let numbers =
                        cells.map(|cell| if let Cell::Int(number) = cell { Some(*number) } else { None });
                    (DataType::Int64, Arc::new(numbers.collect::<Int64Array>()))
                }
                Type::Text => {
                    let texts = cells
                        .map(|cell| if let Cell::Text(text) = cell { Some(text.as_str()) } else { None });
                    (DataType::Utf8, Arc::new(texts.collect::<StringArray>()))
                }
                Type::List => {
                    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
                    let array = new_null_array(&list, self.rows.len());
                    (list, array)
                }
                Type::Bool => {
                    let values =
                        cells.map(|cell| if let Cell::Bool(value) = cell { Some(*value) } else { None });
                    (DataType::Boolean, Arc::new(values.collect::<BooleanArray>()))
                }
            };
            fields.push(Field::new(*name, data_type, true));
            arrays.push(array);
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }
}
