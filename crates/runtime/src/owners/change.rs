//! Another owner for a file that is open: by the kernel where it knows that owner, by a mark where it does not.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use oci::OwnerMark;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;

use crate::spec::User;

/// How owners are changed for one caller.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) proc: BorrowedFd<'a>,
    /// The kernel knows IDs below this number.
    pub(super) mapped: u32,
    /// The caller is this user and may give to its own groups what is its own; `None` if it may do everything.
    pub(super) rights: Option<&'a User>,
}

impl Change<'_> {
    /// `file` may be open for its path alone.
    pub(super) fn apply(&self, file: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<(), Errno> {
        let status = rustix::fs::fstat(file)?;
        let kept = (status.st_uid, status.st_gid);
        match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile | FileType::Directory => {
                let file = self.reopen(file)?;
                let mark = mark_of(&file)?;
                let now = if kept == (0, 0) { mark.unwrap_or(kept) } else { kept };
                let new = changed(now, uid, gid);
                self.check(now, new)?;
                self.set(&file, new, mark.is_some())
            }
            file_type => {
                let new = changed(kept, uid, gid);
                self.check(kept, new)?;
                let (owner, group) = if self.has(new) { new } else { (0, 0) };
                let (owner, group) = (Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)));
                match rustix::fs::chownat(file, c"", owner, group, AtFlags::EMPTY_PATH) {
                    // Nodes and pipes of the host: they have no owner here, and keep the one that they have there.
                    Err(Errno::PERM) if file_type != FileType::Symlink => Ok(()),
                    other => other,
                }
            }
        }
    }

    fn has(&self, (uid, gid): (u32, u32)) -> bool {
        uid < self.mapped && gid < self.mapped
    }

    /// As chown(2) has it for who has no `CAP_CHOWN`. What belongs to root without a mark may have been made by this user.
    fn check(&self, now: (u32, u32), new: (u32, u32)) -> Result<(), Errno> {
        let Some(user) = self.rights else { return Ok(()) };
        let is_own = now.0 == user.uid || now == (0, 0);
        let keeps_owner = new.0 == user.uid || new.0 == now.0;
        let is_own_group = new.1 == now.1 || new.1 == user.gid || user.additional_gids.contains(&new.1);
        if is_own && keeps_owner && is_own_group { Ok(()) } else { Err(Errno::PERM) }
    }

    /// The kernel says whether it may be changed at all, and takes set-user-ID and capabilities from it, in any case.
    fn set(&self, file: &OwnedFd, new: (u32, u32), is_marked: bool) -> Result<(), Errno> {
        let is_known = self.has(new);
        let (uid, gid) = if is_known { new } else { (0, 0) };
        rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        if is_known && !is_marked {
            return Ok(());
        }
        let mark = OwnerMark { uid: new.0, gid: new.1 }.to_string();
        match rustix::fs::fsetxattr(file, OwnerMark::ATTRIBUTE, mark.as_bytes(), XattrFlags::empty()) {
            // No place for marks: what the kernel says to such an ID.
            Err(Errno::OPNOTSUPP) => Err(Errno::INVAL),
            other => other,
        }
    }

    fn reopen(&self, file: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::openat(self.proc, format!("self/fd/{}", file.as_raw_fd()), flags, Mode::empty())
    }
}

fn changed(now: (u32, u32), uid: u32, gid: u32) -> (u32, u32) {
    let other = |id: u32, now| if id == u32::MAX { now } else { id };
    (other(uid, now.0), other(gid, now.1))
}

fn mark_of(file: &OwnedFd) -> Result<Option<(u32, u32)>, Errno> {
    let mut value = [0; 32];
    match rustix::fs::fgetxattr(file.as_fd(), OwnerMark::ATTRIBUTE, &mut value[..]) {
        Ok(length) => Ok(OwnerMark::parse(&value[..length]).map(|mark| (mark.uid, mark.gid))),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(None),
        Err(errno) => Err(errno),
    }
}
