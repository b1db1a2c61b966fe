//! Changing a JSON file that others read and write too: under a lock, all other keys kept, in place by rename.
//!
//! The file is only for its owner. A link stays one: what it points to is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde_json::{Map, Value};

use super::error::ConfigError;
use super::files;

/// Reads the object, has it changed, and writes it if `change` says that it did; `true` if so.
pub(crate) fn edit(
    path: &Path,
    change: impl FnOnce(&mut Map<String, Value>) -> Result<bool, ConfigError>,
) -> Result<bool, ConfigError> {
    let failed = |source: io::Error| ConfigError::Write { path: path.to_owned(), source };
    let target = target(path).map_err(failed)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // Held until the folder is closed. The file itself is another one after each change.
    let lock = File::open(folder).map_err(failed)?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|errno| failed(errno.into()))?;
    let content = files::read(&target)?.unwrap_or_default();
    let mut object = files::object(path, &content)?;
    if !change(&mut object)? {
        return Ok(false);
    }
    replace(&target, folder, &text(&object)).map_err(failed)?;
    Ok(true)
}

/// What a chain of links ends at, which need not be there.
fn target(path: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 40;
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(target);
            }
            Err(error) => return Err(error),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// Indented by tabs and without a line end, as docker and podman write it.
fn text(object: &Map<String, Value>) -> Vec<u8> {
    use serde::Serialize as _;
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    object.serialize(&mut serializer).expect("an object has text keys only, and a Vec takes every write");
    bytes
}

/// Whoever reads sees the old file or the new one.
fn replace(target: &Path, folder: &Path, content: &[u8]) -> io::Result<()> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = folder.join(temporary);
    // Nobody else has this name while the lock is held: it is what a killed process left.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write(&temporary, target, content).and_then(|()| std::fs::rename(&temporary, target));
    if written.is_err() {
        std::fs::remove_file(&temporary).ok();
    }
    written
}

fn write(temporary: &Path, target: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    if let Ok(old) = target.metadata()
        && rustix::process::geteuid().is_root()
    {
        // With sudo, the file stays its owner's.
        let (owner, group) = (rustix::fs::Uid::from_raw(old.uid()), rustix::fs::Gid::from_raw(old.gid()));
        rustix::fs::fchown(&file, Some(owner), Some(group))?;
    }
    file.write_all(content)?;
    file.sync_all()
}
