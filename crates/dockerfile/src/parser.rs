//! Bytes to a [`Dockerfile`], reporting every problem in one go.
//!
//! A line that cannot be understood costs that line only: reading goes on at the next instruction. The rules of
//! single instructions are in the modules below, one for each family.

mod command;
mod copy;
mod flags;
mod from;
mod key_value;
mod metadata;
pub(crate) mod mount;
mod recovery;
mod stage_references;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::directive;
use crate::expand::{ExpandErrorKind, Expander};
use crate::instruction::{Dockerfile, Instruction, InstructionKind, Trigger, Word};
use crate::keyword::Keyword;
use crate::lexer::Lexer;
use crate::logical_line::{LogicalLine, Text};
use crate::source::Span;

use flags::Flags;

/// Longest Dockerfile that is read. The largest that people write have some thousand lines.
pub const MAX_LENGTH: usize = 4 << 20;

/// Most stages that a file may have. Looking names up is linear in them.
const MAX_STAGES: usize = 1000;

/// Most instructions that a file may have.
const MAX_INSTRUCTIONS: usize = 20_000;

/// Most variables, labels and volumes that a file may set. Each is looked for among the others.
const MAX_VALUES: usize = 10_000;

/// Most words that EXPOSE may have in a file. Each may be a range of all ports.
const MAX_PORTS: usize = 1000;

/// What came out of reading a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// Everything that could be understood.
    pub dockerfile: Dockerfile,
    /// Everything that could not, and what is odd, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Whether there is any error; then the Dockerfile is not to be built.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads a Dockerfile. Never fails: problems are in [`Parsed::diagnostics`].
pub fn parse(bytes: &[u8]) -> Parsed {
    if bytes.len() > MAX_LENGTH {
        let message = format!("the Dockerfile is {} bytes long, the limit is {MAX_LENGTH}", bytes.len());
        let error = Diagnostic::error(Code::FileTooLarge, Span::new(0, 0), message)
            .with_help("check that `-f` names a Dockerfile, not an archive");
        return Parsed { diagnostics: vec![error], ..Parsed::default() };
    }
    let mut diagnostics = Diagnostics::default();
    let text = recovery::readable_text(bytes, &mut diagnostics);
    if let Some(error) = directive::foreign_language(&text) {
        return Parsed { diagnostics: vec![error], ..Parsed::default() };
    }
    let top = directive::read(&text, &mut diagnostics);
    let mut lexer = Lexer::new(&text, top.position, top.line, top.directives.escape);
    let dockerfile = Dockerfile { directives: top.directives, ..Dockerfile::default() };
    let mut file = File { dockerfile, ..File::default() };
    let mut context = Context { escape: file.dockerfile.directives.escape, diagnostics };
    while let Some(line) = lexer.next_line() {
        let span = line.all().span();
        file.add(line, &mut context);
        if context.diagnostics.is_full() || file.is_full(span, &mut context) {
            break;
        }
    }
    context.diagnostics.extend(std::mem::take(&mut lexer.diagnostics));
    file.finish(&text, &mut context);
    let mut diagnostics = context.diagnostics.into_vec();
    drop_skipped(&file.dockerfile, &mut diagnostics);
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    Parsed { dockerfile: file.dockerfile, diagnostics }
}

/// Reads one instruction as ONBUILD stores it in an image's config.
///
/// # Errors
/// Everything that is wrong with it; places are byte offsets of `text`.
pub fn parse_trigger(text: &str) -> Result<Instruction, Vec<Diagnostic>> {
    let mut context = Context { escape: '\\', diagnostics: Diagnostics::default() };
    let mut lexer = Lexer::new(text, 0, 1, '\\');
    let line = lexer.next_line();
    let parsed = line.as_ref().and_then(|line| trigger_instruction(line, line.all(), &mut context));
    if let Some(extra) = lexer.next_line() {
        let message = "a trigger holds one instruction";
        context.push(Diagnostic::error(Code::InvalidTrigger, extra.all().span(), message));
    }
    context.diagnostics.extend(std::mem::take(&mut lexer.diagnostics));
    match parsed {
        Some(instruction) if !context.diagnostics.has_errors() => Ok(instruction),
        Some(_) => Err(context.diagnostics.into_vec()),
        None => {
            if !context.diagnostics.has_errors() {
                let message = "a trigger needs an instruction";
                context.push(Diagnostic::error(Code::InvalidTrigger, Span::new(0, text.len()), message));
            }
            Err(context.diagnostics.into_vec())
        }
    }
}

