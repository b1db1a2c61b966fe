//! `stats`: one row for each container.

use engine::Sample;
use serde_json::{Value, json};

use super::images::shown_id;
use super::list::{self, Columns};
use crate::template::TemplateError;
use crate::ui::size::{LIST_DIGITS, binary_size, human_size};

const COLUMNS: Columns = Columns {
    table: &["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"],
    titles: &[
        ("Container", "CONTAINER"),
        ("ID", "CONTAINER ID"),
        ("Name", "NAME"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
    ],
};

/// The list: what is used now, and since the time before.
pub(crate) fn render(
    before: &[Sample],
    now: &[Sample],
    format: Option<&str>,
    in_full: bool,
) -> Result<String, TemplateError> {
    let memory = engine::memory_of_this_machine();
    let rows: Vec<Value> = now
        .iter()
        .map(|sample| fields(before.iter().find(|one| one.id == sample.id), sample, memory, in_full))
        .collect();
    list::render(format, &COLUMNS, &rows)
}

fn fields(before: Option<&Sample>, now: &Sample, memory: u64, in_full: bool) -> Value {
    let usage = now.usage;
    let limit = match usage.tasks {
        0 => 0,
        _ => usage.memory_limit.filter(|limit| *limit < memory).unwrap_or(memory),
    };
    let pair =
        |(one, other): (u64, u64)| format!("{} / {}", human_size(one, LIST_DIGITS), human_size(other, LIST_DIGITS));
    json!({
        "Container": shown_id(&now.id, in_full),
        "ID": shown_id(&now.id, in_full),
        "Name": now.name,
        "CPUPerc": format!("{:.2}%", before.map_or(0.0, |before| processors(before, now) * 100.0)),
        "MemUsage": format!("{} / {}", binary_size(usage.memory), binary_size(limit)),
        "MemPerc": format!("{:.2}%", share(usage.memory, limit) * 100.0),
        "NetIO": pair(usage.network),
        "BlockIO": pair(usage.block),
        "PIDs": usage.tasks.to_string(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "only a few digits are shown")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Processors that were busy between two looks.
#[expect(clippy::cast_precision_loss, reason = "only a few digits are shown")]
fn processors(before: &Sample, now: &Sample) -> f64 {
    let busy = now.usage.cpu_nanos.saturating_sub(before.usage.cpu_nanos);
    let time = now.taken.duration_since(before.taken).as_nanos().max(1);
    busy as f64 / time as f64
}
