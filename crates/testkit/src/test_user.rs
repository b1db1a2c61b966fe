//! Somebody without root: with `ONGGI_TEST_USER=NAME` every command of a sandbox is run as that user, who owns the sandbox.
//!
//! So the tests of root are those of everybody else as well.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, CWD, Gid, Uid};

/// An ordinary user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestUser {
    /// As in `/etc/passwd`.
    pub name: String,
    /// User ID.
    pub uid: u32,
    /// ID of the user's first group.
    pub gid: u32,
}

impl TestUser {
    /// The user that this run of the tests is for; `None` when commands are run as whoever runs the tests.
    ///
    /// # Panics
    /// If there is no such user.
    #[must_use]
    pub fn current() -> Option<&'static Self> {
        static CURRENT: OnceLock<Option<TestUser>> = OnceLock::new();
        let find = || {
            #[expect(clippy::disallowed_methods, reason = "the test harness is told by the environment what to test")]
            let name = std::env::var("ONGGI_TEST_USER").ok().filter(|name| !name.is_empty())?;
            Some(Self::named(&name).unwrap_or_else(|| panic!("ONGGI_TEST_USER: there is no user `{name}`")))
        };
        CURRENT.get_or_init(find).as_ref()
    }

    /// A user by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
        Some(Self { name: name.to_owned(), uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    }

    /// A user with subordinate IDs, made on this machine when first asked for. Needs root.
    ///
    /// # Panics
    /// If `useradd` cannot make it, or gives it no such IDs.
    #[must_use]
    pub fn with_subordinate_ids() -> &'static Self {
        static USER: OnceLock<TestUser> = OnceLock::new();
        USER.get_or_init(|| {
            let user = Self::made("onggi-test-many");
            assert!(user.has_subordinate_ids(), "`useradd` gave `{}` no subordinate IDs", user.name);
            user
        })
    }

    /// A user without any, made in the same way.
    ///
    /// # Panics
    /// If `useradd` cannot make it, or the IDs cannot be taken from it.
    #[must_use]
    pub fn without_subordinate_ids() -> &'static Self {
        static USER: OnceLock<TestUser> = OnceLock::new();
        USER.get_or_init(|| {
            let user = Self::made("onggi-test-single");
            for flag in ["--del-subuids", "--del-subgids"] {
                // More than there are is no mistake.
                Command::new("usermod")
                    .args([flag, "0-4294967294", &user.name])
                    .status()
                    .expect("usermod is installed");
            }
            assert!(!user.has_subordinate_ids(), "`usermod` did not take the subordinate IDs from `{}`", user.name);
            user
        })
    }

    fn made(name: &str) -> Self {
        if Self::named(name).is_none() {
            // Another process of tests may be faster; then the user is there as well.
            Command::new("useradd").args(["--no-create-home", name]).status().expect("useradd is installed");
        }
        Self::named(name).unwrap_or_else(|| panic!("`useradd {name}` made no user"))
    }

    fn has_subordinate_ids(&self) -> bool {
        ["/etc/subuid", "/etc/subgid"].iter().any(|file| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            text.lines().any(|line| line.split(':').next() == Some(&self.name))
        })
    }

    /// Gives the user all below a folder that root owns, but for `store` once that is the user's: it may have many files.
    pub fn own(&self, folder: &Path, store: &Path) {
        let Ok(metadata) = folder.symlink_metadata() else { return };
        if folder == store && metadata.uid() != 0 {
            return;
        }
        if metadata.is_dir() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                self.own(&entry.path(), store);
            }
        }
        // Last: whoever finds the folder given away may use all in it.
        if metadata.uid() == 0 {
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            // It may go at any moment: a command that was started before still runs.
            rustix::fs::chownat(CWD, folder, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).ok();
        }
    }
}
