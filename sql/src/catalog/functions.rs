//! Functions of PostgreSQL's catalog that clients call while they find out about tables. Owns what each of them says; must
//! not know statements.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::common::cast::as_list_array;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::prelude::SessionContext;

use super::relations::{name_of, oid_of};
use super::types::format_type;
use crate::statement::DATABASE;
use crate::tables::Tables;

/// What a function says to its arguments.
type Body = Arc<dyn Fn(&[ScalarValue]) -> ScalarValue + Send + Sync>;

/// A function that is called for one row after the other: catalogs are small.
struct CatalogFunction {
    name: &'static str,
    returns: DataType,
    signature: Signature,
    body: Body,
}

impl std::fmt::Debug for CatalogFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for CatalogFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for CatalogFunction {}

impl Hash for CatalogFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for CatalogFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { arguments.number_rows };
        let mut said = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut values = Vec::with_capacity(arguments.args.len());
            for argument in &arguments.args {
                values.push(match argument {
                    ColumnarValue::Scalar(value) => value.clone(),
                    ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row)?,
                });
            }
            said.push((self.body)(&values));
        }
        match (is_constant, said.pop()) {
            (true, Some(value)) => Ok(ColumnarValue::Scalar(value)),
            (_, last) => {
                said.extend(last);
                if said.is_empty() {
                    return Ok(ColumnarValue::Array(datafusion::arrow::array::new_empty_array(
                        &self.returns,
                    )));
                }
                Ok(ColumnarValue::Array(ScalarValue::iter_to_array(said)?))
            }
        }
    }
}

fn text(value: Option<String>) -> ScalarValue {
    ScalarValue::Utf8(value)
}

fn list(values: Vec<String>) -> ScalarValue {
    let values: Vec<ScalarValue> = values.into_iter().map(|value| text(Some(value))).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8))
}

fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

fn text_of(value: Option<&ScalarValue>) -> Option<String> {
    match value? {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => text.clone(),
        value if value.is_null() => None,
        value => Some(value.to_string()),
    }
}

fn int_of(value: Option<&ScalarValue>) -> Option<i64> {
    match value?.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(number)) => number,
        _ => None,
    }
}

/// Makes the functions known.
pub(crate) fn register(context: &SessionContext, tables: &Arc<Tables>) {
    let registry = Registry(context);
    registry.constants();
    registry.texts();
    registry.names(tables);
}

/// Where functions become known.
struct Registry<'a>(&'a SessionContext);

impl Registry<'_> {
    fn add(
        &self,
        name: &'static str,
        returns: DataType,
        body: impl Fn(&[ScalarValue]) -> ScalarValue + Send + Sync + 'static,
    ) {
        // Nothing that they say changes while a statement runs.
        let kinds = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        let signature = Signature::one_of(kinds, Volatility::Stable);
        let function = CatalogFunction { name, returns, signature, body: Arc::new(body) };
        self.0.register_udf(ScalarUDF::from(function));
    }

    /// Those that say the same whatever they are asked.
    fn constants(&self) {
        for name in TRUE {
            self.add(name, DataType::Boolean, |_| ScalarValue::Boolean(Some(true)));
        }
        for name in FALSE {
            self.add(name, DataType::Boolean, |_| ScalarValue::Boolean(Some(false)));
        }
        for name in NOUGHT {
            self.add(name, DataType::Int64, |_| ScalarValue::Int64(Some(0)));
        }
        for name in UNKNOWN {
            self.add(name, DataType::Utf8, |_| text(None));
        }
        for name in PRIVILEGES {
            self.add(name, DataType::Boolean, |arguments| ScalarValue::Boolean(Some(may(arguments))));
        }
        self.add("pg_get_userbyid", DataType::Utf8, |_| text(Some(DATABASE.to_owned())));
        self.add("pg_encoding_to_char", DataType::Utf8, |_| text(Some("UTF8".to_owned())));
    }

    /// Those about words and lists.
    fn texts(&self) {
        // What is set in the middle of a query is not set at all.
        self.add("set_config", DataType::Utf8, |arguments| text(text_of(arguments.get(1))));
        for name in ["format_type", "regtype_name"] {
            self.add(name, DataType::Utf8, |arguments| {
                text(int_of(arguments.first()).map(|oid| format_type(oid, int_of(arguments.get(1)))))
            });
        }
        self.add("quote_ident", DataType::Utf8, |arguments| {
            text(text_of(arguments.first()).map(|name| quote_ident(&name)))
        });
        self.add("quote_literal", DataType::Utf8, |arguments| {
            text(text_of(arguments.first()).map(|text| format!("'{}'", text.replace('\'', "''"))))
        });
        self.add("parse_ident", list_type(), |arguments| {
            list(text_of(arguments.first()).map(|name| parse_ident(&name)).unwrap_or_default())
        });
        self.add("current_schemas", list_type(), |arguments| {
            let with_catalog = matches!(arguments.first(), Some(ScalarValue::Boolean(Some(true))));
            let catalog = with_catalog.then(|| "pg_catalog".to_owned());
            list(catalog.into_iter().chain(["public".to_owned()]).collect())
        });
        self.add("pg_size_pretty", DataType::Utf8, |arguments| {
            text(int_of(arguments.first()).map(|bytes| format!("{bytes} bytes")))
        });
        self.add("array_upper", DataType::Int64, |arguments| bound(arguments.first(), true));
        self.add("array_lower", DataType::Int64, |arguments| bound(arguments.first(), false));
    }

    /// Those that know tables.
    fn names(&self, tables: &Arc<Tables>) {
        let known = Arc::clone(tables);
        self.add("regclass_name", DataType::Utf8, move |arguments| {
            let name = |oid| name_of(&known, oid).map_or_else(|| oid.to_string(), |name| quote_ident(&name));
            text(int_of(arguments.first()).map(name))
        });
        let known = Arc::clone(tables);
        self.add("to_regclass", DataType::Int64, move |arguments| {
            let parts = text_of(arguments.first()).map(|name| parse_ident(&name)).unwrap_or_default();
            ScalarValue::Int64(parts.last().and_then(|name| oid_of(&known, name)).map(i64::from))
        });
    }
}

