//! Tables and JSON from samples. Ratios are those of the same round, and beside their median stands min against min.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::meter::Sample;
use crate::{Result, machine, say};

/// One tool in one row.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tool: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// One row, measured.
#[derive(Debug)]
pub(super) struct RowResult {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) entries: Vec<Entry>,
}

impl Entry {
    fn walls(&self) -> Vec<f64> {
        self.samples.iter().map(|sample| milliseconds(sample.wall)).collect()
    }

    fn cpu(&self) -> f64 {
        let sum: f64 = self.samples.iter().map(|sample| milliseconds(sample.cpu)).sum();
        sum / self.samples.len().max(1) as f64
    }
}

impl RowResult {
    fn onggi(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tool == "onggi")
    }

    /// Median of the ratios round by round, and the ratio of the best ones.
    fn ratios(&self, entry: &Entry) -> Option<(f64, f64)> {
        let (ours, theirs) = (self.onggi()?.walls(), entry.walls());
        let ratios = theirs.iter().zip(&ours).map(|(theirs, ours)| theirs / ours).collect();
        Some((median(ratios), minimum(&theirs) / minimum(&ours)))
    }

    /// The peer that comes nearest to us, with its ratios.
    pub(super) fn best_peer(&self) -> Option<(&'static str, f64, f64)> {
        let peers = self.entries.iter().filter(|entry| entry.tool != "onggi");
        let with_ratios = peers.filter_map(|entry| self.ratios(entry).map(|(m, b)| (entry.tool, m, b)));
        with_ratios.min_by(|left, right| left.1.total_cmp(&right.1))
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// One row as soon as it is there.
pub(super) fn print_row(row: &RowResult) {
    say::line("    tool       best ms   median ms  CPU ms    x onggi (median)   x onggi (best)");
    for entry in &row.entries {
        let walls = entry.walls();
        let (best, middle) = (minimum(&walls), median(walls));
        let ratios = match row.ratios(entry) {
            Some((median, best)) => format!("{median:17.1} {best:16.1}"),
            None => format!("{:>17} {:>16}", "-", "-"),
        };
        say::line(&format!("    {:9} {best:9.2} {middle:11.2} {:8.1} {ratios}", entry.tool, entry.cpu()));
    }
}

/// All rows against the best peer of each.
pub(super) fn print(rows: &[RowResult]) -> Result<()> {
    say::step(&format!("summary ({})", machine::describe()?));
    say::line("    row  workload                             onggi ms  nearest peer        x (median)  x (best)");
    for row in rows {
        let ours = row.onggi().map_or_else(|| "-".to_owned(), |entry| format!("{:.2}", median(entry.walls())));
        let (peer, middle, best) = match row.best_peer() {
            Some((tool, middle, best)) => (tool, format!("{middle:.1}"), format!("{best:.1}")),
            None => ("-", "-".to_owned(), "-".to_owned()),
        };
        say::line(&format!("    {:4} {:35} {ours:>9}  {peer:18} {middle:>11} {best:>9}", row.name, row.title));
    }
    Ok(())
}

/// Everything that was measured, for those who want to compute something else from it.
pub(super) fn write_json(path: &Path, rows: &[RowResult]) -> Result<()> {
    let entries = |row: &RowResult| -> Vec<serde_json::Value> {
        let samples = |entry: &Entry| -> Vec<serde_json::Value> {
            let sample = |s: &Sample| json!({ "wall_ms": milliseconds(s.wall), "cpu_ms": milliseconds(s.cpu) });
            entry.samples.iter().map(sample).collect()
        };
        row.entries.iter().map(|entry| json!({ "tool": entry.tool, "samples": samples(entry) })).collect()
    };
    let rows: Vec<serde_json::Value> =
        rows.iter().map(|row| json!({ "row": row.name, "title": row.title, "tools": entries(row) })).collect();
    let document = json!({ "machine": machine::describe()?, "rows": rows });
    std::fs::write(path, format!("{document:#}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    say::line(&format!("    all samples: {}", path.display()));
    Ok(())
}
