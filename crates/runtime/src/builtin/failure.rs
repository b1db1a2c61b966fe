//! How a child that has not yet executed its program tells its parent what went wrong: three numbers in a pipe.
//!
//! The child cannot allocate, so it sends the step, an index into the plan and the error number; the parent, who has the
//! plan too, turns that into words.

use rustix::io::Errno;

/// What the child was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Step {
    Trace = 1,
    Signals,
    JoinCgroup,
    NetworkNamespace,
    Loopback,
    Session,
    CgroupNamespace,
    Propagation,
    AttachRoot,
    /// Index into the mounts.
    Mount,
    /// The mount's target is part of procfs; index into the mounts.
    TargetInProc,
    /// Index into the devices.
    Device,
    Terminal,
    /// Index into the sysctls.
    Sysctl,
    OomScore,
    /// Index into the masked paths.
    Mask,
    /// Index into the read-only paths.
    ReadOnlyPath,
    ReadOnlyRoot,
    WorkingDirectory,
    PivotRoot,
    Hostname,
    Stdio,
    /// Index into the limits.
    Rlimit,
    Capabilities,
    Groups,
    User,
    NoNewPrivileges,
    Seccomp,
    Descriptors,
    Namespaces,
    Parent,
    NotInPath,
    NotFound,
    NoInterpreter,
    IsDirectory,
    /// The program was found and not executed.
    Exec,
}

/// In the order of their numbers, for [`Failure::decode`].
const STEPS: [Step; 36] = [
    Step::Trace,
    Step::Signals,
    Step::JoinCgroup,
    Step::NetworkNamespace,
    Step::Loopback,
    Step::Session,
    Step::CgroupNamespace,
    Step::Propagation,
    Step::AttachRoot,
    Step::Mount,
    Step::TargetInProc,
    Step::Device,
    Step::Terminal,
    Step::Sysctl,
    Step::OomScore,
    Step::Mask,
    Step::ReadOnlyPath,
    Step::ReadOnlyRoot,
    Step::WorkingDirectory,
    Step::PivotRoot,
    Step::Hostname,
    Step::Stdio,
    Step::Rlimit,
    Step::Capabilities,
    Step::Groups,
    Step::User,
    Step::NoNewPrivileges,
    Step::Seccomp,
    Step::Descriptors,
    Step::Namespaces,
    Step::Parent,
    Step::NotInPath,
    Step::NotFound,
    Step::NoInterpreter,
    Step::IsDirectory,
    Step::Exec,
];

/// A step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) index: usize,
    pub(super) errno: Errno,
}

impl Failure {
    pub(super) const SIZE: usize = 12;
    /// In place of the step: the program was there and could not be executed (`sys/stage/main.rs`).
    const FROM_STAGE: u32 = u32::MAX;

    pub(super) fn new(step: Step, errno: Errno) -> Self {
        Self { step, index: 0, errno }
    }

    pub(super) fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let index = u32::try_from(self.index).unwrap_or(u32::MAX);
        let words = [self.step as u32, index, self.errno.raw_os_error().cast_unsigned()];
        for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if word(0)? == Self::FROM_STAGE {
            let errno = Errno::from_raw_os_error(word(8)?.cast_signed());
            let step = if errno == Errno::NOENT { Step::NoInterpreter } else { Step::Exec };
            return Some(Self::new(step, errno));
        }
        let step = *STEPS.get(usize::try_from(word(0)?).ok()?.checked_sub(1)?)?;
        let errno = Errno::from_raw_os_error(word(8)?.cast_signed());
        Some(Self { step, index: usize::try_from(word(4)?).ok()?, errno })
    }
}

/// Names the step of a failed call.
pub(super) trait At<T> {
    fn at(self, step: Step) -> Result<T, Failure>;
    fn at_index(self, step: Step, index: usize) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.at_index(step, 0)
    }

    fn at_index(self, step: Step, index: usize) -> Result<T, Failure> {
        self.map_err(|errno| Failure { step, index, errno })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_survives_the_pipe() {
        for (index, step) in STEPS.into_iter().enumerate() {
            let failure = Failure { step, index, errno: Errno::NOENT };
            assert_eq!(Failure::decode(failure.encode()), Some(failure));
        }
        assert_eq!(Failure::decode([0; Failure::SIZE]), None);
        let mut unknown = [0xff; Failure::SIZE];
        unknown[0] = 0;
        assert_eq!(Failure::decode(unknown), None);
    }
}
