//! What is wrong with a Dockerfile, as data: where, what, why and what to do.
//!
//! One run reports every problem. Drawing them on a screen is the command line's business.

use crate::source::Span;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The build goes on; the text probably does not mean what its author thinks.
    Warning,
    /// There is nothing sensible to build.
    Error,
}

/// One problem in a Dockerfile or an ignore file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The kind of problem, stable across wordings.
    pub code: Code,
    /// What is wrong, in one lower-case sentence without a period.
    pub message: String,
    /// Where, in bytes of the file.
    pub span: Span,
    /// A few words to print under the marked text; empty when the message says it all.
    pub label: String,
    /// What to type instead; it works when typed.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Makes an error without label and help.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Error, code, message: message.into(), span, label: String::new(), help: None }
    }

    /// Makes a warning without label and help.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// Adds the words that go under the marked text.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Whether it stops the build.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Problems of one file as they are found. Past [`Diagnostics::LIMIT`] they are only counted as far as there being
/// an error: nobody reads more, and a hostile file could have millions.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// How many are kept.
    pub(crate) const LIMIT: usize = 1000;

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < Self::LIMIT {
            self.list.push(diagnostic);
        } else if diagnostic.is_error()
            && !self.has_errors()
            && let Some(last) = self.list.last_mut()
        {
            *last = diagnostic;
        }
    }

    pub(crate) fn extend(&mut self, others: Diagnostics) {
        others.list.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= Self::LIMIT
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_error)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    pub(crate) fn into_vec(self) -> Vec<Diagnostic> {
        self.list
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The kinds of problems. BuildKit's checks are not among them: those are in [`crate::lint()`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// The name, as used in `# check=skip=NAME`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => stringify!($name),)* }
            }
        }
    };
}

codes! {
    /// The file is longer than the cap, or has more instructions or stages than anybody writes.
    FileTooLarge,
    /// A byte sequence is not UTF-8, or a NUL byte.
    InvalidText,
    /// There is no instruction in the file.
    EmptyFile,
    /// There is no FROM.
    NoFrom,
    /// An instruction other than ARG stands before the first FROM.
    BeforeFrom,
    /// A front end is asked for that is not the Dockerfile's own.
    ForeignFrontend,
    /// A parser directive has a value that is not allowed.
    InvalidDirective,
    /// The same parser directive twice.
    DuplicateDirective,
    /// A comment that would be a parser directive further up.
    MisplacedDirective,
    /// A word at the start of a line that is no instruction.
    UnknownInstruction,
    /// A flag that the instruction does not have.
    UnknownFlag,
    /// A flag with a missing or wrong value.
    InvalidFlag,
    /// The same flag twice.
    DuplicateFlag,
    /// Something that the instruction needs is not there.
    MissingArgument,
    /// Something that the instruction does not take.
    UnexpectedArgument,
    /// A quote that is never closed, or similar.
    InvalidQuoting,
    /// A name of a variable, label or stage that is not allowed.
    InvalidName,
    /// A stage reference that cannot work.
    InvalidStageReference,
    /// A JSON array that does not parse where nothing else is allowed.
    InvalidJson,
    /// Text that looks like a JSON array with a mistake, and is taken as shell text.
    BrokenJson,
    /// A here-document whose end marker never comes.
    UnterminatedHeredoc,
    /// A duration, number or size that is not one.
    InvalidNumber,
    /// A port or protocol that is not one.
    InvalidPort,
    /// A signal that does not exist.
    InvalidSignal,
    /// ONBUILD with an instruction that cannot be a trigger.
    InvalidTrigger,
    /// `${…}` that does not parse.
    InvalidExpansion,
    /// Several sources, and a destination that is not a folder.
    InvalidDestination,
    /// Pattern in an ignore file that is malformed.
    InvalidPattern,
}
