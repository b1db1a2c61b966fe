//! The text of `--volume`, as Docker reads it: `source:target[:options]`.

use std::path::{Component, Path, PathBuf};

use super::{MountKind, MountPoint};
use crate::volumes::check_name;
use crate::{Error, ErrorKind};

/// What a `--volume` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BindText {
    pub(super) point: MountPoint,
    /// `nocopy`: the image's content stays out of the volume.
    pub(super) no_copy: bool,
}

/// Words that make a mount writable or not, that stand for labels of SELinux (which are none of ours), and that only
/// matter to virtual machines.
const ACCESS: [&str; 2] = ["ro", "rw"];
const LABELS: [&str; 2] = ["z", "Z"];
const CONSISTENCY: [&str; 4] = ["consistent", "cached", "delegated", "default"];
pub(super) const PROPAGATION: [&str; 6] = ["private", "rprivate", "slave", "rslave", "shared", "rshared"];

/// Reads a `--volume` with a source; one without is a target alone.
pub(super) fn parse(text: &str) -> Result<BindText, Error> {
    let wrong = || invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    if text.is_empty() {
        return Err(invalid("invalid empty volume spec".to_owned()));
    }
    if parts.iter().any(|part| part.is_empty()) {
        return Err(invalid(format!("invalid spec: {text}: empty section between colons")));
    }
    let (source, target, mode) = match parts[..] {
        [target] => ("", target, ""),
        [_, mode] if is_mode(mode) => return Err(wrong()),
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(wrong()),
    };
    let is_path = source.starts_with(['/', '.', '~']);
    let kind = if is_path { MountKind::Bind } else { MountKind::Volume };
    let target = clean_target(kind, target).map_err(|reason| {
        let message = format!("invalid volume specification: '{text}': {}", reason.message);
        Error { message, ..reason }
    })?;
    let mut point = MountPoint { kind, target, mode: mode.to_owned(), ..MountPoint::default() };
    let no_copy = read_mode(text, mode, &mut point)?;
    if is_path {
        point.source = absolute(source)?;
        point.makes_source = true;
        if point.propagation.is_empty() {
            "rprivate".clone_into(&mut point.propagation);
        }
    } else {
        if !source.is_empty() {
            check_name(source)?;
            if point.mode.is_empty() {
                "z".clone_into(&mut point.mode);
            }
        }
        source.clone_into(&mut point.name);
    }
    Ok(BindText { point, no_copy })
}

fn is_mode(text: &str) -> bool {
    text.split(',').all(|word| {
        [&ACCESS[..], &LABELS, &CONSISTENCY, &PROPAGATION].iter().any(|words| words.contains(&word)) || word == "nocopy"
    })
}

/// Of each kind of word at most one. Whether the image's content stays out.
fn read_mode(text: &str, mode: &str, point: &mut MountPoint) -> Result<bool, Error> {
    let wrong = || invalid(format!("invalid mode: {mode}"));
    let mut seen = [false; 5];
    for word in mode.split(',').filter(|_| !mode.is_empty()) {
        let kind = match word {
            word if ACCESS.contains(&word) => 0,
            word if LABELS.contains(&word) => 1,
            word if CONSISTENCY.contains(&word) => 2,
            word if PROPAGATION.contains(&word) => 3,
            "nocopy" => 4,
            _ => return Err(wrong()),
        };
        if std::mem::replace(&mut seen[kind], true) {
            return Err(wrong());
        }
        match kind {
            0 => point.read_only = word == "ro",
            3 => word.clone_into(&mut point.propagation),
            _ => {}
        }
    }
    match point.kind {
        MountKind::Bind if seen[4] => Err(wrong()),
        MountKind::Volume if seen[3] => Err(invalid(format!(
            "invalid volume specification: '{text}': invalid mount config for type \"volume\": field BindOptions must not be specified"
        ))),
        _ => Ok(seen[4]),
    }
}

/// The target without `.`, `..` and double slashes; never the root.
pub(super) fn clean_target(kind: MountKind, target: &str) -> Result<String, Error> {
    let wrong = |reason: String| invalid(format!("invalid mount config for type \"{}\": {reason}", kind.name()));
    if !target.starts_with('/') {
        return Err(wrong(format!("invalid mount path: '{target}' mount path must be absolute")));
    }
    let clean = clean(target);
    if clean == "/" {
        return Err(wrong("invalid specification: destination can't be '/'".to_owned()));
    }
    Ok(clean)
}

/// As Go's `filepath.Clean` for absolute paths: `..` goes up by the text alone.
pub(super) fn clean(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// A path that means the same in every folder, where it was typed.
pub(super) fn absolute(source: &str) -> Result<String, Error> {
    let found = std::path::absolute(source)
        .map_err(|error| Error::new(ErrorKind::InvalidInput, format!("cannot find `{source}`")).because(&error))?;
    // What is behind a link is where the kernel says, so `..` is only taken away where nothing is a link.
    let is_plain = !found.components().any(|part| part == Component::ParentDir);
    let found = if is_plain { found } else { PathBuf::from(clean(&found.to_string_lossy())) };
    Ok(without_end(&found))
}

fn without_end(path: &Path) -> String {
    let text = path.to_string_lossy();
    match text.trim_end_matches('/') {
        "" => "/".to_owned(),
        text => text.to_owned(),
    }
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message).with_exit_code(125)
}
