//! Names of stages in upper case.

use super::typed::{self, is_lower};
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "StageNameCasing",
    description: "Stage names should be lowercase",
    page: "stage-name-casing",
    is_experimental: false,
    why: "Names of stages are the same in upper and lower case, so `AS Build` and `--from=build` belong together, \
     and a second stage `AS build` would take the name away. Written in lower case a name looks the same \
     wherever it is used, and is told apart from the instructions.",
    bad: "FROM alpine AS BuilderBase\n",
    good: "FROM alpine AS builder-base\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for walked in view.stages() {
        let Some(name) = typed::from(walked.stage).name.filter(|name| !is_lower(name)) else { continue };
        let message = format!("Stage name '{name}' should be lowercase");
        findings.add(walked.stage, message, format!("write `AS {}`", name.to_lowercase()));
    }
}
