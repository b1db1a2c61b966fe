//! ENV and LABEL without an equals sign.

use crate::instruction::InstructionKind;

use super::quote::quoted;
use super::{Findings, LintRule, View, typed};

pub(super) const RULE: LintRule = LintRule {
    name: "LegacyKeyValueFormat",
    description: "Legacy key/value format with whitespace separator should not be used",
    page: "legacy-key-value-format",
    is_experimental: false,
    why: "`ENV key value` sets one variable to all of the rest of the line. It is kept for old files; with `=` \
     several can be set at once, and it is plain where a value ends.",
    bad: "FROM alpine\nENV DIR /app\n",
    good: "FROM alpine\nENV DIR=/app\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for step in view.steps() {
        let (InstructionKind::Env(pairs) | InstructionKind::Label(pairs)) = &step.instruction.kind else { continue };
        for pair in pairs.iter().filter(|pair| pair.is_legacy) {
            let name = typed::name(step.instruction);
            let message = format!("\"{name} key=value\" should be used instead of legacy \"{name} key value\" format");
            let help = format!("write `{name} {}={}`", pair.key.text, modern(&pair.value.text));
            findings.add(step.instruction, message, help);
        }
    }
}

/// The value as it is written behind `=`: quoted where it has to be. `KEY = value` sets KEY to `= value`, which nobody
/// wants.
fn modern(value: &str) -> String {
    let value = value.strip_prefix('=').map_or(value, str::trim_start);
    let is_quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    if value.contains(char::is_whitespace) && !is_quoted { quoted(value) } else { value.to_owned() }
}
