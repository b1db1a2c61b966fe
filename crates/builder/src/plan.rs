//! Instructions become steps, before anything runs.
//!
//! What a stage's config will be does not depend on what its commands do, so all variables are expanded, all stages
//! and base images found and all mistakes reported here. What is left is a list of steps for each stage, with every
//! value final.

mod base;
mod files;
mod go;
mod metadata;
mod mounts;
mod named;
mod remote;
mod run;
mod steps;

pub(crate) use mounts::{Access, CacheOp, MountOp, MountOpKind, MountTree, SecretVariable, Sharing};
pub(crate) use run::Script;

use std::path::Path;

use dockerfile::{
    Diagnostic, Dockerfile, Expander, FileMode, Instruction, InstructionKind, Span, Stage, StageReference, Word,
};
use image::archive::LayoutImage;
use oci::{ImageConfig, ImageId, Platform};

use crate::classic::RowImage;
use crate::epoch::{self, Epoch, TimeOptions};
use crate::named::{NamedContext, NamedSource};
use crate::remote::Remote;
use crate::variables::{Arguments, Scope};

/// Something wrong, or worth knowing, at a place of the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it stops the build.
    pub is_error: bool,
    /// Where, in bytes of the file.
    pub span: Span,
    /// One lower-case sentence.
    pub message: String,
    /// A few words for under the marked text; may be empty.
    pub label: String,
    /// What to do; it works when typed.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn error(span: Span, message: impl Into<String>) -> Self {
        Self { is_error: true, span, message: message.into(), label: String::new(), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
}

impl From<Diagnostic> for Problem {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            is_error: diagnostic.is_error(),
            span: diagnostic.span,
            message: diagnostic.message,
            label: diagnostic.label,
            help: diagnostic.help,
        }
    }
}

/// An image of the store that a stage begins with or copies from.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseImage {
    /// Its ID.
    pub id: ImageId,
    /// Its config.
    pub config: ImageConfig,
    /// Digest of its manifest, as shown in the FROM step.
    pub manifest: oci::Digest,
}

impl BaseImage {
    /// A name with the digest of the manifest behind it, unless one was typed.
    pub(crate) fn with_digest(&self, name: &str) -> String {
        if name.contains('@') { name.to_owned() } else { format!("{name}@{}", self.manifest) }
    }
}

/// Why an image cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFailure {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Finds images for FROM and COPY --from, for a platform. The store and the registries, in a build; a table, in tests.
pub type FindImage<'a> = &'a dyn Fn(&str, &Platform) -> Result<Option<BaseImage>, ImageFailure>;

/// All stages that the target needs, in order.
#[derive(Debug)]
pub(crate) struct Plan {
    /// One for each stage of the file; `None` where the target does not need it.
    pub(crate) stages: Vec<Option<StagePlan>>,
    pub(crate) target: usize,
    /// What is built for.
    pub(crate) platform: Platform,
    /// `SOURCE_DATE_EPOCH`.
    pub(crate) epoch: Option<Epoch>,
    /// Names of build arguments that were given in vain (D033).
    pub(crate) unused_arguments: Vec<String>,
}

impl Plan {
    /// Names given to `--no-cache-filter` that no stage of the plan has.
    pub(crate) fn unknown_filters<'f>(&self, dockerfile: &Dockerfile, filters: &'f [String]) -> Vec<&'f str> {
        let is_known = |name: &str| {
            let planned = dockerfile.stages.iter().zip(&self.stages).enumerate();
            planned.into_iter().any(|(index, (stage, plan))| plan.is_some() && is_called(index, stage, name))
        };
        filters.iter().map(String::as_str).filter(|name| !is_known(name)).collect()
    }

    /// A stage's name or number, for messages.
    pub(crate) fn stage_name(&self, index: usize) -> String {
        let label = self.stages[index].as_ref().map_or("", |stage| stage.label.trim_end());
        if label.is_empty() { index.to_string() } else { label.to_owned() }
    }
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Base {
    Scratch,
    Image { image: Box<BaseImage>, name: String },
    Stage(usize),
}

