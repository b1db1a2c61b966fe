//! MAINTAINER.

use crate::instruction::InstructionKind;

use super::quote::quoted;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "MaintainerDeprecated",
    description: "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    page: "maintainer-deprecated",
    is_experimental: false,
    why: "MAINTAINER fills one field that few tools show. A label does the same, can be searched for, and is \
     handed on to images that are made from this one.",
    bad: "FROM alpine\nMAINTAINER jane@example.com\n",
    good: "FROM alpine\nLABEL org.opencontainers.image.authors=\"jane@example.com\"\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for instruction in view.instructions() {
        let InstructionKind::Maintainer(word) = &instruction.kind else { continue };
        let name = word.text.trim();
        let is_quoted = name.len() > 1 && name.starts_with('"') && name.ends_with('"');
        let name = if is_quoted { name.to_owned() } else { quoted(name) };
        let message = "Maintainer instruction is deprecated in favor of using label".to_owned();
        findings.add(instruction, message, format!("write `LABEL org.opencontainers.image.authors={name}`"));
    }
}
