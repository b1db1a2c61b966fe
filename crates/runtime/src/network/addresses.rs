//! The addresses of one network, one file each: `<state>/172.17.0.2`.
//!
//! The file says who has the address, so that a crashed owner's is found and given away
//! again. Allocation happens under the folder's lock; giving an address back is one unlink. The
//! kernel has the last word (see `attachment`): an address whose interface still exists is
//! not used, whatever the files say.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, test_kill_process};

use super::NetworkError;
use super::subnet::Subnet;

/// Who holds an address: a name for people, and the process whose end frees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    id: String,
    pid: u32,
    start_time: u64,
}

impl Owner {
    /// Names the calling process as owner; `id` is the container's or build's.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn this_process(id: &str) -> Result<Self, NetworkError> {
        Self::process(id, std::process::id())
    }

    /// Names another process as owner.
    ///
    /// # Errors
    /// When there is no such process, or `/proc` cannot be read.
    pub fn process(id: &str, pid: u32) -> Result<Self, NetworkError> {
        let path = stat_path(pid);
        let text = fs::read(&path).map_err(NetworkError::file("read", &path))?;
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "no start time in it");
        let start_time = start_time(&text).ok_or_else(malformed).map_err(NetworkError::file("read", &path))?;
        // The file has one line with the name last; a line break in it would be a second one.
        let id = id.replace(char::is_control, " ");
        Ok(Self { id, pid, start_time })
    }

    fn to_line(&self, boot_id: &str) -> String {
        format!("{boot_id} {} {} {}\n", self.pid, self.start_time, self.id)
    }

    /// For what the kernel keeps, which no reboot survives.
    pub(super) fn to_comment(&self) -> String {
        format!("onggi: {} {} {}", self.pid, self.start_time, self.id)
    }

    /// Reads a comment back; `None` for somebody else's.
    pub(super) fn from_comment(comment: &str) -> Option<Self> {
        let mut fields = comment.strip_prefix("onggi: ")?.splitn(3, ' ');
        let (pid, start_time) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { id: fields.next()?.to_owned(), pid, start_time })
    }

    /// Reads a line back; `None` for one of an earlier boot or a half written one.
    fn from_line(line: &str, boot_id: &str) -> Option<Self> {
        let mut fields = line.strip_suffix('\n')?.splitn(4, ' ');
        if fields.next()? != boot_id {
            return None;
        }
        let (pid, start_time) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { id: fields.next()?.to_owned(), pid, start_time })
    }

    /// Whether the process still runs. The quick look asks only for the number, which may
    /// by now be another process's; the thorough one compares the start time (10 µs more).
    pub(super) fn is_alive(&self, thorough: bool) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return false };
        if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return false;
        }
        !thorough || fs::read(stat_path(self.pid)).is_ok_and(|text| start_time(&text) == Some(self.start_time))
    }
}

/// The addresses of a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pool {
    pub(super) subnet: Subnet,
    /// The part that addresses are chosen from.
    pub(super) range: Subnet,
    pub(super) gateway: Ipv4Addr,
}

impl From<Subnet> for Pool {
    fn from(subnet: Subnet) -> Self {
        Self { subnet, range: subnet, gateway: subnet.gateway() }
    }
}

/// An address held; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) address: Ipv4Addr,
    folder: PathBuf,
    /// What the file says.
    line: String,
    has_names: AtomicBool,
    is_kept: bool,
}

impl Lease {
    /// Makes another process the owner; from then on dropping this value does not free the address.
    pub(super) fn hand_over(mut self, owner: &Owner) -> Result<(), NetworkError> {
        let path = self.folder.join(self.address.to_string());
        // Not a valid address, so that allocation does not see it.
        let temporary = self.folder.join(format!("{}.new", self.address));
        let line = owner.to_line(&boot_id()?);
        fs::write(&temporary, line).map_err(NetworkError::file("write", &temporary))?;
        fs::rename(&temporary, &path).map_err(NetworkError::file("write", &path))?;
        self.is_kept = true;
        Ok(())
    }
}

