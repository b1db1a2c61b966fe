//! A process that stays outside of a new user namespace to give it its IDs: nobody within may.
//!
//! It is made while this program has one thread, so it may do what it likes. It waits for one line, does it, answers with a
//! line, and ends; it also ends when we do. It leads a session of its own, so that Ctrl-C is not for it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{WaitId, WaitIdOptions};

use super::ids::{IdKind, IdMap, subordinate_ids};
use super::{UserNamespaceError, refused};
use crate::sys::{self, CloneFlags, Forked};

/// The process, as seen from within the namespace.
#[derive(Debug)]
pub(super) struct Mapper {
    line: File,
    /// Ends, at the latest, when it is dropped.
    process: OwnedFd,
    /// User and group who are root within.
    pub(super) owner: (u32, u32),
}

/// What the mapper is asked.
const ASKED: &[u8] = b"map\n";
/// What the mapper answers when all is done.
const DONE: &str = "done";

impl Mapper {
    pub(super) fn start(owner: (u32, u32), outer: &IdMap) -> Result<Self, UserNamespaceError> {
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
                .map_err(refused)?;
        let pid = std::process::id();
        match sys::clone_process(CloneFlags::NONE, None).map_err(refused)? {
            Forked::Child => {
                drop(ours);
                serve(theirs, pid, owner, outer);
                sys::exit_now(0);
            }
            Forked::Parent { pidfd, .. } => Ok(Self { line: ours.into(), process: pidfd, owner }),
        }
    }

    /// Has the IDs mapped; if it cannot be done, says why.
    pub(super) fn map(mut self) -> Result<(), String> {
        let mut answer = String::new();
        let asked = self.line.write_all(ASKED).and_then(|()| BufReader::new(&self.line).read_line(&mut answer));
        // It has ended, or will at once.
        rustix::process::waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED).ok();
        match (asked, answer.trim_end()) {
            (_, DONE) => Ok(()),
            (Ok(_), "") => Err("the process that was to do it has ended".to_owned()),
            (Ok(_), reason) => Err(reason.to_owned()),
            (Err(error), _) => Err(error.to_string()),
        }
    }
}

/// The mapper's life.
fn serve(line: OwnedFd, pid: u32, owner: (u32, u32), outer: &IdMap) {
    // Neither a terminal's signals nor its output are for us; if a step fails, there is nobody to tell.
    rustix::process::setsid().ok();
    if let Ok(null) = rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty()) {
        rustix::stdio::dup2_stdin(&null).ok();
        rustix::stdio::dup2_stdout(&null).ok();
        rustix::stdio::dup2_stderr(&null).ok();
    }
    // What else is open here is somebody else's: locks, and pipes whose readers wait for their end.
    const LINE: i32 = 3;
    let moved = sys::duplicate_onto(line.as_fd(), LINE).and_then(|()| sys::close_all_from(LINE.cast_unsigned() + 1));
    // Closed by now, or the very number.
    std::mem::forget(line);
    let line = sys::borrow_number(LINE);
    if moved.is_err() || rustix::io::read(line, &mut [0; ASKED.len()]).unwrap_or_default() == 0 {
        return;
    }
    let answer = map(pid, owner, outer).err().unwrap_or_else(|| DONE.to_owned());
    rustix::io::write(line, format!("{}\n", answer.replace('\n', " ")).as_bytes()).ok();
}

fn map(pid: u32, (uid, gid): (u32, u32), outer: &IdMap) -> Result<(), String> {
    if uid == 0 {
        // Root in a container, without the right to mount: it may map all it has.
        let map = IdMap::all_of(outer).text();
        for file in ["uid_map", "gid_map"] {
            let path = format!("/proc/{pid}/{file}");
            std::fs::write(&path, &map).map_err(|error| format!("{path}: {error}"))?;
        }
        return Ok(());
    }
    let users = subordinate_ids(IdKind::User, uid);
    let groups = subordinate_ids(IdKind::Group, uid);
    if users.is_empty() || groups.is_empty() {
        return Err(format!("no IDs are granted to user {uid} in /etc/subuid and /etc/subgid"));
    }
    let start = |program: &str, map: &IdMap| {
        Command::new(program)
            .arg(pid.to_string())
            .args(map.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))
    };
    // Both at the same time.
    let users = start("newuidmap", &IdMap::with_granted(uid, &users))?;
    let groups = start("newgidmap", &IdMap::with_granted(gid, &groups))?;
    for (program, process) in [("newuidmap", users), ("newgidmap", groups)] {
        let output = process.wait_with_output().map_err(|error| format!("{program}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
    }
    Ok(())
}