/// One stage, every value final.
#[derive(Debug)]
pub(crate) struct StagePlan {
    pub(crate) base: Base,
    /// What it is for: that of the build, or what FROM asks for.
    pub(crate) platform: Platform,
    /// Name of the FROM step: `[1/3] FROM docker.io/library/node:18@sha256:…`.
    pub(crate) from_name: String,
    /// What stands before the numbers: `build ` in `[build 1/3]`.
    pub(crate) label: String,
    pub(crate) steps: Vec<PlannedStep>,
    /// The image's config as it will be, layers and history left out.
    pub(crate) config: ImageConfig,
    pub(crate) history: Vec<PlannedRow>,
    /// `--no-cache-filter` names it.
    pub(crate) no_cache: bool,
    /// What later stages inherit.
    scope: Scope,
}

/// A step that makes a layer.
#[derive(Debug)]
pub(crate) struct PlannedStep {
    /// `[2/3] COPY app.js .`
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) op: Op,
}

/// One row of history.
#[derive(Debug)]
pub(crate) struct PlannedRow {
    pub(crate) created_by: String,
    /// Which of the stage's steps makes its layer.
    pub(crate) step: Option<usize>,
    /// In a classic build, what the image of this row has.
    pub(crate) image: Option<Box<RowImage>>,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Op {
    Run(RunOp),
    Copy(CopyOp),
    Workdir(WorkdirOp),
}

#[derive(Debug)]
pub(crate) struct RunOp {
    pub(crate) command: Vec<String>,
    /// Words of SHELL; empty for the usual one.
    pub(crate) shell: Vec<String>,
    /// What the process sees.
    pub(crate) env: Vec<String>,
    /// What the cache key holds: as `env`, without the proxies that nobody declared.
    pub(crate) keyed_env: Vec<String>,
    pub(crate) user: String,
    pub(crate) working_dir: String,
    pub(crate) network: crate::RunNetwork,
    /// What the programs of the image are for.
    pub(crate) platform: Platform,
    /// As written, for messages.
    pub(crate) shown: String,
    /// A here-document that the command executes.
    pub(crate) script: Option<Script>,
    /// Parents before what is below them.
    pub(crate) mounts: Vec<MountOp>,
    pub(crate) secret_variables: Vec<SecretVariable>,
}

#[derive(Debug)]
pub(crate) struct CopyOp {
    pub(crate) sources: Vec<CopySource>,
    /// Here-documents, which come behind the other sources (D122).
    pub(crate) documents: Vec<Document>,
    pub(crate) from: CopyFrom,
    /// Normal form, without slashes at the ends.
    pub(crate) destination: Vec<u8>,
    /// It ends in a slash, or there are several sources.
    pub(crate) into_folder: bool,
    pub(crate) chown: Option<String>,
    pub(crate) chmod: Option<Chmod>,
    /// Archives are unpacked: ADD, unless it is told not to (D087).
    pub(crate) unpack: bool,
    /// The layer does not depend on those below.
    pub(crate) link: bool,
    /// Folders on the way to the sources are copied with them.
    pub(crate) parents: bool,
    /// Patterns of what is left out, all of them good ones.
    pub(crate) excludes: Vec<String>,
}

/// `--chmod`
#[derive(Debug)]
pub(crate) struct Chmod {
    /// As written, variables expanded.
    pub(crate) text: String,
    pub(crate) mode: FileMode,
}

#[derive(Debug)]
pub(crate) struct CopySource {
    /// As it is shown: without a password.
    pub(crate) word: String,
    pub(crate) span: Span,
    /// It is not of the context.
    pub(crate) remote: Option<RemoteOp>,
}

/// A source of ADD that a server has.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct RemoteOp {
    pub(crate) remote: Remote,
    /// What a file must have.
    pub(crate) checksum: Option<oci::Digest>,
    /// A repository comes with its `.git`.
    pub(crate) keep_git_dir: bool,
    /// The destination is written as a folder, so the file's own name counts.
    pub(crate) names_file: bool,
    /// An archive is unpacked (D087).
    pub(crate) unpack: bool,
}

