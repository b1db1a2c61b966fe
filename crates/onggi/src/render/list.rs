//! A list of rows in whatever format was asked for: a table, JSON, or a template.

use serde_json::{Map, Value};

use crate::template::{Mode, Template, TemplateError};
use crate::ui::printable::printable;
use crate::ui::table::align;

/// What a list can show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    /// The table that is shown when nothing else is asked for: field names, in order.
    pub(crate) table: &'static [&'static str],
    /// The title of every field.
    pub(crate) titles: &'static [(&'static str, &'static str)],
}

/// Renders `rows` as `--format` asks: nothing or `table`, `table TEMPLATE`, `json`, or `TEMPLATE`.
///
/// Tables are for people, so what could make a terminal do something is made harmless there; the other formats give the
/// data as it is.
pub(crate) fn render(format: Option<&str>, columns: &Columns, rows: &[Value]) -> Result<String, TemplateError> {
    let (is_table, template) = match format {
        None | Some("" | "table") => (true, default_table(columns)),
        Some("json") => (false, "{{json .}}".to_owned()),
        Some(format) => match format.strip_prefix("table") {
            Some(template) if template.starts_with([' ', '\t', '{']) => (true, unescape(template.trim_matches(' '))),
            _ => (false, unescape(format)),
        },
    };
    let template = Template::parse(&template)?;
    let mut text = String::new();
    if is_table {
        text.push_str(&template.render(&titles(columns), Mode::Header)?);
        text.push('\n');
    }
    for row in rows {
        match is_table {
            true => text.push_str(&template.render(&harmless(row), Mode::Data)?),
            false => text.push_str(&template.render(row, Mode::Data)?),
        }
        text.push('\n');
    }
    Ok(if is_table { align(&text) } else { text })
}

/// Whether `--quiet` decides: a template wins over it, and a table of IDs alone has no header.
pub(crate) fn is_quiet(only_ids: bool, format: Option<&str>) -> bool {
    only_ids && matches!(format, None | Some("" | "table"))
}

fn default_table(columns: &Columns) -> String {
    columns.table.iter().map(|field| format!("{{{{.{field}}}}}")).collect::<Vec<_>>().join("\t")
}

fn titles(columns: &Columns) -> Value {
    let titles = columns.titles.iter().map(|(field, title)| ((*field).to_owned(), Value::from(*title)));
    Value::Object(titles.collect::<Map<_, _>>())
}

/// `\t` and `\n` as people type them in single quotes.
fn unescape(format: &str) -> String {
    format.replace("\\t", "\t").replace("\\n", "\n")
}

fn harmless(row: &Value) -> Value {
    match row {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), harmless(value))).collect(),
        Value::String(text) => Value::String(printable(text).into_owned()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
