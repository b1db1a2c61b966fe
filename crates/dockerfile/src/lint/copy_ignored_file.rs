//! COPY and ADD of what the ignore file leaves out.

use crate::instruction::InstructionKind;

use super::quote::quoted;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "CopyIgnoredFile",
    description: "Attempting to Copy file that is excluded by .dockerignore",
    page: "copy-ignored-file",
    is_experimental: true,
    why: "What `.dockerignore` leaves out does not belong to the build context, so COPY and ADD cannot find it and \
     the build fails. The check looks at names only, not at what is there, and says nothing when the ignore \
     file takes something back in with `!`. In the examples the ignore file leaves out `*/tmp/*`.",
    bad: "FROM scratch\nCOPY ./build/tmp/helloworld.txt /helloworld.txt\n",
    good: "FROM scratch\nCOPY ./build/forever/helloworld.txt /helloworld.txt\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    let Some(ignore) = view.input.ignore_file.filter(|file| !file.rules().any(|rule| rule.exception)) else { return };
    for step in view.steps() {
        let verb = match &step.instruction.kind {
            InstructionKind::Copy(copy) if copy.from.is_none() => "Copy",
            InstructionKind::Add(_) => "Add",
            _ => continue,
        };
        for source in step.values.iter().filter(|source| verb == "Copy" || !is_remote(source)) {
            let path = clean(source);
            if ignore.ignores(path.trim_start_matches('/').as_bytes()) {
                let message = format!("Attempting to {verb} file {} that is excluded by .dockerignore", quoted(&path));
                let help = format!("add the line `!{}` to .dockerignore", path.trim_start_matches('/'));
                findings.add(step.instruction, message, help);
            }
        }
    }
}

/// A URL or a git repository.
fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|prefix| source.starts_with(prefix))
}

/// The shortest form of a path (Go's `filepath.Clean`).
fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
