//! By what right this process makes containers: as root, as root of a user namespace of the user's own, or by none.

use std::os::fd::AsFd;
use std::sync::Arc;

use runtime::user_namespace::{self, UserNamespace, UserNamespaceError};
use rustix::fs::{Mode, OFlags};
use store::{Store, StoreError};

use crate::{Engine, Error, ErrorKind};

/// What the hint of every refusal is.
pub(crate) const DOCTOR: &str = "`onggi doctor` says what is missing on this machine, and how to mend it";

impl Engine {
    /// Enters the user namespace of the processes that work on this store, or makes one, unless this process may do everything as
    /// it is. Where that is not possible, what needs it says so later: a build without RUN, say, does not.
    ///
    /// To be called before any thread is started. Giving the namespace its IDs, which is what costs time, is left to whoever
    /// needs them first.
    ///
    /// # Errors
    /// When the store's folder cannot be opened.
    pub fn take_standing(mut self) -> Result<Self, Error> {
        if user_namespace::is_privileged() {
            self.store = self.store.with_user_xattrs(!user_namespace::is_initial());
            if let Some(mapped) = user_namespace::mapped_ids() {
                self.store = self.store.with_mapped_ids(move || mapped);
            }
            return Ok(self);
        }
        let path = self.store.path().to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&path, flags, Mode::empty()).map_err(|errno| {
            Error::new(ErrorKind::Internal, format!("cannot open the store {}", path.display())).because(&errno)
        })?;
        let entered = UserNamespace::enter(folder.as_fd());
        // Descriptors from before belong to the mount namespace from before, which overlayfs takes no layers from.
        let store = crate::open_store(&path, self.clock)?.with_user_xattrs(true);
        self.store = match entered {
            Ok(namespace) => with_namespace(store, Arc::new(namespace)),
            Err(error) => {
                let reason = chain(&error);
                store.with_identities(move || Err(StoreError::NoIdentities { reason: reason.clone() }))
            }
        };
        Ok(self)
    }

    /// That containers can be made: refused here, before anything has begun.
    pub(crate) fn check_rights(&self) -> Result<(), Error> {
        self.store.want_identities().map_err(Error::from)
    }
}

fn with_namespace(store: Store, namespace: Arc<UserNamespace>) -> Store {
    // Mapped when somebody wants them: not known before.
    let store = store.with_mapped_ids(|| user_namespace::mapped_ids().unwrap_or(u32::MAX));
    store.with_identities(move || {
        let mapped = namespace.map();
        mapped.map_err(|error| StoreError::NoIdentities { reason: chain(&error) })
    })
}

fn chain(error: &UserNamespaceError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
