//! `volume create`, `ls`, `inspect`, `rm`, `prune`: data that outlives containers.
//!
//! A volume is a folder in the store. With the options of Docker's local driver it stands for something else: another
//! folder of this machine, or memory. Nothing of it is mounted on the host; containers have it mounted straight from
//! where it is.

mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde_json::{Value, json};
use store::{VolumeFolder, VolumeRemoval};

pub(crate) use record::{VolumeContent, VolumeRecord, check_driver, check_name};

use crate::containers::random_id;
use crate::{Engine, Error, ErrorKind};

/// What a new volume should be.
#[derive(Debug, Clone, Default)]
pub struct CreateVolumeOptions {
    /// Its name; 64 random digits otherwise.
    pub name: String,
    /// The driver; empty for `local`, the only one.
    pub driver: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

/// A volume in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSummary {
    /// Its name.
    pub name: String,
    /// Where its data is.
    pub mount_point: PathBuf,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Which volumes to list or remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeFilter {
    /// Used by no container, or by one at least.
    pub dangling: Option<bool>,
    /// Any of these drivers.
    pub drivers: Vec<String>,
    /// Any of these is part of the name.
    pub names: Vec<String>,
    /// All of these labels, with any value or this one.
    pub labels: Vec<(String, Option<String>)>,
    /// None of these labels.
    pub without_labels: Vec<(String, Option<String>)>,
}

/// What `prune` removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunedVolumes {
    /// Names, each with the bytes of its files.
    pub items: Vec<(String, u64)>,
    /// Bytes of their files, all together.
    pub bytes: u64,
}

/// Makes a volume, unless it is there. Gives its name.
///
/// # Errors
/// When the name, driver or an option is wrong, or it cannot be made.
pub fn create_volume(engine: &Engine, options: &CreateVolumeOptions) -> Result<String, Error> {
    let is_named = !options.name.is_empty();
    let name = if is_named { options.name.clone() } else { random_id()? };
    check_name(&name)?;
    check_driver(&name, &options.driver)?;
    let mut record = VolumeRecord::new(engine, options.labels.clone(), options.options.clone());
    if !is_named {
        record.mark_anonymous();
    }
    record.content(&name)?;
    let work = engine.store().work_folder()?;
    work.subfolder("data", 0o755)?;
    engine.store().add_volume(&name, &record.to_json(), &work, "data", true)?;
    Ok(name)
}

/// The volumes that pass the filter, in natural order of their names.
///
/// # Errors
/// When the store cannot be read.
pub fn volumes(engine: &Engine, filter: &VolumeFilter) -> Result<Vec<VolumeSummary>, Error> {
    let users = if filter.dangling.is_some() { engine.store().users_of_volumes()? } else { BTreeMap::new() };
    let mut found = Vec::new();
    for name in engine.store().volume_names()? {
        // Another process may remove one meanwhile, before it is opened or while it is read.
        let Some(volume) = engine.store().volume(&name)? else { continue };
        let record = match VolumeRecord::read(&volume) {
            Err(_) if engine.store().volume(&name)?.is_none() => continue,
            record => record?,
        };
        if filter.passes(&name, &record, users.contains_key(&name)) {
            let labels = record.labels.unwrap_or_default();
            found.push(VolumeSummary { mount_point: volume.data_path(), name, labels });
        }
    }
    found.sort_by(|one, other| natural_order(&one.name, &other.name));
    Ok(found)
}

impl VolumeFilter {
    fn passes(&self, name: &str, record: &VolumeRecord, is_used: bool) -> bool {
        let labels = record.labels.as_ref();
        let has = |(key, value): &(String, Option<String>)| {
            let found = labels.and_then(|labels| labels.get(key));
            found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        };
        self.dangling.is_none_or(|dangling| dangling != is_used)
            && (self.drivers.is_empty() || self.drivers.iter().any(|driver| driver == record::LOCAL))
            && (self.names.is_empty() || self.names.iter().any(|part| name.contains(part.as_str())))
            && self.labels.iter().all(has)
            && !self.without_labels.iter().any(has)
    }
}

