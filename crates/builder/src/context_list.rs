//! What a context holds, and which line of the ignore file decides over a path; without a build.

use dockerfile::{IgnoreFile, Rule, Verdict};
use layer::EntryKind;
use store::Store;

use crate::build::{BuildError, Document};
use crate::context::ContextError;
use crate::context_files::{BuildContext, ContextFiles};
use crate::copy::CopyError;
use crate::failure::internal;
use crate::ignore_file;
use crate::path::{inside, join, lossy, name, parent};

/// A file of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextEntry {
    /// From the root of the context.
    pub path: String,
    /// What it is.
    pub kind: ContextEntryKind,
}

/// What an entry of a context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextEntryKind {
    /// A regular file.
    File {
        /// Length of its content.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: String,
    },
    /// Anything else, which is not copied.
    Other,
}

/// Why a path is, or is not, part of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextReason {
    /// From the root of the context.
    pub path: String,
    /// Whether a build finds it.
    pub is_included: bool,
    /// Whether it is a folder that is left out, but not all that is below it.
    pub is_included_in_part: bool,
    /// As the ignore file is called.
    pub ignore_file: String,
    /// The line that decides; none where no line speaks of the path.
    pub rule: Option<Rule>,
}

/// All that a build finds in a context. `ignore_file` is the one beside the Dockerfile, if there is one.
///
/// # Errors
/// When the context cannot be read, or its ignore file has mistakes.
pub fn list_context(
    context: &BuildContext,
    ignore_file: Option<Document>,
    store: &Store,
) -> Result<Vec<ContextEntry>, BuildError> {
    let ignore = ignore_file::parse(own_or_beside(context, ignore_file)?)?;
    let files = ContextFiles::open(store, context, ignore)?;
    let all = files.all().map_err(|error| internal("look through the build context", &error))?;
    let below = all.entries.into_iter().filter(|entry| !entry.path.is_empty());
    let listed = below.map(|entry| {
        let kind = match entry.kind {
            EntryKind::File { size } => ContextEntryKind::File { size },
            EntryKind::Directory => ContextEntryKind::Folder,
            EntryKind::Symlink { target } => ContextEntryKind::Link { target: lossy(&target) },
            _ => ContextEntryKind::Other,
        };
        ContextEntry { path: lossy(&entry.path), kind }
    });
    Ok(listed.collect())
}

/// Which line of the ignore file decides over a path, written from the root of the context.
///
/// # Errors
/// When the ignore file has mistakes, or there is nothing of that name.
pub fn explain_in_context(
    context: &BuildContext,
    ignore_file: Option<Document>,
    path: &str,
    store: &Store,
) -> Result<ContextReason, BuildError> {
    let document = own_or_beside(context, ignore_file)?;
    let ignore_file = document.name.clone();
    let ignore = ignore_file::parse(document)?;
    let all = ContextFiles::open(store, context, IgnoreFile::default())?;
    let (path, is_folder) = find(&all, path)?;
    let verdict = if path.is_empty() { Verdict::Included } else { ignore.matches(&path, is_folder) };
    Ok(ContextReason {
        is_included: verdict == Verdict::Included,
        is_included_in_part: is_folder && verdict == Verdict::Ignored,
        ignore_file,
        rule: if path.is_empty() { None } else { ignore.explain(&path).cloned() },
        path: lossy(&path),
    })
}

/// Where a path is, and whether it is a folder. Links before its last name are followed: rules speak of paths without.
fn find(all: &ContextFiles, typed: &str) -> Result<(Vec<u8>, bool), BuildError> {
    let normal = inside("/", typed);
    if normal.is_empty() {
        return Ok((normal, true));
    }
    let missing = || {
        let hint = match all.similar(&normal) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => "write the path as COPY has it: from the root of the context".to_owned(),
        };
        let message = format!("there is no `{}` in the build context", lossy(&normal));
        BuildError::Source { message, causes: Vec::new(), hint: Some(hint) }
    };
    let failed = |error: CopyError| match error {
        CopyError::Context(ContextError::NotFound { .. }) => missing(),
        CopyError::Context(error) => error.into(),
        error => internal("look through the build context", &error),
    };
    let folder = all.leads_to(parent(&normal)).map_err(failed)?;
    let names = all.names_in(&folder).map_err(failed)?;
    let last = name(&normal);
    let (_, is_folder) = names.iter().find(|(name, _)| name == last).ok_or_else(missing)?;
    Ok((join(&folder, last), *is_folder))
}

fn own_or_beside(context: &BuildContext, beside: Option<Document>) -> Result<Document, BuildError> {
    match beside {
        Some(document) => Ok(document),
        None => Ok(ignore_file::read(context)?),
    }
}
