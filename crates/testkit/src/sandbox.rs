//! A home, a store and a scratch folder that belong to one test and vanish with it.
//!
//! The environment of a command is built from nothing, so that neither the developer's settings nor another test can
//! change a result. When the sandbox is dropped, the store in it is checked by [`crate::checker`].

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::checker;
use crate::command::Command;
use crate::test_user::TestUser;

/// One test's own world: `home/`, `root/` (the store), `run/` and `work/` in a temporary folder.
#[derive(Debug)]
pub struct Sandbox {
    folder: tempfile::TempDir,
    checked: bool,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// Makes an empty sandbox. The store inside is not created: the first command does that.
    #[must_use]
    pub fn new() -> Self {
        let folder =
            tempfile::Builder::new().prefix("onggi-test-").tempdir().expect("the temporary folder is writable");
        for name in ["home", "run", "work"] {
            std::fs::create_dir(folder.path().join(name)).expect("the sandbox is new and writable");
        }
        if let Some(user) = TestUser::current() {
            user.own(folder.path(), &folder.path().join("root"));
        }
        Self { folder, checked: true }
    }

    /// Leaves the store unchecked when the sandbox is dropped: for tests that damage it on purpose.
    pub fn without_check(&mut self) -> &mut Self {
        self.checked = false;
        self
    }

    /// The folder that holds everything of this sandbox.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The store that `ONGGI_ROOT` points at.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The home folder of the commands.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The working folder of the commands, unless they choose another.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a file below the working folder, with its parents, and returns its path.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        let parent = path.parent().expect("a file below the working folder has a parent");
        std::fs::create_dir_all(parent).expect("the working folder is writable");
        std::fs::write(&path, content).expect("the working folder is writable");
        path
    }

    /// The real binary with these arguments, in the working folder, with an environment made from nothing.
    #[must_use]
    pub fn onggi<I>(&self, arguments: I) -> Command
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.command(binary()).user(TestUser::current(), self.path()).arguments(arguments)
    }

    /// Any program in the same surroundings: `docker`, `skopeo`, `tar`.
    #[must_use]
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let program = program.into();
        // Daemons, and what talks to them, stay root's; scripts call what the user calls.
        let user = TestUser::current().filter(|_| SHELLS.iter().any(|shell| program == *shell));
        let mut command = Command::new(program, &self.work()).user(user, self.path());
        for (name, value) in self.environment() {
            command = command.env(name, value);
        }
        command.hide(self.path(), "<sandbox>")
    }

    fn environment(&self) -> [(&'static str, OsString); 8] {
        [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()),
            ("HOME", self.home().into()),
            ("ONGGI_ROOT", self.root().into()),
            ("XDG_RUNTIME_DIR", self.path().join("run").into()),
            ("LC_ALL", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
            ("TERM", "dumb".into()),
            ("COLUMNS", "100".into()),
        ]
    }

    /// Imports a busybox root as `name`, the base image of most tests.
    pub fn import_busybox(&self, name: &str) {
        let tar = self.path().join("busybox.tar");
        if !tar.exists() {
            std::fs::write(&tar, crate::busybox_root_tar()).expect("the sandbox is writable");
        }
        self.onggi([OsStr::new("import"), tar.as_os_str(), OsStr::new(name)]).run().success();
    }

    /// Checks the store now, as dropping the sandbox does.
    ///
    /// # Panics
    /// If anything in the store does not have the digest by which it is known.
    pub fn check(&self) {
        if self.root().exists()
            && let Err(problem) = checker::check_store(&self.root())
        {
            panic!("the store is damaged: {problem}");
        }
    }

    /// Saves every image of the store into one archive and recomputes all digests from that (S300, S301). Of a store with
    /// large layers, images that this process has recomputed before are left out: an ID says all DiffIDs, and
    /// [`Self::check`] reads the layers of every store.
    ///
    /// # Panics
    /// If `save` fails, or the archive has not just these images, or a digest in it is wrong.
    pub fn check_saved(&self) {
        let mut images = names_in(&self.root().join("images"));
        let size = |layer: &OsString| std::fs::metadata(self.root().join("layers").join(layer)).map_or(0, |m| m.len());
        let total: u64 = names_in(&self.root().join("layers")).iter().map(size).sum();
        if total > LARGE {
            let recomputed = RECOMPUTED.lock().unwrap_or_else(PoisonError::into_inner);
            images.retain(|image| !recomputed.contains(image));
        }
        if images.is_empty() {
            return;
        }
        let archive = self.path().join("saved-by-the-checker.tar");
        let mut words = vec![OsString::from("save"), "-o".into(), archive.clone().into()];
        words.extend(images.iter().cloned());
        self.onggi(&words).run().success();
        let saved = checker::check_archive(&archive).unwrap_or_else(|problem| panic!("what `save` writes: {problem}"));
        let mut ids: Vec<_> = saved.into_iter().map(|image| OsString::from(&image.id["sha256:".len()..])).collect();
        ids.sort();
        images.sort();
        assert_eq!(ids, images, "`save` of all images");
        RECOMPUTED.lock().unwrap_or_else(PoisonError::into_inner).extend(images);
    }
}

/// Programs whose scripts call what is tested.
const SHELLS: [&str; 4] = ["sh", "bash", "setsid", "timeout"];

/// Bytes of layers from which on an image is saved and recomputed once in a process, and not after every test: those of a
/// whole distribution.
const LARGE: u64 = 32 << 20;

/// IDs of images that were recomputed from what `save` made of them.
static RECOMPUTED: Mutex<BTreeSet<OsString>> = Mutex::new(BTreeSet::new());

fn names_in(folder: &Path) -> Vec<OsString> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.checked && !std::thread::panicking() {
            self.check();
            self.check_saved();
        }
        end_processes_of(self.path());
    }
}

/// Kills what a test left behind, above all when it failed: a monitor whose store is gone would stay for ever.
fn end_processes_of(folder: &Path) {
    let name = folder.as_os_str().as_encoded_bytes();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let pid = entry.file_name().to_str().and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid.filter(|_| line.windows(name.len()).any(|part| part == name)) {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
        }
    }
}

/// The binary under test: `ONGGI_BIN`, else the one that cargo built beside the running test.
///
/// # Panics
/// If there is none; the message says how to build it.
#[must_use]
pub fn binary() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the test harness is told by the environment what to test")]
    if let Some(path) = std::env::var_os("ONGGI_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a running test knows its own path");
    // target/debug/deps/test-1234 -> target/debug/onggi
    let path = test.ancestors().nth(2).expect("tests are run from target/<profile>/deps").join("onggi");
    assert!(path.exists(), "{} is missing; build it with `cargo build --package onggi`", path.display());
    path
}