/// Numbers within names count as numbers: `v9` before `v10`.
fn natural_order(one: &str, other: &str) -> std::cmp::Ordering {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    while let (Some(first), Some(second)) = (one.first(), other.first()) {
        let number = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, others) = (number(one), number(other));
        if digits > 0 && others > 0 {
            let value = |text: &[u8]| {
                let zeros = text.iter().take_while(|byte| **byte == b'0').count();
                (text.len() - zeros, text[zeros..].to_vec())
            };
            let order = value(&one[..digits]).cmp(&value(&other[..others])).then(digits.cmp(&others));
            if order.is_ne() {
                return order;
            }
            (one, other) = (&one[digits..], &other[others..]);
            continue;
        }
        if first != second {
            return first.cmp(second);
        }
        (one, other) = (&one[1..], &other[1..]);
    }
    one.len().cmp(&other.len())
}

/// A volume in Docker's shape.
///
/// # Errors
/// When it is not there.
pub fn inspect_volume(engine: &Engine, name: &str) -> Result<Value, Error> {
    let volume = find(engine, name)?;
    let record = VolumeRecord::read(&volume)?;
    Ok(json!({
        "CreatedAt": record.created,
        "Driver": record::LOCAL,
        "Labels": record.labels,
        "Mountpoint": volume.data_path().display().to_string(),
        "Name": volume.name,
        "Options": record.options,
        "Scope": "local",
    }))
}

fn find(engine: &Engine, name: &str) -> Result<VolumeFolder, Error> {
    engine.store().volume(name)?.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    let error = Error::new(ErrorKind::NotFound, format!("get {name}: no such volume"));
    error.with_hint("`onggi volume ls` lists all volumes")
}

/// Removes a volume; with `force`, one that is not there is no mistake.
///
/// # Errors
/// When a container uses it.
pub fn remove_volume(engine: &Engine, name: &str, force: bool) -> Result<(), Error> {
    match engine.store().remove_volume(name)? {
        VolumeRemoval::Removed => Ok(()),
        VolumeRemoval::Missing if force => Ok(()),
        VolumeRemoval::Missing => Err(missing(name)),
        VolumeRemoval::InUse(users) => {
            let message = format!("remove {name}: volume is in use - [{}]", users.join(", "));
            let short: Vec<&str> = users.iter().filter_map(|id| id.get(..12)).collect();
            let hint = format!("remove what uses it first: `onggi rm -f {}`", short.join(" "));
            Err(Error::new(ErrorKind::Conflict, message).with_hint(hint))
        }
    }
}

/// Removes volumes that no container uses: those without a name of their own, or `all`. With `without`, only says which it
/// would remove if these containers were gone.
///
/// # Errors
/// When the store cannot be read or something cannot be removed.
pub fn prune_volumes(
    engine: &Engine,
    all: bool,
    filter: &VolumeFilter,
    without: Option<&HashSet<&str>>,
) -> Result<PrunedVolumes, Error> {
    let users = engine.store().users_of_volumes()?;
    let is_used = |name: &str| {
        let of_others = |id: &String| without.is_none_or(|without| !without.contains(id.as_str()));
        users.get(name).is_some_and(|users| users.iter().any(of_others))
    };
    let mut pruned = PrunedVolumes::default();
    for volume in volumes(engine, filter)? {
        if is_used(&volume.name) || !all && !volume.labels.contains_key(record::ANONYMOUS) {
            continue;
        }
        let Some(folder) = engine.store().volume(&volume.name)? else { continue };
        let bytes = folder.size()?;
        // A container may have been made with it this moment, or another process removed it.
        if without.is_some() || engine.store().remove_volume(&volume.name)? == VolumeRemoval::Removed {
            pruned.bytes += bytes;
            pruned.items.push((volume.name, bytes));
        }
    }
    Ok(pruned)
}
