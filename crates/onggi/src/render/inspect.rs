//! `inspect`: whole objects, as an array indented by four spaces (S231), or a template for each.

use serde::Serialize;
use serde_json::Value;

use crate::template::{Mode, Template, TemplateError};

/// Renders objects as `--format` asks: nothing, `json` (an array in one line), or a template for each.
pub(crate) fn render(format: Option<&str>, objects: &[Value]) -> Result<String, TemplateError> {
    match format {
        None | Some("") => Ok(pretty(objects)),
        Some("json") => Ok(format!("{}\n", Value::from(objects.to_vec()))),
        Some(format) => fill(format, objects),
    }
}

/// The same for what is one object: `info`, `version`.
pub(crate) fn render_one(format: &str, object: &Value) -> Result<String, TemplateError> {
    match format {
        "json" => Ok(format!("{object}\n")),
        format => fill(format, std::slice::from_ref(object)),
    }
}

fn fill(format: &str, objects: &[Value]) -> Result<String, TemplateError> {
    let template = Template::parse(format)?;
    let mut text = String::new();
    for object in objects {
        text.push_str(&template.render(object, Mode::Data)?);
        text.push('\n');
    }
    Ok(text)
}

fn pretty(objects: &[Value]) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    objects.serialize(&mut serializer).expect("values have text keys only, and a Vec takes every write");
    bytes.push(b'\n');
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
