//! What a Dockerfile says, as data.
//!
//! Words are kept as written, with quotes and variables in place: [`crate::Expander`] turns them into values when
//! the builder knows the variables. Only commands, durations and the like, which are never expanded, are final here.

use std::time::Duration;

use crate::checks::Checks;
use crate::keyword::Keyword;
use crate::source::Span;

/// A whole Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dockerfile {
    /// Parser directives from the top of the file.
    pub directives: Directives,
    /// ARG declarations before the first FROM, in order; they are in scope in FROM lines only.
    pub global_args: Vec<Instruction>,
    /// Stages in order; at least one when parsing gave no error.
    pub stages: Vec<Stage>,
}

/// Parser directives: `# syntax=`, `# escape=`, `# check=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives {
    /// The frontend image asked for.
    pub syntax: Option<Word>,
    /// Escape character, backslash or backtick.
    pub escape: char,
    /// Which checks to leave out.
    pub check: Option<Checks>,
}

impl Default for Directives {
    fn default() -> Directives {
        Directives { syntax: None, escape: '\\', check: None }
    }
}

/// A piece of the text, as written: quotes, escapes and variables still in it, continuations and comments taken out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// One FROM and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Name after AS, in lower case (names are case-insensitive).
    pub name: Option<Word>,
    /// What it starts from: an image, `scratch` or an earlier stage; unexpanded.
    pub base: Word,
    /// `--platform`, unexpanded.
    pub platform: Option<Word>,
    /// The FROM line.
    pub span: Span,
    /// First line of FROM, from 1.
    pub first_line: usize,
    /// Last line of FROM.
    pub last_line: usize,
    /// The FROM line as BuildKit shows it.
    pub text: String,
    /// Comment lines above.
    pub comment: Comment,
    /// What a comment line above says of the stage (`# name what it is for`).
    pub description: Option<String>,
    /// Empty lines within the continued FROM.
    pub empty_lines: EmptyLines,
    /// What follows, up to the next FROM.
    pub instructions: Vec<Instruction>,
}

/// One instruction with its place and its original wording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Everything from the instruction's name to its last byte, here-documents included.
    pub span: Span,
    /// First line, from 1.
    pub first_line: usize,
    /// Last line.
    pub last_line: usize,
    /// The logical line as BuildKit keeps it: continuations joined, comments dropped, blanks at the ends trimmed,
    /// blanks inside kept, here-document bodies left out. See [`Instruction::step_name`].
    pub text: String,
    /// Comment lines above.
    pub comment: Comment,
    /// Empty lines within the continued instruction.
    pub empty_lines: EmptyLines,
    /// What it does.
    pub kind: InstructionKind,
}

/// Comment lines above an instruction, up to an empty one or the instruction before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comment {
    /// The lines, without `#` and blanks at the ends.
    pub lines: Vec<String>,
    /// No blank line lies between the last of them and the instruction.
    pub is_adjacent: bool,
}

/// Empty lines within an instruction that goes over several lines. They are skipped today.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EmptyLines {
    /// Their numbers, from 1.
    pub lines: Vec<usize>,
    /// The last line of the instruction, here-documents left out.
    pub last_line: usize,
}

/// An instruction's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstructionKind {
    /// `ADD`
    Add(AddInstruction),
    /// `ARG`, one or more declarations.
    Arg(Vec<ArgDeclaration>),
    /// `CMD`
    Cmd(Command),
    /// `COPY`
    Copy(CopyInstruction),
    /// `ENTRYPOINT`
    Entrypoint(Command),
    /// `ENV`
    Env(Vec<KeyValue>),
    /// `EXPOSE`, words unexpanded; see [`crate::ExposedPort::parse`].
    Expose(Vec<Word>),
    /// `HEALTHCHECK`
    Healthcheck(Healthcheck),
    /// `LABEL`
    Label(Vec<KeyValue>),
    /// `MAINTAINER`, the rest of the line.
    Maintainer(Word),
    /// `ONBUILD`
    OnBuild(Trigger),
    /// `RUN`
    Run(RunInstruction),
    /// `SHELL`, the array, never expanded.
    Shell(Vec<String>),
    /// `STOPSIGNAL`
    StopSignal(Word),
    /// `USER`
    User(Word),
    /// `VOLUME`
    Volume(Vec<Word>),
    /// `WORKDIR`
    Workdir(Word),
}

impl Comment {
    /// What a line says of `name`: `# name what it is for` (BuildKit's `--call=outline` and `targets`).
    pub fn description_of(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::trim)
    }
}

impl Word {
    /// Makes a word.
    pub fn new(text: impl Into<String>, span: Span) -> Word {
        Word { text: text.into(), span }
    }
}

impl Instruction {
    /// The text with the instruction's name in upper case, as BuildKit shows it behind `[2/3]`. BuildKit also
    /// expands the variables in it: [`crate::Expander::for_display`].
    pub fn step_name(&self) -> String {
        upper_case_name(&self.text)
    }
}

impl Stage {
    /// The FROM line with `FROM` in upper case.
    pub fn step_name(&self) -> String {
        upper_case_name(&self.text)
    }
}

fn upper_case_name(text: &str) -> String {
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    name.to_ascii_uppercase() + rest
}

