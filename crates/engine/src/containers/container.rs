//! A container with its folder: found, owned, described, removed.
//!
//! The process that runs a container (`run` in front, the monitor in the background) owns it: it holds a lock on the
//! container's folder from before the start until the end is written down. The kernel lets go of the lock when that
//! process dies, in whatever way, so nobody ever takes a dead container for a live one or the other way round.
//!
//! Volumes that were made for a container alone go with it where that was asked for: by `--rm`, or by `rm -v`.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use serde::Serialize;
use store::{ContainerFolder, ContainerLookup};

use super::health::{HEALTH, Health};
use super::pause::running;
use super::record::{ContainerRecord, ContainerState};

use crate::network::NetworkState;
use crate::{Engine, Error, ErrorKind};

/// A container with its folder.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) record: ContainerRecord,
    pub(crate) folder: ContainerFolder,
}

/// Says that this process runs the container; until it is dropped.
#[derive(Debug)]
pub(crate) struct Ownership {
    #[expect(dead_code, reason = "held for its lock")]
    folder: OwnedFd,
}

/// Keeps a container that ended from being removed, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    #[expect(dead_code, reason = "held for its lock")]
    record: OwnedFd,
}

/// How long the removal waits for those who want to know how the container ended.
const PATIENCE_WITH_READERS: Duration = Duration::from_secs(5);

const RECORD: &str = "config.json";
const STATE: &str = "state.json";

impl Container {
    pub(crate) fn create(engine: &Engine, record: ContainerRecord) -> Result<Self, Error> {
        let description = json(&record);
        let create = || {
            let volumes = record.mounts.volume_names();
            let (id, name) = (&record.id, &record.name);
            engine.store().create_container_with_volumes(id, name, record.image, &description, &volumes)
        };
        let folder = match create() {
            Err(store::StoreError::NameTaken { id, .. }) if Self::remove_if_lost(engine, &id)? => create(),
            other => other,
        };
        let folder = folder.map_err(|error| name_taken(error, &record.name))?;
        Ok(Self { record, folder })
    }

    /// Gives it another name.
    pub(crate) fn rename(&self, engine: &Engine, new: &str) -> Result<(), Error> {
        let rename = || engine.store().rename_container(&self.record.id, new);
        let renamed = match rename() {
            Err(store::StoreError::NameTaken { id, .. }) if Self::remove_if_lost(engine, &id)? => rename(),
            other => other,
        };
        renamed.map_err(|error| name_taken(error, new))?;
        NetworkState::rename(self, new)
    }

