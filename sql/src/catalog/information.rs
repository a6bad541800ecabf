//! The standard's information schema: tables, columns, schemas.

use datafusion::arrow::datatypes::DataType;

use super::made::{Cell, Made, Type};
use super::types::{of, standard_name};
use crate::statement::DATABASE;
use crate::tables::{Known, Tables};

/// The tables of the information schema that are made here.
pub(super) const NAMES: &[&str] =
    &["columns", "schemata", "tables", "views", "table_constraints", "key_column_usage"];

/// A table of the information schema.
pub(super) fn made(name: &str, tables: &Tables) -> Option<Made> {
    let text = Type::Text;
    Some(match name {
        "tables" => information_tables(tables),
        "columns" => information_columns(tables),
        "schemata" => {
            let columns = vec![
                ("catalog_name", text),
                ("schema_name", text),
                ("schema_owner", text),
                ("default_character_set_name", text),
            ];
            let row = |schema: &str| vec![DATABASE.into(), schema.into(), DATABASE.into(), Cell::Null];
            Made { columns, rows: ["public", "pg_catalog", "information_schema"].map(row).into() }
        }
        "views" => Made::empty(vec![
            ("table_catalog", text),
            ("table_schema", text),
            ("table_name", text),
            ("view_definition", text),
        ]),
        "table_constraints" => Made::empty(vec![
            ("constraint_catalog", text),
            ("constraint_schema", text),
            ("constraint_name", text),
            ("table_catalog", text),
            ("table_schema", text),
            ("table_name", text),
            ("constraint_type", text),
        ]),
        "key_column_usage" => Made::empty(vec![
            ("constraint_catalog", text),
            ("constraint_schema", text),
            ("constraint_name", text),
            ("table_catalog", text),
            ("table_schema", text),
            ("table_name", text),
            ("column_name", text),
            ("ordinal_position", Type::Int),
        ]),
        _ => return None,
    })
}

fn information_tables(tables: &Tables) -> Made {
    let columns = vec![
        ("table_catalog", Type::Text),
        ("table_schema", Type::Text),
        ("table_name", Type::Text),
        ("table_type", Type::Text),
        ("self_referencing_column_name", Type::Text),
        ("reference_generation", Type::Text),
        ("is_insertable_into", Type::Text),
        ("is_typed", Type::Text),
        ("commit_action", Type::Text),
    ];
    let row = |table: &Known| {
        let mut row: Vec<Cell> = [DATABASE, "public", &table.name, "BASE TABLE"].map(Cell::from).into();
        row.extend([Cell::Null, Cell::Null, "NO".into(), "NO".into(), Cell::Null]);
        row
    };
    Made { columns, rows: tables.known().map(|table| row(table)).collect() }
}

fn information_columns(tables: &Tables) -> Made {
    let columns = vec![
        ("table_catalog", Type::Text),
        ("table_schema", Type::Text),
        ("table_name", Type::Text),
        ("column_name", Type::Text),
        ("ordinal_position", Type::Int),
        ("column_default", Type::Text),
        ("is_nullable", Type::Text),
        ("data_type", Type::Text),
        ("character_maximum_length", Type::Int),
        ("numeric_precision", Type::Int),
        ("numeric_scale", Type::Int),
        ("datetime_precision", Type::Int),
        ("udt_catalog", Type::Text),
        ("udt_schema", Type::Text),
        ("udt_name", Type::Text),
        ("is_identity", Type::Text),
        ("is_generated", Type::Text),
        ("is_updatable", Type::Text),
    ];
    let mut rows = Vec::new();
    for table in tables.known() {
        for (number, column) in (1_i64..).zip(table.columns()) {
            let field = column.field();
            let (precision, scale) = match field.data_type() {
                DataType::Decimal128(precision, scale) => {
                    (i64::from(*precision).into(), i64::from(*scale).into())
                }
                DataType::Int64 => (64.into(), 0.into()),
                DataType::Float64 => (53.into(), Cell::Null),
                _ => (Cell::Null, Cell::Null),
            };
            let time =
                if matches!(field.data_type(), DataType::Timestamp(..)) { 6.into() } else { Cell::Null };
            let nullable = if field.is_nullable() { "YES" } else { "NO" };
            rows.push(vec![
                DATABASE.into(),
                "public".into(),
                table.name.as_str().into(),
                column.name.as_str().into(),
                number.into(),
                Cell::Null,
                nullable.into(),
                Cell::Text(standard_name(field.data_type())),
                Cell::Null,
                precision,
                scale,
                time,
                DATABASE.into(),
                "pg_catalog".into(),
                of(field.data_type()).name().into(),
                "NO".into(),
                "NEVER".into(),
                "NO".into(),
            ]);
        }
    }
    Made { columns, rows }
}
