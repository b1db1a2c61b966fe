//! Trees of git repositories, by the `git` program.
//!
//! A repository, its server and its submodules are hostile: git gets an environment made from nothing, reads no
//! configuration of the system or the user, runs no hook and no filter, follows no transport but the four that are named here
//! (field notes, row 17: CVE-2022-39253, CVE-2026-33748 and the like), and is told refs behind `--` only. Secrets are
//! handed over in the environment, where other users cannot see them, and never on the command line.

mod error;
mod refs;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use crate::Surroundings;
use crate::process::{self, Finished, Limits};

pub use error::GitError;
use error::explain;
pub use refs::Resolved;
use refs::{choose, default_branch, is_digest};

/// The only ways to reach a repository, also for submodules: no `file`, no `ext`.
const PROTOCOLS: &str = "http:https:git:ssh";

/// What git does differently from what it would do by itself.
const SETTINGS: [(&str, &str); 16] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.autocrlf", "false"),
    ("core.symlinks", "true"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.logAllRefUpdates", "false"),
    ("init.templateDir", ""),
    ("init.defaultBranch", "main"),
    ("advice.detachedHead", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("safe.directory", "*"),
    ("submodule.recurse", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
];

/// A repository, and who may read it.
#[derive(Clone, Copy)]
pub struct Repository<'a> {
    /// What git is told: a URL without credentials, or `user@host:path`.
    pub remote: &'a str,
    /// Value of `Authorization` for its host.
    pub authorization: Option<&'a str>,
    /// Set when nobody waits any longer.
    pub cancelled: &'a AtomicBool,
}

impl std::fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// What of a repository is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Checkout<'a> {
    /// The whole digest.
    pub commit: &'a str,
    /// Full name of the ref that led to it, if one did.
    pub reference: Option<&'a str>,
    /// Ask for the commit first, not for the ref.
    pub by_commit: bool,
    /// Leave `.git` in the tree.
    pub keep_git_dir: bool,
    /// The repositories within it too.
    pub submodules: bool,
}

/// A tree on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedOut {
    /// The folder with its files.
    pub tree: PathBuf,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
}

/// Runs git.
#[derive(Debug)]
pub struct Git<'s> {
    surroundings: &'s Surroundings,
}

impl<'s> Git<'s> {
    /// Looks for nothing yet.
    pub fn new(surroundings: &'s Surroundings) -> Self {
        Self { surroundings }
    }

