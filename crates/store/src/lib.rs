//! Bytes on disk that many processes share: images, references, layers, records of build steps, containers.
//!
//! The files are the database (decision 0002). An object is one small file or folder found by its name; it appears
//! by one rename or link, whole, and is never written to afterwards; references, records and states are replaced by
//! rename. Only what processes write (logs, upper folders) grows in its place. Readers never lock, and what is in use is
//! named by a lease.
//!
//! ```text
//! ROOT/
//!   version                        "onggi store 1": written last when a store is made
//!   images/HEX                     image config, verbatim; HEX is its SHA-256, the image ID
//!   pins/HEX                       empty: the image HEX is removed by no prune
//!   parents/HEX                    image ID of the image that HEX was committed from (local knowledge, never exported)
//!   references/NAME                image ID; NAME is the canonical reference with `/` written as `+`; with a digest it is
//!                                  the one that a registry knows the image by
//!   layers/HEX.tar                 layer, uncompressed tar, verbatim; HEX is the DiffID
//!   layers/HEX.erofs               its index; the layer counts as present from here on
//!   layers/HEX-CHAIN.erofs         an index that also depends on the layers below (CHAIN is their ChainID)
//!   blobs/HEX                      a blob as it came from a registry or was sent to one, verbatim: layers, manifests, indexes of
//!                                  images; HEX is its SHA-256
//!   partial/HEX                    the beginning of a blob on its way; flocked by whoever writes to it
//!   transports/HEX                 the blobs of a layer that are known, and which repositories have them; HEX is its DiffID
//!   extracted/HEX-CHAIN/           the layer as a folder, where the kernel cannot mount indexes
//!   steps/HEX                      result of a build step; HEX is the digest of its cache key
//!   builds/HEX                     the cache keys of the last build of a context, for naming what changed
//!   contexts/HEX                   stat index of a build context
//!   remotes/HEX                    what a server gave, as a layer, and how to ask whether it still would; HEX is the digest of the
//!                                  URL or commit
//!   logs/ID/                       what a build wrote: index.json, and N.log for what its step N wrote, as it comes
//!   caches/HEX/                    what `RUN --mount=type=cache` keeps: id (which cache; HEX is its digest), N/data/
//!   containers/ID/                 a container: image (its image ID), volumes (their names), config.json, name (after a rename),
//!                                  state files, container.log, attach (a socket), upper/, work/
//!   volumes/NAME/                  a volume: volume.json, _data/; arriving/ while an empty one is filled
//!   settings.json                  limits of the store, where some are set
//!   namespace                      without root: the processes in the user namespace of the store, `PID START` a line
//!   outer/                         without root: addresses of networks, and the socket of the process that holds their namespace
//!   runtimes/                      without root: what external runtimes keep of running containers
//!   events, events.1               what happened to containers, a JSON object a line; the older file goes when the newer is full
//!   failures/ID/                   a build step that failed: record.json, layers, order, upper/, mount-N-…/
//!   names/NAME                     container ID; made exclusively, so that a name is taken once
//!   leases/PID-START-N             what a live process uses, a digest a line
//!   ingest/PID-START-N             folders being worked in; swept when their process is gone
//!   locks/NAME                     empty files for flock
//!   stubs/                         empty etc/hosts, proc/ …: lowest layer of every container, to be mounted over
//! ```
//!
//! This crate knows no tar, no HTTP and no Dockerfile. It hands out descriptors and guards, never bare paths.

mod admission;
mod blobs;
mod build_logs;
mod caches;
mod containers;
mod error;
mod events;
mod failures;
mod file;
mod gc;
mod identities;
mod images;
mod inventory;
mod layers;
mod lease;
mod lock;
mod networks;
mod pins;
mod raw;
mod records;
mod references;
mod reset;
mod volumes;
mod work;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

pub use admission::Admission;
pub use blobs::{PartialBlob, WantedBlob};
pub use build_logs::BuildLog;
pub use caches::{CacheAttempt, CacheFolder, CacheUse};
pub use containers::{ContainerFolder, ContainerLookup};
pub use error::StoreError;
pub use failures::{Failure, KEPT_FAILURES, NewFailure, Written};
pub use gc::{BlobOwners, Doomed, Removed, layer_of_record};
pub use identities::{Identities, MappedIds};
pub use images::ImageLookup;
pub use inventory::{Inventory, Use};
pub use layers::{LayerFiles, LayerSink};
pub use lease::{Lease, ProcessIdentity, boot_id};
pub use lock::Lock;
pub use raw::RawKind;
pub use records::RecordKind;
pub use volumes::{VolumeFolder, VolumeRemoval, VolumesHeld};
pub use work::WorkFolder;

