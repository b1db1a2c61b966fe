//! `info` and `version`: what this program is, and what this machine lets it do.

use std::path::PathBuf;

use image::Rung;

use crate::containers::ContainerStatus;
use crate::containers::container::Container;
use crate::{Engine, Error};

/// How layers become folders (decision 0003).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The kernel mounts the layer's tar.
    Erofs,
    /// Layers are extracted to folders.
    Extracted,
    /// Each root is a copy of all its layers.
    Copied,
    /// The same, for RUN alone, whose commands run in a folder.
    Folder,
    /// Not at all: steps without RUN work.
    Nothing,
}

/// What `info` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// This program's version.
    pub version: String,
    /// The store's folder.
    pub store: PathBuf,
    /// How layers become folders.
    pub backend: Backend,
    /// Why not a better one.
    pub backend_reason: Option<String>,
    /// Release of the kernel.
    pub kernel: String,
    /// In Go's words: `linux`.
    pub os: String,
    /// In Go's words: `amd64`.
    pub architecture: String,
    /// In the kernel's words: `x86_64`.
    pub machine: String,
    /// What the distribution calls itself: `Debian GNU/Linux 12 (bookworm)`.
    pub operating_system: String,
    /// Its version, where it says one: `12`.
    pub os_version: String,
    /// The machine's name.
    pub hostname: String,
    /// Processors that may be used.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// `2`, `1`, `1 (hybrid)`, or `none`.
    pub cgroup_version: String,
    /// What `--runtime` offers by name; the first is the default.
    pub runtimes: Vec<String>,
    /// Whether this process is root.
    pub is_root: bool,
    /// Where ports are published that name no address of the host.
    pub publish_address: String,
    /// Number of images.
    pub images: usize,
    /// Number of containers.
    pub containers: usize,
    /// Of these, how many run.
    pub containers_running: usize,
    /// Those that are paused.
    pub containers_paused: usize,
    /// Of these, how many do not.
    pub containers_stopped: usize,
}

/// What `version` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// This program's version.
    pub version: String,
    /// In Go's words.
    pub os: String,
    /// In Go's words.
    pub architecture: String,
    /// Release of the kernel.
    pub kernel: String,
}

/// This program's version, and what it was made for.
pub fn version() -> Version {
    let platform = oci::Platform::host();
    Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        os: platform.os,
        architecture: platform.architecture,
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
    }
}

/// Looks at the store and at the machine.
///
/// # Errors
/// When the store cannot be read.
pub fn info(engine: &Engine) -> Result<Info, Error> {
    let store = engine.store();
    let (backend, backend_reason) = backend(engine)?;
    let containers = Container::all(engine)?;
    let (mut running, mut paused) = (0, 0);
    for container in &containers {
        match container.state()?.status() {
            ContainerStatus::Running | ContainerStatus::Restarting => running += 1,
            ContainerStatus::Paused => paused += 1,
            ContainerStatus::Created | ContainerStatus::Exited => {}
        }
    }
    let version = version();
    let host = rustix::system::uname();
    let release = os_release();
    let system = rustix::system::sysinfo();
    Ok(Info {
        version: version.version,
        store: store.path().to_owned(),
        backend,
        backend_reason,
        kernel: version.kernel,
        os: version.os,
        architecture: version.architecture,
        machine: host.machine().to_string_lossy().into_owned(),
        operating_system: word(&release, "PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned()),
        os_version: word(&release, "VERSION_ID").unwrap_or_default(),
        hostname: host.nodename().to_string_lossy().into_owned(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory: system.totalram.saturating_mul(u64::from(system.mem_unit)),
        cgroup_version: cgroup_version().to_owned(),
        runtimes: ["onggi", "crun", "runc"].map(str::to_owned).to_vec(),
        is_root: rustix::process::geteuid().is_root(),
        publish_address: engine.host_config()?.ip.map_or_else(|| "0.0.0.0".to_owned(), |address| address.to_string()),
        images: store.image_ids()?.len(),
        containers: containers.len(),
        containers_running: running,
        containers_paused: paused,
        containers_stopped: containers.len() - running - paused,
    })
}

/// os-release(5), wherever it is.
fn os_release() -> String {
    let files = ["/etc/os-release", "/usr/lib/os-release"];
    files.iter().find_map(|file| std::fs::read_to_string(file).ok()).unwrap_or_default()
}

fn word(release: &str, name: &str) -> Option<String> {
    let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// How roots are made here, and why not in a better way.
fn backend(engine: &Engine) -> Result<(Backend, Option<String>), Error> {
    if let Err(refusal) = engine.store().want_identities() {
        return Ok((Backend::Nothing, Some(causes(&refusal))));
    }
    if let Some(reason) = engine.why_no_namespaces() {
        return Ok((Backend::Folder, Some(reason.to_owned())));
    }
    let (rung, refusal) = image::rung(engine.store())?;
    let backend = match rung {
        Rung::Erofs => Backend::Erofs,
        Rung::Extracted => Backend::Extracted,
        Rung::Copied => Backend::Copied,
    };
    Ok((backend, refusal.map(|refusal| refusal.to_string())))
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// `CGROUP2_SUPER_MAGIC` of linux/magic.h.
const CGROUP2: u64 = 0x6367_7270;

fn cgroup_version() -> &'static str {
    let is_v2 = |path: &str| rustix::fs::statfs(path).is_ok_and(|statfs| statfs.f_type as u64 == CGROUP2);
    let exists = |path: &str| rustix::fs::stat(path).is_ok();
    if is_v2("/sys/fs/cgroup") {
        "2"
    } else if is_v2("/sys/fs/cgroup/unified") {
        "1 (hybrid)"
    } else if exists("/sys/fs/cgroup/memory") || exists("/sys/fs/cgroup/cpu") {
        "1"
    } else {
        "none"
    }
}
