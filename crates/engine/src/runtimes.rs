//! Which program starts containers.

use std::path::PathBuf;

use runtime::{BuiltIn, Executor};

use crate::{Error, ErrorKind};

/// Folder of external runtimes for what they keep of running containers.
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

    /// Containers of ordinary users come with user namespaces; until then it is better to say so than to fail half-way.
    pub(crate) fn check_rights() -> Result<(), Error> {
        if rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let message = "running commands in containers needs root on this version of onggi";
        Err(Error::new(ErrorKind::Forbidden, message).with_hint("run the same command with `sudo`"))
    }

    pub(crate) fn executor(&self) -> Result<Box<dyn Executor>, Error> {
        match self {
            Self::BuiltIn => Ok(Box::new(BuiltIn::new())),
            Self::External(program) => Ok(Box::new(runtime::External::new(program.clone(), STATE))),
        }
    }
}
