//! A value against an `OpenAPI` v3 schema, as strict as a Kubernetes server that is asked to be: a field that the schema
//! does not name is a fault. Must not know which schema it is.
//!
//! Every keyword that the schema uses must be known here, or be one that says nothing about validity; anything else is
//! a fault of its own, so that a newer schema is not checked by halves. Rules in Kubernetes' expression language
//! (`x-kubernetes-validations`) are not evaluated.

use serde_json::{Map, Value};

const KNOWN: [&str; 17] = [
    "type",
    "properties",
    "additionalProperties",
    "required",
    "items",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minItems",
    "oneOf",
    "anyOf",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    // These say nothing about what is valid, or cannot be evaluated here.
    "x-kubernetes-validations",
    "description",
    "example",
];

/// What is wrong with `value`, each with the path of the place; empty when nothing is.
///
/// ```
/// use serde_json::json;
/// let schema = json!({"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 0}}});
/// assert!(candlewick_tests::deploy::faults(&schema, &json!({"replicas": 3})).is_empty());
/// assert_eq!(candlewick_tests::deploy::faults(&schema, &json!({"replica": 3})), ["replica: unknown field"]);
/// ```
#[must_use]
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        return fault(found, path, "its schema is no object");
    };
    for keyword in rules.keys().filter(|keyword| !KNOWN.contains(&keyword.as_str())) {
        fault(
            found,
            path,
            &format!("its schema has the keyword {keyword}, which this checker does not know"),
        );
    }
    if let Some(kind) = rules.get("type").and_then(Value::as_str)
        && !is_of(kind, value)
    {
        return fault(found, path, &format!("{value} is not of the type {kind}"));
    }
    if rules.contains_key("x-kubernetes-int-or-string") && !value.is_i64() && !value.is_string() {
        fault(found, path, &format!("{value} is neither an integer nor a string"));
    }
    check_scalar(rules, value, path, found);
    check_alternatives(rules, value, path, found);
    match value {
        Value::Object(fields) => check_fields(rules, fields, path, found),
        Value::Array(items) => check_items(rules, items, path, found),
        _ => {}
    }
}

fn check_scalar(rules: &Map<String, Value>, value: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(choices) = rules.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        let choices = Value::from(choices.clone());
        fault(found, path, &format!("{value} is none of {choices}"));
    }
    if let (Some(pattern), Some(text)) = (rules.get("pattern").and_then(Value::as_str), value.as_str()) {
        match regex_lite::Regex::new(pattern) {
            Ok(pattern) if pattern.is_match(text) => {}
            Ok(_) => fault(found, path, &format!("{value} does not match {pattern}")),
            Err(error) => {
                fault(found, path, &format!("its schema's pattern {pattern} cannot be read: {error}"))
            }
        }
    }
    let Some(number) = value.as_f64() else { return };
    if let Some(least) = rules.get("minimum").and_then(Value::as_f64)
        && number < least
    {
        fault(found, path, &format!("{value} is below {least}"));
    }
    if let Some(most) = rules.get("maximum").and_then(Value::as_f64)
        && number > most
    {
        fault(found, path, &format!("{value} is above {most}"));
    }
}

/// In a structural schema alternatives only say more about what the rest describes, so that fields they do not name are
/// no faults of theirs.
fn check_alternatives(rules: &Map<String, Value>, value: &Value, path: &str, found: &mut Vec<String>) {
    let fitting = |alternatives: &Vec<Value>| {
        let fits = |schema: &&Value| {
            let mut inner = Vec::new();
            check(&opened(schema), value, path, &mut inner);
            inner.is_empty()
        };
        alternatives.iter().filter(fits).count()
    };
    if let Some(alternatives) = rules.get("anyOf").and_then(Value::as_array)
        && fitting(alternatives) == 0
    {
        fault(found, path, "it fits none of the alternatives");
    }
    if let Some(alternatives) = rules.get("oneOf").and_then(Value::as_array) {
        let fit = fitting(alternatives);
        if fit != 1 {
            fault(found, path, &format!("it fits {fit} of the alternatives instead of one"));
        }
    }
}

/// The schema with unknown fields allowed in every object.
fn opened(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(rules) = schema.as_object_mut() {
        rules.insert("x-kubernetes-preserve-unknown-fields".into(), Value::Bool(true));
        if let Some(properties) = rules.get_mut("properties").and_then(Value::as_object_mut) {
            for property in properties.values_mut() {
                *property = opened(property);
            }
        }
    }
    schema
}

fn check_fields(
    rules: &Map<String, Value>,
    fields: &Map<String, Value>,
    path: &str,
    found: &mut Vec<String>,
) {
    let properties = rules.get("properties").and_then(Value::as_object);
    let additional = rules.get("additionalProperties");
    let open = rules.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    for (name, value) in fields {
        let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (properties.and_then(|known| known.get(name)), additional) {
            (Some(schema), _) => check(schema, value, &place, found),
            (None, Some(schema @ Value::Object(_))) => check(schema, value, &place, found),
            (None, Some(Value::Bool(true))) => {}
            (None, _) if open => {}
            (None, _) => found.push(format!("{place}: unknown field")),
        }
    }
    for name in
        rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        if !fields.contains_key(name) {
            fault(found, path, &format!("{name} is missing"));
        }
    }
}

fn check_items(rules: &Map<String, Value>, items: &[Value], path: &str, found: &mut Vec<String>) {
    if let Some(least) = rules.get("minItems").and_then(Value::as_u64)
        && (items.len() as u64) < least
    {
        fault(found, path, &format!("{} items are fewer than {least}", items.len()));
    }
    if let Some(schema) = rules.get("items") {
        for (index, item) in items.iter().enumerate() {
            check(schema, item, &format!("{path}[{index}]"), found);
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    }
}

fn fault(found: &mut Vec<String>, path: &str, what: &str) {
    let path = if path.is_empty() { "." } else { path };
    found.push(format!("{path}: {what}"));
}
