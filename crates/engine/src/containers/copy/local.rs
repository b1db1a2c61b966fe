//! The end of a copy that is on this machine: the user's own paths, which mean what they mean in the user's shell.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::Content;
use super::place::{content_at, opened};
use super::plan::{self, Found, Kind, Target, Typed};
use crate::{Error, ErrorKind};

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::InvalidInput };
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => error.to_string(),
    };
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Error::new(kind, format!("lstat {}: {reason}", shown.display()))
}

/// Opens what is to be copied.
pub(super) fn source(path: &Path, typed: &Typed, follow_link: bool) -> Result<Content, Error> {
    let failed = |errno: rustix::io::Errno| unreadable(path, &errno.into());
    let must_be_folder = typed.must_be_folder();
    if let (Some(name), false, false) = (path.file_name(), must_be_folder, follow_link) {
        let parent = open(folder_of(path), OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
        let name = name.as_bytes();
        return content_at(parent, CString::new(name).map_err(|_| failed(rustix::io::Errno::INVAL))?).map_err(failed);
    }
    let found = open(path, OFlags::PATH).map_err(|errno| match errno {
        rustix::io::Errno::NOTDIR => Error::new(ErrorKind::InvalidInput, "not a directory"),
        errno => failed(errno),
    })?;
    match opened(found).map_err(failed)? {
        Some(Content::File(_)) if must_be_folder => Err(Error::new(ErrorKind::InvalidInput, "not a directory")),
        Some(content) => Ok(content),
        None => {
            Err(Error::new(ErrorKind::InvalidInput, format!("cannot copy {}: it is a device or pipe", path.display())))
        }
    }
}

/// Finds where files go.
pub(super) fn target(path: &Path, source: Kind) -> Result<Target, Error> {
    let typed = Typed::new(path.as_os_str().as_bytes());
    let failed = |errno: rustix::io::Errno| unreadable(path, &errno.into());
    match open(path, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(folder) => return Ok(Target { found: Found::Folder, folder, path: Vec::new(), name: Vec::new() }),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
        Err(errno) => return Err(failed(errno)),
    }
    // What a link leads to is written, as `cp` does it.
    let path = &followed(path);
    let found = if std::fs::symlink_metadata(without_end(path)).is_ok() { Found::Other } else { Found::Nothing };
    plan::check(found, source, &typed).map_err(|text| Error::new(ErrorKind::InvalidInput, text))?;
    let plain = without_end(path);
    let parent = folder_of(&plain);
    let folder = open(parent, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|_| {
        let shown = std::path::absolute(parent).unwrap_or_else(|_| parent.to_owned());
        let message = format!("invalid output path: directory \"{}\" does not exist", shown.display());
        Error::new(ErrorKind::NotFound, message)
    })?;
    let name = plain.file_name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
    Ok(Target { found, folder, path: Vec::new(), name })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn without_end(path: &Path) -> PathBuf {
    // Taken apart and put together, a path has nothing behind its last name.
    path.components().collect()
}

fn followed(path: &Path) -> PathBuf {
    const MOST_LINKS: usize = 40;
    let mut at = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(link) = std::fs::read_link(without_end(&at)) else { break };
        at = at.parent().unwrap_or(Path::new("/")).join(link);
    }
    at
}

fn open(path: &Path, flags: OFlags) -> Result<rustix::fd::OwnedFd, rustix::io::Errno> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
}
