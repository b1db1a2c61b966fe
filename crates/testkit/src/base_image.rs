//! Root file systems to build on, made on this machine: busybox in memory, Debian by debootstrap and cached on disk.
//!
//! debootstrap takes its packages from Debian's mirror, which `ONGGI_DEBIAN_MIRROR` replaces by another; after the
//! first time nothing is downloaded. The cache is `testkit-cache/` in cargo's target folder, and a lock file keeps two
//! tests from making the same root at once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::tar_writer::TarWriter;

/// Where a statically linked busybox is installed by Debian, Ubuntu, Alpine and by hand.
const BUSYBOX_PATHS: [&str; 4] = ["/usr/bin/busybox", "/bin/busybox", "/bin/busybox.static", "/usr/local/bin/busybox"];

/// True for a 64-bit ELF program without an interpreter, that is one that needs no shared library.
#[must_use]
pub fn is_static(program: &Path) -> bool {
    fs::read(program).is_ok_and(|elf| !has_interpreter(&elf))
}

/// The path of a statically linked busybox on this machine, if there is one.
#[must_use]
pub fn busybox_binary() -> Option<PathBuf> {
    BUSYBOX_PATHS.iter().map(PathBuf::from).find(|path| is_static(path))
}

/// Looks for a PT_INTERP program header (type 3) in a 64-bit little-endian ELF file: a dynamic program has one.
fn has_interpreter(elf: &[u8]) -> bool {
    let number = |offset: usize, length: usize| {
        elf.get(offset..offset + length).map(|b| b.iter().rev().fold(0usize, |n, &byte| n << 8 | usize::from(byte)))
    };
    let (Some(offset), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else { return true };
    (0..count).any(|index| number(offset + index * size, 4).is_none_or(|kind| kind == 3))
}

/// A root with busybox and its applets, the usual folders, and the users `root`, `daemon` and `node`.
///
/// # Panics
/// If no static busybox is installed; the message names the package.
#[must_use]
pub fn busybox_root_tar() -> Vec<u8> {
    let path = busybox_binary().expect("no static busybox on this machine: install the package `busybox-static`");
    let list = Command::new(&path).arg("--list").output().expect("busybox can be started");
    let mut applets: Vec<&str> = std::str::from_utf8(&list.stdout).expect("applet names are ASCII").lines().collect();
    applets.sort_unstable();
    let mut tar = TarWriter::default();
    tar.folder("bin", 0o755).file("bin/busybox", 0o755, &fs::read(&path).expect("busybox can be read"));
    for applet in applets.into_iter().filter(|&applet| applet != "busybox") {
        tar.symlink(&format!("bin/{applet}"), "busybox");
    }
    tar.folder("dev", 0o755);
    tar.folder("etc", 0o755);
    tar.file("etc/group", 0o644, b"root:x:0:\ndaemon:x:1:\nnode:x:1000:\n");
    tar.file(
        "etc/passwd",
        0o644,
        b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/false\nnode:x:1000:1000::/home/node:/bin/sh\n",
    );
    tar.folder("home", 0o755).folder("home/node", 0o755).folder("proc", 0o555).folder("root", 0o700);
    tar.folder("sys", 0o555).folder("tmp", 0o1777).folder("usr", 0o755).folder("usr/bin", 0o755);
    tar.symlink("usr/bin/env", "../../bin/busybox").folder("var", 0o755);
    tar.finish()
}

/// Which Debian root is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debian {
    /// The smallest system in which apt works.
    Minimal,
    /// The same with Debian's `nodejs`.
    Node,
}

impl Debian {
    fn name(self) -> &'static str {
        match self {
            Self::Minimal => "debian-minimal",
            Self::Node => "debian-node",
        }
    }

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Minimal => &["--include=ca-certificates"],
            Self::Node => &["--include=ca-certificates,nodejs"],
        }
    }
}

/// The tar of a Debian 12 root, made by debootstrap the first time and kept in the tests' cache. Needs root.
///
/// # Panics
/// If debootstrap is missing or fails; the message has its last words.
#[must_use]
pub fn debian_root_tar(debian: Debian) -> PathBuf {
    debian_root_tar_in(&cache_folder(), debian)
}

/// The same with a cache of the caller's choice.
///
/// # Panics
/// If debootstrap is missing or fails; the message has its last words.
#[must_use]
pub fn debian_root_tar_in(cache: &Path, debian: Debian) -> PathBuf {
    fs::create_dir_all(cache).expect("cargo's target folder is writable");
    let tar = cache.join(format!("{}.tar", debian.name()));
    let lock = File::create(cache.join(format!("{}.lock", debian.name()))).expect("the cache is writable");
    lock.lock().expect("a lock file on a local disk can be locked");
    if !tar.exists() {
        let folder = tempfile::Builder::new().prefix("root-").tempdir_in(cache).expect("the cache is writable");
        // debootstrap makes device nodes and runs programs in the root, so it must not be below a nodev mount.
        let root = folder.path().join("root");
        debootstrap(debian, &root);
        let partial = folder.path().join("root.tar");
        run(Command::new("tar")
            .args(["--numeric-owner", "--xattrs", "--sort=name", "-cf"])
            .arg(&partial)
            .arg("-C")
            .arg(&root)
            .arg("."));
        fs::rename(&partial, &tar).expect("both names are in the cache");
    }
    tar
}

fn debootstrap(debian: Debian, root: &Path) {
    #[expect(clippy::disallowed_methods, reason = "a site may have a mirror of its own")]
    let mirror = std::env::var("ONGGI_DEBIAN_MIRROR");
    let mut command = Command::new("debootstrap");
    command.arg("--variant=minbase").args(debian.packages()).arg("bookworm").arg(root).args(mirror);
    run(&mut command);
    for name in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        empty(&root.join(name));
    }
}

/// Downloaded packages and lists only make the root larger.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::remove_file(entry.path()).expect("a root that was just made is writable");
        }
    }
}

fn run(command: &mut Command) {
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rev().take(10).collect::<Vec<_>>();
    assert!(output.status.success(), "{command:?} failed: {}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
}

/// `testkit-cache` beside the profile's folder: target/debug/deps/test-1234 -> target/testkit-cache.
pub(crate) fn cache_folder() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "xtask shares one cache between all target folders")]
    if let Some(folder) = std::env::var_os("ONGGI_TEST_CACHE") {
        return folder.into();
    }
    let program = std::env::current_exe().expect("a running test knows its own path");
    program.ancestors().nth(3).expect("tests are run from target/<profile>/deps").join("testkit-cache")
}
