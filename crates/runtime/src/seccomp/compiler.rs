//! From a table of actions to classic BPF.
//!
//! Neighbouring numbers with the same fate form a run; a binary search over the runs' beginnings ends in a return or in
//! the check of an argument. The program is built from its end, because jumps only lead forward: whatever a jump
//! needs is there already, and the few returns are shared. That halves the program, and with it the time in which the
//! kernel compiles it for every container.

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
    let mut builder = Builder::default();
    let compat = builder.search(&runs(capabilities, Interface::Compat));
    let compat = builder.load(NUMBER_OFFSET, compat);
    let native = builder.search(&runs(capabilities, Interface::Native));
    let native = builder.load(NUMBER_OFFSET, native);
    let foreign = builder.leaf(Fate::Return(UNKNOWN));
    let other = builder.branch(IF_EQUAL, COMPAT_ARCH, compat, foreign);
    let first = builder.branch(IF_EQUAL, NATIVE_ARCH, native, other);
    builder.load(ARCH_OFFSET, first);
    builder.finish()
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

/// A place in the program, counted from its end.
type Place = usize;

/// A program whose last instruction is the first one here.
#[derive(Default)]
pub(super) struct Builder {
    reversed: Vec<FilterInstruction>,
    /// The latest return of each value.
    returns: Vec<(u32, Place)>,
}

impl Builder {
    pub(super) fn finish(mut self) -> Vec<FilterInstruction> {
        self.reversed.reverse();
        self.reversed
    }

    fn push(&mut self, code: u16, value: u32, jump_true: u8, jump_false: u8) -> Place {
        self.reversed.push(FilterInstruction { code, jump_true, jump_false, value });
        self.reversed.len() - 1
    }

    /// How many instructions a jump at the next place would have to skip.
    fn distance(&self, target: Place) -> usize {
        self.reversed.len() - target - 1
    }

    /// Loads a word and goes on at `next`.
    pub(super) fn load(&mut self, offset: u32, next: Place) -> Place {
        self.continue_at(next);
        self.push(LOAD, offset, 0, 0)
    }

    /// Makes the next place fall through to `next`.
    fn continue_at(&mut self, next: Place) {
        let distance = self.distance(next);
        if distance > 0 {
            self.push(JUMP, u32::try_from(distance).unwrap_or(u32::MAX), 0, 0);
        }
    }

    /// Goes on at one of two places. Conditional jumps skip at most 255 instructions, others any number.
    pub(super) fn branch(&mut self, code: u16, value: u32, mut yes: Place, mut no: Place) -> Place {
        /// Room for the detour of the other one.
        const REACH: usize = 254;
        if self.distance(yes) > REACH {
            self.continue_at(yes);
            yes = self.reversed.len() - 1;
        }
        if self.distance(no) > REACH {
            self.continue_at(no);
            no = self.reversed.len() - 1;
        }
        let jump = |target| u8::try_from(self.distance(target)).unwrap_or(u8::MAX);
        let (jump_true, jump_false) = (jump(yes), jump(no));
        self.push(code, value, jump_true, jump_false)
    }

    /// A binary search over at least one run.
    fn search(&mut self, runs: &[Run]) -> Place {
        let (lower, upper) = runs.split_at(runs.len() / 2);
        let ([_, ..], [middle, ..]) = (lower, upper) else {
            let fate = runs.first().map_or(Fate::Return(REFUSE), |run| run.fate);
            return self.leaf(fate);
        };
        let above = self.search(upper);
        let below = self.search(lower);
        self.branch(IF_AT_LEAST, middle.first, above, below)
    }

    /// Returns, perhaps after a look at the first argument.
    fn leaf(&mut self, fate: Fate) -> Place {
        match fate {
            Fate::Return(value) => self.return_value(value),
            Fate::If(argument) => {
                let check = self.check(argument);
                self.load(FIRST_ARGUMENT_OFFSET, check)
            }
        }
    }

    /// A return nearby, made if there is none.
    pub(super) fn return_value(&mut self, value: u32) -> Place {
        const NEARBY: usize = 200;
        let known = self.returns.iter().rev().find(|(known, _)| *known == value).map(|(_, place)| *place);
        match known {
            Some(place) if self.distance(place) < NEARBY => place,
            _ => {
                let place = self.push(RETURN, value, 0, 0);
                self.returns.push((value, place));
                place
            }
        }
    }

    fn check(&mut self, argument: Argument) -> Place {
        match argument {
            Argument::NoneOf(bits) => {
                let (allow, refuse) = (self.return_value(ALLOW), self.return_value(REFUSE));
                self.branch(IF_ANY_BIT, bits, refuse, allow)
            }
            Argument::OneOf(values) => {
                let allow = self.return_value(ALLOW);
                let refuse = self.return_value(REFUSE);
                values.iter().fold(refuse, |otherwise, value| self.branch(IF_EQUAL, *value, allow, otherwise))
            }
            Argument::InMask(mask) => self.search(&mask_runs(mask)),
        }
    }
}

/// Runs of set and unset bits.
fn mask_runs(mask: u64) -> Vec<Run> {
    let fate = |bit: u32| Fate::Return(if bit < 64 && mask & (1 << bit) != 0 { ALLOW } else { REFUSE });
    let mut runs: Vec<Run> = Vec::new();
    for bit in 0..=64 {
        if runs.last().is_none_or(|run| run.fate != fate(bit)) {
            runs.push(Run { first: bit, fate: fate(bit) });
        }
    }
    runs
}
