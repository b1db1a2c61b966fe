//! Every failure of the libraries below, classified once: what kind it is, why, and what to do.
//!
//! From the kind follow exit code, HTTP status and registry error code by one table each, at the faces.

use builder::BuildError;
use image::{ManifestError, StackError};
use store::StoreError;

/// The closed list of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was named is not there.
    NotFound,
    /// What was to be made is there.
    AlreadyExists,
    /// What is asked contradicts the state of things.
    Conflict,
    /// The user's input is wrong.
    InvalidInput,
    /// Who asks is not known.
    Unauthorized,
    /// Who asks may not.
    Forbidden,
    /// Something that is needed does not answer now.
    Unavailable,
    /// This version or this machine cannot do it.
    Unsupported,
    /// Stored content is damaged.
    Corrupt,
    /// Ended on request.
    Cancelled,
    /// A fault of ours or of the host.
    Internal,
}

/// A verb that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind it is.
    pub kind: ErrorKind,
    /// One lower-case sentence: what was being done to what.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do; it works when typed.
    pub hint: Option<String>,
    /// Places in a text that are wrong; when there are some, they say more than `message`.
    pub problems: Vec<Problem>,
    /// The text that `problems` point into.
    pub source: Option<SourceText>,
    /// Exit code that Docker gives, where it is not the kind's.
    pub exit_code: Option<u8>,
}

/// A text given by the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// How it is called.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// One place of a [`SourceText`] that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it is an error, or only a warning.
    pub is_error: bool,
    /// Bytes of the text.
    pub span: std::ops::Range<usize>,
    /// One lower-case sentence.
    pub message: String,
    /// A few words for under the marked text; may be empty.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            problems: Vec::new(),
            source: None,
            exit_code: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds one more thing to do about it, in a line of its own.
    #[must_use]
    pub fn with_further_hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.hint = Some(self.hint.map_or(hint.clone(), |first| format!("{first}\n{hint}")));
        self
    }

    /// Adds an error and what is behind it as causes.
    #[must_use]
    pub fn because(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        self.causes.extend(std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string));
        self
    }

    /// Sets the exit code that Docker gives.
    #[must_use]
    pub fn with_exit_code(mut self, code: u8) -> Self {
        self.exit_code = Some(code);
        self
    }

    /// No image of that name.
    pub fn no_such_image(name: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("no such image: {name}"))
            .with_hint("`onggi images` lists what is there; `onggi pull` and `onggi load` bring images in")
    }

    pub(crate) fn from_source(kind: ErrorKind, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut made = Self::new(kind, error.to_string());
        made.causes.extend(std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string));
        made
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                ErrorKind::Forbidden
            }
            StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => ErrorKind::Unavailable,
            StoreError::Io { .. } => ErrorKind::Internal,
            StoreError::Version { .. } | StoreError::Corrupt { .. } | StoreError::LayerMissing(_) => ErrorKind::Corrupt,
            StoreError::NoRoom { .. } => ErrorKind::Unavailable,
            StoreError::ImageMissing(_) => ErrorKind::NotFound,
            StoreError::NameTooLong(_) | StoreError::Settings { .. } => ErrorKind::InvalidInput,
            StoreError::NameTaken { .. } => ErrorKind::Conflict,
            StoreError::NoIdentities { .. } => ErrorKind::Forbidden,
        };
        let has_settings = !matches!(error, StoreError::Settings { .. });
        let is_limited = matches!(error, StoreError::NoRoom { .. });
        if let StoreError::NoIdentities { remedy, .. } = &error {
            return Self::from_source(kind, &error).with_hint(remedy.clone());
        }
        let hint = match kind {
            _ if !has_settings => Some(
                "`onggi system limits --max-size none --min-free none` writes it anew; give sizes instead of `none` to set limits",
            ),
            _ if is_limited => Some(
                "`onggi system df -v` shows what takes the room, `onggi system prune` frees some, and `onggi system limits` shows and sets the limits",
            ),
            ErrorKind::Forbidden => Some("run as root, or choose another store with `--root DIR`"),
            ErrorKind::Unavailable => Some("free some space on the disk, or choose another store with `--root DIR`"),
            _ => None,
        };
        let made = Self::from_source(kind, &error);
        match hint {
            Some(hint) => made.with_hint(hint),
            None => made,
        }
    }
}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::Store(error) => error.into(),
            ManifestError::Ambiguous(_) => {
                Self::from_source(ErrorKind::InvalidInput, &error).with_hint("give more digits of the ID")
            }
            ManifestError::Layer { .. } => Self::from_source(ErrorKind::Internal, &error),
        }
    }
}

