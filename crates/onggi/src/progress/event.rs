//! What a build reports while it runs, by the engine's own names.

pub(crate) use engine::progress::{Event, InstructionEvent, KeptOutput, StepId, StepOutcome, Stream};
