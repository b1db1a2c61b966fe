//! What Docker's default profile allows (moby/profiles of 2026), in a table of our own.
//!
//! Everything else fails with `EPERM`; numbers that are newer than our tables with `ENOSYS`, so that C libraries fall
//! back to older calls. As moby does: `clone` only without new namespaces, `clone3` never (its flags are behind a
//! pointer), `socket` without AF_ALG (CVE-2026-31431), AF_VSOCK and the dead protocols, `personality` only with harmless
//! values, `io_uring` never; more with the capabilities that go with it. The kernel reads the arguments that we look
//! at as 32-bit numbers, so the filter looks at those 32 bits only (CVE-2026-123876 is what happens otherwise).
//!
//! Known hole, shared with Docker: 32-bit programs may use `socketcall`, whose address family no filter can see; where
//! that matters, an LSM or a fixed kernel has to help. x32 is refused outright, which Docker's is not.

/// Numbers by name for the calls that exist in both interfaces, in the native and in the 32-bit one.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident
     both { $($both:ident)* } native { $($native:ident)* } compat { $($compat:ident)* }) => {
        $(#[$doc])*
        pub(super) const $name: Table = Table {
            names: &[$(stringify!($both),)* $(stringify!($native),)* $(stringify!($compat),)*],
            native: &[$(Native::$both as u32,)* $(Native::$native as u32,)*],
            compat: &[$(Compat::$both as u32,)* $(Compat::$compat as u32,)*],
        };
    };
}

#[cfg(target_arch = "aarch64")]
#[path = "profile/aarch64.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "profile/x86_64.rs"]
mod arch;

pub(crate) use arch::OCI_ARCHITECTURES;
pub(super) use arch::{COMPAT_ARCH, NATIVE_ARCH, X32_FIRST};

use arch::{Compat, Native};

use crate::spec::Capabilities;

/// Some system calls in both interfaces.
pub(super) struct Table {
    pub(super) names: &'static [&'static str],
    native: &'static [u32],
    compat: &'static [u32],
}

/// One of the two interfaces that a process can call the kernel through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    Native,
    Compat,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    /// Fails with this error number.
    Errno(u16),
    /// Allowed if the first argument passes, else `EPERM`.
    If(Argument),
}

/// A condition on the low 32 bits of the first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// None of these bits.
    NoneOf(u32),
    /// One of these values.
    OneOf(&'static [u32]),
    /// Below 64 and this bit of the mask set.
    InMask(u64),
}

/// All `CLONE_NEW*` flags of `clone`; the flag for time namespaces does not exist there.
const NEW_NAMESPACES: u32 = 0x7e02_0000;

/// `PER_LINUX`, `PER_LINUX32`, both with `UNAME26`, and the question for the current one.
const PERSONALITIES: [u32; 5] = [0, 8, 0x20000, 0x20008, 0xffff_ffff];

/// Address families up to AF_MCTP (45) without DECnet, Econet, ATM SVC, IrDA, PPPoX, IUCV, CAIF, ALG and VSOCK.
const SOCKET_FAMILIES: u64 =
    ((1 << 46) - 1) & !(1 << 12 | 1 << 19 | 1 << 20 | 1 << 23 | 1 << 25 | 1 << 34 | 1 << 37 | 1 << 38 | 1 << 40);

table! {
    /// With `CAP_DAC_READ_SEARCH`.
    HANDLES
    both { open_by_handle_at } native {} compat {}
}
table! {
    /// With `CAP_SYS_ADMIN`.
    ADMIN
    both {
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
        lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
        sethostname setns syslog umount2 unshare
    }
    native {} compat {}
}
table! {
    /// With `CAP_SYS_BOOT`.
    BOOT
    both { reboot } native {} compat {}
}
table! {
    /// With `CAP_SYS_CHROOT`.
    CHROOT
    both { chroot } native {} compat {}
}
table! {
    /// With `CAP_SYS_MODULE`.
    MODULE
    both { delete_module finit_module init_module } native {} compat {}
}
table! {
    /// With `CAP_SYS_PACCT`.
    ACCOUNTING
    both { acct } native {} compat {}
}
table! {
    /// With `CAP_SYS_PTRACE`.
    PTRACE
    both { kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace } native {} compat {}
}
table! {
    /// With `CAP_SYS_TIME`.
    TIME
    both { clock_settime settimeofday } native {} compat {}
}
table! {
    /// With `CAP_SYS_TTY_CONFIG`.
    TTY
    both { vhangup } native {} compat {}
}
table! {
    /// With `CAP_SYS_NICE`.
    NICE
    both { get_mempolicy mbind set_mempolicy set_mempolicy_home_node } native {} compat {}
}
table! {
    /// With `CAP_SYSLOG`.
    SYSLOG
    both { syslog } native {} compat {}
}
table! {
    /// With `CAP_BPF`.
    BPF
    both { bpf } native {} compat {}
}
table! {
    /// With `CAP_PERFMON`.
    PERFMON
    both { perf_event_open } native {} compat {}
}

