//! COPY and ADD: sources, destination, and what the files become.

use dockerfile::{
    AddInstruction, CopyInstruction, ExpandErrorKind, Expander, FileMode, Heredoc, IgnoreFile, Instruction, Span,
    StageReference, Word,
};

use super::named::Given;
use super::remote::RemoteFlags;
use super::steps::StagePlanner;
use super::{Chmod, CopyFrom, CopyOp, Document, Op, Problem};
use crate::path::inside;

/// What COPY and ADD have in common.
struct Files<'i> {
    sources: &'i [Word],
    heredocs: &'i [Heredoc],
    destination: &'i Word,
    chown: Option<&'i Word>,
    chmod: Option<&'i Word>,
    link: bool,
    unpack: bool,
    parents: bool,
    excludes: &'i [Word],
    /// ADD takes sources of servers.
    remote: Option<RemoteFlags<'i>>,
}

impl StagePlanner<'_, '_> {
    pub(super) fn copy(&mut self, instruction: &Instruction, copy: &CopyInstruction) {
        let from = match &copy.from {
            None => Some(CopyFrom::Context),
            Some(word) => self.copy_from(word),
        };
        let files = Files {
            sources: &copy.sources,
            heredocs: &copy.heredocs,
            destination: &copy.destination,
            chown: copy.chown.as_ref(),
            chmod: copy.chmod.as_ref(),
            link: copy.link,
            unpack: false,
            parents: copy.parents,
            excludes: &copy.excludes,
            remote: None,
        };
        if let Some(from) = from {
            self.files(instruction, "COPY", &files, from);
        }
    }

    pub(super) fn add(&mut self, instruction: &Instruction, add: &AddInstruction) {
        let files = Files {
            sources: &add.sources,
            heredocs: &add.heredocs,
            destination: &add.destination,
            chown: add.chown.as_ref(),
            chmod: add.chmod.as_ref(),
            link: add.link,
            unpack: add.unpack != Some(false),
            parents: false,
            excludes: &add.excludes,
            remote: Some(RemoteFlags {
                checksum: add.checksum.as_ref(),
                keep_git_dir: add.keep_git_dir,
                unpack: add.unpack == Some(true),
            }),
        };
        self.files(instruction, "ADD", &files, CopyFrom::Context);
    }

    /// What `--from` names: a stage, or else an image.
    pub(super) fn copy_from(&mut self, word: &Word) -> Option<CopyFrom> {
        let name = self.expand(word)?;
        if let Some(number) = self.planner.named(&name) {
            return self.given_files(number, word);
        }
        let dockerfile = self.planner.dockerfile;
        match dockerfile.from(self.index, &name) {
            StageReference::Stage(stage) => self.earlier_stage(stage),
            StageReference::Other(other) => {
                if let Some(problem) = self.no_stage(word, other) {
                    self.problem(problem);
                    return None;
                }
                let (image, name) =
                    self.planner.image(other, &self.platform, self.place(word.span), self.noted.problems)?;
                Some(CopyFrom::Image { image: Box::new(image), name })
            }
        }
    }

    fn earlier_stage(&mut self, stage: usize) -> Option<CopyFrom> {
        if self.earlier.get(stage)?.is_some() {
            return Some(CopyFrom::Stage(stage));
        }
        // It has mistakes, which were reported there; or a variable named it, and nobody knew.
        self.noted.missing.push(stage);
        None
    }

    /// What a context with a name is for `--from`.
    fn given_files(&mut self, number: usize, word: &Word) -> Option<CopyFrom> {
        let span = self.place(word.span);
        match self.planner.given(number, (self.index, &self.platform), span, self.noted.problems)? {
            Given::Stage(stage) => self.earlier_stage(stage),
            Given::Image { image, name } => Some(CopyFrom::Image { image, name }),
            Given::Files(number) => Some(CopyFrom::Named(number)),
            Given::Nothing => {
                let problem = Problem::error(span, "there is nothing to take: the context is `scratch`");
                self.problem(problem.with_help("name an image or a folder in its place"));
                None
            }
        }
    }

    /// What is wrong with a name that a variable gave; what is written in the file itself was looked at before.
    fn no_stage(&self, word: &Word, name: &str) -> Option<Problem> {
        let stages = &self.planner.dockerfile.stages;
        if name.is_empty() {
            let variable = self.variable_in(word);
            let problem = Problem::error(word.span, format!("`--from={}` names nothing: it is empty", word.text));
            return Some(
                problem.with_help(format!(
                    "give it with `--build-arg {variable}=…` or a default: `ARG {variable}=…` above"
                )),
            );
        }
        let later = stages
            .iter()
            .skip(self.index)
            .position(|stage| stage.name.as_ref().is_some_and(|own| own.text.eq_ignore_ascii_case(name)));
        let number = name.parse::<usize>().ok();
        let message = match (number, later) {
            (Some(number), _) if number < stages.len() => format!("stage {number} is not above this one"),
            (Some(number), _) => format!("there is no stage {number}"),
            (None, Some(_)) => format!("stage `{name}` is not above this one"),
            (None, None) => return None,
        };
        let mut problem = Problem::error(word.span, message);
        if word.text != name {
            problem = problem.with_label(format!("it is `{name}` here"));
        }
        Some(problem.with_help("name a stage that comes before, or an image"))
    }

