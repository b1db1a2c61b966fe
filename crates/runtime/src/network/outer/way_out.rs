//! The program of user space that carries packets between the outer namespace and the host's sockets.
//!
//! It gets the namespace as its standard input, whose path is the same in every version and every sandbox, and says on standard
//! output that it is ready.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::{OUTER_MTU, OUTER_NAME_SERVER};
use crate::network::bridge::open_routes;
use crate::sys;

/// The outer namespace's own address and its next hop. Link-local ones are nobody else's (RFC 3927), and eight of them are all that containers
/// cannot reach of the host's surroundings.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 77, 2);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 77, 1);
const PREFIX: &str = "29";
/// The interface that the program makes.
pub(super) const INTERFACE: &str = "tap0";
/// So much of what it complains about is kept.
const LONGEST_COMPLAINT: usize = 4096;

/// The program, as long as it runs; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct WayOut {
    program: &'static str,
    child: Child,
    process: OwnedFd,
    ready: Option<ChildStdout>,
    complaints: Option<ChildStderr>,
    complaint: String,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Event {
    Nothing,
    /// Packets get through.
    Ready,
    /// It has ended; why.
    Ended(String),
}

impl WayOut {
    /// Starts the program; `None` where the host itself has no way out. It is not ready yet.
    pub(super) fn start(namespace: BorrowedFd<'_>, forwards_names: bool) -> Result<Option<Self>, String> {
        let uplink = open_routes().map_err(|error| error.to_string())?.uplink();
        if uplink.is_ok_and(|uplink| uplink.is_none()) {
            return Ok(None);
        }
        Self::spawn("pasta", &pasta(forwards_names), namespace)
            .or_else(|reason| {
                let second = Self::spawn("slirp4netns", &slirp4netns(), namespace);
                second.map_err(|other| format!("{reason}; {other}"))
            })
            .map(Some)
    }

    fn spawn(program: &'static str, arguments: &[String], namespace: BorrowedFd<'_>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{program}: {error}");
        let namespace = namespace.try_clone_to_owned().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(namespace).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Our own thread is the parent, and there is no other.
        let die_with_us = || rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        let mut child = sys::spawn_prepared(&mut command, die_with_us).map_err(failed)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let process = pid.ok_or(rustix::io::Errno::SRCH).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
        let process = process.map_err(|errno| failed(errno.into()))?;
        let (ready, complaints) = (child.stdout.take(), child.stderr.take());
        for stream in [ready.as_ref().map(|stream| stream.as_fd()), complaints.as_ref().map(|stream| stream.as_fd())] {
            let stream = stream.ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?;
            rustix::io::ioctl_fionbio(stream, true).map_err(|errno| failed(errno.into()))?;
        }
        Ok(Self { program, child, process, ready, complaints, complaint: String::new() })
    }

    /// What to wait for: [`Self::look`] wants to know of each whether there is something, in this order.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let ready = self.ready.as_ref().map(|stream| stream.as_fd());
        let complaints = self.complaints.as_ref().map(|stream| stream.as_fd());
        [Some(self.process.as_fd()), ready, complaints].into_iter().flatten()
    }

    pub(super) fn look(&mut self, ready: &[bool]) -> Event {
        if !ready.contains(&true) {
            return Event::Nothing;
        }
        if let Some(stream) = &mut self.complaints {
            let mut buffer = [0; LONGEST_COMPLAINT];
            match stream.read(&mut buffer) {
                Ok(0) => self.complaints = None,
                Ok(len) => {
                    self.complaint.push_str(&String::from_utf8_lossy(&buffer[..len]));
                    let excess = self.complaint.len().saturating_sub(LONGEST_COMPLAINT);
                    let excess = (excess..).find(|at| self.complaint.is_char_boundary(*at)).unwrap_or_default();
                    drop(self.complaint.drain(..excess));
                }
                Err(_) => {}
            }
        }
        if let Ok(Some(status)) = self.child.try_wait() {
            let how = match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with {code}"),
                (None, signal) => format!("was killed by signal {}", signal.unwrap_or_default()),
            };
            let lines: Vec<&str> = self.complaint.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            return Event::Ended(format!("{} {how}: {}", self.program, lines.join("; ")));
        }
        if let Some(stream) = &mut self.ready {
            match stream.read(&mut [0; 64]) {
                // It has closed it, without a word: its end is near.
                Ok(0) => self.ready = None,
                Ok(_) => {
                    self.ready = None;
                    return Event::Ready;
                }
                Err(_) => {}
            }
        }
        Event::Nothing
    }
}

impl Drop for WayOut {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// pasta(1). It stays our child (`-f`), configures the namespace, forwards no ports, and does not lead containers to what listens on the
/// host's 127.0.0.1 alone (`--no-map-gw`).
fn pasta(forwards_names: bool) -> Vec<String> {
    let mut words = format!(
        "-f -q -4 --config-net -I {INTERFACE} -a {ADDRESS} -n {PREFIX} -g {GATEWAY} -m {OUTER_MTU} \
         -t none -u none -T none -U none --no-map-gw --no-dhcp --no-dhcpv6 --no-ndp --no-ra --no-netns-quit \
         -P /proc/self/fd/1 --netns /proc/self/fd/0"
    );
    if forwards_names {
        // Versions before 2024 answer from this address also those who asked the host's server by its own.
        words.push_str(&format!(" --dns-forward {OUTER_NAME_SERVER}"));
    }
    words.split_whitespace().map(str::to_owned).collect()
}

/// slirp4netns(1), where pasta is not installed. It answers who asks for names at [`OUTER_NAME_SERVER`], the third address of its network.
fn slirp4netns() -> Vec<String> {
    let words = format!(
        "--configure --mtu {OUTER_MTU} --disable-host-loopback --cidr 169.254.77.0/24 --netns-type path \
         --ready-fd 1 /proc/self/fd/0 {INTERFACE}"
    );
    words.split_whitespace().map(str::to_owned).collect()
}
