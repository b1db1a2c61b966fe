//! `tag` and `rmi`: names come, names go.

use engine::{Removal, RemoveOptions};

use crate::cli::image::{RmiArgs, TagArgs};
use crate::failure::Failure;
use crate::session::Session;

/// Silent on success (S262).
pub(super) fn tag(args: &TagArgs, session: &Session) -> Result<u8, Failure> {
    engine::tag(&session.engine()?, &args.source, &args.target)?;
    Ok(0)
}

/// `Untagged:` and `Deleted:` in the order in which it happened (S280 to S283).
pub(super) fn remove(args: &RmiArgs, session: &Session) -> Result<u8, Failure> {
    let platforms = super::platforms::platforms(&args.platforms)?;
    let options = RemoveOptions { force: args.force, no_prune: args.no_prune, platforms: &platforms };
    let removed = engine::remove_images(&session.engine()?, &args.images, options)?;
    for removal in &removed.removals {
        session.print(&match removal {
            Removal::Untagged(name) => format!("Untagged: {name}\n"),
            Removal::Deleted(id) => format!("Deleted: {id}\n"),
        })?;
    }
    super::all_or_failure(removed.errors)
}
