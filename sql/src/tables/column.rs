//! The columns of a table: their names, their types, and where in a row their values stand. Owns the naming; must not know
//! how rows are read.

use candlewick::StoreType;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

use super::form::Form;

/// Digits of exact numbers.
pub(super) const DIGITS: u8 = 38;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int,
    Float,
    /// Exact numbers with so many decimal places.
    Decimal(u8),
    Text,
    /// Anything, told as JSON.
    Json,
    /// Moments.
    Time,
}

/// Where in a row a column's value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the key, below these fields.
    Key(Vec<String>),
    /// In the value, below these fields.
    Value(Vec<String>),
    /// The start of its window, or the first record of its session.
    WindowStart,
    /// The end of its window, or the last record of its session.
    WindowEnd,
    /// Since when its version holds.
    ValidFrom,
    /// Until when its version held; nothing while it is the latest.
    ValidTo,
    /// The time of the record that made it.
    RecordTime,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) source: Source,
}

impl Kind {
    fn of(form: &Form) -> Self {
        match form {
            Form::Bool => Self::Bool,
            Form::Int => Self::Int,
            Form::Float => Self::Float,
            Form::Decimal(places) => Self::Decimal(*places),
            Form::Text | Form::Unknown => Self::Text,
            Form::Json | Form::Object(_) => Self::Json,
        }
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Decimal(places) => DataType::Decimal128(DIGITS, i8::try_from(places).unwrap_or(i8::MAX)),
            Self::Text | Self::Json => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        }
    }
}

impl Column {
    pub(crate) fn field(&self) -> Field {
        Field::new(&self.name, self.kind.data_type(), self.is_nullable())
    }

    fn is_nullable(&self) -> bool {
        match &self.source {
            Source::Key(path) => !path.is_empty(),
            Source::WindowStart | Source::WindowEnd | Source::ValidFrom => false,
            Source::Value(_) | Source::ValidTo | Source::RecordTime => true,
        }
    }
}

/// The columns of a store whose keys and values have these forms: key, times, value, and the time of the record.
pub(super) fn columns(store: StoreType, key: &Form, value: &Form) -> Vec<Column> {
    let mut columns = Vec::new();
    let time = |name: &str, source| Column { name: name.to_owned(), kind: Kind::Time, source };
    leaves(key, &mut Vec::new(), &mut |path, kind| {
        let name = [&["key".to_owned()], path].concat().join("_");
        columns.push(Column { name, kind, source: Source::Key(path.to_vec()) });
    });
    match store {
        StoreType::Window { .. } | StoreType::Session => {
            columns.push(time("window_start", Source::WindowStart));
            columns.push(time("window_end", Source::WindowEnd));
        }
        StoreType::Versioned => {
            columns.push(time("valid_from", Source::ValidFrom));
            columns.push(time("valid_to", Source::ValidTo));
        }
        _ => {}
    }
    let record_time = (store != StoreType::Versioned).then(|| time("record_time", Source::RecordTime));
    let mut taken: Vec<String> =
        columns.iter().chain(&record_time).map(|column| column.name.clone()).collect();
    leaves(value, &mut Vec::new(), &mut |path, kind| {
        let plain = if path.is_empty() { "value".to_owned() } else { path.join("_") };
        let mut name = if taken.contains(&plain) { format!("value_{plain}") } else { plain };
        while taken.contains(&name) {
            name.push('_');
        }
        taken.push(name.clone());
        columns.push(Column { name, kind, source: Source::Value(path.to_vec()) });
    });
    columns.extend(record_time);
    columns
}

fn leaves(form: &Form, path: &mut Vec<String>, each: &mut impl FnMut(&[String], Kind)) {
    match form {
        Form::Object(fields) if !fields.is_empty() => {
            for (name, form) in fields {
                path.push(name.clone());
                leaves(form, path, each);
                path.pop();
            }
        }
        form => each(path, Kind::of(form)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn named(store: StoreType, key: &Value, value: &Value) -> Vec<(String, Kind)> {
        let columns = columns(store, &Form::of_sample(key), &Form::of_sample(value));
        columns.into_iter().map(|column| (column.name, column.kind)).collect()
    }

    #[test]
    fn fields_become_columns_and_none_hides_another() {
        let key = json!({"user": "u", "shard": 1});
        let value = json!({"open": "0.00", "key_user": true, "record_time": 5, "at": {"x": 1.5}, "tags": []});
        let window = StoreType::Window { size: Duration::from_secs(60) };
        let expected = [
            ("key_shard", Kind::Int),
            ("key_user", Kind::Text),
            ("window_start", Kind::Time),
            ("window_end", Kind::Time),
            ("at_x", Kind::Float),
            ("value_key_user", Kind::Bool),
            ("open", Kind::Decimal(2)),
            ("value_record_time", Kind::Int),
            ("tags", Kind::Json),
            ("record_time", Kind::Time),
        ];
        let mut found = named(window, &key, &value);
        let mut expected: Vec<(String, Kind)> =
            expected.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        // The order of an object's fields is serde_json's.
        found.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, expected);
    }

    #[test]
    fn plain_keys_and_values_are_called_so() {
        let names = |store| named(store, &json!("k"), &json!(1)).into_iter().map(|(name, _)| name);
        assert_eq!(names(StoreType::KeyValue).collect::<Vec<_>>(), ["key", "value", "record_time"]);
        let versioned: Vec<_> = names(StoreType::Versioned).collect();
        assert_eq!(versioned, ["key", "valid_from", "valid_to", "value"]);
    }
}