    fn files(&mut self, instruction: &Instruction, verb: &str, files: &Files<'_>, from: CopyFrom) {
        let sources: Option<Vec<String>> = files.sources.iter().map(|word| self.expand(word)).collect();
        let documents: Option<Vec<Document>> = files.heredocs.iter().map(|heredoc| self.document(heredoc)).collect();
        let destination = self.expand(files.destination);
        let excludes: Option<Vec<String>> = files.excludes.iter().map(|word| self.exclude(word)).collect();
        let chown = files.chown.map(|word| self.expand(word));
        let chmod = files.chmod.map(|word| self.chmod(word));
        let (Some(sources), Some(documents), Some(destination)) = (sources, documents, destination) else { return };
        let Some(excludes) = excludes else { return };
        let (chown, chmod) = match (chown, chmod) {
            (Some(None), _) | (_, Some(None)) => return,
            (chown, chmod) => (chown.flatten().filter(|owner| !owner.is_empty()), chmod.flatten().flatten()),
        };
        let is_folder = destination.ends_with('/') || destination == "." || destination.ends_with("/.");
        let into_folder = is_folder || sources.len() + documents.len() > 1;
        let Some(sources) = self.sources(files.sources, sources, files.remote.as_ref(), into_folder) else { return };
        let mut created_by = vec![verb.to_owned()];
        created_by.extend(files.parents.then(|| "--parents".to_owned()));
        created_by.extend(chown.iter().map(|owner| format!("--chown={owner}")));
        created_by.extend(chmod.iter().map(|chmod| format!("--chmod={}", chmod.text)));
        created_by.extend(sources.iter().map(|source| source.word.clone()));
        created_by.extend(documents.iter().map(|document| format!("<<{}", document.name)));
        created_by.push(destination.clone());
        created_by.push("# buildkit".to_owned());
        let op = CopyOp {
            into_folder,
            documents,
            sources,
            from,
            destination: inside(self.working_dir(), &destination),
            chown,
            chmod,
            unpack: files.unpack,
            link: files.link,
            parents: files.parents,
            excludes,
        };
        self.step(instruction, Op::Copy(op), created_by.join(" "));
    }

    /// The first variable of a word, for hints.
    fn variable_in(&self, word: &Word) -> String {
        let expanded = self.planner.expander().expand(&word.text, &|name| self.scope.get(name)).unwrap_or_default();
        expanded.unset.into_iter().chain(expanded.used).next().unwrap_or_else(|| "NAME".to_owned())
    }

    /// The text of a here-document. Quotes mean nothing in it, and the escape character is a backslash whatever the file
    /// says (D124; BuildKit, `ExpandRaw`).
    fn document(&mut self, heredoc: &Heredoc) -> Option<Document> {
        if heredoc.name.contains('/') || matches!(heredoc.name.as_str(), "." | "..") {
            let message = format!("`{}` cannot be the name of a file", heredoc.name);
            let problem = Problem::error(heredoc.span, message).with_label("the marker is the name");
            self.problem(problem.with_help("take a marker without slashes and dots, as in `<<EOF`"));
            return None;
        }
        let word = Word::new(heredoc.body.text.as_str(), heredoc.body.span);
        let text = match heredoc.expand {
            false => Ok(word.text.clone()),
            true => self.expand_with(Expander::for_heredoc('\\'), &word),
        };
        match text {
            Ok(text) => Some(Document { name: heredoc.name.clone(), text }),
            Err(error) => {
                let message = format!("cannot expand the here-document `{}`: {error}", heredoc.name);
                let problem = Problem::error(line_of(&word, error.offset), message);
                let help = match &error.kind {
                    ExpandErrorKind::Required { name, .. } => {
                        format!("give it with `--build-arg {name}=…` and `ARG {name}` above, or with `ENV {name}=…`")
                    }
                    _ => format!(
                        "write `<<\"{}\"` to keep the text as it is, or a backslash before the `$`",
                        heredoc.name
                    ),
                };
                self.problem(problem.with_help(help));
                None
            }
        }
    }

    fn exclude(&mut self, word: &Word) -> Option<String> {
        let text = self.expand(word)?;
        match IgnoreFile::from_patterns([text.as_str()]) {
            Ok(_) => Some(text),
            Err(error) => {
                let problem = Problem::error(word.span, error.to_string());
                self.problem(problem.with_help(match text.trim() {
                    "!" => "write for example `--exclude=*.md --exclude=!README.md`",
                    _ => "write `[[]` for the character `[`; `**/` stands for any folders",
                }));
                None
            }
        }
    }

    /// The outer `None` for a mistake; the inner one where a variable left nothing, which changes nothing either.
    fn chmod(&mut self, word: &Word) -> Option<Option<Chmod>> {
        let text = self.expand(word)?;
        if text.is_empty() {
            return Some(None);
        }
        match FileMode::parse(&text) {
            Ok(mode) => Some(Some(Chmod { text, mode })),
            Err(error) => {
                self.problem(Problem::error(word.span, error.to_string()).with_help(error.help()));
                None
            }
        }
    }
}

/// The line in which a byte of a here-document stands; all of it where leading tabs were taken away.
fn line_of(text: &Word, offset: usize) -> Span {
    let number = text.text[..offset.min(text.text.len())].matches('\n').count();
    if text.text.len() != text.span.end - text.span.start {
        return text.span;
    }
    let start: usize = text.text.split_inclusive('\n').take(number).map(str::len).sum();
    let length = text.text[start..].lines().next().map_or(0, str::len);
    Span::new(text.span.start + start, text.span.start + start + length)
}
