//! By what right this process makes containers: as root, as root of a user namespace of the user's own, or by none.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::sync::Arc;

use runtime::user_namespace::{self, UserNamespace, UserNamespaceError};
use rustix::fs::{Mode, OFlags};
use store::{Store, StoreError};

use crate::doctor::machine::{Machine, Refusal};
use crate::doctor::remedies::{self, Remedy};
use crate::doctor::surroundings::Network;
use crate::{Engine, Error, ErrorKind};

/// Who called, seen from outside of all namespaces that were entered since.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    uid: u32,
    /// `PATH`, where the programs that map IDs are looked for.
    path: OsString,
}

impl Caller {
    /// What can be read about the machine, for the one line that says how to mend it.
    fn machine(&self) -> Machine {
        Machine::look(self.uid, &self.path)
    }

    fn refusal(&self, error: &UserNamespaceError) -> StoreError {
        let remedy = remedies::user_namespace(&self.machine(), &Refusal::from(error));
        StoreError::NoIdentities { reason: chain(error), remedy: remedy.to_string() }
    }
}

impl Engine {
    /// Enters the user namespace of the processes that work on this store, or makes one, unless this process may do everything as
    /// it is. Where that is not possible, what needs it says so later: a build without RUN, say, does not.
    ///
    /// To be called before any thread is started; `path` is where programs are looked for. Giving the namespace its IDs, which is
    /// what costs time, is left to whoever needs them first.
    ///
    /// # Errors
    /// When the store's folder cannot be opened.
    pub fn take_standing(mut self, path: &OsStr) -> Result<Self, Error> {
        let is_privileged = user_namespace::is_privileged();
        if is_privileged && user_namespace::is_initial() {
            return Ok(self);
        }
        let caller = Caller { uid: user_namespace::user_outside(), path: path.to_owned() };
        self.caller = Some(caller.clone());
        let path = self.store.path().to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&path, flags, Mode::empty()).map_err(|errno| {
            Error::new(ErrorKind::Internal, format!("cannot open the store {}", path.display())).because(&errno)
        })?;
        if is_privileged {
            // Started by one of the store's processes, in its namespace; or else root in somebody's container.
            self.store = match UserNamespace::stay(folder.as_fd()) {
                Ok(Some(namespace)) => with_namespace(self.store, Arc::new(namespace), caller),
                Ok(None) => match user_namespace::mapped_ids() {
                    Some(mapped) => self.store.with_mapped_ids(move || mapped),
                    None => self.store,
                },
                Err(error) => return Err(Error::from_source(ErrorKind::Internal, &error)),
            };
            self.store = self.store.with_user_xattrs(true);
            return Ok(self);
        }
        let entered = UserNamespace::enter(folder.as_fd());
        // Descriptors from before belong to the mount namespace from before, which overlayfs takes no layers from.
        let store = crate::open_store(&path, self.clock)?.with_user_xattrs(true);
        self.store = match entered {
            Ok(namespace) => {
                self.is_nested = caller.uid == 0;
                with_namespace(store, Arc::new(namespace), caller)
            }
            Err(error) if user_namespace::may_change_root() => {
                self.no_namespaces = Some(chain(&error));
                store.with_user_xattrs(false)
            }
            // What is missing is looked for when somebody needs it.
            Err(error) => store.with_identities(move || Err(caller.refusal(&error))),
        };
        Ok(self)
    }

    /// Gets the IDs of other users right away. Where there are none, what needs them says so later.
    pub fn take_identities(&self) {
        self.store.want_identities().ok();
    }

    /// That containers can be made: refused here, before anything has begun.
    pub(crate) fn check_rights(&self) -> Result<(), Error> {
        if let Some(reason) = &self.no_namespaces {
            let message = format!("containers need namespaces and mounts, but CAP_SYS_ADMIN is missing, and {reason}");
            return Err(Error::new(ErrorKind::Forbidden, message).with_exit_code(125).with_hint(remedies::DOCTOR));
        }
        self.store.want_identities().map_err(Error::from)
    }

    /// Adds to an error how to get what it was for want of: other users than root, where that is the only one and the kernel
    /// refused an ID (`EINVAL` of chown(2), setuid(2) and the like), or a way to the world.
    pub(crate) fn with_remedy(&self, mut error: Error) -> Error {
        let Some(caller) = &self.caller else { return error };
        let says = |words: &str| error.causes.iter().any(|cause| cause.contains(words));
        let remedy = if says("the network has no way out") {
            remedies::network(&caller.machine(), &Network::of_users(&caller.path))
        } else if says("Invalid argument (os error 22)") {
            self.lacking_ids()
        } else {
            None
        };
        let Some(remedy) = remedy else { return error };
        if error.hint.as_deref() == Some(remedies::DOCTOR) {
            error.hint = None;
        }
        error.with_further_hint(remedy.to_string())
    }

    /// How to get other users than root, where that is the only one.
    pub(crate) fn lacking_ids(&self) -> Option<Remedy> {
        // Of users and of groups: one of the two programs may have done its part.
        let caller = self.caller.as_ref().filter(|_| user_namespace::mapped_ids() == Some(1))?;
        let machine = caller.machine();
        remedies::id_helpers(&machine).or_else(|| remedies::subordinate_ids(&machine))
    }

    /// Whether somebody's IDs can be taken on. Gets this process its IDs, if it has none yet.
    pub(crate) fn has_ids(&self, uid: u32, gid: u32) -> Result<bool, Error> {
        if self.caller.is_none() || (uid, gid) == (0, 0) {
            return Ok(true);
        }
        self.check_rights()?;
        Ok(user_namespace::mapped_ids().is_none_or(|mapped| uid.max(gid) < mapped))
    }

    /// Whether commands are run in a folder, as no namespace can be made.
    pub(crate) fn is_without_namespaces(&self) -> bool {
        self.no_namespaces.is_some()
    }

    /// Whether this is root of a container, in a user namespace of its own.
    pub(crate) fn is_nested(&self) -> bool {
        self.is_nested
    }

    /// Why no namespace can be made, where commands can be run without any.
    pub(crate) fn why_no_namespaces(&self) -> Option<&str> {
        self.no_namespaces.as_deref()
    }
}

fn with_namespace(store: Store, namespace: Arc<UserNamespace>, caller: Caller) -> Store {
    // Mapped when somebody wants them: not known before.
    let store = store.with_mapped_ids(|| user_namespace::mapped_ids().unwrap_or(u32::MAX));
    store.with_identities(move || namespace.map().map_err(|error| caller.refusal(&error)))
}

fn chain(error: &UserNamespaceError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
