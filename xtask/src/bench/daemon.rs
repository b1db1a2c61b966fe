//! A dockerd of our own, with its data in the folder of this call, started and stopped here.
//!
//! Debian's dockerd 20.10 needs no flag for cgroup v1, v2 or hybrid machines: own folders, an own socket and an own
//! file for its process ID are enough to run beside nothing or beside another one.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Work;
use crate::{Result, machine, say};

/// A running daemon; stopped when dropped.
#[derive(Debug)]
pub(super) struct Dockerd {
    child: Child,
    socket: PathBuf,
    bridge_was_there: bool,
}

impl Dockerd {
    /// Starts dockerd and waits for its socket; `None` if it is not installed.
    pub(super) fn start(work: &Work) -> Result<Option<Self>> {
        let Some(program) = machine::find("dockerd") else { return Ok(None) };
        let socket = work.short("docker.sock");
        let log = work.path("dockerd.log");
        let file = std::fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let errors = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(program);
        command.arg("--data-root").arg(work.path("docker")).arg("--exec-root").arg(work.short("exec"));
        command
            .arg("--pidfile")
            .arg(work.short("docker.pid"))
            .arg("--host")
            .arg(format!("unix://{}", socket.display()));
        let bridge_was_there = bridge().exists();
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        let child = child.map_err(|error| format!("cannot start dockerd: {error}"))?;
        let mut daemon = Self { child, socket, bridge_was_there };
        daemon.wait(&log)?;
        Ok(Some(daemon))
    }

    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    fn wait(&mut self, log: &Path) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(&self.socket).is_err() {
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
        if let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM) {
            say::line(&format!("warning: dockerd could not be stopped: {error}"));
        }
        drop(self.child.wait());
        // Its bridge outlives it; a machine that had none before should have none afterwards.
        if !self.bridge_was_there && bridge().exists() {
            drop(Command::new("ip").args(["link", "delete", "docker0"]).status());
        }
    }
}

fn bridge() -> &'static Path {
    Path::new("/sys/class/net/docker0")
}
