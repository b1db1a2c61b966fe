//! `cargo xtask tidy`: the rules that the compiler cannot check, checked.
//!
//! Every rule is a function from the files of the repository to complaints; all complaints are printed in one run.

mod dependencies;
mod rules;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::Command;

use crate::{Result, machine, process, reference, say};

/// A file of the repository, read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// The path from the root of the repository.
    pub(crate) path: String,
    /// The content; empty for files that are not text.
    pub(crate) text: String,
    /// The size on disk.
    pub(crate) size: usize,
}

/// Checks the repository.
pub(crate) fn run() -> Result<()> {
    let files = files()?;
    let mut complaints = dependencies::check(&files);
    for rule in rules::ALL {
        complaints.extend(files.iter().flat_map(rule));
    }
    let find = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    complaints.extend(reference::stale(find));
    complaints.sort();
    for complaint in &complaints {
        say::line(&format!("    {complaint}"));
    }
    match complaints.len() {
        0 => {
            say::line(&format!("    {} files, nothing to complain about", files.len()));
            Ok(())
        }
        1 => Err("tidy has one complaint".to_owned()),
        count => Err(format!("tidy has {count} complaints")),
    }
}

/// What git knows or would add: neither `target/` nor what is ignored.
fn files() -> Result<Vec<SourceFile>> {
    let root = machine::repository();
    let mut git = Command::new("git");
    git.arg("-C").arg(&root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let list = process::output(&mut git)?;
    let mut files: Vec<SourceFile> = list.lines().filter_map(|path| read(&root.join(path), path)).collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files.dedup_by(|left, right| left.path == right.path);
    Ok(files)
}

/// A file that git still lists but somebody has just removed is no file.
fn read(full: &PathBuf, path: &str) -> Option<SourceFile> {
    let bytes = std::fs::read(full).ok()?;
    let size = bytes.len();
    Some(SourceFile { path: path.to_owned(), text: String::from_utf8(bytes).unwrap_or_default(), size })
}
