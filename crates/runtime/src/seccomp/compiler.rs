//! From a table of actions to classic BPF.
//!
//! Neighbouring numbers with the same fate form a run; a binary search over the runs' beginnings ends in a return or in
//! the check of an argument. Jumps of BPF reach 255 instructions conditionally and any distance otherwise.

use super::profile::{Action, Argument, COMPAT_ARCH, Interface, NATIVE_ARCH, X32_FIRST, actions, first_unknown};
use crate::spec::Capabilities;
use crate::sys::FilterInstruction;

pub(super) const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
pub(super) const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
pub(super) const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
pub(super) const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
pub(super) const IF_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
pub(super) const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// `SECCOMP_RET_ALLOW` and `SECCOMP_RET_ERRNO`.
pub(super) const ALLOW: u32 = 0x7fff_0000;
pub(super) const ERRNO: u32 = 0x0005_0000;

/// Offsets in `struct seccomp_data`.
pub(super) const NUMBER_OFFSET: u32 = 0;
pub(super) const ARCH_OFFSET: u32 = 4;
pub(super) const FIRST_ARGUMENT_OFFSET: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };

const REFUSE: u32 = ERRNO | libc::EPERM as u32;
const UNKNOWN: u32 = ERRNO | libc::ENOSYS as u32;

/// Numbers from `first` up to the next run share a fate.
#[derive(Clone, Copy)]
struct Run {
    first: u32,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Return(u32),
    If(Argument),
}

/// Docker's default profile for a container with these capabilities.
pub(crate) fn docker_filter(capabilities: Capabilities) -> Vec<FilterInstruction> {
    let native = interface(capabilities, Interface::Native);
    let compat = interface(capabilities, Interface::Compat);
    let mut program = vec![
        statement(LOAD, ARCH_OFFSET),
        condition(IF_EQUAL, NATIVE_ARCH, 2, 0),
        condition(IF_EQUAL, COMPAT_ARCH, 2, 0),
        statement(RETURN, UNKNOWN),
        statement(JUMP, 1),
        statement(JUMP, length(&native)),
    ];
    program.extend(native);
    program.extend(compat);
    program
}

/// The search for one interface, from loading the number to returning.
fn interface(capabilities: Capabilities, interface: Interface) -> Vec<FilterInstruction> {
    let mut program = vec![statement(LOAD, NUMBER_OFFSET)];
    program.extend(search(&runs(capabilities, interface)));
    program
}

/// The whole range of 32-bit numbers as runs.
fn runs(capabilities: Capabilities, interface: Interface) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut push = |first, fate| {
        if runs.last().is_none_or(|run: &Run| run.fate != fate) {
            runs.push(Run { first, fate });
        }
    };
    let mut next = 0;
    for (number, action) in actions(capabilities, interface) {
        if number > next {
            push(next, Fate::Return(REFUSE));
        }
        let fate = match action {
            Action::Allow => Fate::Return(ALLOW),
            Action::Errno(errno) => Fate::Return(ERRNO | u32::from(errno)),
            Action::If(argument) => Fate::If(argument),
        };
        push(number, fate);
        next = number + 1;
    }
    let unknown = first_unknown(interface);
    if next < unknown {
        push(next, Fate::Return(REFUSE));
    }
    push(unknown.max(next), Fate::Return(UNKNOWN));
    // x32 lies far above and shares the fate of unknown numbers; said here because nothing else says so.
    debug_assert!(X32_FIRST.is_none_or(|x32| x32 > unknown), "x32 numbers are beyond the table");
    runs
}

/// A binary search over at least one run.
fn search(runs: &[Run]) -> Vec<FilterInstruction> {
    let (lower, upper) = runs.split_at(runs.len() / 2);
    let ([_, ..], [middle, ..]) = (lower, upper) else {
        return runs.first().map_or_else(Vec::new, |run| leaf(run.fate));
    };
    let (below, above) = (search(lower), search(upper));
    let mut program = match u8::try_from(below.len()) {
        Ok(distance) => vec![condition(IF_AT_LEAST, middle.first, distance, 0)],
        Err(_) => vec![condition(IF_AT_LEAST, middle.first, 0, 1), statement(JUMP, length(&below))],
    };
    program.extend(below);
    program.extend(above);
    program
}

/// Returns, perhaps after a look at the first argument.
fn leaf(fate: Fate) -> Vec<FilterInstruction> {
    let load = statement(LOAD, FIRST_ARGUMENT_OFFSET);
    let (allow, refuse) = (statement(RETURN, ALLOW), statement(RETURN, REFUSE));
    match fate {
        Fate::Return(value) => vec![statement(RETURN, value)],
        Fate::If(Argument::NoneOf(bits)) => vec![load, condition(IF_ANY_BIT, bits, 1, 0), allow, refuse],
        Fate::If(Argument::OneOf(values)) => {
            let mut program = vec![load];
            for (left, value) in (1_u8..).zip(values.iter().rev()).collect::<Vec<_>>().into_iter().rev() {
                program.push(condition(IF_EQUAL, *value, left, 0));
            }
            program.extend([refuse, allow]);
            program
        }
        Fate::If(Argument::InMask(mask)) => {
            let mut program = vec![load];
            program.extend(search_mask(mask));
            program
        }
    }
}

/// A search over runs of set and unset bits.
fn search_mask(mask: u64) -> Vec<FilterInstruction> {
    let fate = |bit: u32| Fate::Return(if bit < 64 && mask & (1 << bit) != 0 { ALLOW } else { REFUSE });
    let mut runs: Vec<Run> = Vec::new();
    for bit in 0..=64 {
        if runs.last().is_none_or(|run| run.fate != fate(bit)) {
            runs.push(Run { first: bit, fate: fate(bit) });
        }
    }
    search(&runs)
}

fn statement(code: u16, value: u32) -> FilterInstruction {
    FilterInstruction { code, jump_true: 0, jump_false: 0, value }
}

fn condition(code: u16, value: u32, jump_true: u8, jump_false: u8) -> FilterInstruction {
    FilterInstruction { code, jump_true, jump_false, value }
}

fn length(program: &[FilterInstruction]) -> u32 {
    u32::try_from(program.len()).unwrap_or(u32::MAX)
}
