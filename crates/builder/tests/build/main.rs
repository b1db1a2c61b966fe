//! Whole builds through the public API, without root: commands are played by a recorder, base images are written
//! entry by entry, results are read from the indexes alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archives;
mod cache;
mod cache_damage;
mod cache_folder;
mod calls;
mod checks;
mod classic;
mod context;
mod copy;
mod documents;
mod events;
mod explain;
mod failed;
mod filters;
mod instructions;
mod kitchen;
mod language;
mod link;
mod mounts;
mod named;
mod platforms;
mod processes;
mod recorder;
mod remote;
mod reproducible;
mod run;
mod servers;
mod squash;
mod stages;
mod stale;
mod truth;
mod variables;
