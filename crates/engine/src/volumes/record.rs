//! What is written down of a volume, and what its options make of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use store::VolumeFolder;

use crate::{Engine, Error, ErrorKind};

/// The only driver.
pub(super) const LOCAL: &str = "local";
/// Docker's mark of volumes that were given no name.
pub(super) const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// `volume.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VolumeRecord {
    /// RFC 3339.
    pub(crate) created: String,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) options: Option<BTreeMap<String, String>>,
}

/// What a container sees as the volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VolumeContent {
    /// The volume's own folder.
    Own,
    /// A folder of this machine.
    Folder(PathBuf),
    /// A folder in memory with these options, shared by the containers that run.
    Memory(String),
}

impl VolumeRecord {
    pub(crate) fn new(engine: &Engine, labels: BTreeMap<String, String>, options: BTreeMap<String, String>) -> Self {
        let created = jiff::Timestamp::from_second(engine.now().as_second()).unwrap_or_default().to_string();
        let some = |map: BTreeMap<String, String>| Some(map).filter(|map| !map.is_empty());
        Self { created, labels: some(labels), options: some(options) }
    }

    pub(crate) fn mark_anonymous(&mut self) {
        self.labels.get_or_insert_default().insert(ANONYMOUS.to_owned(), String::new());
    }

    pub(crate) fn read(volume: &VolumeFolder) -> Result<Self, Error> {
        serde_json::from_slice(&volume.description()?).map_err(|error| {
            let message = format!("the description of volume {} is damaged", volume.name);
            Error::new(ErrorKind::Corrupt, message).because(&error)
        })
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("our records have text keys only, so they are always JSON")
    }

    pub(crate) fn options(&self) -> BTreeMap<String, String> {
        self.options.clone().unwrap_or_default()
    }

    /// What the options make of the volume.
    pub(crate) fn content(&self, name: &str) -> Result<VolumeContent, Error> {
        let options = self.options();
        let wrong = |reason: String| Error::new(ErrorKind::InvalidInput, format!("create {name}: {reason}"));
        if options.is_empty() {
            return Ok(VolumeContent::Own);
        }
        if let Some(other) = options.keys().find(|key| !["type", "o", "device"].contains(&key.as_str())) {
            return Err(wrong(format!("invalid option: \"{other}\"")));
        }
        let required = |key: &str| {
            let found = options.get(key).filter(|value| !value.is_empty());
            found.ok_or_else(|| wrong(format!("missing required option: \"{key}\"")))
        };
        let (kind, device) = (required("type")?, required("device")?);
        let flags = options.get("o").cloned().unwrap_or_default();
        let is_bind = flags.split(',').any(|flag| matches!(flag, "bind" | "rbind"));
        match kind.as_str() {
            "tmpfs" => Ok(VolumeContent::Memory(flags)),
            "none" | "bind" if is_bind => Ok(VolumeContent::Folder(PathBuf::from(device))),
            "none" => Err(wrong("a volume of type \"none\" needs the option `o=bind`".to_owned())),
            other => Err(Error {
                kind: ErrorKind::Unsupported,
                ..wrong(format!("volumes of type \"{other}\" are not there yet"))
            }
            .with_hint(format!("mount it on this machine, and use `-o type=none -o o=bind -o device={device}`"))),
        }
    }
}

/// Docker's rule for names of volumes.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let is_valid = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) && name.bytes().all(word);
    let reason = match name.len() {
        1 => "volume name is too short, names should be at least two alphanumeric characters".to_owned(),
        _ if is_valid && name.len() <= 255 => return Ok(()),
        _ if is_valid => "volume name is longer than 255 characters".to_owned(),
        _ => format!(
            "\"{name}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are \
             allowed. If you intended to pass a host directory, use absolute path"
        ),
    };
    Err(Error::new(ErrorKind::InvalidInput, format!("create {name}: {reason}")))
}

/// There is no driver but `local`.
pub(crate) fn check_driver(name: &str, driver: &str) -> Result<(), Error> {
    if matches!(driver, "" | LOCAL) {
        return Ok(());
    }
    let message = format!("create {name}: error looking up volume plugin {driver}: plugin \"{driver}\" not found");
    Err(Error::new(ErrorKind::NotFound, message).with_hint("volumes are of the driver `local`"))
}
