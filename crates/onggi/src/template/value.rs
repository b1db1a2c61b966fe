//! JSON values as Go would treat them: how they print, what is true, how they compare.

use std::cmp::Ordering;

use serde_json::Value;

/// What `{{.X}}` prints.
pub(crate) fn print(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(print).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_by_key(|(key, _)| key.as_str());
            // Within a map of Docker's, what is empty is Go's empty structure: the ports of `.Config.ExposedPorts`.
            let within = |value: &Value| match value {
                Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
                value => print(value),
            };
            let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| format!("{key}:{}", within(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

/// Go's truth: not false, not zero, not empty, not nil.
pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Order of two numbers or two texts; `None` where there is none.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// Equality; numbers by value.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match compare(left, right) {
        Some(order) => order == Ordering::Equal,
        None => left == right,
    }
}

/// Go's name of its type, for messages.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
