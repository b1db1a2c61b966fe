//! `ps`: one row for each container.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::images::shown_id;
use super::list::{self, Columns};
use crate::template::TemplateError;
use crate::ui::duration::human_duration;
use crate::ui::time::{ago, go_time};
use crate::ui::width::ellipsis;

/// Columns of COMMAND, quotes not counted.
const COMMAND_WIDTH: usize = 20;

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Created,
    Running { since: Timestamp },
    Exited { code: i32, at: Timestamp },
}

/// One container.
#[derive(Debug, Clone)]
pub(crate) struct ContainerRow {
    /// 64 hex digits.
    pub(crate) id: String,
    pub(crate) name: String,
    /// As it was asked for.
    pub(crate) image: String,
    /// The whole command line, words separated by spaces.
    pub(crate) command: String,
    pub(crate) created: Timestamp,
    pub(crate) life: Life,
}

/// How to show them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContainersView<'a> {
    pub(crate) format: Option<&'a str>,
    pub(crate) only_ids: bool,
    pub(crate) in_full: bool,
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
    ],
};

/// The list.
pub(crate) fn render(rows: &[ContainerRow], view: &ContainersView<'_>) -> Result<String, TemplateError> {
    if view.only_ids {
        return Ok(rows.iter().map(|row| shown_id(&row.id, view.in_full) + "\n").collect());
    }
    let rows: Vec<Value> = rows.iter().map(|row| fields(row, view)).collect();
    list::render(view.format, &COLUMNS, &rows)
}

fn fields(row: &ContainerRow, view: &ContainersView<'_>) -> Value {
    let command = if view.in_full { row.command.clone() } else { ellipsis(&row.command, COMMAND_WIDTH) };
    json!({
        "Command": format!("\"{command}\""),
        "CreatedAt": go_time(Some(row.created), view.zone),
        "ID": shown_id(&row.id, view.in_full),
        "Image": row.image,
        "Names": row.name,
        "Ports": "",
        "RunningFor": ago(Some(row.created), view.now),
        "State": state(row.life),
        "Status": status(row.life, view.now),
    })
}

fn state(life: Life) -> &'static str {
    match life {
        Life::Created => "created",
        Life::Running { .. } => "running",
        Life::Exited { .. } => "exited",
    }
}

/// `Up 5 minutes`, `Exited (0) 3 seconds ago`.
fn status(life: Life, now: Timestamp) -> String {
    let elapsed = |since: Timestamp| human_duration(now.as_second() - since.as_second());
    match life {
        Life::Created => "Created".to_owned(),
        Life::Running { since } => format!("Up {}", elapsed(since)),
        Life::Exited { code, at } => format!("Exited ({code}) {} ago", elapsed(at)),
    }
}

#[cfg(test)]
mod tests;
