//! What is written down of a container: how it was made, and how it is doing.
//!
//! What belongs together is in one struct, which the command line fills, the record keeps and `launch` obeys.

use oci::ImageId;
use serde::{Deserialize, Serialize};
use store::ProcessIdentity;

use super::health::{Health, HealthSettings};
use super::lifetime::Lifetime;
use super::limits::Limits;
use super::log::LogSettings;
use super::mounts::MountSettings;
use super::security::Security;
use super::streams::StreamSettings;
use crate::network::NetworkSettings;

/// How a container was made; written once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Its image.
    pub image: ImageId,
    /// The image as it was asked for.
    pub image_name: String,
    /// Entrypoint of the image or of the command line.
    pub entrypoint: Vec<String>,
    /// Words after the entrypoint.
    pub cmd: Vec<String>,
    /// Variables of the command line and the image, `KEY=VALUE`; `KEY` alone takes one away.
    pub env: Vec<String>,
    /// Absolute folder.
    pub working_dir: String,
    /// As asked for: names or numbers.
    pub user: String,
    /// Its own host name.
    pub hostname: String,
    /// It has a terminal.
    pub tty: bool,
    /// Its standard input is open.
    pub interactive: bool,
    /// Runtime as asked for; `None` for our own.
    pub runtime: Option<String>,
    /// Labels of the image.
    pub labels: serde_json::Map<String, serde_json::Value>,
    /// When it ends, and what comes then.
    pub lifetime: Lifetime,
    /// What is mounted in it.
    pub mounts: MountSettings,
    /// Its connection to the world.
    pub network: NetworkSettings,
    /// What whoever started it is attached to.
    #[serde(default)]
    pub streams: StreamSettings,
    /// How its output is kept.
    #[serde(default)]
    pub log: LogSettings,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// What keeps it apart from the host.
    #[serde(default)]
    pub security: Security,
    /// How its health is looked after.
    #[serde(default)]
    pub health: HealthSettings,
}

impl ContainerRecord {
    /// The environment that its processes get: ours, then its own; nothing of the host's (S047).
    pub(crate) fn environment(&self) -> Vec<String> {
        let mut env = vec![
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            format!("HOSTNAME={}", self.hostname),
        ];
        if self.tty {
            env.push("TERM=xterm".to_owned());
        }
        for pair in &self.env {
            let name = pair.split('=').next();
            let known = env.iter().position(|known| known.split('=').next() == name);
            match (known, pair.contains('=')) {
                (Some(place), true) => env[place].clone_from(pair),
                (None, true) => env.push(pair.clone()),
                (Some(place), false) => drop(env.remove(place)),
                (None, false) => {}
            }
        }
        env
    }
}

/// How a container is doing, as last written down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContainerState {
    /// When its process began, RFC 3339; empty before.
    pub started: String,
    /// When it ended; empty before.
    pub finished: String,
    /// ID and start time of its first process, while it runs.
    pub process: Option<(u32, u64)>,
    /// How it ended, as Docker counts.
    pub exit_code: Option<u8>,
    /// Why it could not start.
    pub error: String,
    /// The kernel killed one of its processes because it wanted more memory than it may have.
    #[serde(default)]
    pub oom_killed: bool,
    /// Whether it works, if that is looked after; in a file of its own.
    #[serde(skip)]
    pub health: Option<Health>,
    /// Its processes are frozen: asked of the kernel, written down nowhere.
    #[serde(skip)]
    pub paused: bool,
    /// It has ended, and is about to be started again.
    #[serde(default)]
    pub is_restarting: bool,
    /// So often it was started again, since somebody started it.
    #[serde(default)]
    pub restarts: u32,
}

/// What a container does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerStatus {
    /// Made, and never started.
    Created,
    /// Its first process is alive.
    Running,
    /// Its first process is alive, and frozen with all others.
    Paused,
    /// It ended, and is about to be started again.
    Restarting,
    /// It ended.
    Exited,
}

impl ContainerStatus {
    /// Docker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Paused => "paused",
            Self::Exited => "exited",
        }
    }
}

impl ContainerState {
    /// What it does now.
    pub fn status(&self) -> ContainerStatus {
        match (&self.process, self.started.is_empty()) {
            (Some(_), _) if self.paused => ContainerStatus::Paused,
            (Some(_), _) => ContainerStatus::Running,
            (None, _) if self.is_restarting => ContainerStatus::Restarting,
            (None, true) => ContainerStatus::Created,
            (None, false) => ContainerStatus::Exited,
        }
    }

    /// Its first process is alive, paused or not.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Its first process, as written down, is alive.
    pub(crate) fn is_process_alive(&self) -> bool {
        self.process.is_some_and(|(pid, start)| ProcessIdentity { pid, start }.is_alive())
    }

    /// It runs, or is about to.
    pub fn is_active(&self) -> bool {
        self.is_running() || self.is_restarting
    }

    /// Its process, as written down, is gone; or somebody has to be there who starts it again.
    pub(super) fn is_outdated(&self) -> bool {
        self.is_restarting || self.process.is_some() && !self.is_process_alive()
    }

    /// The container of an owner that died before it could write down the end.
    pub(super) fn lost(self) -> Self {
        if self.is_restarting {
            // How it ended is known; only the next start will not come.
            return Self { is_restarting: false, ..self };
        }
        let error = "how it ended is not known: the process that watched over it was killed".to_owned();
        Self { process: None, exit_code: Some(LOST), error, paused: false, ..self }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.process.is_none() && self.exit_code == Some(LOST) && self.finished.is_empty()
    }
}

/// What Docker reports for a container whose end nobody saw.
const LOST: u8 = 255;
