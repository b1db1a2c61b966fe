//! Where the store is, or would be: its disk, and whether layers can be mounted, stacked and copied there.
//!
//! What is tried needs three folders for a moment. They are made in the store if there is one (where a killed process's folders
//! are swept), else in the nearest folder that exists, and are gone before the report is written.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use runtime::user_namespace::{self, Trial};
use rustix::fs::{CWD, Mode, OFlags, StatVfs, XattrFlags};
use serde::{Deserialize, Serialize};
use store::ProcessIdentity;

use super::machine::mount_of;
use crate::disk::StoreLimits;

/// The file system of the store.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) root: PathBuf,
    pub(super) store_exists: bool,
    /// As in `/proc/self/mountinfo`: `ext4`.
    pub(super) file_system: String,
    /// Free and all.
    pub(super) bytes: (u64, u64),
    /// Free and all; both 0 where the file system makes them as needed.
    pub(super) inodes: (u64, u64),
    pub(super) limits: Option<StoreLimits>,
    /// Why nothing can be written there.
    pub(super) unwritable: Option<String>,
    /// `None` when it did not come to that.
    pub(super) attempts: Option<Attempts>,
}

/// What was tried there: nothing, or why it failed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Attempts {
    pub(super) overlay: Option<String>,
    pub(super) xattrs: Option<String>,
    pub(super) erofs: Option<String>,
    pub(super) reflink: Option<String>,
}

/// Looks at the disk, and tries all that has to be tried on it and in a namespace.
pub(super) fn look_and_try(root: &Path) -> (Disk, Option<Trial>) {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let store_exists = root.join("version").is_file();
    let nearest = nearest_folder(&root);
    let place = Some(root.join("ingest")).filter(|_| store_exists).unwrap_or_else(|| nearest.clone());
    let scratch = Scratch::make(&place, store_exists);
    let trial = user_namespace::try_out(|| match &scratch {
        Ok(scratch) => serde_json::to_string(&scratch.try_all()).unwrap_or_default(),
        Err(_) => String::new(),
    });
    let trial = trial.ok();
    let attempts = trial.as_ref().and_then(|trial| serde_json::from_str(trial.answer.as_deref()?).ok());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let real = nearest.canonicalize().unwrap_or_else(|_| nearest.clone());
    let space = rustix::fs::statvfs(&nearest).ok();
    let space = space.as_ref();
    let in_bytes = |blocks: fn(&StatVfs) -> u64| space.map_or(0, |space| blocks(space).saturating_mul(space.f_frsize));
    let disk = Disk {
        file_system: mount_of(&mounts, &real).map_or_else(|| "unknown".to_owned(), |(_, name)| name),
        bytes: (in_bytes(|space| space.f_bavail), in_bytes(|space| space.f_blocks)),
        inodes: space.map_or((0, 0), |space| (space.f_favail, space.f_files)),
        limits: store_exists.then(|| limits(&root)).flatten(),
        unwritable: scratch.as_ref().err().map(|error| format!("{}: {error}", place.display())),
        attempts,
        root,
        store_exists,
    };
    (disk, trial)
}

/// The folder itself, or the first one above it that exists.
fn nearest_folder(root: &Path) -> PathBuf {
    root.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn limits(root: &Path) -> Option<StoreLimits> {
    serde_json::from_slice(&std::fs::read(root.join("settings.json")).ok()?).ok()
}

/// The folders that things are tried in.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn make(place: &Path, in_store: bool) -> std::io::Result<Self> {
        let identity = ProcessIdentity::own().map_err(std::io::Error::other)?;
        let name = format!("{}-{}-doctor", identity.pid, identity.start);
        let path = place.join(if in_store { name } else { format!(".onggi-{name}") });
        std::fs::create_dir(&path)?;
        let scratch = Self(path);
        for name in ["lower", "upper", "work"] {
            std::fs::create_dir(scratch.0.join(name))?;
        }
        Ok(scratch)
    }

    /// Called in the namespace: paths are opened anew, for descriptors from before belong to other mounts.
    fn try_all(&self) -> Attempts {
        let attempts = Attempts {
            xattrs: rustix::fs::setxattr(&self.0, "user.onggi.doctor", b"1", XattrFlags::empty()).err().map(words),
            overlay: self.try_overlay().err(),
            erofs: self.try_erofs().err(),
            reflink: self.try_reflink().err(),
        };
        // What overlayfs made there belongs to the namespace's root, and has no permissions.
        self.remove();
        attempts
    }

    fn try_overlay(&self) -> Result<(), String> {
        let open = |name: &str| open_folder(&self.0.join(name));
        let (lower, upper, work) = (open("lower")?, open("upper")?, open("work")?);
        let layers = [lower.as_fd()];
        let upper = layer::Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: false };
        let options = layer::OverlayOptions {
            upper: Some(upper),
            user_xattrs: !user_namespace::is_initial(),
            ..layer::OverlayOptions::new(&layers)
        };
        let mount = layer::mount_overlay(&options).map_err(|error| chain(&error))?;
        // A stack that cannot be written to is of no use.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        rustix::fs::openat(&mount, "file", flags, Mode::RUSR | Mode::WUSR).map(drop).map_err(words)
    }

    fn try_erofs(&self) -> Result<(), String> {
        layer::erofs_supported(open_folder(&self.0)?.as_fd()).map_err(|error| chain(&error))
    }

    fn try_reflink(&self) -> Result<(), String> {
        let nameless = || {
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, &self.0, flags, Mode::RUSR | Mode::WUSR).map(File::from).map_err(words)
        };
        rustix::fs::ioctl_ficlone(nameless()?, nameless()?).map_err(words)
    }

    fn remove(&self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}

fn open_folder(path: &Path) -> Result<OwnedFd, String> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(words)
}

fn words(errno: rustix::io::Errno) -> String {
    std::io::Error::from(errno).to_string()
}

fn chain(error: &layer::MountError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_not_there_is_judged_by_the_folder_above() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(nearest_folder(&folder.path().join("a/b/c")), folder.path());
    }
}
