//! The nouns: digests, descriptors, manifests, image configs, platforms and references.
//!
//! What the OCI image-spec and Docker's image format call things, as plain data with strict parsing. This crate
//! does no I/O and reads neither the clock nor the environment. Documents keep fields that we do not know, in the
//! order in which they came, so that reading and writing one does not change its digest by accident.

mod descriptor;
mod digest;
mod image_config;
mod manifest;
mod owner_mark;
mod platform;
mod reference;

pub use descriptor::{Descriptor, media_type};
pub use digest::{ChainId, DiffId, Digest, DigestError, Hasher, ImageId};
pub use image_config::{ContainerConfig, Healthcheck, History, ImageConfig, RootFs, StringOrList};
pub use manifest::{ImageIndex, ImageManifest};
pub use owner_mark::OwnerMark;
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError, TagOrDigest};
