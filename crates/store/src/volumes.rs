//! Volumes: folders of data that outlive the containers that mount them.
//!
//! A volume appears whole, with what was copied into it, by one rename. What a container names is written into its folder,
//! so who uses a volume is found by looking at all containers, running or not: there is no count that could be wrong
//! after a crash. Making a container with volumes and removing a volume exclude each other by the `volumes` lock.
//!
//! Content that comes into a volume that is there already, and empty, waits in `arriving/` beside `_data` and is moved
//! from there name by name; whoever opens the volume next finishes what a killed process has begun.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci::OwnerMark;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, XattrFlags};
use rustix::io::Errno;

use crate::lock::Lock;
use crate::{Store, StoreError, WorkFolder, file};

/// A volume, open.
#[derive(Debug)]
pub struct VolumeFolder {
    /// Its name.
    pub name: String,
    path: PathBuf,
    folder: OwnedFd,
}

/// Keeps all volumes from being removed, until it is dropped.
#[derive(Debug)]
pub struct VolumesHeld {
    _lock: Lock,
}

/// What became of a volume that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeRemoval {
    /// It is gone.
    Removed,
    /// There was none.
    Missing,
    /// These containers name it.
    InUse(Vec<String>),
}

/// Name of the lock between making containers with volumes and removing volumes.
const VOLUMES: &str = "volumes";
/// Within a volume's folder.
const DATA: &str = "_data";
const DESCRIPTION: &str = "volume.json";
const ARRIVING: &str = "arriving";

