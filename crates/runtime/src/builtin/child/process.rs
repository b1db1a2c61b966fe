//! The last part of the way to a program: streams, limits, privileges from the widest to the last, the filter of system
//! calls, and the program itself. It is the same for a container's first process and for one that joins it.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets, NanosleepRelativeResult, Timespec};

use super::super::failure::{At, Failure, Step};
use super::super::process_plan::{ProcessPlan, Program};
use super::Parent;
use crate::sys;

/// In the host's procfs, which we still see.
pub(in crate::builtin) fn write_score(score: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::open(c"/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(file, score).map(drop)
}

/// Terminal or given files become descriptors 0, 1 and 2, and belong to the container's user.
pub(in crate::builtin) fn standard_streams(plan: &ProcessPlan) -> Result<(), Errno> {
    if let Some(terminal) = &plan.terminal {
        let slave = &terminal.slave;
        rustix::process::ioctl_tiocsctty(slave)?;
        rustix::fs::fchown(slave, Some(plan.uid), None)?;
        rustix::stdio::dup2_stdin(slave)?;
        rustix::stdio::dup2_stdout(slave)?;
        return rustix::stdio::dup2_stderr(slave);
    }
    let [stdin, stdout, stderr] = &plan.stdio;
    if let Some(fd) = stdin {
        rustix::stdio::dup2_stdin(fd)?;
    }
    if let Some(fd) = stdout {
        rustix::stdio::dup2_stdout(fd)?;
    }
    if let Some(fd) = stderr {
        rustix::stdio::dup2_stderr(fd)?;
    }
    if !plan.uid.is_root() {
        for number in 0..=2 {
            own_pipe(sys::borrow_number(number), plan)?;
        }
    }
    Ok(())
}

/// A pipe is reopened through `/dev/stdout` with the rights of its inode, which we made.
fn own_pipe(stream: BorrowedFd<'_>, plan: &ProcessPlan) -> Result<(), Errno> {
    let Ok(stat) = rustix::fs::fstat(stream) else { return Ok(()) };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
        return Ok(());
    }
    match rustix::fs::fchown(stream, Some(plan.uid), Some(plan.gid)) {
        Ok(()) | Err(Errno::PERM | Errno::INVAL | Errno::ROFS) => Ok(()),
        result => result,
    }
}

/// The parent, if the child is to die with it. Must be called while the host's procfs can be seen.
pub(in crate::builtin) fn watch_parent(plan: &ProcessPlan) -> Result<Option<Parent>, Failure> {
    plan.dies_with.map(Parent::new).transpose().at(Step::Parent)
}

/// Limits, users, capabilities, filter.
pub(in crate::builtin) fn drop_privileges(plan: &ProcessPlan, parent: Option<&Parent>) -> Result<(), Failure> {
    let wanted = CapabilitySet::from_bits_retain(plan.capabilities.bits());
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if wanted.contains(one) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            Err(Errno::INVAL) => break, // Beyond the last capability of this kernel.
            Err(errno) => return Err(Failure::new(Step::Capabilities, errno)),
        }
    }
    rustix::thread::set_keep_capabilities(true).at(Step::Capabilities)?;
    match rustix::thread::set_thread_groups(&plan.groups) {
        Err(Errno::PERM) if plan.may_keep_groups => {}
        result => result.at(Step::Groups)?,
    }
    rustix::thread::set_thread_res_gid(plan.gid, plan.gid, plan.gid).at(Step::Groups)?;
    rustix::thread::set_thread_res_uid(plan.uid, plan.uid, plan.uid).at(Step::User)?;
    match rustix::thread::clear_ambient_capability_set() {
        Ok(()) | Err(Errno::INVAL) => {} // No ambient set before Linux 4.3.
        Err(errno) => return Err(Failure::new(Step::Capabilities, errno)),
    }
    if let Some(parent) = parent {
        // After the change of user, which would undo it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Parent)?;
        if !parent.lives().at(Step::Parent)? {
            return Err(Failure::new(Step::Parent, Errno::SRCH)); // Nobody reads that.
        }
    }
    if plan.no_new_privileges {
        rustix::thread::set_no_new_privs(true).at(Step::NoNewPrivileges)?;
    }
    if (plan.filter.is_some() || plan.owners.is_some()) && !plan.no_new_privileges {
        // Without no_new_privs a filter needs CAP_SYS_ADMIN, for one more call.
        set_capabilities(wanted | CapabilitySet::SYS_ADMIN).at(Step::Capabilities)?;
    }
    if let Some(owners) = &plan.owners {
        // Before the other, which may not let us hand the listener over.
        owners.install().at(Step::Seccomp)?;
    }
    // Behind the listener, which is a descriptor more; before the filter, which may forbid it.
    for (index, (resource, limit)) in plan.rlimits.iter().enumerate() {
        rustix::process::setrlimit(*resource, *limit).at_index(Step::Rlimit, index)?;
    }
    if let Some(filter) = &plan.filter {
        sys::load_seccomp(filter).at(Step::Seccomp)?;
    }
    set_capabilities(wanted).at(Step::Capabilities)
}

