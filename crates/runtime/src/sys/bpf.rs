//! `bpf(2)`: loading and attaching a device program of cgroup v2.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

/// An instruction of eBPF (`struct bpf_insn`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct BpfInstruction {
    pub(crate) code: u8,
    /// Destination in the low four bits, source in the high ones.
    pub(crate) registers: u8,
    pub(crate) offset: i16,
    pub(crate) immediate: i32,
}

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_ATTACH: libc::c_long = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`; what follows is zero, as the kernel assumes for a short struct.
#[repr(C)]
struct ProgramLoad {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    program_flags: u32,
}

/// The head of `union bpf_attr` for `BPF_PROG_ATTACH`.
#[repr(C)]
struct ProgramAttach {
    target: u32,
    program: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Has the kernel check and compile a device program.
pub(crate) fn load_device_program(instructions: &[BpfInstruction]) -> Result<OwnedFd, Errno> {
    let attributes = ProgramLoad {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: u32::try_from(instructions.len()).map_err(|_| Errno::TOOBIG)?,
        instructions: instructions.as_ptr() as u64,
        license: c"Apache".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buffer: 0,
        kernel_version: 0,
        program_flags: 0,
    };
    // SAFETY: the struct is a prefix of `union bpf_attr` of the size given; its pointers live across the call.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, std::ptr::from_ref(&attributes), size_of::<ProgramLoad>())
    };
    let descriptor = RawFd::try_from(super::check(result)?).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel has just opened this descriptor (with CLOEXEC) for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Attaches a device program to a cgroup, beside those of its ancestors, all of which must agree.
pub(crate) fn attach_device_program(cgroup: BorrowedFd<'_>, program: &OwnedFd) -> Result<(), Errno> {
    let number = |fd: BorrowedFd<'_>| u32::try_from(fd.as_raw_fd()).map_err(|_| Errno::BADF);
    let attributes = ProgramAttach {
        target: number(cgroup)?,
        program: number(program.as_fd())?,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the struct is a prefix of `union bpf_attr` of the size given and holds only numbers.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, std::ptr::from_ref(&attributes), size_of::<ProgramAttach>())
    };
    super::check(result).map(drop)
}
