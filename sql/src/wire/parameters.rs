//! Values that clients send for a statement's parameters. Owns how their text and bytes are read; must not know statements.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use pgwire::api::Type as PgType;

use super::numeric;
use super::types::data_type;
use crate::error::Refusal;

/// Microseconds between PostgreSQL's epoch and Unix'.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i32 = 10_957;

/// The value of a parameter that the client calls a `sent`, and that the statement takes for a `wanted`. What is sent as text
/// without a type is what the statement wants.
///
/// # Errors
/// When what was sent is no such value.
pub(super) fn value(
    number: usize,
    sent: Option<&PgType>,
    wanted: Option<&DataType>,
    is_binary: bool,
    bytes: Option<&[u8]>,
) -> Result<ScalarValue, Refusal> {
    let named = sent.filter(|sent| !matches!(**sent, PgType::UNKNOWN | PgType::VOID));
    let own = named.map_or(DataType::Utf8, data_type);
    let target = wanted.filter(|wanted| **wanted != DataType::Null).unwrap_or(&own);
    let unfit = |why: &str| Refusal::Parameter { number, data_type: target.to_string(), why: why.to_owned() };
    let Some(bytes) = bytes else {
        return ScalarValue::try_from(target).map_err(|error| unfit(&error.to_string()));
    };
    let value = if is_binary {
        let sent = named.cloned().or_else(|| wanted.map(super::types::pg_type)).unwrap_or(PgType::TEXT);
        binary(&sent, bytes).ok_or_else(|| unfit("it has not the bytes of its type"))?
    } else {
        let text = std::str::from_utf8(bytes).map_err(|_| unfit("it is no UTF-8"))?;
        match (&own, text) {
            (DataType::Boolean, text) => {
                ScalarValue::Boolean(Some(truth(text).ok_or_else(|| unfit("it is neither true nor false"))?))
            }
            (_, text) => ScalarValue::Utf8(Some(text.to_owned())),
        }
    };
    // A number for text is the number's text, and no error.
    value.cast_to(target).map_err(|error| unfit(&error.strip_backtrace()))
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "1" | "on" | "yes" | "y" => Some(true),
        "f" | "false" | "0" | "off" | "no" | "n" => Some(false),
        _ => None,
    }
}

fn binary(sent: &PgType, bytes: &[u8]) -> Option<ScalarValue> {
    fn sized<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
        bytes.try_into().ok()
    }
    Some(match *sent {
        PgType::BOOL => ScalarValue::Boolean(Some(sized::<1>(bytes)?[0] != 0)),
        PgType::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(sized(bytes)?))),
        PgType::INT4 => ScalarValue::Int32(Some(i32::from_be_bytes(sized(bytes)?))),
        PgType::OID => ScalarValue::Int64(Some(u32::from_be_bytes(sized(bytes)?).into())),
        PgType::INT8 => ScalarValue::Int64(Some(i64::from_be_bytes(sized(bytes)?))),
        PgType::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(sized(bytes)?))),
        PgType::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(sized(bytes)?))),
        PgType::NUMERIC => ScalarValue::Utf8(Some(numeric::from_bytes(bytes)?)),
        PgType::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        PgType::DATE => ScalarValue::Date32(Some(i32::from_be_bytes(sized(bytes)?).checked_add(EPOCH_DAYS)?)),
        PgType::TIMESTAMP | PgType::TIMESTAMPTZ => {
            let micros = i64::from_be_bytes(sized(bytes)?).checked_add(EPOCH_MICROS)?;
            let zone = (*sent == PgType::TIMESTAMPTZ).then(|| "+00:00".into());
            ScalarValue::TimestampMicrosecond(Some(micros), zone)
        }
        PgType::UUID => ScalarValue::Utf8(Some(uuid(&sized(bytes)?))),
        PgType::JSONB => ScalarValue::Utf8(Some(String::from_utf8(bytes.get(1..)?.to_vec()).ok()?)),
        _ => ScalarValue::Utf8(Some(String::from_utf8(bytes.to_vec()).ok()?)),
    })
}

fn uuid(bytes: &[u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The type that a parameter is announced as where the client has named none.
pub(super) fn announced(wanted: Option<&DataType>) -> PgType {
    match wanted {
        // Decimals of any form are numbers to a client, and moments are moments.
        Some(DataType::Timestamp(TimeUnit::Nanosecond, Some(_))) => PgType::TIMESTAMPTZ,
        Some(DataType::Null) | None => PgType::TEXT,
        Some(data_type) => super::types::pg_type(data_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        sent: Option<PgType>,
        wanted: Option<DataType>,
        is_binary: bool,
        bytes: &[u8],
    ) -> Result<ScalarValue, Refusal> {
        value(1, sent.as_ref(), wanted.as_ref(), is_binary, Some(bytes))
    }

    #[test]
    fn text_and_bytes_of_a_value_are_read_as_what_the_statement_wants() {
        let long = |sent, is_binary, bytes: &[u8]| {
            read(sent, Some(DataType::Int64), is_binary, bytes).expect("a number")
        };
        assert_eq!(long(Some(PgType::INT4), true, &7_i32.to_be_bytes()), ScalarValue::Int64(Some(7)));
        assert_eq!(long(None, false, b"7"), ScalarValue::Int64(Some(7)));
        let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
        let expected = ScalarValue::TimestampMicrosecond(Some(946_684_800_500_000), Some("+00:00".into()));
        let text = b"2000-01-01 00:00:00.5+00";
        assert_eq!(read(None, Some(moment.clone()), false, text).expect("a moment"), expected);
        let bytes = 500_000_i64.to_be_bytes();
        assert_eq!(read(Some(PgType::TIMESTAMPTZ), Some(moment), true, &bytes).expect("a moment"), expected);
        assert_eq!(
            read(Some(PgType::BOOL), None, false, b"t").expect("true"),
            ScalarValue::Boolean(Some(true))
        );
        let none = value(1, Some(&PgType::INT8), None, false, None).expect("nothing");
        assert_eq!(none, ScalarValue::Int64(None));
    }

    #[test]
    fn what_is_no_such_value_is_refused_with_the_parameters_number() {
        for (sent, is_binary, bytes) in [
            (Some(PgType::INT8), false, b"seven".as_slice()),
            (Some(PgType::INT8), true, b"123".as_slice()),
            (None, false, b"\xff".as_slice()),
        ] {
            let refused =
                read(sent, Some(DataType::Int64), is_binary, bytes).expect_err("no number").to_string();
            assert!(refused.starts_with("parameter $1 cannot be read as Int64"), "{refused}");
        }
    }
}
