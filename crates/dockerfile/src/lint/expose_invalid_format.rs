//! EXPOSE with an address or a port of the host.

use crate::instruction::InstructionKind;

use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "ExposeInvalidFormat",
    description: "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in \
     a future release",
    page: "expose-invalid-format",
    is_experimental: false,
    why: "EXPOSE says which ports the program in the image listens on. It publishes nothing: an address or a port \
     of the host has no effect there, and Docker wants to make it an error. Publish with `run -p 8080:80`.",
    bad: "FROM alpine\nEXPOSE 127.0.0.1:80:80\n",
    good: "FROM alpine\nEXPOSE 80\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for step in view.steps().filter(|step| matches!(step.instruction.kind, InstructionKind::Expose(_))) {
        for port in &step.values {
            let Some((_, container)) = port.rsplit_once(':') else { continue };
            let message =
                format!("EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'");
            let (published, _) = port.split_once('/').unwrap_or((port, ""));
            let help = format!("write `EXPOSE {container}`, and publish with `run -p {published}`");
            findings.add(step.instruction, message, help);
        }
    }
}
