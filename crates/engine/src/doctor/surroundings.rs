//! What networks are made with, and how many processes and files there may be.

use std::ffi::OsStr;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, getrlimit};

use super::machine::{Machine, find_program};

/// What connects containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Network {
    /// For who may set rules: whether the kernel has nf_tables, else why not, and whether there is an `iptables`.
    PacketFilter { nftables: Result<(), String>, has_iptables: bool },
    /// For everybody else: a program that carries packets, and the device that it needs.
    Program { name: Option<&'static str>, tun: Result<(), String> },
}

/// In order of preference.
const PROGRAMS: [&str; 2] = ["pasta", "slirp4netns"];

impl Network {
    pub(super) fn look(machine: &Machine, path: &OsStr) -> Self {
        if machine.is_privileged {
            let nftables = runtime::network::try_nftables().map_err(|error| {
                let source = std::error::Error::source(&error);
                source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
            });
            return Self::PacketFilter { nftables, has_iptables: find_program("iptables", path).is_some() };
        }
        Self::of_users(path)
    }

    /// What whoever is not root has.
    pub(crate) fn of_users(path: &OsStr) -> Self {
        let tun = rustix::fs::open("/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        Self::Program {
            name: PROGRAMS.into_iter().find(|name| find_program(name, path).is_some()),
            tun: tun.map(drop).map_err(|errno| std::io::Error::from(errno).to_string()),
        }
    }
}

/// Limits of this process; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Open files, that can be had without asking anybody.
    pub(super) files: Option<u64>,
    /// Processes of this user.
    pub(super) processes: Option<u64>,
}

impl Limits {
    pub(super) fn of_this_process() -> Self {
        Self { files: getrlimit(Resource::Nofile).maximum, processes: getrlimit(Resource::Nproc).current }
    }
}
