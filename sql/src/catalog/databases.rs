//! The catalog's tables about everything that is not a table: the one database, its one owner, its schemas, the settings.

use super::made::{Cell, Made, Type};
use super::relations::{INFORMATION_SCHEMA, PG_CATALOG, PUBLIC};
use crate::statement::{DATABASE, Session};

/// The number of the one role.
pub(super) const OWNER: i64 = 10;
/// The number of the one database.
const DATABASE_OID: i64 = 5;
/// The number of UTF-8.
const UTF8: i64 = 6;

/// `pg_namespace`.
pub(super) fn namespaces() -> Made {
    let columns =
        vec![("oid", Type::Int), ("nspname", Type::Text), ("nspowner", Type::Int), ("nspacl", Type::List)];
    let schemas =
        [(PG_CATALOG, "pg_catalog"), (PUBLIC, "public"), (INFORMATION_SCHEMA, "information_schema")];
    let rows = schemas.map(|(oid, name)| vec![oid.into(), name.into(), OWNER.into(), Cell::Null]);
    Made { columns, rows: rows.into() }
}

/// `pg_database`.
pub(super) fn databases() -> Made {
    let columns = vec![
        ("oid", Type::Int),
        ("datname", Type::Text),
        ("datdba", Type::Int),
        ("encoding", Type::Int),
        ("datlocprovider", Type::Text),
        ("datistemplate", Type::Bool),
        ("datallowconn", Type::Bool),
        ("datconnlimit", Type::Int),
        ("dattablespace", Type::Int),
        ("datcollate", Type::Text),
        ("datctype", Type::Text),
        ("daticulocale", Type::Text),
        ("daticurules", Type::Text),
        ("datcollversion", Type::Text),
        ("datacl", Type::List),
    ];
    let row = vec![
        DATABASE_OID.into(),
        DATABASE.into(),
        OWNER.into(),
        UTF8.into(),
        "c".into(),
        false.into(),
        true.into(),
        (-1).into(),
        0.into(),
        "C".into(),
        "C".into(),
    ];
    Made { columns, rows: vec![row] }
}

/// `pg_roles`, and `pg_user` and `pg_authid`, which are asked for the same.
pub(super) fn roles() -> Made {
    let columns = vec![
        ("oid", Type::Int),
        ("rolname", Type::Text),
        ("rolsuper", Type::Bool),
        ("rolinherit", Type::Bool),
        ("rolcreaterole", Type::Bool),
        ("rolcreatedb", Type::Bool),
        ("rolcanlogin", Type::Bool),
        ("rolreplication", Type::Bool),
        ("rolbypassrls", Type::Bool),
        ("rolconnlimit", Type::Int),
        ("rolvaliduntil", Type::Text),
        ("usesysid", Type::Int),
        ("usename", Type::Text),
    ];
    let mut row: Vec<Cell> = vec![OWNER.into(), DATABASE.into()];
    row.extend([false, true, false, false, true, false, false].map(Cell::from));
    row.extend([(-1).into(), Cell::Null, OWNER.into(), DATABASE.into()]);
    Made { columns, rows: vec![row] }
}

/// `pg_am`.
pub(super) fn access_methods() -> Made {
    let columns = vec![("oid", Type::Int), ("amname", Type::Text), ("amtype", Type::Text)];
    Made { columns, rows: vec![vec![super::relations::HEAP.into(), "heap".into(), "t".into()]] }
}

/// `pg_settings`, as they are before a connection has set any.
pub(super) fn settings() -> Made {
    let columns = vec![
        ("name", Type::Text),
        ("setting", Type::Text),
        ("unit", Type::Text),
        ("category", Type::Text),
        ("short_desc", Type::Text),
        ("context", Type::Text),
        ("vartype", Type::Text),
        ("source", Type::Text),
    ];
    let row = |(name, value): (String, String)| {
        let rest = ["", "candlewick", "", "user", "string", "default"].map(Cell::from);
        [vec![Cell::Text(name), Cell::Text(value)], rest.into()].concat()
    };
    Made { columns, rows: Session::default().all().into_iter().map(row).collect() }
}

/// Tables that are always empty, with the columns that clients join them by.
pub(super) fn empty(name: &str) -> Option<Made> {
    let (int, text, truth) = (Type::Int, Type::Text, Type::Bool);
    Some(Made::empty(match name {
        "pg_description" => {
            vec![("objoid", int), ("classoid", int), ("objsubid", int), ("description", text)]
        }
        "pg_shdescription" => vec![("objoid", int), ("classoid", int), ("description", text)],
        "pg_attrdef" => vec![("oid", int), ("adrelid", int), ("adnum", int), ("adbin", text)],
        "pg_collation" => vec![("oid", int), ("collname", text), ("collnamespace", int)],
        "pg_constraint" => vec![
            ("oid", int),
            ("conname", text),
            ("connamespace", int),
            ("contype", text),
            ("conrelid", int),
            ("confrelid", int),
            ("conindid", int),
            ("conparentid", int),
            ("conkey", text),
            ("confkey", text),
        ],
        "pg_index" => vec![
            ("indexrelid", int),
            ("indrelid", int),
            ("indnatts", int),
            ("indisunique", truth),
            ("indisprimary", truth),
            ("indisvalid", truth),
            ("indkey", text),
            ("indexprs", text),
            ("indpred", text),
        ],
        "pg_inherits" => vec![("inhrelid", int), ("inhparent", int), ("inhseqno", int)],
        "pg_proc" => vec![("oid", int), ("proname", text), ("pronamespace", int), ("prorettype", int)],
        "pg_enum" => vec![("oid", int), ("enumtypid", int), ("enumsortorder", int), ("enumlabel", text)],
        "pg_range" => vec![("rngtypid", int), ("rngsubtype", int)],
        "pg_trigger" => vec![("oid", int), ("tgrelid", int), ("tgname", text)],
        "pg_tablespace" => vec![("oid", int), ("spcname", text)],
        "pg_extension" => vec![("oid", int), ("extname", text), ("extnamespace", int), ("extversion", text)],
        "pg_foreign_table" => vec![("ftrelid", int), ("ftserver", int)],
        "pg_stat_user_tables" => {
            vec![("relid", int), ("schemaname", text), ("relname", text), ("n_live_tup", int)]
        }
        "pg_views" => {
            vec![("schemaname", text), ("viewname", text), ("viewowner", text), ("definition", text)]
        }
        "pg_matviews" => vec![("schemaname", text), ("matviewname", text), ("definition", text)],
        "pg_depend" => vec![("classid", int), ("objid", int), ("refobjid", int), ("deptype", text)],
        "pg_sequence" => vec![("seqrelid", int), ("seqtypid", int)],
        "pg_policy" => vec![("oid", int), ("polname", text), ("polrelid", int)],
        "pg_partitioned_table" => vec![("partrelid", int), ("partstrat", text)],
        _ => return None,
    }))
}
