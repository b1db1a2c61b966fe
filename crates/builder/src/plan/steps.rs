//! The instructions of one stage, in order: values put in, steps and history rows written down.

use dockerfile::{ArgDeclaration, ExpandError, Expander, Instruction, InstructionKind, Lookup, Span, Word};
use oci::{ImageConfig, Platform};

use super::{Base, Op, PlannedRow, PlannedStep, Planner, Problem, StagePlan, WorkdirOp, expansion_problem, named};
use crate::classic::RowImage;
use crate::path::inside;
use crate::variables::{Arguments, Scope};

/// What is found on the way.
pub(crate) struct Noted<'p> {
    pub(super) problems: &'p mut Vec<Problem>,
    /// Stages that are copied from and were not planned.
    pub(super) missing: &'p mut Vec<usize>,
}

/// Walks one stage.
pub(crate) struct StagePlanner<'a, 'p> {
    pub(super) planner: &'a Planner<'a>,
    pub(super) arguments: &'a Arguments,
    pub(super) earlier: &'a [Option<StagePlan>],
    pub(super) index: usize,
    /// What the stage is for.
    pub(super) platform: Platform,
    pub(super) scope: Scope,
    pub(super) config: ImageConfig,
    steps: Vec<PlannedStep>,
    history: Vec<PlannedRow>,
    pub(super) noted: Noted<'p>,
    /// CMD was set in this stage.
    pub(super) cmd_is_own: bool,
    /// The instruction comes from the base's ONBUILD.
    is_trigger: bool,
    /// What stands before the numbers in `[build 2/3]`.
    label: String,
    number: usize,
    total: usize,
}

impl<'a, 'p> StagePlanner<'a, 'p> {
    pub(super) fn new(
        planner: &'a Planner<'a>,
        arguments: &'a Arguments,
        earlier: &'a [Option<StagePlan>],
        (index, platform): (usize, Platform),
        mut scope: Scope,
        mut config: ImageConfig,
        noted: Noted<'p>,
    ) -> Self {
        config.config.on_build.clear();
        scope.env.clone_from(&config.config.env);
        let label = match &planner.dockerfile.stages[index].name {
            _ if planner.is_alone() => String::new(),
            Some(name) => format!("{} ", name.text),
            None => format!("stage-{index} "),
        };
        Self {
            planner,
            arguments,
            earlier,
            index,
            platform,
            scope,
            config,
            steps: Vec::new(),
            history: Vec::new(),
            noted,
            cmd_is_own: false,
            is_trigger: false,
            label,
            number: 0,
            total: 0,
        }
    }

    /// Counts the steps: the base if it is an image, and ADD, COPY, RUN, WORKDIR (S107); of triggers BuildKit counts
    /// all.
    pub(super) fn count(&mut self, counts_base: bool, triggers: &[Instruction], instructions: &[Instruction]) {
        let is_step = |instruction: &&Instruction| {
            use InstructionKind::{Add, Copy, Run, Workdir};
            matches!(instruction.kind, Add(_) | Copy(_) | Run(_) | Workdir(_))
        };
        self.total = usize::from(counts_base) + triggers.len() + instructions.iter().filter(is_step).count();
    }

    /// The base's triggers, marked as such in their steps.
    pub(super) fn triggers(&mut self, triggers: &[Instruction]) {
        self.is_trigger = true;
        for trigger in triggers {
            self.instruction(trigger);
        }
        self.is_trigger = false;
    }

    /// `[2/3] text`, counting on.
    pub(super) fn numbered(&mut self, text: &str) -> String {
        self.number += 1;
        let width = self.total.to_string().len();
        let mark = if self.is_trigger { "ONBUILD " } else { "" };
        let platform = self.shown_platform();
        format!("[{platform}{}{:>width$}/{}] {mark}{text}", self.label, self.number, self.total)
    }

    /// `linux/amd64 `, where there are several: and what it makes programs for, if the stage asks for that (BuildKit).
    fn shown_platform(&self) -> String {
        if !self.planner.shows_platform {
            return String::new();
        }
        let asks = |name: &str| ["TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT"].contains(&name);
        let target = Some(self.planner.platform).filter(|_| self.scope.args.iter().any(|(name, _)| asks(name)));
        let arrow = match target {
            Some(target) if target.os != self.platform.os => format!("->{target}"),
            Some(target) if target.architecture != self.platform.architecture => {
                let variant = target.variant.as_ref().map_or_else(String::new, |variant| format!("/{variant}"));
                format!("->{}{variant}", target.architecture)
            }
            Some(Platform { variant: Some(variant), .. }) if self.platform.variant.as_ref() != Some(variant) => {
                format!("->{variant}")
            }
            _ => String::new(),
        };
        format!("{}{arrow} ", self.platform)
    }

    /// What the programs of the stage are for: that of the base image, also if another was asked for.
    pub(super) fn program_platform(&self) -> Platform {
        let ImageConfig { os, architecture, variant, .. } = &self.config;
        if os.is_empty() || architecture.is_empty() {
            return self.platform.clone();
        }
        Platform { os: os.clone(), architecture: architecture.clone(), variant: variant.clone() }
    }

    pub(super) fn instruction(&mut self, instruction: &Instruction) {
        let rows = self.history.len();
        match &instruction.kind {
            InstructionKind::Run(run) => self.run(instruction, run),
            InstructionKind::Copy(copy) => self.copy(instruction, copy),
            InstructionKind::Add(add) => self.add(instruction, add),
            InstructionKind::Workdir(word) => self.workdir(instruction, word),
            InstructionKind::Arg(declarations) => self.arguments(declarations),
            _ => self.metadata(instruction),
        }
        if self.planner.is_classic {
            self.describe_images(rows, instruction);
        }
    }

