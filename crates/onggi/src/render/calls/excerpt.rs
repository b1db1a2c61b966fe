//! Lines of a Dockerfile around a place, as BuildKit shows them.

use engine::SourceText;
use engine::calls::Location;

use super::write;
use crate::ui::printable::printable;

/// How many lines are added around a place of one line, and of more.
const AROUND_ONE: usize = 4;
const AROUND_MORE: usize = 2;

const RULER: &str = "--------------------";

/// A Dockerfile by lines.
pub(super) struct Lines<'a> {
    name: &'a str,
    lines: Vec<String>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a SourceText) -> Self {
        let text = String::from_utf8_lossy(&source.text);
        Self { name: &source.name, lines: text.lines().map(str::to_owned).collect() }
    }

    /// Writes the lines of a place, and some around it.
    pub(super) fn show(&self, place: Location, text: &mut String) {
        let count = self.lines.len();
        if place.first_line == 0 || place.first_line > count {
            return;
        }
        let last = place.last_line.clamp(place.first_line, count);
        let (from, to) = self.around(place.first_line, last);
        write(text, format_args!("{}:{}\n{RULER}\n", printable(self.name), place.first_line));
        for number in from..=to {
            let mark = if (place.first_line..=last).contains(&number) { ">>>" } else { "   " };
            let line = format!(" {number:>3} | {mark} {}", printable(&self.lines[number - 1]));
            write(text, format_args!("{}\n", line.trim_end()));
        }
        write(text, format_args!("{RULER}\n"));
    }

    /// One line more above and below in turn, until there are enough; at an end of the file each turn counts double.
    fn around(&self, first: usize, last: usize) -> (usize, usize) {
        let wanted = if first == last { AROUND_ONE } else { AROUND_MORE };
        let (mut from, mut to, mut added) = (first, last, 0);
        while added < wanted {
            if from > 1 {
                from -= 1;
                added += 1;
            }
            if to < self.lines.len() {
                to += 1;
                added += 1;
            }
            added += 1;
        }
        (from, to)
    }
}
