//! Which program starts containers.

use std::path::PathBuf;

use runtime::{BuiltIn, Executor};
use store::Store;

use crate::Error;

/// Root's folder of external runtimes for what they keep of running containers.
const STATE: &str = "/run/onggi/runtime";

/// A choice of `--runtime`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Runtime {
    /// Our own.
    #[default]
    BuiltIn,
    /// An OCI runtime: a name to find in PATH, or a path.
    External(PathBuf),
}

impl Runtime {
    /// Reads `--runtime`: nothing or `onggi` for our own, else a program.
    pub fn from_name(name: Option<&str>) -> Self {
        match name {
            None | Some("" | "onggi") => Self::BuiltIn,
            Some(program) => Self::External(PathBuf::from(program)),
        }
    }

    pub(crate) fn executor(&self, store: &Store) -> Result<Box<dyn Executor>, Error> {
        match self {
            Self::BuiltIn => Ok(Box::new(BuiltIn::new())),
            Self::External(program) => {
                let state = match store.is_of_ordinary_user() {
                    true => store.path().join("runtimes"),
                    false => PathBuf::from(STATE),
                };
                Ok(Box::new(runtime::External::new(program.clone(), state)))
            }
        }
    }
}
