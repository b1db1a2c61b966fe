//! One pass through a whole Dockerfile with its variables: what each instruction's words are, and what was undefined.
//!
//! Nothing here is a problem yet; the checks in `lint` and the lists in `outline` are read off the result.

use crate::checks::truth;
use crate::expand::{Expanded, Expander};
use crate::instruction::{
    ArgDeclaration, Dockerfile, Heredoc, Instruction, InstructionKind, Mount, MountKind, Stage, Word,
};
use crate::parser::parse_trigger;
use crate::scope::{BaseFacts, Scope, Surroundings, find, piece};
use crate::stage::StageReference;

/// Read by the builder itself, and declared by nobody (BuildKit has them outside of the environment).
const OF_THE_BUILDER: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// All of a Dockerfile.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub(crate) globals: Globals<'a>,
    pub(crate) stages: Vec<StageWalk<'a>>,
}

/// ARG before the first FROM.
#[derive(Debug, Default)]
pub(crate) struct Globals<'a> {
    /// Everything that FROM lines may use, with its value; the platform's arguments come first.
    pub(crate) values: Vec<(String, String)>,
    pub(crate) args: Vec<GlobalArg<'a>>,
    /// A default could not be expanded; values behind it are not to be trusted.
    pub(crate) has_failed: bool,
}

/// One declaration before the first FROM.
#[derive(Debug)]
pub(crate) struct GlobalArg<'a> {
    pub(crate) declaration: &'a ArgDeclaration,
    pub(crate) instruction: &'a Instruction,
    pub(crate) value: Option<String>,
    /// Arguments that its default was made of.
    pub(crate) uses: Vec<String>,
}

/// One stage.
#[derive(Debug)]
pub(crate) struct StageWalk<'a> {
    pub(crate) stage: &'a Stage,
    /// Its base with values put in; `None` when that cannot be done.
    pub(crate) base: Option<Expanded>,
    pub(crate) platform: Option<Expanded>,
    /// The stage that it begins with.
    pub(crate) parent: Option<usize>,
    /// The image that it begins with, if it is known.
    pub(crate) facts: Option<BaseFacts>,
    pub(crate) steps: Vec<Step<'a>>,
    end: Scope,
}

/// One instruction with what its words are.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) instruction: &'a Instruction,
    /// Expanded words: sources of COPY and ADD, ports of EXPOSE, the path of WORKDIR, names of ENV.
    pub(crate) values: Vec<String>,
    /// Variables that nothing defines, each once.
    pub(crate) undefined: Vec<String>,
    /// Names that were defined, when something was not.
    pub(crate) known: Vec<String>,
    /// A shell was set by SHELL.
    pub(crate) has_shell: bool,
    /// There was a WORKDIR before.
    pub(crate) has_workdir: bool,
    /// Values of ARG, in order.
    pub(crate) arguments: Vec<Option<String>>,
    /// Secrets and agents of RUN.
    pub(crate) mounts: Vec<MountUse>,
}

impl Step<'_> {
    fn add_undefined(&mut self, names: Vec<String>, scope: &Scope) {
        if !names.is_empty() && self.known.is_empty() {
            self.known = scope.names().into_iter().map(str::to_owned).collect();
        }
        for name in names {
            if !self.undefined.contains(&name) {
                self.undefined.push(name);
            }
        }
    }
}

/// A secret or an agent that a RUN asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountUse {
    pub(crate) kind: MountKind,
    pub(crate) name: String,
    pub(crate) is_required: bool,
}

impl<'a> Walk<'a> {
    /// Walks through all stages.
    pub(crate) fn new(dockerfile: &'a Dockerfile, around: Surroundings<'a>) -> Walk<'a> {
        let walker = Walker { dockerfile, around, expander: Expander::new(dockerfile.directives.escape) };
        let globals = walker.globals();
        let mut stages: Vec<StageWalk<'a>> = Vec::new();
        for (index, stage) in dockerfile.stages.iter().enumerate() {
            let walked = walker.stage(index, stage, &globals, &stages);
            stages.push(walked);
        }
        Walk { globals, stages }
    }
}

/// ARG before the first FROM, with the defaults or with what is given.
pub(crate) fn globals<'a>(dockerfile: &'a Dockerfile, around: Surroundings<'a>) -> Globals<'a> {
    Walker { dockerfile, around, expander: Expander::new(dockerfile.directives.escape) }.globals()
}

struct Walker<'a> {
    dockerfile: &'a Dockerfile,
    around: Surroundings<'a>,
    expander: Expander,
}

