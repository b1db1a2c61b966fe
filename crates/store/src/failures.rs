//! Build steps that failed: what they had written so far, kept so that a shell can be opened in it later.
//!
//! Only the newest are kept; a further failure removes the oldest, unless somebody is in it. Which layers a failure
//! stands on is written beside it, and these are not removed as long as it is there.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use oci::DiffId;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use crate::lock::Lock;
use crate::{Store, StoreError, WorkFolder, file};

/// How many failures are kept.
pub const KEPT_FAILURES: usize = 5;

const FOLDER: &str = "failures";
const RECORD: &str = "record.json";
const LAYERS: &str = "layers";
const ORDER: &str = "order";
const UPPER: &str = "upper";

/// What is to be kept of a step that failed.
#[derive(Debug, Clone, Copy)]
pub struct NewFailure<'a> {
    /// Its name: hexadecimal digits.
    pub id: &'a str,
    /// Greater than that of all older ones: nanoseconds since 1970.
    pub order: i128,
    /// Stacks of layers that the step needs, bottom first each: what it stood on, and what it had mounted.
    pub stacks: &'a [&'a [DiffId]],
    /// What the step was.
    pub record: &'a [u8],
}

/// What a step has written, in its working folder.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The working folder.
    pub folder: &'a WorkFolder<'a>,
    /// Names of folders in it that are kept beside `upper`.
    pub further: &'a [String],
}

/// A failure that is kept, and stays while this is held.
#[derive(Debug)]
pub struct Failure {
    /// Its name.
    pub id: String,
    /// What the step was.
    pub record: Vec<u8>,
    /// What it had written on top of its layers.
    pub upper: OwnedFd,
    path: PathBuf,
    /// Held for its lock as well.
    folder: OwnedFd,
}

impl Store {
    /// Keeps a failure: takes the folder `upper`, and further ones if they are there, out of a working folder; makes an
    /// empty `upper` where there is none. Older failures than the newest [`KEPT_FAILURES`] are removed.
    ///
    /// # Errors
    /// When a layer is gone or a file cannot be written; nothing is kept then.
    pub fn keep_failure(&self, new: &NewFailure<'_>, written: Option<Written<'_>>) -> Result<(), StoreError> {
        let staged = file::temporary_name()?;
        let kept = self.stage_failure(&staged, new, written).and_then(|()| {
            let _shared = Lock::shared(self, "gc")?;
            new.stacks.iter().try_for_each(|stack| self.check_stack(stack))?;
            self.make_failures_folder()?;
            rustix::fs::renameat(&self.root, &staged, &self.root, path(new.id))
                .map_err(|errno| StoreError::io("rename", file::full(self, &path(new.id)), errno))
        });
        if let Err(error) = kept {
            file::remove_tree(self, &staged).ok();
            return Err(error);
        }
        // The failure is kept; what is too old is removed by the next one at the latest.
        self.remove_old_failures().ok();
        Ok(())
    }

    fn check_stack(&self, stack: &[DiffId]) -> Result<(), StoreError> {
        let mut chain = None;
        for layer in stack {
            if !self.has_layer(*layer, chain)? {
                return Err(StoreError::LayerMissing(*layer));
            }
            chain = Some(chain.map_or(oci::ChainId(layer.0), |below: oci::ChainId| below.then(*layer)));
        }
        Ok(())
    }

    fn stage_failure(
        &self,
        staged: &str,
        new: &NewFailure<'_>,
        written: Option<Written<'_>>,
    ) -> Result<(), StoreError> {
        let failed = |errno| StoreError::io("create folder", file::full(self, staged), errno);
        rustix::fs::mkdirat(&self.root, staged, Mode::RWXU).map_err(failed)?;
        let inner = |name: &str| format!("{staged}/{name}");
        match &written {
            Some(Written { folder, further }) => {
                rustix::fs::renameat(folder.as_fd(), UPPER, &self.root, inner(UPPER)).map_err(failed)?;
                for name in *further {
                    match rustix::fs::renameat(folder.as_fd(), name, &self.root, inner(name)) {
                        Ok(()) | Err(Errno::NOENT) => {}
                        Err(errno) => return Err(failed(errno)),
                    }
                }
            }
            None => rustix::fs::mkdirat(&self.root, inner(UPPER), Mode::from_raw_mode(0o755)).map_err(failed)?,
        }
        let stack = |stack: &&[DiffId]| stack.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let layers = new.stacks.iter().map(stack).collect::<Vec<_>>().join("\n\n");
        file::replace_lazily(self, &format!("{staged}/{LAYERS}"), layers.as_bytes())?;
        file::replace_lazily(self, &format!("{staged}/{ORDER}"), new.order.to_string().as_bytes())?;
        file::replace_lazily(self, &format!("{staged}/{RECORD}"), new.record)
    }