impl Store {
    /// Keeps volumes from being removed until the container that names them is made.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn hold_volumes(&self) -> Result<VolumesHeld, StoreError> {
        Ok(VolumesHeld { _lock: Lock::shared(self, VOLUMES)? })
    }

    /// Makes a volume of a folder in `work`, which holds the data and becomes `_data`. Says whether it did: another
    /// process may have been faster, whose volume stays as it is.
    ///
    /// # Errors
    /// When something cannot be made.
    pub fn add_volume(
        &self,
        name: &str,
        description: &[u8],
        work: &WorkFolder<'_>,
        folder: &str,
        is_durable: bool,
    ) -> Result<bool, StoreError> {
        let failed = |errno| StoreError::io("create volume", file::full(self, &place(name)), errno);
        match rustix::fs::mkdirat(&self.root, "volumes", Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let staged_name = format!("{folder}-volume");
        let staged = work.subfolder(&staged_name, 0o700)?;
        let temporary = file::stage(self, &place(name), description, is_durable)?;
        rustix::fs::renameat(&self.root, &temporary, &staged, DESCRIPTION).map_err(failed)?;
        rustix::fs::renameat(work.as_fd(), folder, &staged, DATA).map_err(failed)?;
        if is_durable {
            rustix::fs::fsync(&staged).map_err(failed)?;
        }
        let new = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(work.as_fd(), &staged_name, &self.root, place(name), new) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(false),
            Err(errno) => return Err(failed(errno)),
        }
        if is_durable {
            file::sync_folder_of(self, &place(name))?;
        }
        Ok(true)
    }

    /// Opens a volume.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn volume(&self, name: &str) -> Result<Option<VolumeFolder>, StoreError> {
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Ok(None);
        }
        let path = file::full(self, &place(name));
        match rustix::fs::openat(&self.root, place(name), FOLDER, Mode::empty()) {
            Ok(folder) => Ok(Some(VolumeFolder { name: name.to_owned(), path, folder })),
            Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(None),
            Err(errno) => Err(StoreError::io("open", path, errno)),
        }
    }

    /// Names of all volumes, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn volume_names(&self) -> Result<Vec<String>, StoreError> {
        // A store of an older version has no folder for them.
        if file::exists(self, "volumes")? { file::list(self, "volumes") } else { Ok(Vec::new()) }
    }

    /// Which containers name each volume.
    ///
    /// # Errors
    /// When a container's folder cannot be read.
    pub fn users_of_volumes(&self) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for id in self.container_ids()? {
            let names = file::read(self, &format!("containers/{id}/volumes"))?.unwrap_or_default();
            let names: BTreeSet<String> = String::from_utf8_lossy(&names).lines().map(str::to_owned).collect();
            for name in names {
                users.entry(name).or_default().push(id.clone());
            }
        }
        Ok(users)
    }

    /// Removes a volume that no container names.
    ///
    /// # Errors
    /// When something cannot be read or removed.
    pub fn remove_volume(&self, name: &str) -> Result<VolumeRemoval, StoreError> {
        let hidden = file::temporary_name()?;
        let exclusive = Lock::exclusive(self, VOLUMES)?;
        if self.volume(name)?.is_none() {
            return Ok(VolumeRemoval::Missing);
        }
        if let Some(users) = self.users_of_volumes()?.remove(name) {
            return Ok(VolumeRemoval::InUse(users));
        }
        rustix::fs::renameat(&self.root, place(name), &self.root, &hidden)
            .map_err(|errno| StoreError::io("remove volume", file::full(self, &place(name)), errno))?;
        // Nobody finds it any more; emptying it takes as long as it takes.
        drop(exclusive);
        file::remove_tree(self, &hidden)?;
        Ok(VolumeRemoval::Removed)
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn place(name: &str) -> String {
    format!("volumes/{name}")
}

impl VolumeFolder {
    /// What was written down of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn description(&self) -> Result<Vec<u8>, StoreError> {
        let path = self.path.join(DESCRIPTION);
        std::fs::read(&path).map_err(|error| StoreError::io("read", &path, error))
    }

    /// Where its data is on this machine.
    pub fn data_path(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Its data, once all that was on its way into it has arrived.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn data(&self) -> Result<OwnedFd, StoreError> {
        if self.is_there(ARRIVING)? {
            let _exclusive = self.lock()?;
            self.finish()?;
        }
        self.open(DATA)
    }

    /// Whether nothing is in it, nor on its way.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let data = self.data()?;
        Ok(names(&data).map_err(|errno| self.failed("read", errno))?.is_empty())
    }

    /// Moves what is in a folder of `work` into the volume, which is empty, with the folder's own mode and owner. Says
    /// whether it did: somebody else may have written to the volume meanwhile.
    ///
    /// # Errors
    /// When something cannot be moved; what is still to be moved is by whoever opens the volume next.
    pub fn receive(&self, work: &WorkFolder<'_>, folder: &str) -> Result<bool, StoreError> {
        let _exclusive = self.lock()?;
        self.finish()?;
        if !names(&self.open(DATA)?).map_err(|errno| self.failed("read", errno))?.is_empty() {
            return Ok(false);
        }
        rustix::fs::renameat_with(work.as_fd(), folder, &self.folder, ARRIVING, RenameFlags::NOREPLACE)
            .map_err(|errno| self.failed("fill", errno))?;
        self.finish()?;
        Ok(true)
    }

    /// Bytes of its files, each counted once.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn size(&self) -> Result<u64, StoreError> {
        let mut seen = std::collections::HashSet::new();
        size(&self.open(DATA)?, 0, &mut seen).map_err(|errno| self.failed("measure", errno))
    }

    fn finish(&self) -> Result<(), StoreError> {
        let failed = |errno| self.failed("fill", errno);
        if !self.is_there(ARRIVING)? {
            return Ok(());
        }
        let (data, arriving) = (self.open(DATA)?, self.open(ARRIVING)?);
        let stat = rustix::fs::fstat(&arriving).map_err(failed)?;
        for name in names(&arriving).map_err(failed)? {
            match rustix::fs::renameat_with(&arriving, &name, &data, &name, RenameFlags::NOREPLACE) {
                // What a container wrote in the meantime is newer.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        let (owner, group) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
        rustix::fs::fchown(&data, Some(owner), Some(group)).map_err(failed)?;
        keep_mark(&arriving, &data).map_err(failed)?;
        rustix::fs::fchmod(&data, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(failed)?;
        match rustix::fs::unlinkat(&self.folder, ARRIVING, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(()),
            Err(Errno::NOTEMPTY) => std::fs::remove_dir_all(self.path.join(ARRIVING))
                .map_err(|error| StoreError::io("fill", &self.path, error)),
            Err(errno) => Err(failed(errno)),
        }
    }

    fn lock(&self) -> Result<OwnedFd, StoreError> {
        // A descriptor of its own, so that two users of one process exclude each other too.
        let folder =
            rustix::fs::openat(&self.folder, ".", FOLDER, Mode::empty()).map_err(|errno| self.failed("lock", errno))?;
        loop {
            match rustix::fs::flock(&folder, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(folder),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed("lock", errno)),
            }
        }
    }

    fn is_there(&self, name: &str) -> Result<bool, StoreError> {
        match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.failed("look into", errno)),
        }
    }

    fn open(&self, name: &str) -> Result<OwnedFd, StoreError> {
        rustix::fs::openat(&self.folder, name, FOLDER, Mode::empty())
            .map_err(|errno| StoreError::io("open", self.path.join(name), errno))
    }

    fn failed(&self, action: &'static str, errno: Errno) -> StoreError {
        StoreError::io(action, &self.path, errno)
    }
}

impl AsRef<Path> for VolumeFolder {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl AsFd for VolumeFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

fn names(folder: &OwnedFd) -> Result<Vec<std::ffi::CString>, Errno> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// A container can make folders as deep as it likes; what is deeper than this is not counted.
const DEEPEST: usize = 200;

fn size(folder: &OwnedFd, depth: usize, seen: &mut std::collections::HashSet<(u64, u64)>) -> Result<u64, Errno> {
    let mut sum = 0;
    for name in names(folder)? {
        let stat = match rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth < DEEPEST => match rustix::fs::openat(folder, &name, FOLDER, Mode::empty()) {
                Ok(inner) => sum += size(&inner, depth + 1, seen)?,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(errno),
            },
            FileType::Directory => {}
            _ if seen.insert((stat.st_dev, stat.st_ino)) => sum += u64::try_from(stat.st_size).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(sum)
}

/// The owner that could not be given to the folder goes with it.
fn keep_mark(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let mut value = [0; 32];
    match rustix::fs::fgetxattr(from, OwnerMark::ATTRIBUTE, &mut value[..]) {
        Ok(length) => rustix::fs::fsetxattr(to, OwnerMark::ATTRIBUTE, &value[..length], XattrFlags::empty()),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests;
