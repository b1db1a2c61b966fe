//! Variables that nothing defines.

use super::slip::meant;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "UndefinedVar",
    description: "Variables should be defined before their use",
    page: "undefined-var",
    is_experimental: false,
    why: "A variable that neither ENV, nor ARG, nor the base image defines is empty, so `COPY $foo .` copies \
     nothing that was meant. Declare it above its first use: an ARG without a value is enough. RUN, CMD and \
     ENTRYPOINT are not looked at: there the shell puts the values in. Of a stage whose base image is not in \
     the store nothing is said, since the image may define what is missing.",
    bad: "FROM scratch AS base\nCOPY $foo .\n",
    good: "FROM scratch AS base\nARG foo\nCOPY $foo .\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for step in view.steps() {
        for name in &step.undefined {
            let meant = meant(name, step.known.iter().map(String::as_str));
            let hint = meant.map_or_else(String::new, |meant| format!(" (did you mean ${meant}?)"));
            let message = format!("Usage of undefined variable '${name}'{hint}");
            findings.add(step.instruction, message, format!("declare it above: `ARG {name}`"));
        }
    }
}
