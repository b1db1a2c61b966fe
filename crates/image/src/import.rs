//! `import`: a tarball of files becomes an image of one layer.

use std::io::{self, Read};

use layer::{Decoder, IngestError};
use oci::{ContainerConfig, History, ImageConfig, ImageId, Platform};
use serde_json::json;
use store::{Store, StoreError};

/// What the image is to say of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// When it is made, RFC 3339.
    pub created: String,
    /// The remark in its history; `Imported from …` by default.
    pub message: Option<String>,
    /// Where the tarball came from, for the default remark: `-`, or a file's name.
    pub source: String,
    /// What it runs on.
    pub platform: Platform,
    /// Defaults for its containers.
    pub config: ContainerConfig,
}

/// Why a tarball cannot become an image.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input cannot be read or decompressed.
    #[error("cannot read the tarball")]
    Read {
        /// What the reader said.
        source: io::Error,
    },
    /// It is no tar, or one that cannot be a layer.
    #[error("the tarball cannot be a layer")]
    Layer {
        /// Why not.
        source: IngestError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes a tarball, compressed or not, as the only layer of a new image.
///
/// # Errors
/// When it is damaged or no tar.
pub fn import(store: &Store, tarball: impl Read, options: ImportOptions) -> Result<ImageId, ImportError> {
    let decoder = Decoder::new(tarball).map_err(|source| ImportError::Read { source })?;
    let lease = store.lease()?;
    let sink = store.layer_sink()?;
    let file = sink.file().map_err(|source| ImportError::Read { source })?;
    let finished = layer::ingest(decoder, file, None).map_err(|source| ImportError::Layer { source })?;
    lease.hold(finished.diff_id.0)?;
    store.add_layer(finished.diff_id, sink, &finished.index, None)?;
    let comment = options.message.unwrap_or_else(|| format!("Imported from {}", options.source));
    let mut config = ImageConfig::scratch(&options.platform);
    config.config = options.config;
    config.created = Some(options.created.clone());
    config.history =
        vec![History { created: Some(options.created), comment: Some(comment.clone()), ..History::default() }];
    config.rootfs.diff_ids = vec![finished.diff_id];
    config.extra.insert("comment".to_owned(), json!(comment));
    Ok(store.publish_image(&config.to_bytes(), None)?)
}
