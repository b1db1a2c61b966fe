//! A foreign tar into an open folder, as it comes: what `cp` brings into a container or takes out of one.
//!
//! The tar is hostile, and so is what is in the folder. A member's folder is opened by the kernel beneath the open one
//! without following any link; where links of a container are to count, within its root and nowhere else
//! (CVE-2018-15664). The last name is made, never followed, and what it gets is set on what was just made. Nothing is
//! taken for a whiteout here. A folder is never replaced, nor does one replace anything.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, makedev};
use rustix::io::Errno;

use crate::descent::FOLDER;
use crate::entry::{EntryKind, Metadata, Shown, split};
use crate::extract::{metadata, single_component};
use crate::owner;
use crate::tar::{Event, Member, OPAQUE, Reader, TarError, WHITEOUT};

/// How to unpack.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnpackOptions<'a> {
    /// Who owns everything; as the tar says otherwise.
    pub owner: Option<(u32, u32)>,
    /// The root that links on the way to a member lead within, and the folder's own path below it. Without it no link is
    /// followed.
    pub root: Option<(BorrowedFd<'a>, &'a [u8])>,
}

/// Why a tar cannot be unpacked. What was made until then stays.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The stream could not be read.
    #[error("cannot read the tar")]
    Stream(#[source] io::Error),
    /// It is not a well-formed tar.
    #[error("not a valid tar")]
    Tar(#[source] TarError),
    /// A folder is where something else has to be.
    #[error("cannot overwrite directory \"{}\" with non-directory", Shown(.path))]
    OverFolder {
        /// The member.
        path: Vec<u8>,
    },
    /// Something else is where a folder has to be.
    #[error("cannot overwrite non-directory \"{}\" with directory", Shown(.path))]
    FolderOver {
        /// The member.
        path: Vec<u8>,
    },
    /// Something could not be made.
    #[error("cannot write `{}`: {doing}", Shown(.path))]
    Write {
        /// The member.
        path: Vec<u8>,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Unpacks a tar into a folder. What is there already and is no folder is replaced.
///
/// # Errors
/// When the stream ends early or is not a well-formed tar, or something cannot be made.
pub fn unpack(mut stream: impl Read, folder: BorrowedFd<'_>, options: UnpackOptions<'_>) -> Result<(), UnpackError> {
    let mut unpacking = Unpacking { folder, options, parent: None, folders: Vec::new() };
    let mut reader = Reader::new();
    let mut buffer = vec![0; 1 << 17];
    let mut open: Option<Open> = None;
    loop {
        let filled = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(filled) => filled,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackError::Stream(error)),
        };
        let mut input = &buffer[..filled];
        while !input.is_empty() {
            if let Some(file) = &mut open {
                let (content, rest) = input.split_at(input.len().min(usize::try_from(file.left).unwrap_or(usize::MAX)));
                file.write(content)?;
                let mut passed = content;
                reader.next(&mut passed).map_err(UnpackError::Tar)?;
                input = rest;
                if file.left > 0 {
                    break;
                }
                if let Some(file) = open.take() {
                    file.finish(&unpacking.options)?;
                }
                continue;
            }
            if let Some(Event::Member(member)) = reader.next(&mut input).map_err(UnpackError::Tar)? {
                open = unpacking.member(*member)?;
                if let Some(file) = open.take_if(|file| file.left == 0) {
                    file.finish(&unpacking.options)?;
                }
            }
        }
    }
    reader.finish().map_err(UnpackError::Tar)?;
    unpacking.finish()
}

/// A file whose content is on its way.
struct Open {
    path: Vec<u8>,
    file: File,
    /// Stored bytes still to come.
    left: u64,
    /// Where they go, the next one last: from where, how many.
    segments: Vec<(u64, u64)>,
    size: u64,
    metadata: Metadata,
}

impl Open {
    fn write(&mut self, mut content: &[u8]) -> Result<(), UnpackError> {
        self.left -= content.len() as u64;
        while let Some((at, length)) = self.segments.last_mut().filter(|_| !content.is_empty()) {
            let count = content.len().min(usize::try_from(*length).unwrap_or(usize::MAX));
            let failed = |source| UnpackError::Write { path: self.path.clone(), doing: "writing its content", source };
            self.file.write_all_at(&content[..count], *at).map_err(failed)?;
            (*at, *length) = (*at + count as u64, *length - count as u64);
            content = &content[count..];
            if *length == 0 {
                self.segments.pop();
            }
        }
        Ok(())
    }

    fn finish(mut self, options: &UnpackOptions<'_>) -> Result<(), UnpackError> {
        let failed = |doing| {
            let path = self.path.clone();
            move |source| UnpackError::Write { path, doing, source }
        };
        self.file.flush().map_err(failed("writing its content"))?;
        if self.file.metadata().map_err(failed("reading its status"))?.len() != self.size {
            self.file.set_len(self.size).map_err(failed("writing its content"))?;
        }
        let metadata = owned(self.metadata.clone(), options);
        metadata::set_on(self.file.as_fd(), &metadata, true).map_err(|(doing, errno)| failed(doing)(errno.into()))?;
        Ok(())
    }
}

fn owned(metadata: Metadata, options: &UnpackOptions<'_>) -> Metadata {
    match options.owner {
        Some((uid, gid)) => Metadata { uid, gid, ..metadata },
        None => metadata,
    }
}

struct Unpacking<'a> {
    folder: BorrowedFd<'a>,
    options: UnpackOptions<'a>,
    /// The folder that the last member was in.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// Folders, which get their metadata when everything is in them.
    folders: Vec<(Vec<u8>, Metadata)>,
}

