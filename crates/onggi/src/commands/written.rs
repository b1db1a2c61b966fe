//! What a container has written: `commit`, `diff`, and `export` (whose streams are those of `save`).

use engine::{ChangeKind, CommitOptions};

use crate::cli::written::{CommitArgs, DiffArgs};
use crate::failure::Failure;
use crate::session::Session;

/// Prints the new image's ID (S240).
pub(super) fn commit(args: &CommitArgs, session: &Session) -> Result<u8, Failure> {
    let options = CommitOptions {
        container: args.container.clone(),
        name: args.name.clone(),
        author: args.author.clone().unwrap_or_default(),
        message: args.message.clone().unwrap_or_default(),
        changes: args.changes.clone(),
        pause: args.pause,
    };
    let committed = engine::commit(&session.engine()?, &options)?;
    if let Some(error) = &committed.unrest {
        let causes: String = error.causes.iter().map(|cause| format!(": {cause}")).collect();
        session.note(&format!("warning: {error}{causes}; what it wrote meanwhile may be in the image in part"));
    }
    session.print(&format!("{}\n", committed.id))?;
    Ok(0)
}

/// One line for each path (C231).
pub(super) fn diff(args: &DiffArgs, session: &Session) -> Result<u8, Failure> {
    let changes = engine::container_changes(&session.engine()?, &args.container)?;
    let line = |change: &engine::Change| {
        let letter = match change.kind {
            ChangeKind::Added => 'A',
            ChangeKind::Modified => 'C',
            ChangeKind::Removed => 'D',
        };
        format!("{letter} /{}\n", String::from_utf8_lossy(&change.path))
    };
    session.print(&changes.iter().map(line).collect::<String>())?;
    Ok(0)
}
