//! The bytes of the small program in `stage/main.rs`, and a file in memory that can be executed but never written to.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

/// As `build.rs` has compiled it.
pub(crate) const STAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stage"));

/// Kernels that can refuse to execute memory are told that this is meant to be (`MFD_EXEC`, Linux 6.3).
const EXECUTABLE: u32 = 0x10;

/// A sealed copy, open for nothing but execution.
pub(crate) fn stage_in_memory() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let create = |flags| rustix::fs::memfd_create(c"onggi-exec", flags);
    let memory = match create(flags | MemfdFlags::from_bits_retain(EXECUTABLE)) {
        Err(Errno::INVAL) => create(flags)?,
        result => result?,
    };
    let mut memory = File::from(memory);
    memory.write_all(STAGE)?;
    rustix::fs::fcntl_add_seals(&memory, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    // What is open for writing cannot be executed.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&memory));
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}