    /// The commit that a branch, a tag or the beginning of a commit's digest stands for; the default branch's without
    /// a name. `scratch` gives an empty folder, should the whole history be needed to know.
    ///
    /// # Errors
    /// When the repository cannot be read or has nothing of that name.
    pub fn resolve<E: From<GitError>>(
        &self,
        repository: &Repository<'_>,
        reference: Option<&str>,
        scratch: impl FnOnce() -> Result<PathBuf, E>,
    ) -> Result<Resolved, E> {
        if let Some(commit) = reference.filter(|reference| is_digest(reference)) {
            return Ok(Resolved { commit: commit.to_ascii_lowercase(), reference: None });
        }
        let mut command = self.git(repository);
        command.args(["ls-remote", "--quiet"]);
        if reference.is_none() {
            command.arg("--symref");
        }
        command.args(["--", repository.remote]);
        match reference {
            None => command.arg("HEAD"),
            Some(name) => command.args([name, &format!("{name}^{{}}")]),
        };
        let listed = self.run(command, repository, "list the refs of")?;
        let listed = String::from_utf8_lossy(&listed.output).into_owned();
        let found = match reference {
            None => default_branch(&listed),
            Some(name) => choose(&listed, name),
        };
        match (found, reference) {
            (Some(found), _) => Ok(found),
            (None, None) => Err(GitError::NoDefault { remote: repository.remote.to_owned() }.into()),
            (None, Some(name))
                if (4..40).contains(&name.len()) && name.bytes().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                Ok(self.resolve_beginning(repository, name, &scratch()?)?)
            }
            (None, Some(name)) => Err(no_reference(repository, name).into()),
        }
    }

    /// Servers know whole digests only: everything is fetched, and looked through.
    fn resolve_beginning(&self, repository: &Repository<'_>, begin: &str, folder: &Path) -> Result<Resolved, GitError> {
        let place = Place { git_dir: folder.join("history"), tree: None };
        self.init(repository, &place)?;
        self.fetch(repository, &place, &[], &EVERYTHING)?;
        let mut command = self.git_in(repository, &place);
        command.args(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{begin}^{{commit}}")]);
        match self.finish(command, repository)? {
            Finished { status, output, .. } if status.success() => {
                let commit = String::from_utf8_lossy(&output).trim().to_owned();
                Ok(Resolved { commit, reference: None })
            }
            _ => Err(no_reference(repository, begin)),
        }
    }

    /// Writes the files of a commit below `folder`, which is empty.
    ///
    /// # Errors
    /// When the repository or a submodule cannot be had.
    pub fn checkout(
        &self,
        repository: &Repository<'_>,
        wanted: &Checkout<'_>,
        folder: &Path,
    ) -> Result<CheckedOut, GitError> {
        let tree = folder.join("tree");
        std::fs::create_dir(&tree).map_err(|source| GitError::Start { source })?;
        let git_dir = if wanted.keep_git_dir { tree.join(".git") } else { folder.join("git") };
        let place = Place { git_dir, tree: Some(tree.clone()) };
        self.init(repository, &place)?;
        self.bring(repository, &place, wanted)?;
        let mut command = self.git_in(repository, &place);
        command.args(["checkout", "--quiet", "--force", "--detach", wanted.commit, "--"]);
        self.run(command, repository, "check out")?;
        if wanted.submodules && tree.join(".gitmodules").symlink_metadata().is_ok_and(|found| found.is_file()) {
            let mut command = self.git_in(repository, &place);
            command.args(["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1", "--force"]);
            self.run(command, repository, "fetch the submodules of")?;
        }
        let mut command = self.git_in(repository, &place);
        command.args(["show", "--no-patch", "--format=%ct", "--end-of-options", wanted.commit]);
        let shown = self.run(command, repository, "read the date of")?;
        let time = String::from_utf8_lossy(&shown.output).trim().parse().unwrap_or(0);
        if wanted.keep_git_dir {
            self.tidy(repository, &place)?;
        }
        Ok(CheckedOut { tree, time })
    }

    fn init(&self, repository: &Repository<'_>, place: &Place) -> Result<(), GitError> {
        let command = match &place.tree {
            // An ordinary repository does not say where its files are.
            Some(tree) if place.git_dir.starts_with(tree) => {
                let mut command = self.git(repository);
                command.args(["init", "--quiet", "--"]).arg(tree);
                command
            }
            Some(_) => {
                let mut command = self.git_in(repository, place);
                command.args(["init", "--quiet"]);
                command
            }
            None => {
                let mut command = self.git(repository);
                command.args(["init", "--quiet", "--bare", "--"]).arg(&place.git_dir);
                command
            }
        };
        self.run(command, repository, "make a folder for").map(drop)
    }

    /// Gets the commit: by its ref, by its digest, or with everything else.
    fn bring(&self, repository: &Repository<'_>, place: &Place, wanted: &Checkout<'_>) -> Result<(), GitError> {
        let by_reference = wanted.reference.map(|name| format!("+{name}:{name}"));
        let by_commit = Some(wanted.commit.to_owned());
        let ways = if wanted.by_commit { [by_commit, by_reference] } else { [by_reference, by_commit] };
        for way in ways.into_iter().flatten() {
            // Not every server gives commits by digest, or anything without its history.
            let fetched = self.fetch(repository, place, &["--depth=1", "--no-tags"], &[&way]);
            match fetched {
                Ok(()) if self.has(repository, place, wanted.commit)? => return Ok(()),
                Ok(()) | Err(GitError::Failed { .. } | GitError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let is_shallow = place.git_dir.join("shallow").exists();
        let unshallow = if is_shallow { &["--unshallow"][..] } else { &[] };
        self.fetch(repository, place, unshallow, &EVERYTHING)?;
        if self.has(repository, place, wanted.commit)? {
            return Ok(());
        }
        Err(no_reference(repository, wanted.commit))
    }

    fn has(&self, repository: &Repository<'_>, place: &Place, commit: &str) -> Result<bool, GitError> {
        let mut command = self.git_in(repository, place);
        command.args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        Ok(self.finish(command, repository)?.status.success())
    }

    fn fetch(&self, repository: &Repository<'_>, place: &Place, flags: &[&str], refs: &[&str]) -> Result<(), GitError> {
        let mut command = self.git_in(repository, place);
        command.args(["fetch", "--quiet", "--no-recurse-submodules", "--update-head-ok"]).args(flags);
        command.args(["--", repository.remote]).args(refs);
        self.run(command, repository, "fetch").map(drop)
    }

    /// Takes out of `.git` what only tells when and how it was fetched.
    fn tidy(&self, repository: &Repository<'_>, place: &Place) -> Result<(), GitError> {
        for name in ["FETCH_HEAD", "ORIG_HEAD"] {
            match std::fs::remove_file(place.git_dir.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(GitError::Start { source: error });
                }
                _ => {}
            }
        }
        let mut command = self.git_in(repository, place);
        command.args(["remote", "add", "--", "origin", repository.remote]);
        self.run(command, repository, "name the origin of").map(drop)
    }

    /// Git with nothing but what is said here.
    fn git(&self, repository: &Repository<'_>) -> Command {
        let mut command = Command::new("git");
        command.env_clear().env("PATH", &self.surroundings.path).current_dir("/");
        for (name, value) in [
            ("GIT_ALLOW_PROTOCOL", PROTOCOLS),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("HOME", "/dev/null"),
            ("LC_ALL", "C"),
            ("XDG_CONFIG_HOME", "/dev/null"),
        ] {
            command.env(name, value);
        }
        command.env("GIT_SSH_COMMAND", self.ssh());
        for (name, value) in [
            ("SSH_AUTH_SOCK", self.surroundings.ssh_agent.as_ref().map(|path| path.as_os_str())),
            ("http_proxy", self.surroundings.http_proxy.as_deref().map(OsStr::new)),
            ("https_proxy", self.surroundings.https_proxy.as_deref().map(OsStr::new)),
            ("no_proxy", self.surroundings.no_proxy.as_deref().map(OsStr::new)),
            ("GIT_SSL_CAINFO", self.surroundings.certificates.as_ref().map(|path| path.as_os_str())),
        ] {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        settings(&mut command, repository);
        command
    }

    /// No key but the agent's, if there is one; a host that is known must be the one that is known, and none is
    /// remembered.
    fn ssh(&self) -> OsString {
        let mut line = OsString::from("ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new");
        line.push(" -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentityFile=none");
        if self.surroundings.ssh_agent.is_none() {
            line.push(" -o IdentityAgent=none");
        }
        let known = self.surroundings.home.as_ref().map(|home| home.join(".ssh/known_hosts"));
        // Git hands the line to a shell.
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
        if let Some(known) = known.filter(|path| path.as_os_str().as_encoded_bytes().iter().all(plain)) {
            line.push(" -o 'GlobalKnownHostsFile=");
            line.push(known);
            line.push(" /etc/ssh/ssh_known_hosts'");
        }
        line
    }

    fn git_in(&self, repository: &Repository<'_>, place: &Place) -> Command {
        let mut command = self.git(repository);
        command.env("GIT_DIR", &place.git_dir);
        if let Some(tree) = &place.tree {
            command.env("GIT_WORK_TREE", tree).current_dir(tree);
        }
        command
    }

    fn finish(&self, command: Command, repository: &Repository<'_>) -> Result<Finished, GitError> {
        match process::run(command, &[], Limits::default(), repository.cancelled) {
            Ok(Some(finished)) => Ok(finished),
            Ok(None) => Err(GitError::Cancelled),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(GitError::Missing),
            Err(source) => Err(GitError::Start { source }),
        }
    }

    fn run(&self, command: Command, repository: &Repository<'_>, doing: &'static str) -> Result<Finished, GitError> {
        let finished = self.finish(command, repository)?;
        if finished.status.success() {
            return Ok(finished);
        }
        Err(explain(repository, doing, &finished.errors))
    }
}

/// Where a repository is being put.
struct Place {
    git_dir: PathBuf,
    /// Where its files go, if that is wanted.
    tree: Option<PathBuf>,
}

/// All branches and tags with their history.
const EVERYTHING: [&str; 2] = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];

/// Configuration by the environment: the command line can be seen by everybody.
fn settings(command: &mut Command, repository: &Repository<'_>) {
    let mut pairs: Vec<(String, String)> =
        SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if let (Some(value), Some(origin)) = (repository.authorization, origin(repository.remote)) {
        pairs.push((format!("http.{origin}.extraHeader"), format!("Authorization: {value}")));
        // Behind a redirect another host would be told.
        pairs.push(("http.followRedirects".to_owned(), "false".to_owned()));
    }
    command.env("GIT_CONFIG_COUNT", pairs.len().to_string());
    for (number, (name, value)) in pairs.into_iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{number}"), name).env(format!("GIT_CONFIG_VALUE_{number}"), value);
    }
}

/// `https://host/` of a URL: the scope of its credentials, also for submodules on the same host.
fn origin(remote: &str) -> Option<String> {
    let (scheme, rest) = remote.split_once("://")?;
    let host = rest.split('/').next()?;
    matches!(scheme, "http" | "https").then(|| format!("{scheme}://{host}/"))
}

fn no_reference(repository: &Repository<'_>, name: &str) -> GitError {
    GitError::NoReference { remote: repository.remote.to_owned(), reference: name.to_owned() }
}
