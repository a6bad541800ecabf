//! Values as PostgreSQL sends them, as text or as bytes. Owns both forms of each type; must not know rows.

use std::fmt::Write;

use datafusion::arrow::array::{Array, AsArray, ListArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::temporal_conversions::timestamp_us_to_datetime;
use datafusion::arrow::util::display::array_value_to_string;

use super::numeric;
use super::types::pg_type;

/// PostgreSQL counts from the year 2000 on.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS * MICROS_A_DAY;
const MICROS_A_DAY: i64 = 86_400_000_000;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Bytes,
}

/// Appends the value at `row`; the caller has seen that there is one.
pub(super) fn append(array: &dyn Array, row: usize, form: Form, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    macro_rules! number {
        ($arrow:ty, $sent:ty) => {{
            let value = <$sent>::from(array.as_primitive::<$arrow>().value(row));
            match form {
                Form::Text => plain(out, value),
                Form::Bytes => out.extend(value.to_be_bytes()),
            }
        }};
    }
    macro_rules! exact {
        ($arrow:ty, $scale:expr) => {
            exact(i128::from(array.as_primitive::<$arrow>().value(row)), $scale, form, out)
        };
    }
    match array.data_type() {
        DataType::Boolean => out.push(match (form, array.as_boolean().value(row)) {
            (Form::Text, true) => b't',
            (Form::Text, false) => b'f',
            (Form::Bytes, value) => u8::from(value),
        }),
        DataType::Int8 => number!(Int8Type, i16),
        DataType::UInt8 => number!(UInt8Type, i16),
        DataType::Int16 => number!(Int16Type, i16),
        DataType::UInt16 => number!(UInt16Type, i32),
        DataType::Int32 => number!(Int32Type, i32),
        DataType::UInt32 => number!(UInt32Type, i64),
        DataType::Int64 => number!(Int64Type, i64),
        DataType::UInt64 => exact!(UInt64Type, 0),
        DataType::Float16 => {
            float(f64::from(array.as_primitive::<Float16Type>().value(row)), true, form, out)
        }
        DataType::Float32 => {
            float(f64::from(array.as_primitive::<Float32Type>().value(row)), true, form, out)
        }
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row), false, form, out),
        DataType::Decimal32(_, scale) => exact!(Decimal32Type, *scale),
        DataType::Decimal64(_, scale) => exact!(Decimal64Type, *scale),
        DataType::Decimal128(_, scale) => exact!(Decimal128Type, *scale),
        DataType::Utf8 => out.extend(array.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => out.extend(array.as_string::<i64>().value(row).as_bytes()),
        DataType::Utf8View => out.extend(array.as_string_view().value(row).as_bytes()),
        DataType::Binary => binary(array.as_binary::<i32>().value(row), form, out),
        DataType::LargeBinary => binary(array.as_binary::<i64>().value(row), form, out),
        DataType::BinaryView => binary(array.as_binary_view().value(row), form, out),
        DataType::FixedSizeBinary(_) => binary(array.as_fixed_size_binary().value(row), form, out),
        DataType::Date32 => date(i64::from(array.as_primitive::<Date32Type>().value(row)), form, out),
        DataType::Date64 => {
            date(array.as_primitive::<Date64Type>().value(row).div_euclid(MICROS_A_DAY / 1_000), form, out);
        }
        DataType::Timestamp(unit, zone) => {
            timestamp(timestamp_micros(array, row, *unit), zone.is_some(), form, out);
        }
        DataType::Interval(unit) => {
            let (months, days, micros) = interval_parts(array, row, *unit);
            interval(months, days, micros, form, out);
        }
        DataType::Duration(unit) => interval(0, 0, duration_micros(array, row, *unit), form, out),
        DataType::List(item) if pg_type(array.data_type()).name().starts_with('_') => {
            list(array.as_list(), row, pg_type(item.data_type()).oid(), form, out)?;
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            append(dictionary.values(), dictionary.normalized_keys()[row], form, out)?;
        }
        _ => out.extend(array_value_to_string(array, row)?.into_bytes()),
    }
    Ok(())
}

fn plain(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write;
    write!(out, "{value}").expect("memory takes all");
}

fn exact(units: i128, scale: i8, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Text => out.extend(numeric::text(units, scale).into_bytes()),
        Form::Bytes => numeric::bytes(units, scale, out),
    }
}

