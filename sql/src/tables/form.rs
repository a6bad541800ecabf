//! What JSON values look like: the form of one, and the form that fits several. Owns the rules by which a field gets its
//! type; must not know tables.

use serde_json::Value;

/// Levels of objects that become columns of their own; what lies deeper is JSON.
const DEPTH_MAX: usize = 8;
/// Fields of one object that become columns: an object with more is a map, and stays JSON.
const FIELDS_MAX: usize = 100;
/// Decimal places that a number may have.
const PLACES_MAX: usize = 30;

/// The form of a JSON value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Form {
    /// Nothing is known: it was absent wherever it was looked for.
    #[default]
    Unknown,
    /// True or false.
    Bool,
    /// Whole numbers of 64 bits.
    Int,
    /// Any other numbers.
    Float,
    /// Exact numbers with so many decimal places, written as text.
    Decimal(u8),
    /// Text.
    Text,
    /// Anything, told as JSON.
    Json,
    /// An object, by its fields in their order.
    Object(Vec<(String, Form)>),
}

impl Form {
    /// The form of a value that was met.
    pub(crate) fn of(value: &Value) -> Self {
        Self::at(value, 0, false)
    }

    /// The form that a made-up value stands for: there, text that is a number with a decimal point means exact numbers with
    /// as many places.
    pub(crate) fn of_sample(value: &Value) -> Self {
        Self::at(value, 0, true)
    }

    fn at(value: &Value, depth: usize, is_sample: bool) -> Self {
        match value {
            Value::Null => Self::Unknown,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_i64() => Self::Int,
            Value::Number(number) if number.is_f64() => Self::Float,
            // Whole numbers beyond 64 bits with a sign.
            Value::Number(_) => Self::Decimal(0),
            Value::String(text) => match places(text) {
                Some(places) if is_sample => Self::Decimal(places),
                _ => Self::Text,
            },
            Value::Array(_) => Self::Json,
            Value::Object(fields) if depth == DEPTH_MAX || fields.len() > FIELDS_MAX => Self::Json,
            Value::Object(fields) => {
                let field =
                    |(name, value): (&String, &Value)| (name.clone(), Self::at(value, depth + 1, is_sample));
                Self::Object(fields.iter().map(field).collect())
            }
        }
    }

    /// The form that fits both.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, form) | (form, Self::Unknown) => form,
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            (Self::Decimal(a), Self::Decimal(b)) => Self::Decimal(a.max(b)),
            (Self::Decimal(places), Self::Int) | (Self::Int, Self::Decimal(places)) => Self::Decimal(places),
            (Self::Object(mut ours), Self::Object(theirs)) => {
                for (name, form) in theirs {
                    match ours.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => *known = std::mem::take(known).join(form),
                        None => ours.push((name, form)),
                    }
                }
                if ours.len() > FIELDS_MAX { Self::Json } else { Self::Object(ours) }
            }
            (ours, theirs) if ours == theirs => ours,
            _ => Self::Json,
        }
    }
}

/// The decimal places of a text that is a number with a point.
fn places(text: &str) -> Option<u8> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.strip_prefix('-').unwrap_or(text).split_once('.')?;
    let is_number = digits(whole) && digits(fraction) && fraction.len() <= PLACES_MAX;
    is_number.then(|| u8::try_from(fraction.len()).ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(fields: &[(&str, Form)]) -> Form {
        Form::Object(fields.iter().map(|(name, form)| ((*name).to_owned(), form.clone())).collect())
    }

    #[test]
    fn a_sample_tells_exact_numbers_by_their_decimal_point_and_rows_do_not() {
        let value = json!({"id": "7", "price": "0.0000", "size": 1.5});
        let expected = |price| object(&[("id", Form::Text), ("price", price), ("size", Form::Float)]);
        assert_eq!(Form::of_sample(&value), expected(Form::Decimal(4)));
        assert_eq!(Form::of(&value), expected(Form::Text));
    }

    #[test]
    fn two_forms_are_joined_into_the_narrowest_that_fits_both() {
        let joined = |a: Value, b: Value| Form::of(&a).join(Form::of(&b));
        assert_eq!(joined(json!(1), json!(null)), Form::Int);
        assert_eq!(joined(json!(1), json!(1.5)), Form::Float);
        assert_eq!(joined(json!(1), json!(u64::MAX)), Form::Decimal(0));
        assert_eq!(joined(json!(1), json!("a")), Form::Json);
        assert_eq!(joined(json!([1]), json!([2])), Form::Json);
        assert_eq!(
            joined(json!({"a": 1, "b": {"c": null}}), json!({"b": {"c": true}, "d": "x"})),
            object(&[("a", Form::Int), ("b", object(&[("c", Form::Bool)])), ("d", Form::Text)])
        );
        assert_eq!(joined(json!({"a": 1}), json!(1)), Form::Json);
    }

    #[test]
    fn maps_and_depths_stay_json() {
        let map: serde_json::Map<String, Value> =
            (0..=FIELDS_MAX).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(Form::of(&Value::Object(map)), Form::Json);
        let mut deep = json!({"end": 1});
        for _ in 0..DEPTH_MAX {
            deep = json!({ "in": deep });
        }
        let mut form = Form::of(&deep);
        while let Form::Object(fields) = form {
            form = fields[0].1.clone();
        }
        assert_eq!(form, Form::Json);
    }
}
