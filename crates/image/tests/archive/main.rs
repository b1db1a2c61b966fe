//! `save`, `load` and `import` on real stores, without root: archives are made in code, in the shapes that Docker,
//! podman and skopeo write.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod forge;
mod formats;
mod hostile;
mod import;
mod round_trip;
mod ship;
