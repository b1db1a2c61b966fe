//! The value of `--mount`: a list of `key=value` as Docker reads it, with its words where it is wrong.

use engine::{MountKind, MountRequest, Recursion, parse_memory_size};

use crate::cli::fields::fields;
use crate::cli::switches;

/// Keys that may stand without a value.
const SWITCHES: [&str; 4] = ["readonly", "ro", "volume-nocopy", "bind-nonrecursive"];

/// Reads one `--mount`; the error is the reason alone.
pub(crate) fn parse(text: &str) -> Result<MountRequest, String> {
    let mut request = MountRequest::default();
    let mut families: Vec<&'static str> = Vec::new();
    for field in fields(text).map_err(|_| "a quote does not end, or is not around a whole field".to_owned())? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), value),
            None if SWITCHES.contains(&field.to_ascii_lowercase().as_str()) => (field.to_ascii_lowercase(), "true"),
            None => return Err(format!("invalid field '{field}' must be a key=value pair")),
        };
        let family = ["bind", "volume", "tmpfs", "image"]
            .into_iter()
            .find(|family| key.strip_prefix(family).is_some_and(|rest| rest.starts_with('-')));
        families.extend(family);
        take(&mut request, &key, value, &field)?;
    }
    if request.target.is_empty() {
        return Err("target is required".to_owned());
    }
    let kind = request.kind.name();
    if let Some(other) = families.into_iter().find(|family| *family != kind) {
        return Err(format!("cannot mix '{other}-*' options with mount type '{kind}'"));
    }
    if request.recursion == Recursion::Readonly {
        for (is_there, option) in
            [(request.read_only, "readonly"), (request.propagation == "rprivate", "bind-propagation=rprivate")]
        {
            if !is_there {
                return Err(format!(
                    "option 'bind-recursive=readonly' requires '{option}' to be specified in conjunction"
                ));
            }
        }
    }
    Ok(request)
}

fn take(request: &mut MountRequest, key: &str, value: &str, field: &str) -> Result<(), String> {
    let wrong = || format!("invalid value for {key}: {value}");
    let switch = || switches::parse(value).ok_or_else(wrong);
    match key {
        "type" => request.kind = kind(value)?,
        "source" | "src" => request.source = source(value),
        "target" | "dst" | "destination" => value.clone_into(&mut request.target),
        "readonly" | "ro" => request.read_only = switch()?,
        // For virtual machines.
        "consistency" => {}
        "bind-propagation" => value.to_ascii_lowercase().clone_into(&mut request.propagation),
        "bind-nonrecursive" => {
            request.recursion = if switch()? { Recursion::Disabled } else { Recursion::Enabled };
        }
        "bind-recursive" => {
            request.recursion = match value {
                "enabled" => Recursion::Enabled,
                "disabled" => Recursion::Disabled,
                "writable" => Recursion::Writable,
                "readonly" => Recursion::Readonly,
                _ => {
                    return Err(format!(
                        "{} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")",
                        wrong()
                    ));
                }
            };
        }
        "volume-nocopy" => request.no_copy = switch()?,
        "volume-label" => put(&mut request.labels, value),
        "volume-driver" => value.clone_into(&mut request.driver),
        "volume-opt" => put(&mut request.options, value),
        "volume-subpath" | "image-subpath" => value.clone_into(&mut request.subpath),
        "tmpfs-size" => request.tmpfs_size = Some(parse_memory_size(value).ok_or_else(wrong)?),
        "tmpfs-mode" => request.tmpfs_mode = Some(u32::from_str_radix(value, 8).map_err(|_| wrong())?),
        _ => return Err(format!("unexpected key '{key}' in '{field}'")),
    }
    Ok(())
}

fn put(map: &mut std::collections::BTreeMap<String, String>, pair: &str) {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    map.insert(key.to_owned(), value.to_owned());
}

fn kind(text: &str) -> Result<MountKind, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "bind" => MountKind::Bind,
        "volume" => MountKind::Volume,
        "tmpfs" => MountKind::Tmpfs,
        "image" => MountKind::Image,
        other => return Err(format!("invalid mount config for type \"{other}\": mount type unknown")),
    })
}

/// A path that begins with a dot is one of this folder, as in `--volume`.
fn source(text: &str) -> String {
    let is_relative = text == "." || text.starts_with("./") || text.starts_with("../") || text == "..";
    match std::path::absolute(text) {
        Ok(path) if is_relative => path.display().to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
