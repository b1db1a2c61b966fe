//! Docker's default filter of system calls as a BPF program.
//!
//! `profile` says what is allowed, `compiler` turns that into instructions: two binary searches over the numbers, one
//! per interface (native and 32-bit), some ten instructions for a call. Compiling takes microseconds, so nothing is
//! kept on disk. `custom` reads profiles of the user's own, `owner_filter` is a second filter for user namespaces with few IDs.

mod compiler;
mod custom;
mod owner_filter;
mod profile;

pub(crate) use compiler::docker_filter;
pub use custom::{ProfileError, SeccompProfile};
pub(crate) use owner_filter::{ChownForm, owner_filter};
pub(crate) use profile::{OCI_ARCHITECTURES, OciRule, oci_rules};

#[cfg(test)]
mod tests;
