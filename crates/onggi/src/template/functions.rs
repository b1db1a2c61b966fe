//! The functions of templates: Go's own and Docker's.

use std::ops::Range;

use serde_json::Value;

use super::printf::printf;
use super::value::{compare, equal, is_true, kind, print};
use super::{Mode, TemplateError};

/// All of them, for the hint of an unknown one (`and` and `or` are in `eval`, which may skip their arguments).
const NAMES: [&str; 26] = [
    "and", "eq", "ge", "gt", "html", "index", "join", "js", "json", "le", "len", "lower", "lt", "ne", "not", "or",
    "pad", "print", "printf", "println", "slice", "split", "title", "truncate", "upper", "urlquery",
];

/// Those that leave a header as it is.
const DOCKERS: [&str; 8] = ["join", "json", "lower", "pad", "split", "title", "truncate", "upper"];

/// Calls one.
pub(crate) fn call(name: &str, arguments: &[Value], mode: Mode, span: &Range<usize>) -> Result<Value, TemplateError> {
    if mode == Mode::Header && DOCKERS.contains(&name) {
        let header = arguments.iter().find(|argument| argument.is_string() || argument.is_object());
        return Ok(header.cloned().unwrap_or(Value::Null));
    }
    let fails = |message: String| TemplateError::new(message, span.clone());
    let result = match (name, arguments) {
        ("json", [value]) => Value::String(value.to_string()),
        ("lower", [value]) => Value::String(text(name, value).map_err(fails)?.to_lowercase()),
        ("upper", [value]) => Value::String(text(name, value).map_err(fails)?.to_uppercase()),
        ("title", [value]) => Value::String(title(text(name, value).map_err(fails)?)),
        ("split", [value, separator]) => split(value, separator).map_err(fails)?,
        ("join", [list, separator]) => join(list, separator).map_err(fails)?,
        ("pad", [value, before, after]) => pad(value, before, after).map_err(fails)?,
        ("truncate", [value, length]) => {
            let length = number(name, length).map_err(fails)?;
            Value::String(text(name, value).map_err(fails)?.chars().take(length).collect())
        }
        ("len", [value]) => length(value).map_err(fails)?,
        ("index", [value, keys @ ..]) => keys.iter().try_fold(value.clone(), index).map_err(fails)?,
        ("slice", [value, bounds @ ..]) if bounds.len() <= 2 => slice(value, bounds).map_err(fails)?,
        ("not", [value]) => Value::Bool(!is_true(value)),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            Value::Bool(others.iter().any(|other| equal(first, other)))
        }
        ("ne", [left, right]) => Value::Bool(!equal(left, right)),
        ("lt" | "le" | "gt" | "ge", [left, right]) => {
            let order = compare(left, right);
            let order = order.ok_or_else(|| fails(format!("`{name}` compares two numbers or two texts")))?;
            Value::Bool(match name {
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            })
        }
        ("print", values) => Value::String(print_all(values)),
        ("println", values) => Value::String(values.iter().map(print).collect::<Vec<_>>().join(" ") + "\n"),
        ("printf", [format, values @ ..]) => {
            Value::String(printf(text(name, format).map_err(fails)?, values).map_err(fails)?)
        }
        ("html", values) => Value::String(escape_html(&print_all(values))),
        ("js", values) => Value::String(escape_js(&print_all(values))),
        ("urlquery", values) => Value::String(urlquery(&print_all(values))),
        _ => return Err(wrong_call(name, arguments.len(), span)),
    };
    Ok(result)
}

fn wrong_call(name: &str, count: usize, span: &Range<usize>) -> TemplateError {
    if NAMES.contains(&name) {
        let message = format!("function `{name}` does not take {count} argument{}", if count == 1 { "" } else { "s" });
        return TemplateError::new(message, span.clone());
    }
    TemplateError::new(format!("there is no function `{name}`"), span.clone())
        .with_hint(format!("use a field (`.{name}`) or one of the functions {}", NAMES.join(", ")))
}

fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("`{name}` needs a text and got {}", kind(value)))
}

fn number(name: &str, value: &Value) -> Result<usize, String> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| format!("`{name}` needs a number that is not negative and got {}", kind(value)))
}

/// Every word's first letter in upper case.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut at_start = true;
    for character in text.chars() {
        match at_start && character.is_alphanumeric() {
            true => titled.extend(character.to_uppercase()),
            false => titled.push(character),
        }
        at_start = !character.is_alphanumeric() && character != '_' && character != '\'';
    }
    titled
}

fn split(value: &Value, separator: &Value) -> Result<Value, String> {
    let (text, separator) = (text("split", value)?, self::text("split", separator)?);
    Ok(match separator.is_empty() {
        true => text.chars().map(String::from).collect(),
        false => text.split(separator).collect(),
    })
}

fn join(list: &Value, separator: &Value) -> Result<Value, String> {
    let items = match list {
        Value::Null => return Ok(Value::String(String::new())),
        Value::Array(items) => items,
        other => return Err(format!("`join` needs a list and got {}", kind(other))),
    };
    let texts: Vec<_> = items.iter().map(print).collect();
    Ok(Value::String(texts.join(text("join", separator)?)))
}

fn pad(value: &Value, before: &Value, after: &Value) -> Result<Value, String> {
    let text = text("pad", value)?;
    if text.is_empty() {
        return Ok(value.clone());
    }
    let (before, after) = (number("pad", before)?.min(1000), number("pad", after)?.min(1000));
    Ok(Value::String(format!("{:before$}{text}{:after$}", "", "")))
}

fn length(value: &Value) -> Result<Value, String> {
    Ok(match value {
        Value::Null => 0.into(),
        Value::String(text) => text.len().into(),
        Value::Array(items) => items.len().into(),
        Value::Object(fields) => fields.len().into(),
        other => return Err(format!("`len` needs a text, a list or an object and got {}", kind(other))),
    })
}

/// An element of a list must be there; a key of an object need not, and is empty then, as in Go.
fn index(value: Value, key: &Value) -> Result<Value, String> {
    match (&value, key) {
        (Value::Object(fields), Value::String(key)) => {
            Ok(fields.get(key).cloned().unwrap_or(Value::String(String::new())))
        }
        (Value::Array(items), key) => {
            let place = number("index", key)?;
            let missing = || format!("index {place} is out of range: the list has {} elements", items.len());
            items.get(place).cloned().ok_or_else(missing)
        }
        (Value::Null, _) => Ok(Value::Null),
        (other, key) => Err(format!("`index` cannot look up {} in {}", kind(key), kind(other))),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let length = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        other => return Err(format!("`slice` needs a text or a list and got {}", kind(other))),
    };
    let from = bounds.first().map_or(Ok(0), |bound| number("slice", bound))?;
    let to = bounds.get(1).map_or(Ok(length), |bound| number("slice", bound))?;
    let outside = || format!("`slice` from {from} to {to} is out of range: the length is {length}");
    match value {
        Value::String(text) => text.get(from..to).map(Value::from).ok_or_else(outside),
        Value::Array(items) => items.get(from..to).map(|items| Value::Array(items.to_vec())).ok_or_else(outside),
        _ => Err(outside()),
    }
}

/// Go's `Sprint`: a space between two values of which neither is a text.
fn print_all(values: &[Value]) -> String {
    let mut out = String::new();
    for (place, value) in values.iter().enumerate() {
        if place > 0 && !value.is_string() && !values[place - 1].is_string() {
            out.push(' ');
        }
        out.push_str(&print(value));
    }
    out
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// For a text within a JavaScript string.
fn escape_js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '\'' | '"' => escaped.extend(['\\', letter]),
            '<' | '>' | '&' | '=' | '\0'..'\u{20}' => escaped.push_str(&format!("\\u{:04X}", u32::from(letter))),
            plain => escaped.push(plain),
        }
    }
    escaped
}

fn urlquery(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            b' ' => escaped.push('+'),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}
