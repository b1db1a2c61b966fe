//! Two stages with one name.

use super::quote::quoted;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "DuplicateStageName",
    description: "Stage names should be unique",
    page: "duplicate-stage-name",
    is_experimental: false,
    why: "When two stages have the same name, `FROM name` and `--from=name` mean the later one of those above, and \
     `--target name` the last one of all: the earlier stage can only be reached by its number. That is seldom \
     meant.",
    bad: "FROM debian AS builder\nRUN true\nFROM golang AS builder\n",
    good: "FROM debian AS deb-builder\nRUN true\nFROM golang AS go-builder\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for walked in view.stages() {
        let Some(name) = &walked.stage.name else { continue };
        let name = name.text.as_str();
        match seen.iter().find(|(known, _)| *known == name) {
            Some((_, line)) => {
                let message = format!("Duplicate stage name {}, stage names should be unique", quoted(name));
                let help = format!("choose another name: this one is that of the stage in line {line}");
                findings.add(walked.stage, message, help);
            }
            None => seen.push((name, walked.stage.first_line)),
        }
    }
}