fn writing(path: &[u8], doing: &'static str) -> impl Fn(Errno) -> UnpackError {
    move |source| UnpackError::Write { path: path.to_vec(), doing, source: source.into() }
}

impl Unpacking<'_> {
    /// Makes a member; gives it back when its content is to come.
    fn member(&mut self, member: Member) -> Result<Option<Open>, UnpackError> {
        let Member { mut entry, stored, segments, .. } = member;
        match entry.kind {
            // Only layers have those; here they are names like any other.
            EntryKind::Whiteout => {
                let (folder, name) = split(&entry.path);
                entry.path = joined(folder, &[WHITEOUT, name].concat());
                entry.kind = EntryKind::File { size: stored };
            }
            EntryKind::Opaque => {
                entry.path = joined(&entry.path, OPAQUE);
                entry.kind = EntryKind::File { size: stored };
            }
            _ => {}
        }
        if entry.path.is_empty() {
            return Ok(None);
        }
        let path = entry.path.clone();
        let (folder, name) = split(&path);
        let name = single_component(name.to_vec()).ok_or_else(|| writing(&path, "naming it")(Errno::INVAL))?;
        self.enter(folder)?;
        let parent = self.parent.as_ref().map_or(self.folder, |(_, parent)| parent.as_fd());
        let is_folder = entry.kind == EntryKind::Directory;
        let there = match rustix::fs::statat(parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(writing(&path, "looking for it")(errno)),
        };
        match (there, is_folder) {
            (Some(true), false) => return Err(UnpackError::OverFolder { path }),
            (Some(false), true) => return Err(UnpackError::FolderOver { path }),
            (Some(true), true) => self.folders.push((path, entry.metadata)),
            (None, true) => {
                rustix::fs::mkdirat(parent, &name, Mode::RWXU).map_err(writing(&path, "making the folder"))?;
                self.folders.push((path, entry.metadata));
            }
            (there, false) => {
                return self.make(parent, &name, entry, stored, segments, there.is_some());
            }
        }
        Ok(None)
    }

    /// Makes what is no folder.
    fn make(
        &self,
        parent: BorrowedFd<'_>,
        name: &CString,
        entry: crate::Entry,
        stored: u64,
        segments: Option<Vec<crate::tar::Segment>>,
        is_there: bool,
    ) -> Result<Option<Open>, UnpackError> {
        let path = entry.path;
        let mut is_covered = false;
        if is_there {
            match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                // Something is mounted there: a file can still be written into.
                Err(Errno::BUSY | Errno::ROFS) if matches!(entry.kind, EntryKind::File { .. }) => is_covered = true,
                Err(errno) => return Err(writing(&path, "removing what is in its place")(errno)),
            }
        }
        let node = |file_type, device| rustix::fs::mknodat(parent, name, file_type, Mode::RUSR, device);
        let failed = writing(&path, "making it");
        match &entry.kind {
            EntryKind::File { size } => {
                let new = if is_covered { OFlags::TRUNC } else { OFlags::CREATE | OFlags::EXCL };
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | new;
                let file = rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
                let mut segments: Vec<(u64, u64)> = match segments {
                    Some(segments) => segments.iter().map(|segment| (segment.offset, segment.length)).collect(),
                    None => vec![(0, stored)],
                };
                segments.reverse();
                let (size, metadata, file) = (*size, entry.metadata, File::from(file));
                return Ok(Some(Open { path, file, left: stored, segments, size, metadata }));
            }
            EntryKind::HardLink { target } => {
                let (folder, first) = split(target);
                let folder = self.open(folder).map_err(writing(&path, "opening the folder of its first name"))?;
                rustix::fs::linkat(&folder, first, parent, name, AtFlags::empty())
                    .map_err(writing(&path, "making a hard link"))?;
                return Ok(None);
            }
            EntryKind::Symlink { target } => {
                rustix::fs::symlinkat(std::ffi::OsStr::from_bytes(target), parent, name).map_err(failed)?;
            }
            EntryKind::Fifo => node(FileType::Fifo, 0).map_err(failed)?,
            EntryKind::CharDevice { major, minor } => {
                node(FileType::CharacterDevice, makedev(*major, *minor)).map_err(failed)?;
            }
            EntryKind::BlockDevice { major, minor } => {
                node(FileType::BlockDevice, makedev(*major, *minor)).map_err(failed)?;
            }
            EntryKind::Directory | EntryKind::Whiteout | EntryKind::Opaque => return Ok(None),
        }
        let is_symlink = matches!(entry.kind, EntryKind::Symlink { .. });
        metadata::set_at(parent, name, &owned(entry.metadata, &self.options), is_symlink, true)
            .map_err(|(doing, errno)| writing(&path, doing)(errno))?;
        Ok(None)
    }

    /// Opens a member's folder, making what is missing on the way.
    fn enter(&mut self, folder: &[u8]) -> Result<(), UnpackError> {
        if self.parent.as_ref().is_some_and(|(known, _)| known == folder) {
            return Ok(());
        }
        let opened = match self.open(folder) {
            Err(Errno::NOENT) => {
                let mut path = Vec::new();
                let mut parent = self.open(b"").map_err(writing(folder, "opening the folder"))?;
                for name in folder.split(|byte| *byte == b'/') {
                    match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
                        Ok(()) => {
                            if let Some((uid, gid)) = self.options.owner {
                                let made = rustix::fs::openat(&parent, name, FOLDER, Mode::empty());
                                made.and_then(|made| owner::give(made.as_fd(), uid, gid))
                                    .map_err(writing(folder, "setting the owner"))?;
                            }
                        }
                        Err(Errno::EXIST) => {}
                        Err(errno) => return Err(writing(folder, "making the folder")(errno)),
                    }
                    path = joined(&path, name);
                    parent = self.open(&path).map_err(writing(&path, "opening the folder"))?;
                }
                parent
            }
            other => other.map_err(writing(folder, "opening the folder"))?,
        };
        self.parent = Some((folder.to_vec(), opened));
        Ok(())
    }

    /// Opens a folder by its path: beneath the open one without any link, else within the root.
    fn open(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        const ATTEMPTS: usize = 64;
        let open = |folder: BorrowedFd<'_>, path: &[u8], resolve: ResolveFlags| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let mut result = Err(Errno::AGAIN);
            // Renames elsewhere make the kernel give up; an attacker may rename for ever.
            for _ in 0..ATTEMPTS {
                result = rustix::fs::openat2(folder, path, flags, Mode::empty(), resolve | ResolveFlags::NO_MAGICLINKS);
                if !matches!(result, Err(Errno::AGAIN | Errno::INTR)) {
                    break;
                }
            }
            result
        };
        let here = if path.is_empty() { b"." } else { path };
        match (open(self.folder, here, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS), self.options.root) {
            (Err(Errno::LOOP | Errno::NOTDIR), Some((root, base))) => {
                let path = [base, b"/", path].concat();
                open(root, &path, ResolveFlags::IN_ROOT)
            }
            (result, _) => result,
        }
    }

    fn finish(self) -> Result<(), UnpackError> {
        for (path, metadata) in self.folders.iter().rev() {
            let folder = self.open(path).map_err(writing(path, "opening the folder"))?;
            owner::unmark(folder.as_fd()).map_err(writing(path, "setting the owner"))?;
            metadata::set_on(folder.as_fd(), &owned(metadata.clone(), &self.options), true)
                .map_err(|(doing, errno)| writing(path, doing)(errno))?;
        }
        Ok(())
    }
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

#[cfg(test)]
mod tests;
