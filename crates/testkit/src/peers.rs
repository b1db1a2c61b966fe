//! Other tools, with stores of their own: podman and buildah with their folders set (docker is in `dockerd.rs`).
//!
//! What made them work on machines with cgroup v1 beside v2 and low limits is in docs/dev/benchmarks.md, "Tools".

use std::path::{Path, PathBuf};
use std::process::Command;

/// The limits that podman and buildah are given: they ask for more than a machine may allow.
pub const LIMITS: [&str; 4] = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

/// podman with its store in this folder; `None` if it is not installed. `run` and `build` want [`LIMITS`] too.
#[must_use]
pub fn podman(folder: &Path) -> Option<Command> {
    let mut command = storage_command("podman", folder)?;
    command.args(["--cgroup-manager", "cgroupfs"]).args(external_runtime());
    Some(command)
}

/// buildah with its store in this folder; `None` if it is not installed. `build` and `run` want [`LIMITS`] and
/// [`external_runtime`] too.
#[must_use]
pub fn buildah(folder: &Path) -> Option<Command> {
    storage_command("buildah", folder)
}

fn storage_command(name: &str, folder: &Path) -> Option<Command> {
    let mut command = Command::new(find(name)?);
    command.arg("--root").arg(folder.join("root")).arg("--runroot").arg(folder.join("run"));
    command.args(["--storage-driver", "overlay"]);
    Some(command)
}

/// podman and buildah mount a folder of their store onto itself; this makes the store removable again.
///
/// # Panics
/// If something there cannot be unmounted.
pub fn release_storage(folder: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let below =
        mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|path| Path::new(path).starts_with(folder));
    for path in below.collect::<Vec<_>>().into_iter().rev() {
        match rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH) {
            // Whoever else has unmounted it first has done our work.
            Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
            Err(error) => panic!("{path} stays mounted: {error}"),
        }
    }
}

/// crun, the default of podman and buildah, refuses machines that mount cgroup v1 beside v2.
#[must_use]
pub fn external_runtime() -> &'static [&'static str] {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let has_v1 = mounts.lines().any(|line| line.split(' ').nth(2) == Some("cgroup"));
    if has_v1 { &["--runtime", "runc"] } else { &[] }
}

/// The first program of this name in the folders of Debian's packages.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}
