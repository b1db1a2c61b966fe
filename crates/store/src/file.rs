//! Small files that appear whole: read, create once, replace, list, remove.
//!
//! All names are relative to the store's folder. A new file is written under a temporary name in `ingest/`, synced,
//! renamed, and its folder synced, so that power loss leaves either the old file or the new one.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::lease::ProcessIdentity;
use crate::{Store, StoreError};

/// No small file of the store is larger; a larger one is damage, or an attack on memory.
const LIMIT: u64 = 64 << 20;

/// Reads a whole file; `None` where there is none.
pub(crate) fn read(store: &Store, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(file) = open(store, name)? else { return Ok(None) };
    read_all(store, name, file).map(Some)
}

/// The same without a trace in the time of the last reading.
pub(crate) fn read_unnoticed(store: &Store, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NOATIME;
    match rustix::fs::openat(&store.root, name, flags, Mode::empty()) {
        Ok(file) => read_all(store, name, file.into()).map(Some),
        // Only its owner may ask for that.
        Err(Errno::PERM) => read(store, name),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(StoreError::io("open", full(store, name), errno)),
    }
}

fn read_all(store: &Store, name: &str, file: std::fs::File) -> Result<Vec<u8>, StoreError> {
    // Most fit into this: one system call for the content, one for its end.
    let mut content = Vec::with_capacity(4096);
    let path = || full(store, name);
    file.take(LIMIT + 1).read_to_end(&mut content).map_err(|error| StoreError::io("read", path(), error))?;
    if content.len() as u64 > LIMIT {
        return Err(StoreError::Corrupt { path: path(), reason: format!("it has more than {LIMIT} bytes") });
    }
    Ok(content)
}

/// Opens a file for reading; `None` where there is none.
pub(crate) fn open(store: &Store, name: &str) -> Result<Option<std::fs::File>, StoreError> {
    match rustix::fs::openat(&store.root, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(StoreError::io("open", full(store, name), errno)),
    }
}

/// Whether a file or folder of this name is there.
pub(crate) fn exists(store: &Store, name: &str) -> Result<bool, StoreError> {
    match rustix::fs::statat(&store.root, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(StoreError::io("look for", full(store, name), errno)),
    }
}

/// Makes a file appear with this content, in place of an older one of the same name. Durable on return.
pub(crate) fn replace(store: &Store, name: &str, content: &[u8]) -> Result<(), StoreError> {
    write(store, name, content, true)
}

/// As [`replace`], but what power loss takes away is only a shortcut that can be found again.
pub(crate) fn replace_lazily(store: &Store, name: &str, content: &[u8]) -> Result<(), StoreError> {
    write(store, name, content, false)
}

fn write(store: &Store, name: &str, content: &[u8], durable: bool) -> Result<(), StoreError> {
    let temporary = stage(store, name, content, durable)?;
    place(store, &temporary, name)?;
    if durable { sync_folder_of(store, name) } else { Ok(()) }
}

/// Writes what is to become `name` under a temporary name, which is returned.
pub(crate) fn stage(store: &Store, name: &str, content: &[u8], durable: bool) -> Result<String, StoreError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let failed = |action, error: std::io::Error| StoreError::io(action, full(store, name), error);
    let temporary = temporary_name()?;
    let file = rustix::fs::openat(&store.root, &temporary, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| failed("create", errno.into()))?;
    let mut file = std::fs::File::from(file);
    let written = file.write_all(content).and_then(|()| if durable { file.sync_data() } else { Ok(()) });
    if let Err(error) = written {
        // The first error is what counts; a file left here is swept with its process.
        remove(store, &temporary).ok();
        return Err(failed("write", error));
    }
    Ok(temporary)
}

/// Gives what has been staged its name, in place of an older file.
pub(crate) fn place(store: &Store, temporary: &str, name: &str) -> Result<(), StoreError> {
    rustix::fs::renameat(&store.root, temporary, &store.root, name).map_err(|errno| {
        remove(store, temporary).ok();
        StoreError::io("rename", full(store, name), errno)
    })
}

/// Makes a name durable that has just appeared in its folder.
pub(crate) fn sync_folder_of(store: &Store, name: &str) -> Result<(), StoreError> {
    let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(&store.root, folder, flags, Mode::empty())
        .and_then(rustix::fs::fsync)
        .map_err(|errno| StoreError::io("sync", full(store, folder), errno))
}

