//! One run of a program: what goes in, what came out, and never longer than its time limit.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::normalise::Normaliser;
use crate::test_user::TestUser;

/// A program with its arguments, environment, working folder and input. Built up, then [`Command::run`].
#[derive(Debug, Clone)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: PathBuf,
    input: Vec<u8>,
    limit: Duration,
    hidden: Vec<(PathBuf, String)>,
    user: Option<(&'static TestUser, PathBuf)>,
}

impl Command {
    /// A program with an empty environment.
    #[must_use]
    pub fn new(program: impl Into<OsString>, folder: &Path) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: folder.to_owned(),
            input: Vec::new(),
            limit: Duration::from_secs(300),
            hidden: Vec::new(),
            user: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment; the last value of a name wins.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Chooses the working folder; a relative path starts at the one so far.
    #[must_use]
    pub fn cwd(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = self.folder.join(folder);
        self
    }

    /// Gives bytes to standard input, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Kills the program and fails the test when it takes longer than this.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Shows this path as `name` in snapshots.
    #[must_use]
    pub fn hide(mut self, path: &Path, name: &str) -> Self {
        self.hidden.push((path.to_owned(), name.to_owned()));
        self
    }

    /// Runs it as another user, to whom the folder `sandbox` is given before, but for the store in it.
    #[must_use]
    pub fn user(mut self, user: Option<&'static TestUser>, sandbox: &Path) -> Self {
        self.user = user.map(|user| (user, sandbox.to_owned()));
        self
    }

    /// Runs the same thing under another program, for instance `strace -f --`.
    #[must_use]
    pub fn wrapped<I>(mut self, program: impl Into<OsString>, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let inner = std::mem::replace(&mut self.program, program.into());
        let mut all: Vec<OsString> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        all.push(inner);
        all.append(&mut self.arguments);
        self.arguments = all;
        self
    }

    /// The same command for `std`, without its streams set.
    #[must_use]
    pub fn to_std(&self) -> std::process::Command {
        crate::signals::have_defaults_in_children();
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned()).current_dir(&self.folder);
        if let Some((user, sandbox)) = &self.user {
            user.own(sandbox, &sandbox.join("root"));
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Starts the program with pipes and leaves it running: for tests that kill it.
    #[must_use]
    pub fn spawn(&self) -> Child {
        let mut command = self.to_std();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()))
    }

    /// Runs the program to its end and returns everything that it said.
    ///
    /// # Panics
    /// If it cannot be started or takes longer than its limit.
    #[must_use]
    pub fn run(&self) -> Output {
        let start = Instant::now();
        let mut child = self.spawn();
        let stdin = child.stdin.take().expect("the input is a pipe");
        let input = self.input.clone();
        let writer = std::thread::spawn(move || feed(stdin, &input));
        let stdout = collect(child.stdout.take().expect("the output is a pipe"));
        let stderr = collect(child.stderr.take().expect("the error output is a pipe"));
        let status = self.wait(&mut child, start);
        writer.join().expect("feeding a pipe does not panic");
        let mut normaliser = Normaliser::default();
        for (path, name) in &self.hidden {
            normaliser.hide(path, name);
        }
        Output {
            code: exit_code(status),
            stdout: stdout.join().expect("reading a pipe does not panic"),
            stderr: stderr.join().expect("reading a pipe does not panic"),
            line: self.line(),
            elapsed: start.elapsed(),
            normaliser,
        }
    }

    fn wait(&self, child: &mut Child, start: Instant) -> ExitStatus {
        loop {
            if let Some(status) = child.try_wait().expect("a child of ours can be waited for") {
                return status;
            }
            if start.elapsed() > self.limit {
                child.kill().expect("a child of ours can be killed");
                panic!("`{}` ran longer than {:?}", self.line(), self.limit);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn line(&self) -> String {
        let mut line = Path::new(&self.program).file_name().unwrap_or(&self.program).display().to_string();
        for argument in &self.arguments {
            line.push(' ');
            line.push_str(&argument.to_string_lossy());
        }
        line
    }
}

/// A closed pipe is not an error: many programs end without reading their input.
fn feed(mut stdin: std::process::ChildStdin, input: &[u8]) {
    match stdin.write_all(input) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        Err(error) => panic!("cannot write to a program's input: {error}"),
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// As a shell says it: 128 + n for a program that was ended by signal n.
fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// What a program said and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code, or 128 + n after signal n.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The wall time; for printing only, never for asserting.
    pub elapsed: Duration,
    line: String,
    normaliser: Normaliser,
}

impl Output {
    /// Returns itself if the program succeeded.
    ///
    /// # Panics
    /// If it failed; the message has both streams.
    #[track_caller]
    pub fn success(self) -> Self {
        self.exits(0)
    }

    /// Returns itself if the program ended with this code.
    ///
    /// # Panics
    /// If it ended otherwise; the message has both streams.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let Self { line, stdout, stderr, .. } = &self;
        assert!(self.code == code, "`{line}` exited with {}, not {code}\n{stdout}\n{stderr}", self.code);
        self
    }

    /// Exit code and both streams as one text for snapshots, with IDs, times and paths replaced by names.
    #[must_use]
    pub fn snapshot(&self) -> String {
        let mut normaliser = self.normaliser.clone();
        let mut text = format!("exit: {}\n", self.code);
        for (title, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                text.push_str(&format!("--- {title}\n{}", normaliser.apply(stream)));
                if !text.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
        text
    }
}
