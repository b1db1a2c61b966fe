//! Registries: which one a name leads to, what it may be told, and the requests of the distribution specification.
//!
//! A [`Route`] says where requests for a repository go and with what; it is made from the files that docker and podman
//! share with us. Credentials belong to one scheme, host and port, and go nowhere else. This crate knows neither the
//! store nor images: manifests and blobs are bytes to it, which whoever asked verifies.
//!
//! A [`Client`] keeps connections and tokens; a [`Repository`] of it is asked for manifests and blobs and given them. What
//! may pass is tried again, what was cut goes on, mirrors are asked before the registry.

mod agents;
mod blob;
mod challenge;
mod client;
pub mod config;
mod error;
mod limits;
mod line;
mod place;
mod ranges;
mod repository;
mod retry;
mod route;
mod scout;
mod stretch;
mod token;
mod upload;
mod wire;

pub use blob::BlobReader;
pub use client::Client;
pub use error::{Kind, RegistryError};
pub use limits::{Limits, Wait};
pub use repository::{Access, Document, MOST_MANIFEST, Repository};
pub use route::{Credential, Endpoint, Identity, Route, Scheme, SecretText, Tls};
pub use upload::{ReadAt, Upload};
