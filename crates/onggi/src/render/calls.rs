//! Answers of `build --call`: texts as buildx prints them, JSON as BuildKit's subrequests give it.

mod excerpt;
mod json;

use std::fmt::Write;

use engine::SourceText;
use engine::calls::{Outline, OutlineMount, Target, Warning};

use crate::ui::printable::printable;
use crate::ui::table::align_with;

pub(crate) use json::{check_json, methods_json, outline_json, targets_json};

/// What can be asked, and the versions of BuildKit's subrequests that it is like.
const METHODS: [Method; 4] = [
    Method {
        name: "frontend.outline",
        short: "outline",
        description: "List all parameters that a target of the Dockerfile takes",
    },
    Method { name: "frontend.targets", short: "targets", description: "List all targets of the Dockerfile" },
    Method { name: "frontend.lint", short: "check", description: "Check the Dockerfile, and look for mistakes" },
    Method {
        name: "frontend.subrequests.describe",
        short: "subrequests.describe",
        description: "List what can be asked of a Dockerfile",
    },
];

/// BuildKit's version of all of them.
const VERSION: &str = "1.0.0";

struct Method {
    /// BuildKit's name.
    name: &'static str,
    /// The word for `--call`.
    short: &'static str,
    description: &'static str,
}

/// What the checks found, each with its lines. Mistakes are told elsewhere.
pub(crate) fn check_text(warnings: &[Warning], is_wrong: bool, source: &SourceText) -> String {
    let mut text = match warnings.len() {
        0 if is_wrong => return String::new(),
        0 => return "Check complete, no warnings found.\n".to_owned(),
        1 => "Check complete, 1 warning has been found!\n".to_owned(),
        count => format!("Check complete, {count} warnings have been found!\n"),
    };
    let lines = excerpt::Lines::new(source);
    for warning in warnings {
        let rule = warning.rule;
        write(&mut text, format_args!("\nWARNING: {}\n{}\n", rule.name, printable(&warning.message)));
        lines.show(warning.location, &mut text);
        if let Some(help) = &warning.help {
            write(&mut text, format_args!("hint: {}\n", printable(help)));
        }
    }
    text
}

/// Tables of what a target takes.
pub(crate) fn outline_text(outline: &Outline) -> String {
    let mut text = String::new();
    if !outline.name.is_empty() || !outline.description.is_empty() {
        let mut head = String::new();
        let name = if outline.name.is_empty() { "(default)" } else { &outline.name };
        write(&mut head, format_args!("TARGET:\t{}\n", printable(name)));
        if !outline.description.is_empty() {
            write(&mut head, format_args!("DESCRIPTION:\t{}\n", printable(&outline.description)));
        }
        text.push_str(&align_with(&head, 0, 1));
        text.push('\n');
    }
    if !outline.args.is_empty() {
        let mut table = "BUILD ARG\tVALUE\tDESCRIPTION\n".to_owned();
        for arg in &outline.args {
            let (name, value, description) = (printable(&arg.name), printable(&arg.value), printable(&arg.description));
            write(&mut table, format_args!("{name}\t{value}\t{description}\n"));
        }
        text.push_str(&align_with(&table, 0, 3));
        text.push('\n');
    }
    mounts("SECRET", &outline.secrets, &mut text);
    mounts("SSH", &outline.ssh, &mut text);
    text
}

fn mounts(title: &str, mounts: &[OutlineMount], text: &mut String) {
    if mounts.is_empty() {
        return;
    }
    let mut table = format!("{title}\tREQUIRED\n");
    for mount in mounts {
        let required = if mount.is_required { "true" } else { "" };
        write(&mut table, format_args!("{}\t{required}\n", printable(&mount.name)));
    }
    text.push_str(&align_with(&table, 0, 3));
    text.push('\n');
}

/// A table of the targets.
pub(crate) fn targets_text(targets: &[Target]) -> String {
    let mut table = "TARGET\tDESCRIPTION\n".to_owned();
    for (number, target) in targets.iter().enumerate() {
        let name = match (target.name.is_empty(), target.is_default) {
            (true, true) => "(default)".to_owned(),
            // It can be built by its number.
            (true, false) => number.to_string(),
            (false, true) => format!("{} (default)", printable(&target.name)),
            (false, false) => printable(&target.name).into_owned(),
        };
        write(&mut table, format_args!("{name}\t{}\n", printable(&target.description)));
    }
    align_with(&table, 0, 1)
}

/// A table of what can be asked.
pub(crate) fn methods_text() -> String {
    let mut table = "NAME\tVERSION\tDESCRIPTION\n".to_owned();
    for method in &METHODS {
        write(&mut table, format_args!("{}\t{VERSION}\t{}\n", method.short, method.description));
    }
    align_with(&table, 0, 1)
}

fn write(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests;
