//! Advisory locks between processes. The kernel drops them with their process.

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::{Store, StoreError, file};

/// A held lock.
#[derive(Debug)]
pub struct Lock {
    _file: rustix::fd::OwnedFd,
}

impl Lock {
    pub(crate) fn shared(store: &Store, name: &str) -> Result<Self, StoreError> {
        Self::take(store, name, FlockOperation::LockShared)
    }

    pub(crate) fn exclusive(store: &Store, name: &str) -> Result<Self, StoreError> {
        Self::take(store, name, FlockOperation::LockExclusive)
    }

    fn take(store: &Store, name: &str, operation: FlockOperation) -> Result<Self, StoreError> {
        let file = open(store, name)?;
        loop {
            match rustix::fs::flock(&file, operation) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(StoreError::io("lock", file::full(store, name), errno)),
            }
        }
    }
}

fn open(store: &Store, name: &str) -> Result<rustix::fd::OwnedFd, StoreError> {
    let name = format!("locks/{name}");
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC;
    rustix::fs::openat(&store.root, &name, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| StoreError::io("open lock", file::full(store, &name), errno))
}

impl Store {
    /// Takes the right to run one step, so that two processes do not do the same work; `None` while another has it.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn try_lock_step(&self, key: oci::Digest) -> Result<Option<Lock>, StoreError> {
        // The number of lock files stays bounded: 4096. Two steps that share one only wait.
        let name = format!("step-{}", &key.hex()[..3]);
        let file = open(self, &name)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(StoreError::io("lock", file::full(self, &name), errno)),
        }
    }
}
