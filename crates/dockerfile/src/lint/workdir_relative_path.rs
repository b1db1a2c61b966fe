//! A first WORKDIR that depends on the base image.

use crate::instruction::InstructionKind;

use super::quote::quoted;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "WorkdirRelativePath",
    description: "Relative workdir without an absolute workdir declared within the build can have unexpected results if \
     the base image changes",
    page: "workdir-relative-path",
    is_experimental: false,
    why: "A relative WORKDIR is taken from the working directory before it. When that is the base image's, the \
     result changes with the base. Begin with an absolute path; relative ones after it are fine.",
    bad: "FROM nginx AS web\nWORKDIR usr/share/nginx/html\nCOPY public .\n",
    good: "FROM nginx AS web\nWORKDIR /usr/share/nginx/html\nCOPY public .\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for step in view.steps().filter(|step| !step.has_workdir) {
        let InstructionKind::Workdir(_) = &step.instruction.kind else { continue };
        let Some(path) = step.values.first().filter(|path| !path.starts_with('/')) else { continue };
        let message =
            format!("Relative workdir {} can have unexpected results if the base image changes", quoted(path));
        findings.add(step.instruction, message, format!("write `WORKDIR /{}`", path.trim_start_matches("./")));
    }
}
