//! The Dockerfile language: text in, instructions and diagnostics out.
//!
//! Everything here is a pure function of text. This crate opens no file, reads no environment, and knows neither
//! images nor the store: names stay words, variables stay unexpanded until the builder hands in their values.
//! The same parser serves build and lint, so that the two can never disagree.
//!
//! Reading order: [`parse`] turns bytes into a [`Dockerfile`]; [`instruction`](Instruction) says what it holds;
//! [`Expander`] puts values into words; [`Diagnostic`] and [`SourceMap`] say what is wrong and where;
//! [`IgnoreFile`] and [`Pattern`] match paths of the build context.

mod diagnostic;
mod instruction;
mod source;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use instruction::{
    AddInstruction, ArgDeclaration, Checks, Command, CopyInstruction, Directives, Dockerfile, ExposedPort, Healthcheck,
    Heredoc, HeredocBody, Instruction, InstructionKind, KeyValue, Keyword, Mount, MountKind, MountOption, Protocol,
    RunInstruction, Stage, Trigger, Word,
};
pub use source::{LineColumn, SourceMap, Span};
