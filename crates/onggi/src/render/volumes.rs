//! `volume ls`: one row for each volume.

use engine::VolumeSummary;
use serde_json::{Value, json};

use super::list::{self, Columns};
use crate::template::TemplateError;

const COLUMNS: Columns = Columns {
    table: &["Driver", "Name"],
    titles: &[
        ("Availability", "AVAILABILITY"),
        ("Driver", "DRIVER"),
        ("Group", "GROUP"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
        ("Size", "SIZE"),
        ("Status", "STATUS"),
    ],
};

/// The list.
pub(crate) fn render(rows: &[VolumeSummary], format: Option<&str>, only_names: bool) -> Result<String, TemplateError> {
    if list::is_quiet(only_names, format) {
        return Ok(rows.iter().map(|row| format!("{}\n", row.name)).collect());
    }
    let rows: Vec<Value> = rows.iter().map(fields).collect();
    list::render(format, &COLUMNS, &rows)
}

/// What only `system df` and clusters know is `N/A`, as in Docker.
fn fields(row: &VolumeSummary) -> Value {
    let labels: Vec<String> = row.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "Availability": "N/A",
        "Driver": "local",
        "Group": "N/A",
        "Labels": labels.join(","),
        "Links": "N/A",
        "Mountpoint": row.mount_point.display().to_string(),
        "Name": row.name,
        "Scope": "local",
        "Size": "N/A",
        "Status": "N/A",
    })
}
