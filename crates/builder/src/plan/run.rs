//! RUN: the command, what it sees, and its row of history.

use dockerfile::{Command, Instruction, RunInstruction, Word};

use super::steps::StagePlanner;
use super::{Op, Problem, RunOp};
use crate::RunNetwork;

impl StagePlanner<'_, '_> {
    pub(super) fn run(&mut self, instruction: &Instruction, run: &RunInstruction) {
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
            shell: self.config.config.shell.clone(),
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
}
