//! From conditions to ranges: which keys and which times a query can mean at all. Owns what is worth reading less for; the
//! engine checks every condition again on what was read, so that a range may be too wide, and never too narrow.

use candlewick::{StoreType, millis};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator};
use serde_json::{Map, Value};

use super::column::{Column, Kind, Source};
use super::form::Form;

/// Keys that a query may name before all are read instead.
const KEYS_MAX: usize = 100;

/// First and last time, as a store's reads take them; what is left out is open.
pub(super) type Times = (Option<i64>, Option<i64>);

/// What is read for a query.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Narrowed {
    /// These keys alone, as text; `None` for all.
    pub(super) keys: Option<Vec<String>>,
    pub(super) times: Times,
}

/// Whether a condition makes a range narrower.
pub(super) fn helps(filter: &Expr, columns: &[Column], store: StoreType) -> bool {
    equalities(filter).is_some_and(|(name, _)| is_key(name, columns))
        || bounds(filter, columns, store) != (None, None)
}

/// The range that all of these conditions leave.
pub(super) fn narrowed(filters: &[Expr], columns: &[Column], store: StoreType, key: &Form) -> Narrowed {
    let mut times: Times = (None, None);
    for filter in filters {
        let (from, to) = bounds(filter, columns, store);
        times.0 = times.0.max(from);
        times.1 = match (times.1, to) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Narrowed { keys: keys(filters, columns, key), times }
}

fn is_key(name: &str, columns: &[Column]) -> bool {
    columns.iter().any(|column| column.name == name && matches!(column.source, Source::Key(_)))
}

fn keys(filters: &[Expr], columns: &[Column], key: &Form) -> Option<Vec<String>> {
    let named = |column: &Column| {
        filters.iter().find_map(|filter| {
            let (name, values) = equalities(filter)?;
            (name == column.name)
                .then(|| values.into_iter().map(|value| json(value, column.kind)).collect())?
        })
    };
    match key {
        Form::Object(_) => {
            // One key, when each of its fields is given.
            let mut fields = Map::new();
            for column in columns {
                if let Source::Key(path) = &column.source {
                    let values: Vec<Value> = named(column)?;
                    let [value] = values.as_slice() else { return None };
                    place(&mut fields, path, value.clone());
                }
            }
            Some(vec![Value::Object(fields).to_string()])
        }
        _ => {
            let column = columns.iter().find(|column| matches!(column.source, Source::Key(_)))?;
            let values: Vec<Value> = named(column)?;
            let text = |value: Value| match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let mut keys: Vec<String> = values.into_iter().map(text).collect();
            keys.sort();
            keys.dedup();
            (keys.len() <= KEYS_MAX).then_some(keys)
        }
    }
}

fn place(fields: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            fields.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = fields.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                place(inner, rest, value);
            }
        }
    }
}

/// The column and the values of `column = value`, `column IN (values)` and of several such, one of which must hold.
fn equalities(filter: &Expr) -> Option<(&str, Vec<&ScalarValue>)> {
    match filter {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::Eq => {
                let (column, value) = column_and_value(&binary.left, &binary.right)
                    .or_else(|| column_and_value(&binary.right, &binary.left))?;
                Some((column, vec![value]))
            }
            Operator::Or => {
                let (name, mut values) = equalities(&binary.left)?;
                let (other, more) = equalities(&binary.right)?;
                values.extend(more);
                (name == other).then_some((name, values))
            }
            _ => None,
        },
        Expr::InList(list) if !list.negated => {
            let Expr::Column(column) = &*list.expr else { return None };
            let values = list.list.iter().map(literal).collect::<Option<Vec<_>>>()?;
            Some((&column.name, values))
        }
        _ => None,
    }
}

fn column_and_value<'a>(column: &'a Expr, value: &'a Expr) -> Option<(&'a str, &'a ScalarValue)> {
    let Expr::Column(column) = column else { return None };
    Some((&column.name, literal(value)?))
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) if !value.is_null() => Some(value),
        _ => None,
    }
}

/// A value as it stands in the JSON of a key.
fn json(value: &ScalarValue, kind: Kind) -> Option<Value> {
    match (kind, value) {
        (
            Kind::Text,
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
        ) => Some(Value::from(text.as_str())),
        (Kind::Int, ScalarValue::Int64(Some(number))) => Some(Value::from(*number)),
        (Kind::Bool, ScalarValue::Boolean(Some(value))) => Some(Value::from(*value)),
        // Floats have several forms as text, and JSON has no order of fields.
        _ => None,
    }
}

/// The times that a condition leaves of a store.
fn bounds(filter: &Expr, columns: &[Column], store: StoreType) -> Times {
    match filter {
        Expr::BinaryExpr(binary) => {
            let (op, column, value) = match (moment(&binary.right), moment(&binary.left)) {
                (Some(value), _) => (binary.op, &binary.left, value),
                (None, Some(value)) => match binary.op.swap() {
                    Some(op) => (op, &binary.right, value),
                    None => return (None, None),
                },
                (None, None) => return (None, None),
            };
            let times = match op {
                Operator::Eq => (Some(value), Some(value)),
                Operator::Gt | Operator::GtEq => (Some(value), None),
                Operator::Lt | Operator::LtEq => (None, Some(value)),
                _ => return (None, None),
            };
            applied(times, column, columns, store)
        }
        Expr::Between(between) if !between.negated => {
            let times = (moment(&between.low), moment(&between.high));
            applied(times, &between.expr, columns, store)
        }
        _ => (None, None),
    }
}

/// Unix milliseconds of a moment, rounded to both sides.
type Moment = (i64, i64);