impl Lease {
    /// Writes down how the address's holder is called in its network.
    pub(super) fn register(&self, names: &[String]) -> Result<(), NetworkError> {
        if names.is_empty() {
            return Ok(());
        }
        self.has_names.store(true, Ordering::Relaxed);
        set_names(&self.folder, self.address, names)
    }
}

/// Writes down how the holder of an address is called in its network; the first name is its own.
///
/// # Errors
/// When the file cannot be written.
pub fn set_names(state: &Path, address: Ipv4Addr, names: &[String]) -> Result<(), NetworkError> {
    let temporary = state.join(format!("{address}.names.new"));
    let path = names_path(state, address);
    fs::write(&temporary, names.join("\n")).map_err(NetworkError::file("write", &temporary))?;
    fs::rename(&temporary, &path).map_err(NetworkError::file("write", &path))
}

/// The names of everybody in a network whose owner lives.
pub(super) fn registered_names(state: &Path) -> Vec<(Ipv4Addr, Vec<String>)> {
    let (Ok(boot_id), Ok(entries)) = (boot_id(), fs::read_dir(state)) else { return Vec::new() };
    let mut all = Vec::new();
    for entry in entries.flatten() {
        let Some(address) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".names")?.parse().ok())
        else {
            continue;
        };
        if holder(state, address, &boot_id, false).is_some()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            all.push((address, text.lines().map(str::to_owned).collect()));
        }
    }
    all.sort();
    all
}

/// Gives back an address that another process may have taken: the holder has left the network.
pub(super) fn release_address(state: &Path, address: Ipv4Addr) -> Result<(), NetworkError> {
    let _lock = StateLock::acquire(state)?;
    remove_files(state, address)
}

