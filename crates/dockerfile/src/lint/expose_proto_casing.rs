//! EXPOSE with a protocol in upper case.

use crate::instruction::InstructionKind;

use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "ExposeProtoCasing",
    description: "Protocol in EXPOSE instruction should be lowercase",
    page: "expose-proto-casing",
    is_experimental: false,
    why: "`tcp`, `udp` and `sctp` are written in lower case in the image's config and everywhere else; another \
     case works, but is not found by whoever searches for it.",
    bad: "FROM alpine\nEXPOSE 80/TcP\n",
    good: "FROM alpine\nEXPOSE 80/tcp\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for step in view.steps().filter(|step| matches!(step.instruction.kind, InstructionKind::Expose(_))) {
        for port in &step.values {
            let Some((number, protocol)) = port.split_once('/') else { continue };
            let lower = protocol.to_lowercase();
            if protocol != lower {
                let message = format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
                findings.add(step.instruction, message, format!("write `{number}/{lower}`"));
            }
        }
    }
}
