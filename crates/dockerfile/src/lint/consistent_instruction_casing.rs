//! Instructions in upper and lower case in one file.

use super::typed::{self, is_lower, is_upper};
use super::{Findings, LintRule, Place, View};

pub(super) const RULE: LintRule = LintRule {
    name: "ConsistentInstructionCasing",
    description: "All commands within the Dockerfile should use the same casing (either upper or lower)",
    page: "consistent-instruction-casing",
    is_experimental: false,
    why: "Instructions may be written in upper or lower case. A file that does both, or writes `From`, is harder \
     to read; upper case is what nearly everybody does. The case that most instructions of the file have is \
     taken as the right one.",
    bad: "FROM alpine\nrun echo hello\nRUN echo world\n",
    good: "FROM alpine\nRUN echo hello\nRUN echo world\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    let stages: Vec<_> = view.stages().map(|walked| walked.stage).collect();
    let froms = stages.iter().map(|stage| typed::from(stage).from);
    let names = froms.chain(stages.iter().flat_map(|stage| &stage.instructions).map(typed::name));
    let (mut lower, mut upper) = (0, 0);
    for name in names {
        match (is_lower(name), is_upper(name)) {
            (true, _) => lower += 1,
            (_, true) => upper += 1,
            _ => {}
        }
    }
    let most_are_lower = lower > upper;
    for stage in stages {
        add(findings, stage, typed::from(stage).from, most_are_lower);
        for instruction in &stage.instructions {
            add(findings, instruction, typed::name(instruction), most_are_lower);
        }
    }
}

fn add(findings: &mut Findings, place: &impl Place, name: &str, most_are_lower: bool) {
    let (is_right, case, right) = match most_are_lower {
        true => (is_lower(name), "lowercase", name.to_lowercase()),
        false => (is_upper(name), "uppercase", name.to_uppercase()),
    };
    if !is_right {
        let message = format!("Command '{name}' should match the case of the command majority ({case})");
        findings.add(place, message, format!("write `{right}`"));
    }
}
