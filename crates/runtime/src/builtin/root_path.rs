//! Paths inside a container, resolved by the kernel from the root's descriptor and never as strings.
//!
//! `openat2` with `RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS` gives an image's symlinks the meaning they have inside and
//! follows none of procfs's jumps (CVE-2024-21626). Preparing a path allocates; resolving and creating does not, so
//! that both work between `clone3` and `execve`.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A path below a root, without `.` and `..`.
#[derive(Debug)]
pub(crate) struct RootPath {
    /// Relative to the root; `.` is the root itself.
    relative: CString,
    /// For each component: its parent's relative path, and its own name.
    steps: Vec<(CString, CString)>,
}

/// What to create where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Directory,
    File,
}

/// Whether symlinks are followed (inside the root).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symlinks {
    Follow,
    Refuse,
}

impl RootPath {
    /// Cleans a path as Docker does: `..` goes up lexically and stops at the root. `None` for a NUL byte or a path
    /// that is not absolute.
    pub(super) fn new(path: &Path) -> Option<Self> {
        if !path.is_absolute() {
            return None;
        }
        let mut names: Vec<&[u8]> = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => names.push(name.as_bytes()),
                Component::ParentDir => drop(names.pop()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        let joined = |count: usize| match count {
            0 => CString::new("."),
            count => CString::new(names.get(..count).unwrap_or_default().join(&b'/')),
        };
        let steps = names
            .iter()
            .enumerate()
            .map(|(index, name)| Some((joined(index).ok()?, CString::new(*name).ok()?)))
            .collect::<Option<_>>()?;
        Some(Self { relative: joined(names.len()).ok()?, steps })
    }

    pub(super) fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// The path without its first component, if that is `first`.
    pub(super) fn below(&self, first: &CStr) -> Option<&CStr> {
        let rest = self.relative.to_bytes_with_nul().strip_prefix(first.to_bytes())?.strip_prefix(b"/")?;
        CStr::from_bytes_with_nul(rest).ok()
    }

    /// The parent's path and the name of the last component.
    pub(super) fn last(&self) -> Option<(&CStr, &CStr)> {
        self.steps.last().map(|(parent, name)| (parent.as_c_str(), name.as_c_str()))
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        &self.relative
    }

    pub(crate) fn open(&self, root: BorrowedFd<'_>, symlinks: Symlinks) -> Result<OwnedFd, Errno> {
        open_path(root, &self.relative, symlinks)
    }

    /// Opens the path, creating what is missing of it: folders with mode 0755, a file with 0644.
    pub(super) fn open_or_create(
        &self,
        root: BorrowedFd<'_>,
        symlinks: Symlinks,
        missing: Missing,
    ) -> Result<OwnedFd, Errno> {
        match self.open(root, symlinks) {
            Err(Errno::NOENT) => {}
            result => return result,
        }
        let count = self.steps.len();
        for (index, (parent, name)) in self.steps.iter().enumerate() {
            let parent = open_path(root, parent, symlinks)?;
            let created = if missing == Missing::File && index + 1 == count {
                create_file(parent.as_fd(), name)
            } else {
                rustix::fs::mkdirat(&parent, name.as_c_str(), Mode::from_raw_mode(0o755))
            };
            match created {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        self.open(root, symlinks)
    }
}

/// Makes a folder, or an empty file, at an absolute path below `root`, with the folders on the way, unless it is there.
/// No link is followed.
///
/// # Errors
/// When a link or something else is in the way, or the kernel refuses.
pub fn make_mount_point(root: BorrowedFd<'_>, path: &Path, is_folder: bool) -> std::io::Result<()> {
    let path = RootPath::new(path).ok_or(Errno::INVAL)?;
    let missing = if is_folder { Missing::Directory } else { Missing::File };
    Ok(path.open_or_create(root, Symlinks::Refuse, missing).map(drop)?)
}

/// An `O_PATH` descriptor of what a path below a root leads to.
pub(super) fn open_path(root: BorrowedFd<'_>, path: &CStr, symlinks: Symlinks) -> Result<OwnedFd, Errno> {
    open_in_root(root, path, symlinks, OFlags::PATH)
}

/// Opens what a path below a root leads to.
pub(super) fn open_in_root(
    root: BorrowedFd<'_>,
    path: &CStr,
    symlinks: Symlinks,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    /// Renames elsewhere make the kernel give up with `EAGAIN`; an attacker may rename for ever.
    const ATTEMPTS: usize = 64;
    let resolve = match symlinks {
        Symlinks::Follow => ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        Symlinks::Refuse => ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS,
    };
    let mut result = Err(Errno::AGAIN);
    for _ in 0..ATTEMPTS {
        result = rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve);
        if !matches!(result, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    result
}

/// An empty file, only where nothing is, not even a dangling symlink.
pub(super) fn create_file(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
}

#[cfg(test)]
mod tests;