/// An opened store.
#[derive(Debug)]
pub struct Store {
    root: OwnedFd,
    path: PathBuf,
    admission: Option<Admission>,
    identities: Option<Identities>,
    mapped_ids: Option<MappedIds>,
    user_xattrs: bool,
}

const VERSION: &[u8] = b"onggi store 1\n";
/// Beside [`FOLDERS`]: what not every store has, and, last, what tells that it is one.
pub(crate) const FURTHER: [&str; 8] =
    ["networks", "outer", "runtimes", "events", "events.1", "settings.json", "namespace", "version"];
pub(crate) const FOLDERS: [&str; 23] = [
    "images",
    "pins",
    "parents",
    "references",
    "layers",
    "blobs",
    "partial",
    "transports",
    "extracted",
    "steps",
    "builds",
    "contexts",
    "remotes",
    "logs",
    "caches",
    "containers",
    "volumes",
    "failures",
    "names",
    "leases",
    "ingest",
    "locks",
    "stubs",
];

impl Store {
    /// Opens the store at `path`, making an empty one where nothing is.
    ///
    /// An existing store costs two system calls and no write.
    ///
    /// # Errors
    /// When the folder cannot be made or read, holds something else, or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        match Self::open_existing(path)? {
            Some(store) => Ok(store),
            None => Self::create(path),
        }
    }

    fn open_existing(path: &Path) -> Result<Option<Self>, StoreError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(root) => root,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(StoreError::io("open store", path, errno)),
        };
        let store = Self::at(root, path);
        match file::read(&store, "version")? {
            Some(version) if version == VERSION => Ok(Some(store)),
            Some(_) => Err(StoreError::Version { path: path.to_owned() }),
            None => Ok(None),
        }
    }

    fn at(root: OwnedFd, path: &Path) -> Self {
        Self { root, path: path.to_owned(), admission: None, identities: None, mapped_ids: None, user_xattrs: false }
    }

    fn create(path: &Path) -> Result<Self, StoreError> {
        let private = Mode::RWXU;
        make_folders(path, private)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| StoreError::io("open store", path, e))?;
        let store = Self::at(root, path);
        for folder in FOLDERS {
            match rustix::fs::mkdirat(&store.root, folder, private) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(errno) => return Err(StoreError::io("create folder", path.join(folder), errno)),
            }
        }
        store.make_stubs()?;
        file::replace(&store, "version", VERSION)?;
        Ok(store)
    }

    /// What every container has something mounted on. As the lowest layer it gives the mounts their places, so that
    /// none has to be made in the writable layer, where it would be committed.
    fn make_stubs(&self) -> Result<(), StoreError> {
        let visible = Mode::from_raw_mode(0o755);
        for folder in ["stubs/etc", "stubs/proc", "stubs/dev", "stubs/sys"] {
            match rustix::fs::mkdirat(&self.root, folder, visible) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(errno) => return Err(StoreError::io("create folder", self.path.join(folder), errno)),
            }
            // Whatever our umask is: in an image that has no such folder, all users see this one.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&self.root, folder, flags, Mode::empty())
                .and_then(|opened| rustix::fs::fchmod(opened, visible))
                .map_err(|errno| StoreError::io("create folder", self.path.join(folder), errno))?;
        }
        for name in ["stubs/etc/hosts", "stubs/etc/hostname", "stubs/etc/resolv.conf"] {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
            rustix::fs::openat(&self.root, name, flags, Mode::from_raw_mode(0o644))
                .map_err(|errno| StoreError::io("create", self.path.join(name), errno))?;
        }
        Ok(())
    }

    /// The folder of places to mount on.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn stubs(&self) -> Result<OwnedFd, StoreError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.root, "stubs", flags, Mode::empty())
            .map_err(|errno| StoreError::io("open", self.path.join("stubs"), errno))
    }

    /// Where the store is, for messages and `info`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store's folder, for looking at the file system that it is on.
    pub fn as_folder(&self) -> impl AsFd + '_ {
        &self.root
    }
}

/// `mkdir -p` with only the last folder private.
fn make_folders(path: &Path, mode: Mode) -> Result<(), StoreError> {
    match rustix::fs::mkdir(path, mode) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(rustix::io::Errno::NOENT) if path.parent().is_some_and(|parent| parent != Path::new("")) => {
            if let Some(parent) = path.parent() {
                make_folders(parent, Mode::from_raw_mode(0o755))?;
            }
            rustix::fs::mkdir(path, mode).or_else(|errno| match errno {
                rustix::io::Errno::EXIST => Ok(()),
                errno => Err(StoreError::io("create store", path, errno)),
            })
        }
        Err(errno) => Err(StoreError::io("create store", path, errno)),
    }
}

#[cfg(test)]
mod tests;
