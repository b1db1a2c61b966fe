//! `images`: one row for each name of an image.

use engine::ImageSummary;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::list::{self, Columns};
use crate::template::TemplateError;
use crate::ui::size::{DF_DIGITS, LIST_DIGITS, human_size};
use crate::ui::time::{ago, go_time};

/// How to show them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImagesView<'a> {
    pub(crate) format: Option<&'a str>,
    pub(crate) only_ids: bool,
    pub(crate) with_digests: bool,
    pub(crate) full_ids: bool,
    pub(crate) now: Timestamp,
    pub(crate) zone: &'a TimeZone,
}

const TITLES: &[(&str, &str)] = &[
    ("ID", "IMAGE ID"),
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("Containers", "CONTAINERS"),
    ("VirtualSize", "SIZE"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
];

/// The list.
pub(crate) fn render(rows: &[ImageSummary], view: &ImagesView<'_>) -> Result<String, TemplateError> {
    if list::is_quiet(view.only_ids, view.format) {
        return Ok(rows.iter().map(|row| shown_id(&row.id.to_string(), view.full_ids) + "\n").collect());
    }
    let raw = view.format.filter(|format| *format == "raw").map(|_| raw(view));
    let table: &[&str] = match view.with_digests {
        true => &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"],
        false => &["Repository", "Tag", "ID", "CreatedSince", "Size"],
    };
    let rows: Vec<Value> = rows.iter().map(|row| fields(row, view)).collect();
    list::render(raw.as_deref().or(view.format), &Columns { table, titles: TITLES }, &rows)
}

/// Docker's `--format raw`: a line for each field, an empty one between images.
fn raw(view: &ImagesView<'_>) -> String {
    let id = "image_id: {{.ID}}";
    if view.only_ids {
        return id.to_owned();
    }
    let digest = if view.with_digests { "digest: {{.Digest}}\n" } else { "" };
    format!(
        "repository: {{{{.Repository}}}}\ntag: {{{{.Tag}}}}\n{digest}{id}\ncreated_at: {{{{.CreatedAt}}}}\nvirtual_size: {{{{.Size}}}}\n"
    )
}

/// All fields, sorted as Docker's JSON has them.
fn fields(row: &ImageSummary, view: &ImagesView<'_>) -> Value {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "<none>".to_owned());
    let size = human_size(row.size, LIST_DIGITS);
    json!({
        "Containers": "N/A",
        "CreatedAt": go_time(row.created, view.zone),
        "CreatedSince": ago(row.created, view.now),
        "Digest": or_none(&row.digest),
        "ID": shown_id(&row.id.to_string(), view.full_ids),
        "Repository": or_none(&row.repository),
        "SharedSize": "N/A",
        "Size": size,
        "Tag": or_none(&row.tag),
        "UniqueSize": "N/A",
        "VirtualSize": human_size(row.size, DF_DIGITS),
    })
}

/// Twelve hex digits (S202), or all of it with the algorithm.
pub(crate) fn shown_id(id: &str, in_full: bool) -> String {
    match in_full {
        true => id.to_owned(),
        false => id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect(),
    }
}

#[cfg(test)]
mod tests;
