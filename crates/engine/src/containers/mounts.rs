//! What is mounted in a container besides its image.

use std::path::{Component, Path, PathBuf};

use runtime::{BindMount, BindSource, ContainerSpec, Mount};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Error, ErrorKind};

/// `--volume`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MountSettings {
    /// `source:target[:ro]`.
    pub binds: Vec<String>,
}

impl MountSettings {
    /// Refuses what cannot be understood.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.binds.iter().try_for_each(|text| parse_bind(text).map(drop))
    }

    /// With sources that mean the same in every folder.
    pub(crate) fn absolute(self) -> Result<Self, Error> {
        Ok(Self { binds: self.binds.iter().map(|bind| absolute_bind(bind)).collect::<Result<_, _>>()? })
    }

    /// Adds them to what is mounted.
    pub(crate) fn add(&self, spec: &mut ContainerSpec) -> Result<(), Error> {
        for text in &self.binds {
            let (source, target, read_only) = parse_bind(text)?;
            if !source.exists() {
                let message = format!("cannot bind `{}`: there is no such file or folder", source.display());
                return Err(Error::new(ErrorKind::NotFound, message)
                    .with_hint(format!("make the folder first: `mkdir -p {}`", source.display()))
                    .with_exit_code(125));
            }
            spec.mounts.push(bind(source, &target, read_only));
        }
        Ok(())
    }

    /// Their part of `HostConfig`.
    pub(crate) fn describe(&self, host_config: &mut Map<String, Value>) {
        host_config.insert("Binds".to_owned(), json!(self.binds));
    }
}

/// A folder or file of this machine, with what is mounted below it.
pub(crate) fn bind(source: PathBuf, target: &Path, read_only: bool) -> Mount {
    let recursive = true;
    Mount::Bind(BindMount { source: BindSource::Path(source), target: target.to_owned(), read_only, recursive })
}

/// A monitor works elsewhere, so a path is made absolute where it was typed.
fn absolute_bind(volume: &str) -> Result<String, Error> {
    match volume.split_once(':') {
        Some((source, rest)) if !source.starts_with('/') => {
            let source = std::path::absolute(source).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, format!("cannot find `{source}`")).because(&error)
            })?;
            Ok(format!("{}:{rest}", source.display()))
        }
        _ => Ok(volume.to_owned()),
    }
}

/// `-v /source:/target[:ro|rw|z|Z]`.
fn parse_bind(text: &str) -> Result<(PathBuf, PathBuf, bool), Error> {
    let wrong = |reason: &str| {
        Error::new(ErrorKind::InvalidInput, format!("invalid volume `{text}`: {reason}"))
            .with_hint("write it as in `-v /folder/here:/folder/in/container[:ro]`")
            .with_exit_code(125)
    };
    let mut parts = text.split(':');
    let (source, target) = (parts.next().unwrap_or_default(), parts.next());
    let Some(target) = target else {
        return Err(wrong("volumes without a source folder are not there yet"));
    };
    let options = parts.next().unwrap_or_default();
    if parts.next().is_some() || source.is_empty() {
        return Err(wrong("it has too many or empty parts"));
    }
    let is_relative = [".", ".."].contains(&source) || source.starts_with("./") || source.starts_with("../");
    if !source.starts_with('/') && !is_relative {
        return Err(wrong("named volumes are not there yet, and a path on this machine begins with `/` or `./`"));
    }
    if !target.starts_with('/') {
        return Err(wrong("the path in the container must be absolute"));
    }
    if Path::new(target).components().all(|part| part == Component::RootDir) {
        return Err(wrong("the path in the container cannot be `/`"));
    }
    if Path::new(target).components().any(|part| part == Component::ParentDir) {
        return Err(wrong("the path in the container cannot have `..` in it"));
    }
    let mut read_only = false;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => read_only = true,
            "rw" | "z" | "Z" | "rprivate" | "private" | "consistent" | "cached" | "delegated" => {}
            other => return Err(wrong(&format!("unknown option `{other}`"))),
        }
    }
    Ok((PathBuf::from(source), PathBuf::from(target), read_only))
}