fn set_capabilities(set: CapabilitySet) -> Result<(), Errno> {
    let sets = CapabilitySets { effective: set, permitted: set, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}

/// Executes the program; returns only on failure.
pub(in crate::builtin) fn execute(plan: &ProcessPlan) -> Failure {
    match &plan.program {
        Program::Path(path) => {
            let errno = exec(plan, path);
            let step = match errno {
                Errno::NOENT if exists(path) => Step::NoInterpreter,
                Errno::NOENT | Errno::NOTDIR => Step::NotFound,
                Errno::ACCESS if is_directory(path) => Step::IsDirectory,
                _ => Step::Exec,
            };
            Failure::new(step, errno)
        }
        Program::Search(candidates) => {
            // Looking costs a tenth of a failed `execve`.
            for path in candidates.iter().filter(|path| exists(path)) {
                match exec(plan, path) {
                    Errno::NOENT => return Failure::new(Step::NoInterpreter, Errno::NOENT),
                    // As Docker's look-up: what cannot be executed is as if it were not there.
                    Errno::ACCESS => {}
                    errno => return Failure::new(Step::Exec, errno),
                }
            }
            Failure::new(Step::NotInPath, Errno::NOENT)
        }
    }
}

/// Another thread's child may hold a descriptor, open for writing, of a program that was written a moment ago; it is
/// about to close it.
fn exec(plan: &ProcessPlan, path: &CStr) -> Errno {
    const ATTEMPTS: usize = 100;
    const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let mut errno = Errno::TXTBSY;
    for _ in 0..ATTEMPTS {
        errno = sys::exec(path, &plan.arguments, &plan.environment);
        if errno != Errno::TXTBSY {
            break;
        }
        match rustix::thread::nanosleep(&PAUSE) {
            NanosleepRelativeResult::Ok | NanosleepRelativeResult::Interrupted(_) => {}
            NanosleepRelativeResult::Err(_) => break,
        }
    }
    errno
}

/// Whether a file can be executed, with the failure that executing it would be.
pub(in crate::builtin) fn look(path: &CStr) -> Result<(), Failure> {
    match rustix::fs::statat(CWD, path, AtFlags::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Err(Failure::new(Step::NotFound, Errno::NOENT)),
        Err(errno) => return Err(Failure::new(Step::Exec, errno)),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            return Err(Failure::new(Step::IsDirectory, Errno::ACCESS));
        }
        Ok(_) => {}
    }
    rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::empty()).at(Step::Exec)
}

fn exists(path: &CStr) -> bool {
    rustix::fs::statat(CWD, path, AtFlags::empty()).is_ok()
}

fn is_directory(path: &CStr) -> bool {
    rustix::fs::statat(CWD, path, AtFlags::empty())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}
