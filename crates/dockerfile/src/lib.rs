//! The Dockerfile language: text in, instructions and diagnostics out.
//!
//! Everything here is a pure function of text. This crate opens no file, reads no environment, and knows neither
//! images nor the store: names stay words, variables stay unexpanded until the builder hands in their values.
//! The same parser serves build and lint, so that the two can never disagree.
//!
//! Reading order: [`parse`] turns bytes into a [`Dockerfile`]; [`Instruction`] says what it holds; [`Expander`]
//! puts values into words; [`Diagnostic`] and [`SourceMap`] say what is wrong and where; [`IgnoreFile`] and
//! [`PathPattern`] match paths of the build context.

mod source;

mod diagnostic;

mod checks;
mod instruction;
mod keyword;

mod directive;
mod heredoc;
mod json;
mod lexer;
mod logical_line;
mod parser;
mod suggest;
mod words;

mod duration;
mod mode;
mod port;
mod signal;

mod expand;
mod stage;

mod scope;
mod walk;

mod lint;
mod outline;

mod ignore_file;
mod pattern;

pub use checks::{Checks, ChecksError};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use directive::is_dockerfile_frontend;
pub use duration::{DurationError, parse_duration};
pub use expand::{ExpandError, ExpandErrorKind, Expanded, Expander, Lookup};
pub use ignore_file::{Folder, IgnoreFile, Rule, Verdict};
pub use instruction::{
    AddInstruction, ArgDeclaration, Command, Comment, CopyInstruction, Directives, Dockerfile, EmptyLines, Healthcheck,
    Heredoc, HeredocBody, Instruction, InstructionKind, KeyValue, Mount, MountKind, MountOption, RunInstruction, Stage,
    Trigger, Word,
};
pub use keyword::{Expansion, Keyword};
pub use lint::{LintInput, LintRule, Location, Warning, lint, rules};
pub use mode::{FileMode, FileModeError};
pub use outline::{Outline, OutlineArg, OutlineMount, Target, outline, targets};
pub use parser::mount::{MountProblem, check_mount, parse_bool};
pub use parser::{MAX_LENGTH, Parsed, parse, parse_trigger};
pub use pattern::{PathPattern, Pattern, PatternError};
pub use port::{ExposedPort, PortError, Protocol};
pub use scope::{BaseFacts, Surroundings};
pub use signal::parse_signal;
pub use source::{LineColumn, SourceMap, Span};
pub use stage::{Instead, StageReference, UnknownTarget};
pub use suggest::nearest;
