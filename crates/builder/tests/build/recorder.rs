//! Plays the part of the runtime: writes what a command says into the upper folder, and notes who asked for it.
//!
//! A command is a chain of words joined by `&&`: `write PATH TEXT`, `mkdir PATH`, `remove PATH`, `say TEXT`,
//! `variables PATH` (write the values of `ARG` and `VARIABLE`),
//! `take MOUNTED PATH` (write what a mounted file holds), `show PATH` (say what a mounted file holds), `keep PATH TEXT` (write into a mounted cache), `secret NAME` (say a
//! variable that is a secret; secrets are said in capitals), `betray PATH` (say all secrets as they are), `exit CODE`, `refuse REASON`, `meet COUNT` (wait until so many commands run at the same time), `until-cancelled`,
//! `hold` (wait until the test lets go). Anything else is not found.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use builder::{
    CannotRun, ExecutorError, HostAddress, RunLimits, RunMount, RunMountSource, RunNetwork, RunRequest, StepExecutor,
    Stream,
};

/// Longer than any machine needs; a test that waits for what never comes fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Recorder {
    calls: Mutex<Vec<String>>,
    /// How many commands wait at `meet`, how many have met, and whether `hold` may go on.
    gate: Mutex<(usize, usize, bool)>,
    moved: Condvar,
    /// The time that files get, in place of the clock.
    file_time: AtomicI64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            calls: Mutex::default(),
            gate: Mutex::default(),
            moved: Condvar::new(),
            file_time: AtomicI64::new(1_767_225_600),
        }
    }
}

impl Recorder {
    /// What commands write from now on is of this time.
    pub(crate) fn set_file_time(&self, seconds: i64) {
        self.file_time.store(seconds, Ordering::Relaxed);
    }

    /// All commands so far, one a line, with what differs from the usual surroundings.
    pub(crate) fn calls(&self) -> String {
        self.calls.lock().unwrap().join("\n")
    }

    pub(crate) fn forget(&self) {
        self.calls.lock().unwrap().clear();
    }

    /// Lets commands at `hold` go on.
    pub(crate) fn let_go(&self) {
        self.gate.lock().unwrap().2 = true;
        self.moved.notify_all();
    }

    fn wait(&self, mut over: impl FnMut(&(usize, usize, bool)) -> bool) -> Result<u8, ExecutorError> {
        let gate = self.gate.lock().unwrap();
        let (_gate, timeout) = self.moved.wait_timeout_while(gate, PATIENCE, |gate| !over(gate)).unwrap();
        if timeout.timed_out() { Err("waited in vain".into()) } else { Ok(0) }
    }

    fn meet(&self, count: usize) -> Result<u8, ExecutorError> {
        self.gate.lock().unwrap().0 += 1;
        self.moved.notify_all();
        self.wait(|gate| gate.0 >= count)
    }

