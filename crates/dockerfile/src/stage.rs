//! Which stages a target needs, and how stages are named.

use crate::instruction::{Dockerfile, Instruction, InstructionKind, MountKind, Stage, Word};
use crate::source::Span;
use crate::suggest;

/// What a stage's FROM, or a `--from`, refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageReference<'a> {
    /// An earlier stage, by its index.
    Stage(usize),
    /// Anything else: an image, a named context, `scratch`.
    Other(&'a str),
}

/// What a name stands for instead, when somebody says so from outside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// Another stage.
    Stage(String),
    /// Nothing of the file.
    Elsewhere,
}

/// A target that is not in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("target stage `{target}` could not be found")]
pub struct UnknownTarget {
    /// What was asked for.
    pub target: String,
    /// The stage that was probably meant.
    pub suggestion: Option<String>,
    /// Names of all stages.
    pub names: Vec<String>,
}

impl Dockerfile {
    /// Index of the stage to build: by name (upper and lower case are the same) or number, the last without one.
    /// A name that is given twice means the later stage.
    ///
    /// # Errors
    /// When there is no such stage.
    pub fn target(&self, target: Option<&str>) -> Result<usize, UnknownTarget> {
        let Some(target) = target.filter(|target| !target.is_empty()) else {
            return self.stages.len().checked_sub(1).ok_or_else(|| self.unknown(""));
        };
        let by_name = self.stages.iter().rposition(|stage| stage_has_name(stage, target));
        let by_number = || target.parse::<usize>().ok().filter(|number| *number < self.stages.len());
        by_name.or_else(by_number).ok_or_else(|| self.unknown(target))
    }

    fn unknown(&self, target: &str) -> UnknownTarget {
        let names: Vec<String> =
            self.stages.iter().filter_map(|stage| stage.name.as_ref()).map(|name| name.text.clone()).collect();
        let suggestion = suggest::nearest(target, names.iter().map(String::as_str)).map(str::to_owned);
        UnknownTarget { target: target.to_owned(), suggestion, names }
    }

    /// What the base of stage `index` is. `base` is its word after expansion.
    pub fn base<'a>(&self, index: usize, base: &'a str) -> StageReference<'a> {
        let named = self.stages[..index.min(self.stages.len())].iter().rposition(|stage| stage_has_name(stage, base));
        named.map_or(StageReference::Other(base), StageReference::Stage)
    }

    /// What a `--from` within stage `index` is: an earlier stage by name or number, or something else.
    pub fn from<'a>(&self, index: usize, from: &'a str) -> StageReference<'a> {
        earlier(&self.stages, index, from).map_or(StageReference::Other(from), StageReference::Stage)
    }

    /// Stages that a target needs, itself included, in the order of the file; the others need not be built.
    /// `expand_base` gives a stage's base after expansion, since `FROM ${base}` may name a stage. What variables in
    /// `--from` hold depends on the stages before, so those it leaves out; [`Dockerfile::from`] takes them once known.
    ///
    /// `instead` is asked about every name first; a stage whose own name stands for something else needs nothing more.
    pub fn needed_stages(
        &self,
        target: usize,
        expand_base: &dyn Fn(usize) -> Option<String>,
        instead: &dyn Fn(&str) -> Option<Instead>,
    ) -> Vec<usize> {
        let mut needed = vec![false; self.stages.len()];
        if let Some(target) = needed.get_mut(target) {
            *target = true;
        }
        // References only ever point backwards, so one pass from the end finds all.
        for index in (0..self.stages.len()).rev().filter(|index| *index <= target) {
            if !needed[index] {
                continue;
            }
            let stage = &self.stages[index];
            let mut need = |name: &str, find: &dyn Fn(&str) -> Option<usize>| {
                let found = match instead(name) {
                    Some(Instead::Elsewhere) => None,
                    Some(Instead::Stage(other)) => earlier(&self.stages, index, &other),
                    None => find(name),
                };
                if let Some(found) = found {
                    needed[found] = true;
                }
            };
            if let Some(name) = stage.name.as_ref().filter(|name| instead(&name.text).is_some()) {
                need(&name.text, &|_| None);
                continue;
            }
            let base = expand_base(index).unwrap_or_else(|| stage.base.text.clone());
            need(&base, &|name| match self.base(index, name) {
                StageReference::Stage(stage) => Some(stage),
                StageReference::Other(_) => None,
            });
            for from in stage.instructions.iter().flat_map(references) {
                need(&from.text, &|name| earlier(&self.stages, index, name));
            }
        }
        needed.iter().enumerate().filter(|(_, needed)| **needed).map(|(index, _)| index).collect()
    }
}

fn stage_has_name(stage: &Stage, name: &str) -> bool {
    stage.name.as_ref().is_some_and(|own| own.text.eq_ignore_ascii_case(name))
}

/// The stage before `index` that a `--from` names, by name or number.
pub(crate) fn earlier(stages: &[Stage], index: usize, from: &str) -> Option<usize> {
    let before = &stages[..index.min(stages.len())];
    let by_name = before.iter().rposition(|stage| stage_has_name(stage, from));
    by_name.or_else(|| from.parse().ok().filter(|number| *number < before.len()))
}

/// Values of `--from` and of mounts' `from=` in an instruction. A trigger's belong to the build that it triggers.
pub(crate) fn references(instruction: &Instruction) -> Vec<Word> {
    match &instruction.kind {
        InstructionKind::Copy(copy) => copy.from.iter().cloned().collect(),
        InstructionKind::Run(run) => run
            .mounts
            .iter()
            .filter(|mount| matches!(mount.kind, MountKind::Bind | MountKind::Cache))
            .filter_map(|mount| {
                let from = mount.options.iter().rfind(|option| option.key == "from")?.value.as_deref()?;
                Some(Word::new(from, from_span(mount.text.span, &mount.text.text, from)))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Place of `from=`'s value within a mount, where the mount stands in the file as it is.
fn from_span(mount: Span, text: &str, from: &str) -> Span {
    match text.find(&format!("from={from}")) {
        Some(at) if mount.end - mount.start == text.len() => {
            let start = mount.start + at + "from=".len();
            Span::new(start, start + from.len())
        }
        _ => mount,
    }
}

#[cfg(test)]
mod tests;
