//! The checks: what is no mistake, but probably not what the author of a Dockerfile wants.
//!
//! Rules, names and messages are BuildKit's, so that `# check=skip=NAME` and whoever reads the results work as people
//! know it; the reasons, examples and hints are ours, and `docs/reference/checks.md` is made from them. One rule, one
//! file; each reads what it needs off one [`Walk`] and knows neither images nor the file system: what an ignore file
//! leaves out, what a base image is and what may name an image is handed in.

mod consistent_instruction_casing;
mod copy_ignored_file;
mod duplicate_stage_name;
mod expose_invalid_format;
mod expose_proto_casing;
mod from_as_casing;
mod from_platform_flag_const_disallowed;
mod invalid_base_image_platform;
mod invalid_default_arg_in_from;
mod invalid_definition_description;
mod json_args_recommended;
mod legacy_key_value_format;
mod maintainer_deprecated;
mod multiple_instructions_disallowed;
mod no_empty_continuation;
mod redundant_target_platform;
mod reserved_stage_name;
mod secrets_used_in_arg_or_env;
mod stage_name_casing;
mod undefined_arg_in_from;
mod undefined_var;
mod workdir_relative_path;

mod platform;
mod quote;
mod slip;
mod typed;

use crate::checks::Checks;
use crate::ignore_file::IgnoreFile;
use crate::instruction::{Comment, Dockerfile, Instruction, Stage};
use crate::scope::Surroundings;
use crate::source::Span;
use crate::walk::{StageWalk, Step, Walk};

/// A check, with what its documentation says.
pub struct LintRule {
    /// BuildKit's name, as in `# check=skip=NAME`.
    pub name: &'static str,
    /// BuildKit's one sentence.
    pub description: &'static str,
    /// The last part of the address of Docker's page about it; empty where there is none.
    pub page: &'static str,
    /// Runs only when it is asked for: `# check=experimental=NAME`.
    pub is_experimental: bool,
    /// Why it matters, and what to do.
    pub why: &'static str,
    /// A Dockerfile that it speaks of.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
    /// It looks at values of variables: when the file has mistakes, those are not to be trusted.
    needs_values: bool,
    check: fn(&View<'_>, &mut Findings),
}

impl LintRule {
    /// Docker's page about it.
    pub fn url(&self) -> Option<String> {
        (!self.page.is_empty()).then(|| format!("https://docs.docker.com/go/dockerfile/rule/{}/", self.page))
    }
}

impl std::fmt::Debug for LintRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for LintRule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for LintRule {}

/// All of them, in the order of BuildKit's reference.
static RULES: [LintRule; 22] = [
    stage_name_casing::RULE,
    from_as_casing::RULE,
    no_empty_continuation::RULE,
    consistent_instruction_casing::RULE,
    duplicate_stage_name::RULE,
    reserved_stage_name::RULE,
    json_args_recommended::RULE,
    maintainer_deprecated::RULE,
    undefined_arg_in_from::RULE,
    workdir_relative_path::RULE,
    undefined_var::RULE,
    multiple_instructions_disallowed::RULE,
    legacy_key_value_format::RULE,
    invalid_base_image_platform::RULE,
    redundant_target_platform::RULE,
    secrets_used_in_arg_or_env::RULE,
    invalid_default_arg_in_from::RULE,
    from_platform_flag_const_disallowed::RULE,
    copy_ignored_file::RULE,
    invalid_definition_description::RULE,
    expose_proto_casing::RULE,
    expose_invalid_format::RULE,
];

/// Every rule, in the order of BuildKit's reference.
pub fn rules() -> &'static [LintRule] {
    &RULES
}

/// Lines that a warning is about, from 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The first.
    pub first_line: usize,
    /// The last.
    pub last_line: usize,
}

/// One finding of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Which rule.
    pub rule: &'static LintRule,
    /// BuildKit's message.
    pub message: String,
    /// Lines, as BuildKit gives them.
    pub location: Location,
    /// The place, in bytes of the file.
    pub span: Span,
    /// What to write instead.
    pub help: Option<String>,
}

