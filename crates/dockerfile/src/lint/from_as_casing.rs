//! FROM and AS in different case.

use super::typed::{self, is_lower, is_upper};
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "FromAsCasing",
    description: "The 'as' keyword should match the case of the 'from' keyword",
    page: "from-as-casing",
    is_experimental: false,
    why: "`FROM alpine as build` works, but mixes two ways of writing in one line. A reader finds the name faster \
     when both words are written alike.",
    bad: "FROM alpine as build\n",
    good: "FROM alpine AS build\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for walked in view.stages() {
        let typed::From { from, as_word: Some(as_word), name: Some(name) } = typed::from(walked.stage) else {
            continue;
        };
        // FROM itself in mixed case is another rule's business.
        let matches = match (is_lower(from), is_upper(from)) {
            (true, _) => is_lower(as_word),
            (_, true) => is_upper(as_word),
            _ => true,
        };
        if !matches {
            let message = format!("'{as_word}' and '{from}' keywords' casing do not match");
            let meant = if is_lower(from) { "as" } else { "AS" };
            findings.add(walked.stage, message, format!("write `{meant} {name}`"));
        }
    }
}
