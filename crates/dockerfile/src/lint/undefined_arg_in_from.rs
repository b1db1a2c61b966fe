//! Variables in FROM that no ARG before it declares.

use super::slip::meant;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "UndefinedArgInFrom",
    description: "FROM command must use declared ARGs",
    page: "undefined-arg-in-from",
    is_experimental: false,
    why: "FROM sees the arguments that are declared before the first FROM, and those of the platforms \
     (`TARGETPLATFORM`, `BUILDPLATFORM` and their parts). Any other variable is empty there, whatever ENV or \
     ARG of an earlier stage say, and `--build-arg` does not reach it.",
    bad: "FROM node:22${VARIANT} AS web\n",
    good: "ARG VARIANT=\"-alpine3.20\"\nFROM node:22${VARIANT} AS web\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    let globals = &view.walk.globals;
    let declared: Vec<&str> = globals.args.iter().map(|arg| arg.declaration.name.text.as_str()).collect();
    let names = || declared.iter().copied().chain(globals.values.iter().map(|(name, _)| name.as_str()));
    for walked in view.stages() {
        for name in [&walked.base, &walked.platform].into_iter().flatten().flat_map(|word| &word.undefined) {
            if declared.contains(&name.as_str()) {
                continue;
            }
            let meant = meant(name, names());
            let hint = meant.map_or_else(String::new, |meant| format!(" (did you mean {meant}?)"));
            let message = format!("FROM argument '{name}' is not declared{hint}");
            findings.add(walked.stage, message, format!("add `ARG {name}=…` before the first FROM"));
        }
    }
}
