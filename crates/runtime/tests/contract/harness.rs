//! A rootfs made of busybox, and one call that runs a command in it.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use runtime::{BuiltIn, ContainerSpec, Executor, ExitStatus, External, Process, StartError, Stdio, StdioStream};
use rustix::fs::CWD;
use rustix::mount::OpenTreeFlags;
use tempfile::TempDir;

const APPLETS: &[&str] = &[
    "cat", "chmod", "cp", "cut", "dd", "df", "echo", "env", "false", "grep", "head", "hostname", "id", "ip", "kill",
    "ln", "ls", "mkdir", "mknod", "mount", "mv", "ps", "pwd", "readlink", "rm", "sh", "sleep", "sort", "stat", "stty",
    "tee", "test", "touch", "tr", "true", "tty", "ulimit", "umount", "uname", "wc", "xargs", "yes", "chroot",
    "unshare", "date", "setsid",
];

/// A container's folder on the host, beside a folder `outside` that no container may touch.
pub(crate) struct Bed {
    folder: TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bed = Self { folder };
        for path in ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr/bin"] {
            fs::create_dir_all(bed.root().join(path)).unwrap();
        }
        fs::copy("/bin/busybox", bed.root().join("bin/busybox")).expect("apt-get install busybox-static");
        for applet in APPLETS {
            symlink("busybox", bed.root().join("bin").join(applet)).unwrap();
        }
        fs::create_dir(bed.outside()).unwrap();
        fs::write(bed.outside().join("sentinel"), "untouched").unwrap();
        bed
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    /// A detached mount of the root, as the layer crate hands out.
    pub(crate) fn mount(&self) -> OwnedFd {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        rustix::mount::open_tree(CWD, self.root(), flags).unwrap()
    }

    pub(crate) fn spec(&self, args: &[&str]) -> ContainerSpec {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = format!("contract{}x{number}", std::process::id());
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        ContainerSpec::docker_defaults(&id, self.mount(), args)
    }

    pub(crate) fn assert_untouched(&self) {
        let names: Vec<_> = fs::read_dir(self.outside()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["sentinel"]);
        assert_eq!(fs::read_to_string(self.outside().join("sentinel")).unwrap(), "untouched");
    }
}

/// Everything a finished container left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// The standard output of a container that succeeded.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!(self.status, ExitStatus::Exited(0), "{self:?}");
        self.stdout
    }
}

/// Pipes for all three streams; ours first.
pub(crate) fn pipes() -> (Stdio, [fs::File; 3]) {
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let ((in_read, in_write), (out_read, out_write), (err_read, err_write)) = (pipe(), pipe(), pipe());
    let stdio = Stdio {
        stdin: StdioStream::Fd(in_read),
        stdout: StdioStream::Fd(out_write),
        stderr: StdioStream::Fd(err_write),
    };
    (stdio, [in_write.into(), out_read.into(), err_read.into()])
}

pub(crate) fn run(executor: &dyn Executor, spec: ContainerSpec) -> Output {
    run_with_input(executor, spec, b"").unwrap_or_else(|error| panic!("{}: {}", executor.name(), chain(&error)))
}

pub(crate) fn start_error(executor: &dyn Executor, spec: ContainerSpec) -> StartError {
    match run_with_input(executor, spec, b"") {
        Ok(output) => panic!("{}: started: {output:?}", executor.name()),
        Err(error) => error,
    }
}

pub(crate) fn run_with_input(executor: &dyn Executor, spec: ContainerSpec, input: &[u8]) -> Result<Output, StartError> {
    let (stdio, [mut stdin, mut stdout, mut stderr]) = pipes();
    let process = executor.start(spec, stdio)?;
    stdin.write_all(input).unwrap();
    drop(stdin);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| stderr.read_to_end(&mut err).unwrap());
        stdout.read_to_end(&mut out).unwrap();
    });
    let status = process.wait().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { status, stdout: text(out), stderr: text(err) })
}

/// Runs a script of the container's shell.
pub(crate) fn script(executor: &dyn Executor, bed: &Bed, text: &str) -> Output {
    run(executor, bed.spec(&["sh", "-c", text]))
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// Waits at most ten seconds for something.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{what}: not within ten seconds");
}

/// A process that a test must not leave running.
pub(crate) fn start(executor: &dyn Executor, spec: ContainerSpec) -> (Process, [fs::File; 3]) {
    let (stdio, ours) = pipes();
    let process = executor.start(spec, stdio).unwrap_or_else(|error| panic!("{}", chain(&error)));
    (process, ours)
}

pub(crate) fn built_in() -> BuiltIn {
    BuiltIn::new()
}

/// runc with its state in a folder of its own.
pub(crate) fn runc() -> Option<(External, TempDir)> {
    let program =
        ["/usr/sbin/runc", "/usr/bin/runc", "/usr/local/bin/runc"].iter().map(Path::new).find(|path| path.exists())?;
    let state = tempfile::tempdir().unwrap();
    Some((External::new(program, state.path()), state))
}

/// One test for each executor: `contract! { fn name(executor) { … } }`.
macro_rules! contract {
    ($($(#[$attribute:meta])* fn $name:ident($executor:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            fn case($executor: &dyn runtime::Executor) $body

            #[test]
            #[ignore = "requires root"]
            fn built_in_requires_root() {
                case(&crate::contract::harness::built_in());
            }

            #[test]
            #[ignore = "requires root"]
            fn runc_requires_root() {
                match crate::contract::harness::runc() {
                    Some((executor, _state)) => case(&executor),
                    None => eprintln!("skipped: runc is not installed"),
                }
            }
        }
    )*};
}
pub(crate) use contract;
