//! Leases: what a live process uses is not removed.
//!
//! A lease is a file named by process ID and start time, so a crashed process pins nothing: the pair never comes
//! back within one boot. Should it come back after a reboot, something is kept for a while longer. Taking a lease and looking at all leases exclude each
//! other by the `gc` lock, held for the moment of writing a line.

use std::io::Write;

use rustix::fs::{Mode, OFlags};

use crate::lock::Lock;
use crate::{Store, StoreError, file};

/// A process that cannot be mistaken for another: its ID and when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Process ID in the host's namespace.
    pub pid: u32,
    /// Start time in clock ticks since boot (proc(5), `/proc/PID/stat`, field 22).
    pub start: u64,
}

impl ProcessIdentity {
    /// The identity of this process.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn own() -> Result<Self, StoreError> {
        static OWN: std::sync::OnceLock<ProcessIdentity> = std::sync::OnceLock::new();
        let pid = std::process::id();
        if let Some(own) = OWN.get().filter(|own| own.pid == pid) {
            return Ok(*own);
        }
        let missing = || std::io::Error::other("no start time of this process in /proc");
        let start = start_time(pid)
            .and_then(|start| start.ok_or_else(missing))
            .map_err(|error| StoreError::io("read", format!("/proc/{pid}/stat"), error))?;
        let own = Self { pid, start };
        // A second thread may have been faster with the same value.
        OWN.set(own).ok();
        Ok(own)
    }

    /// The identity of a running process.
    pub fn of(pid: u32) -> Option<Self> {
        start_time(pid).ok().flatten().map(|start| Self { pid, start })
    }

    /// Whether the process still runs. One that cannot be looked at, as when we are out of descriptors, counts as
    /// alive: what it uses would be removed otherwise.
    pub fn is_alive(self) -> bool {
        start_time(self.pid).map_or(true, |start| start == Some(self.start))
    }

    /// Whose file or folder this is, where its name says so.
    pub fn of_file(name: &str) -> Option<Self> {
        Self::from_file_name(name)
    }

    pub(crate) fn file_name(self) -> String {
        format!("{}-{}", self.pid, self.start)
    }

    /// Reads `PID-START`, with or without more behind a further dash.
    pub(crate) fn from_file_name(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let pid = parts.next()?.parse().ok()?;
        let start = parts.next()?.parse().ok()?;
        Some(Self { pid, start })
    }
}

/// `None` where no such process is.
fn start_time(pid: u32) -> std::io::Result<Option<u64>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => Ok(parse_start_time(&stat)),
        // It may end between opening and reading.
        Err(error) if matches!(error.raw_os_error(), Some(NO_ENTRY | NO_PROCESS)) => Ok(None),
        Err(error) => Err(error),
    }
}

const NO_ENTRY: i32 = rustix::io::Errno::NOENT.raw_os_error();
const NO_PROCESS: i32 = rustix::io::Errno::SRCH.raw_os_error();

/// Field 22, counted behind the last `)`: the command before it may hold anything.
fn parse_start_time(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Keeps what it names from being removed, until it is dropped.
#[derive(Debug)]
pub struct Lease<'store> {
    store: &'store Store,
    name: String,
    file: std::sync::Mutex<std::fs::File>,
}

/// Names this boot of the host; unsynced files written in an earlier one may be torn.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn boot_id() -> Result<String, StoreError> {
    const PATH: &str = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(PATH).map_err(|error| StoreError::io("read", PATH, error))?;
    Ok(text.trim_end().to_owned())
}

impl Store {
    /// Begins a lease that names nothing yet, and sweeps what dead processes left behind.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn lease(&self) -> Result<Lease<'_>, StoreError> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        self.sweep()?;
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("leases/{}-{number}", ProcessIdentity::own()?.file_name());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.root, &name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| StoreError::io("create lease", file::full(self, &name), errno))?;
        Ok(Lease { store: self, name, file: std::sync::Mutex::new(file.into()) })
    }

    /// Digests named by live leases, as text.
    pub(crate) fn leased(&self) -> Result<std::collections::HashSet<String>, StoreError> {
        let mut held = std::collections::HashSet::new();
        for name in file::list(self, "leases")? {
            if ProcessIdentity::from_file_name(&name).is_some_and(ProcessIdentity::is_alive)
                && let Some(content) = file::read(self, &format!("leases/{name}"))?
            {
                held.extend(String::from_utf8_lossy(&content).lines().map(str::to_owned));
            }
        }
        Ok(held)
    }

    /// Removes leases and working folders of processes that are gone. What cannot be removed keeps nobody from
    /// working; the next process tries again.
    fn sweep(&self) -> Result<(), StoreError> {
        let lost = self.dead("leases")?;
        let mut held = std::collections::HashSet::new();
        for name in &lost {
            let content = file::read(self, name).ok().flatten().unwrap_or_default();
            held.extend(String::from_utf8_lossy(&content).lines().filter_map(|line| line.parse::<oci::DiffId>().ok()));
        }
        if !held.is_empty() {
            self.remove_lost(&held).ok();
        }
        for name in lost.into_iter().chain(self.dead("ingest")?) {
            file::remove_tree(self, &name).ok();
        }
        Ok(())
    }

    /// Removes what dead processes left behind, as far as that can be done.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn sweep_dead(&self) -> Result<(), StoreError> {
        self.sweep()
    }

    fn dead(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let is_dead = |name: &String| ProcessIdentity::from_file_name(name).is_some_and(|owner| !owner.is_alive());
        Ok(file::list(self, folder)?
            .iter()
            .filter(|name| is_dead(name))
            .map(|name| format!("{folder}/{name}"))
            .collect())
    }

    /// When the oldest process that holds a lease began, in seconds since 1970; `None` when nobody holds any. What is
    /// younger may be its.
    ///
    /// # Errors
    /// When the leases cannot be listed.
    pub fn busy_since(&self) -> Result<Option<i64>, StoreError> {
        let owners: Vec<ProcessIdentity> = file::list(self, "leases")?
            .iter()
            .filter_map(|name| ProcessIdentity::from_file_name(name))
            .filter(|owner| owner.is_alive())
            .collect();
        let Some(first) = owners.iter().map(|owner| owner.start).min() else { return Ok(None) };
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec;
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
        let began = i64::try_from(first / rustix::param::clock_ticks_per_second()).unwrap_or(0);
        // A clock that was set meanwhile, or rounded: rather too early.
        Ok(Some(now - uptime + began - 5))
    }
}

impl Lease<'_> {
    /// Adds content to the lease. It may have been removed the moment before: look for it afterwards.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn hold(&self, digest: oci::Digest) -> Result<(), StoreError> {
        let _shared = Lock::shared(self.store, "gc")?;
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(format!("{digest}\n").as_bytes())
            .map_err(|error| StoreError::io("write lease", file::full(self.store, &self.name), error))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // A lease left behind is swept with its process.
        file::remove(self.store, &self.name).ok();
    }
}