#[allow(clippy::cast_possible_truncation)] // what was narrow before is so again
fn float(value: f64, is_narrow: bool, form: Form, out: &mut Vec<u8>) {
    match (form, is_narrow) {
        (Form::Bytes, true) => out.extend((value as f32).to_be_bytes()),
        (Form::Bytes, false) => out.extend(value.to_be_bytes()),
        (Form::Text, _) if value.is_nan() => plain(out, "NaN"),
        (Form::Text, _) if value.is_infinite() => {
            plain(out, if value > 0.0 { "Infinity" } else { "-Infinity" })
        }
        (Form::Text, true) => plain(out, value as f32),
        (Form::Text, false) => plain(out, value),
    }
}

fn binary(value: &[u8], form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Bytes => out.extend(value),
        Form::Text => {
            let hex = value.iter().fold(String::from("\\x"), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            out.extend(hex.into_bytes());
        }
    }
}

fn date(days: i64, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Bytes => out.extend(i32::try_from(days - EPOCH_DAYS).unwrap_or(i32::MAX).to_be_bytes()),
        Form::Text => match timestamp_us_to_datetime(days.saturating_mul(MICROS_A_DAY)) {
            Some(moment) => plain(out, moment.format("%Y-%m-%d")),
            None => plain(out, "infinity"),
        },
    }
}

fn timestamp_micros(array: &dyn Array, row: usize, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1_000_000),
        TimeUnit::Millisecond => {
            array.as_primitive::<TimestampMillisecondType>().value(row).saturating_mul(1_000)
        }
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000),
    }
}

fn timestamp(micros: i64, has_zone: bool, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Bytes => out.extend(micros.saturating_sub(EPOCH_MICROS).to_be_bytes()),
        Form::Text => match timestamp_us_to_datetime(micros) {
            Some(moment) => {
                let whole = moment.format("%Y-%m-%d %H:%M:%S");
                match micros.rem_euclid(1_000_000) {
                    0 => plain(out, whole),
                    rest => {
                        plain(out, format_args!("{whole}.{}", format!("{rest:06}").trim_end_matches('0')))
                    }
                }
                if has_zone {
                    out.extend(b"+00");
                }
            }
            None => plain(out, "infinity"),
        },
    }
}

fn duration_micros(array: &dyn Array, row: usize, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => array.as_primitive::<DurationSecondType>().value(row).saturating_mul(1_000_000),
        TimeUnit::Millisecond => {
            array.as_primitive::<DurationMillisecondType>().value(row).saturating_mul(1_000)
        }
        TimeUnit::Microsecond => array.as_primitive::<DurationMicrosecondType>().value(row),
        TimeUnit::Nanosecond => array.as_primitive::<DurationNanosecondType>().value(row).div_euclid(1_000),
    }
}

fn interval_parts(array: &dyn Array, row: usize, unit: IntervalUnit) -> (i32, i32, i64) {
    match unit {
        IntervalUnit::YearMonth => (array.as_primitive::<IntervalYearMonthType>().value(row), 0, 0),
        IntervalUnit::DayTime => {
            let value = array.as_primitive::<IntervalDayTimeType>().value(row);
            (0, value.days, i64::from(value.milliseconds) * 1_000)
        }
        IntervalUnit::MonthDayNano => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            (value.months, value.days, value.nanoseconds.div_euclid(1_000))
        }
    }
}