/// What every instruction's reader needs.
struct Context {
    escape: char,
    diagnostics: Diagnostics,
}

impl Context {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Checks that a word's quotes and `${…}` are well formed, whatever the values will be.
    fn check_expansion(&mut self, word: &Word) {
        let Err(error) = Expander::new(self.escape).check(&word.text) else { return };
        // Only where the word stands in the file as it is does an offset in it mean a place in the file.
        let span = if word.span.end - word.span.start == word.text.len() {
            let start = word.span.start + error.offset.min(word.text.len());
            Span::new(start, word.span.end)
        } else {
            word.span
        };
        let diagnostic = match &error.kind {
            ExpandErrorKind::OpenQuote(quote) => open_quote(span, *quote, self.escape),
            kind => Diagnostic::error(Code::InvalidExpansion, span, format!("invalid variable: {kind}"))
                .with_help(expansion_help(kind, self.escape)),
        };
        self.push(diagnostic);
    }
}

/// Error for a quote without partner.
fn open_quote(span: Span, quote: char, escape: char) -> Diagnostic {
    Diagnostic::error(Code::InvalidQuoting, span, format!("the closing quote `{quote}` is missing"))
        .with_label("opened here")
        .with_help(if escape == '`' {
            format!("close it with `{quote}`, or put a backtick before it if the character itself is meant")
        } else {
            format!("close it with `{quote}`, or write `{escape}{quote}` if the character itself is meant")
        })
}

fn expansion_help(kind: &ExpandErrorKind, escape: char) -> String {
    match kind {
        ExpandErrorKind::Modifier(_) => {
            "the forms are `${v}`, `${v:-default}`, `${v:+other}`, `${v:?message}`, `${v#pattern}`, `${v%pattern}` and \
             `${v/pattern/text}`"
                .to_owned()
        }
        ExpandErrorKind::OpenBrace => "close it with `}`".to_owned(),
        ExpandErrorKind::OpenSlash => "write `${v/pattern/text}`".to_owned(),
        _ if escape == '`' => "put a backtick before `$` if the character itself is meant".to_owned(),
        _ => format!("write `{escape}$` if the character itself is meant"),
    }
}

/// A file that is being put together.
#[derive(Default)]
struct File {
    dockerfile: Dockerfile,
    /// Instructions before the first FROM that may not stand there.
    before_from: Vec<(Keyword, Span)>,
    /// The last line that was read, for advice about the next.
    last: Option<LogicalLine>,
    instructions: usize,
    values: usize,
    ports: usize,
}

impl File {
    /// Whether the file has grown beyond what anybody writes; then the rest is not read any more.
    fn is_full(&self, span: Span, context: &mut Context) -> bool {
        let counts = [
            (self.dockerfile.stages.len(), MAX_STAGES, "stages"),
            (self.instructions, MAX_INSTRUCTIONS, "instructions"),
            (self.values, MAX_VALUES, "variables, labels and volumes"),
            (self.ports, MAX_PORTS, "ports"),
        ];
        let Some((_, limit, many)) = counts.into_iter().find(|(count, limit, _)| count > limit) else { return false };
        let message = format!("the Dockerfile has more than {limit} {many}");
        context.push(Diagnostic::error(Code::FileTooLarge, span, message));
        true
    }

    fn add(&mut self, line: LogicalLine, context: &mut Context) {
        self.instructions += 1;
        let text = line.all();
        let (name, rest) = text.split_word();
        match Keyword::lookup(name.as_str()) {
            None => context.push(recovery::unknown_instruction(name, rest, self.last.as_ref())),
            Some(Keyword::From) => {
                if let Some(stage) = from::read(&line, rest, context) {
                    self.dockerfile.stages.push(stage);
                }
            }
            Some(keyword) => {
                let instruction = instruction(keyword, &line, text, rest, context);
                self.place(keyword, text.span(), instruction);
            }
        }
        self.last = Some(line);
    }

