//! The compiled program is interpreted over every number and compared with the table it came from.

use super::compiler::*;
use super::profile::{Action, Argument, COMPAT_ARCH, Interface, NATIVE_ARCH, X32_FIRST, actions, first_unknown};
use crate::spec::Capabilities;
use crate::sys::FilterInstruction;

const EPERM: u32 = ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = ERRNO | libc::ENOSYS as u32;

/// What the kernel would answer, and after how many instructions.
fn evaluate(program: &[FilterInstruction], arch: u32, number: u32, argument: u64) -> (u32, usize) {
    let (mut position, mut accumulator) = (0, 0_u32);
    for steps in 1..=program.len() {
        let FilterInstruction { code, jump_true, jump_false, value } = program[position];
        let jump = |condition| usize::from(if condition { jump_true } else { jump_false });
        position += 1;
        match code {
            LOAD => {
                accumulator = match value {
                    NUMBER_OFFSET => number,
                    ARCH_OFFSET => arch,
                    FIRST_ARGUMENT_OFFSET => argument as u32,
                    other => panic!("load from {other}"),
                }
            }
            JUMP => position += value as usize,
            IF_EQUAL => position += jump(accumulator == value),
            IF_AT_LEAST => position += jump(accumulator >= value),
            IF_ANY_BIT => position += jump(accumulator & value != 0),
            RETURN => return (value, steps),
            other => panic!("code {other:#x}"),
        }
    }
    panic!("no return for {arch:#x} {number} {argument}");
}

fn expected(actions: &[(u32, Action)], interface: Interface, number: u32, argument: u64) -> u32 {
    let low = argument as u32;
    let permit = |condition| if condition { ALLOW } else { EPERM };
    match actions.iter().find(|(known, _)| *known == number).map(|(_, action)| action) {
        Some(Action::Allow) => ALLOW,
        Some(Action::Errno(errno)) => ERRNO | u32::from(*errno),
        Some(Action::If(Argument::NoneOf(bits))) => permit(low & bits == 0),
        Some(Action::If(Argument::OneOf(values))) => permit(values.contains(&low)),
        Some(Action::If(Argument::InMask(mask))) => permit(low < 64 && mask >> low & 1 == 1),
        None if number >= first_unknown(interface) => ENOSYS,
        None => EPERM,
    }
}

#[test]
fn every_number_and_interesting_argument_gets_what_the_table_says() {
    let arguments =
        (0..70_u64).chain([0x20000, 0x20008, 0xffff_ffff, 1 << 32, (1 << 32) | 38, 0x1000_0000, 0x0002_0000, u64::MAX]);
    let arguments: Vec<u64> = arguments.collect();
    let numbers: Vec<u32> = (0..1024).chain([0x4000_0000, 0x4000_0001, 0x7fff_ffff, 0xffff_ffff]).collect();
    let admin = Capabilities::named("SYS_ADMIN").unwrap();
    let sets = [Capabilities::NONE, Capabilities::DOCKER, Capabilities::DOCKER.with(admin), Capabilities::ALL];
    for capabilities in sets {
        let program = docker_filter(capabilities);
        assert!(program.len() < 4096);
        for (interface, arch) in [(Interface::Native, NATIVE_ARCH), (Interface::Compat, COMPAT_ARCH)] {
            let actions = actions(capabilities, interface);
            for &number in &numbers {
                for &argument in &arguments {
                    let (answer, steps) = evaluate(&program, arch, number, argument);
                    assert_eq!(
                        answer,
                        expected(&actions, interface, number, argument),
                        "{capabilities:?} {interface:?} {number} {argument:#x}"
                    );
                    assert!(steps < 24, "{steps} steps");
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_profile_is_dockers_where_it_matters() {
    use syscalls::x86_64::Sysno;
    let program = docker_filter(Capabilities::DOCKER);
    let answer = |sysno: Sysno, argument| evaluate(&program, NATIVE_ARCH, sysno as u32, argument).0;
    let table = [
        (Sysno::read, 0, ALLOW),
        (Sysno::execveat, 0, ALLOW),
        (Sysno::ptrace, 0, ALLOW),
        (Sysno::chroot, 0, ALLOW), // CAP_SYS_CHROOT is one of the fourteen
        (Sysno::mount, 0, EPERM),
        (Sysno::unshare, 0, EPERM),
        (Sysno::keyctl, 0, EPERM),
        (Sysno::add_key, 0, EPERM),
        (Sysno::bpf, 0, EPERM),
        (Sysno::userfaultfd, 0, EPERM),
        (Sysno::io_uring_setup, 0, EPERM),
        (Sysno::open_tree, 0, EPERM),
        (Sysno::kexec_load, 0, EPERM),
        (Sysno::open_by_handle_at, 0, EPERM),
        (Sysno::clone3, 0, ENOSYS),
        (Sysno::clone, 0x11, ALLOW),
        (Sysno::clone, 0x1000_0011, EPERM), // CLONE_NEWUSER
        (Sysno::socket, 2, ALLOW),
        (Sysno::socket, 16, ALLOW),
        (Sysno::socket, 38, EPERM),             // AF_ALG
        (Sysno::socket, 40, EPERM),             // AF_VSOCK
        (Sysno::socket, (7 << 32) | 38, EPERM), // the kernel would see AF_ALG
        (Sysno::socket, 46, EPERM),
        (Sysno::personality, 0xffff_ffff, ALLOW),
        (Sysno::personality, 0x0004_0000, EPERM), // ADDR_NO_RANDOMIZE
    ];
    for (sysno, argument, wanted) in table {
        assert_eq!(answer(sysno, argument), wanted, "{sysno} {argument:#x}");
    }
    let x32 = X32_FIRST.unwrap();
    assert_eq!(evaluate(&program, NATIVE_ARCH, x32, 0).0, ENOSYS, "x32 read");
    assert_eq!(evaluate(&program, 0xc000_00b7, 0, 0).0, ENOSYS, "foreign architecture");
}

#[test]
fn the_program_is_small() {
    let program = docker_filter(Capabilities::DOCKER);
    let natively: Vec<usize> = (0..450).map(|number| evaluate(&program, NATIVE_ARCH, number, 0).1).collect();
    let mean = natively.iter().sum::<usize>() / natively.len();
    assert!(program.len() < 400, "{} instructions", program.len());
    assert!(mean <= 12, "{mean} instructions a call");
}
