//! What is known of a container: how it was made, and how it is doing.

use oci::ImageId;
use serde::{Deserialize, Serialize};
use store::{ContainerFolder, ContainerLookup, ProcessIdentity};

use crate::{Engine, Error, ErrorKind};

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
    /// The whole environment, as the process gets it.
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
    /// It goes when it ends.
    pub auto_remove: bool,
    /// `bridge`, `none` or `host`.
    pub network: String,
    /// Bind mounts, `source:target[:ro]`.
    pub binds: Vec<String>,
    /// Runtime as asked for; `None` for our own.
    pub runtime: Option<String>,
    /// Signal that asks it to end.
    pub stop_signal: Option<String>,
    /// Labels of the image.
    pub labels: serde_json::Map<String, serde_json::Value>,
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
    /// Its address on the bridge.
    pub address: Option<String>,
}

/// What a container does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerStatus {
    /// Made, and never started.
    Created,
    /// Its first process is alive.
    Running,
    /// It ended.
    Exited,
}

impl ContainerState {
    /// What it does now; a process that is gone without a word counts as ended.
    pub fn status(&self) -> ContainerStatus {
        match (&self.process, self.started.is_empty()) {
            (Some((pid, start)), _) if (ProcessIdentity { pid: *pid, start: *start }).is_alive() => {
                ContainerStatus::Running
            }
            (None, true) => ContainerStatus::Created,
            _ => ContainerStatus::Exited,
        }
    }
}

/// A container with its folder.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) record: ContainerRecord,
    pub(crate) folder: ContainerFolder,
}

const RECORD: &str = "config.json";
const STATE: &str = "state.json";

impl Container {
    pub(crate) fn create(engine: &Engine, record: ContainerRecord) -> Result<Self, Error> {
        let folder = engine.store().create_container(&record.id, &record.name, record.image).map_err(|error| {
            let taken = matches!(error, store::StoreError::NameTaken { .. });
            let error = Error::from(error);
            if taken {
                error.with_hint(format!("remove it with `onggi rm {}`, or choose another name", record.name))
            } else {
                error
            }
        })?;
        folder.write(RECORD, &json(&record))?;
        Ok(Self { record, folder })
    }

    /// Finds a container by name, ID or prefix.
    pub(crate) fn find(engine: &Engine, text: &str) -> Result<Self, Error> {
        let missing = || Error::new(ErrorKind::NotFound, format!("no such container: {text}"));
        match engine.store().find_container(text)? {
            ContainerLookup::Found(id) => Self::open(engine, &id)?.ok_or_else(missing),
            ContainerLookup::NotFound => Err(missing().with_hint("`onggi ps -a` lists all containers")),
            ContainerLookup::Ambiguous => {
                let message = format!("the container ID `{text}` is ambiguous: several begin with it");
                Err(Error::new(ErrorKind::InvalidInput, message).with_hint("give more digits of the ID"))
            }
        }
    }

    /// Opens a container by its full ID; `None` when it is gone, or was never finished.
    pub(crate) fn open(engine: &Engine, id: &str) -> Result<Option<Self>, Error> {
        let Some(folder) = engine.store().container(id)? else { return Ok(None) };
        let Some(bytes) = folder.read(RECORD)? else { return Ok(None) };
        let record = serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(ErrorKind::Corrupt, format!("the description of container {id} is damaged")).because(&error)
        })?;
        Ok(Some(Self { record, folder }))
    }

    /// All containers, newest first.
    pub(crate) fn all(engine: &Engine) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        for id in engine.store().container_ids()? {
            all.extend(Self::open(engine, &id)?);
        }
        all.sort_by(|one: &Self, other| other.record.created.cmp(&one.record.created));
        Ok(all)
    }

    pub(crate) fn state(&self) -> Result<ContainerState, Error> {
        let bytes = self.folder.read(STATE)?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) fn write_state(&self, state: &ContainerState) -> Result<(), Error> {
        Ok(self.folder.write(STATE, &json(state))?)
    }

    pub(crate) fn remove(&self, engine: &Engine) -> Result<(), Error> {
        Ok(engine.store().remove_container(&self.record.id, &self.record.name)?)
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our records have text keys only, so they are always JSON")
}
