//! Dockerfile instructions become a graph of steps, solved with the cache.
//!
//! Reading order: [`request`] says what a build is asked for; `stage` walks the instructions of one stage; `key` says
//! what identifies a step's result; `context` reads the build context in place; `copy` and `run` do the work of a
//! step that was not cached. This crate starts no process (it takes a [`StepExecutor`]) and speaks no HTTP.

mod progress;

pub use progress::{Event, StepId, StepOutcome, Stream};
