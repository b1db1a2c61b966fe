//! System calls as a program inside meets them: a tiny ELF file makes one call and exits with its error number.
//!
//! The three ways into the kernel of x86-64 are all tried: the native one, `int 0x80` with the numbers of i386, and the
//! native one with numbers of x32.
#![cfg(target_arch = "x86_64")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use runtime::{Capabilities, ContainerSpec, ExitStatus, Seccomp};

use super::harness::*;

const ALLOWED: u8 = 0;
const EPERM: u8 = 1;
const EFAULT: u8 = 14;
const ESOCKTNOSUPPORT: u8 = 94;
const ENOSYS: u8 = 38;
const X32: u32 = 0x4000_0000;

#[derive(Clone, Copy, Debug)]
enum Entry {
    Native,
    I386,
}

/// An executable that makes one system call with `argument` first and zeros after it.
fn probe(entry: Entry, number: u32, argument: u64) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let mut code = vec![0xb8]; // mov eax, number
    code.extend(number.to_le_bytes());
    let load: &[u8] = match entry {
        Entry::Native => &[0x48, 0xbf], // mov rdi, argument
        Entry::I386 => &[0x48, 0xbb],   // mov rbx, argument
    };
    code.extend(load);
    code.extend(argument.to_le_bytes());
    code.extend([0x31, 0xf6, 0x31, 0xd2, 0x31, 0xc9, 0x4d, 0x31, 0xd2]); // xor esi, edx, ecx, r10
    let call: [u8; 2] = match entry {
        Entry::Native => [0x0f, 0x05],
        Entry::I386 => [0xcd, 0x80],
    };
    code.extend(call);
    code.extend([0x89, 0xc7, 0x31, 0xd2]); // mov edi, eax; xor edx, edx
    code.extend([0xf7, 0xdf]); // neg edi
    code.extend([0x85, 0xc0, 0x0f, 0x49, 0xfa]); // test eax, eax; cmovns edi, edx
    code.extend([0xb8, 60, 0, 0, 0, 0x0f, 0x05]); // exit(edi)
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    for word in [BASE + HEADERS, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]); // PT_LOAD, readable and executable
    let size = HEADERS + code.len() as u64;
    for word in [0, BASE, BASE, size, size, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

fn answer(executor: &dyn runtime::Executor, bed: &Bed, call: (Entry, u32, u64), change: fn(&mut ContainerSpec)) -> u8 {
    let (entry, number, argument) = call;
    let path = bed.root().join("bin/probe");
    drop(fs::remove_file(&path));
    fs::write(&path, probe(entry, number, argument)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut spec = bed.spec(&["/bin/probe"]);
    change(&mut spec);
    match run(executor, spec).status {
        ExitStatus::Exited(code) => code,
        ExitStatus::Signaled(signal) => panic!("{call:?} killed by {signal}"),
    }
}

contract! {
    fn the_default_profile_answers_as_dockers(executor) {
        let bed = Bed::new();
        use Entry::{I386, Native};
        let table = [
            ((Native, 39, 0), ALLOWED),           // getpid
            ((Native, 41, 2), ESOCKTNOSUPPORT),            // socket(AF_INET), of type 0
            ((Native, 41, 38), EPERM),            // socket(AF_ALG)
            ((Native, 41, 40), EPERM),            // socket(AF_VSOCK)
            ((Native, 135, 0xffff_ffff), ALLOWED), // personality, asked
            ((Native, 135, 0x0040_0000), EPERM),  // personality(ADDR_COMPAT_LAYOUT)
            ((Native, 165, 0), EPERM),            // mount
            ((Native, 246, 0), EPERM),            // kexec_load
            ((Native, 248, 0), EPERM),            // add_key
            ((Native, 250, 0), EPERM),            // keyctl
            ((Native, 272, 0x1000_0000), EPERM),  // unshare(CLONE_NEWUSER)
            ((Native, 304, 0), EPERM),            // open_by_handle_at
            ((Native, 321, 0), EPERM),            // bpf
            ((Native, 323, 0), EPERM),            // userfaultfd
            ((Native, 425, 1), EPERM),            // io_uring_setup
            ((Native, 428, 0), EPERM),            // open_tree
            ((Native, 435, 0), ENOSYS),           // clone3, so that libc falls back to clone
            ((Native, 56, 0x1000_0011), EPERM),   // clone(CLONE_NEWUSER)
            ((I386, 20, 0), ALLOWED),             // getpid
            ((I386, 21, 0), EPERM),               // mount
            ((I386, 359, 38), EPERM),             // socket(AF_ALG)
            ((I386, 287, 0), EPERM),              // keyctl
            ((I386, 435, 0), ENOSYS),             // clone3
        ];
        for (call, expected) in table {
            assert_eq!(answer(executor, &bed, call, |_| {}), expected, "{call:?}");
        }
    }

    fn capabilities_open_their_calls(executor) {
        let bed = Bed::new();
        let with_admin: fn(&mut ContainerSpec) = |spec| {
            spec.capabilities = spec.capabilities.with(Capabilities::named("SYS_ADMIN").unwrap());
        };
        assert_eq!(answer(executor, &bed, (Entry::Native, 165, 0), with_admin), EFAULT, "mount");
        let unconfined: fn(&mut ContainerSpec) = |spec| spec.seccomp = Seccomp::Unconfined;
        assert_eq!(answer(executor, &bed, (Entry::Native, 165, 0), unconfined), EFAULT, "mount without a filter");
        let with_no_new_privileges: fn(&mut ContainerSpec) = |spec| spec.no_new_privileges = true;
        assert_eq!(answer(executor, &bed, (Entry::Native, 165, 0), with_no_new_privileges), EPERM);
    }
}

mod built_in_only {
    use super::*;

    /// Where we are stricter than libseccomp: the kernel reads 32 bits of these arguments, and so do we.
    #[test]
    #[ignore = "requires root"]
    fn high_bits_and_x32_do_not_help_requires_root() {
        let bed = Bed::new();
        let table = [
            ((Entry::Native, 41, (1 << 32) | 38), EPERM),
            ((Entry::Native, 41, (1 << 63) | 40), EPERM),
            ((Entry::Native, X32 | 39, 0), ENOSYS),
            ((Entry::Native, X32 | 165, 0), ENOSYS),
            ((Entry::Native, X32 | 41, 38), ENOSYS),
            ((Entry::Native, 1023, 0), ENOSYS),
        ];
        for (call, expected) in table {
            assert_eq!(answer(&built_in(), &bed, call, |_| {}), expected, "{call:?}");
        }
    }
}