/// A here-document as a source.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its marker, the file's name in a folder.
    pub(crate) name: String,
    /// Variables expanded.
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) enum CopyFrom {
    Context,
    /// A context with a name, by its number.
    Named(usize),
    Stage(usize),
    Image {
        image: Box<BaseImage>,
        name: String,
    },
}

#[derive(Debug)]
pub(crate) struct WorkdirOp {
    /// Normal form.
    pub(crate) path: Vec<u8>,
    pub(crate) user: String,
}

/// Finds an image of an OCI layout for a context of that name.
pub(crate) type FindLayout<'a> = &'a dyn Fn(&str, &Path, &LayoutImage) -> Result<BaseImage, Problem>;

/// Stages that were planned, and what was found on the way.
struct Attempt {
    /// One for each stage of the file so far.
    stages: Vec<Option<StagePlan>>,
    problems: Vec<Problem>,
    /// Stages that were copied from and are not planned.
    missing: Vec<usize>,
}

/// What planning needs besides the Dockerfile.
pub(crate) struct Planner<'a> {
    pub(crate) dockerfile: &'a Dockerfile,
    pub(crate) build_args: &'a [(String, String)],
    pub(crate) labels: &'a [(String, String)],
    pub(crate) platform: &'a Platform,
    /// Steps are named with it: there are several.
    pub(crate) shows_platform: bool,
    pub(crate) network: crate::RunNetwork,
    pub(crate) times: TimeOptions,
    pub(crate) no_cache_filter: &'a [String],
    /// Every row is to have an image.
    pub(crate) is_classic: bool,
    /// What commands are given; `None` where none will be run, and nothing can be missing.
    pub(crate) run: Option<&'a crate::StepOptions>,
    pub(crate) find_image: FindImage<'a>,
    /// What stands in the place of stages and images.
    pub(crate) named: &'a [NamedContext],
    pub(crate) find_layout: FindLayout<'a>,
    /// The name of an image that may have been meant instead.
    pub(crate) similar_image: &'a dyn Fn(&str) -> Option<String>,
}

