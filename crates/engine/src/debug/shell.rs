//! Which shell of a root file system to open.

use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

/// The best that most images have first.
const USUAL: [&str; 3] = ["/bin/bash", "/bin/sh", "/usr/bin/sh"];

/// The stage's SHELL if it is one that people can type into, or one of the usual ones; `None` where none is there.
pub(super) fn find(root: BorrowedFd<'_>, chosen: &[String], env: &[String]) -> Option<String> {
    let path = env.iter().rev().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or_default();
    let chosen = chosen.first().filter(|program| program.ends_with("sh"));
    let chosen = chosen.into_iter().flat_map(|program| match program.contains('/') {
        true => vec![program.clone()],
        false => path.split(':').map(|folder| format!("{folder}/{program}")).collect(),
    });
    chosen.chain(USUAL.map(str::to_owned)).find(|program| is_program(root, program))
}

/// Links are followed by the kernel, and lead nowhere but into the root.
fn is_program(root: BorrowedFd<'_>, path: &str) -> bool {
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), inside);
    let stat = found.and_then(rustix::fs::fstat);
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_mode & 0o111 != 0)
}

#[cfg(test)]
mod tests;