fn applied(
    (from, to): (Option<Moment>, Option<Moment>),
    column: &Expr,
    columns: &[Column],
    store: StoreType,
) -> Times {
    let Some(column) = time_column(column, columns) else { return (None, None) };
    // A moment between two milliseconds is taken for the earlier one at the beginning, and for the later one at the end.
    let (from, to) = (from.map(|(floor, _)| floor), to.map(|(_, ceiling)| ceiling));
    match (store, &column.source) {
        (StoreType::Window { .. }, Source::WindowStart) => (from, to),
        (StoreType::Window { size }, Source::WindowEnd) => {
            let start = |end: Option<i64>| end.map(|end| end.saturating_sub(millis(size)));
            (start(from), start(to))
        }
        // What lies in time is a session's whole span: it begins after its beginning, and ends before its end.
        (StoreType::Session, Source::WindowStart | Source::WindowEnd) => (from, to),
        // A later version says until when an earlier one held, and is read for it.
        (StoreType::Versioned, Source::ValidFrom) => (from, None),
        _ => (None, None),
    }
}

/// The column, where it stands alone or is only told more finely.
fn time_column<'a>(expr: &Expr, columns: &'a [Column]) -> Option<&'a Column> {
    match expr {
        Expr::Column(column) => columns.iter().find(|known| known.name == column.name),
        Expr::Cast(cast) => match cast.field.data_type() {
            DataType::Timestamp(
                TimeUnit::Nanosecond | TimeUnit::Microsecond | TimeUnit::Millisecond,
                Some(_),
            ) => time_column(&cast.expr, columns),
            _ => None,
        },
        _ => None,
    }
}

fn moment(expr: &Expr) -> Option<Moment> {
    let in_units = |value: i64, per_milli: i64| {
        let floor = value.div_euclid(per_milli);
        Some((floor, floor + i64::from(value.rem_euclid(per_milli) != 0)))
    };
    match literal(expr)? {
        ScalarValue::TimestampSecond(Some(value), Some(_)) => {
            let millis = value.checked_mul(1_000)?;
            Some((millis, millis))
        }
        ScalarValue::TimestampMillisecond(Some(value), Some(_)) => Some((*value, *value)),
        ScalarValue::TimestampMicrosecond(Some(value), Some(_)) => in_units(*value, 1_000),
        ScalarValue::TimestampNanosecond(Some(value), Some(_)) => in_units(*value, 1_000_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use datafusion::prelude::{col, lit};
    use serde_json::json;

    use super::super::column::columns;
    use super::*;

    const WINDOW: StoreType = StoreType::Window { size: Duration::from_secs(60) };

    fn at(micros: i64) -> Expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), Some("+00:00".into())), None)
    }

    fn narrow(store: StoreType, key: &Value, filters: &[Expr]) -> Narrowed {
        let key = Form::of(key);
        narrowed(filters, &columns(store, &key, &Form::Int), store, &key)
    }

    #[test]
    fn keys_are_found_where_they_are_named_and_only_there() {
        let found = |filter: Expr| narrow(StoreType::KeyValue, &json!("k"), &[filter]).keys;
        let keys = |keys: &[&str]| Some(keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(found(col("key").eq(lit("b"))), keys(&["b"]));
        assert_eq!(found(lit("b").eq(col("key"))), keys(&["b"]));
        assert_eq!(found(col("key").in_list(vec![lit("b"), lit("a"), lit("b")], false)), keys(&["a", "b"]));
        assert_eq!(found(col("key").eq(lit("b")).or(col("key").eq(lit("a")))), keys(&["a", "b"]));
        assert_eq!(found(col("key").eq(lit("b")).or(col("value").eq(lit(1_i64)))), None);
        assert_eq!(found(col("key").in_list(vec![lit("a")], true)), None);
        assert_eq!(found(col("key").gt(lit("a"))), None);
        assert_eq!(found(col("value").eq(lit("a"))), None);
    }

    #[test]
    fn a_key_of_fields_is_found_when_all_of_them_are_named() {
        let key = json!({"user": "u", "place": {"shard": 1}});
        let user = col("key_user").eq(lit("x"));
        let both = [user.clone(), col("key_place_shard").eq(lit(7_i64))];
        let found = narrow(StoreType::KeyValue, &key, &both).keys.expect("a key");
        assert_eq!(found.len(), 1);
        let parsed: Value = serde_json::from_str(&found[0]).expect("JSON");
        assert_eq!(parsed, json!({"user": "x", "place": {"shard": 7}}));
        assert_eq!(narrow(StoreType::KeyValue, &key, &[user]).keys, None);
    }

    #[test]
    fn times_are_narrowed_by_every_condition_and_never_too_far() {
        let times = |store, filters: &[Expr]| narrow(store, &json!("k"), filters).times;
        let start = || col("window_start");
        assert_eq!(times(WINDOW, &[start().gt_eq(at(5_000)), start().lt(at(9_000))]), (Some(5), Some(9)));
        assert_eq!(times(WINDOW, &[start().between(at(5_001), at(9_001))]), (Some(5), Some(10)));
        assert_eq!(times(WINDOW, &[at(7_000).lt(start()), start().gt(at(6_000))]), (Some(7), None));
        assert_eq!(times(WINDOW, &[col("window_end").lt_eq(at(90_000_000))]), (None, Some(30_000)));
        assert_eq!(times(WINDOW, &[col("record_time").gt(at(1))]), (None, None));
        assert_eq!(times(StoreType::Session, &[col("window_end").gt(at(4_000))]), (Some(4), None));
        let versions = [col("valid_from").between(at(5_000), at(9_000))];
        assert_eq!(times(StoreType::Versioned, &versions), (Some(5), None));
        assert_eq!(times(StoreType::KeyValue, &[col("record_time").gt(at(1))]), (None, None));
    }
}
