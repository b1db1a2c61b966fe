//! Instructions that only change the image's config, with the wording of their history rows (S213: BuildKit's).

use std::time::Duration;

use dockerfile::{Command, ExposedPort, Healthcheck, Instruction, InstructionKind, Protocol};
use oci::{ImageConfig, StringOrList};
use serde_json::{Map, Value};

use super::steps::StagePlanner;
use super::{Problem, go};

impl StagePlanner<'_, '_> {
    pub(super) fn metadata(&mut self, instruction: &Instruction) {
        match &instruction.kind {
            InstructionKind::Env(pairs) => self.env(pairs),
            InstructionKind::Label(pairs) => self.label(pairs),
            InstructionKind::Expose(words) => self.expose(words),
            InstructionKind::Volume(words) => self.volume(words),
            InstructionKind::User(word) => {
                if let Some(user) = self.expand(word) {
                    self.row(format!("USER {user}"));
                    self.config.config.user = user;
                }
            }
            InstructionKind::StopSignal(word) => self.stop_signal(word),
            InstructionKind::Cmd(command) => {
                let words = self.command_line(command);
                self.row(format!("CMD {}", go::list(&words)));
                self.config.config.cmd = Some(StringOrList(words));
                // BuildKit says so of every CMD, and the image ID depends on it.
                self.config.config.args_escaped = true;
                self.cmd_is_own = true;
            }
            InstructionKind::Entrypoint(command) => {
                let words = self.command_line(command);
                self.row(format!("ENTRYPOINT {}", go::list(&words)));
                self.config.config.entrypoint = Some(StringOrList(words));
                if !self.cmd_is_own {
                    // A CMD that came with the base belonged to the base's entrypoint (D130).
                    self.config.config.cmd = None;
                }
            }
            InstructionKind::Shell(words) => {
                self.row(format!("SHELL [{}]", words.join(" ")));
                self.config.config.shell.clone_from(words);
            }
            InstructionKind::Healthcheck(check) => self.healthcheck(check),
            InstructionKind::OnBuild(trigger) => {
                self.row(format!("ONBUILD {}", trigger.text));
                self.config.config.on_build.push(trigger.text.clone());
            }
            InstructionKind::Maintainer(word) => {
                self.row(format!("MAINTAINER {}", word.text));
                self.config.author = Some(word.text.clone());
            }
            InstructionKind::Run(_)
            | InstructionKind::Copy(_)
            | InstructionKind::Add(_)
            | InstructionKind::Workdir(_)
            | InstructionKind::Arg(_) => {}
        }
    }

    /// All values of one ENV see the variables as they were before it (D058).
    fn env(&mut self, pairs: &[dockerfile::KeyValue]) {
        let values = self.pairs(pairs);
        let text: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.row(format!("ENV {}", text.join(" ")));
        for (key, value) in values {
            self.scope.set_env(&key, &value);
        }
        self.config.config.env.clone_from(&self.scope.env);
    }

    fn label(&mut self, pairs: &[dockerfile::KeyValue]) {
        let values = self.pairs(pairs);
        let text: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.row(format!("LABEL {}", text.join(" ")));
        for (key, value) in values {
            self.config.config.labels.insert(key, Value::String(value));
        }
    }

    fn pairs(&mut self, pairs: &[dockerfile::KeyValue]) -> Vec<(String, String)> {
        let expand = |pair: &dockerfile::KeyValue| Some((self.expand(&pair.key)?, self.expand(&pair.value)?));
        pairs.iter().filter_map(expand).collect()
    }

    /// The row has the ports as BuildKit has them: in the order of the words as written, once for each time.
    fn expose(&mut self, words: &[dockerfile::Word]) {
        let mut ports = Vec::new();
        let mut words: Vec<&dockerfile::Word> = words.iter().collect();
        words.sort_by(|one, two| one.text.cmp(&two.text));
        for word in words {
            let Some(text) = self.expand(word) else { continue };
            for port in text.split_ascii_whitespace() {
                match ExposedPort::parse(port) {
                    Ok(range) => ports.extend((range.first..=range.last).map(|number| {
                        let protocol = match range.protocol {
                            Protocol::Tcp => "tcp",
                            Protocol::Udp => "udp",
                            Protocol::Sctp => "sctp",
                        };
                        format!("{number}/{protocol}")
                    })),
                    Err(error) => {
                        let problem = Problem::error(word.span, error.to_string());
                        self.problem(problem.with_help("write a port as in `80`, `53/udp` or `8000-8010`"));
                    }
                }
            }
        }
        self.row(format!("EXPOSE [{}]", ports.join(" ")));
        ports.sort();
        for port in ports {
            self.config.config.exposed_ports.insert(port, Value::Object(Map::new()));
        }
    }

    fn volume(&mut self, words: &[dockerfile::Word]) {
        let mut paths = Vec::new();
        for word in words {
            match self.expand(word) {
                Some(path) if path.is_empty() => {
                    let problem = Problem::error(word.span, "a volume needs a path");
                    self.problem(problem.with_help("write it as in `VOLUME /data`"));
                }
                path => paths.extend(path),
            }
        }
        self.row(format!("VOLUME [{}]", paths.join(" ")));
        for path in paths {
            self.config.config.volumes.insert(path, Value::Object(Map::new()));
        }
    }

    fn stop_signal(&mut self, word: &dockerfile::Word) {
        let Some(signal) = self.expand(word) else { return };
        if dockerfile::parse_signal(&signal).is_none() {
            let problem = Problem::error(word.span, format!("`{signal}` is not a signal"));
            self.problem(problem.with_help("use a name such as `SIGTERM` or a number from 1 to 64"));
            return;
        }
        self.row(format!("STOPSIGNAL {signal}"));
        self.config.config.stop_signal = Some(signal);
    }

    fn healthcheck(&mut self, check: &Healthcheck) {
        let nanoseconds =
            |duration: Option<Duration>| duration.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
        let config = match check {
            Healthcheck::None => oci::Healthcheck { test: vec!["NONE".to_owned()], ..oci::Healthcheck::default() },
            Healthcheck::Check { command, interval, timeout, start_period, start_interval, retries } => {
                oci::Healthcheck {
                    test: match command {
                        Command::Shell(text) => vec!["CMD-SHELL".to_owned(), text.clone()],
                        Command::Exec(words) => [&["CMD".to_owned()], words.as_slice()].concat(),
                    },
                    interval: nanoseconds(*interval),
                    timeout: nanoseconds(*timeout),
                    start_period: nanoseconds(*start_period),
                    start_interval: nanoseconds(*start_interval),
                    retries: i64::from(retries.unwrap_or(0)),
                }
            }
        };
        let duration = |nanos: i64| format!("\"{}\"", go::duration(nanos));
        self.row(format!(
            "HEALTHCHECK &{{{} {} {} {} {} {}}}",
            go::list(&config.test),
            duration(config.interval),
            duration(config.timeout),
            duration(config.start_period),
            duration(config.start_interval),
            go::character(config.retries)
        ));
        self.config.config.healthcheck = Some(config);
    }
}

/// `--label` of the command line.
pub(super) fn add_labels(config: &mut ImageConfig, labels: &[(String, String)]) {
    for (key, value) in labels {
        config.config.labels.insert(key.clone(), Value::String(value.clone()));
    }
}
