//! `--change` of `import` and `commit`: Dockerfile instructions that alter an image's config.

use dockerfile::{Command, Expander, ExposedPort, Healthcheck, Instruction, InstructionKind, KeyValue, Protocol, Word};
use oci::{ContainerConfig, StringOrList};
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, Problem, SourceText};

/// Applies instructions in order. Variables are those of the config so far, as in a Dockerfile.
///
/// # Errors
/// When one is malformed, or does more than alter the config.
pub(crate) fn apply_changes(config: &mut ContainerConfig, changes: &[String]) -> Result<(), Error> {
    for text in changes {
        let mut change = Change { config, text };
        let instruction = change.parse()?;
        change.apply(&instruction)?;
    }
    // As Go writes a map.
    for map in [&mut config.exposed_ports, &mut config.volumes, &mut config.labels] {
        map.sort_keys();
    }
    Ok(())
}

struct Change<'a> {
    config: &'a mut ContainerConfig,
    text: &'a str,
}

impl Change<'_> {
    /// What ONBUILD stores, when that is what the text is.
    fn trigger(&self) -> Option<&str> {
        let (word, rest) = self.text.trim_start().split_once([' ', '\t'])?;
        word.eq_ignore_ascii_case("ONBUILD").then(|| rest.trim_start())
    }

    /// ONBUILD itself must not stand within ONBUILD, which is what the parser is asked to read.
    fn parse(&self) -> Result<Instruction, Error> {
        let text = self.trigger().unwrap_or(self.text);
        let offset = self.text.len() - text.len();
        dockerfile::parse_trigger(text).map_err(|diagnostics| {
            let mut error = self.error("the instruction is malformed");
            error.problems = diagnostics.into_iter().map(builder::Problem::from).map(Problem::from).collect();
            for problem in &mut error.problems {
                problem.span = problem.span.start + offset..problem.span.end + offset;
            }
            error
        })
    }

    fn apply(&mut self, instruction: &Instruction) -> Result<(), Error> {
        if self.trigger().is_some() {
            self.config.on_build.push(instruction.text.clone());
            return Ok(());
        }
        match &instruction.kind {
            InstructionKind::Cmd(command) => self.config.cmd = Some(self.command_line(command)),
            InstructionKind::Entrypoint(command) => self.config.entrypoint = Some(self.command_line(command)),
            InstructionKind::Env(pairs) => {
                for (key, value) in self.pairs(pairs)? {
                    let prefix = format!("{key}=");
                    let entry = format!("{prefix}{value}");
                    match self.config.env.iter_mut().find(|known| known.starts_with(&prefix)) {
                        Some(known) => *known = entry,
                        None => self.config.env.push(entry),
                    }
                }
            }
            InstructionKind::Label(pairs) => {
                let pairs = self.pairs(pairs)?;
                self.config.labels.extend(pairs.into_iter().map(|(key, value)| (key, Value::String(value))));
            }
            InstructionKind::Expose(words) => self.expose(words)?,
            InstructionKind::Volume(words) => {
                for word in words {
                    let path = self.expand(word)?;
                    self.config.volumes.insert(path, Value::Object(Map::new()));
                }
            }
            InstructionKind::User(word) => self.config.user = self.expand(word)?,
            InstructionKind::Workdir(word) => {
                let folder = self.expand(word)?;
                self.config.working_dir = joined(&self.config.working_dir, &folder);
            }
            InstructionKind::StopSignal(word) => {
                let signal = self.expand(word)?;
                if dockerfile::parse_signal(&signal).is_none() {
                    return Err(self.error(format!("`{signal}` is not a signal")));
                }
                self.config.stop_signal = Some(signal);
            }
            InstructionKind::Shell(words) => self.config.shell.clone_from(words),
            InstructionKind::Healthcheck(check) => self.config.healthcheck = Some(healthcheck(check)),
            other => {
                let keyword = other.keyword().as_str();
                return Err(self
                    .error(format!("{keyword} does more than alter the config"))
                    .with_hint("CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR are"));
            }
        }
        Ok(())
    }

    fn expose(&mut self, words: &[Word]) -> Result<(), Error> {
        for word in words {
            let text = self.expand(word)?;
            for port in text.split_ascii_whitespace() {
                let range = ExposedPort::parse(port).map_err(|error| self.error(error))?;
                let protocol = match range.protocol {
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                    Protocol::Sctp => "sctp",
                };
                for number in range.first..=range.last {
                    self.config.exposed_ports.insert(format!("{number}/{protocol}"), Value::Object(Map::new()));
                }
            }
        }
        Ok(())
    }

    /// A shell-form command runs in the config's shell.
    fn command_line(&self, command: &Command) -> StringOrList {
        match command {
            Command::Exec(words) => StringOrList(words.clone()),
            Command::Shell(text) => {
                let mut words = self.config.shell.clone();
                if words.is_empty() {
                    words = ["/bin/sh", "-c"].map(str::to_owned).to_vec();
                }
                words.push(text.clone());
                StringOrList(words)
            }
        }
    }

    fn pairs(&self, pairs: &[KeyValue]) -> Result<Vec<(String, String)>, Error> {
        pairs.iter().map(|pair| Ok((self.expand(&pair.key)?, self.expand(&pair.value)?))).collect()
    }

    fn expand(&self, word: &Word) -> Result<String, Error> {
        let value = |name: &str| {
            self.config
                .env
                .iter()
                .find_map(|entry| entry.split_once('=').filter(|(key, _)| *key == name))
                .map(|(_, value)| value)
        };
        let expanded = Expander::new('\\').expand(&word.text, &value);
        expanded.map(|expanded| expanded.text).map_err(|error| self.error(error))
    }

    fn error(&self, reason: impl std::fmt::Display) -> Error {
        let mut error =
            Error::new(ErrorKind::InvalidInput, format!("cannot apply the change `{}`: {reason}", self.text));
        error.source = Some(SourceText { name: "--change".to_owned(), text: self.text.as_bytes().to_vec() });
        error
    }
}

fn healthcheck(check: &Healthcheck) -> oci::Healthcheck {
    let nanoseconds = |duration: &Option<std::time::Duration>| {
        duration.map_or(0, |duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    };
    match check {
        Healthcheck::None => oci::Healthcheck { test: vec!["NONE".to_owned()], ..oci::Healthcheck::default() },
        Healthcheck::Check { command, interval, timeout, start_period, start_interval, retries } => oci::Healthcheck {
            test: match command {
                Command::Shell(text) => vec!["CMD-SHELL".to_owned(), text.clone()],
                Command::Exec(words) => [&["CMD".to_owned()], words.as_slice()].concat(),
            },
            interval: nanoseconds(interval),
            timeout: nanoseconds(timeout),
            start_period: nanoseconds(start_period),
            start_interval: nanoseconds(start_interval),
            retries: i64::from(retries.unwrap_or(0)),
        },
    }
}

/// WORKDIR is taken from the one before unless it is absolute.
fn joined(before: &str, folder: &str) -> String {
    let whole = if folder.starts_with('/') { folder.to_owned() } else { format!("{before}/{folder}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
