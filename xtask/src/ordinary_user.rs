//! The user without root for whom the tests of the command line are run once more: made if missing, with subordinate IDs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, machine, process, say};

/// What the user is called.
pub(crate) const NAME: &str = "onggi-test";

/// Tests that are not run as that user, each with its reason: `PROGRAM::TEST: reason`.
const EXCEPTIONS: &str = "crates/onggi/tests/not_without_root.txt";

/// A test that needs root for good, or is not about the user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    /// `it::network_ports::low_ports`, or the beginning of several.
    pub(crate) test: String,
    pub(crate) reason: String,
}

/// Makes sure that the user exists and may use 65,536 further IDs.
pub(crate) fn ensure() -> Result<()> {
    let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    if !users.lines().any(|line| line.split(':').next() == Some(NAME)) {
        let mut useradd = Command::new("useradd");
        useradd.args(["--create-home", "--shell", "/bin/sh", NAME]);
        say::line(&format!("    $ {}", process::line(&useradd)));
        process::output(&mut useradd)?;
    }
    for (file, flag) in [("/etc/subuid", "--add-subuids"), ("/etc/subgid", "--add-subgids")] {
        let granted = fs::read_to_string(file).unwrap_or_default();
        if granted.lines().any(|line| line.split(':').next() == Some(NAME)) {
            continue;
        }
        let first = first_free(&granted);
        let mut usermod = Command::new("usermod");
        usermod.args([flag, &format!("{first}-{}", first + 65_535), NAME]);
        say::line(&format!("    $ {}", process::line(&usermod)));
        process::output(&mut usermod)?;
    }
    open_tun()
}

/// What udev does where it runs: pasta opens this device as the user.
fn open_tun() -> Result<()> {
    let device = Path::new("/dev/net/tun");
    let everybody = fs::Permissions::from_mode(0o666);
    if !device.exists() || fs::metadata(device).is_ok_and(|found| found.permissions().mode() & 0o666 == 0o666) {
        return Ok(());
    }
    say::line(&format!("    $ chmod 0666 {}", device.display()));
    fs::set_permissions(device, everybody).map_err(|error| format!("{}: {error}", device.display()))
}

/// The first ID above all that are granted.
fn first_free(granted: &str) -> u64 {
    let end = |line: &str| {
        let mut fields = line.split(':').skip(1).map(|field| field.trim().parse::<u64>());
        Some(fields.next()?.ok()? + fields.next()?.ok()?)
    };
    granted.lines().filter_map(end).max().unwrap_or_default().max(100_000)
}

/// The user, with a program and a folder of its own.
#[derive(Debug)]
pub(crate) struct OrdinaryUser {
    user: testkit::TestUser,
    program: PathBuf,
}

impl OrdinaryUser {
    /// Makes the user where it is missing, and gives it `folder`.
    pub(crate) fn prepare(program: &Path, folder: &Path) -> Result<Self> {
        ensure()?;
        let user = testkit::TestUser::named(NAME).ok_or_else(|| format!("there is no user {NAME}"))?;
        std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { user, program: install(program)? })
    }

    /// The program, called by the user, with `folder/root` as its store.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.uid(self.user.uid).gid(self.user.gid);
        command.env("ONGGI_ROOT", folder.join("root")).env("HOME", folder).env_remove("XDG_RUNTIME_DIR");
        command
    }
}

/// A copy of the program in a place that every user can reach.
pub(crate) fn install(program: &Path) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join("onggi-of-everybody");
    let installed = folder.join("onggi");
    let failed = |error: std::io::Error| format!("{}: {error}", installed.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    // By another name first: the old one may be running.
    let new = folder.join("onggi.new");
    fs::copy(program, &new).map_err(failed)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    fs::rename(&new, &installed).map_err(failed)?;
    Ok(installed)
}

/// What is not run.
pub(crate) fn exceptions() -> Result<Vec<Exception>> {
    let path = machine::repository().join(EXCEPTIONS);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Exception>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (test, reason) = line.split_once(": ").ok_or_else(|| format!("{EXCEPTIONS}: no reason in `{line}`"))?;
            Ok(Exception { test: test.trim().to_owned(), reason: reason.trim().to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_above_those_of_others() {
        assert_eq!(first_free(""), 100_000);
        assert_eq!(first_free("a:100000:65536\nb:165536:10\nbroken\n"), 165_546);
    }

    #[test]
    fn an_exception_has_a_reason() {
        let parsed = parse("# why\n\nit::a::b: needs a device\n").unwrap();
        assert_eq!(parsed, [Exception { test: "it::a::b".to_owned(), reason: "needs a device".to_owned() }]);
        assert!(parse("it::a::b\n").is_err());
    }
}
