//! What can go wrong with archives.

use std::io;

use layer::IngestError;
use oci::{Digest, ReferenceError};
use store::StoreError;

use crate::{ManifestError, StackError};

/// Why the tar around an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The stream failed.
    #[error("cannot read archive at byte {offset}")]
    Read {
        /// Where in the decompressed stream.
        offset: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// The stream ended within a member or its header.
    #[error("archive ends at byte {offset}, within `{member}`")]
    Truncated {
        /// Where in the decompressed stream.
        offset: u64,
        /// The member last seen.
        member: String,
    },
    /// It is not a tar at all.
    #[error("the input is not a tar archive")]
    NotATar,
    /// A header's checksum is wrong.
    #[error("no tar header at byte {offset}, behind `{after}`: checksum is wrong")]
    Checksum {
        /// Where the header begins.
        offset: u64,
        /// The member before.
        after: String,
    },
    /// A block of zeros with something behind it: readers disagree where such an archive ends.
    #[error("block of zeros inside archive at byte {offset}")]
    LoneZeroBlock {
        /// Where it is.
        offset: u64,
    },
    /// A field of a header is malformed.
    #[error("field `{field}` of member `{member}` is malformed")]
    Field {
        /// The member.
        member: String,
        /// Name of the field or of the PAX record.
        field: &'static str,
    },
    /// A name that leads out of the archive, or is no text.
    #[error("the name of member `{member}` is not allowed: {reason}")]
    Name {
        /// The name.
        member: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A device, or something else that no image archive has.
    #[error("member `{member}` has type `{flag}`, which no image archive has")]
    Kind {
        /// The member.
        member: String,
        /// Its type.
        flag: char,
    },
    /// More members than any image archive has.
    #[error("archive has more than {limit} members")]
    TooMany {
        /// The most that are taken.
        limit: usize,
    },
}

/// Why an archive cannot be loaded. Nothing of it is listed then.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The input's compression cannot be undone.
    #[error("cannot read archive")]
    Open {
        /// What the reader said.
        source: io::Error,
    },
    /// The tar itself is wrong.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// Two members have one name.
    #[error("archive has two members `{member}`")]
    Duplicate {
        /// Their name.
        member: String,
    },
    /// A link leads out of the archive.
    #[error("link `{member}` leads out of the archive: `{target}`")]
    Escapes {
        /// The link.
        member: String,
        /// Where to.
        target: String,
    },
    /// Links that lead in circles.
    #[error("link `{member}` leads to too many other links")]
    LinkLoop {
        /// The first of them.
        member: String,
    },
    /// A member that another one names is not there.
    #[error("archive has no `{member}`, which `{needed_by}` names")]
    Missing {
        /// What is missing.
        member: String,
        /// Who names it.
        needed_by: String,
    },
    /// A member's content cannot be read or decompressed.
    #[error("cannot read `{member}`")]
    Content {
        /// The member.
        member: String,
        /// What the reader said.
        source: io::Error,
    },
    /// A member is larger than a document may be, or holds a tar.
    #[error("`{member}` is no document of at most 4 MiB")]
    NotADocument {
        /// The member.
        member: String,
    },
    /// A member should hold a layer and does not.
    #[error("`{member}` is not a layer: its content is not a tar")]
    NotALayer {
        /// The member.
        member: String,
    },
    /// More of something than any image has.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The most that is taken.
        limit: u64,
    },
    /// A document is not what its place says.
    #[error("`{member}` cannot be read")]
    Json {
        /// The document.
        member: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// Neither of the formats.
    #[error("the input is not an image archive: it has neither `manifest.json` nor `index.json`")]
    NotAnArchive,
    /// Docker before 1.10.
    #[error("the archive is in the format of Docker before 1.10, which is not supported")]
    Legacy,
    /// A version of the layout that is not known.
    #[error("OCI layout version `{version}` is not supported")]
    LayoutVersion {
        /// The version.
        version: String,
    },
    /// Content does not have the digest that it is named by.
    #[error("`{member}` is damaged: its digest is {found}, not {expected}")]
    Digest {
        /// The member.
        member: String,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// Content does not have the length that it is announced with.
    #[error("`{member}` is damaged: it has {found} bytes, not {expected}")]
    Size {
        /// The member.
        member: String,
        /// What it should be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// An image's list of layers and its config do not fit together.
    #[error("image {image} lists {listed} layers, but its config has {configured}")]
    LayerCount {
        /// The image.
        image: Digest,
        /// How many the manifest has.
        listed: usize,
        /// How many the config has.
        configured: usize,
    },
    /// A config that describes no layers.
    #[error("config `{member}` is not an image's: `rootfs.type` is `{kind}`, not `layers`")]
    RootFs {
        /// The config.
        member: String,
        /// What it says.
        kind: String,
    },
    /// A name of an image that is none.
    #[error("`{member}` gives an image a name that is none")]
    Reference {
        /// The document.
        member: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// An index with nothing for this machine.
    #[error("index {index} has no image for {platform}")]
    Platform {
        /// The index.
        index: Digest,
        /// This machine.
        platform: String,
    },
    /// Nothing for the platform that was asked for.
    #[error("the archive has no image for {platform}")]
    NoImageFor {
        /// What was asked for.
        platform: String,
    },
    /// A media type that an image cannot have there.
    #[error("`{media_type}` is no image, and no index of images")]
    MediaType {
        /// What it says.
        media_type: String,
    },
    /// A layer's content cannot be a layer.
    #[error("layer `{member}` cannot be used")]
    Layer {
        /// The member.
        member: String,
        /// Why not.
        source: IngestError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer that is already in the store cannot be opened.
    #[error(transparent)]
    Stack(#[from] StackError),
}

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// An image is not complete.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output does not take it.
    #[error("cannot write archive")]
    Write {
        /// What the kernel said.
        source: io::Error,
    },
    /// A layer cannot be compressed.
    #[error("cannot compress layer {layer}")]
    Encode {
        /// Which layer.
        layer: Digest,
        /// Why not.
        source: layer::EncodeError,
    },
    /// A file of an OCI layout cannot be written.
    #[error("cannot write `{path}`")]
    Layout {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder holds something that is no OCI layout.
    #[error("`{path}` is there, and is not the index of an OCI layout")]
    NotALayout {
        /// The file.
        path: std::path::PathBuf,
    },
    /// A layer's file has not the length that its manifest says.
    #[error("layer {layer} is damaged: it has {found} bytes, not {expected}")]
    Layer {
        /// Which layer.
        layer: Digest,
        /// What it should have.
        expected: u64,
        /// What it has.
        found: u64,
    },
}