    /// Removes a container of `run --rm` whose owner was killed before it could do so. Says whether it did.
    fn remove_if_lost(engine: &Engine, id: &str) -> Result<bool, Error> {
        let Some(container) = Self::open(engine, id)? else { return Ok(true) };
        let is_lost = container.record.lifetime.auto_remove && container.state()?.is_lost();
        if is_lost {
            NetworkState::forget(engine, &container)?;
            container.remove(engine)?;
        }
        Ok(is_lost)
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
        let mut record: ContainerRecord = serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(ErrorKind::Corrupt, format!("the description of container {id} is damaged")).because(&error)
        })?;
        if let Some(name) = folder.later_name()? {
            record.name = name;
        }
        Ok(Some(Self { record, folder }))
    }

    /// All containers, newest first.
    pub(crate) fn all(engine: &Engine) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        for id in engine.store().container_ids()? {
            if let Some(container) = Self::open(engine, &id)?
                && !(container.record.lifetime.auto_remove && Self::remove_if_lost(engine, &id)?)
            {
                all.push(container);
            }
        }
        all.sort_by(|one: &Self, other| other.record.created.cmp(&one.record.created));
        Ok(all)
    }

    /// How it is doing.
    pub(crate) fn state(&self) -> Result<ContainerState, Error> {
        let mut state = self.written_state()?;
        if !state.is_outdated() || self.lock(FlockOperation::NonBlockingLockShared)?.is_none() {
            state.paused = running(self, &state).is_some_and(|running| running.is_frozen());
            // It runs, or has ended this moment and its owner is about to say so.
            return Ok(state);
        }
        let state = self.written_state()?;
        Ok(if state.is_outdated() { state.lost() } else { state })
    }

    /// The same for whoever owns it.
    pub(crate) fn owned_state(&self, _: &Ownership) -> Result<ContainerState, Error> {
        let state = self.written_state()?;
        Ok(if state.is_outdated() { state.lost() } else { state })
    }

    /// As its owner wrote it down.
    pub(crate) fn written_state(&self) -> Result<ContainerState, Error> {
        let bytes = self.folder.read(STATE)?.unwrap_or_default();
        let mut state: ContainerState = serde_json::from_slice(&bytes).unwrap_or_default();
        if !state.started.is_empty() && self.record.health.command().is_some() {
            let bytes = self.folder.read(HEALTH)?.unwrap_or_default();
            // Between the start and the first word about it.
            state.health = Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| Health::starting()));
        }
        Ok(state)
    }

    pub(crate) fn write_state(&self, state: &ContainerState) -> Result<(), Error> {
        Ok(self.folder.write(STATE, &json(state))?)
    }

    /// Replaces the description by one that has changed.
    pub(crate) fn write_record(&self) -> Result<(), Error> {
        Ok(self.folder.write(RECORD, &json(&self.record))?)
    }

    /// Makes this process the one that runs, or removes, the container; `None` when another one is.
    pub(crate) fn own(&self) -> Result<Option<Ownership>, Error> {
        Ok(self.lock(FlockOperation::NonBlockingLockExclusive)?.map(|folder| Ownership { folder }))
    }

    /// Keeps it from being removed.
    pub(crate) fn keep(&self) -> Result<Reader, Error> {
        let record = self.open_inside(RECORD, OFlags::RDONLY)?;
        flock(&record, FlockOperation::LockShared).map_err(|errno| self.cannot_lock(errno))?;
        Ok(Reader { record })
    }

    /// Locks by a descriptor of its own, so that two locks of one process exclude each other too.
    fn lock(&self, operation: FlockOperation) -> Result<Option<OwnedFd>, Error> {
        let folder = self.open_inside(".", OFlags::RDONLY | OFlags::DIRECTORY)?;
        match flock(&folder, operation) {
            Ok(()) => Ok(Some(folder)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(self.cannot_lock(errno)),
        }
    }

    fn open_inside(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Error> {
        rustix::fs::openat(self.folder.as_fd(), name, flags | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| self.cannot_lock(errno))
    }

    fn cannot_lock(&self, errno: rustix::io::Errno) -> Error {
        Error::new(ErrorKind::Internal, format!("cannot lock container {}", self.record.id)).because(&errno)
    }

    /// Removes it once nobody reads how it ended any more; with `--rm`, its anonymous volumes too (S050).
    pub(crate) fn remove(&self, engine: &Engine) -> Result<(), Error> {
        self.remove_folder(engine)?;
        if self.record.lifetime.auto_remove { self.remove_volumes(engine) } else { Ok(()) }
    }

    /// Removes it and its anonymous volumes.
    pub(crate) fn remove_with_volumes(&self, engine: &Engine) -> Result<(), Error> {
        self.remove_folder(engine)?;
        self.remove_volumes(engine)
    }

    /// What another container uses by now (`--volumes-from`) stays.
    fn remove_volumes(&self, engine: &Engine) -> Result<(), Error> {
        for name in self.record.mounts.anonymous_volumes() {
            engine.store().remove_volume(name)?;
        }
        Ok(())
    }

    fn remove_folder(&self, engine: &Engine) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE_WITH_READERS;
        // Without its record it has no readers.
        while let Ok(record) = self.open_inside(RECORD, OFlags::RDONLY)
            && flock(&record, FlockOperation::NonBlockingLockExclusive).is_err()
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        runtime::remove_control_group(&self.record.id);
        Ok(engine.store().remove_container(&self.record.id, &self.record.name)?)
    }
}

fn name_taken(error: store::StoreError, name: &str) -> Error {
    let is_taken = matches!(error, store::StoreError::NameTaken { .. });
    let error = Error::from(error);
    match is_taken {
        true => error.with_hint(format!("remove it with `onggi rm {name}`, or choose another name")),
        false => error,
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our records have text keys only, so they are always JSON")
}