impl From<StackError> for Error {
    fn from(error: StackError) -> Self {
        match error {
            StackError::Store(error) => error.into(),
            StackError::Index { .. } | StackError::Ingest { .. } => Self::from_source(ErrorKind::Corrupt, &error),
        }
    }
}

impl From<oci::ReferenceError> for Error {
    fn from(error: oci::ReferenceError) -> Self {
        let made = Self::from_source(ErrorKind::InvalidInput, &error);
        match error.hint() {
            Some(hint) => made.with_hint(hint),
            None => made,
        }
    }
}

impl Error {
    /// A build's failure; the Dockerfile's text is for showing the places.
    pub(crate) fn from_build(error: BuildError, name: &str, text: &[u8]) -> Self {
        let source = || {
            let mut text = text.to_vec();
            builder::hide_passwords(&mut text);
            Some(SourceText { name: name.to_owned(), text })
        };
        let message = error.to_string();
        match error {
            BuildError::Dockerfile(problems) => Self {
                problems: problems.into_iter().map(Problem::from).collect(),
                source: source(),
                ..Self::new(ErrorKind::InvalidInput, message)
            },
            BuildError::Step { problem, causes, exit_code, kept } => {
                let error = Self {
                    problems: vec![Problem::from(problem)],
                    causes,
                    source: source(),
                    exit_code: exit_code.map(|_| 1),
                    ..Self::new(ErrorKind::InvalidInput, message)
                };
                let way = if exit_code.is_some() { "open a shell in the failed step" } else { "see what is there" };
                kept.iter()
                    .fold(error, |error, id| error.with_further_hint(format!("{way} with `onggi build debug {id}`")))
            }
            BuildError::IgnoreFile { file, text, problems } => Self {
                problems: problems.into_iter().map(Problem::from).collect(),
                source: Some(SourceText { name: file, text }),
                ..Self::new(ErrorKind::InvalidInput, message)
            },
            BuildError::Epoch(error) => Self::new(ErrorKind::InvalidInput, message).with_hint(error.hint()),
            BuildError::Checks { .. } => Self::new(ErrorKind::InvalidInput, message).with_hint(
                "`onggi build --check` shows each with its place; mend them, or take `error=true` out of `# check=`",
            ),
            BuildError::CheckOption { .. } => Self::new(ErrorKind::InvalidInput, message).with_hint(
                "write for example `--build-arg 'BUILDKIT_DOCKERFILE_CHECK=skip=JSONArgsRecommended;error=true'`",
            ),
            BuildError::Target(unknown) => {
                let hint = match (&unknown.suggestion, unknown.names.as_slice()) {
                    (Some(near), _) => format!("did you mean `--target {near}`?"),
                    (None, []) => "no stage has a name: add `AS NAME` to a FROM line".to_owned(),
                    (None, names) => format!("the stages are: {}", names.join(", ")),
                };
                Self::new(ErrorKind::InvalidInput, message).with_hint(hint)
            }
            BuildError::Failed { causes, .. } => Self { causes, ..Self::new(ErrorKind::Internal, message) },
            BuildError::Source { causes, hint, .. } | BuildError::Output { causes, hint, .. } => {
                Self { causes, hint, ..Self::new(ErrorKind::InvalidInput, message) }
            }
            BuildError::Context(error) => Self::from_source(ErrorKind::InvalidInput, &error),
            BuildError::Store(error) => error.into(),
            BuildError::Image(error) => error.into(),
            // 128 + SIGINT, as a shell says it of a program that ended by Ctrl-C.
            BuildError::Cancelled => Self::new(ErrorKind::Cancelled, message).with_exit_code(130),
        }
    }
}

impl From<builder::Problem> for Problem {
    fn from(problem: builder::Problem) -> Self {
        Self {
            is_error: problem.is_error,
            span: problem.span.start..problem.span.end,
            message: problem.message,
            label: problem.label,
            help: problem.help,
        }
    }
}
