//! What becomes of a build's result: an image in the store, an archive, plain files (`build --output`).

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use image::archive::{Annotations, MediaTypes};
use layer::Encoding;
use oci::Reference;

/// One thing that a result becomes.
#[derive(Debug, Clone)]
pub enum Output {
    /// `type=image`, `type=docker` without a destination: an image of the store.
    Image(ImageOutput),
    /// `type=docker`, `type=oci`.
    Archive(ArchiveOutput),
    /// `type=local`.
    Folder(FolderOutput),
    /// `type=tar`.
    Tar(TarOutput),
    /// `type=cacheonly`: nothing but results of steps.
    CacheOnly,
}

/// An image of the store.
#[derive(Debug, Clone, Default)]
pub struct ImageOutput {
    /// Its names, where the build was given none.
    pub names: Vec<Reference>,
    /// What an image without a name is called, with its digest behind it.
    pub dangling_prefix: Option<Reference>,
    /// Each name once more, with the digest behind it.
    pub is_canonical: bool,
}

/// An archive of Docker's or OCI's kind.
#[derive(Debug, Clone)]
pub struct ArchiveOutput {
    /// Docker's, which `docker load` takes.
    pub is_docker: bool,
    /// The image's names, where the build was given none.
    pub names: Vec<Reference>,
    /// How layers are compressed.
    pub encoding: Encoding,
    /// Whose names manifests and layers have.
    pub media_types: MediaTypes,
    /// Annotations of the documents.
    pub annotations: Annotations,
    /// Where it is written.
    pub destination: ArchiveDestination,
}

/// Where an archive is written.
#[derive(Debug, Clone)]
pub enum ArchiveDestination {
    /// As a tar.
    Tar(Destination),
    /// As the folder of an OCI layout (`tar=false`).
    Layout(PathBuf),
}

/// Where a stream of bytes is written.
#[derive(Debug, Clone)]
pub enum Destination {
    /// A file, which appears when it is complete.
    File(PathBuf),
    /// Standard output.
    Stream(Arc<File>),
}

/// The files of the result in a folder.
#[derive(Debug, Clone)]
pub struct FolderOutput {
    /// The folder.
    pub path: PathBuf,
    /// `mode=delete`: what the result does not have is removed from it.
    pub removes_others: bool,
    /// `platform-split`: of several platforms each has a folder of its own; without it they must not meet.
    pub splits_platforms: bool,
}

/// The files of the result in one tar.
#[derive(Debug, Clone)]
pub struct TarOutput {
    /// Where.
    pub destination: Destination,
    /// As [`FolderOutput::splits_platforms`].
    pub splits_platforms: bool,
}
