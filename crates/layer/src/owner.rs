//! Owners in a user namespace that has not all IDs: given to the kernel where it can keep them, else written as a mark.
//!
//! What a mark is, is [`OwnerMark`]'s; that is obeyed only on what belongs to root as far as the kernel knows, since that is
//! all that is ever marked: nobody gives a file of his own to another by writing one.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use oci::OwnerMark;
use rustix::fs::{AtFlags, Gid, Uid, XattrFlags};
use rustix::io::Errno;

/// Owners of what an overlay in such a namespace has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owners {
    /// How many IDs the namespace has: those below this number can be given to files.
    pub mapped: u32,
    /// Who made what is new and has no mark, if that is a user whom no process there can be. Root otherwise.
    pub author: Option<(u32, u32)>,
}

impl Owners {
    /// Whether the namespace has both IDs.
    pub(crate) fn has(&self, (uid, gid): (u32, u32)) -> bool {
        uid < self.mapped && gid < self.mapped
    }
}

/// Gives an open file to its owner, or to root with a mark that names the owner.
///
/// # Errors
/// As `fchown(2)`; `EOPNOTSUPP` where a mark is needed and the file system takes none.
pub fn give(file: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<(), Errno> {
    match rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
        // The namespace has no such ID (chown(2)); the first namespace has all.
        Err(Errno::INVAL) => {
            rustix::fs::fchown(file, Some(Uid::ROOT), Some(Gid::ROOT))?;
            let mark = OwnerMark { uid, gid }.to_string();
            rustix::fs::fsetxattr(file, OwnerMark::ATTRIBUTE, mark.as_bytes(), XattrFlags::empty())
        }
        given => given,
    }
}

/// As [`give`] for a name that is no folder and no regular file; the kernel lets no such thing carry a mark. Whether its owner
/// could be kept.
pub(crate) fn give_name(folder: BorrowedFd<'_>, name: &CStr, uid: u32, gid: u32) -> Result<bool, Errno> {
    let chown = |uid: Uid, gid: Gid| rustix::fs::chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
    match chown(Uid::from_raw(uid), Gid::from_raw(gid)) {
        Err(Errno::INVAL) => chown(Uid::ROOT, Gid::ROOT).map(|()| false),
        given => given.map(|()| true),
    }
}

/// Takes a mark away that the file may have from before.
pub(crate) fn unmark(file: BorrowedFd<'_>) -> Result<(), Errno> {
    match rustix::fs::fremovexattr(file, OwnerMark::ATTRIBUTE) {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}

/// Who owns what the kernel says belongs to `kept`.
pub(crate) fn marked(kept: (u32, u32), mark: Option<OwnerMark>) -> (u32, u32) {
    match mark {
        Some(OwnerMark { uid, gid }) if kept == (0, 0) => (uid, gid),
        _ => kept,
    }
}
