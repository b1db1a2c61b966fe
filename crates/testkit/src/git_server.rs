//! Git repositories made by a test, and served over HTTP as servers do: by git's own `http-backend`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Request, Response};

/// Repositories in a temporary folder, each with a working copy.
#[derive(Debug)]
pub struct GitServer {
    folder: tempfile::TempDir,
}

impl Default for GitServer {
    fn default() -> Self {
        Self::new()
    }
}

impl GitServer {
    /// Whether git is there.
    #[must_use]
    pub fn is_available() -> bool {
        Command::new("git").arg("--version").output().is_ok_and(|output| output.status.success())
    }

    /// No repository yet.
    ///
    /// # Panics
    /// If the temporary folder cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("onggi-git-").tempdir().expect("the temporary folder is writable");
        Self { folder }
    }

    /// The folder of a repository's files.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes an empty repository with the branch `main`.
    pub fn init(&self, name: &str) -> &Self {
        std::fs::create_dir(self.path(name)).expect("the temporary folder is writable");
        self.git(name, &["init", "--quiet", "--initial-branch=main"]);
        // What servers like GitHub do.
        for setting in ["uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter", "http.getanyfile"] {
            self.git(name, &["config", setting, "true"]);
        }
        self
    }

    /// Writes a file of a repository, with the folders that it is in.
    pub fn write(&self, name: &str, file: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name).join(file);
        std::fs::create_dir_all(path.parent().expect("it is below the repository")).expect("it is writable");
        std::fs::write(path, content).expect("it is writable");
        self
    }

    /// Commits everything, at a fixed time, and gives the commit's digest.
    pub fn commit(&self, name: &str) -> String {
        self.git(name, &["add", "--all", "--force"]);
        self.git(name, &["commit", "--quiet", "--allow-empty", "--message=a"]);
        self.git(name, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Runs git in a repository and gives what it says.
    ///
    /// # Panics
    /// If it fails.
    pub fn git(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = clean("git");
        command.current_dir(self.path(name)).args(arguments);
        let output = command.output().expect("git is installed");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Answers for `/NAME.git/…`, as a server does.
    ///
    /// # Panics
    /// If git cannot be run.
    #[must_use]
    pub fn answer(folder: &Path, request: &Request) -> Response {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let Some((name, rest)) = path.trim_start_matches('/').split_once(".git/") else { return Response::status(404) };
        let mut command = clean("git");
        command.arg("http-backend").env("GIT_HTTP_EXPORT_ALL", "1");
        command.env("GIT_PROJECT_ROOT", folder).env("PATH_INFO", format!("/{name}/.git/{rest}"));
        command.env("QUERY_STRING", query).env("REQUEST_METHOD", &request.method).env("REMOTE_ADDR", "127.0.0.1");
        for (variable, header) in [
            ("CONTENT_TYPE", "content-type"),
            ("HTTP_CONTENT_ENCODING", "content-encoding"),
            ("GIT_PROTOCOL", "git-protocol"),
        ] {
            if let Some(value) = request.header(header) {
                command.env(variable, value);
            }
        }
        command.env("CONTENT_LENGTH", request.body.len().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("git is installed");
        let mut stdin = child.stdin.take().expect("the input is a pipe");
        let body = request.body.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&body).ok());
        let output = child.wait_with_output().expect("a child of ours can be waited for").stdout;
        writer.join().expect("feeding a pipe does not panic");
        parse(&output)
    }

    /// The folder that [`GitServer::answer`] serves.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// A program that nothing of this machine's settings reaches.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for (name, value) in [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@example.com"),
        ("GIT_AUTHOR_DATE", "1700000000 +0000"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@example.com"),
        ("GIT_COMMITTER_DATE", "1700000000 +0000"),
        ("GIT_ALLOW_PROTOCOL", "http:file"),
    ] {
        command.env(name, value);
    }
    command
}

/// The answer of a CGI program (RFC 3875, 6).
fn parse(output: &[u8]) -> Response {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let mut response = Response::ok(output.get(end + 4..).unwrap_or_default());
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.split_once(':') {
            Some(("Status", value)) => {
                response.status = value.split_whitespace().next().and_then(|code| code.parse().ok()).unwrap_or(500);
            }
            Some((name, value)) => response = response.header(name, value.trim()),
            None => {}
        }
    }
    response
}
