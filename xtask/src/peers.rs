//! A docker newer than Debian 12's, for the tests that compare with BuildKit as it is now.
//!
//! It comes from Debian's unstable archive through an apt with lists, cache and sources of its own, so that the machine's
//! apt neither knows of it nor installs from it; the packages are unpacked into the tests' cache and nothing else of
//! them is run. Where that is not possible the tests that compare say that they were skipped. runc is the machine's.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Result, machine, process, say};

#[cfg(test)]
mod tests;

/// What is unpacked, and nothing that it depends on: the rest is there with Debian 12.
const PACKAGES: [&str; 4] = ["docker.io", "docker-cli", "docker-buildx", "containerd"];

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An archive that does not answer costs seconds and not minutes.
const PATIENCE: [&str; 10] = [
    "-o",
    "Acquire::Retries=1",
    "-o",
    "Acquire::http::Timeout=15",
    "-o",
    "Acquire::Languages=none",
    "-o",
    "APT::Sandbox::User=root",
    "-o",
    "APT::Update::Error-Mode=any",
];

/// Fetches and unpacks it, unless it is there, and says which version there is, or why there is none.
pub(crate) fn ensure(cache: &Path) {
    let folder = cache.join(testkit::NEWER_DOCKER);
    if let Ok(newer) = testkit::NewerDocker::find_in(&folder) {
        say::line(&format!("    docker {} to compare with is unpacked", newer.version()));
        return;
    }
    match fetch(cache, &folder) {
        Ok(version) => say::line(&format!("    docker {version} to compare with was fetched and unpacked")),
        Err(problem) => {
            say::line(&format!("    warning: no newer docker to compare with: {}", reason(&problem)));
            say::line("    the tests that need it are skipped");
        }
    }
}

fn fetch(cache: &Path, folder: &Path) -> Result<String> {
    let tools = ["apt-get", "dpkg-deb"].map(machine::find);
    let [Some(apt), Some(dpkg)] = tools else { return Err("this machine has no apt-get".to_owned()) };
    if !machine::is_root() {
        return Err("not root, who alone could start it".to_owned());
    }
    fs::create_dir_all(cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let work = tempfile::Builder::new().prefix("docker-").tempdir_in(cache);
    let work = work.map_err(|error| format!("{}: {error}", cache.display()))?;
    say::line("    fetching a newer docker from Debian's unstable archive, which is not installed");
    let apt = Apt::new(&apt, work.path())?;
    process::output(&mut apt.command("update", &[]))?;
    process::output(&mut apt.command("download", &PACKAGES))?;
    let whole = work.path().join("whole");
    let root = whole.join("root");
    fs::create_dir(&whole).map_err(|error| format!("{}: {error}", whole.display()))?;
    for package in apt.downloaded()? {
        process::output(Command::new(&dpkg).arg("--extract").arg(package).arg(&root))?;
    }
    let answer = process::output(Command::new(root.join("usr/sbin/dockerd")).arg("--version"))?;
    let version = version(&answer).ok_or_else(|| format!("its dockerd says `{answer}`"))?;
    let moved = fs::write(whole.join("version"), version).and_then(|()| fs::rename(&whole, folder));
    moved.map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(version.to_owned())
}

/// The first thing that apt or dpkg calls an error, without the long line that they were called by.
fn reason(problem: &str) -> &str {
    let mut lines = problem.lines().map(str::trim);
    lines.clone().find(|line| line.starts_with("E: ")).or_else(|| lines.next_back()).unwrap_or_default()
}

/// Where this machine's own apt gets Debian's packages from.
fn machines_mirror(apt: &Path) -> Result<String> {
    let words = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"];
    let targets = process::output(Command::new(apt).args(words))?;
    let first = targets.lines().next().ok_or("this machine's apt knows no archive of Debian's")?;
    Ok(first.trim_end_matches('/').to_owned())
}

/// `Docker version 28.5.2+dfsg4, build …` has `28.5.2+dfsg4`.
fn version(answer: &str) -> Option<&str> {
    let (version, _) = answer.strip_prefix("Docker version ")?.split_once(',')?;
    version.starts_with(|first: char| first.is_ascii_digit()).then_some(version)
}

/// An apt that shares nothing with the machine's but its proxies and its keys.
struct Apt<'a> {
    program: &'a Path,
    folder: &'a Path,
}

impl<'a> Apt<'a> {
    fn new(program: &'a Path, folder: &'a Path) -> Result<Self> {
        let mirror = process::variable("ONGGI_DEBIAN_MIRROR").map_or_else(|| machines_mirror(program), Ok)?;
        let source = format!("deb [signed-by={KEYRING}] {mirror} sid main\n");
        fs::write(folder.join("sources.list"), source)
            .and_then(|()| fs::create_dir_all(folder.join("lists/partial")))
            .and_then(|()| fs::create_dir_all(folder.join("cache/archives/partial")))
            .and_then(|()| fs::create_dir(folder.join("packages")))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { program, folder })
    }

    fn command(&self, verb: &str, names: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.arg("-q").args(PATIENCE);
        let paths = [("Dir::Etc::SourceList", "sources.list"), ("Dir::State::Lists", "lists"), ("Dir::Cache", "cache")];
        for (option, name) in paths {
            command.arg("-o").arg(format!("{option}={}", self.folder.join(name).display()));
        }
        command.args(["-o", "Dir::Etc::SourceParts=/dev/null", verb]).args(names);
        command.current_dir(self.folder.join("packages"));
        command
    }

    fn downloaded(&self) -> Result<Vec<std::path::PathBuf>> {
        let folder = self.folder.join("packages");
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let packages: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        if packages.len() == PACKAGES.len() {
            Ok(packages)
        } else {
            Err(format!("{} of {} packages came", packages.len(), PACKAGES.len()))
        }
    }
}