fn interval(months: i32, days: i32, micros: i64, form: Form, out: &mut Vec<u8>) {
    if form == Form::Bytes {
        out.extend(micros.to_be_bytes());
        out.extend(days.to_be_bytes());
        out.extend(months.to_be_bytes());
        return;
    }
    let mut parts = Vec::new();
    let counted = |count: i32, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let units = [(months / 12, "year"), (months % 12, "mon"), (days, "day")];
    parts
        .extend(units.into_iter().filter(|(count, _)| *count != 0).map(|(count, word)| counted(count, word)));
    if micros != 0 || parts.is_empty() {
        let (sign, micros) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        let mut time = format!("{sign}{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
        if rest != 0 {
            let _ = write!(time, ".{}", format!("{rest:06}").trim_end_matches('0'));
        }
        parts.push(time);
    }
    out.extend(parts.join(" ").into_bytes());
}

fn list(lists: &ListArray, row: usize, item: u32, form: Form, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let values = lists.value(row);
    if form == Form::Text {
        out.push(b'{');
        for at in 0..values.len() {
            if at > 0 {
                out.push(b',');
            }
            if values.is_null(at) {
                out.extend(b"NULL");
                continue;
            }
            let mut value = Vec::new();
            append(&values, at, form, &mut value)?;
            quoted(&value, out);
        }
        out.push(b'}');
        return Ok(());
    }
    let length = i32::try_from(values.len()).unwrap_or(i32::MAX);
    let dimensions = i32::from(length > 0);
    out.extend(dimensions.to_be_bytes());
    out.extend(i32::from(values.null_count() > 0).to_be_bytes());
    out.extend(item.to_be_bytes());
    if dimensions > 0 {
        out.extend(length.to_be_bytes());
        out.extend(1_i32.to_be_bytes());
    }
    for at in 0..values.len() {
        sized(&values, at, form, out)?;
    }
    Ok(())
}

/// Appends a value behind its length; -1 where there is none.
pub(super) fn sized(array: &dyn Array, row: usize, form: Form, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    // Not all kinds of array know their nulls by a mask.
    if array.is_null(row) || *array.data_type() == DataType::Null {
        out.extend((-1_i32).to_be_bytes());
        return Ok(());
    }
    let start = out.len();
    out.extend([0; 4]);
    append(array, row, form, out)?;
    let length = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// An item of a list as text: in quotes where it could be read as something else.
fn quoted(value: &[u8], out: &mut Vec<u8>) {
    let is_plain = !value.is_empty()
        && !value.eq_ignore_ascii_case(b"null")
        && !value.iter().any(|byte| b"{}\",\\ \t\n\r".contains(byte));
    if is_plain {
        out.extend(value);
        return;
    }
    out.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{
        ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use datafusion::common::ScalarValue;

    use super::*;

    fn text(array: &dyn Array) -> Vec<String> {
        let one = |row| {
            let mut out = Vec::new();
            append(array, row, Form::Text, &mut out).expect("it can be written");
            String::from_utf8(out).expect("text")
        };
        (0..array.len()).map(one).collect()
    }

    #[test]
    fn moments_lose_no_digit_and_gain_none() {
        let moments = [0, 60_000_000, 1_000, 123_456, -1, 951_782_400_000_000];
        let array = TimestampMicrosecondArray::from(moments.to_vec()).with_timezone("+00:00");
        let expected = [
            "1970-01-01 00:00:00+00",
            "1970-01-01 00:01:00+00",
            "1970-01-01 00:00:00.001+00",
            "1970-01-01 00:00:00.123456+00",
            "1969-12-31 23:59:59.999999+00",
            "2000-02-29 00:00:00+00",
        ];
        assert_eq!(text(&array), expected);
    }

    #[test]
    fn floats_and_intervals_are_written_as_postgresql_does() {
        let floats = Float64Array::from(vec![1.0, 0.1, -2.5e-7, f64::NAN, f64::NEG_INFINITY]);
        assert_eq!(text(&floats), ["1", "0.1", "-0.00000025", "NaN", "-Infinity"]);
        for (months, days, micros, expected) in [
            (14, 3, 3_723_500_000, "1 year 2 mons 3 days 01:02:03.5"),
            (0, 0, 0, "00:00:00"),
            (0, 1, 0, "1 day"),
            (0, 0, -1_000_000, "-00:00:01"),
        ] {
            let mut out = Vec::new();
            interval(months, days, micros, Form::Text, &mut out);
            assert_eq!(String::from_utf8(out).expect("text"), expected);
        }
    }

    #[test]
    fn lists_are_quoted_where_they_need_it() {
        let list = |values: ArrayRef| {
            let values =
                (0..values.len()).map(|at| ScalarValue::try_from_array(&values, at).expect("a value"));
            let values: Vec<ScalarValue> = values.collect();
            let data_type = values[0].data_type();
            ScalarValue::List(ScalarValue::new_list_nullable(&values, &data_type))
                .to_array()
                .expect("an array")
        };
        let texts =
            list(Arc::new(StringArray::from(vec![Some("a"), None, Some(""), Some("b \"c\""), Some("null")])));
        assert_eq!(text(&texts), [r#"{a,NULL,"","b \"c\"","null"}"#]);
        assert_eq!(text(&list(Arc::new(Int64Array::from(vec![1, 2])))), ["{1,2}"]);
    }
}
