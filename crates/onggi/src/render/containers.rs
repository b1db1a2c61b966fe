//! `ps`: one row for each container.

use engine::{ContainerSize, ContainerStatus, ContainerSummary, MountKind};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::images::shown_id;
use super::list::{self, Columns};
use crate::template::TemplateError;
use crate::ui::duration::human_duration;
use crate::ui::size::human_size;
use crate::ui::time::{ago, go_time};
use crate::ui::width::ellipsis;

/// Columns of COMMAND, quotes not counted.
const COMMAND_WIDTH: usize = 20;

/// Columns of a volume's name.
const MOUNT_WIDTH: usize = 15;

/// How to show them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContainersView<'a> {
    pub(crate) format: Option<&'a str>,
    pub(crate) only_ids: bool,
    pub(crate) in_full: bool,
    /// Add a column for the size.
    pub(crate) with_size: bool,
    pub(crate) now: Timestamp,
    pub(crate) zone: &'a TimeZone,
}

const COLUMNS: Columns = Columns {
    table: &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"],
    titles: &[
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Ports", "PORTS"),
        ("Names", "NAMES"),
        ("Networks", "NETWORKS"),
        ("Label", ""),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Size", "SIZE"),
    ],
};

/// The same with `--size`.
const COLUMNS_WITH_SIZE: Columns = Columns {
    table: &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names", "Size"],
    titles: COLUMNS.titles,
};

/// The list.
pub(crate) fn render(rows: &[ContainerSummary], view: &ContainersView<'_>) -> Result<String, TemplateError> {
    if list::is_quiet(view.only_ids, view.format) {
        return Ok(rows.iter().map(|row| shown_id(&row.record.id, view.in_full) + "\n").collect());
    }
    let rows: Vec<Value> = rows.iter().map(|row| fields(row, view)).collect();
    list::render(view.format, if view.with_size { &COLUMNS_WITH_SIZE } else { &COLUMNS }, &rows)
}

/// All fields, sorted as Docker's JSON has them.
pub(super) fn fields(row: &ContainerSummary, view: &ContainersView<'_>) -> Value {
    let record = &row.record;
    let command: Vec<_> = record.entrypoint.iter().chain(&record.cmd).map(String::as_str).collect();
    let command = command.join(" ");
    let command = if view.in_full { command } else { ellipsis(&command, COMMAND_WIDTH) };
    let created = record.created.parse().ok();
    let mut labels: Vec<String> =
        record.labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    labels.sort();
    let local_volumes = record.mounts.points.iter().filter(|point| point.kind == MountKind::Volume).count();
    json!({
        "Command": format!("\"{command}\""),
        "CreatedAt": go_time(created, view.zone),
        "ID": shown_id(&record.id, view.in_full),
        "Image": record.image_name,
        "Names": record.name,
        "Networks": row.networks().join(","),
        "Ports": ports(row),
        "RunningFor": ago(created, view.now),
        "State": row.status.word(),
        "Status": status(row, view.now),
        "Label": record.labels,
        "Labels": labels.join(","),
        "Mounts": mounts(row, view.in_full),
        "LocalVolumes": local_volumes.to_string(),
        "Size": row.size.map_or_else(|| "0B".to_owned(), size),
    })
}

/// Names of volumes and paths of folders.
fn mounts(row: &ContainerSummary, in_full: bool) -> String {
    let shown = row.record.mounts.points.iter().map(|point| {
        let name = if point.name.is_empty() { &point.source } else { &point.name };
        if in_full { name.clone() } else { ellipsis(name, MOUNT_WIDTH) }
    });
    shown.collect::<Vec<_>>().join(",")
}

/// `2B (virtual 1.2MB)`.
fn size(size: ContainerSize) -> String {
    format!("{} (virtual {})", human_size(size.written, 3), human_size(size.whole, 3))
}

/// Nothing of a container that does not run.
fn ports(row: &ContainerSummary) -> String {
    match row.status {
        ContainerStatus::Running | ContainerStatus::Paused => {
            engine::ports_column(&row.network.ports, &row.record.network.exposed)
        }
        ContainerStatus::Created | ContainerStatus::Restarting | ContainerStatus::Exited => String::new(),
    }
}

/// ` (healthy)`; nothing where it is not looked after.
fn health(row: &ContainerSummary) -> String {
    match row.state.health.as_ref().map(|health| health.status.as_str()) {
        None => String::new(),
        Some("starting") => " (health: starting)".to_owned(),
        Some(status) => format!(" ({status})"),
    }
}

/// `Up 5 minutes`, `Exited (0) 3 seconds ago`.
fn status(row: &ContainerSummary, now: Timestamp) -> String {
    let elapsed = |since: &str| {
        let since: Option<Timestamp> = since.parse().ok();
        since.map_or_else(|| "some time".to_owned(), |since| human_duration(now.as_second() - since.as_second()))
    };
    match row.status {
        ContainerStatus::Created => "Created".to_owned(),
        ContainerStatus::Running => format!("Up {}{}", elapsed(&row.state.started), health(row)),
        ContainerStatus::Paused => format!("Up {} (Paused)", elapsed(&row.state.started)),
        ContainerStatus::Restarting => {
            let code = row.state.exit_code.unwrap_or_default();
            format!("Restarting ({code}) {} ago", elapsed(&row.state.finished))
        }
        ContainerStatus::Exited => {
            // Without an exit code its monitor was killed, or the machine restarted.
            let code = row.state.exit_code.map_or_else(|| "?".to_owned(), |code| code.to_string());
            let end = if row.state.finished.is_empty() { &row.state.started } else { &row.state.finished };
            format!("Exited ({code}) {} ago", elapsed(end))
        }
    }
}

#[cfg(test)]
mod tests;
