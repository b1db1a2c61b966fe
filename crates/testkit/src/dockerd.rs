//! A dockerd that belongs to the caller: Debian's own, or a newer one that `cargo xtask test` has fetched and unpacked.
//!
//! Debian's is what the machine has, with its bridge and its rules for packets. The newer one is a folder of programs in
//! the tests' cache, installed nowhere; it is started without any network of its own, so that it leaves nothing behind,
//! and its builds are given [`HOST_NETWORK`].

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::base_image::cache_folder;
use crate::peers::find;

/// The folder in the tests' cache that holds a newer docker: `root/` with its programs, and its `version`.
pub const NEWER_DOCKER: &str = "docker-newer";

/// What a build in [`Dockerd::start_newer`] needs, since RUN has no other network there.
pub const HOST_NETWORK: [&str; 2] = ["--network", "host"];

/// Where buildx is in an unpacked root, and where docker's client looks for it in the folder of its settings.
const BUILDX: &str = "usr/libexec/docker/cli-plugins/docker-buildx";

/// No bridge, no rules for packets, no forwarding.
const WITHOUT_NETWORK: [&str; 5] =
    ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"];

/// A docker that was unpacked into a folder: daemon, containerd, client and buildx. Its runc is the machine's.
#[derive(Debug, Clone)]
pub struct NewerDocker {
    root: PathBuf,
    version: String,
}

impl NewerDocker {
    /// The one in the tests' cache.
    ///
    /// # Errors
    /// If there is none, with the words that follow `requires`.
    pub fn find() -> Result<Self, String> {
        Self::find_in(&cache_folder().join(NEWER_DOCKER))
    }

    /// The one in this folder.
    ///
    /// # Errors
    /// If there is none, with the words that follow `requires`.
    pub fn find_in(folder: &Path) -> Result<Self, String> {
        let Ok(version) = std::fs::read_to_string(folder.join("version")) else {
            return Err("a newer docker (`cargo xtask test` fetches it where it can)".to_owned());
        };
        Ok(Self { root: folder.join("root"), version: version.trim().to_owned() })
    }

    /// What its daemon calls itself: `28.5.2+dfsg4`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A program of it, which finds the others before those of the machine.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.root.join(program));
        let (programs, daemons) = (self.root.join("usr/bin"), self.root.join("usr/sbin"));
        let machine = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"].map(PathBuf::from);
        let path = std::env::join_paths([programs, daemons].into_iter().chain(machine));
        command.env("PATH", path.expect("the tests' cache has no colon in its name"));
        command
    }
}

/// A running dockerd, stopped when dropped. Debian's 20.10 needs no flags but those for its own folders.
#[derive(Debug)]
pub struct Dockerd {
    child: Child,
    newer: Option<NewerDocker>,
    // A socket's name has at most 107 bytes, and containerd's lies deep below.
    sockets: tempfile::TempDir,
    is_bridged: bool,
}

/// The daemons of this process that share `docker0`.
#[derive(Debug)]
struct Bridged {
    count: usize,
    was_there: bool,
}

static BRIDGED: Mutex<Bridged> = Mutex::new(Bridged { count: 0, was_there: false });

fn bridged() -> MutexGuard<'static, Bridged> {
    BRIDGED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dockerd {
    /// Starts Debian's dockerd with its data in this folder and waits for its socket; `None` if it is not installed.
    ///
    /// # Errors
    /// When it does not come up, with the last line that it said.
    pub fn start(data: &Path) -> Result<Option<Self>, String> {
        let Some(program) = find("dockerd") else { return Ok(None) };
        // One after the other: each sets up the bridge that it finds, or makes it.
        let mut bridged = bridged();
        if bridged.count == 0 {
            bridged.was_there = bridge().exists();
        }
        let mut daemon = Self::start_program(Command::new(program), None, data)?;
        daemon.is_bridged = true;
        bridged.count += 1;
        Ok(Some(daemon))
    }

    /// The same without networks: for tests that run beside others and start no container in it.
    ///
    /// # Errors
    /// As [`Dockerd::start`].
    pub fn start_without_network(data: &Path) -> Result<Option<Self>, String> {
        let Some(program) = find("dockerd") else { return Ok(None) };
        let mut command = Command::new(program);
        command.args(WITHOUT_NETWORK);
        Self::start_program(command, None, data).map(Some)
    }

    /// Starts a newer dockerd with its data in this folder, without networks, and waits for its socket.
    ///
    /// # Errors
    /// When it does not come up, with the last line that it said.
    pub fn start_newer(newer: &NewerDocker, data: &Path) -> Result<Self, String> {
        let mut program = newer.command("usr/sbin/dockerd");
        program.args(WITHOUT_NETWORK);
        let daemon = Self::start_program(program, Some(newer.clone()), data)?;
        let plugins = daemon.sockets.path().join("cli-plugins");
        std::fs::create_dir(&plugins)
            .and_then(|()| symlink(newer.root.join(BUILDX), plugins.join("docker-buildx")))
            .map_err(|error| format!("{}: {error}", plugins.display()))?;
        Ok(daemon)
    }

    fn start_program(mut command: Command, newer: Option<NewerDocker>, data: &Path) -> Result<Self, String> {
        let sockets = tempfile::Builder::new().prefix("onggi-docker-").tempdir_in("/tmp");
        let sockets = sockets.map_err(|error| format!("/tmp: {error}"))?;
        let log = sockets.path().join("log");
        let open = || std::fs::File::options().create(true).append(true).open(&log).map_err(|error| error.to_string());
        command.arg("--data-root").arg(data).arg("--exec-root").arg(sockets.path().join("exec"));
        command.arg("--pidfile").arg(sockets.path().join("pid")).arg("--host").arg(host(sockets.path()));
        let child = command.stdin(Stdio::null()).stdout(open()?).stderr(open()?).spawn();
        let child = child.map_err(|error| format!("cannot start dockerd: {error}"))?;
        let mut daemon = Self { child, newer, sockets, is_bridged: false };
        daemon.wait(&log)?;
        Ok(daemon)
    }

    /// Docker's client, connected to this daemon. Debian's own is preferred: BuildKit is built into it.
    ///
    /// # Panics
    /// If there is a dockerd but no client.
    #[must_use]
    pub fn docker(&self) -> Command {
        let mut command = match &self.newer {
            Some(newer) => newer.command("usr/bin/docker"),
            None => {
                let debian = PathBuf::from("/usr/bin/docker");
                let program = if debian.exists() { Some(debian) } else { find("docker") };
                Command::new(program.expect("docker's client is in the same package as its daemon"))
            }
        };
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
        while !answers(&self.sockets.path().join("docker.sock")) {
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
        if !self.is_bridged {
            return;
        }
        let mut bridged = bridged();
        bridged.count -= 1;
        // The bridge outlives the last of them; a machine that had none before should have none afterwards.
        if bridged.count == 0 && !bridged.was_there && bridge().exists() {
            drop(Command::new("ip").args(["link", "delete", "docker0"]).status());
        }
    }
}

/// Whether a daemon serves there. It listens long before that, and may end in between.
fn answers(socket: &Path) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"))
}

fn host(sockets: &Path) -> String {
    format!("unix://{}", sockets.join("docker.sock").display())
}

fn bridge() -> &'static Path {
    Path::new("/sys/class/net/docker0")
}