    /// Stores made by older versions have none.
    fn make_failures_folder(&self) -> Result<(), StoreError> {
        match rustix::fs::mkdirat(&self.root, FOLDER, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(StoreError::io("create folder", file::full(self, FOLDER), errno)),
        }
    }

    /// IDs of the failures that are kept, newest first.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn failure_ids(&self) -> Result<Vec<String>, StoreError> {
        if !file::exists(self, FOLDER)? {
            return Ok(Vec::new());
        }
        let mut ordered = Vec::new();
        for id in file::list(self, FOLDER)? {
            let order = file::read(self, &format!("{}/{ORDER}", path(&id)))?;
            let order = order.and_then(|text| std::str::from_utf8(&text).ok()?.parse::<i128>().ok());
            ordered.push((order.unwrap_or_default(), id));
        }
        ordered.sort_unstable();
        Ok(ordered.into_iter().rev().map(|(_, id)| id).collect())
    }

    /// Opens a failure by its full ID, and keeps it from being removed; `None` when it is not there, or going.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn failure(&self, id: &str) -> Result<Option<Failure>, StoreError> {
        let Some(folder) = self.open_failure(id)? else { return Ok(None) };
        match flock(&folder, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(StoreError::io("lock", file::full(self, &path(id)), errno)),
        }
        // It may have been moved away between the opening and the lock.
        if !file::exists(self, &path(id))? {
            return Ok(None);
        }
        let Some(record) = file::read(self, &format!("{}/{RECORD}", path(id)))? else { return Ok(None) };
        let full = file::full(self, &path(id));
        let upper = rustix::fs::openat(&folder, UPPER, FOLDER_FLAGS, Mode::empty())
            .map_err(|errno| StoreError::io("open", full.join(UPPER), errno))?;
        Ok(Some(Failure { id: id.to_owned(), record, upper, path: full, folder }))
    }

    fn open_failure(&self, id: &str) -> Result<Option<OwnedFd>, StoreError> {
        match rustix::fs::openat(&self.root, path(id), FOLDER_FLAGS, Mode::empty()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(StoreError::io("open", file::full(self, &path(id)), errno)),
        }
    }

    /// Whether somebody is in a failure.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn is_failure_in_use(&self, id: &str) -> Result<bool, StoreError> {
        let folder = self.open_failure(id)?;
        Ok(folder.is_some_and(|folder| flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err()))
    }

    /// Removes a failure; false when it is not there, or somebody is in it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_failure(&self, id: &str) -> Result<bool, StoreError> {
        let Some(folder) = self.open_failure(id)? else { return Ok(false) };
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        file::remove_hidden(self, &path(id))
    }

    fn remove_old_failures(&self) -> Result<(), StoreError> {
        for id in self.failure_ids()?.iter().skip(KEPT_FAILURES) {
            self.remove_failure(id)?;
        }
        Ok(())
    }

    /// Layers that each kept failure stands on.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn layers_of_failures(&self) -> Result<BTreeMap<String, Vec<DiffId>>, StoreError> {
        let mut all = BTreeMap::new();
        for id in self.failure_ids()? {
            let text = file::read(self, &format!("{}/{LAYERS}", path(&id)))?.unwrap_or_default();
            let layers =
                String::from_utf8_lossy(&text).lines().filter_map(|line| line.parse::<DiffId>().ok()).collect();
            all.insert(id, layers);
        }
        Ok(all)
    }
}

impl Failure {
    /// A further folder that was taken; `None` where there was none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn further(&self, name: &str) -> Result<Option<OwnedFd>, StoreError> {
        match rustix::fs::openat(&self.folder, name, FOLDER_FLAGS, Mode::empty()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(StoreError::io("open", self.path.join(name), errno)),
        }
    }
}

const FOLDER_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

fn path(id: &str) -> String {
    format!("{FOLDER}/{id}")
}
