//! Rows as JSON into columns as Arrow keeps them. Owns how a value gets into its column, and when it does not fit; must not
//! know where rows come from.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Float64Builder, Int64Builder, RecordBatch,
    RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use serde_json::{Map, Value};

use super::column::{Column, DIGITS, Kind, Source};

/// The fields of a row.
pub(super) type Fields = Map<String, Value>;

/// Where a version without a successor says until when it held: filled in by whoever has seen its successor.
pub(super) const VALID_TO: &str = "valid_to";

/// Why rows do not become columns.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// A value is of another type than its column.
    #[error("the column {column} holds {expected}, and a row has {found} there")]
    Value { column: String, expected: &'static str, found: String },
    /// Arrow refused.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// The rows as columns of this schema.
pub(super) fn batch(schema: &SchemaRef, columns: &[Column], rows: &[Fields]) -> Result<RecordBatch, Unfit> {
    let arrays = columns.iter().map(|column| array(column, rows)).collect::<Result<Vec<ArrayRef>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
}

/// The value of a row for a column.
fn value<'a>(row: &'a Fields, source: &Source) -> Option<&'a Value> {
    let below = |root: &str, path: &[String]| {
        path.iter().try_fold(row.get(root)?, |value, field| value.get(field)).filter(|found| !found.is_null())
    };
    let time_of = |span: &str, end: &str| row.get(span)?.get(end);
    match source {
        Source::Key(path) => below("key", path),
        Source::Value(path) => below("value", path),
        Source::WindowStart => time_of("window", "start").or_else(|| time_of("session", "start")),
        Source::WindowEnd => time_of("window", "end").or_else(|| time_of("session", "end")),
        Source::ValidFrom | Source::RecordTime => row.get("timestamp"),
        Source::ValidTo => row.get(VALID_TO),
    }
}

fn array(column: &Column, rows: &[Fields]) -> Result<ArrayRef, Unfit> {
    let values = rows.iter().map(|row| value(row, &column.source));
    let unfit = |value: &Value, expected| Unfit::Value {
        column: column.name.clone(),
        expected,
        found: shortened(value),
    };
    macro_rules! filled {
        ($builder:expr, $expected:literal, $convert:expr) => {{
            let mut builder = $builder;
            for value in values {
                match value {
                    None => builder.append_null(),
                    Some(value) => {
                        let convert: fn(&Value) -> Option<_> = $convert;
                        builder.append_value(convert(value).ok_or_else(|| unfit(value, $expected))?);
                    }
                }
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    Ok(match column.kind {
        Kind::Bool => filled!(BooleanBuilder::new(), "true or false", Value::as_bool),
        Kind::Int => filled!(Int64Builder::new(), "whole numbers", Value::as_i64),
        Kind::Float => filled!(Float64Builder::new(), "numbers", Value::as_f64),
        Kind::Text | Kind::Json => filled!(StringBuilder::new(), "text", |value| Some(text(value))),
        Kind::Time => {
            let builder = TimestampMicrosecondBuilder::new().with_timezone("+00:00");
            filled!(builder, "Unix milliseconds", |value| value.as_i64()?.checked_mul(1_000))
        }
        Kind::Decimal(places) => {
            let mut builder = Decimal128Builder::new().with_data_type(column.kind.data_type());
            for value in values {
                match value {
                    None => builder.append_null(),
                    Some(value) => {
                        let units = decimal(&text(value), places);
                        builder.append_value(units.ok_or_else(|| unfit(value, "exact numbers"))?);
                    }
                }
            }
            Arc::new(builder.finish())
        }
    })
}

/// Text as it is; anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The units of an exact number, if it has at most so many decimal places, or zeros behind them.
fn decimal(text: &str, places: u8) -> Option<i128> {
    let places = usize::from(places);
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > places {
        return None;
    }
    let mut units: i128 = 0;
    let padding = std::iter::repeat_n(b'0', places - fraction.len());
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        units = units.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let fits = units < 10_i128.pow(u32::from(DIGITS));
    fits.then_some(if is_negative { -units } else { units })
}

fn shortened(value: &Value) -> String {
    const LENGTH_MAX: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_numbers_lose_nothing_or_are_refused() {
        for (text, places, expected) in [
            ("1.50", 1, Some(15)),
            ("-0.000000000001", 12, Some(-1)),
            ("18446744073709551615", 0, Some(18_446_744_073_709_551_615)),
            ("7", 3, Some(7_000)),
            ("1.55", 1, None),
            ("", 1, None),
            (".5", 1, None),
            ("1e3", 1, None),
            ("-", 0, None),
            (
                "99999999999999999999999999999999999999",
                0,
                Some(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
            ("100000000000000000000000000000000000000", 0, None),
        ] {
            assert_eq!(decimal(text, places), expected, "{text} with {places} places");
        }
    }
}
