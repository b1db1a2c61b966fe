//! Empty lines within an instruction.

use crate::instruction::EmptyLines;

use super::{Findings, LintRule, Location, Place, View};

pub(super) const RULE: LintRule = LintRule {
    name: "NoEmptyContinuation",
    description: "Empty continuation lines will become errors in a future release",
    page: "no-empty-continuation",
    is_experimental: false,
    why: "A `\\` at the end of a line says that the instruction goes on in the next one. When that is empty it is \
     skipped today, although it was more likely meant to end the instruction; Docker wants to make it an \
     error. A comment line may stand there.",
    bad: "FROM alpine\nEXPOSE \\\n\n80\n",
    good: "FROM alpine\nEXPOSE \\\n# the web server\n80\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for walked in view.stages() {
        add(findings, walked.stage, &walked.stage.empty_lines);
    }
    for instruction in view.instructions() {
        add(findings, instruction, &instruction.empty_lines);
    }
}

/// One for each instruction, at the end of its last line, as BuildKit has it.
fn add(findings: &mut Findings, place: &impl Place, empty: &EmptyLines) {
    let Some(first) = empty.lines.first() else { return };
    let location = Location { first_line: empty.last_line, last_line: empty.last_line };
    let help = match empty.lines.len() {
        1 => format!("remove line {first}, or make it a comment with `#`"),
        count => format!("remove line {first} and the other {} like it, or make them comments with `#`", count - 1),
    };
    findings.add_at(place, place.span(), location, "Empty continuation line".to_owned(), help);
}
