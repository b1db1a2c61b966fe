//! What this machine is: where the repository and cargo's target folder lie, who we are, which programs there are.

use std::path::{Path, PathBuf};

use crate::process::variable;
use crate::{Result, say};

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// What the tests make once and keep: base images of Debian, a newer docker.
pub(crate) fn test_cache() -> PathBuf {
    target_folder().join("testkit-cache")
}

/// True for root, who alone can mount, and install packages.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The first program of this name in PATH or the folders that are often left out of it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"]);
    folders.map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

/// True if cgroup v1 hierarchies are mounted, which crun refuses beside v2 (seen with 1.8 and 1.21).
pub(crate) fn has_cgroup_v1() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(2) == Some("cgroup"))
}

/// One line on what the figures of a benchmark were taken on.
pub(crate) fn describe() -> Result<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|error| format!("/proc: {error}"))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let cgroup = if has_cgroup_v1() { "v1 or hybrid" } else { "v2" };
    Ok(format!("Linux {}, {cores} cores, cgroup {cgroup}, load {load} at the start", kernel.trim()))
}

/// Fails with the same words everywhere.
pub(crate) fn require_root(what: &str) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    say::line(&format!("{what} installs packages and shows what Onggi does for root."));
    Err(format!("{what} needs root: run `sudo -E env PATH=\"$PATH\" cargo xtask {what}`"))
}
