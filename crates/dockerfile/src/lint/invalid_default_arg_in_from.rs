//! FROM that works only with a build argument.

use crate::expand::Expander;
use crate::scope::{Surroundings, find};
use crate::walk;

use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "InvalidDefaultArgInFrom",
    description: "Default value for global ARG results in an empty or invalid base image name",
    page: "invalid-default-arg-in-from",
    is_experimental: false,
    why: "When no build argument is given, the defaults should make a name that can be used: then the Dockerfile \
     can be built by anybody who knows nothing of its arguments.",
    bad: "ARG TAG\nFROM busybox:${TAG}\n",
    good: "ARG TAG=latest\nFROM busybox:${TAG}\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    let dockerfile = view.input.dockerfile;
    let globals = walk::globals(dockerfile, Surroundings { build_args: &[], ..view.input.around });
    // `ARG A=${B:?}` wants to be given something.
    if globals.has_failed {
        return;
    }
    let expander = Expander::new(dockerfile.directives.escape);
    for walked in view.stages() {
        let word = &walked.stage.base;
        let Ok(base) = expander.expand(&word.text, &|name| find(&globals.values, name)) else { return };
        let has_variables = !base.used.is_empty() || !base.undefined.is_empty();
        if has_variables && !(view.input.is_image_name)(&base.text) {
            let message = format!("Default value for ARG {} results in empty or invalid base image name", word.text);
            findings.add(walked.stage, message, help(&base.undefined));
        }
    }
}

fn help(undefined: &[String]) -> Option<String> {
    let name = undefined.first()?;
    Some(format!("give it a default: `ARG {name}=…`, or write `${{{name}:-…}}`"))
}
