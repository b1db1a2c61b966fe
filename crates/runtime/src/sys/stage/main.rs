//! A program of a few kilobytes, without any library: the last step before a container's program, or its process 1.
//!
//! Whoever can look at a process of a container can open its executable through `/proc/PID/exe`, and one day write to it
//! (CVE-2019-5736). So no process of a container ever runs the host's own binary where others can see it: it runs this
//! one, from memory. As `exec` it executes what it is told; as `init` it starts the program, hands signals on and waits
//! for every orphan (`--init`). `build.rs` compiles it, the crate around it carries its bytes.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
mod number {
    pub(crate) const WRITE: usize = 1;
    pub(crate) const SIGPROCMASK: usize = 14;
    pub(crate) const IOCTL: usize = 16;
    pub(crate) const NANOSLEEP: usize = 35;
    pub(crate) const CLONE: usize = 56;
    pub(crate) const EXECVE: usize = 59;
    pub(crate) const WAIT4: usize = 61;
    pub(crate) const KILL: usize = 62;
    pub(crate) const FCNTL: usize = 72;
    pub(crate) const SETPGID: usize = 109;
    pub(crate) const SIGTIMEDWAIT: usize = 128;
    pub(crate) const EXIT_GROUP: usize = 231;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub(crate) const FCNTL: usize = 25;
    pub(crate) const IOCTL: usize = 29;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const EXIT_GROUP: usize = 94;
    pub(crate) const NANOSLEEP: usize = 101;
    pub(crate) const KILL: usize = 129;
    pub(crate) const SIGPROCMASK: usize = 135;
    pub(crate) const SIGTIMEDWAIT: usize = 137;
    pub(crate) const SETPGID: usize = 154;
    pub(crate) const CLONE: usize = 220;
    pub(crate) const EXECVE: usize = 221;
    pub(crate) const WAIT4: usize = 260;
}

const ENOENT: isize = 2;
const EACCES: isize = 13;
const ENOTDIR: isize = 20;
const ETXTBSY: isize = 26;

const SIGCHLD: isize = 17;

/// What only a fault of our own can send, and what job control sends: not for the program (as tini has it).
const OWN_SIGNALS: [isize; 9] = [8, 4, 11, 7, 6, 5, 31, 21, 22];

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {main}", "ud2", main = sym main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "mov x0, sp", "bl {main}", "brk #0", main = sym main);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(255)
}

/// The arguments lie on the stack: their number, the pointers, a null pointer, the environment, a null pointer.
extern "C" fn main(stack: *const usize) -> ! {
    // SAFETY: the kernel has put all that there (execve(2)); callers give at least one argument.
    unsafe {
        let count = *stack;
        let arguments = stack.add(1).cast::<*const u8>();
        let environment = arguments.add(count + 1);
        let name = *arguments;
        if count >= 3 && *name == b'e' {
            last_step(arguments, environment);
        }
        if count >= 3 {
            init(arguments.add(2), environment);
        }
    }
    exit(255)
}

/// `exec PATH ARGUMENT…`: becomes the program, or says in descriptor 3 why not.
unsafe fn last_step(arguments: *const *const u8, environment: *const *const u8) -> ! {
    const REPORT: usize = 3;
    const SET_FLAGS: usize = 2;
    const CLOSE_ON_EXEC: usize = 1;
    // SAFETY: all pointers are those that the kernel has put on the stack.
    unsafe {
        call(number::FCNTL, [REPORT, SET_FLAGS, CLOSE_ON_EXEC, 0, 0]);
        let error = execute(*arguments.add(1), arguments.add(2), environment);
        let words = [u32::MAX, 0, error as u32];
        call(number::WRITE, [REPORT, words.as_ptr() as usize, 12, 0, 0]);
    }
    exit(1)
}

/// Executes a file; the error number if that fails. One that was written a moment ago may still be open elsewhere.
unsafe fn execute(path: *const u8, arguments: *const *const u8, environment: *const *const u8) -> isize {
    let pause: [i64; 2] = [0, 1_000_000];
    for _ in 0..100 {
        // SAFETY: pointers of the caller, which the kernel checks.
        let error = unsafe { -call(number::EXECVE, [path as usize, arguments as usize, environment as usize, 0, 0]) };
        if error != ETXTBSY {
            return error;
        }
        // SAFETY: `pause` lives across the call.
        unsafe { call(number::NANOSLEEP, [pause.as_ptr() as usize, 0, 0, 0, 0]) };
    }
    ETXTBSY
}

/// Starts the program in a process group of its own, and ends as it does; hands on signals, and reaps whatever ends.
unsafe fn init(program: *const *const u8, environment: *const *const u8) -> ! {
    let all = u64::MAX;
    let mut before = 0_u64;
    // SAFETY: both sets are eight bytes long and live across the call; the child has a copy of our memory.
    unsafe {
        call(number::SIGPROCMASK, [2, &raw const all as usize, &raw mut before as usize, 8, 0]);
        let child = call(number::CLONE, [SIGCHLD as usize, 0, 0, 0, 0]);
        if child == 0 {
            start(program, environment, before);
        }
        if child < 0 {
            complain(*program, b"cannot be started\n");
            exit(126);
        }
        loop {
            let signal = call(number::SIGTIMEDWAIT, [&raw const all as usize, 0, 0, 8, 0]);
            if signal == SIGCHLD {
                reap(child);
            } else if signal > 0 && !OWN_SIGNALS.contains(&signal) {
                call(number::KILL, [child as usize, signal as usize, 0, 0, 0]);
            }
        }
    }
}

