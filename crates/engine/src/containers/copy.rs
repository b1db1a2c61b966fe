//! `cp`: files between a container and this machine, or as a tar.
//!
//! Both ends are open descriptors before anything is copied: where files go and what they are called there is decided
//! once, by Docker's rules ([`plan`]). One thread packs what is read, another unpacks it, and a pipe is between them, so
//! nothing is kept on the way. A container that runs is seen with all that is mounted in it; one that does not is put
//! together for as long as it takes, and nobody starts it while it is written to.

mod local;
mod place;
mod plan;

use std::collections::HashSet;
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use layer::{Decoder, PackError, Packed, UnpackError, UnpackOptions};

use self::place::Within;
use self::plan::{Found, Kind, Typed};
use super::container::Container;
use super::files::{self, Access};
use crate::{Engine, Error, ErrorKind};

/// How to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyOptions {
    /// `--archive`: out of a container, files keep their owners; into one, they belong to its user.
    pub archive: bool,
    /// `--follow-link`: what a link at the end of the source leads to is copied.
    pub follow_link: bool,
}

/// What is read.
#[derive(Debug)]
pub(super) enum Content {
    Folder(OwnedFd),
    File(OwnedFd),
    Special(OwnedFd, CString),
}

impl Content {
    fn kind(&self) -> Kind {
        match self {
            Self::Folder(_) => Kind::Folder,
            _ => Kind::Other,
        }
    }

    fn packed(&self) -> Packed<'_> {
        match self {
            Self::Folder(folder) => Packed::Folder(folder.as_fd()),
            Self::File(file) => Packed::File(file.as_fd()),
            Self::Special(parent, name) => Packed::Special(parent.as_fd(), name),
        }
    }
}

/// Copies out of a container to a path of this machine. Gives the path as it is meant, and the bytes of the tar that the
/// files would be.
///
/// # Errors
/// When there is no such container, file or folder, or something cannot be read or written.
pub fn copy_from_container(
    engine: &Engine,
    name: &str,
    source: &str,
    target: &Path,
    options: CopyOptions,
) -> Result<(PathBuf, u64), Error> {
    let container = Container::find(engine, name)?;
    let _reader = container.keep()?;
    let typed = Typed::new(source.as_bytes());
    let target_shown = std::path::absolute(target).map_err(|error| local::unreadable(target, &error))?;
    let view = files::seen_root(engine, &container, Access::Read)?;
    let within = Within { root: view.as_fd(), container: name };
    let content = within.source(&typed, options.follow_link)?;
    let place = local::target(target, content.kind())?;
    let name = plan::name_in_target(&typed, content.kind(), &place);
    // What the kernel makes up is no file of anybody's.
    let empty: HashSet<Vec<u8>> = match typed.is_root() {
        true => ["dev", "proc", "sys"].map(|name| name.as_bytes().to_vec()).into(),
        false => HashSet::new(),
    };
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let unpacking = UnpackOptions { owner: (!options.archive).then_some(own), root: None };
    let bytes = transfer(&content, &name, &empty, &place.folder, unpacking, target)?;
    Ok((target_shown, bytes))
}

/// Writes what is in a container as a tar.
///
/// # Errors
/// As [`copy_from_container`].
pub fn pack_from_container(
    engine: &Engine,
    name: &str,
    source: &str,
    out: &mut dyn Write,
    options: CopyOptions,
) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let _reader = container.keep()?;
    let typed = Typed::new(source.as_bytes());
    let view = files::seen_root(engine, &container, Access::Read)?;
    let within = Within { root: view.as_fd(), container: name };
    let content = within.source(&typed, options.follow_link)?;
    let name = if typed.is_content_only() { b"" } else { typed.base() };
    layer::pack(content.packed(), name, &HashSet::new(), out).map_err(|error| unpackable(&error))
}

/// Copies a path of this machine into a container. Gives the bytes of the tar that the files would be.
///
/// # Errors
/// When there is no such container, file or folder, or something cannot be read or written.
pub fn copy_to_container(
    engine: &Engine,
    source: &Path,
    name: &str,
    target: &str,
    options: CopyOptions,
) -> Result<u64, Error> {
    let container = Container::find(engine, name)?;
    let _reader = container.keep()?;
    let from = Typed::new(std::os::unix::ffi::OsStrExt::as_bytes(source.as_os_str()));
    let content = local::source(source, &from, options.follow_link)?;
    let view = files::seen_root(engine, &container, Access::Write)?;
    let within = Within { root: view.as_fd(), container: name };
    let place = within.target(&Typed::new(target.as_bytes()), content.kind())?;
    let called = plan::name_in_target(&from, content.kind(), &place);
    let owner = owner(engine, &container, options)?;
    let unpacking = UnpackOptions { owner, root: Some((view.as_fd(), &place.path)) };
    transfer(&content, &called, &HashSet::new(), &place.folder, unpacking, Path::new(target))
}

