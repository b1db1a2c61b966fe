//! What surrounds one run of the program: environment, clock, streams, and where the store is.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use engine::{Engine, Surroundings};
use jiff::{Timestamp, tz::TimeZone};

use crate::cli::{GlobalArgs, Standing};
use crate::failure::Failure;
use crate::ui::terminal::Terminal;

/// Root's store.
const SYSTEM_ROOT: &str = "/var/lib/onggi";

/// Where a shell without `PATH` would look.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The surroundings of a command.
#[derive(Debug)]
pub(crate) struct Session {
    /// Standard error.
    pub(crate) terminal: Terminal,
    /// When the program began.
    pub(crate) now: Timestamp,
    root: PathBuf,
    /// `--root`: commands that are to be typed need it too.
    pub(crate) typed_root: Option<PathBuf>,
    /// `--debug`.
    debug: bool,
    standing: Standing,
    began: Instant,
}

impl Session {
    /// Reads what every command needs.
    pub(crate) fn new(global: &GlobalArgs) -> Self {
        caller();
        let root =
            global.root.clone().or_else(|| variable("ONGGI_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from));
        Self {
            terminal: terminal(),
            now: Timestamp::now(),
            root: root.unwrap_or_else(|| default_root(rustix::process::geteuid().is_root(), &variable)),
            typed_root: global.root.clone(),
            debug: global.debug,
            standing: Standing::Plain,
            began: Instant::now(),
        }
    }

    /// The same for a command that works by this right.
    pub(crate) fn with_standing(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// Opens the store.
    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        self.trace(&format!("store {}", self.root.display()));
        let config = variable("ONGGI_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let engine = Engine::open(&self.root, Timestamp::now)?.with_config(config);
        Ok(match self.standing {
            Standing::Plain => engine,
            Standing::Ready => engine.take_standing(self.path().as_ref())?,
            Standing::Full => {
                let engine = engine.take_standing(self.path().as_ref())?;
                engine.take_identities();
                engine
            }
        })
    }

    /// The same for another store.
    pub(crate) fn at(&self, root: PathBuf) -> Self {
        let (terminal, typed_root) = (self.terminal, self.typed_root.clone());
        Self { root, terminal, typed_root, ..*self }
    }

    /// Where the store is, or would be.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where programs are looked for.
    pub(crate) fn path(&self) -> String {
        variable("PATH").unwrap_or_else(|| PATH.to_owned())
    }

    /// Whether there is a store, which opening it would make.
    pub(crate) fn has_store(&self) -> bool {
        self.root.is_dir()
    }

    /// What says where registries are, and who we are there.
    pub(crate) fn registry_settings(&self) -> engine::registries::Settings {
        registry_settings(&variable)
    }

    /// The zone that dates are shown in.
    pub(crate) fn zone(&self) -> TimeZone {
        TimeZone::system()
    }

    /// Writes data to standard output.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes())
    }

    /// The same for what need not be text.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    /// Says what is done, with `--debug`.
    pub(crate) fn trace(&self, text: &str) {
        if self.debug {
            self.note(&format!("debug: {:.1} ms: {text}", self.began.elapsed().as_secs_f64() * 1000.0));
        }
    }

    /// Writes text to standard error as it is. Nobody can be told when that fails.
    pub(crate) fn write_error(&self, text: &str) {
        drop(std::io::stderr().write_all(text.as_bytes()));
    }

    /// Shows a line that the next one replaces, on a terminal; an empty one takes it away.
    pub(crate) fn status(&self, text: &str) {
        if self.terminal.is_terminal {
            drop(write!(std::io::stderr(), "\r{text}\x1b[K"));
        }
    }

    /// Writes a message for people to standard error. Nobody can be told when that fails.
    pub(crate) fn note(&self, text: &str) {
        drop(writeln!(std::io::stderr(), "{text}"));
    }
}

/// Standard error as a terminal.
pub(crate) fn terminal() -> Terminal {
    Terminal::of_stderr(variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
}

/// Standard output as a terminal.
pub(crate) fn stdout() -> Terminal {
    Terminal::of_stdout(variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The user who called, asked before any user namespace is entered: within one, we are root.
fn caller() -> u32 {
    static CALLER: OnceLock<u32> = OnceLock::new();
    *CALLER.get_or_init(|| rustix::process::getuid().as_raw())
}

/// What says where registries are, and who we are there.
pub(crate) fn registry_settings(lookup: &dyn Fn(&str) -> Option<String>) -> engine::registries::Settings {
    engine::registries::Settings::from_variables(lookup, caller())
}

/// What fetching depends on, as programs written in Go read it: upper case before lower.
pub(crate) fn fetch_surroundings(lookup: &dyn Fn(&str) -> Option<String>) -> Surroundings {
    let either = |upper: &str, lower: &str| lookup(upper).or_else(|| lookup(lower)).filter(|value| !value.is_empty());
    Surroundings {
        http_proxy: either("HTTP_PROXY", "http_proxy"),
        https_proxy: either("HTTPS_PROXY", "https_proxy"),
        no_proxy: either("NO_PROXY", "no_proxy"),
        certificates: lookup("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from),
        path: lookup("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned()).into(),
        home: lookup("HOME").filter(|path| path.starts_with('/')).map(PathBuf::from),
        ssh_agent: None,
    }
}

/// `/var/lib/onggi` for root, a folder of the user's data for everybody else (XDG Base Directory).
fn default_root(is_root: bool, variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let absolute = |name| variable(name).filter(|path| path.starts_with('/')).map(PathBuf::from);
    match is_root {
        true => PathBuf::from(SYSTEM_ROOT),
        false => absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
            .unwrap_or_else(|| PathBuf::from("/tmp"))
            .join("onggi"),
    }
}

#[cfg(test)]
mod tests;
