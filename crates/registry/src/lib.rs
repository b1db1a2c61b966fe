//! Registries: which one a name leads to, what it may be told, and the requests of the distribution specification.
//!
//! A [`Route`] says where requests for a repository go and with what; it is made from the files that docker and podman
//! share with us. Credentials belong to one scheme, host and port, and go nowhere else. This crate knows neither the
//! store nor images: manifests and blobs are bytes to it, which whoever asked verifies.

pub mod config;
mod route;

pub use route::{Credential, Endpoint, Identity, Route, Scheme, SecretText, Tls};