    /// What the images of an instruction's rows have, so far.
    fn describe_images(&mut self, first: usize, instruction: &Instruction) {
        let mut config = self.config.config.clone();
        config.env.clone_from(&self.scope.env);
        let image = RowImage {
            text: instruction.text.clone(),
            is_trigger: self.is_trigger,
            config,
            author: self.config.author.clone(),
        };
        for row in &mut self.history[first..] {
            row.image = Some(Box::new(image.clone()));
        }
    }

    /// A value that is given wins over the default, that over one from before the first FROM. Declared again without
    /// any, an argument keeps what it has.
    fn arguments(&mut self, declarations: &[ArgDeclaration]) {
        let mut row = "ARG".to_owned();
        for declaration in declarations {
            let name = &declaration.name.text;
            let default = declaration.default.as_ref().and_then(|word| self.expand(word));
            let given = self.arguments.given.get(name).cloned();
            let value = given.or(default).or_else(|| self.arguments.global.get(name).cloned());
            row.push(' ');
            row.push_str(name);
            if let Some(value) = &value {
                row.push('=');
                row.push_str(value);
            }
            self.scope.declare(name, value);
        }
        self.row(row);
    }

    /// The value of a word; a mistake is noted.
    pub(super) fn expand(&mut self, word: &Word) -> Option<String> {
        self.expand_with(self.planner.expander(), word)
            .map_err(|error| self.problem(expansion_problem(word, &error)))
            .ok()
    }

    /// The same with other rules.
    pub(super) fn expand_with(&mut self, expander: Expander, word: &Word) -> Result<String, ExpandError> {
        let scope = &self.scope;
        Ok(expander.expand(&word.text, &|name| scope.get(name))?.text)
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        let span = self.place(problem.span);
        self.noted.problems.push(Problem { span, ..problem });
    }

    /// Where a span is in this file: a trigger was written in another one and runs at FROM.
    pub(super) fn place(&self, span: Span) -> Span {
        if self.is_trigger { self.planner.dockerfile.stages[self.index].span } else { span }
    }

    pub(super) fn row(&mut self, created_by: String) {
        self.history.push(PlannedRow { created_by, step: None, image: None });
    }

    /// A text as BuildKit shows it: values put in, quotes kept.
    pub(super) fn displayed(&self, text: &str, lookup: Lookup<'_, '_>) -> String {
        let display = Expander::for_display(self.planner.dockerfile.directives.escape);
        let text = display.expand(text, lookup).map_or_else(|_| text.to_owned(), |expanded| expanded.text);
        crate::remote::redacted(&text)
    }

    pub(super) fn step(&mut self, instruction: &Instruction, op: Op, created_by: String) {
        let text = self.displayed(&instruction.step_name(), &|name| self.scope.get(name));
        self.named_step(text, instruction.span, op, created_by);
    }

    pub(super) fn named_step(&mut self, text: String, span: Span, op: Op, created_by: String) {
        let name = self.numbered(text.trim_end());
        self.history.push(PlannedRow { created_by, step: Some(self.steps.len()), image: None });
        self.steps.push(PlannedStep { name, span, op });
    }

    /// The files of a context with a name, as the base of the stage.
    pub(super) fn base_files(&mut self, number: usize, name: &str, span: Span, created_by: String) {
        self.history.push(PlannedRow { created_by, step: Some(self.steps.len()), image: None });
        let op = named::all_files(number, span);
        self.steps.push(PlannedStep { name: format!("[context {name}] FROM {name}"), span, op });
    }

    fn workdir(&mut self, instruction: &Instruction, word: &Word) {
        let Some(text) = self.expand(word) else { return };
        let path = inside(self.working_dir(), &text);
        let shown = format!("/{}", String::from_utf8_lossy(&path));
        self.config.config.working_dir.clone_from(&shown);
        if path.is_empty() {
            // Counted in the total but no step of its own, as BuildKit has it (S108, S150).
            self.row("WORKDIR /".to_owned());
            return;
        }
        let op = WorkdirOp { path, user: self.config.config.user.clone() };
        // The row has an absolute path as written, as in BuildKit.
        let shown = if text.starts_with('/') { &text } else { &shown };
        self.step(instruction, Op::Workdir(op), format!("WORKDIR {shown}"));
    }

    pub(super) fn working_dir(&self) -> &str {
        let dir = &self.config.config.working_dir;
        if dir.is_empty() { "/" } else { dir }
    }

    /// Notes a feature that is not there.
    pub(super) fn refuse(&mut self, span: Option<Span>, feature: &str) -> bool {
        let Some(span) = span else { return false };
        let problem = Problem::error(span, format!("{feature}: not supported yet by this version of onggi"));
        self.problem(problem.with_help("leave it out"));
        true
    }

    pub(super) fn finish(mut self, base: Base, from_name: String) -> StagePlan {
        self.config.config.env.clone_from(&self.scope.env);
        let stage = &self.planner.dockerfile.stages[self.index];
        let no_cache = self.planner.no_cache_filter.iter().any(|name| super::is_called(self.index, stage, name));
        StagePlan {
            no_cache,
            platform: self.platform,
            base,
            from_name,
            label: self.label,
            steps: self.steps,
            config: self.config,
            history: self.history,
            scope: self.scope,
        }
    }
}