/// Removes a file; whether it was there.
pub(crate) fn remove(store: &Store, name: &str) -> Result<bool, StoreError> {
    match rustix::fs::unlinkat(&store.root, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(StoreError::io("remove", full(store, name), errno)),
    }
}

/// Names in a folder, sorted.
pub(crate) fn list(store: &Store, folder: &str) -> Result<Vec<String>, StoreError> {
    let failed = |errno: Errno| StoreError::io("list", full(store, folder), errno);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(&store.root, folder, flags, Mode::empty()).map_err(failed)?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().to_str()
            && name != "."
            && name != ".."
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// As [`list`], of a folder that stores of older versions have not.
pub(crate) fn list_if_there(store: &Store, folder: &str) -> Result<Vec<String>, StoreError> {
    match list(store, folder) {
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names,
    }
}

/// Makes a folder that stores of older versions have not.
pub(crate) fn make_folder(store: &Store, folder: &str) -> Result<(), StoreError> {
    match rustix::fs::mkdirat(&store.root, folder, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(StoreError::io("create folder", full(store, folder), errno)),
    }
}

/// Removes a folder that others may look at: out of sight first, so that nobody ever sees half of it; whether it was there.
pub(crate) fn remove_hidden(store: &Store, name: &str) -> Result<bool, StoreError> {
    let hidden = temporary_name()?;
    let hide = || rustix::fs::renameat(&store.root, name, &store.root, &hidden);
    let hid = match hide() {
        // To move a folder is to write into it, and it belongs to somebody else.
        Err(Errno::ACCESS | Errno::PERM) => {
            store.want_identities()?;
            hide()
        }
        hid => hid,
    };
    match hid {
        Ok(()) => remove_tree(store, &hidden),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(StoreError::io("remove", full(store, name), errno)),
    }
}

/// Removes a folder and all that is in it, by descriptors; whether it was there.
pub(crate) fn remove_tree(store: &Store, name: &str) -> Result<bool, StoreError> {
    match remove_tree_as_we_are(store, name) {
        // It holds what belongs to others.
        Err(Errno::ACCESS | Errno::PERM) => {
            store.want_identities()?;
            remove_tree_as_we_are(store, name)
        }
        removed => removed,
    }
    .map_err(|errno| StoreError::io("remove", full(store, name), errno))
}

fn remove_tree_as_we_are(store: &Store, name: &str) -> rustix::io::Result<bool> {
    let mut deep = Vec::new();
    let found = remove_tree_at(store, &store.root, name.as_ref(), 0, &mut deep)?;
    while let Some(name) = deep.pop() {
        remove_tree_at(store, &store.root, name.as_ref(), 0, &mut deep)?;
    }
    Ok(found)
}

/// A container can make folders as deep as it likes, each of which takes a descriptor and a stack frame here. What is
/// deeper than this is moved up first, and left in `deep`.
const DEEPEST: usize = 64;

fn remove_tree_at(
    store: &Store,
    parent: &rustix::fd::OwnedFd,
    name: &std::ffi::OsStr,
    depth: usize,
    deep: &mut Vec<String>,
) -> rustix::io::Result<bool> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) => return Ok(true),
        Err(Errno::NOENT) => return Ok(false),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    if depth == DEEPEST {
        let moved = temporary_name().map_err(|_| Errno::IO)?;
        return match rustix::fs::renameat(parent, name, &store.root, &moved) {
            Ok(()) => {
                deep.push(moved);
                Ok(true)
            }
            Err(Errno::NOENT) => Ok(true),
            Err(errno) => Err(errno),
        };
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let folder = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        // Somebody else sweeps at the same time.
        Err(Errno::NOENT) => return Ok(true),
        folder => folder?,
    };
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&folder)? {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        if bytes != b"." && bytes != b".." {
            names.push(std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec()));
        }
    }
    for name in names {
        let name: std::ffi::OsString = name;
        remove_tree_at(store, &folder, &name, depth + 1, deep)?;
    }
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(errno) => Err(errno),
    }
}

/// A name in `ingest/` that no other live process uses.
pub(crate) fn temporary_name() -> Result<String, StoreError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(format!("ingest/{}-{number}", ProcessIdentity::own()?.file_name()))
}

/// Full path, for messages only.
pub(crate) fn full(store: &Store, name: &str) -> PathBuf {
    store.path.join(name)
}