/// What the checks need besides the Dockerfile.
#[derive(Clone, Copy)]
pub struct LintInput<'a> {
    /// The Dockerfile.
    pub dockerfile: &'a Dockerfile,
    /// The stages that a build needs, by index: instructions of others are not looked at. All, when there is none.
    pub stages: Option<&'a [usize]>,
    /// Values that a build would begin with.
    pub around: Surroundings<'a>,
    /// What the build is for: `linux/amd64`.
    pub target_platform: &'a str,
    /// Rules for files of the context.
    pub ignore_file: Option<&'a IgnoreFile>,
    /// Whether a text can name an image.
    pub is_image_name: &'a dyn Fn(&str) -> bool,
    /// The file has mistakes: rules that look at values are left out.
    pub has_errors: bool,
}

impl std::fmt::Debug for LintInput<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LintInput").field("stages", &self.stages).field("around", &self.around).finish_non_exhaustive()
    }
}

/// Runs the checks that are not switched off; findings in the order of the file.
pub fn lint(input: &LintInput<'_>, checks: &Checks) -> Vec<Warning> {
    if checks.skip_all && !checks.experimental_all && checks.experimental.is_empty() {
        return Vec::new();
    }
    let view = View { input, walk: Walk::new(input.dockerfile, input.around) };
    let mut warnings = Vec::new();
    for rule in &RULES {
        if !checks.runs(rule.name, rule.is_experimental) || (rule.needs_values && input.has_errors) {
            continue;
        }
        let mut findings = Findings { rule, warnings: Vec::new() };
        (rule.check)(&view, &mut findings);
        warnings.append(&mut findings.warnings);
    }
    // Stable: findings of one line stay in the order of the rules.
    warnings.sort_by_key(|warning| warning.location);
    warnings.truncate(MAX_WARNINGS);
    warnings
}

/// Nobody reads more, and a hostile file could have millions.
const MAX_WARNINGS: usize = 1000;

/// What a rule sees.
struct View<'a> {
    input: &'a LintInput<'a>,
    walk: Walk<'a>,
}

impl<'a> View<'a> {
    /// All stages.
    fn stages(&self) -> impl Iterator<Item = &StageWalk<'a>> {
        self.walk.stages.iter()
    }

    /// The stages whose instructions are looked at.
    fn checked_stages(&self) -> impl Iterator<Item = &StageWalk<'a>> {
        let is_checked = |index: &usize| self.input.stages.is_none_or(|stages| stages.contains(index));
        self.stages().enumerate().filter(move |(index, _)| is_checked(index)).map(|(_, stage)| stage)
    }

    /// The instructions of those.
    fn steps(&self) -> impl Iterator<Item = &Step<'a>> {
        self.checked_stages().flat_map(|stage| &stage.steps)
    }

    /// Every instruction of the file but FROM, those before the first FROM included.
    fn instructions(&self) -> impl Iterator<Item = &'a Instruction> {
        let dockerfile: &'a Dockerfile = self.input.dockerfile;
        let stages = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
        dockerfile.global_args.iter().chain(stages)
    }
}

/// What can be pointed at, and have a comment that switches checks off.
trait Place {
    fn span(&self) -> Span;
    fn location(&self) -> Location;
    fn comment(&self) -> &Comment;
}

impl Place for Instruction {
    fn span(&self) -> Span {
        self.span
    }

    fn location(&self) -> Location {
        Location { first_line: self.first_line, last_line: self.last_line }
    }

    fn comment(&self) -> &Comment {
        &self.comment
    }
}

impl Place for Stage {
    fn span(&self) -> Span {
        self.span
    }

    fn location(&self) -> Location {
        Location { first_line: self.first_line, last_line: self.last_line }
    }

    fn comment(&self) -> &Comment {
        &self.comment
    }
}

/// Where a rule puts what it finds.
struct Findings {
    rule: &'static LintRule,
    warnings: Vec<Warning>,
}

impl Findings {
    /// Adds one about an instruction, or the FROM of a stage.
    fn add(&mut self, place: &impl Place, message: String, help: impl Into<Option<String>>) {
        self.add_at(place, place.span(), place.location(), message, help);
    }

    /// Adds one about a part of an instruction.
    fn add_at(
        &mut self,
        place: &impl Place,
        span: Span,
        location: Location,
        message: String,
        help: impl Into<Option<String>>,
    ) {
        if self.warnings.len() >= MAX_WARNINGS || Checks::of_comment(place.comment()).skips(self.rule.name) {
            return;
        }
        self.warnings.push(Warning { rule: self.rule, message, location, span, help: help.into() });
    }
}

#[cfg(test)]
mod tests;