/// Waits for all that have ended; ends when the program has.
unsafe fn reap(program: isize) {
    const NO_HANG: usize = 1;
    loop {
        let mut status = 0_i32;
        // SAFETY: `status` lives across the call.
        let ended = unsafe { call(number::WAIT4, [usize::MAX, &raw mut status as usize, NO_HANG, 0, 0]) };
        if ended <= 0 {
            return;
        }
        if ended == program {
            let signal = status & 0x7f;
            exit(if signal == 0 { (status >> 8) & 0xff } else { 128 + signal });
        }
    }
}

/// The child of [`init`]: in front of the terminal if there is one, then the program, found as `execvp` does.
unsafe fn start(program: *const *const u8, environment: *const *const u8, mask: u64) -> ! {
    const SET_FOREGROUND: usize = 0x5410;
    // SAFETY: pointers are the kernel's, or to what lives across the calls. A process group of 0 is the caller's own in
    // `setpgid`; the terminal wants its number, which in the container is that of its second process.
    unsafe {
        call(number::SETPGID, [0, 0, 0, 0, 0]);
        let group = group_of_caller();
        call(number::IOCTL, [0, SET_FOREGROUND, &raw const group as usize, 0, 0]);
        call(number::SIGPROCMASK, [2, &raw const mask as usize, 0, 8, 0]);
        let name = *program;
        let error = if contains(name, b'/') {
            execute(name, program, environment)
        } else {
            search(name, program, environment)
        };
        let (why, code): (&[u8], i32) = match error {
            ENOENT | ENOTDIR => (b"no such file or directory\n", 127),
            EACCES => (b"permission denied\n", 126),
            _ => (b"cannot be executed\n", 126),
        };
        complain(name, why);
        exit(code)
    }
}

unsafe fn group_of_caller() -> i32 {
    #[cfg(target_arch = "x86_64")]
    const GETPID: usize = 39;
    #[cfg(target_arch = "aarch64")]
    const GETPID: usize = 172;
    // SAFETY: takes nothing.
    unsafe { call(GETPID, [0; 5]) as i32 }
}

/// Tries the folders of `PATH` in order; the error of the last one that had the file.
unsafe fn search(name: *const u8, program: *const *const u8, environment: *const *const u8) -> isize {
    let mut path = [0_u8; 4096];
    let mut worst = ENOENT;
    // SAFETY: all strings end with a zero, and nothing is read beyond it.
    unsafe {
        let mut variable = environment;
        while !(*variable).is_null() && !begins(*variable, b"PATH=") {
            variable = variable.add(1);
        }
        if (*variable).is_null() {
            return ENOENT;
        }
        let mut folder = (*variable).add(5);
        loop {
            let mut length = 0;
            while *folder != 0 && *folder != b':' && length < 2048 {
                path[length] = *folder;
                (length, folder) = (length + 1, folder.add(1));
            }
            if length == 0 {
                path[0] = b'.';
                length = 1;
            }
            path[length] = b'/';
            length += 1;
            let mut letter = name;
            while *letter != 0 && length + 1 < path.len() {
                path[length] = *letter;
                (length, letter) = (length + 1, letter.add(1));
            }
            path[length] = 0;
            let error = execute(path.as_ptr(), program, environment);
            if error != ENOENT && error != ENOTDIR {
                worst = error;
                if error != EACCES {
                    return error;
                }
            }
            if *folder != b':' {
                return worst;
            }
            folder = folder.add(1);
        }
    }
}

unsafe fn contains(text: *const u8, byte: u8) -> bool {
    let mut at = text;
    // SAFETY: a string that ends with a zero.
    unsafe {
        while *at != 0 {
            if *at == byte {
                return true;
            }
            at = at.add(1);
        }
    }
    false
}

unsafe fn begins(text: *const u8, with: &[u8]) -> bool {
    // SAFETY: stops at the first difference, so never beyond the zero at the end.
    with.iter().enumerate().all(|(index, byte)| unsafe { *text.add(index) } == *byte)
}

unsafe fn complain(name: *const u8, why: &[u8]) {
    const TO_STDERR: usize = 2;
    let mut length = 0;
    // SAFETY: `name` ends with a zero; all pointers live across the calls.
    unsafe {
        while *name.add(length) != 0 {
            length += 1;
        }
        let parts: [(*const u8, usize); 4] =
            [(b"exec ".as_ptr(), 5), (name, length), (b": ".as_ptr(), 2), (why.as_ptr(), why.len())];
        for (text, length) in parts {
            call(number::WRITE, [TO_STDERR, text as usize, length, 0, 0]);
        }
    }
}

fn exit(code: i32) -> ! {
    loop {
        // SAFETY: ends the process.
        unsafe { call(number::EXIT_GROUP, [code as usize, 0, 0, 0, 0]) };
    }
}

/// A system call; a negative result is an error number.
unsafe fn call(number: usize, arguments: [usize; 5]) -> isize {
    let [one, two, three, four, five] = arguments;
    let result: isize;
    // SAFETY: the convention of the architecture; the caller answers for the arguments.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") one, in("rsi") two, in("rdx") three,
             in("r10") four, in("r8") five, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", inlateout("x0") one as isize => result, in("x1") two, in("x2") three, in("x3") four,
             in("x4") five, in("x8") number, options(nostack));
    }
    result
}

/// What the compiler may call for loops over bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    let mut index = 0;
    while index < count {
        // SAFETY: the caller's promise; volatile, so that this does not become a call of itself.
        unsafe { to.add(index).write_volatile(byte as u8) };
        index += 1;
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    let mut index = 0;
    while index < count {
        // SAFETY: as in `memset`.
        unsafe { to.add(index).write_volatile(*from.add(index)) };
        index += 1;
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: a string that ends with a zero.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

/// Named by the compiled `core`; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