    fn place(&mut self, keyword: Keyword, span: Span, instruction: Option<Instruction>) {
        if let Some(instruction) = &instruction {
            self.count(&instruction.kind);
        }
        let stage = self.dockerfile.stages.last_mut();
        if stage.is_none() && keyword != Keyword::Arg {
            self.before_from.push((keyword, span));
            return;
        }
        let list = stage.map_or(&mut self.dockerfile.global_args, |stage| &mut stage.instructions);
        list.extend(instruction);
    }

    fn count(&mut self, kind: &InstructionKind) {
        match kind {
            InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => self.values += pairs.len(),
            InstructionKind::Arg(declarations) => self.values += declarations.len(),
            InstructionKind::Volume(paths) => self.values += paths.len(),
            InstructionKind::Expose(ports) => self.ports += ports.len(),
            InstructionKind::OnBuild(trigger) => self.count(&trigger.instruction.kind),
            _ => {}
        }
    }

    fn finish(&mut self, text: &str, context: &mut Context) {
        let broken_from = context.diagnostics.iter().find(|problem| recovery::is_about_from(problem, text));
        let broken_from = broken_from.map(|problem| problem.span.start);
        let from_was_typed = broken_from.is_some() || !self.dockerfile.stages.is_empty();
        // What follows a FROM that could not be read has been told already.
        self.before_from.retain(|(_, span)| broken_from.is_none_or(|from| span.start < from));
        match (&self.last, self.before_from.first()) {
            (None, _) => context.push(
                Diagnostic::error(
                    Code::EmptyFile,
                    Span::new(text.len(), text.len()),
                    "the Dockerfile has no instructions",
                )
                .with_help("begin with `FROM` and an image, for example `FROM alpine`"),
            ),
            (Some(_), Some((keyword, span))) if from_was_typed => context.push(
                Diagnostic::error(Code::BeforeFrom, *span, format!("{} comes before the first FROM", keyword.as_str()))
                    .with_label("there is no stage yet")
                    .with_help(format!("only ARG may come before FROM; move this {} behind FROM", keyword.as_str())),
            ),
            (Some(last), first) if !from_was_typed => {
                let span = first.map_or_else(|| last.all().span(), |(_, span)| *span);
                let span = Span::new(span.start, span.start);
                context.push(
                    Diagnostic::error(Code::NoFrom, span, "no build stage: a Dockerfile must begin with FROM")
                        .with_label("no FROM up to here")
                        .with_help("add `FROM` and an image as the first line, for example `FROM alpine`"),
                );
            }
            _ => {}
        }
        stage_references::check(&self.dockerfile, context);
    }
}

/// Takes out warnings that `# check=skip=` names.
fn drop_skipped(dockerfile: &Dockerfile, diagnostics: &mut Vec<Diagnostic>) {
    let Some(checks) = &dockerfile.directives.check else { return };
    diagnostics.retain(|diagnostic| diagnostic.is_error() || !checks.skips(diagnostic.code.as_str()));
}

/// Reads an instruction other than FROM. `text` is all of it, `rest` what follows its name.
fn instruction(
    keyword: Keyword,
    line: &LogicalLine,
    text: Text<'_>,
    rest: Text<'_>,
    context: &mut Context,
) -> Option<Instruction> {
    let kind = instruction_kind(keyword, rest, context)?;
    let start = text.span().start;
    Some(Instruction {
        span: Span::new(start, line.end.max(text.span().end)),
        first_line: line.first_line,
        last_line: line.last_line,
        text: text.as_str().to_owned(),
        comment: line.comment.clone(),
        empty_lines: line.empty_lines.clone(),
        kind,
    })
}

