//! CMD and ENTRYPOINT in the shell form.

use crate::instruction::{Command, InstructionKind};

use super::{Findings, LintRule, View, typed};

pub(super) const RULE: LintRule = LintRule {
    name: "JSONArgsRecommended",
    description: "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    page: "json-args-recommended",
    is_experimental: false,
    why: "`CMD my-cmd start` starts `/bin/sh -c \"my-cmd start\"`: the shell is process 1 and gets the signals, so \
     `stop` may have to wait until the container is killed, and an ENTRYPOINT in this form ignores CMD and \
     arguments. The JSON form starts the program itself. Where a shell is wanted, say so with SHELL, or as \
     `CMD [\"sh\", \"-c\", \"…\"]`; with a SHELL of its own a stage is not warned about.",
    bad: "FROM alpine\nENTRYPOINT my-program start\n",
    good: "FROM alpine\nENTRYPOINT [\"my-program\", \"start\"]\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for step in view.steps().filter(|step| !step.has_shell) {
        let (InstructionKind::Cmd(command) | InstructionKind::Entrypoint(command)) = &step.instruction.kind else {
            continue;
        };
        let Command::Shell(text) = command else { continue };
        let name = typed::name(step.instruction);
        let message =
            format!("JSON arguments recommended for {name} to prevent unintended behavior related to OS signals");
        findings.add(step.instruction, message, json_form(name, text));
    }
}

/// What to write, where the words need no shell to be understood.
fn json_form(name: &str, text: &str) -> Option<String> {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || " ./:=_@%+,-".contains(c));
    let is_short = text.len() <= 60;
    let words: Vec<String> = text.split_ascii_whitespace().map(|word| format!("\"{word}\"")).collect();
    let begins_with_program = !text.split_ascii_whitespace().next().is_some_and(|word| word.contains('='));
    (is_plain && is_short && begins_with_program).then(|| format!("write `{name} [{}]`", words.join(", ")))
}
