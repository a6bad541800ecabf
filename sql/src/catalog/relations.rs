//! The catalog's tables about tables and their columns.

use datafusion::arrow::datatypes::DataType;

use super::databases::OWNER;
use super::made::{Cell, Made, Type};
use super::types::{modifier, of, size};
use crate::tables::{Known, Tables};

/// The numbers of the schemas.
pub(super) const PG_CATALOG: i64 = 11;
pub(super) const PUBLIC: i64 = 2_200;
pub(super) const INFORMATION_SCHEMA: i64 = 13_000;
/// The number of the way in which tables are kept.
pub(super) const HEAP: i64 = 2;

/// The numbers of the catalog's own tables, where clients ask for them by name.
pub(super) const SYSTEM: &[(&str, i32)] = &[
    ("pg_type", 1_247),
    ("pg_attribute", 1_249),
    ("pg_proc", 1_255),
    ("pg_class", 1_259),
    ("pg_attrdef", 2_604),
    ("pg_constraint", 2_606),
    ("pg_description", 2_609),
    ("pg_index", 2_610),
    ("pg_namespace", 2_615),
];

/// `pg_class`.
pub(super) fn classes(tables: &Tables) -> Made {
    let columns = vec![
        ("oid", Type::Int),
        ("relname", Type::Text),
        ("relnamespace", Type::Int),
        ("reltype", Type::Int),
        ("reloftype", Type::Int),
        ("relowner", Type::Int),
        ("relam", Type::Int),
        ("relfilenode", Type::Int),
        ("reltablespace", Type::Int),
        ("relpages", Type::Int),
        ("reltuples", Type::Int),
        ("relallvisible", Type::Int),
        ("reltoastrelid", Type::Int),
        ("relnatts", Type::Int),
        ("relchecks", Type::Int),
        ("relfrozenxid", Type::Int),
        ("relhasindex", Type::Bool),
        ("relisshared", Type::Bool),
        ("relhasrules", Type::Bool),
        ("relhastriggers", Type::Bool),
        ("relhassubclass", Type::Bool),
        ("relrowsecurity", Type::Bool),
        ("relforcerowsecurity", Type::Bool),
        ("relispartition", Type::Bool),
        ("relispopulated", Type::Bool),
        ("relpersistence", Type::Text),
        ("relkind", Type::Text),
        ("relreplident", Type::Text),
        ("relacl", Type::List),
        ("reloptions", Type::List),
        ("relpartbound", Type::Text),
    ];
    let row = |table: &Known| {
        let mut row: Vec<Cell> = vec![i64::from(table.oid).into(), table.name.as_str().into(), PUBLIC.into()];
        row.extend([0, 0, OWNER, HEAP, i64::from(table.oid), 0, 0, -1, 0, 0].map(Cell::from));
        row.extend([i64::try_from(table.columns().len()).unwrap_or(0), 0, 0].map(Cell::from));
        row.extend([false; 8].map(Cell::from));
        row.push(true.into());
        row.extend(["p", "r", "d"].map(Cell::from));
        row
    };
    Made { columns, rows: tables.known().map(|table| row(table)).collect() }
}

/// `pg_attribute`.
pub(super) fn attributes(tables: &Tables) -> Made {
    let columns = vec![
        ("attrelid", Type::Int),
        ("attname", Type::Text),
        ("atttypid", Type::Int),
        ("attstattarget", Type::Int),
        ("attlen", Type::Int),
        ("attnum", Type::Int),
        ("attndims", Type::Int),
        ("attcacheoff", Type::Int),
        ("atttypmod", Type::Int),
        ("attinhcount", Type::Int),
        ("attcollation", Type::Int),
        ("attbyval", Type::Bool),
        ("attnotnull", Type::Bool),
        ("atthasdef", Type::Bool),
        ("atthasmissing", Type::Bool),
        ("attisdropped", Type::Bool),
        ("attislocal", Type::Bool),
        ("attalign", Type::Text),
        ("attstorage", Type::Text),
        ("attcompression", Type::Text),
        ("attidentity", Type::Text),
        ("attgenerated", Type::Text),
        ("attacl", Type::List),
        ("attoptions", Type::List),
        ("attfdwoptions", Type::List),
    ];
    let mut rows = Vec::new();
    for table in tables.known() {
        for (number, column) in (1_i64..).zip(table.columns()) {
            let field = column.field();
            let data_type: &DataType = field.data_type();
            let mut row: Vec<Cell> = vec![
                i64::from(table.oid).into(),
                column.name.as_str().into(),
                i64::from(of(data_type).oid()).into(),
            ];
            row.extend([-1, size(data_type), number, 0, -1, modifier(data_type), 0, 0].map(Cell::from));
            row.extend([false, !field.is_nullable(), false, false, false, true].map(Cell::from));
            row.extend(["i", "p", "", "", ""].map(Cell::from));
            rows.push(row);
        }
    }
    Made { columns, rows }
}

/// `pg_tables`.
pub(super) fn tables(tables: &Tables) -> Made {
    let columns = vec![
        ("schemaname", Type::Text),
        ("tablename", Type::Text),
        ("tableowner", Type::Text),
        ("tablespace", Type::Text),
        ("hasindexes", Type::Bool),
        ("hasrules", Type::Bool),
        ("hastriggers", Type::Bool),
        ("rowsecurity", Type::Bool),
    ];
    let row = |table: &Known| {
        let mut row: Vec<Cell> =
            vec!["public".into(), table.name.as_str().into(), crate::statement::DATABASE.into(), Cell::Null];
        row.extend([false; 4].map(Cell::from));
        row
    };
    Made { columns, rows: tables.known().map(|table| row(table)).collect() }
}

/// The name of a table by its number.
pub(super) fn name_of(tables: &Tables, oid: i64) -> Option<String> {
    let system =
        SYSTEM.iter().find(|(_, known)| i64::from(*known) == oid).map(|(name, _)| (*name).to_owned());
    system
        .or_else(|| tables.known().find(|table| i64::from(table.oid) == oid).map(|table| table.name.clone()))
}

/// The number of a table by its name.
pub(crate) fn oid_of(tables: &Tables, name: &str) -> Option<i32> {
    let system = SYSTEM.iter().find(|(known, _)| *known == name).map(|(_, oid)| *oid);
    system.or_else(|| tables.find(name).map(|table| table.oid))
}
