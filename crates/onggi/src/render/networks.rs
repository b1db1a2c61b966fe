//! `network ls`: one row for each network.

use engine::NetworkSummary;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::images::shown_id;
use super::list::{self, Columns};
use crate::template::TemplateError;
use crate::ui::time::go_time;

const COLUMNS: Columns = Columns {
    table: &["ID", "Name", "Driver", "Scope"],
    titles: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ],
};

/// The list.
pub(crate) fn render(
    rows: &[NetworkSummary],
    format: Option<&str>,
    only_ids: bool,
    in_full: bool,
    zone: &TimeZone,
) -> Result<String, TemplateError> {
    if list::is_quiet(only_ids, format) {
        return Ok(rows.iter().map(|row| shown_id(&row.id, in_full) + "\n").collect());
    }
    let rows: Vec<Value> = rows.iter().map(|row| fields(row, in_full, zone)).collect();
    list::render(format, &COLUMNS, &rows)
}

fn fields(row: &NetworkSummary, in_full: bool, zone: &TimeZone) -> Value {
    let labels: Vec<String> = row.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let by_name: Map<String, Value> = row.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "CreatedAt": go_time(row.created.parse().ok(), zone),
        "Driver": row.driver,
        "ID": shown_id(&row.id, in_full),
        "IPv4": "true",
        "IPv6": "false",
        "Internal": row.internal.to_string(),
        "Label": by_name,
        "Labels": labels.join(","),
        "Name": row.name,
        "Scope": "local",
    })
}