impl InstructionKind {
    /// The instruction's name.
    pub fn keyword(&self) -> Keyword {
        match self {
            InstructionKind::Add(_) => Keyword::Add,
            InstructionKind::Arg(_) => Keyword::Arg,
            InstructionKind::Cmd(_) => Keyword::Cmd,
            InstructionKind::Copy(_) => Keyword::Copy,
            InstructionKind::Entrypoint(_) => Keyword::Entrypoint,
            InstructionKind::Env(_) => Keyword::Env,
            InstructionKind::Expose(_) => Keyword::Expose,
            InstructionKind::Healthcheck(_) => Keyword::Healthcheck,
            InstructionKind::Label(_) => Keyword::Label,
            InstructionKind::Maintainer(_) => Keyword::Maintainer,
            InstructionKind::OnBuild(_) => Keyword::OnBuild,
            InstructionKind::Run(_) => Keyword::Run,
            InstructionKind::Shell(_) => Keyword::Shell,
            InstructionKind::StopSignal(_) => Keyword::StopSignal,
            InstructionKind::User(_) => Keyword::User,
            InstructionKind::Volume(_) => Keyword::Volume,
            InstructionKind::Workdir(_) => Keyword::Workdir,
        }
    }
}

/// Command of RUN, CMD, ENTRYPOINT and HEALTHCHECK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Text for the shell: continuations and comment lines taken out, nothing else touched.
    Shell(String),
    /// The argument vector of a JSON array.
    Exec(Vec<String>),
}

/// `RUN`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInstruction {
    /// What to run. With here-documents, the first line as written.
    pub command: Command,
    /// `--mount`, in order.
    pub mounts: Vec<Mount>,
    /// `--network`: `default`, `none` or `host`.
    pub network: Option<Word>,
    /// `--security`: `sandbox` or `insecure`.
    pub security: Option<Word>,
    /// `--device`
    pub devices: Vec<Word>,
    /// Here-documents of the line.
    pub heredocs: Vec<Heredoc>,
    /// The command is one here-document and nothing else (`RUN <<EOF`): its text is what is run.
    pub is_document: bool,
}

/// `COPY`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyInstruction {
    /// Sources; may be empty when there are here-documents.
    pub sources: Vec<Word>,
    /// Destination.
    pub destination: Word,
    /// Here-documents that are sources, in order.
    pub heredocs: Vec<Heredoc>,
    /// `--from`: a stage's name or number, an image, a named context; unexpanded.
    pub from: Option<Word>,
    /// `--chown`
    pub chown: Option<Word>,
    /// `--chmod`
    pub chmod: Option<Word>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude`, in order.
    pub excludes: Vec<Word>,
}

/// `ADD`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddInstruction {
    /// Sources: paths, URLs, git repositories.
    pub sources: Vec<Word>,
    /// Destination.
    pub destination: Word,
    /// Here-documents that are sources, in order.
    pub heredocs: Vec<Heredoc>,
    /// `--chown`
    pub chown: Option<Word>,
    /// `--chmod`
    pub chmod: Option<Word>,
    /// `--link`
    pub link: bool,
    /// `--keep-git-dir`
    pub keep_git_dir: Option<bool>,
    /// `--checksum`
    pub checksum: Option<Word>,
    /// `--unpack`
    pub unpack: Option<bool>,
    /// `--exclude`, in order.
    pub excludes: Vec<Word>,
}

/// One `name` or `name=default` of ARG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgDeclaration {
    /// Name.
    pub name: Word,
    /// Default, unexpanded; `None` is different from an empty one.
    pub default: Option<Word>,
}

/// One pair of ENV or LABEL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// Key; may be quoted and may hold variables.
    pub key: Word,
    /// Value.
    pub value: Word,
    /// Written as `key value`, without `=`.
    pub is_legacy: bool,
}

/// `HEALTHCHECK`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Healthcheck {
    /// `HEALTHCHECK NONE`: switch off what the base image has.
    None,
    /// `HEALTHCHECK CMD …`
    Check {
        /// The probe.
        command: Command,
        /// `--interval`
        interval: Option<Duration>,
        /// `--timeout`
        timeout: Option<Duration>,
        /// `--start-period`
        start_period: Option<Duration>,
        /// `--start-interval`
        start_interval: Option<Duration>,
        /// `--retries`
        retries: Option<u32>,
    },
}

/// `ONBUILD`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What goes into the image's config (`OnBuild`); [`crate::parse_trigger`] reads it back.
    pub text: String,
    /// The instruction, already checked.
    pub instruction: Box<Instruction>,
}

/// A `--mount` of RUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `type=`; bind when it is not given, or is a variable that is put in later: see [`crate::check_mount`].
    pub kind: MountKind,
    /// All options in order, `type` included.
    pub options: Vec<MountOption>,
    /// The flag's value as written.
    pub text: Word,
}

/// `type=` of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountKind {
    /// A folder of the context, a stage or an image.
    Bind,
    /// A folder that stays between builds.
    Cache,
    /// Memory.
    Tmpfs,
    /// A file with a secret.
    Secret,
    /// An agent socket.
    Ssh,
}

/// `key=value` or `key` within `--mount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOption {
    /// Key in lower case, with aliases resolved (`src` to `source`, `dst` and `destination` to `target`).
    pub key: String,
    /// Value, unexpanded.
    pub value: Option<String>,
}

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// End marker without quotes.
    pub name: String,
    /// Whether variables in the body are expanded: the marker had no quotes.
    pub expand: bool,
    /// `<<-`: leading tabs are taken away.
    pub strip_tabs: bool,
    /// File descriptor before `<<`, 0 when not given.
    pub descriptor: u32,
    /// Where the `<<EOF` stands.
    pub span: Span,
    /// The text.
    pub body: HeredocBody,
}

/// Text of a here-document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeredocBody {
    /// Lines with their ends, leading tabs already gone where asked.
    pub text: String,
    /// Lines as they stand in the file, for a shell that takes the tabs away itself.
    pub raw: String,
    /// Where it stands, without the end marker.
    pub span: Span,
}
