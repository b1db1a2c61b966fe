//! The instructions of one stage, in order: values put in, steps and history rows written down.

use dockerfile::{
    AddInstruction, ArgDeclaration, Command, CopyInstruction, Expander, Heredoc, Instruction, InstructionKind,
    RunInstruction, Span, StageReference, Word,
};
use oci::ImageConfig;

use super::{
    Base, CopyFrom, CopyOp, CopySource, Op, PlannedRow, PlannedStep, Planner, Problem, RunOp, StagePlan, WorkdirOp,
    expansion_problem,
};
use crate::RunNetwork;
use crate::path::inside;
use crate::variables::{Arguments, Scope};

/// Walks one stage.
pub(crate) struct StagePlanner<'a, 'p> {
    pub(super) planner: &'a Planner<'a>,
    arguments: &'a Arguments,
    earlier: &'a [Option<StagePlan>],
    index: usize,
    pub(super) scope: Scope,
    pub(super) config: ImageConfig,
    steps: Vec<PlannedStep>,
    history: Vec<PlannedRow>,
    pub(super) problems: &'p mut Vec<Problem>,
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
        index: usize,
        mut scope: Scope,
        mut config: ImageConfig,
        problems: &'p mut Vec<Problem>,
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
            scope,
            config,
            steps: Vec::new(),
            history: Vec::new(),
            problems,
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
        format!("[{}{:>width$}/{}] {mark}{text}", self.label, self.number, self.total)
    }

    pub(super) fn instruction(&mut self, instruction: &Instruction) {
        match &instruction.kind {
            InstructionKind::Run(run) => self.run(instruction, run),
            InstructionKind::Copy(copy) => self.copy(instruction, copy),
            InstructionKind::Add(add) => self.add(instruction, add),
            InstructionKind::Workdir(word) => self.workdir(instruction, word),
            InstructionKind::Arg(declarations) => self.arguments(declarations),
            _ => self.metadata(instruction),
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
        let scope = &self.scope;
        match self.planner.expander().expand(&word.text, &|name| scope.get(name)) {
            Ok(expanded) => {
                for name in expanded.unset {
                    let mut problem = Problem::error(word.span, format!("usage of undefined variable `${name}`"));
                    problem.is_error = false;
                    self.problems.push(problem);
                }
                Some(expanded.text)
            }
            Err(error) => {
                self.problems.push(expansion_problem(word, &error));
                None
            }
        }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn row(&mut self, created_by: String) {
        self.history.push(PlannedRow { created_by, step: None });
    }

    /// The instruction as BuildKit shows it: name in upper case, values put in, quotes kept.
    fn shown(&self, instruction: &Instruction) -> String {
        let name = instruction.step_name();
        let scope = &self.scope;
        let display = Expander::for_display(self.planner.dockerfile.directives.escape);
        display.expand(&name, &|name| scope.get(name)).map_or(name, |expanded| expanded.text)
    }

    fn step(&mut self, instruction: &Instruction, op: Op, created_by: String) {
        let text = self.shown(instruction);
        let name = self.numbered(text.trim_end());
        self.history.push(PlannedRow { created_by, step: Some(self.steps.len()) });
        self.steps.push(PlannedStep { name, span: instruction.span, op });
    }

    fn run(&mut self, instruction: &Instruction, run: &RunInstruction) {
        let refused = self.refuse(run.mounts.first().map(|mount| mount.text.span), "RUN --mount")
            | self.refuse_heredocs(&run.heredocs)
            | self.refuse(run.security.as_ref().map(|word| word.span), "RUN --security")
            | self.refuse(run.devices.first().map(|word| word.span), "RUN --device");
        let network = self.network(run.network.as_ref());
        let (false, Some(network)) = (refused, network) else { return };
        let command = self.command_line(&run.command);
        let arguments = self.scope.arguments_for_run();
        let mut created_by = vec!["RUN".to_owned()];
        if !arguments.is_empty() {
            created_by.push(format!("|{}", arguments.len()));
            created_by.extend(arguments.iter().map(|(name, value)| format!("{name}={value}")));
        }
        created_by.extend(command.iter().cloned());
        created_by.push("# buildkit".to_owned());
        let shown = match &run.command {
            Command::Shell(text) => text.clone(),
            Command::Exec(words) => words.join(" "),
        };
        let op = RunOp {
            env: self.scope.environment_for_run(&self.arguments.predefined()),
            keyed_env: self.scope.environment_for_run(&[]),
            user: self.config.config.user.clone(),
            working_dir: self.working_dir().to_owned(),
            network,
            shown,
            command,
        };
        self.step(instruction, Op::Run(op), created_by.join(" "));
    }

    fn network(&mut self, word: Option<&Word>) -> Option<RunNetwork> {
        let Some(word) = word else { return Some(self.planner.network) };
        match self.expand(word)?.as_str() {
            "default" => Some(self.planner.network),
            "none" => Some(RunNetwork::None),
            "host" => Some(RunNetwork::Host),
            other => {
                let problem = Problem::error(word.span, format!("unknown network `{other}`"));
                self.problem(problem.with_help("use `default`, `none` or `host`"));
                None
            }
        }
    }

    /// The words of a command: a shell-form text is handed to the shell.
    pub(super) fn command_line(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(text) => {
                let mut words = self.config.config.shell.clone();
                if words.is_empty() {
                    words = vec!["/bin/sh".to_owned(), "-c".to_owned()];
                }
                words.push(text.clone());
                words
            }
        }
    }

    fn copy(&mut self, instruction: &Instruction, copy: &CopyInstruction) {
        let span = instruction.span;
        let refused = self.refuse_heredocs(&copy.heredocs)
            | self.refuse(copy.link.then_some(span), "COPY --link")
            | self.refuse(copy.parents.then_some(span), "COPY --parents")
            | self.refuse(copy.excludes.first().map(|word| word.span), "COPY --exclude");
        if refused {
            return;
        }
        let from = match &copy.from {
            None => Some(CopyFrom::Context),
            Some(word) => self.copy_from(word),
        };
        let files = Files {
            sources: &copy.sources,
            destination: &copy.destination,
            chown: copy.chown.as_ref(),
            chmod: copy.chmod.as_ref(),
        };
        if let Some(from) = from {
            self.files(instruction, "COPY", &files, from, false);
        }
    }

    fn add(&mut self, instruction: &Instruction, add: &AddInstruction) {
        let span = instruction.span;
        let mut refused = self.refuse_heredocs(&add.heredocs)
            | self.refuse(add.link.then_some(span), "ADD --link")
            | self.refuse(add.excludes.first().map(|word| word.span), "ADD --exclude")
            | self.refuse(add.checksum.as_ref().map(|word| word.span), "ADD --checksum")
            | self.refuse(add.keep_git_dir.map(|_| span), "ADD --keep-git-dir")
            | self.refuse(add.unpack.map(|_| span), "ADD --unpack");
        for source in &add.sources {
            let remote = ["http://", "https://", "git://", "git@", "ssh://"].iter().any(|s| source.text.starts_with(s));
            refused |= self.refuse(remote.then_some(source.span), "ADD from a remote source");
        }
        let files = Files {
            sources: &add.sources,
            destination: &add.destination,
            chown: add.chown.as_ref(),
            chmod: add.chmod.as_ref(),
        };
        if !refused {
            self.files(instruction, "ADD", &files, CopyFrom::Context, true);
        }
    }

    fn copy_from(&mut self, word: &Word) -> Option<CopyFrom> {
        match self.planner.dockerfile.from(self.index, &word.text) {
            StageReference::Stage(stage) => {
                // A stage with mistakes of its own was reported there.
                self.earlier.get(stage)?.as_ref().map(|_| CopyFrom::Stage(stage))
            }
            StageReference::Other(name) => {
                let (image, name) = self.planner.image(name, word.span, self.problems)?;
                Some(CopyFrom::Image { image: Box::new(image), name })
            }
        }
    }

    fn files(&mut self, instruction: &Instruction, verb: &str, files: &Files<'_>, from: CopyFrom, unpack: bool) {
        let sources: Option<Vec<String>> = files.sources.iter().map(|word| self.expand(word)).collect();
        let destination = self.expand(files.destination);
        let chown = files.chown.map(|word| self.expand(word));
        let chmod = files.chmod.map(|word| self.chmod(word));
        let (Some(sources), Some(destination)) = (sources, destination) else { return };
        let (chown, chmod) = match (chown, chmod) {
            (Some(None), _) | (_, Some(None)) => return,
            (chown, chmod) => (chown.flatten(), chmod.flatten()),
        };
        let mut created_by = vec![verb.to_owned()];
        created_by.extend(chown.iter().map(|owner| format!("--chown={owner}")));
        created_by.extend(chmod.iter().map(|(text, _)| format!("--chmod={text}")));
        created_by.extend(sources.iter().cloned());
        created_by.push(destination.clone());
        created_by.push("# buildkit".to_owned());
        let is_folder = destination.ends_with('/') || destination == "." || destination.ends_with("/.");
        let op = CopyOp {
            into_folder: is_folder || sources.len() > 1,
            sources: sources
                .into_iter()
                .zip(files.sources)
                .map(|(word, typed)| CopySource { word, span: typed.span })
                .collect(),
            from,
            destination: inside(self.working_dir(), &destination),
            chown,
            chmod: chmod.map(|(_, mode)| mode),
            unpack,
        };
        self.step(instruction, Op::Copy(op), created_by.join(" "));
    }

    /// The mode, and how it was written.
    fn chmod(&mut self, word: &Word) -> Option<(String, u32)> {
        let text = self.expand(word)?;
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if mode <= 0o7777 && text.bytes().all(|digit| digit.is_ascii_digit()) => Some((text, mode)),
            _ => {
                let problem = Problem::error(word.span, format!("`{text}` is not an octal mode"));
                self.problem(problem.with_help("write it as in `--chmod=755`; symbolic modes are not supported yet"));
                None
            }
        }
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
        self.step(instruction, Op::Workdir(op), format!("WORKDIR {shown}"));
    }

    fn working_dir(&self) -> &str {
        let dir = &self.config.config.working_dir;
        if dir.is_empty() { "/" } else { dir }
    }

    fn refuse_heredocs(&mut self, heredocs: &[Heredoc]) -> bool {
        self.refuse(heredocs.first().map(|heredoc| heredoc.span), "here-documents")
    }

    /// Notes a feature that is not there.
    fn refuse(&mut self, span: Option<Span>, feature: &str) -> bool {
        let Some(span) = span else { return false };
        let problem = Problem::error(span, format!("{feature}: not supported yet by this version of onggi"));
        self.problem(problem.with_help(instead_of(feature)));
        true
    }

    pub(super) fn finish(mut self, base: Base, from_name: String) -> StagePlan {
        self.config.config.env.clone_from(&self.scope.env);
        StagePlan {
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

/// What can be written as long as a feature is not there.
fn instead_of(feature: &str) -> &'static str {
    match feature {
        "here-documents" => "put the text into a file of the context and COPY it; RUN it if it is a script",
        "ADD from a remote source" => "download it into the context and COPY it, or fetch it with a RUN",
        "RUN --mount" => "leave it out; what the command needs can be brought in with COPY",
        "COPY --link" | "ADD --link" => "leave it out: the image has the same files",
        "COPY --parents" => "leave it out, and write one COPY for each folder",
        "COPY --exclude" | "ADD --exclude" => "leave it out, and add the pattern to .dockerignore",
        "ADD --unpack" => "leave it out: ADD unpacks local archives, COPY does not",
        _ => "leave it out",
    }
}

/// What COPY and ADD have in common.
struct Files<'i> {
    sources: &'i [Word],
    destination: &'i Word,
    chown: Option<&'i Word>,
    chmod: Option<&'i Word>,
}
