//! Events of a build, for the faces to render.

pub use builder::{Event, StepId, StepOutcome, Stream};
