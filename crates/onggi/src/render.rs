//! What the commands print: lists, objects, problems.
//!
//! Pure: plain data in, text out.

pub(crate) mod builds;
pub(crate) mod calls;
pub(crate) mod check;
pub(crate) mod containers;
pub(crate) mod context;
pub(crate) mod disk;
pub(crate) mod history;
pub(crate) mod images;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod networks;
pub(crate) mod problem;
pub(crate) mod registries;
pub(crate) mod stats;
pub(crate) mod transfers;
pub(crate) mod volumes;
