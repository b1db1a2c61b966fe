//! `build context ls`: the files of a context, and why one of them is there or not.

use engine::{ContextEntry, ContextEntryKind, ContextReason};
use serde_json::{Value, json};

use super::list::{self, Columns};
use crate::template::TemplateError;
use crate::ui::printable::printable;
use crate::ui::size::{LIST_DIGITS, human_size};

const COLUMNS: Columns = Columns {
    table: &["Size", "Path"],
    titles: &[("Bytes", "BYTES"), ("Path", "PATH"), ("Size", "SIZE"), ("Target", "TARGET"), ("Type", "TYPE")],
};

/// One row for each file.
pub(crate) fn list(entries: &[ContextEntry], format: Option<&str>) -> Result<String, TemplateError> {
    let is_table = format.is_none_or(|format| format.starts_with("table"));
    let rows: Vec<Value> = entries.iter().map(|entry| fields(entry, is_table)).collect();
    list::render(format, &COLUMNS, &rows)
}

/// How much it is in all.
pub(crate) fn total(entries: &[ContextEntry]) -> String {
    let files = entries.iter().filter(|entry| entry.kind != ContextEntryKind::Folder).count();
    let bytes = entries.iter().map(|entry| size(entry).unwrap_or(0)).sum();
    let word = if files == 1 { "file" } else { "files" };
    format!("{files} {word}, {}", human_size(bytes, LIST_DIGITS))
}

/// One sentence about a path.
pub(crate) fn reason(reason: &ContextReason) -> String {
    let path = if reason.path.is_empty() { "." } else { &reason.path };
    let what = match (reason.is_included, reason.is_included_in_part) {
        (true, _) => "is part of the build context",
        (false, true) => "is left out, but for what later lines take back in",
        (false, false) => "is left out",
    };
    let why = match &reason.rule {
        Some(rule) => {
            let mark = if rule.exception { "!" } else { "" };
            format!("line {} of {} decides: `{mark}{}`", rule.line, reason.ignore_file, rule.pattern)
        }
        None => format!("no line of {} speaks of it", reason.ignore_file),
    };
    format!("{}\n", printable(&format!("`{path}` {what}: {why}")))
}

fn fields(entry: &ContextEntry, is_table: bool) -> Value {
    let (kind, end, target) = match &entry.kind {
        ContextEntryKind::File { .. } => ("file", "", None),
        ContextEntryKind::Folder => ("folder", "/", None),
        ContextEntryKind::Link { target } => ("link", "", Some(target.as_str())),
        ContextEntryKind::Other => ("other", "", None),
    };
    let path = match (is_table, target) {
        (true, Some(target)) => format!("{} -> {target}", entry.path),
        (true, None) => format!("{}{end}", entry.path),
        (false, _) => entry.path.clone(),
    };
    let size = size(entry);
    json!({
        "Bytes": size.map(|size| size.to_string()).unwrap_or_default(),
        "Path": path,
        "Size": size.map(|size| human_size(size, LIST_DIGITS)).unwrap_or_default(),
        "Target": target.unwrap_or_default(),
        "Type": kind,
    })
}

fn size(entry: &ContextEntry) -> Option<u64> {
    match entry.kind {
        ContextEntryKind::File { size } => Some(size),
        _ => None,
    }
}
