//! Which variables an instruction sees, worked out from the text alone: what the checks and the outline know of values.
//!
//! The builder has its own planner, which needs every base image and stops at mistakes. This walk needs neither: a base
//! that nobody knows leaves its stage's environment unknown, a word that cannot be expanded has no value. It holds
//! pieces of values only, enough to tell a path or a port: a Dockerfile could make them grow without end.

use crate::instruction::{ArgDeclaration, Instruction, InstructionKind, KeyValue};

/// Longest piece of a value that is kept.
const MAX_VALUE: usize = 1 << 10;

/// What a build begins with, as far as a Dockerfile can see it.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// `--build-arg`, later ones win.
    pub build_args: &'a [(String, String)],
    /// Arguments that are there before the first ARG: `TARGETPLATFORM` and the like.
    pub platform_args: &'a [(String, String)],
    /// The base image of a stage, by the stage's index and the image's name; `None` if nothing is known of it.
    pub bases: &'a dyn Fn(usize, &str) -> Option<BaseFacts>,
}

/// What a stage takes over from a base image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaseFacts {
    /// `NAME=value`, in order.
    pub env: Vec<String>,
    /// It has a shell of its own (SHELL).
    pub has_shell: bool,
    /// Its triggers (ONBUILD).
    pub on_build: Vec<String>,
    /// What it runs on: `linux/arm64`.
    pub platform: String,
}

impl Surroundings<'_> {
    /// A build argument's value.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        find(self.build_args, name)
    }
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("build_args", &self.build_args).finish_non_exhaustive()
    }
}

/// The last value of a name.
pub(crate) fn find<'v>(list: &'v [(String, String)], name: &str) -> Option<&'v str> {
    list.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The state of a stage between two instructions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Environment, in order of first appearance.
    env: Vec<(String, String)>,
    /// Declared arguments, with or without a value.
    args: Vec<(String, Option<String>)>,
    /// SHELL was set, here or in the base.
    pub(crate) has_shell: bool,
    /// WORKDIR was set in this Dockerfile.
    pub(crate) has_workdir: bool,
    /// The environment holds more than is written here: the base image is not known.
    pub(crate) is_partial: bool,
    /// Triggers for stages that begin with this one.
    pub(crate) on_build: Vec<String>,
}

impl Scope {
    /// What a stage on this image begins with; `None` when it is not known.
    pub(crate) fn of_image(facts: Option<&BaseFacts>) -> Scope {
        let Some(facts) = facts else { return Scope { is_partial: true, ..Scope::of_scratch() } };
        let mut scope = Scope { has_shell: facts.has_shell, on_build: facts.on_build.clone(), ..Scope::default() };
        for pair in &facts.env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            scope.set_env(name, value);
        }
        if scope.env_value("PATH").is_none() {
            scope.set_env("PATH", "");
        }
        scope
    }

    /// What `FROM scratch` begins with: PATH is always there (D143).
    pub(crate) fn of_scratch() -> Scope {
        Scope { env: vec![("PATH".to_owned(), String::new())], ..Scope::default() }
    }

    /// The value of a variable; the environment wins over arguments.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.env_value(name).or_else(|| self.args.iter().rev().find(|(known, _)| known == name)?.1.as_deref())
    }

    /// Whether the Dockerfile or the base speaks of this variable, with a value or without.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.env_value(name).is_some() || self.args.iter().any(|(known, _)| known == name)
    }

    /// Names of everything that has a value.
    pub(crate) fn names(&self) -> Vec<&str> {
        let args = self.args.iter().filter(|(_, value)| value.is_some());
        self.env.iter().map(|(name, _)| name.as_str()).chain(args.map(|(name, _)| name.as_str())).collect()
    }

    fn env_value(&self, name: &str) -> Option<&str> {
        find(&self.env, name)
    }

    fn set_env(&mut self, name: &str, value: &str) {
        let value = piece(value).to_owned();
        match self.env.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.env.push((name.to_owned(), value)),
        }
    }

    pub(crate) fn declare(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(|value| piece(value).to_owned());
        match self.args.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.or_else(|| old.take()),
            None => self.args.push((name.to_owned(), value)),
        }
    }

    /// What an instruction changes for those behind it. `expand` gives values of words, `argument` those of ARG.
    pub(crate) fn apply(
        &mut self,
        instruction: &Instruction,
        expand: &dyn Fn(&Scope, &str) -> Option<String>,
        argument: &dyn Fn(&Scope, &ArgDeclaration) -> Option<String>,
    ) {
        match &instruction.kind {
            InstructionKind::Env(pairs) => {
                // All values of one ENV see what was before it (D058).
                let value = |pair: &KeyValue| Some((expand(self, &pair.key.text)?, expand(self, &pair.value.text)?));
                let values: Vec<(String, String)> = pairs.iter().filter_map(value).collect();
                values.iter().for_each(|(name, value)| self.set_env(name, value));
            }
            InstructionKind::Arg(declarations) => {
                for declaration in declarations {
                    let value = argument(self, declaration);
                    self.declare(&declaration.name.text, value.as_deref());
                }
            }
            InstructionKind::Shell(_) => self.has_shell = true,
            InstructionKind::Workdir(_) => self.has_workdir = true,
            InstructionKind::OnBuild(trigger) => self.on_build.push(trigger.text.clone()),
            _ => {}
        }
    }
}

/// The beginning of a value.
pub(crate) fn piece(value: &str) -> &str {
    match value.len() > MAX_VALUE {
        true => &value[..value.floor_char_boundary(MAX_VALUE)],
        false => value,
    }
}
