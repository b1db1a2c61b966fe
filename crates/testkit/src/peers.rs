//! Other tools, with stores of their own: a dockerd that belongs to the caller, and podman with its folders set.
//!
//! What made them work on machines with cgroup v1 beside v2 and low limits is in docs/dev/benchmarks.md, "Tools".

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The limits that podman and buildah are given: they ask for more than a machine may allow.
pub const LIMITS: [&str; 4] = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

/// A running dockerd, stopped when dropped. Debian's 20.10 needs no flags but those for its own folders.
#[derive(Debug)]
pub struct Dockerd {
    child: Child,
    // A socket's name has at most 107 bytes, and containerd's lies deep below.
    sockets: tempfile::TempDir,
    bridge_was_there: bool,
}

impl Dockerd {
    /// Starts dockerd with its data in this folder and waits for its socket; `None` if it is not installed.
    ///
    /// # Errors
    /// When it does not come up, with the last line that it said.
    pub fn start(data: &Path) -> Result<Option<Self>, String> {
        let Some(program) = find("dockerd") else { return Ok(None) };
        let sockets = tempfile::Builder::new().prefix("onggi-docker-").tempdir_in("/tmp");
        let sockets = sockets.map_err(|error| format!("/tmp: {error}"))?;
        let log = sockets.path().join("log");
        let open = || std::fs::File::options().create(true).append(true).open(&log).map_err(|error| error.to_string());
        let mut command = Command::new(program);
        command.arg("--data-root").arg(data).arg("--exec-root").arg(sockets.path().join("exec"));
        command.arg("--pidfile").arg(sockets.path().join("pid")).arg("--host").arg(host(sockets.path()));
        let bridge_was_there = bridge().exists();
        let child = command.stdin(Stdio::null()).stdout(open()?).stderr(open()?).spawn();
        let child = child.map_err(|error| format!("cannot start dockerd: {error}"))?;
        let mut daemon = Self { child, sockets, bridge_was_there };
        daemon.wait(&log)?;
        Ok(Some(daemon))
    }

    /// Docker's client, connected to this daemon. Debian's own is preferred: BuildKit is built into it.
    ///
    /// # Panics
    /// If there is a dockerd but no client.
    #[must_use]
    pub fn docker(&self) -> Command {
        let debian = PathBuf::from("/usr/bin/docker");
        let program = if debian.exists() { Some(debian) } else { find("docker") };
        let mut command = Command::new(program.expect("docker's client is in the same package as its daemon"));
        command.arg("--host").arg(host(self.sockets.path())).env("DOCKER_CONFIG", self.sockets.path());
        command
    }

    /// The process ID of the daemon.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait(&mut self, log: &Path) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(self.sockets.path().join("docker.sock")).is_err() {
            let ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            if ended || Instant::now() > end {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                return Err(format!("dockerd did not start: {}", text.lines().last().unwrap_or("no message")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // It may have ended already; there is nobody left to tell.
        if rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok() {
            drop(self.child.wait());
        }
        // Its bridge outlives it; a machine that had none before should have none afterwards.
        if !self.bridge_was_there && bridge().exists() {
            drop(Command::new("ip").args(["link", "delete", "docker0"]).status());
        }
    }
}

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

fn find(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

fn host(sockets: &Path) -> String {
    format!("unix://{}", sockets.join("docker.sock").display())
}

fn bridge() -> &'static Path {
    Path::new("/sys/class/net/docker0")
}
