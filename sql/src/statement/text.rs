//! Small texts of SQL's grammar: names and literals, as they stand in a statement. Must not know what they mean.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Value,
    ValueWithSpan,
};

/// The last part of a name, in lower case where it is not quoted.
pub(super) fn last(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(|ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    })
}

/// The first part of a name of several.
pub(super) fn schema(name: &ObjectName) -> Option<String> {
    let [.., schema, _] = name.0.as_slice() else { return None };
    schema.as_ident().map(|ident| ident.value.to_ascii_lowercase())
}

/// The text of a literal.
pub(super) fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text)
            | Value::EscapedStringLiteral(text)
            | Value::DoubleQuotedString(text)
            | Value::NationalStringLiteral(text) => Some(text.clone()),
            Value::DollarQuotedString(text) => Some(text.value.clone()),
            Value::Number(number, _) => Some(number.clone()),
            Value::Boolean(value) => Some(if *value { "on" } else { "off" }.to_owned()),
            _ => None,
        },
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::Cast { expr, .. } => literal(expr),
        _ => None,
    }
}

/// A text as a literal.
pub(super) fn quoted(text: &str) -> Expr {
    Expr::Value(ValueWithSpan::from(Value::SingleQuotedString(text.to_owned())))
}

/// A number as a literal.
pub(super) fn number(number: i64) -> Expr {
    Expr::Value(ValueWithSpan::from(Value::Number(number.to_string(), false)))
}

/// True or false.
pub(super) fn truth(value: bool) -> Expr {
    Expr::Value(ValueWithSpan::from(Value::Boolean(value)))
}

/// Nothing.
pub(super) fn null() -> Expr {
    Expr::Value(ValueWithSpan::from(Value::Null))
}

/// The argument of a function that has one at least, if it is an expression.
pub(super) fn first_argument(function: &Function) -> Option<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.first()? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// A type's name without its schema, in lower case.
pub(super) fn type_name(data_type: &DataType) -> String {
    let name = data_type.to_string().to_ascii_lowercase();
    let name = name.strip_prefix("pg_catalog.").map(str::to_owned).unwrap_or(name);
    name.trim_matches('"').to_owned()
}
