//! Columns as Docker aligns them: what Go's tabwriter does with a least width of 10 and a gap of three spaces.
//!
//! Tabs end cells; what follows the last tab of a line belongs to no column and is never padded. A column reaches
//! over neighbouring lines that all have it, so that the output of any template, not only of a complete table, comes
//! out as it does from Docker.

use super::width::columns;

const LEAST_WIDTH: usize = 10;
const GAP: usize = 3;

/// Replaces the tabs of `text` by the spaces that align its columns.
pub(crate) fn align(text: &str) -> String {
    align_with(text, LEAST_WIDTH, GAP)
}

/// The same with columns that may be narrower, and another gap.
pub(crate) fn align_with(text: &str, least_width: usize, gap: usize) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let widths = widths(&lines, least_width, gap);
    let mut aligned = String::with_capacity(text.len() * 2);
    for (number, (cells, widths)) in lines.iter().zip(widths).enumerate() {
        if number > 0 {
            aligned.push('\n');
        }
        for (column, cell) in cells.iter().enumerate() {
            aligned.push_str(cell);
            if let Some(width) = widths.get(column) {
                aligned.extend(std::iter::repeat_n(' ', width.saturating_sub(columns(cell))));
            }
        }
    }
    aligned
}

/// Width of every tab-ended cell of every line.
fn widths(lines: &[Vec<&str>], least_width: usize, gap: usize) -> Vec<Vec<usize>> {
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    let most = lines.iter().map(|cells| cells.len() - 1).max().unwrap_or(0);
    for column in 0..most {
        let mut first = 0;
        while first < lines.len() {
            let run = lines[first..].iter().take_while(|cells| cells.len() - 1 > column).count();
            let block = first..first + run;
            let widest = lines[block.clone()].iter().map(|cells| columns(cells[column]) + gap).max().unwrap_or(0);
            for line in &mut widths[block] {
                line[column] = widest.max(least_width);
            }
            first += run.max(1);
        }
    }
    widths
}

#[cfg(test)]
mod tests;
