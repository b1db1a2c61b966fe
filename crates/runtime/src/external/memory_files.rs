//! Files that exist in memory only, for a runtime that takes nothing but paths: a detached tmpfs, which is attached in
//! the runtime's own mount namespace and nowhere else.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::StartError;
use crate::spec::FileMount;

/// The files of one container, named by their numbers.
#[derive(Debug, Default)]
pub(super) struct MemoryFiles {
    folder: Option<OwnedFd>,
    count: usize,
}

impl MemoryFiles {
    /// Writes one more; gives its name.
    pub(super) fn add(&mut self, file: &FileMount) -> Result<String, StartError> {
        self.write(&file.content, &file.target, (file.uid, file.gid, file.mode & 0o777))
    }

    /// Writes one that only root may read.
    pub(super) fn add_private(&mut self, content: &[u8], what: &Path) -> Result<String, StartError> {
        self.write(content, what, (0, 0, 0o400))
    }

    fn write(&mut self, content: &[u8], what: &Path, (uid, gid, mode): (u32, u32, u32)) -> Result<String, StartError> {
        let failed = |source| StartError::Setup { action: format!("write {}", what.display()), source };
        let folder = match &self.folder {
            Some(folder) => folder,
            None => self.folder.insert(tmpfs().map_err(|errno| failed(errno.into()))?),
        };
        let name = self.count.to_string();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let write = || -> std::io::Result<()> {
            let mut made = File::from(rustix::fs::openat(folder, &name, flags, Mode::RUSR)?);
            made.write_all(content)?;
            rustix::fs::fchown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
            Ok(rustix::fs::fchmod(&made, Mode::from_raw_mode(mode))?)
        };
        write().map_err(failed)?;
        self.count += 1;
        Ok(name)
    }

    /// The mount that all of them are in, if there are any.
    pub(super) fn into_mount(self) -> Option<OwnedFd> {
        self.folder
    }
}

fn tmpfs() -> rustix::io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, "mode", "0700")?;
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
