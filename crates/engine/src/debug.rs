//! `build debug`: a shell in a build step that failed, with the files, environment, user and folder of the step.
//!
//! What the step had written stays as it is: the shell writes on top of it, and what it writes goes when it ends. So
//! the same failure can be entered again, also by several at once.

mod shell;
mod toolbox;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;

use builder::{FoundMounts, RunRequest, Surroundings};
use image::Stack;
use runtime::StartError;
use store::Failure;

pub use builder::FailedStep;

use crate::executor::BuildExecutor;
use crate::front::{Attended, Front};
use crate::{Engine, Error, ErrorKind, Runtime};

/// What `build debug` was asked for.
#[derive(Debug, Clone)]
pub struct DebugOptions {
    /// First digits of the failure's ID; the last failure otherwise.
    pub failure: Option<String>,
    /// What to run instead of a shell.
    pub command: Vec<String>,
    /// Which runtime runs it.
    pub runtime: Runtime,
    /// The caller's environment, for what is not kept because it is secret.
    pub lookup: fn(&str) -> Option<String>,
}

/// What there is to tell before the shell begins.
#[derive(Debug, Clone, Copy)]
pub enum DebugEvent<'a> {
    /// Something is not as it was for the step.
    Warning(&'a str),
    /// A shell is about to begin in this step.
    Shell {
        /// The step.
        step: &'a FailedStep,
        /// The folder of tools that were lent, as the image has no shell.
        tools: Option<&'static str>,
    },
}

/// Holds the command of the step, quoted for a shell.
pub const COMMAND_VARIABLE: &str = "ONGGI_COMMAND";

/// Opens a shell in a step that failed, and gives its exit code.
///
/// # Errors
/// When nothing is kept under that name, what it stands on is gone, or the shell cannot be started.
pub fn debug(engine: &Engine, options: &DebugOptions, tell: &dyn Fn(DebugEvent<'_>)) -> Result<u8, Error> {
    engine.check_rights()?;
    let failure = find(engine, options)?;
    let step = FailedStep::parse(&failure.record).map_err(|error| {
        Error::new(ErrorKind::Corrupt, format!("what is kept of the failed step {} cannot be read", failure.id))
            .because(&error)
            .with_hint("build again: the step fails anew, and is kept anew")
    })?;
    let stack = Stack::open(engine.store(), &step.layers)
        .map_err(|error| Error::from(error).with_hint("build again: the step fails anew, and is kept anew"))?;
    let told = RefCell::default();
    let session = Session { engine, options, failure: &failure, step: &step, stack: &stack, tell, told };
    session.note_reboot()?;
    session.run()
}

/// The failure that was asked for, held.
fn find(engine: &Engine, options: &DebugOptions) -> Result<Failure, Error> {
    let store = engine.store();
    let ids = store.failure_ids()?;
    let missing = |message: String| Error::new(ErrorKind::NotFound, message);
    let Some(newest) = ids.first() else {
        return Err(missing("no failed step is kept".to_owned())
            .with_hint("steps are kept when they fail: build again, and type what the error says"));
    };
    let id = match &options.failure {
        None => newest,
        Some(text) => {
            let mut matching = ids.iter().filter(|id| !text.is_empty() && id.starts_with(text.as_str()));
            match (matching.next(), matching.next()) {
                (Some(id), None) => id,
                (Some(_), Some(_)) => {
                    let message = format!("the ID `{text}` is ambiguous: several failed steps begin with it");
                    return Err(Error::new(ErrorKind::InvalidInput, message).with_hint("give more digits of the ID"));
                }
                (None, _) => return Err(unknown(text, newest, &options.command)),
            }
        }
    };
    store.failure(id)?.ok_or_else(|| missing(format!("the failed step {id} is being removed")))
}

fn unknown(text: &str, newest: &str, command: &[String]) -> Error {
    let number = store::KEPT_FAILURES;
    let message = format!("no failed step is kept as `{text}` (the last {number} are)");
    let is_id = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hint = match is_id {
        true => format!("the last one is `onggi build debug {newest}`"),
        false => {
            let words: Vec<String> = [text.to_owned()].into_iter().chain(command.iter().cloned()).collect();
            format!("the ID comes before the command: `onggi build debug {newest} {}`", quoted(&words))
        }
    };
    Error::new(ErrorKind::NotFound, message).with_hint(hint)
}

/// One visit to a step that failed.
struct Session<'a> {
    engine: &'a Engine,
    options: &'a DebugOptions,
    failure: &'a Failure,
    step: &'a FailedStep,
    stack: &'a Stack,
    tell: &'a dyn Fn(DebugEvent<'_>),
    told: RefCell<HashSet<String>>,
}

/// How a shell is started; what cannot be is tried in another way.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    working_dir: &'a str,
    /// Not even a shell of the image's own can be used.
    lends_tools: bool,
}

enum Attempt {
    Ended(u8),
    NotStarted(StartError),
}

