//! Comments above FROM and ARG that describe something else.

use crate::instruction::{Comment, InstructionKind};

use super::{Findings, LintRule, Place, View};

pub(super) const RULE: LintRule = LintRule {
    name: "InvalidDefinitionDescription",
    description: "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If \
     this is not intended to be a description comment, add an empty line or comment between the instruction \
     and the comment.",
    page: "invalid-definition-description",
    is_experimental: true,
    why: "A comment directly above FROM or ARG that begins with the name of the stage or argument is its \
     description, shown by `--call=outline` and `--call=targets`. A comment that stands there and says \
     something else may be a description with a slip in the name. Put an empty line or an empty comment \
     behind it if it is not one.",
    bad: "# a comment about something else\nFROM scratch AS base\n",
    good: "# base is what everything else begins with\nFROM scratch AS base\n",
    needs_values: false,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for walked in view.stages() {
        if let Some(name) = &walked.stage.name {
            add(findings, walked.stage, "FROM", &[name.text.as_str()]);
        }
    }
    for instruction in view.instructions() {
        if let InstructionKind::Arg(declarations) = &instruction.kind {
            let names: Vec<&str> = declarations.iter().map(|one| one.name.text.as_str()).collect();
            add(findings, instruction, "ARG", &names);
        }
    }
}

fn add(findings: &mut Findings, place: &impl Place, instruction: &str, names: &[&str]) {
    if !place.comment().is_adjacent || describes(place.comment(), names) {
        return;
    }
    let example = if let [name] = names { name } else { "<arg_key>" };
    let message = format!("Comment for {instruction} should follow the format: `# {example} <description>`");
    let help = format!("begin the comment with `# {example}`, or put an empty line behind it");
    findings.add(place, message, help);
}

/// The last line counts; one that switches checks off describes nothing, and hides nothing.
fn describes(comment: &Comment, names: &[&str]) -> bool {
    let is_check = |line: &&String| line.split_once('=').is_some_and(|(name, _)| name.trim() == "check");
    let Some(last) = comment.lines.iter().rfind(|line| !is_check(line)) else { return true };
    names.contains(&last.split(' ').next().unwrap_or_default())
}
