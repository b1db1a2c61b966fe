//! Paths of a container, found by the kernel below its root and nowhere else (CVE-2018-15664, CVE-2019-10152).
//!
//! A link at the end of a target is read, and what it says is looked for again from the root: text of a container is
//! never used for anything but another look by the kernel.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Content;
use super::plan::{self, Found, Kind, Target, Typed};
use crate::{Error, ErrorKind};

/// A container's root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within<'a> {
    pub(super) root: BorrowedFd<'a>,
    /// As typed, for messages.
    pub(super) container: &'a str,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

impl Within<'_> {
    /// Opens what is to be copied.
    pub(super) fn source(&self, typed: &Typed, follow_link: bool) -> Result<Content, Error> {
        if typed.must_be_folder() || follow_link {
            let found = self.open(typed.clean(), OFlags::PATH).map_err(|errno| self.missing(typed.clean(), errno))?;
            let content = opened(found).map_err(|errno| self.missing(typed.clean(), errno))?;
            return match content {
                Some(Content::File(_)) if typed.must_be_folder() => Err(self.missing(typed.clean(), Errno::NOTDIR)),
                Some(content) => Ok(content),
                None => self.named(typed),
            };
        }
        self.named(typed)
    }

    /// What the last name itself is.
    fn named(&self, typed: &Typed) -> Result<Content, Error> {
        let failed = |errno| self.missing(typed.clean(), errno);
        let parent = self.open(typed.parent(), FOLDER).map_err(failed)?;
        let name = last_name(typed).map_err(failed)?;
        content_at(parent, name).map_err(failed)
    }

    /// Finds where files go.
    pub(super) fn target(&self, typed: &Typed, source: Kind) -> Result<Target, Error> {
        const MOST_LINKS: usize = 40;
        let mut at = typed.clone();
        for _ in 0..MOST_LINKS {
            let failed = |errno| self.missing(at.clean(), errno);
            match self.open(at.clean(), FOLDER) {
                Ok(folder) => {
                    let path = at.clean().to_vec();
                    return Ok(Target { found: Found::Folder, folder, path, name: Vec::new() });
                }
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => return Err(failed(errno)),
            }
            let parent = self.open(at.parent(), FOLDER).map_err(|errno| self.missing(at.parent(), errno))?;
            let name = last_name(&at).map_err(failed)?;
            let found = match rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                    let link = rustix::fs::readlinkat(&parent, &name, Vec::new()).map_err(failed)?;
                    at = at.followed(link.to_bytes());
                    continue;
                }
                Ok(_) => Found::Other,
                Err(Errno::NOENT) => Found::Nothing,
                Err(errno) => return Err(failed(errno)),
            };
            plan::check(found, source, typed).map_err(|text| Error::new(ErrorKind::InvalidInput, text))?;
            return Ok(Target { found, folder: parent, path: at.parent().to_vec(), name: name.into_bytes() });
        }
        Err(self.missing(typed.clean(), Errno::LOOP))
    }

    fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        const ATTEMPTS: usize = 64;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut result = Err(Errno::AGAIN);
        // Renames in the container make the kernel give up; it may rename for ever.
        for _ in 0..ATTEMPTS {
            result = rustix::fs::openat2(self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve);
            if !matches!(result, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
        }
        result
    }

    fn missing(&self, path: &[u8], errno: Errno) -> Error {
        let path = String::from_utf8_lossy(path);
        match errno {
            Errno::NOENT => {
                let message = format!("could not find the file {path} in container {}", self.container);
                Error::new(ErrorKind::NotFound, message)
            }
            errno => Error::new(ErrorKind::InvalidInput, format!("cannot find {path} in container {}", self.container))
                .because(&errno),
        }
    }
}

/// One name: a path never ends in anything else, and a NUL byte is in no name.
fn last_name(typed: &Typed) -> Result<CString, Errno> {
    let clean = typed.clean();
    let slash = clean.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    CString::new(&clean[slash..]).map_err(|_| Errno::INVAL)
}

/// Opens a name in a folder for reading, whatever it is; no link is followed.
pub(super) fn content_at(parent: OwnedFd, name: CString) -> Result<Content, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(&parent, &name, flags, Mode::empty())?;
    Ok(match opened(found)? {
        Some(content) => content,
        None => Content::Special(parent, name),
    })
}

/// Opens for reading what an `O_PATH` descriptor is of; `None` for what is neither folder nor regular file.
pub(super) fn opened(found: OwnedFd) -> Result<Option<Content>, Errno> {
    let stat = rustix::fs::fstat(&found)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            Some(Content::Folder(rustix::fs::openat(&found, ".", FOLDER | OFlags::CLOEXEC, Mode::empty())?))
        }
        FileType::RegularFile => {
            // The descriptor's own link leads to this very file.
            let path = format!("/proc/self/fd/{}", found.as_fd().as_raw_fd());
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            Some(Content::File(rustix::fs::open(path, flags, Mode::empty())?))
        }
        _ => None,
    })
}