impl Session<'_> {
    fn run(&self) -> Result<u8, Error> {
        let env = self.environment();
        let user = self.user();
        let executor = BuildExecutor::new(self.engine, self.options.runtime.executor(self.engine.store())?);
        let mut way = Way { working_dir: &self.step.working_dir, lends_tools: false };
        loop {
            match self.attempt(&executor, &env, user, way)? {
                Attempt::Ended(code) => return Ok(code),
                Attempt::NotStarted(StartError::WorkingDirectory { .. }) if way.working_dir != "/" => {
                    self.warn(&format!("`{}` cannot be entered: this begins in `/`", way.working_dir));
                    way.working_dir = "/";
                }
                // There is a shell, but what it needs may be gone: that may be why the step failed.
                Attempt::NotStarted(error)
                    if self.is_shell() && !way.lends_tools && matches!(error.docker_code(), 126 | 127) =>
                {
                    way.lends_tools = true;
                }
                Attempt::NotStarted(error) => return Err(self.not_started(&error)),
            }
        }
    }

    fn note_reboot(&self) -> Result<(), Error> {
        if store::boot_id()? != self.step.boot {
            self.warn("this machine was started anew since: what the command had written may not be complete");
        }
        Ok(())
    }

    fn is_shell(&self) -> bool {
        self.options.command.is_empty()
    }

    /// Mounts the step's root anew, and runs the command or a shell in it.
    fn attempt(
        &self,
        executor: &BuildExecutor<'_>,
        env: &[String],
        user: &str,
        way: Way<'_>,
    ) -> Result<Attempt, Error> {
        let folder = self.engine.store().work_folder()?;
        let (upper, work) = (folder.subfolder("upper", 0o755)?, folder.subfolder("work", 0o700)?);
        let surroundings = Surroundings {
            store: self.engine.store(),
            work: &folder,
            failure: self.failure,
            lookup: &self.options.lookup,
            tell: &|text| self.warn(text),
        };
        let found = FoundMounts::find(self.step, &surroundings);
        let request = RunRequest {
            stack: self.stack,
            written: Some(self.failure.upper.as_fd()),
            upper: upper.as_fd(),
            work: work.as_fd(),
            scratch: folder.path(),
            command: &[],
            env,
            user,
            working_dir: way.working_dir,
            platform: None,
            network: self.step.network,
            secret_env: found.variables(),
            mounts: &found.mounts(),
            hostname: self.step.hostname.as_deref(),
            hosts: &self.step.hosts,
            limits: &self.step.limits,
            cancelled: &AtomicBool::new(false),
        };
        let (mut spec, _sockets) =
            executor.spec(&request).map_err(|error| failed("prepare the failed step", error.as_ref()))?;
        let shell = shell::find(spec.rootfs.as_fd(), &self.step.shell, env).filter(|_| !way.lends_tools);
        let tools = match shell {
            Some(_) => None,
            None => toolbox::lend(&mut spec, folder.path()).map_err(|error| failed("lend tools", &error))?,
        };
        spec.args = match (self.is_shell(), shell, tools) {
            (false, _, _) => self.options.command.iter().map(Into::into).collect(),
            (true, Some(shell), _) => vec![shell.into()],
            (true, None, Some(tools)) => vec![format!("{tools}/sh").into()],
            (true, None, None) => return Err(no_shell()),
        };
        let tty = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let (front, ends) = Front::prepare(tty, true).map_err(|error| failed("connect the streams", &error))?;
        spec.terminal = ends.terminal;
        let process = match executor.start(spec, ends.stdio) {
            Ok(process) => process,
            Err(error) => return Ok(Attempt::NotStarted(error)),
        };
        if self.is_shell() {
            (self.tell)(DebugEvent::Shell { step: self.step, tools });
        }
        let ended = front.attend(&process, None).map_err(|error| failed("wait for the end", &error))?;
        Ok(Attempt::Ended(match ended {
            Attended::Ended(status) => status.docker_code(),
            // Without keys nobody can.
            Attended::Left => 0,
        }))
    }

    /// The step's, and how its command is run again.
    fn environment(&self) -> Vec<String> {
        let mut env = self.step.env.clone();
        for name in &self.step.left_out {
            match (self.options.lookup)(name) {
                Some(value) => env.push(format!("{name}={value}")),
                None => self.warn(&format!(
                    "{name} is not set: its value had a password in it, and is now taken from your environment"
                )),
            }
        }
        let command = quoted(&self.step.command);
        if !command.is_empty() && command.len() < LONGEST_VARIABLE {
            env.push(format!("{COMMAND_VARIABLE}={command}"));
        }
        if std::io::stdin().is_terminal() && !env.iter().any(|pair| pair.starts_with("TERM=")) {
            env.push("TERM=xterm".to_owned());
        }
        env
    }

    /// The step's, unless that is why it failed.
    fn user(&self) -> &str {
        match image::users::resolve(&self.stack.tree(), &self.step.user) {
            Ok(_) => &self.step.user,
            Err(error) => {
                self.warn(&format!("{error}: you are root"));
                ""
            }
        }
    }

    /// Once, however often it is found out.
    fn warn(&self, text: &str) {
        if self.told.borrow_mut().insert(text.to_owned()) {
            (self.tell)(DebugEvent::Warning(text));
        }
    }

    fn not_started(&self, error: &StartError) -> Error {
        let message = match self.is_shell() {
            true => "cannot start a shell in the failed step".to_owned(),
            false => format!("cannot run `{}` in the failed step", self.options.command.join(" ")),
        };
        Error::new(ErrorKind::InvalidInput, message).because(error).with_exit_code(error.docker_code())
    }
}

/// The kernel's limit for one string of the environment is 32 pages.
const LONGEST_VARIABLE: usize = 100 << 10;

/// Words as a shell reads them.
fn quoted(words: &[String]) -> String {
    let is_plain = |word: &String| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte))
    };
    let quote = |word: &String| match is_plain(word) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn failed(doing: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot {doing}")).because(error)
}

fn no_shell() -> Error {
    let message = "there is no shell in the image, and no static busybox on this machine that could be lent";
    Error::new(ErrorKind::Unsupported, message).with_hint("`apt-get install busybox-static` brings one")
}

#[cfg(test)]
mod tests;
