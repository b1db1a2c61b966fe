//! What a target can be given, and which targets there are: `--call=outline` and `--call=targets`.
//!
//! Descriptions are the comments above ARG and FROM that begin with the name (D010).

use crate::instruction::{Dockerfile, Instruction, InstructionKind, MountKind};
use crate::lint::Location;
use crate::scope::Surroundings;
use crate::stage::{StageReference, references};
use crate::walk::{GlobalArg, StageWalk, Walk};

/// Everything that a target can be given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// The stage's name; empty when it has none.
    pub name: String,
    /// What its comment says.
    pub description: String,
    /// Build arguments, in the order of the file.
    pub args: Vec<OutlineArg>,
    /// Secrets.
    pub secrets: Vec<OutlineMount>,
    /// Agents.
    pub ssh: Vec<OutlineMount>,
}

/// A build argument that the target uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineArg {
    /// Its name.
    pub name: String,
    /// What its comment says.
    pub description: String,
    /// The value that it has in this build; empty without one.
    pub value: String,
    /// Where it is declared.
    pub location: Location,
}

/// A secret or an agent that the target uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineMount {
    /// Its ID.
    pub name: String,
    /// The build fails without it.
    pub is_required: bool,
    /// Where it is used first.
    pub location: Location,
}

/// A stage that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name; empty when it has none.
    pub name: String,
    /// It is built when no target is given.
    pub is_default: bool,
    /// What its comment says.
    pub description: String,
    /// What it begins with, as written.
    pub base: String,
    /// `--platform`, as written; empty without it.
    pub platform: String,
    /// The FROM line.
    pub location: Location,
}

/// All targets of a Dockerfile.
pub fn targets(dockerfile: &Dockerfile) -> Vec<Target> {
    let last = dockerfile.stages.len().saturating_sub(1);
    let target = |(index, stage): (usize, &crate::instruction::Stage)| Target {
        name: stage.name.as_ref().map_or_else(String::new, |name| name.text.clone()),
        is_default: index == last,
        description: stage.description.clone().unwrap_or_default(),
        base: stage.base.text.clone(),
        platform: stage.platform.as_ref().map_or_else(String::new, |platform| platform.text.clone()),
        location: Location { first_line: stage.first_line, last_line: stage.last_line },
    };
    dockerfile.stages.iter().enumerate().map(target).collect()
}

/// What the stage of this index, and those that it needs, can be given.
pub fn outline(dockerfile: &Dockerfile, target: usize, around: Surroundings<'_>) -> Outline {
    let Some(stage) = dockerfile.stages.get(target) else { return Outline::default() };
    let walk = Walk::new(dockerfile, around);
    let mut found = Outline {
        name: stage.name.as_ref().map_or_else(String::new, |name| name.text.clone()),
        description: stage.description.clone().unwrap_or_default(),
        ..Outline::default()
    };
    for index in needed(dockerfile, &walk, target) {
        collect(&walk, &walk.stages[index], &mut found);
    }
    found.args.sort_by_key(|arg| arg.location);
    found.secrets.sort_by_key(|mount| mount.location);
    found.ssh.sort_by_key(|mount| mount.location);
    found
}

/// The target first, then what it begins with, then what it copies from: what is met first counts.
fn needed(dockerfile: &Dockerfile, walk: &Walk<'_>, target: usize) -> Vec<usize> {
    let mut order = Vec::new();
    let mut waiting = vec![target];
    while let Some(index) = waiting.pop() {
        if order.contains(&index) {
            continue;
        }
        order.push(index);
        let walked = &walk.stages[index];
        let mut further: Vec<usize> = walked.parent.into_iter().collect();
        for from in walked.stage.instructions.iter().flat_map(references) {
            if let StageReference::Stage(from) = dockerfile.from(index, &from.text) {
                further.push(from);
            }
        }
        waiting.extend(further.into_iter().rev());
    }
    order
}

fn collect(walk: &Walk<'_>, walked: &StageWalk<'_>, found: &mut Outline) {
    // ARG without anything of its own is the one from before the first FROM.
    let mut of_globals: Vec<&str> = Vec::new();
    let first = found.args.len();
    // Of several in one stage the last counts.
    for step in walked.steps.iter().rev() {
        let InstructionKind::Arg(declarations) = &step.instruction.kind else { continue };
        for (declaration, value) in declarations.iter().zip(&step.arguments).rev() {
            let name = declaration.name.text.as_str();
            let is_inherited = declaration.default.is_none() && global(walk, name).is_some();
            match is_inherited {
                true => of_globals.push(name),
                false => drop(add(found, name, step.instruction, value.as_deref())),
            }
        }
    }
    found.args[first..].reverse();
    for word in [&walked.base, &walked.platform].into_iter().flatten() {
        of_globals.extend(word.used.iter().map(String::as_str));
    }
    // Defaults may be made of other arguments.
    while let Some(name) = of_globals.pop() {
        let Some(arg) = global(walk, name) else { continue };
        if add(found, name, arg.instruction, arg.value.as_deref()) {
            of_globals.extend(arg.uses.iter().map(String::as_str));
        }
    }
    for step in &walked.steps {
        let location = location_of(step.instruction);
        for mount in &step.mounts {
            let list = if mount.kind == MountKind::Secret { &mut found.secrets } else { &mut found.ssh };
            if list.iter().all(|known| known.name != mount.name) {
                list.push(OutlineMount { name: mount.name.clone(), is_required: mount.is_required, location });
            }
        }
    }
}

/// The declaration before the first FROM that counts.
fn global<'w, 'a>(walk: &'w Walk<'a>, name: &str) -> Option<&'w GlobalArg<'a>> {
    walk.globals.args.iter().rev().find(|arg| arg.declaration.name.text == name)
}

/// Adds an argument unless it is there; tells whether it was added.
fn add(found: &mut Outline, name: &str, instruction: &Instruction, value: Option<&str>) -> bool {
    if found.args.iter().any(|known| known.name == name) {
        return false;
    }
    found.args.push(OutlineArg {
        name: name.to_owned(),
        description: instruction.comment.description_of(name).unwrap_or_default().to_owned(),
        value: value.unwrap_or_default().to_owned(),
        location: location_of(instruction),
    });
    true
}

fn location_of(instruction: &Instruction) -> Location {
    Location { first_line: instruction.first_line, last_line: instruction.last_line }
}

#[cfg(test)]
mod tests;
