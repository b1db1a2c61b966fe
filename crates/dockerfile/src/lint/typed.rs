//! Words as they were typed: upper and lower case are lost in the instructions, and several checks are about them.

use crate::instruction::{Instruction, Stage};

/// The instruction's name.
pub(super) fn name(instruction: &Instruction) -> &str {
    first(&instruction.text)
}

/// FROM, AS and the stage's name, as far as they are there.
pub(super) struct From<'s> {
    pub(super) from: &'s str,
    pub(super) as_word: Option<&'s str>,
    pub(super) name: Option<&'s str>,
}

/// The words of a FROM line.
pub(super) fn from(stage: &Stage) -> From<'_> {
    let mut words = stage.text.split_ascii_whitespace();
    let from = words.next().unwrap_or_default();
    // What is behind the base: AS and the name. A base never looks like a flag.
    let mut behind = words.skip_while(|word| word.starts_with("--")).skip(1);
    From { from, as_word: behind.next(), name: behind.next() }
}

fn first(text: &str) -> &str {
    text.split_ascii_whitespace().next().unwrap_or_default()
}

/// In one case throughout.
pub(super) fn is_lower(text: &str) -> bool {
    text == text.to_lowercase()
}

/// In one case throughout.
pub(super) fn is_upper(text: &str) -> bool {
    text == text.to_uppercase()
}
