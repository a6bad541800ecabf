//! The fixed functions that specs refer to by name, as `name` or `name:argument`. Pure; knows no topology.

use std::sync::Arc;

use super::text::{AsText, Key, Value, number, or_null};

/// A key as functions see it.
pub(super) type KeyView<'a> = &'a dyn AsText;
pub(super) type Predicate = Arc<dyn Fn(KeyView<'_>, Option<&str>) -> bool + Send + Sync>;
pub(super) type ValueFunction = Arc<dyn Fn(KeyView<'_>, Option<&str>) -> Value + Send + Sync>;
pub(super) type KeyFunction = Arc<dyn Fn(KeyView<'_>, Option<&str>) -> Key + Send + Sync>;
pub(super) type FlatFunction = Arc<dyn Fn(Option<&str>) -> Vec<Value> + Send + Sync>;
pub(super) type Combine = Arc<dyn Fn(Option<&str>, Option<&str>) -> Value + Send + Sync>;

/// A function that the suite does not have.
#[derive(Debug, thiserror::Error)]
#[error("the suite knows no {kind} function called {name}; add it beside the others")]
pub(super) struct UnknownFunction {
    kind: &'static str,
    name: String,
}

impl UnknownFunction {
    pub(super) fn processor(spec: &str) -> Self {
        unknown("processor", spec)
    }
}

fn unknown(kind: &'static str, spec: &str) -> UnknownFunction {
    UnknownFunction { kind, name: spec.to_owned() }
}

/// The name and the argument of `name:argument`.
pub(super) fn split(spec: &str) -> (&str, String) {
    let (name, argument) = spec.split_once(':').unwrap_or((spec, ""));
    (name, argument.to_owned())
}

pub(super) fn predicate(spec: &str) -> Result<Predicate, UnknownFunction> {
    let (name, arg) = split(spec);
    let limit = number(Some(&arg));
    Ok(match name {
        "true" => Arc::new(|_, _| true),
        "false" => Arc::new(|_, _| false),
        "value_contains" => Arc::new(move |_, v| v.is_some_and(|v| v.contains(&arg))),
        "value_lacks" => Arc::new(move |_, v| v.is_some_and(|v| !v.contains(&arg))),
        "value_gt" => Arc::new(move |_, v| v.is_some() && number(v) > limit),
        "value_even" => Arc::new(|_, v| v.is_some() && number(v) % 2 == 0),
        "value_not_null" => Arc::new(|_, v| v.is_some()),
        "key_is" => Arc::new(move |k, _| k.text().as_ref() == Some(&arg)),
        "key_not" => Arc::new(move |k, _| k.text().as_ref() != Some(&arg)),
        _ => return Err(unknown("predicate", spec)),
    })
}

pub(super) fn value(spec: &str) -> Result<ValueFunction, UnknownFunction> {
    let (name, arg) = split(spec);
    Ok(match name {
        "identity" | "text" => Arc::new(|_, v| v.map(str::to_owned)),
        "upper" => Arc::new(|_, v| v.map(str::to_uppercase)),
        "suffix" => Arc::new(move |_, v| v.map(|v| format!("{v}{arg}"))),
        "prefix" => Arc::new(move |_, v| v.map(|v| format!("{arg}{v}"))),
        "len" => Arc::new(|_, v| v.map(|v| v.chars().count().to_string())),
        "with_key" => Arc::new(|k, v| v.map(|v| format!("{}:{v}", or_null(k.text().as_deref())))),
        "null_if_contains" => Arc::new(move |_, v| v.filter(|v| !v.contains(&arg)).map(str::to_owned)),
        "nvl" => Arc::new(move |_, v| Some(v.unwrap_or(&arg).to_owned())),
        "key_text" => Arc::new(|k, _| k.text()),
        _ => return Err(unknown("value", spec)),
    })
}

pub(super) fn key(spec: &str) -> Result<KeyFunction, UnknownFunction> {
    let (name, arg) = split(spec);
    let length = usize::try_from(number(Some(&arg))).unwrap_or(0);
    Ok(match name {
        "key" => Arc::new(|k, _| k.text()),
        "value" => Arc::new(|_, v| v.map(str::to_owned)),
        "const" => Arc::new(move |_, _| Some(arg.clone())),
        "null" => Arc::new(|_, _| None),
        "key_suffix" => Arc::new(move |k, _| Some(format!("{}{arg}", or_null(k.text().as_deref())))),
        "value_prefix" => Arc::new(move |_, v| v.map(|v| v.chars().take(length).collect())),
        "before_pipe" => Arc::new(|_, v| v.and_then(|v| v.split_once('|')).map(|(head, _)| head.to_owned())),
        "inner_key" => Arc::new(|k, _| k.inner_text()),
        _ => return Err(unknown("key", spec)),
    })
}

pub(super) fn flat(spec: &str) -> Result<FlatFunction, UnknownFunction> {
    let (name, arg) = split(spec);
    Ok(match name {
        "chars" => Arc::new(|v| v.into_iter().flat_map(str::chars).map(|c| Some(c.to_string())).collect()),
        "twice" => Arc::new(|v| [".1", ".2"].map(|end| v.map(|v| format!("{v}{end}"))).to_vec()),
        "none_if_contains" => Arc::new(move |v| {
            v.filter(|v| !v.contains(&arg)).map(|v| Some(v.to_owned())).into_iter().collect()
        }),
        _ => return Err(unknown("flat", spec)),
    })
}

pub(super) fn joiner(spec: &str) -> Result<Combine, UnknownFunction> {
    let plus = |l: Option<&str>, r: Option<&str>| Some(format!("{}+{}", or_null(l), or_null(r)));
    Ok(match spec {
        "plus" => Arc::new(plus),
        "null_if_eq" => Arc::new(move |l, r| if l == r { None } else { plus(l, r) }),
        _ => return Err(unknown("join", spec)),
    })
}

/// An aggregate over text.
pub(super) struct Aggregate {
    pub(super) initial: Value,
    pub(super) add: Combine,
    pub(super) remove: Combine,
    /// Of two sessions' aggregates.
    pub(super) merge: Combine,
}

fn joined(by: char) -> Combine {
    Arc::new(move |a, v| Some(format!("{}{by}{}", or_null(a), or_null(v))))
}

fn arithmetic(f: impl Fn(i64, i64) -> i64 + Send + Sync + 'static) -> Combine {
    Arc::new(move |a, v| Some(f(number(a), number(v)).to_string()))
}

/// Null where the value contains `mark`, else as `then`.
fn null_on(mark: String, then: Combine) -> Combine {
    Arc::new(move |a, v| if v.is_some_and(|v| v.contains(&mark)) { None } else { then(a, v) })
}

pub(super) fn aggregate(spec: &str) -> Result<Aggregate, UnknownFunction> {
    let (name, arg) = split(spec);
    let text = |initial: Option<&str>, add, remove, merge| Aggregate {
        initial: initial.map(str::to_owned),
        add,
        remove,
        merge,
    };
    Ok(match name {
        "concat" => text(Some(""), joined('+'), joined('-'), joined('&')),
        "sum" => {
            text(Some("0"), arithmetic(|a, v| a + v), arithmetic(|a, v| a - v), arithmetic(|a, v| a + v))
        }
        "max" => {
            let kept = Arc::new(|a: Option<&str>, _: Option<&str>| a.map(str::to_owned));
            text(Some("0"), arithmetic(i64::max), kept, arithmetic(i64::max))
        }
        "null_on" => {
            let (add, remove) = (null_on(arg.clone(), joined('+')), null_on(arg, joined('-')));
            text(Some(""), add, remove, joined('&'))
        }
        "null_init" => text(None, joined('+'), joined('-'), joined('&')),
        _ => return Err(unknown("aggregate", spec)),
    })
}

pub(super) fn reducer(spec: &str) -> Result<Combine, UnknownFunction> {
    let (name, arg) = split(spec);
    Ok(match name {
        "concat" => joined('+'),
        "concat_remove" => joined('-'),
        "sum" => arithmetic(|a, v| a + v),
        "sub" => arithmetic(|a, v| a - v),
        "last" => Arc::new(|_, v| v.map(str::to_owned)),
        "null_on" => null_on(arg, joined('+')),
        _ => return Err(unknown("reduce", spec)),
    })
}