/// The caller holds the lock.
fn remove_files(state: &Path, address: Ipv4Addr) -> Result<(), NetworkError> {
    for path in [names_path(state, address), state.join(address.to_string())] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(NetworkError::File { action: "remove", path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Gives back an address whose owner was killed; one that somebody has stays.
///
/// # Errors
/// When its files cannot be removed.
pub fn release_dead_address(state: &Path, address: Ipv4Addr) -> Result<(), NetworkError> {
    if !state.join(address.to_string()).exists() {
        return Ok(());
    }
    let _lock = StateLock::acquire(state)?;
    if holder(state, address, &boot_id()?, true).is_some() { Ok(()) } else { remove_files(state, address) }
}

fn names_path(state: &Path, address: Ipv4Addr) -> PathBuf {
    state.join(format!("{address}.names"))
}

impl Drop for Lease {
    fn drop(&mut self) {
        // An owner that was told to leave may find its address to be another's by now.
        let still_ours = || {
            let line = fs::read_to_string(self.folder.join(self.address.to_string()));
            line.is_ok_and(|line| line == self.line)
        };
        if !self.is_kept && still_ours() {
            if self.has_names.load(Ordering::Relaxed) {
                fs::remove_file(names_path(&self.folder, self.address)).unwrap_or_default();
            }
            // A file that cannot be removed is found to be stale when this process is gone.
            fs::remove_file(self.folder.join(self.address.to_string())).unwrap_or_default();
        }
    }
}

/// The lock of a network's state, shared by all processes that use this folder. Freed when
/// dropped, or by the kernel when the process dies.
#[derive(Debug)]
pub struct StateLock(#[expect(dead_code, reason = "held for its lock")] File);

impl StateLock {
    /// Waits for the lock; creates the folder if need be.
    ///
    /// # Errors
    /// When the folder cannot be made or locked.
    pub fn acquire(folder: &Path) -> Result<Self, NetworkError> {
        let file = match File::open(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(folder).map_err(NetworkError::file("create", folder))?;
                File::open(folder)
            }
            other => other,
        };
        let file = file.map_err(NetworkError::file("open", folder))?;
        file.lock().map_err(NetworkError::file("lock", folder))?;
        Ok(Self(file))
    }
}

/// Takes the lowest free address above `after` (from the start if `None`).
pub(super) fn allocate(
    folder: &Path,
    pool: impl Into<Pool>,
    after: Option<Ipv4Addr>,
    owner: &Owner,
) -> Result<Lease, NetworkError> {
    let Pool { subnet, range, gateway } = pool.into();
    let _lock = StateLock::acquire(folder)?;
    let boot_id = boot_id()?;
    let taken = taken_addresses(folder)?;
    // The quick look first: a stale file whose process number lives on as another process only
    // matters once addresses run out.
    for thorough in [false, true] {
        let is_usable = |address: &Ipv4Addr| {
            ![gateway, subnet.network(), subnet.broadcast()].contains(address)
                && after.is_none_or(|after| *address > after)
        };
        let candidates = range.all().filter(is_usable);
        for address in candidates {
            if taken.contains(&address) && holder(folder, address, &boot_id, thorough).is_some() {
                continue;
            }
            return write_lease(folder, address, &owner.to_line(&boot_id));
        }
    }
    Err(NetworkError::NoFreeAddress(range))
}

/// Takes exactly this address.
pub(super) fn allocate_exactly(
    folder: &Path,
    pool: impl Into<Pool>,
    address: Ipv4Addr,
    owner: &Owner,
) -> Result<Lease, NetworkError> {
    let Pool { subnet, gateway, .. } = pool.into();
    let unusable = |reason: String| Err(NetworkError::UnusableAddress { address, subnet, reason });
    if !subnet.contains(address) || address == subnet.network() || address == subnet.broadcast() {
        return unusable("it is not a host's address there".to_owned());
    }
    if address == gateway {
        return unusable("it is the gateway's".to_owned());
    }
    let _lock = StateLock::acquire(folder)?;
    let boot_id = boot_id()?;
    if let Some(holder) = holder(folder, address, &boot_id, true) {
        return unusable(format!("`{}` has it", holder.id));
    }
    write_lease(folder, address, &owner.to_line(&boot_id))
}

fn taken_addresses(folder: &Path) -> Result<HashSet<Ipv4Addr>, NetworkError> {
    let mut taken = HashSet::new();
    for entry in fs::read_dir(folder).map_err(NetworkError::file("list", folder))? {
        let entry = entry.map_err(NetworkError::file("list", folder))?;
        taken.extend(entry.file_name().to_str().and_then(|name| name.parse::<Ipv4Addr>().ok()));
    }
    Ok(taken)
}

/// The living owner of an address, if it has one.
fn holder(folder: &Path, address: Ipv4Addr, boot_id: &str, thorough: bool) -> Option<Owner> {
    let line = fs::read_to_string(folder.join(address.to_string())).ok()?;
    Owner::from_line(&line, boot_id).filter(|owner| owner.is_alive(thorough))
}

/// Writes the file; a stale one in its place goes first. The caller holds the lock.
fn write_lease(folder: &Path, address: Ipv4Addr, line: &str) -> Result<Lease, NetworkError> {
    let path = folder.join(address.to_string());
    let create = || OpenOptions::new().write(true).create_new(true).open(&path);
    let file = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(names_path(folder, address)).unwrap_or_default();
            fs::remove_file(&path).and_then(|()| create())
        }
        other => other,
    };
    let lease = Lease {
        address,
        folder: folder.to_owned(),
        line: line.to_owned(),
        has_names: AtomicBool::new(false),
        is_kept: false,
    };
    file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(NetworkError::file("create", &path))?;
    Ok(lease)
}

fn boot_id() -> Result<String, NetworkError> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(path).map_err(NetworkError::file("read", path))?;
    Ok(text.trim_end().to_owned())
}

fn stat_path(pid: u32) -> String {
    format!("/proc/{pid}/stat")
}

/// Field 22 of `/proc/PID/stat` (proc_pid_stat(5)). The second field is the program's name in
/// parentheses and may itself hold spaces and parentheses.
fn start_time(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 2..)?).ok()?;
    rest.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests;
