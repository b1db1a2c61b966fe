//! The verbs about images on real stores, without root: what the command line shows is made of what they return.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archives;
mod forge;
mod history;
mod inspect;
mod list;
mod remove;