    fn act(
        &self,
        action: &str,
        request: &RunRequest<'_>,
        log: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<u8, ExecutorError> {
        let (verb, rest) = action.split_once(' ').unwrap_or((action, ""));
        let upper = PathBuf::from(format!("/proc/self/fd/{}", request.upper.as_raw_fd()));
        let place = |path: &str| {
            let path = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", request.working_dir) };
            upper.join(path.trim_start_matches('/'))
        };
        match verb {
            "write" => {
                let (path, text) = rest.split_once(' ').unwrap_or((rest, ""));
                write(&place(path), text)?;
            }
            "variables" => {
                let value =
                    |name: &str| request.env.iter().find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
                write(&place(rest), &format!("{} {}", value("ARG="), value("VARIABLE=")))?;
            }
            "mkdir" => make_folders(&place(rest))?,
            "remove" => {
                white_out(&place(rest))?;
            }
            "show" => {
                let mut content = show(request.mounts, rest)?.unwrap_or_else(|| b"nothing".to_vec());
                if is_secret(request.mounts, rest) {
                    content.make_ascii_uppercase();
                }
                log(Stream::Stdout, &[&content, "\n".as_bytes()].concat());
            }
            "take" => {
                let (from, to) = rest.split_once(' ').unwrap_or((rest, ""));
                let content = show(request.mounts, from)?.unwrap_or_else(|| b"nothing".to_vec());
                write(&place(to), &String::from_utf8_lossy(&content))?;
            }
            "keep" => {
                let (path, text) = rest.split_once(' ').unwrap_or((rest, ""));
                return keep(request.mounts, path, text);
            }
            "secret" => {
                let value = request.secret_env.iter().find(|(name, _)| name == rest);
                let value = value.map_or(b"nothing".to_vec(), |(_, secret)| secret.expose().to_ascii_uppercase());
                log(Stream::Stdout, &[&value, &b"\n"[..]].concat());
            }
            "betray" => {
                for (_, secret) in request.secret_env {
                    secret.expose().chunks(2).for_each(|part| log(Stream::Stderr, part));
                }
                let content = show(request.mounts, rest)?.unwrap_or_default();
                log(Stream::Stdout, &[b"it is ", &content[..], b".\n"].concat());
            }
            "say" => log(Stream::Stdout, format!("{rest}\n").as_bytes()),
            "warn" => log(Stream::Stderr, format!("{rest}\n").as_bytes()),
            "exit" => return Ok(rest.parse()?),
            "no-emulator" => return Err(no_emulator()),
            "refuse" => return Err(rest.into()),
            "meet" => return self.meet(rest.parse()?),
            "hold" => return self.wait(|gate| gate.2),
            "until-cancelled" => {
                let began = Instant::now();
                while !request.cancelled.load(Ordering::Relaxed) {
                    if began.elapsed() > PATIENCE {
                        return Err("nobody cancelled".into());
                    }
                    std::thread::yield_now();
                }
                return Ok(137);
            }
            "nothing" => {}
            _ => return Ok(127),
        }
        Ok(0)
    }
}

impl StepExecutor for Recorder {
    fn run(&self, request: &RunRequest<'_>, log: &mut dyn FnMut(Stream, &[u8])) -> Result<u8, ExecutorError> {
        self.calls.lock().unwrap().push(describe(request));
        assert!(request.scratch.is_dir());
        let line = request.command.last().map_or("", String::as_str);
        let script = show(request.mounts, line)?.filter(|script| script.starts_with(b"#!"));
        let script = script.map(|script| String::from_utf8_lossy(&script).into_owned());
        // The interpreter's line does nothing.
        let line = script.as_deref().map_or(line, |script| script.split_once('\n').map_or("", |(_, rest)| rest));
        let line = if script.is_some() && line.trim().is_empty() { "nothing" } else { line };
        for action in line.split(" && ") {
            let code = self.act(action.trim(), request, log)?;
            if code != 0 {
                return Ok(code);
            }
        }
        let upper = format!("/proc/self/fd/{}/.", request.upper.as_raw_fd());
        set_times(Path::new(&upper), self.file_time.load(Ordering::Relaxed))?;
        Ok(0)
    }
}

/// Secrets are said in capitals, because their values are masked.
fn is_secret(mounts: &[RunMount<'_>], path: &str) -> bool {
    mounted(mounts, path)
        .is_some_and(|(mount, _)| matches!(mount.source, RunMountSource::File { executable: false, .. }))
}

fn no_emulator() -> ExecutorError {
    let message = "programs for linux/x cannot run here".to_owned();
    CannotRun { message, hint: "install it".to_owned() }.into()
}

/// `/bin/sh -c write /a` and then only what is not usual.
fn describe(request: &RunRequest<'_>) -> String {
    let mut text = request.command.join(" ");
    for pair in request.env.iter().filter(|pair| !pair.starts_with("PATH=")) {
        text += &format!(" {pair}");
    }
    if !request.user.is_empty() {
        text += &format!(" user={}", request.user);
    }
    if request.working_dir != "/" {
        text += &format!(" in={}", request.working_dir);
    }
    match request.network {
        RunNetwork::Default => {}
        RunNetwork::None => text += " network=none",
        RunNetwork::Host => text += " network=host",
    }
    if let Some(platform) = request.platform.filter(|platform| !platform.is_like(&oci::Platform::host())) {
        text += &format!(" for={platform}");
    }
    for mount in request.mounts {
        text += &describe_mount(mount);
    }
    for (name, _) in request.secret_env {
        text += &format!(" {name}=****");
    }
    text.extend(request.hostname.map(|name| format!(" on={name}")));
    for (name, address) in request.hosts {
        match address {
            HostAddress::Address(address) => text += &format!(" host={name}:{address}"),
            HostAddress::Gateway => text += &format!(" host={name}:gateway"),
        }
    }
    if *request.limits != RunLimits::default() {
        text += " limited";
    }
    text
}

/// ` bind=/src:ro`.
fn describe_mount(mount: &RunMount<'_>) -> String {
    let (kind, more) = match &mount.source {
        RunMountSource::Bind(tree) => ("bind", if tree.is_folder() { String::new() } else { ":file".to_owned() }),
        RunMountSource::Cache(_) => ("cache", String::new()),
        RunMountSource::Tmpfs { size } => ("tmpfs", size.map_or(String::new(), |size| format!(":{size}"))),
        RunMountSource::File { mode, uid, gid, executable, .. } => {
            let kind = if *executable { "script" } else { "file" };
            (kind, format!(":{mode:o}:{uid}:{gid}"))
        }
        RunMountSource::Agent { socket, mode, uid, gid } => {
            ("agent", format!(":{mode:o}:{uid}:{gid}:{}", socket.display()))
        }
    };
    let read_only = if mount.read_only { ":ro" } else { "" };
    format!(" {kind}={}{more}{read_only}", mount.target)
}

/// The innermost mount that a path is in, and the rest of the path.
fn mounted<'m, 'a>(mounts: &'m [RunMount<'a>], path: &'m str) -> Option<(&'m RunMount<'a>, &'m str)> {
    mounts.iter().rev().find_map(|mount| {
        let rest = path.strip_prefix(mount.target)?;
        if rest.is_empty() { Some((mount, "")) } else { Some((mount, rest.strip_prefix('/')?)) }
    })
}

fn show(mounts: &[RunMount<'_>], path: &str) -> Result<Option<Vec<u8>>, ExecutorError> {
    let Some((mount, inner)) = mounted(mounts, path) else { return Ok(None) };
    Ok(match &mount.source {
        RunMountSource::Bind(tree) => tree.read(inner.as_bytes())?,
        RunMountSource::Cache(folder) => {
            fs::read(PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(inner)).ok()
        }
        RunMountSource::File { content, .. } => Some(content.expose().to_vec()),
        RunMountSource::Tmpfs { .. } | RunMountSource::Agent { .. } => None,
    })
}

/// Overlayfs' whiteout; needs no privilege since Linux 5.8.
fn white_out(path: &Path) -> std::io::Result<()> {
    make_folders(path.parent().unwrap())?;
    let kind = rustix::fs::FileType::CharacterDevice;
    Ok(rustix::fs::mknodat(rustix::fs::CWD, path, kind, rustix::fs::Mode::empty(), 0)?)
}

/// Writes into a mounted cache.
fn keep(mounts: &[RunMount<'_>], path: &str, text: &str) -> Result<u8, ExecutorError> {
    let Some((mount, inner)) = mounted(mounts, path) else { return Ok(1) };
    let RunMountSource::Cache(folder) = &mount.source else { return Ok(1) };
    let folder = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    write(&folder.join(inner), text)?;
    Ok(0)
}

/// Gives all that was written the same time, so that a command that runs twice writes the same layer twice,
/// whatever second it is.
fn set_times(path: &Path, seconds: i64) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            set_times(&entry.path(), seconds)?;
        } else {
            set_time(&entry.path(), seconds)?;
        }
    }
    set_time(path, seconds)
}

fn set_time(path: &Path, seconds: i64) -> std::io::Result<()> {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    make_folders(path.parent().unwrap())?;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

/// As `mkdir -p`, with modes that do not depend on the umask.
fn make_folders(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    make_folders(path.parent().unwrap())?;
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
