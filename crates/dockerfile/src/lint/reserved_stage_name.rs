//! Stages named like something that has a meaning of its own.

use super::quote::quoted;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "ReservedStageName",
    description: "Reserved words should not be used as stage names",
    page: "reserved-stage-name",
    is_experimental: false,
    why: "`scratch` is the empty base and `context` the build context. A stage of that name cannot be used as a \
     base, or is taken for something else.",
    bad: "FROM alpine AS scratch\n",
    good: "FROM alpine AS builder\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for walked in view.stages() {
        let Some(name) = &walked.stage.name else { continue };
        if matches!(name.text.as_str(), "context" | "scratch") {
            let quoted = quoted(&name.text);
            let message = format!("Stage name should not use the same name as reserved stage {quoted}");
            findings.add(walked.stage, message, format!("choose another name, for example `{}-stage`", name.text));
        }
    }
}