/// What each capability allows besides [`arch::ALWAYS`].
const BY_CAPABILITY: [(&str, &[Table]); 15] = [
    ("CAP_DAC_READ_SEARCH", &[HANDLES]),
    ("CAP_SYS_ADMIN", &[ADMIN, arch::ADMIN_COMPAT]),
    ("CAP_SYS_BOOT", &[BOOT]),
    ("CAP_SYS_CHROOT", &[CHROOT]),
    ("CAP_SYS_MODULE", &[MODULE]),
    ("CAP_SYS_PACCT", &[ACCOUNTING]),
    ("CAP_SYS_PTRACE", &[PTRACE]),
    ("CAP_SYS_RAWIO", &[arch::RAW_IO]),
    ("CAP_SYS_TIME", &[TIME, arch::TIME_COMPAT]),
    ("CAP_SYS_TTY_CONFIG", &[TTY]),
    ("CAP_SYS_NICE", &[NICE]),
    ("CAP_SYSLOG", &[SYSLOG]),
    ("CAP_BPF", &[BPF]),
    ("CAP_PERFMON", &[PERFMON]),
    ("CAP_CHECKPOINT_RESTORE", &[]),
];

/// The tables that hold for a container with these capabilities.
fn allowed_tables(capabilities: Capabilities) -> impl Iterator<Item = &'static Table> {
    let has = move |name: &str| Capabilities::named(name).is_ok_and(|one| capabilities.contains(one));
    const ALWAYS: &[Table] = &[arch::ALWAYS];
    let more = BY_CAPABILITY.iter().filter(move |(name, _)| has(name)).flat_map(|(_, tables)| tables.iter());
    ALWAYS.iter().chain(more)
}

/// Calls whose arguments decide, and those with an error of their own.
fn special(capabilities: Capabilities, interface: Interface) -> Vec<(u32, Action)> {
    let number = |native: Native, compat: Compat| match interface {
        Interface::Native => native as u32,
        Interface::Compat => compat as u32,
    };
    let mut actions = vec![
        (number(Native::socket, Compat::socket), Action::If(Argument::InMask(SOCKET_FAMILIES))),
        (number(Native::personality, Compat::personality), Action::If(Argument::OneOf(&PERSONALITIES))),
    ];
    if !is_admin(capabilities) {
        actions.push((number(Native::clone, Compat::clone), Action::If(Argument::NoneOf(NEW_NAMESPACES))));
        actions.push((number(Native::clone3, Compat::clone3), Action::Errno(libc::ENOSYS as u16)));
    }
    actions
}

fn is_admin(capabilities: Capabilities) -> bool {
    Capabilities::named("CAP_SYS_ADMIN").is_ok_and(|admin| capabilities.contains(admin))
}

/// Every call of one interface that does not simply fail with `EPERM`, by ascending number.
pub(super) fn actions(capabilities: Capabilities, interface: Interface) -> Vec<(u32, Action)> {
    let mut actions: Vec<(u32, Action)> = allowed_tables(capabilities)
        .flat_map(|table| match interface {
            Interface::Native => table.native,
            Interface::Compat => table.compat,
        })
        .map(|number| (*number, Action::Allow))
        .chain(special(capabilities, interface))
        .collect();
    actions.sort_by_key(|(number, _)| *number);
    actions.dedup_by_key(|(number, _)| *number);
    actions
}

/// The number of a call by its name.
pub(super) fn number_of(name: &str, compat: bool) -> Option<u32> {
    match compat {
        false => name.parse::<Native>().ok().map(|number| number as u32),
        true => name.parse::<Compat>().ok().map(|number| number as u32),
    }
}

/// The first number that our tables do not know.
pub(super) fn first_unknown(interface: Interface) -> u32 {
    match interface {
        Interface::Native => Native::last() as u32 + 1,
        Interface::Compat => Compat::last() as u32 + 1,
    }
}

/// One entry of `linux.seccomp.syscalls` in an OCI configuration.
pub(crate) struct OciRule {
    pub(crate) names: Vec<&'static str>,
    /// `None` allows.
    pub(crate) errno: Option<u16>,
    /// Operator, value and second value for the first argument.
    pub(crate) argument: Option<(&'static str, u64, u64)>,
}

/// The same profile in the words of the OCI runtime-spec, for other runtimes.
pub(crate) fn oci_rules(capabilities: Capabilities) -> Vec<OciRule> {
    let mut names: Vec<&str> = allowed_tables(capabilities).flat_map(|table| table.names).copied().collect();
    names.sort_unstable();
    names.dedup();
    let allow_if = |name, operator, value, second| OciRule {
        names: vec![name],
        errno: None,
        argument: Some((operator, value, second)),
    };
    let mut rules = vec![OciRule { names, errno: None, argument: None }];
    rules.extend(PERSONALITIES.map(|value| allow_if("personality", "SCMP_CMP_EQ", u64::from(value), 0)));
    let families = (0..64).filter(|family| SOCKET_FAMILIES & (1 << family) != 0);
    rules.extend(families.map(|family| allow_if("socket", "SCMP_CMP_EQ", family, 0)));
    if !is_admin(capabilities) {
        rules.push(allow_if("clone", "SCMP_CMP_MASKED_EQ", u64::from(NEW_NAMESPACES), 0));
        rules.push(OciRule { names: vec!["clone3"], errno: Some(libc::ENOSYS as u16), argument: None });
    }
    rules
}
