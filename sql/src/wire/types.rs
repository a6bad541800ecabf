//! Which of PostgreSQL's types stands for which of the engine's. Must not know how values of them are written.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use pgwire::api::Type as PgType;

/// The type that a column of this one is announced as. What PostgreSQL has no word for is told as text.
pub(crate) fn pg_type(data_type: &DataType) -> PgType {
    match data_type {
        DataType::Boolean => PgType::BOOL,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => PgType::INT2,
        DataType::UInt16 | DataType::Int32 => PgType::INT4,
        DataType::UInt32 | DataType::Int64 => PgType::INT8,
        DataType::Float16 | DataType::Float32 => PgType::FLOAT4,
        DataType::Float64 => PgType::FLOAT8,
        DataType::UInt64 | DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => {
            PgType::NUMERIC
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            PgType::BYTEA
        }
        DataType::Date32 | DataType::Date64 => PgType::DATE,
        DataType::Timestamp(_, None) => PgType::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => PgType::TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => PgType::INTERVAL,
        DataType::List(item) => match pg_type(item.data_type()) {
            PgType::BOOL => PgType::BOOL_ARRAY,
            PgType::INT2 => PgType::INT2_ARRAY,
            PgType::INT4 => PgType::INT4_ARRAY,
            PgType::INT8 => PgType::INT8_ARRAY,
            PgType::FLOAT4 => PgType::FLOAT4_ARRAY,
            PgType::FLOAT8 => PgType::FLOAT8_ARRAY,
            PgType::TEXT => PgType::TEXT_ARRAY,
            _ => PgType::TEXT,
        },
        DataType::Dictionary(_, value) => pg_type(value),
        _ => PgType::TEXT,
    }
}

/// The engine's type for a parameter that a client calls so.
pub(super) fn data_type(pg_type: &PgType) -> DataType {
    match *pg_type {
        PgType::BOOL => DataType::Boolean,
        PgType::INT2 => DataType::Int16,
        PgType::INT4 => DataType::Int32,
        PgType::INT8 | PgType::OID => DataType::Int64,
        PgType::FLOAT4 => DataType::Float32,
        PgType::FLOAT8 => DataType::Float64,
        PgType::NUMERIC => DataType::Decimal128(38, 12),
        PgType::BYTEA => DataType::Binary,
        PgType::DATE => DataType::Date32,
        PgType::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        PgType::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        _ => DataType::Utf8,
    }
}