/// Functions that are true of all that there is.
const TRUE: &[&str] =
    &["pg_table_is_visible", "pg_type_is_visible", "pg_function_is_visible", "has_schema_privilege"];

/// Functions that are true of nothing.
const FALSE: &[&str] = &["pg_is_in_recovery", "pg_relation_is_publishable", "pg_is_other_temp_schema"];

/// Functions about sizes and processes.
const NOUGHT: &[&str] =
    &["pg_relation_size", "pg_total_relation_size", "pg_table_size", "pg_my_temp_schema", "pg_backend_pid"];

/// Functions that ask for a privilege.
const PRIVILEGES: &[&str] =
    &["has_table_privilege", "has_any_column_privilege", "has_column_privilege", "has_database_privilege"];

/// Functions about what no table here has.
const UNKNOWN: &[&str] = &[
    "col_description",
    "obj_description",
    "pg_get_constraintdef",
    "pg_get_expr",
    "pg_get_function_result",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_partkeydef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_statisticsobjdef_columns",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_tablespace_location",
    "shobj_description",
];

/// Whoever is connected may read, and nothing else. The privilege is the last argument.
fn may(arguments: &[ScalarValue]) -> bool {
    let privilege = text_of(arguments.last()).unwrap_or_default().to_ascii_lowercase();
    privilege.split(',').any(|one| matches!(one.trim(), "select" | "usage" | "connect"))
}

/// The first or last place of a list.
fn bound(value: Option<&ScalarValue>, is_upper: bool) -> ScalarValue {
    let length = match value {
        Some(ScalarValue::List(list)) => as_list_array(list.as_ref()).map_or(0, |list| list.value(0).len()),
        _ => 0,
    };
    let place = if is_upper { i64::try_from(length).unwrap_or(i64::MAX) } else { 1 };
    ScalarValue::Int64((length > 0).then_some(place))
}

/// A name with quotes where it needs some.
fn quote_ident(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The parts of a name with its schema.
fn parse_ident(name: &str) -> Vec<String> {
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => part.extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(std::mem::take(&mut part)),
            letter if is_quoted => part.push(letter),
            letter => part.extend(letter.to_lowercase()),
        }
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_need_it_and_read_back() {
        for (name, quoted) in
            [("counts", "counts"), ("candles-1m", "\"candles-1m\""), ("A\"b", "\"A\"\"b\""), ("1m", "\"1m\"")]
        {
            assert_eq!(quote_ident(name), quoted);
            assert_eq!(parse_ident(quoted), [name]);
        }
        assert_eq!(parse_ident("Public.\"A.b\""), ["public", "A.b"]);
    }

    #[test]
    fn everybody_may_read_and_nobody_may_write() {
        let may = |privilege: &str| may(&[text(Some("counts".to_owned())), text(Some(privilege.to_owned()))]);
        assert!(may("SELECT") && may("usage"));
        assert!(!may("insert") && !may("UPDATE"));
    }
}
