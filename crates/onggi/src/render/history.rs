//! `history`: one row for each instruction, newest first.

use engine::HistoryEntry;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::images::shown_id;
use super::list::{self, Columns};
use crate::template::TemplateError;
use crate::ui::size::{LIST_DIGITS, human_size};
use crate::ui::time::{ago, rfc3339};
use crate::ui::width::ellipsis;

/// Columns of CREATED BY (S216).
const CREATED_BY_WIDTH: usize = 45;

/// How to show them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HistoryView<'a> {
    pub(crate) format: Option<&'a str>,
    pub(crate) only_ids: bool,
    pub(crate) is_human: bool,
    pub(crate) in_full: bool,
    pub(crate) now: Timestamp,
    pub(crate) zone: &'a TimeZone,
}

const TITLES: &[(&str, &str)] = &[
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];

/// The list.
pub(crate) fn render(rows: &[HistoryEntry], view: &HistoryView<'_>) -> Result<String, TemplateError> {
    if list::is_quiet(view.only_ids, view.format) {
        return Ok(rows.iter().map(|row| id(row, view) + "\n").collect());
    }
    let table: &[&str] = match view.is_human {
        true => &["ID", "CreatedSince", "CreatedBy", "Size", "Comment"],
        false => &["ID", "CreatedAt", "CreatedBy", "Size", "Comment"],
    };
    let rows: Vec<Value> = rows.iter().map(|row| fields(row, view)).collect();
    list::render(view.format, &Columns { table, titles: TITLES }, &rows)
}

fn id(row: &HistoryEntry, view: &HistoryView<'_>) -> String {
    row.id.map_or_else(|| "<missing>".to_owned(), |id| shown_id(&id.to_string(), view.in_full))
}

fn fields(row: &HistoryEntry, view: &HistoryView<'_>) -> Value {
    let created_by = row.created_by.replace('\t', " ");
    let created_at = rfc3339(row.created, view.zone);
    json!({
        "Comment": row.comment,
        "CreatedAt": created_at,
        "CreatedBy": if view.in_full { created_by } else { ellipsis(&created_by, CREATED_BY_WIDTH) },
        "CreatedSince": if view.is_human { ago(row.created, view.now) } else { created_at },
        "ID": id(row, view),
        "Size": if view.is_human { human_size(row.size, LIST_DIGITS) } else { row.size.to_string() },
    })
}

#[cfg(test)]
mod tests;
