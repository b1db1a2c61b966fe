//! Paths inside a container, resolved by the kernel from the root's descriptor and never as strings.
//!
//! `openat2` with `RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS` gives an image's symlinks the meaning they have inside and
//! follows none of procfs's jumps (CVE-2024-21626). Preparing a path allocates; resolving and creating does not, so
//! that both work between `clone3` and `execve`.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A path below a root, without `.` and `..`.
#[derive(Debug, Clone)]
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
            let missing = if index + 1 == count { missing } else { Missing::Directory };
            let folder = open_path(root, parent, symlinks)?;
            match create(folder.as_fd(), name, missing) {
                Ok(()) => {}
                Err(Errno::EXIST) => {
                    let whole = self.steps.get(index + 1).map_or(&self.relative, |(parent, _)| parent);
                    let dangles = symlinks == Symlinks::Follow
                        && open_path(root, whole, symlinks).is_err_and(|errno| errno == Errno::NOENT);
                    if dangles {
                        create_link_target(root, parent, folder.as_fd(), name, missing)?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.open(root, symlinks)
    }
}

fn create(parent: BorrowedFd<'_>, name: &CStr, missing: Missing) -> Result<(), Errno> {
    match missing {
        Missing::File => create_file(parent, name),
        Missing::Directory => rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)),
    }
}

/// Makes what a link leads to, with the folders on the way, all of it inside the root: `/etc/resolv.conf` is a link into
/// an empty `/run` in many images. One that leads to another such link is left alone.
fn create_link_target(
    root: BorrowedFd<'_>,
    parent: &CStr,
    folder: BorrowedFd<'_>,
    link: &CStr,
    missing: Missing,
) -> Result<(), Errno> {
    const LONGEST: usize = libc::PATH_MAX as usize;
    let mut target = [const { MaybeUninit::uninit() }; LONGEST];
    let (target, _) = rustix::fs::readlinkat_raw(folder, link, &mut target)?;
    let mut path = [0_u8; 2 * LONGEST];
    let before = if target.starts_with(b"/") { &b""[..] } else { parent.to_bytes() };
    let end = before.len() + 1 + target.len();
    let place = path.get_mut(..end).filter(|_| end < 2 * LONGEST).ok_or(Errno::NAMETOOLONG)?;
    place[..before.len()].copy_from_slice(before);
    place[before.len()] = b'/';
    place[before.len() + 1..].copy_from_slice(target);
    let mut at = 0;
    while let Some(begin) = (at..end).find(|place| path[*place] != b'/') {
        let stop = (begin..end).find(|place| path[*place] == b'/').unwrap_or(end);
        at = stop;
        // The name alone, and the path up to it, each with its zero at the end.
        let mut name = [0_u8; libc::NAME_MAX as usize + 1];
        name.get_mut(..stop - begin).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(&path[begin..stop]);
        let behind = std::mem::replace(&mut path[stop], 0);
        let is_missing = open_path(root, text(&path)?, Symlinks::Follow).is_err_and(|errno| errno == Errno::NOENT);
        path[stop] = behind;
        if is_missing {
            let first = std::mem::replace(&mut path[begin], 0);
            let folder = open_path(root, text(&path)?, Symlinks::Follow);
            path[begin] = first;
            let is_last = !(stop..end).any(|place| path[place] != b'/');
            create(folder?.as_fd(), text(&name)?, if is_last { missing } else { Missing::Directory })?;
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<&CStr, Errno> {
    CStr::from_bytes_until_nul(bytes).map_err(|_| Errno::NAMETOOLONG)
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
