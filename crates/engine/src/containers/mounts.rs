//! What is mounted in a container besides its image.
//!
//! [`MountSettings`] is what was asked for, in the forms in which it can be asked for, and `points` what that comes to: they
//! are settled once, when the container is made, with the volumes that they need. A container that starts again, has its
//! files copied, or is inspected, goes by the points alone.

mod attach;
mod bind_text;
mod describe;
mod fill;
mod settle;
#[cfg(test)]
mod tests;
mod tmpfs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oci::ImageId;
use runtime::{BindMount, BindSource, Mount};
use serde::{Deserialize, Serialize};

pub(crate) use attach::bind_mounts;
pub(crate) use settle::settle;

/// `--volume`, `--mount`, `--tmpfs`, `--volumes-from`, `--read-only`, `--shm-size`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MountSettings {
    /// `--volume`: `source:target[:options]`, or a target alone for a new volume.
    pub binds: Vec<String>,
    /// `--mount`.
    pub mounts: Vec<MountRequest>,
    /// `--tmpfs`: options by target.
    pub tmpfs: BTreeMap<String, String>,
    /// `--volumes-from`: containers, with or without `:ro` or `:rw`.
    pub volumes_from: Vec<String>,
    /// `--volume-driver`.
    pub driver: String,
    /// `--read-only`.
    pub read_only: bool,
    /// `--shm-size` in bytes.
    pub shm_size: Option<u64>,
    /// Targets of new volumes without a name: the image's VOLUMEs and those of `binds`.
    pub volumes: Vec<String>,
    /// What is mounted, outer targets before inner ones; settled when the container is made.
    pub points: Vec<MountPoint>,
}

/// What kind of thing is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A folder or file of this machine.
    Bind,
    /// A volume.
    #[default]
    Volume,
    /// A new folder in memory.
    Tmpfs,
    /// The files of an image.
    Image,
}

impl MountKind {
    /// Its name, as typed and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
            Self::Image => "image",
        }
    }
}

/// One `--mount`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MountRequest {
    /// `type`.
    pub kind: MountKind,
    /// `source`: path, volume or image; empty for a volume without a name.
    pub source: String,
    /// `target`.
    pub target: String,
    /// `readonly`.
    pub read_only: bool,
    /// `bind-propagation`; empty for `rprivate`.
    pub propagation: String,
    /// `bind-recursive`.
    pub recursion: Recursion,
    /// `volume-nocopy`.
    pub no_copy: bool,
    /// `volume-label`.
    pub labels: BTreeMap<String, String>,
    /// `volume-driver`.
    pub driver: String,
    /// `volume-opt`.
    pub options: BTreeMap<String, String>,
    /// `volume-subpath`, `image-subpath`.
    pub subpath: String,
    /// `tmpfs-size` in bytes.
    pub tmpfs_size: Option<u64>,
    /// `tmpfs-mode`.
    pub tmpfs_mode: Option<u32>,
}

/// What becomes of mounts below the source of a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recursion {
    /// They are taken along, read-only if the bind is.
    #[default]
    Enabled,
    /// They are left out.
    Disabled,
    /// They are taken along and stay writable.
    Writable,
    /// They are read-only without fail.
    Readonly,
}

/// One thing that is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MountPoint {
    /// What kind of thing.
    pub kind: MountKind,
    /// Name of the volume or image.
    pub name: String,
    /// Path on this machine, of a bind.
    pub source: String,
    /// Where in the container, absolute and clean.
    pub target: String,
    /// The options as typed, of `--volume`.
    pub mode: String,
    /// Not to be written to.
    pub read_only: bool,
    /// The volume was made for this container and goes with it.
    pub anonymous: bool,
    /// Of a bind.
    pub propagation: String,
    /// Of a bind.
    pub recursion: Recursion,
    /// A missing folder of this machine is made (`--volume`), and not an error (`--mount`).
    pub makes_source: bool,
    /// Only this part of the volume or image.
    pub subpath: String,
    /// Options of a tmpfs.
    pub tmpfs: String,
    /// Which image.
    pub image: Option<ImageId>,
}

impl MountSettings {
    /// Names of all volumes that it mounts.
    pub(crate) fn volume_names(&self) -> Vec<String> {
        self.points.iter().filter(|point| point.kind == MountKind::Volume).map(|point| point.name.clone()).collect()
    }

    /// Names of the volumes that were made for this container alone.
    pub(crate) fn anonymous_volumes(&self) -> impl Iterator<Item = &str> {
        let is_own = |point: &&MountPoint| point.kind == MountKind::Volume && point.anonymous;
        self.points.iter().filter(is_own).map(|point| point.name.as_str())
    }
}

/// A folder or file of this machine, with what is mounted below it.
pub(crate) fn bind(source: PathBuf, target: &Path, read_only: bool) -> Mount {
    let recursive = true;
    Mount::Bind(BindMount { source: BindSource::Path(source), target: target.to_owned(), read_only, recursive })
}
