//! Events of a build, for the faces to render.

pub use builder::{Event, InstructionEvent, KeptOutput, StepId, StepOutcome, Stream};
pub use dockerfile::{LintRule, Location, Span, Warning, rules};