impl Planner<'_> {
    fn expander(&self) -> Expander {
        Expander::new(self.dockerfile.directives.escape)
    }

    /// Plans every stage that the target needs.
    pub(crate) fn plan(&self, target: usize) -> Result<Plan, Vec<Problem>> {
        let (arguments, epoch, mut problems) = self.begin();
        let found = self.all_stages(self.needed_stages(target, &arguments), &arguments);
        problems.extend(found.problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let platform = self.platform.clone();
        let mut plan = Plan { stages: found.stages, target, platform, epoch, unused_arguments: Vec::new() };
        if let Some(Some(stage)) = plan.stages.get_mut(target) {
            metadata::add_labels(&mut stage.config, self.labels);
        }
        plan.unused_arguments = self.unused_arguments(&plan, &arguments);
        Ok(plan)
    }

    /// All mistakes that planning finds, in the stages that a target needs, or in all.
    pub(crate) fn problems(&self, target: Option<usize>) -> Vec<Problem> {
        let (arguments, _, mut problems) = self.begin();
        let needed = match target {
            Some(target) => self.needed_stages(target, &arguments),
            None => (0..self.dockerfile.stages.len()).collect(),
        };
        problems.extend(self.all_stages(needed, &arguments).problems);
        problems
    }

    /// The stages that a target needs, by what is written.
    pub(crate) fn needed(&self, target: usize) -> Vec<usize> {
        self.needed_stages(target, &self.begin().0)
    }

    /// For each stage whether it stands on an image that is not known, so that variables may come from there.
    pub(crate) fn unknown_bases(&self, is_known: &dyn Fn(&str) -> bool) -> Vec<bool> {
        let (arguments, ..) = self.begin();
        let mut unknown = Vec::new();
        for index in 0..self.dockerfile.stages.len() {
            let name = self.base_name(index, &arguments).unwrap_or_default();
            if let Some(number) = self.named(&name) {
                // Only what files bring along is known: nothing.
                let is_files = matches!(self.named[number].source, NamedSource::Folder(_) | NamedSource::Remote(_));
                unknown.push(!is_files);
                continue;
            }
            let is_unknown = match self.dockerfile.base(index, &name) {
                StageReference::Stage(parent) => unknown.get(parent).copied().unwrap_or(true),
                StageReference::Other(name) => name != "scratch" && !is_known(name),
            };
            unknown.push(is_unknown);
        }
        unknown
    }

    /// What is there before the first FROM.
    fn begin(&self) -> (Arguments, Option<Epoch>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut arguments = Arguments::new(self.build_args, self.platform, &Platform::host());
        self.global_arguments(&mut arguments, &mut problems);
        let epoch = epoch::resolve(self.times, self.dockerfile, &mut arguments, &mut problems);
        (arguments, epoch, problems)
    }

    fn needed_stages(&self, target: usize, arguments: &Arguments) -> Vec<usize> {
        let expand_base = |index| self.base_name(index, arguments);
        self.dockerfile.needed_stages(target, &expand_base, &|name| self.instead(name))
    }

    /// What a stage begins with, variables put in.
    fn base_name(&self, index: usize, arguments: &Arguments) -> Option<String> {
        let lookup = |name: &str| arguments.global.get(name).map(String::as_str);
        let stage: &Stage = self.dockerfile.stages.get(index)?;
        Some(self.expander().expand(&stage.base.text, &lookup).ok()?.text)
    }

    /// Plans these stages, and what they turn out to copy from.
    fn all_stages(&self, mut needed: Vec<usize>, arguments: &Arguments) -> Attempt {
        loop {
            let attempt = self.stages(&needed, arguments);
            // A variable in `--from` named a stage that nothing else needs (N011): once more, with it.
            match attempt.missing.iter().copied().find(|stage| !needed.contains(stage)) {
                Some(stage) => needed.extend(self.needed_stages(stage, arguments)),
                None => return attempt,
            }
        }
    }

    /// Plans these stages, and only these.
    fn stages(&self, needed: &[usize], arguments: &Arguments) -> Attempt {
        let mut attempt = Attempt { stages: Vec::new(), problems: Vec::new(), missing: Vec::new() };
        for (index, stage) in self.dockerfile.stages.iter().enumerate() {
            let planned =
                if needed.contains(&index) { self.stage(index, stage, arguments, &mut attempt) } else { None };
            attempt.stages.push(planned);
        }
        // A stage that is there but has mistakes is missing as well; those were reported.
        attempt.missing.retain(|stage| !needed.contains(stage));
        attempt
    }

    /// Arguments that were given, but that nothing takes: most likely a slip of the keys.
    fn unused_arguments(&self, plan: &Plan, arguments: &Arguments) -> Vec<String> {
        let declares = |instruction: &Instruction, name: &str| {
            matches!(&instruction.kind, InstructionKind::Arg(declarations)
                if declarations.iter().any(|declaration| declaration.name.text == name))
        };
        let is_declared = |name: &str| {
            let global = self.dockerfile.global_args.iter().any(|instruction| declares(instruction, name));
            let stages = plan.stages.iter().flatten();
            global || stages.into_iter().any(|stage| stage.scope.args.iter().any(|(known, _)| known == name))
        };
        // They ask the builder itself for something, in every Dockerfile.
        let is_for_builder = |name: &str| name.starts_with("BUILDKIT_") || name == epoch::NAME;
        let is_in_vain =
            |name: &&String| !is_declared(name) && !Arguments::is_predefined(name) && !is_for_builder(name);
        arguments.given.keys().filter(is_in_vain).cloned().collect()
    }

    /// ARG before the first FROM: each may use the ones before it.
    fn global_arguments(&self, arguments: &mut Arguments, problems: &mut Vec<Problem>) {
        let expander = self.expander();
        for instruction in &self.dockerfile.global_args {
            let InstructionKind::Arg(declarations) = &instruction.kind else { continue };
            for declaration in declarations {
                let name = &declaration.name.text;
                if let Some(given) = arguments.given.get(name) {
                    arguments.global.insert(name.clone(), given.clone());
                    continue;
                }
                let Some(default) = &declaration.default else { continue };
                let expanded = expander.expand(&default.text, &|name| arguments.global.get(name).map(String::as_str));
                match expanded {
                    Ok(value) => {
                        arguments.global.insert(name.clone(), value.text);
                    }
                    Err(error) => problems.push(expansion_problem(default, &error)),
                }
            }
        }
    }

    fn stage(&self, index: usize, stage: &Stage, arguments: &Arguments, attempt: &mut Attempt) -> Option<StagePlan> {
        let Attempt { stages: earlier, problems, missing } = attempt;
        let platform = self.stage_platform(stage, arguments, problems);
        let wanted = platform.as_ref().unwrap_or(self.platform);
        // A stage that something else stands for is not built.
        let replaced = stage.name.as_ref().and_then(|name| self.named(&name.text));
        let found = match replaced {
            Some(number) => self.given_base(number, (index, wanted), stage.base.span, problems)?,
            None => self.base((index, wanted), stage, arguments, problems)?,
        };
        let (base::Found { base, shown, files }, mut platform) = (found, platform?);
        let instructions = if replaced.is_some() { &[][..] } else { stage.instructions.as_slice() };
        let (config, scope) = match &base {
            Base::Scratch => (base::scratch(&platform), Scope::default()),
            Base::Image { image, .. } => (base::inherit(&image.config), Scope::default()),
            Base::Stage(parent) => {
                let parent = earlier.get(*parent)?.as_ref()?;
                parent.platform.clone_into(&mut platform);
                (parent.config.clone(), parent.scope.clone())
            }
        };
        let triggers = self.triggers(stage, &config, problems);
        let noted = steps::Noted { problems, missing };
        let mut run = steps::StagePlanner::new(self, arguments, earlier, (index, platform), scope, config, noted);
        let counts_base = matches!(base, Base::Image { .. });
        run.count(counts_base, &triggers, instructions);
        let from_name = if counts_base { run.numbered(&shown) } else { shown.clone() };
        if let Some(number) = files {
            run.base_files(number, &self.named[number].name, stage.base.span, shown);
        }
        run.triggers(&triggers);
        for instruction in instructions {
            run.instruction(instruction);
        }
        Some(run.finish(base, from_name))
    }

    /// Whether the stage is all that the file speaks of; steps need no name before their numbers then.
    fn is_alone(&self) -> bool {
        let [stage] = self.dockerfile.stages.as_slice() else { return false };
        let takes_from_elsewhere = |instruction: &Instruction| match &instruction.kind {
            InstructionKind::Copy(copy) => copy.from.is_some(),
            // BuildKit counts what any mount begins with as a stage, even where that is nothing.
            InstructionKind::Run(run) => !run.mounts.is_empty(),
            _ => false,
        };
        !stage.instructions.iter().any(takes_from_elsewhere)
    }
}

/// Whether a stage has this name or number; BuildKit compares names without case.
fn is_called(index: usize, stage: &Stage, name: &str) -> bool {
    stage.name.as_ref().is_some_and(|own| own.text.eq_ignore_ascii_case(name)) || index.to_string() == name
}

pub(crate) fn expansion_problem(word: &Word, error: &dockerfile::ExpandError) -> Problem {
    Problem::error(word.span, format!("cannot expand `{}`: {error}", word.text))
}

#[cfg(test)]
mod tests;
