//! Reads a layout: files by descriptors below the folder, documents within limits and with the right digest.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci::{Descriptor, Digest, Hasher, ImageIndex, ImageManifest, media_type};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::super::documents::{REF_NAME, Unknown, annotation};
use super::super::plan::blob;
use super::super::take::Hashing;
use super::super::{limits, names};

/// An opened layout.
#[derive(Debug)]
pub struct LayoutReader {
    pub(super) path: PathBuf,
    root: OwnedFd,
}

impl AsFd for LayoutReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

impl LayoutReader {
    /// Opens a folder. Whether it is a layout shows when its index is read.
    ///
    /// # Errors
    /// When it is none, or may not be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { path: path.to_owned(), root: rustix::fs::open(path, flags, Mode::empty())? })
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens something below the folder. No link on the way is followed, nor at the end.
    fn open_below(&self, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.root, name, flags, Mode::empty(), resolve) {
            Err(Errno::LOOP) => Err(io::Error::other(format!("{name} is a link, or behind one"))),
            opened => Ok(opened?),
        }
    }

    pub(super) fn folder(&self, name: &str) -> io::Result<OwnedFd> {
        self.open_below(name, OFlags::DIRECTORY)
    }

    /// Opens a regular file of it, with its length.
    ///
    /// # Errors
    /// When there is none, or something else has its name.
    pub fn file(&self, name: &str) -> io::Result<(File, u64)> {
        // What took a file's place must neither lead elsewhere nor block.
        let file = self.open_below(name, OFlags::NONBLOCK)?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other(format!("{name} is not a regular file")));
        }
        Ok((file.into(), stat.st_size.cast_unsigned()))
    }

    /// Opens a blob that has the length it should have. What is in it is for the reader to verify.
    ///
    /// # Errors
    /// When it is not there, or has another length.
    pub fn blob(&self, digest: Digest, size: u64) -> io::Result<File> {
        let name = blob(digest);
        let (file, found) = self.file(&name)?;
        if found == size { Ok(file) } else { Err(io::Error::other(format!("{name} has {found} bytes, not {size}"))) }
    }

    /// Reads a whole blob, for its digest.
    ///
    /// # Errors
    /// As [`Self::blob`], and when its content has another digest.
    pub fn verify_blob(&self, digest: Digest, size: u64) -> io::Result<()> {
        let mut hashing = Hashing { inner: self.blob(digest, size)?.take(size), hasher: Hasher::new() };
        io::copy(&mut hashing, &mut io::sink())?;
        match hashing.hasher.finish() == digest {
            true => Ok(()),
            false => Err(io::Error::other(format!("{} is damaged: its content has another digest", blob(digest)))),
        }
    }

    /// All bytes of a small file.
    ///
    /// # Errors
    /// When it is not there, or too large.
    pub fn document(&self, name: &str) -> io::Result<Vec<u8>> {
        self.document_within(name, limits::DOCUMENT)
    }

    fn document_within(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let (file, size) = self.file(name)?;
        let mut bytes = Vec::new();
        if size <= limit {
            file.take(limit + 1).read_to_end(&mut bytes)?;
        }
        if size > limit || bytes.len() as u64 > limit {
            return Err(io::Error::other(format!("{name} is longer than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// A document by its digest, verified; `size` is what is said of its length, if anything is.
    ///
    /// # Errors
    /// When it is not there, too large, or something else.
    pub fn document_blob(&self, digest: Digest, size: Option<u64>, limit: u64) -> io::Result<Vec<u8>> {
        let name = blob(digest);
        let bytes = self.document_within(&name, limit)?;
        if Digest::of(&bytes) != digest || size.is_some_and(|size| size != bytes.len() as u64) {
            return Err(io::Error::other(format!("{name} is damaged: its content has another digest")));
        }
        Ok(bytes)
    }

    /// What `index.json` lists; nothing where there is none.
    ///
    /// # Errors
    /// When it cannot be read; of the kind `InvalidData` when it is something else.
    pub fn index(&self) -> io::Result<Vec<Descriptor>> {
        let content = match self.document(names::OCI_INDEX) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let index: ImageIndex = serde_json::from_slice(&content)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", names::OCI_INDEX)))?;
        Ok(index.manifests)
    }

    /// What the index lists under a tag alone, as caches are; an image's whole name does not count.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub fn tagged(&self, tag: &str) -> io::Result<Option<Descriptor>> {
        let is_it = |found: &Descriptor| annotation(found, REF_NAME) == Some(tag) && found.annotations.len() == 1;
        Ok(self.index()?.into_iter().rfind(is_it))
    }

    /// Digests of all that the index leads to.
    pub(super) fn listed_blobs(&self) -> io::Result<HashSet<Digest>> {
        let mut listed = HashSet::new();
        let mut waiting: Vec<(Descriptor, usize)> = self.index()?.into_iter().map(|found| (found, 0)).collect();
        while let Some((descriptor, depth)) = waiting.pop() {
            if !listed.insert(descriptor.digest) {
                continue;
            }
            let bytes = self.document_blob(descriptor.digest, None, limits::DOCUMENT)?;
            let wrong = |error: serde_json::Error| io::Error::other(format!("{}: {error}", blob(descriptor.digest)));
            let unknown: Unknown = serde_json::from_slice(&bytes).map_err(wrong)?;
            let kind = unknown.media_type.as_deref().unwrap_or(&descriptor.media_type);
            if matches!(kind, media_type::OCI_INDEX | media_type::DOCKER_MANIFEST_LIST) || unknown.manifests.is_some() {
                if depth == limits::DEPTH {
                    return Err(io::Error::other("indexes within indexes are too deep"));
                }
                let index: ImageIndex = serde_json::from_slice(&bytes).map_err(wrong)?;
                // BuildKit lists layers of a cache in the place of manifests, and its document behind them.
                for below in index.manifests {
                    match below.media_type.as_str() {
                        media_type::OCI_MANIFEST
                        | media_type::DOCKER_MANIFEST
                        | media_type::OCI_INDEX
                        | media_type::DOCKER_MANIFEST_LIST => waiting.push((below, depth + 1)),
                        _ => drop(listed.insert(below.digest)),
                    }
                }
            } else {
                let manifest: ImageManifest = serde_json::from_slice(&bytes).map_err(wrong)?;
                listed.insert(manifest.config.digest);
                listed.extend(manifest.layers.iter().map(|layer| layer.digest));
            }
        }
        Ok(listed)
    }
}
