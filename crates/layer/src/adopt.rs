//! Makes a root in which a layer was made one that was copied from that layer: sockets, which no layer keeps, go, and
//! times become those that the layer has, where it has no later ones than a build allows.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use crate::descent::{Descent, FOLDER};
use crate::diff::{DiffError, walk};
use crate::entry::{Shown, split};
use crate::extract::metadata::times;
use crate::extract::single_component;
use crate::snapshot::open_folder;
use crate::tree::{Tree, TreeError, Visit, Walk};

/// Why a root cannot be made like its layer.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The root cannot be read.
    #[error(transparent)]
    Root(#[from] DiffError),
    /// The layer cannot be read.
    #[error("cannot read the layer that was just written")]
    Tree(#[from] TreeError),
    /// Something cannot be set or removed.
    #[error("cannot make `/{}` as it is in the layer: {doing}", Shown(.path))]
    Set {
        /// Path within the root.
        path: Vec<u8>,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: Errno,
    },
}

/// Does so for a root that nobody uses. `layer` has no other layers below.
///
/// # Errors
/// When something cannot be read or set. The root is of no use then.
pub fn adopt(layer: &Tree, root: BorrowedFd<'_>) -> Result<(), AdoptError> {
    remove_sockets(root)?;
    let opened = rustix::fs::openat(root, c".", FOLDER, Mode::empty()).map_err(setting(&[], "opening the folder"))?;
    let mut descent = Descent::new(opened);
    let mut names = Walk::new(layer)?;
    while let Some(visit) = names.next_visit()? {
        let (path, node) = match visit {
            Visit::Left => {
                descent.leave().map_err(setting(&[], "going back to the folder above"))?;
                continue;
            }
            Visit::Name { path, node } => (path, node),
        };
        let set = |doing| setting(&path, doing);
        let name = single_component(split(&path).1.to_vec()).ok_or_else(|| set("naming it")(Errno::INVAL))?;
        let times = times(layer.entry(&node, &path)?.metadata.mtime);
        let parent = descent.innermost();
        rustix::fs::utimensat(parent, &name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(set("setting the time"))?;
        if node.is_directory() {
            let folder = rustix::fs::openat(parent, &name, FOLDER, Mode::empty()).map_err(set("opening the folder"))?;
            descent.enter(folder).map_err(set("opening the folder"))?;
        }
    }
    Ok(())
}

fn setting(path: &[u8], doing: &'static str) -> impl Fn(Errno) -> AdoptError {
    move |source| AdoptError::Set { path: path.to_vec(), doing, source }
}

fn remove_sockets(root: BorrowedFd<'_>) -> Result<(), AdoptError> {
    let opened = rustix::fs::openat(root, c".", FOLDER, Mode::empty()).map_err(setting(&[], "opening the folder"))?;
    let mut walk = walk::Walk::new(opened)?;
    while let Some(found) = walk.next_name()? {
        let file_type = match found.file_type {
            FileType::Unknown => crate::diff::type_of(&crate::diff::status_at(walk.folder(), &found)?),
            known => known,
        };
        if file_type == FileType::Socket {
            let removed = rustix::fs::unlinkat(walk.folder(), &found.name, AtFlags::empty());
            removed.map_err(setting(&found.path, "removing a socket"))?;
        } else if file_type == FileType::Directory {
            let folder = open_folder(walk.folder().as_fd(), &found)?;
            walk.descend(folder, &found)?;
        }
    }
    Ok(())
}