fn instruction_kind(keyword: Keyword, rest: Text<'_>, context: &mut Context) -> Option<InstructionKind> {
    let (mut flags, arguments) = Flags::read(keyword, rest, context);
    // `COPY --from build /a /b` would go on to complain of three sources.
    if flags.has_errors {
        return None;
    }
    let kind = match keyword {
        Keyword::Add => InstructionKind::Add(copy::add(&mut flags, arguments, context)?),
        Keyword::Arg => InstructionKind::Arg(key_value::arg(arguments, context)?),
        Keyword::Cmd => InstructionKind::Cmd(command::read(keyword, arguments, context)?),
        Keyword::Copy => InstructionKind::Copy(copy::copy(&mut flags, arguments, context)?),
        Keyword::Entrypoint => InstructionKind::Entrypoint(command::read(keyword, arguments, context)?),
        Keyword::Env => InstructionKind::Env(key_value::pairs(keyword, arguments, context)?),
        Keyword::Expose => InstructionKind::Expose(metadata::expose(arguments, context)?),
        Keyword::Healthcheck => InstructionKind::Healthcheck(command::healthcheck(&mut flags, arguments, context)?),
        Keyword::Label => InstructionKind::Label(key_value::pairs(keyword, arguments, context)?),
        Keyword::Maintainer => InstructionKind::Maintainer(metadata::maintainer(arguments, context)?),
        Keyword::OnBuild => InstructionKind::OnBuild(trigger(arguments, context)?),
        Keyword::Run => InstructionKind::Run(command::run(&mut flags, arguments, context)?),
        Keyword::Shell => InstructionKind::Shell(command::shell(arguments, context)?),
        Keyword::StopSignal => InstructionKind::StopSignal(metadata::stop_signal(arguments, context)?),
        Keyword::User => InstructionKind::User(metadata::single(keyword, arguments, context)?),
        Keyword::Volume => InstructionKind::Volume(metadata::volume(arguments, context)?),
        Keyword::Workdir => InstructionKind::Workdir(metadata::single(keyword, arguments, context)?),
        // FROM opens a stage and is read apart.
        Keyword::From => return None,
    };
    Some(kind)
}

/// ONBUILD.
fn trigger(arguments: Text<'_>, context: &mut Context) -> Option<Trigger> {
    let line = arguments.line();
    if arguments.is_empty() {
        context.push(missing_argument(Keyword::OnBuild, arguments, "an instruction", "ONBUILD RUN make"));
        return None;
    }
    let instruction = trigger_instruction(line, arguments, context)?;
    let mut text = arguments.as_str().to_owned();
    for heredoc in &line.heredocs {
        text.push('\n');
        text.push_str(&heredoc.body.raw);
        text.push_str(&heredoc.name);
    }
    Some(Trigger { text, instruction: Box::new(instruction) })
}

/// An instruction that stands behind ONBUILD.
fn trigger_instruction(line: &LogicalLine, text: Text<'_>, context: &mut Context) -> Option<Instruction> {
    let (name, rest) = text.split_word();
    match Keyword::lookup(name.as_str()) {
        None => {
            context.push(recovery::unknown_instruction(name, rest, None));
            None
        }
        Some(Keyword::OnBuild) => {
            let error = Diagnostic::error(Code::InvalidTrigger, name.span(), "ONBUILD may not trigger ONBUILD")
                .with_help(format!("remove this word; write `ONBUILD {}`", shortened(rest.as_str())));
            context.push(error);
            None
        }
        Some(keyword @ (Keyword::From | Keyword::Maintainer)) => {
            let help = match keyword {
                Keyword::From => "an image that uses this one already has its own FROM; remove this line".to_owned(),
                _ => format!("write `LABEL maintainer={}` without ONBUILD", quoted(rest.as_str())),
            };
            let message = format!("ONBUILD may not trigger {}", keyword.as_str());
            context.push(Diagnostic::error(Code::InvalidTrigger, name.span(), message).with_help(help));
            None
        }
        Some(keyword) => instruction(keyword, line, text, rest, context),
    }
}

/// Error for an instruction that lacks something.
fn missing_argument(keyword: Keyword, at: Text<'_>, what: &str, example: &str) -> Diagnostic {
    Diagnostic::error(Code::MissingArgument, at.span(), format!("{} needs {what}", keyword.as_str()))
        .with_label("nothing here")
        .with_help(format!("write for example `{example}`"))
}

/// A text in double quotes, for help that can be typed.
fn quoted(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('"') && text.ends_with('"') && text.len() > 1 {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text short enough to stand in a help line.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(57).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests;
