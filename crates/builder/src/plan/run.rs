//! RUN: the command, what it sees, and its row of history.

use dockerfile::{Command, Heredoc, Instruction, RunInstruction, Word};

use super::mounts::Mounts;
use super::steps::StagePlanner;
use super::{Op, Problem, RunOp};
use crate::RunNetwork;

/// Where a script of the Dockerfile is for its step, as in BuildKit.
const SCRIPTS: &str = "/dev/pipes";

/// What stands for the value of a secret.
const MASK: &str = "****";

/// A here-document that is executed: a file for the time of its step.
#[derive(Debug)]
pub(crate) struct Script {
    /// Where the step finds it.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl StagePlanner<'_, '_> {
    pub(super) fn run(&mut self, instruction: &Instruction, run: &RunInstruction) {
        let insecure = run.security.as_ref().filter(|security| security.text != "sandbox");
        let refused = self.refuse(insecure.map(|word| word.span), "RUN --security=insecure")
            | self.refuse(run.devices.first().map(|word| word.span), "RUN --device");
        let network = self.network(run.network.as_ref());
        let mounts = self.mounts(&run.mounts);
        let (false, Some(network)) = (refused, network) else { return };
        let (command, script) = self.command(run);
        let masked: Vec<&str> = mounts.variables.iter().map(|variable| variable.name.as_str()).collect();
        let created_by = self.created_by(&command, &masked);
        let summary = summary(run);
        let name = self.shown(&format!("{}{summary}", instruction.step_name()), &masked);
        let shown = match &run.command {
            Command::Shell(text) => format!("{text}{summary}"),
            Command::Exec(words) => words.join(" "),
        };
        let Mounts { mounts, variables, agent_socket } = mounts;
        let mut op = RunOp {
            env: self.scope.environment_for_run(&self.arguments.predefined()),
            keyed_env: self.scope.environment_for_run(&[]),
            user: self.config.config.user.clone(),
            working_dir: self.working_dir().to_owned(),
            network,
            platform: self.program_platform(),
            shown,
            shell: self.config.config.shell.clone(),
            command,
            script,
            mounts,
            secret_variables: variables,
        };
        let has_socket = op.env.iter().any(|pair| pair.starts_with("SSH_AUTH_SOCK="));
        if let Some(socket) = agent_socket.filter(|_| !has_socket) {
            op.env.push(format!("SSH_AUTH_SOCK={socket}"));
        }
        self.named_step(name, instruction.span, Op::Run(op), created_by);
    }

    /// Arguments in scope, then the command; values of secrets are masked.
    fn created_by(&self, command: &[String], masked: &[&str]) -> String {
        let arguments = self.scope.arguments_for_run();
        let mut words = vec!["RUN".to_owned()];
        if !arguments.is_empty() {
            words.push(format!("|{}", arguments.len()));
            let value = |(name, value): &(String, String)| {
                let value = if masked.contains(&name.as_str()) { MASK } else { value };
                format!("{name}={value}")
            };
            words.extend(arguments.iter().map(value));
        }
        words.extend(command.iter().cloned());
        words.push("# buildkit".to_owned());
        words.join(" ")
    }

    /// An instruction as BuildKit shows it: values put in, quotes kept.
    fn shown(&self, text: &str, masked: &[&str]) -> String {
        self.displayed(text, &|name| if masked.contains(&name) { Some(MASK) } else { self.scope.get(name) })
    }

    fn network(&mut self, word: Option<&Word>) -> Option<RunNetwork> {
        let Some(word) = word else { return Some(self.planner.network) };
        match self.expand(word)?.as_str() {
            "default" => Some(self.planner.network),
            "none" => Some(RunNetwork::None),
            "host" if self.may_use_host_network() => Some(RunNetwork::Host),
            "host" => {
                let problem = Problem::error(word.span, "the network of the host is not allowed in this build");
                let problem = problem.with_label("needs the entitlement `network.host`");
                self.problem(problem.with_help("build with `--allow network.host`"));
                None
            }
            other => {
                let problem = Problem::error(word.span, format!("unknown network `{other}`"));
                self.problem(problem.with_help("use `default`, `none` or `host`"));
                None
            }
        }
    }

    fn may_use_host_network(&self) -> bool {
        self.planner.network == RunNetwork::Host || self.planner.run.is_none_or(|run| run.allow_host_network)
    }

    /// The words of the command, and the script that they run. A here-document that is all of the command is run
    /// itself, by the shell or by the interpreter that its first line names (D120); all others are the shell's
    /// to read (D121).
    fn command(&self, run: &RunInstruction) -> (Vec<String>, Option<Script>) {
        let Command::Shell(text) = &run.command else { return (self.command_line(&run.command), None) };
        match run.heredocs.as_slice() {
            [] => (self.command_line(&run.command), None),
            [document] if run.is_document && document.body.text.starts_with("#!") => {
                let path = format!("{SCRIPTS}/{}", file_name(document));
                let script = Script { path: path.clone(), text: document.body.text.clone() };
                (self.command_line(&Command::Shell(path)), Some(script))
            }
            [document] if run.is_document => (self.command_line(&Command::Shell(document.body.text.clone())), None),
            documents => {
                let mut whole = text.clone();
                for document in documents {
                    whole += &format!("\n{}{}", document.body.raw, document.name);
                }
                (self.command_line(&Command::Shell(whole)), None)
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
}

/// A script is called by its marker, as far as that is a name and nothing else.
fn file_name(document: &Heredoc) -> &str {
    match document.name.as_str() {
        "." | ".." => "script",
        name if name.contains(['/', '\0', ' ', '\t', '\'', '"', '$', '`', '\\', ';', '&', '|', '(', ')']) => "script",
        name => name,
    }
}

/// ` (first line...)` behind a command that is a here-document, as BuildKit has it.
fn summary(run: &RunInstruction) -> String {
    let Some(document) = run.heredocs.first().filter(|_| run.is_document) else { return String::new() };
    let text = document.body.raw.trim();
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default().trim_end_matches('\r');
    let more = if lines.next().is_some() { "..." } else { "" };
    format!(" ({first}{more})")
}