/// Unpacks a tar, plain or compressed, in a folder of a container.
///
/// # Errors
/// When there is no such container or folder, the stream is no tar, or something cannot be written.
pub fn unpack_to_container(
    engine: &Engine,
    stream: impl Read,
    name: &str,
    target: &str,
    options: CopyOptions,
) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let _reader = container.keep()?;
    let view = files::seen_root(engine, &container, Access::Write)?;
    let within = Within { root: view.as_fd(), container: name };
    let place =
        within.target(&Typed::new(target.as_bytes()), Kind::Folder).ok().filter(|place| place.found == Found::Folder);
    let Some(place) = place else {
        let message = format!("destination \"{name}:{target}\" must be a directory");
        return Err(Error::new(ErrorKind::InvalidInput, message));
    };
    let owner = owner(engine, &container, options)?;
    let unpacking = UnpackOptions { owner, root: Some((view.as_fd(), &place.path)) };
    let decoded = Decoder::new(stream).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "cannot read the tar from standard input").because(&error)
    })?;
    layer::unpack(decoded, place.folder.as_fd(), unpacking).map_err(|error| unwritable(&error, Path::new(target)))
}

/// With `--archive`, who the container runs as; without a user of its own, as the files are.
fn owner(engine: &Engine, container: &Container, options: CopyOptions) -> Result<Option<(u32, u32)>, Error> {
    if !options.archive || container.record.user.is_empty() {
        return Ok(None);
    }
    let tree = files::stack(engine, container)?.tree();
    let user = image::users::resolve(&tree, &container.record.user)
        .map_err(|error| Error::new(ErrorKind::NotFound, "cannot find the container's user").because(&error))?;
    Ok(Some((user.uid, user.gid)))
}

/// Packs at one end of a pipe and unpacks at the other. Gives the bytes that passed.
fn transfer(
    content: &Content,
    name: &[u8],
    empty: &HashSet<Vec<u8>>,
    folder: &OwnedFd,
    options: UnpackOptions<'_>,
    target: &Path,
) -> Result<u64, Error> {
    let broken = |error: &io::Error| Error::new(ErrorKind::Internal, "cannot copy").because(error);
    let (reader, writer) = io::pipe().map_err(|error| broken(&error))?;
    // As large as anybody may have it; a smaller one only takes longer.
    rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20).ok();
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let mut counted = Counted { inner: io::BufWriter::with_capacity(1 << 17, writer), bytes: 0 };
            layer::pack(content.packed(), name, empty, &mut counted).map(|()| counted.bytes)
        });
        let unpacked = layer::unpack(reader, folder.as_fd(), options);
        let packed = packing.join().unwrap_or_else(|_| Err(PackError::Write(io::ErrorKind::Other.into())));
        match (packed, unpacked) {
            // The other end gave up first, and says why.
            (Err(PackError::Write(_)) | Ok(_), Err(error)) => Err(unwritable(&error, target)),
            (Err(error), _) => Err(unpackable(&error)),
            (Ok(bytes), Ok(())) => Ok(bytes),
        }
    })
}

fn unpackable(error: &PackError) -> Error {
    match error {
        PackError::Write(error) => Error::new(ErrorKind::Internal, "cannot write the tar").because(error),
        error => Error::from_source(ErrorKind::Internal, error),
    }
}

/// In Docker's words where it has some.
fn unwritable(error: &UnpackError, target: &Path) -> Error {
    match error {
        UnpackError::OverFolder { .. } | UnpackError::FolderOver { .. } => {
            Error::new(ErrorKind::Conflict, format!("{error} \"{}\"", target.display()))
        }
        UnpackError::Tar(_) | UnpackError::Stream(_) => Error::from_source(ErrorKind::InvalidInput, error),
        UnpackError::Write { source, .. } => {
            let made = Error::from_source(ErrorKind::Internal, error);
            match source.kind() {
                io::ErrorKind::ReadOnlyFilesystem => made.with_hint("it is mounted read-only there"),
                _ => made,
            }
        }
    }
}

/// Counts what passes.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
