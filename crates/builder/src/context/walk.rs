//! Finds the files below a folder of the context, and what `stat` says of them.

use std::os::fd::{AsFd, OwnedFd};

use dockerfile::Verdict;
use layer::{EntryKind, Metadata, Timestamp};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{Context, ContextError, read_error};
use crate::source::{Content, SourceEntry};
use crate::stat_index::Stamp;

/// One walk of a folder, depth first, names sorted.
pub(super) struct Walk<'context> {
    pub(super) context: &'context Context,
    /// Path of the folder being read, below the context.
    pub(super) path: Vec<u8>,
    /// How much of it belongs to the selected folder.
    pub(super) prefix: usize,
    pub(super) entries: Vec<SourceEntry>,
}

impl Walk<'_> {
    pub(super) fn folder(&mut self, folder: &OwnedFd, matched: &dockerfile::Folder) -> Result<(), ContextError> {
        let names = list(folder).map_err(|errno| read_error(&self.path, errno.into()))?;
        let length = self.path.len();
        for (name, kind) in names {
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&name);
            self.name(folder, &name, kind, matched)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn name(
        &mut self,
        folder: &OwnedFd,
        name: &[u8],
        kind: FileType,
        matched: &dockerfile::Folder,
    ) -> Result<(), ContextError> {
        let is_folder = kind == FileType::Directory;
        let verdict = self.context.ignore.check(matched, &self.path, is_folder);
        let ignored = verdict != Verdict::Included;
        if kind == FileType::Socket || verdict == Verdict::Skipped || ignored && !is_folder {
            return Ok(());
        }
        let failed = |path: &[u8], errno: Errno| read_error(path, errno.into());
        let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Gone since its name was read: as if it had never been there.
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(failed(&self.path, errno)),
        };
        let target = match kind_of(&stat) {
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(folder, name, Vec::new());
                Some(target.map_err(|errno| failed(&self.path, errno))?.into_bytes())
            }
            _ => None,
        };
        let own = self.entries.len();
        self.entries.push(entry(self.path[self.prefix..].to_vec(), &stat, target));
        if kind_of(&stat) == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let opened =
                rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(|errno| failed(&self.path, errno))?;
            let matched = self.context.ignore.enter(matched, &self.path);
            self.folder(&opened, &matched)?;
            if ignored && self.entries.len() == own + 1 {
                // Ignored, and no exception below it.
                self.entries.pop();
            }
        }
        Ok(())
    }
}

/// Names and types in a folder, sorted.
pub(super) fn list(folder: impl AsFd) -> rustix::io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut entries = rustix::fs::RawDir::new(&folder, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => kind_of(&rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?),
            kind => kind,
        };
        names.push((name.to_vec(), kind));
    }
    names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    Ok(names)
}

pub(super) fn entry(path: Vec<u8>, stat: &Stat, target: Option<Vec<u8>>) -> SourceEntry {
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let kind = match kind_of(stat) {
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink { target: target.unwrap_or_default() },
        FileType::Fifo => EntryKind::Fifo,
        FileType::CharacterDevice => EntryKind::CharDevice { major, minor },
        FileType::BlockDevice => EntryKind::BlockDevice { major, minor },
        _ => EntryKind::File { size: stat.st_size.cast_unsigned() },
    };
    let is_file = matches!(kind, EntryKind::File { .. });
    SourceEntry {
        path,
        metadata: metadata(stat),
        digest: None,
        identity: (is_file && stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino)),
        content: if is_file { Content::Context(stamp_of(stat)) } else { Content::None },
        kind,
    }
}

/// As the image will have it: owned by root, whoever owns it here (Dockerfile reference, "COPY --chown").
pub(super) fn metadata(stat: &Stat) -> Metadata {
    Metadata {
        mode: stat.st_mode & 0o7777,
        uid: 0,
        gid: 0,
        mtime: Timestamp { secs: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) },
        xattrs: Vec::new(),
    }
}

pub(super) fn stamp_of(stat: &Stat) -> Stamp {
    let nanoseconds = |secs: i64, nanos: u64| secs.saturating_mul(1_000_000_000).saturating_add_unsigned(nanos);
    Stamp {
        device: stat.st_dev,
        inode: stat.st_ino,
        size: stat.st_size.cast_unsigned(),
        mtime: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        ctime: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}

pub(super) fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}
