//! The folders from a root down to where a walk is, held as descriptors, few of them open at a time.
//!
//! A process has 1024 descriptors by default, and a hostile tree can be deeper. An ancestor far above is closed, and
//! reopened through `..` on the way back, when it must be the same folder as before.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

/// How a folder is opened for reading: never through a symbolic link.
pub(crate) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How many folders stay open, the innermost ones. Deeper trees are rare.
const OPEN_FOLDERS: usize = 64;

/// Device and inode.
type Identity = (u32, u32, u64);

/// The way down.
#[derive(Debug)]
pub(crate) struct Descent {
    innermost: OwnedFd,
    outer: Vec<Outer>,
}

#[derive(Debug)]
enum Outer {
    Open(OwnedFd),
    Closed(Identity),
}

impl Descent {
    pub(crate) fn new(root: OwnedFd) -> Self {
        Self { innermost: root, outer: Vec::new() }
    }

    /// The folder that the walk is in.
    pub(crate) fn innermost(&self) -> BorrowedFd<'_> {
        self.innermost.as_fd()
    }

    /// Goes into a folder of the innermost one.
    pub(crate) fn enter(&mut self, folder: OwnedFd) -> Result<(), Errno> {
        if let Some(far) = (self.outer.len() + 1).checked_sub(OPEN_FOLDERS)
            && let Some(outer) = self.outer.get_mut(far)
            && let Outer::Open(folder) = outer
        {
            *outer = Outer::Closed(identity(folder.as_fd())?);
        }
        self.outer.push(Outer::Open(std::mem::replace(&mut self.innermost, folder)));
        Ok(())
    }

    /// Goes back; at the root it stays there. ESTALE when the folder above is not the one it was.
    pub(crate) fn leave(&mut self) -> Result<(), Errno> {
        let parent = match self.outer.pop() {
            None => return Ok(()),
            Some(Outer::Open(parent)) => parent,
            Some(Outer::Closed(known)) => {
                let parent = rustix::fs::openat(&self.innermost, c"..", FOLDER, Mode::empty())?;
                if identity(parent.as_fd())? != known {
                    return Err(Errno::STALE);
                }
                parent
            }
        };
        self.innermost = parent;
        Ok(())
    }
}

fn identity(folder: BorrowedFd<'_>) -> Result<Identity, Errno> {
    let status = rustix::fs::statx(folder, c"", AtFlags::EMPTY_PATH, StatxFlags::INO)?;
    Ok((status.stx_dev_major, status.stx_dev_minor, status.stx_ino))
}
