//! `cargo xtask docs`: the pages of `docs/reference` that are made from tables in the code.
//!
//! `tidy` compares them, so that neither can change without the other.

use std::fmt::Write;
use std::path::Path;

use dockerfile::LintRule;

use crate::{Result, machine, say};

/// A page's path from the root of the repository, and what makes it.
type Page = (&'static str, fn() -> String);

/// Every page.
const PAGES: [Page; 1] = [("docs/reference/checks.md", checks)];

/// Width of the text.
const WIDTH: usize = 118;

/// Writes the pages.
pub(crate) fn run() -> Result<()> {
    for (path, text) in PAGES {
        let full = machine::repository().join(path);
        let folder = full.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        std::fs::write(&full, text()).map_err(|error| format!("cannot write {path}: {error}"))?;
        say::line(path);
    }
    Ok(())
}

/// Pages that are not as they would be written; `find` gives the text of a file.
pub(crate) fn stale<'f>(find: impl Fn(&str) -> Option<&'f str>) -> Vec<String> {
    let is_stale = |(path, text): &&Page| find(path) != Some(&text());
    let complaint = |(path, _): &Page| format!("{path}: write it again with `cargo xtask docs`");
    PAGES.iter().filter(is_stale).map(complaint).collect()
}

const CHECKS_HEAD: &str = "\
# Checks

<!-- Made by `cargo xtask docs` from crates/dockerfile/src/lint: change it there. -->

What is no mistake, but probably not what the author of a Dockerfile wants. A build tells what was found at its end;
`onggi build --check` looks without building, needs no base image, and shows each place. Names and messages are
BuildKit's.

A first line such as `# check=skip=JSONArgsRecommended,StageNameCasing` leaves checks out (`skip=all`: all of them),
`# check=error=true` ends the build when something is found, `# check=experimental=CopyIgnoredFile` (or `=all`) asks for
those that do not run by themselves; with `;` between them all three go together. `# check=skip=…` above an instruction
holds for that one. The build argument `BUILDKIT_DOCKERFILE_CHECK` takes the same words and counts instead of the first
line.

";

fn checks() -> String {
    let rules = dockerfile::rules();
    let mut page = CHECKS_HEAD.to_owned();
    page.push_str("| check | what it finds |\n|---|---|\n");
    for rule in rules {
        let anchor = rule.name.to_lowercase();
        write(&mut page, format_args!("| [{}](#{anchor}) | {} |\n", rule.name, rule.description));
    }
    for rule in rules {
        section(&mut page, rule);
    }
    page
}

fn section(page: &mut String, rule: &LintRule) {
    let experimental = if rule.is_experimental {
        " It runs only when it is asked for: `# check=experimental=".to_owned() + rule.name + "`."
    } else {
        String::new()
    };
    let description = wrapped(&format!("{}.", rule.description.trim_end_matches('.')));
    let why = wrapped(&format!("{}{experimental}", rule.why));
    write(page, format_args!("\n## {}\n\n{description}\n\n{why}\n", rule.name));
    for (title, text) in [("Warned about", rule.bad), ("Better", rule.good)] {
        write(page, format_args!("\n{title}:\n\n```dockerfile\n{text}```\n"));
    }
}

/// A paragraph in lines that are not too long.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= WIDTH) {
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn write(page: &mut String, arguments: std::fmt::Arguments<'_>) {
    page.write_fmt(arguments).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests;
