//! CMD, ENTRYPOINT or HEALTHCHECK several times in a stage.

use crate::instruction::{Instruction, InstructionKind};

use super::{Findings, LintRule, View, typed};

pub(super) const RULE: LintRule = LintRule {
    name: "MultipleInstructionsDisallowed",
    description: "Multiple instructions of the same type should not be used in the same stage",
    page: "multiple-instructions-disallowed",
    is_experimental: false,
    why: "Only the last CMD, ENTRYPOINT and HEALTHCHECK of a stage count; the others have no effect. The warning \
     is about the one that is lost.",
    bad: "FROM alpine\nENTRYPOINT [\"echo\", \"Hello\"]\nENTRYPOINT [\"echo\", \"World\"]\n",
    good: "FROM alpine\nENTRYPOINT [\"echo\", \"Hello\\nWorld\"]\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for walked in view.checked_stages() {
        let mut before: [Option<&Instruction>; 3] = [None; 3];
        for instruction in walked.steps.iter().map(|step| step.instruction) {
            let place = match &instruction.kind {
                InstructionKind::Cmd(_) => 0,
                InstructionKind::Entrypoint(_) => 1,
                InstructionKind::Healthcheck(_) => 2,
                _ => continue,
            };
            if let Some(lost) = before[place].replace(instruction) {
                let name = typed::name(instruction);
                let message = format!(
                    "Multiple {name} instructions should not be used in the same stage because only the last one will \
                     be used"
                );
                findings.add(lost, message, format!("remove it, or the {name} in line {}", instruction.first_line));
            }
        }
    }
}
