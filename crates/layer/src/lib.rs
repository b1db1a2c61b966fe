//! Layers: a root filesystem's changes as a tar, and an index that lets the kernel mount that tar.
//!
//! A layer is kept as its verbatim uncompressed tar plus a small EROFS image, the index, whose inodes point into the
//! tar (docs: ARCHITECTURE.md, "The layer tar is the file system"). [`LayerWriter`] makes both from entries,
//! [`ingest`] makes the index while it copies a foreign tar, [`Tree`] reads a stack of layers from the indexes alone.
//! This crate knows neither the store nor images, and never follows a path as text on the host.

mod adopt;
mod compress;
mod compression;
mod descent;
mod diff;
mod directory;
mod entry;
mod erofs;
mod extract;
mod flatten;
mod index;
mod ingest;
mod mount;
mod overlay;
mod owner;
mod pack;
mod populate;
mod snapshot;
mod squash;
mod tar;
mod tree;
mod unpack;
mod writer;

pub use adopt::{AdoptError, adopt};
pub use compress::{EncodeError, EncodedBlob, Encoding, digest_of, encode};
pub use compression::{Compression, CompressionError, Decoder, is_tar};
pub use diff::{
    Change, ChangeKind, DiffError, DiffOptions, DiffStatistics, Selection, changes, diff, folder_metadata, select,
};
pub use directory::{Backend, LayerDirectory};
pub use entry::{Entry, EntryKind, Metadata, PathError, Timestamp, Xattr, normalize};
pub use erofs::xattrs::XattrError;
pub use extract::{ExtractError, ExtractOptions, ExtractStatistics, extract};
pub use flatten::{FlattenError, finish_tar, write_tar};
pub use index::{Index, IndexError};
pub use ingest::{IngestError, ingest};
pub use mount::{MountError, erofs_supported, mount_erofs, mount_memory};
pub use overlay::{MOST_LAYERS, OverlayOptions, Upper, mount_overlay, prepare_upper};
pub use owner::{Owners, give};
pub use pack::{PackError, Packed, pack};
pub use populate::{PopulateError, PopulateOptions, Populated, populate, populate_from};
pub use snapshot::Snapshot;
pub use squash::{SquashError, squash};
pub use tar::TarError;
pub use tree::{FileReader, Identity, Layer, Node, NodeType, Resolved, Tree, TreeError, Visit, Walk};
pub use unpack::{UnpackError, UnpackOptions, unpack};
pub use writer::{FinishedLayer, IndexingError, LayerWriter, WriteError};