impl<'a> Walker<'a> {
    fn globals(&self) -> Globals<'a> {
        let mut globals = Globals { values: self.around.platform_args.to_vec(), ..Globals::default() };
        for instruction in &self.dockerfile.global_args {
            let InstructionKind::Arg(declarations) = &instruction.kind else { continue };
            for declaration in declarations {
                let name = &declaration.name.text;
                let (value, uses) = match (self.around.given(name), &declaration.default) {
                    (Some(given), _) => (Some(given.to_owned()), Vec::new()),
                    (None, None) => (None, Vec::new()),
                    (None, Some(default)) => {
                        match self.expander.expand(&default.text, &|name| find(&globals.values, name)) {
                            Ok(expanded) => (Some(piece(&expanded.text).to_owned()), expanded.used),
                            Err(_) => {
                                globals.has_failed = true;
                                (None, Vec::new())
                            }
                        }
                    }
                };
                if let Some(value) = &value {
                    globals.values.push((name.clone(), value.clone()));
                }
                globals.args.push(GlobalArg { declaration, instruction, value, uses });
            }
        }
        globals
    }

    fn stage(&self, index: usize, stage: &'a Stage, globals: &Globals<'a>, before: &[StageWalk<'a>]) -> StageWalk<'a> {
        let expand = |word: &Word| self.expander.expand(&word.text, &|name| find(&globals.values, name)).ok();
        let base = expand(&stage.base);
        let reference = base.as_ref().map(|base| self.dockerfile.base(index, &base.text));
        let parent = match reference {
            Some(StageReference::Stage(parent)) => Some(parent),
            _ => None,
        };
        let image = match reference {
            Some(StageReference::Other(name)) if name != "scratch" => Some(name),
            _ => None,
        };
        let facts = image.and_then(|name| (self.around.bases)(index, name));
        let scope = match (parent, image) {
            (Some(parent), _) => before.get(parent).map_or_else(Scope::default, |parent| parent.end.clone()),
            (None, None) if base.is_some() => Scope::of_scratch(),
            _ => Scope::of_image(facts.as_ref()),
        };
        let platform = stage.platform.as_ref().and_then(expand);
        let mut walked = StageWalk { stage, base, platform, parent, facts, steps: Vec::new(), end: Scope::default() };
        walked.end = self.instructions(stage, scope, globals, &mut walked.steps);
        walked
    }

    fn instructions(
        &self,
        stage: &'a Stage,
        mut scope: Scope,
        globals: &Globals<'a>,
        steps: &mut Vec<Step<'a>>,
    ) -> Scope {
        let expand = |scope: &Scope, word: &str| self.expand(scope, word);
        let argument = |scope: &Scope, declaration: &ArgDeclaration| self.argument(scope, declaration, globals);
        for text in std::mem::take(&mut scope.on_build) {
            if let Ok(trigger) = parse_trigger(&text) {
                scope.apply(&trigger, &expand, &argument);
            }
        }
        for instruction in &stage.instructions {
            let mut step = self.step(instruction, &scope);
            match &instruction.kind {
                // Each declaration sees those before it.
                InstructionKind::Arg(declarations) => {
                    for declaration in declarations {
                        let value = argument(&scope, declaration);
                        self.note_default(declaration, &scope, &mut step);
                        scope.declare(&declaration.name.text, value.as_deref());
                        step.arguments.push(value);
                    }
                }
                _ => scope.apply(instruction, &expand, &argument),
            }
            steps.push(step);
        }
        scope
    }

    fn expand(&self, scope: &Scope, word: &str) -> Option<String> {
        let expanded = self.expander.expand(word, &|name| scope.get(name)).ok()?;
        Some(piece(&expanded.text).to_owned())
    }

    /// What is given wins over the default, that over one from before the first FROM.
    fn argument(&self, scope: &Scope, declaration: &ArgDeclaration, globals: &Globals<'_>) -> Option<String> {
        let name = &declaration.name.text;
        let given = self.around.given(name).map(str::to_owned);
        let default = || self.expand(scope, &declaration.default.as_ref()?.text);
        given.or_else(default).or_else(|| find(&globals.values, name).map(str::to_owned))
    }

    fn step(&self, instruction: &'a Instruction, scope: &Scope) -> Step<'a> {
        let mut step = Step {
            instruction,
            values: Vec::new(),
            undefined: Vec::new(),
            known: Vec::new(),
            has_shell: scope.has_shell,
            has_workdir: scope.has_workdir,
            arguments: Vec::new(),
            mounts: Vec::new(),
        };
        let mut words = Words { walker: self, scope, undefined: Vec::new() };
        match &instruction.kind {
            InstructionKind::Copy(copy) => {
                step.values = words.all(&copy.sources);
                words.all(
                    [&copy.destination]
                        .into_iter()
                        .chain(&copy.from)
                        .chain(&copy.chown)
                        .chain(&copy.chmod)
                        .chain(&copy.excludes),
                );
                words.documents(&copy.heredocs);
            }
            InstructionKind::Add(add) => {
                step.values = words.all(&add.sources);
                words.all([&add.destination].into_iter().chain(&add.chown).chain(&add.chmod));
                words.all(add.checksum.iter().chain(&add.excludes));
                words.documents(&add.heredocs);
            }
            InstructionKind::Env(pairs) => {
                step.values = words.all(pairs.iter().map(|pair| &pair.key));
                words.all(pairs.iter().map(|pair| &pair.value));
            }
            InstructionKind::Label(pairs) => {
                words.all(pairs.iter().flat_map(|pair| [&pair.key, &pair.value]));
            }
            // BuildKit looks at the ports only.
            InstructionKind::Expose(ports) => step.values = words.ports(ports),
            InstructionKind::Run(run) => {
                step.mounts = run.mounts.iter().filter_map(|mount| words.mount(mount)).collect();
            }
            InstructionKind::User(word) | InstructionKind::StopSignal(word) | InstructionKind::Workdir(word) => {
                step.values = words.all([word]);
            }
            InstructionKind::Volume(list) => {
                words.all(list);
            }
            InstructionKind::Arg(_)
            | InstructionKind::Cmd(_)
            | InstructionKind::Entrypoint(_)
            | InstructionKind::Healthcheck(_)
            | InstructionKind::Maintainer(_)
            | InstructionKind::OnBuild(_)
            | InstructionKind::Shell(_) => {}
        }
        let undefined = words.undefined;
        step.add_undefined(undefined, scope);
        step
    }

    /// The default of an argument that is not given.
    fn note_default(&self, declaration: &ArgDeclaration, scope: &Scope, step: &mut Step<'a>) {
        if self.around.given(&declaration.name.text).is_none()
            && let Some(default) = &declaration.default
        {
            let mut words = Words { walker: self, scope, undefined: Vec::new() };
            words.all([default]);
            let undefined = words.undefined;
            step.add_undefined(undefined, scope);
        }
    }
}

/// Words of one instruction, on their way.
struct Words<'w> {
    walker: &'w Walker<'w>,
    scope: &'w Scope,
    undefined: Vec<String>,
}

impl Words<'_> {
    /// Their values; words that cannot be expanded have none.
    fn all<'i>(&mut self, words: impl IntoIterator<Item = &'i Word>) -> Vec<String> {
        words.into_iter().filter_map(|word| self.one(&word.text, self.walker.expander)).collect()
    }

    fn one(&mut self, word: &str, expander: Expander) -> Option<String> {
        let expanded = expander.expand(word, &|name| self.scope.get(name)).ok()?;
        self.note(&expanded);
        Some(piece(&expanded.text).to_owned())
    }

    fn note(&mut self, expanded: &Expanded) {
        // Whatever nobody knows may come from a base image that is not here.
        if self.scope.is_partial {
            return;
        }
        for name in &expanded.undefined {
            let is_known = self.scope.knows(name) || OF_THE_BUILDER.contains(&name.as_str());
            if !is_known && !self.undefined.contains(name) {
                self.undefined.push(name.clone());
            }
        }
    }

    /// Texts that the builder expands itself, unlike those of RUN.
    fn documents(&mut self, documents: &[Heredoc]) {
        for document in documents.iter().filter(|document| document.expand) {
            self.one(&document.body.text, Expander::for_heredoc('\\'));
        }
    }

    fn ports(&mut self, words: &[Word]) -> Vec<String> {
        let expand = |word: &Word| {
            let expanded = self.walker.expander.expand_words(&word.text, &|name| self.scope.get(name));
            expanded.map_or_else(|_| Vec::new(), |(words, _)| words)
        };
        words.iter().flat_map(expand).map(|port| piece(&port).to_owned()).collect()
    }

    fn mount(&mut self, mount: &Mount) -> Option<MountUse> {
        let expander = self.walker.expander;
        let mut values = Vec::new();
        for option in &mount.options {
            let value = option.value.as_ref().map_or(Some(String::new()), |text| self.one(text, expander));
            values.extend(value.map(|value| (option.key.clone(), value)));
        }
        let value = |key: &str| find(&values, key).map(str::to_owned);
        let base = |path: String| path.rsplit('/').find(|name| !name.is_empty()).map(str::to_owned);
        let name = match mount.kind {
            MountKind::Secret => value("id").or_else(|| value("source")).or_else(|| value("target").and_then(base)),
            MountKind::Ssh => value("id").or_else(|| Some("default".to_owned())),
            _ => None,
        };
        let is_required = value("required").is_some_and(|value| value.is_empty() || truth(&value) == Some(true));
        name.map(|name| MountUse { kind: mount.kind, name, is_required })
    }
}
