//! Whole builds through the public API, without root: commands are played by a recorder, base images are written
//! entry by entry, results are read from the indexes alone.

mod cache;
mod context;
mod copy;
mod events;
mod instructions;
mod kitchen;
mod recorder;
mod stages;
mod variables;
