//! The files of `save` and `load`: images in one tar.
//!
//! [`save`] writes what is a docker-archive and an OCI layout at once, as Docker does since version 25; [`load`] reads
//! that, the docker-archives of Docker since 1.10, podman and skopeo (layers in folders of their own or compressed,
//! names that are links), and OCI layouts. Nothing is unpacked: a layer's bytes become the stored layer in the pass
//! that hashes and indexes them.
//!
//! An archive is hostile until its digests are verified: nothing of it is listed before.

mod annotations;
pub(crate) mod catalog;
pub(crate) mod documents;
mod error;
pub(crate) mod layer_blob;
mod layout;
mod load;
mod member;
mod members;
pub(crate) mod plan;
mod save;
mod ship;
pub(crate) mod take;
mod tar_out;

pub use annotations::{Annotation, AnnotationTarget, Annotations};
pub use error::{LoadError, MemberError, SaveError};
pub use layer_blob::{AnnouncedLayer, LayerBlob, bring_layer, layer_media_type};
pub use layout::{Layout, LayoutLock, LayoutReader};
pub use load::{LayoutContent, LayoutError, LayoutImage, Loaded, load, load_file, load_layout};
pub use save::save;
pub use ship::{MediaTypes, ShipOptions, Shipped, ShippedImage, Target, ship};

/// Documents of the two formats, at the root of the tar.
mod names {
    pub(super) const DOCKER_MANIFEST: &str = "manifest.json";
    pub(super) const OCI_INDEX: &str = "index.json";
    pub(super) const OCI_LAYOUT: &str = "oci-layout";
    pub(super) const REPOSITORIES: &str = "repositories";
    /// Folder of blobs in an OCI layout.
    pub(super) const BLOBS: &str = "blobs/sha256/";
}

/// How much an archive may ask for.
pub(crate) mod limits {
    /// Members of the tar, and headers that extend others.
    pub(crate) const MEMBERS: usize = 1 << 16;
    /// Bytes of one document.
    pub(crate) const DOCUMENT: u64 = 4 << 20;
    /// Bytes of all documents, which are held in memory.
    pub(crate) const DOCUMENTS: u64 = 64 << 20;
    /// Images.
    pub(crate) const IMAGES: usize = 4096;
    /// Layers of an image.
    pub(crate) const LAYERS: usize = 4096;
    /// Links from one name to another.
    pub(crate) const LINKS: usize = 16;
    /// Indexes within indexes.
    pub(crate) const DEPTH: usize = 4;
}
