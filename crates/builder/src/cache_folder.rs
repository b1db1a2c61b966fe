//! Caches in folders: results of steps that one store writes out and another one looks at (`--cache-to`, `--cache-from`
//! with `type=local`).
//!
//! A folder is an OCI layout, with a manifest for each tag. The manifest's config is a document of our own that says which
//! layer each step gave, by the digest of the step's key; its layers are those, compressed. Nothing else of a key is
//! written, so that no value of a variable or argument is in the folder.
//!
//! What is read is hostile. A layer counts only once both of its digests were found right; that it is what a step of such
//! a key gives is what its writer says, and whoever names the folder believes it (`docs/dev/cache.md`).

mod document;
mod export;
mod imports;
mod target;
mod used;

use std::path::PathBuf;

use image::archive::MediaTypes;
use layer::Encoding;
use oci::Digest;

pub(crate) use export::export;
pub(crate) use imports::Imports;
pub(crate) use target::Targets;
pub(crate) use used::{Used, UsedStep};

use crate::build::{BuildError, BuildRequest};
use crate::report::Reporter;

/// What a tag is called when nothing is said.
pub const DEFAULT_CACHE_TAG: &str = "latest";

/// `--cache-from type=local`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheImport {
    /// The folder.
    pub folder: PathBuf,
    /// Which of its caches.
    pub tag: String,
    /// The same by the digest of its manifest, which wins; it need not be listed any more.
    pub digest: Option<Digest>,
}

/// `--cache-to type=local`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheExport {
    /// The folder; it is made where it is not there.
    pub folder: PathBuf,
    /// How the cache is called in it; what had the name before is replaced.
    pub tag: String,
    /// Which steps.
    pub mode: CacheMode,
    /// How layers are compressed.
    pub encoding: Encoding,
    /// Layers that are in the folder are compressed again.
    pub forces_compression: bool,
    /// Whose names manifest and layers have.
    pub media_types: MediaTypes,
    /// A cache that cannot be written is only worth a warning.
    pub ignores_errors: bool,
    /// Blobs that no cache of the folder has any more are removed from it.
    pub resets: bool,
}

/// Which steps are written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMode {
    /// Those whose layers the image has.
    Min,
    /// All that the target needs.
    Max,
}

/// The caches that a build reads and writes.
pub(crate) struct Caches {
    pub(crate) imports: Imports,
    pub(crate) targets: Targets,
    pub(crate) used: Used,
}

impl Caches {
    /// Opens them. What cannot be read is worth a warning.
    ///
    /// # Errors
    /// When a folder cannot be written to, and that matters.
    pub(crate) fn open(request: &BuildRequest, reporter: &Reporter<'_>) -> Result<Self, BuildError> {
        // What is imported does not count where nothing does.
        let imports = if request.no_cache { &[] } else { &request.cache_from[..] };
        let targets = Targets::open(&request.cache_to, reporter)?;
        let used = Used::new(!targets.is_empty());
        Ok(Self { imports: Imports::open(imports, reporter), targets, used })
    }
}
