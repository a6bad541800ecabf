//! PostgreSQL's types as far as answers and columns have them: numbers, names, sizes. Must not know tables.

use datafusion::arrow::datatypes::DataType;
use pgwire::api::Type as PgType;

use super::made::{Cell, Made, Type};
use crate::wire::pg_type;

/// The types that there are, each with the standard's name, its size (-1 for any) and its category.
pub(super) const TYPES: &[(PgType, &str, i64, &str)] = &[
    (PgType::BOOL, "boolean", 1, "B"),
    (PgType::BYTEA, "bytea", -1, "U"),
    (PgType::CHAR, "\"char\"", 1, "Z"),
    (PgType::NAME, "name", 64, "S"),
    (PgType::INT8, "bigint", 8, "N"),
    (PgType::INT2, "smallint", 2, "N"),
    (PgType::INT4, "integer", 4, "N"),
    (PgType::TEXT, "text", -1, "S"),
    (PgType::OID, "oid", 4, "N"),
    (PgType::JSON, "json", -1, "U"),
    (PgType::FLOAT4, "real", 4, "N"),
    (PgType::FLOAT8, "double precision", 8, "N"),
    (PgType::BPCHAR, "character", -1, "S"),
    (PgType::VARCHAR, "character varying", -1, "S"),
    (PgType::DATE, "date", 4, "D"),
    (PgType::TIME, "time without time zone", 8, "D"),
    (PgType::TIMESTAMP, "timestamp without time zone", 8, "D"),
    (PgType::TIMESTAMPTZ, "timestamp with time zone", 8, "D"),
    (PgType::INTERVAL, "interval", 16, "T"),
    (PgType::NUMERIC, "numeric", -1, "N"),
    (PgType::UUID, "uuid", 16, "U"),
    (PgType::JSONB, "jsonb", -1, "U"),
];

/// PostgreSQL's type of a column.
pub(super) fn of(data_type: &DataType) -> PgType {
    pg_type(data_type)
}

/// What is said about a type beside its number: digits and decimal places.
pub(super) fn modifier(data_type: &DataType) -> i64 {
    match data_type {
        DataType::Decimal128(precision, scale) => (i64::from(*precision) << 16 | i64::from(*scale)) + 4,
        _ => -1,
    }
}

/// The name of a type by its number, with what is said beside it.
pub(super) fn format_type(oid: i64, modifier: Option<i64>) -> String {
    let known = TYPES.iter().find(|(known, ..)| i64::from(known.oid()) == oid);
    let name = known.map_or("???", |(_, name, ..)| name);
    match modifier {
        Some(modifier) if modifier >= 4 && name == "numeric" => {
            let modifier = modifier - 4;
            format!("numeric({},{})", modifier >> 16, modifier & 0x7ff)
        }
        _ => name.to_owned(),
    }
}

/// The standard's name of a type.
pub(super) fn standard_name(data_type: &DataType) -> String {
    format_type(i64::from(of(data_type).oid()), None)
}

/// The size of a type in bytes; -1 for any.
pub(super) fn size(data_type: &DataType) -> i64 {
    let oid = of(data_type).oid();
    TYPES.iter().find(|(known, ..)| known.oid() == oid).map_or(-1, |(_, _, size, _)| *size)
}

/// `pg_catalog.pg_type`.
pub(super) fn pg_types() -> Made {
    let columns = vec![
        ("oid", Type::Int),
        ("typname", Type::Text),
        ("typnamespace", Type::Int),
        ("typowner", Type::Int),
        ("typlen", Type::Int),
        ("typbyval", Type::Bool),
        ("typtype", Type::Text),
        ("typcategory", Type::Text),
        ("typispreferred", Type::Bool),
        ("typisdefined", Type::Bool),
        ("typdelim", Type::Text),
        ("typrelid", Type::Int),
        ("typsubscript", Type::Text),
        ("typelem", Type::Int),
        ("typarray", Type::Int),
        ("typinput", Type::Text),
        ("typoutput", Type::Text),
        ("typreceive", Type::Text),
        ("typsend", Type::Text),
        ("typnotnull", Type::Bool),
        ("typbasetype", Type::Int),
        ("typtypmod", Type::Int),
        ("typndims", Type::Int),
        ("typcollation", Type::Int),
        ("typdefault", Type::Text),
        ("typacl", Type::List),
    ];
    let row = |(known, _, size, category): &(PgType, &str, i64, &str)| {
        let name = known.name();
        let function = |what: &str| Cell::Text(format!("{name}{what}"));
        vec![
            i64::from(known.oid()).into(),
            name.into(),
            super::relations::PG_CATALOG.into(),
            super::databases::OWNER.into(),
            (*size).into(),
            (*size > 0 && *size <= 8).into(),
            "b".into(),
            (*category).into(),
            false.into(),
            true.into(),
            ",".into(),
            0.into(),
            "-".into(),
            0.into(),
            0.into(),
            function("in"),
            function("out"),
            function("recv"),
            function("send"),
            false.into(),
            0.into(),
            (-1).into(),
            0.into(),
            0.into(),
            Cell::Null,
            Cell::Null,
        ]
    };
    Made { columns, rows: TYPES.iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_numbers_are_told_with_their_digits() {
        let modifier = modifier(&DataType::Decimal128(38, 12));
        assert_eq!(format_type(1_700, Some(modifier)), "numeric(38,12)");
        assert_eq!(format_type(1_700, Some(-1)), "numeric");
        assert_eq!(format_type(20, None), "bigint");
    }
}
