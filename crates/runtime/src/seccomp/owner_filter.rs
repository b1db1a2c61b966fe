//! The filter that has calls of the `chown` family wait where the user namespace has not the IDs that they name.
//!
//! It is loaded besides any other: the kernel runs all filters and takes the strictest answer, and a refusal is stricter. The
//! 16-bit forms of the 32-bit interface are left to the kernel.

use super::compiler::{ALLOW, ARCH_OFFSET, Builder, FIRST_ARGUMENT_OFFSET, IF_AT_LEAST, IF_EQUAL, NUMBER_OFFSET};
use super::profile::{COMPAT_ARCH, NATIVE_ARCH};
use crate::sys::FilterInstruction;

/// `SECCOMP_RET_USER_NOTIF`.
pub(super) const NOTIFY: u32 = 0x7fc0_0000;

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChownForm {
    /// `chown`: the first argument is a path.
    Path,
    /// `lchown`: the same, and a link at its end is not followed.
    Link,
    /// `fchown`: the first argument is a descriptor.
    Descriptor,
    /// `fchownat`: a descriptor, a path and, last, flags.
    At,
}

impl ChownForm {
    /// Which argument the user is; the group follows.
    pub(crate) fn owner_argument(self) -> usize {
        if self == Self::At { 2 } else { 1 }
    }

    /// The form of a call.
    pub(crate) fn of(architecture: u32, number: i32) -> Option<Self> {
        let number = u32::try_from(number).ok()?;
        let calls = match architecture {
            NATIVE_ARCH => NATIVE,
            COMPAT_ARCH => COMPAT,
            _ => return None,
        };
        calls.iter().find(|(known, _)| *known == number).map(|(_, form)| *form)
    }
}

#[cfg(target_arch = "x86_64")]
const NATIVE: &[(u32, ChownForm)] =
    &[(92, ChownForm::Path), (94, ChownForm::Link), (93, ChownForm::Descriptor), (260, ChownForm::At)];
#[cfg(target_arch = "x86_64")]
const COMPAT: &[(u32, ChownForm)] =
    &[(212, ChownForm::Path), (198, ChownForm::Link), (207, ChownForm::Descriptor), (298, ChownForm::At)];
#[cfg(target_arch = "aarch64")]
const NATIVE: &[(u32, ChownForm)] = &[(55, ChownForm::Descriptor), (54, ChownForm::At)];
#[cfg(target_arch = "aarch64")]
const COMPAT: &[(u32, ChownForm)] =
    &[(212, ChownForm::Path), (198, ChownForm::Link), (207, ChownForm::Descriptor), (325, ChownForm::At)];

/// The filter for a namespace with IDs from 0 up to `mapped`. Where root is the only one, all such calls wait: what root takes
/// back has a mark that the kernel knows nothing of. Where there are more, only those that the kernel would refuse.
pub(crate) fn owner_filter(mapped: u32) -> Vec<FilterInstruction> {
    let mut builder = Builder::default();
    let allow = builder.return_value(ALLOW);
    let notify = builder.return_value(NOTIFY);
    let mut ids = |owner_argument: usize| {
        if mapped < 2 {
            return notify;
        }
        let offset = |argument: usize| FIRST_ARGUMENT_OFFSET + u32::try_from(argument * 8).unwrap_or_default();
        let group = builder.branch(IF_AT_LEAST, mapped, notify, allow);
        let group = builder.branch(IF_EQUAL, u32::MAX, allow, group);
        let group = builder.load(offset(owner_argument + 1), group);
        let owner = builder.branch(IF_AT_LEAST, mapped, notify, group);
        let owner = builder.branch(IF_EQUAL, u32::MAX, group, owner);
        builder.load(offset(owner_argument), owner)
    };
    let (at, plain) = (ids(ChownForm::At.owner_argument()), ids(ChownForm::Path.owner_argument()));
    let mut interface = |calls: &[(u32, ChownForm)]| {
        let found = calls.iter().fold(allow, |otherwise, (number, form)| {
            let ids = if *form == ChownForm::At { at } else { plain };
            builder.branch(IF_EQUAL, *number, ids, otherwise)
        });
        builder.load(NUMBER_OFFSET, found)
    };
    let (compat, native) = (interface(COMPAT), interface(NATIVE));
    let other = builder.branch(IF_EQUAL, COMPAT_ARCH, compat, allow);
    let first = builder.branch(IF_EQUAL, NATIVE_ARCH, native, other);
    builder.load(ARCH_OFFSET, first);
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::compiler::{JUMP, LOAD, RETURN};

    /// What the kernel would answer to a call.
    fn evaluate(program: &[FilterInstruction], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let (mut position, mut accumulator) = (0, 0_u32);
        loop {
            let FilterInstruction { code, jump_true, jump_false, value } = program[position];
            let jump = |condition| usize::from(if condition { jump_true } else { jump_false });
            position += 1;
            match code {
                LOAD => {
                    accumulator = match value {
                        NUMBER_OFFSET => number,
                        ARCH_OFFSET => architecture,
                        argument => arguments[(argument - FIRST_ARGUMENT_OFFSET) as usize / 8] as u32,
                    }
                }
                JUMP => position += value as usize,
                IF_EQUAL => position += jump(accumulator == value),
                IF_AT_LEAST => position += jump(accumulator >= value),
                RETURN => return value,
                other => panic!("code {other:#x}"),
            }
        }
    }

    #[test]
    fn only_owners_that_the_namespace_has_not_make_a_call_wait() {
        const SAME: u64 = u32::MAX as u64;
        let many = owner_filter(65_537);
        let table = [
            (0, 0, ALLOW),
            (65_536, 65_536, ALLOW),
            (65_537, 0, NOTIFY),
            (0, 65_537, NOTIFY),
            (SAME, SAME, ALLOW),
            (SAME, 70_000, NOTIFY),
            (70_000, SAME, NOTIFY),
            (SAME - 1, SAME, NOTIFY),
            // The kernel looks at 32 bits.
            (1 << 32, 1 << 32, ALLOW),
            ((1 << 32) | 70_000, 0, NOTIFY),
        ];
        for (architecture, calls) in [(NATIVE_ARCH, NATIVE), (COMPAT_ARCH, COMPAT)] {
            for (number, form) in calls {
                for (uid, gid, answer) in table {
                    let mut arguments = [u64::MAX; 6];
                    arguments[form.owner_argument()] = uid;
                    arguments[form.owner_argument() + 1] = gid;
                    assert_eq!(evaluate(&many, architecture, *number, arguments), answer, "{form:?} {uid} {gid}");
                    assert_eq!(evaluate(&owner_filter(1), architecture, *number, arguments), NOTIFY, "{form:?}");
                }
            }
        }
    }

    #[test]
    fn no_other_call_is_touched() {
        for mapped in [1, 65_537] {
            let program = owner_filter(mapped);
            for (architecture, calls) in [(NATIVE_ARCH, NATIVE), (COMPAT_ARCH, COMPAT), (0xc000_00b7 ^ 1, &[][..])] {
                for number in (0..600).chain([0x4000_0000 | 92, u32::MAX]) {
                    let is_known = calls.iter().any(|(known, _)| *known == number);
                    let answer = evaluate(&program, architecture, number, [100_000; 6]);
                    assert_eq!(answer == NOTIFY, is_known, "{architecture:#x} {number}");
                    assert!(answer == NOTIFY || answer == ALLOW);
                }
            }
        }
    }
}
