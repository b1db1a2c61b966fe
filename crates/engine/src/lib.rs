//! The verbs: build, run, images, history, save … Options in, plain data out, progress as events.
//!
//! Nothing here prints, parses arguments or reads the environment.

pub mod progress;
