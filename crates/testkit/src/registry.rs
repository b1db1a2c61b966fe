//! A registry that belongs to a test: Debian's `docker-registry` on a port of loopback, with its data in a folder.
//!
//! It ends with the test that started it, and with the test's process however that ends: a shell waits for its input to be
//! closed, which the kernel does.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::certificates::{Certified, TestAuthority};
use crate::peers::find;

/// What a registry asks of its clients.
#[derive(Debug, Default, Clone)]
pub struct RegistryOptions {
    /// Names and passwords (HTTP basic); nobody is asked without any.
    pub users: Vec<(String, String)>,
    /// Whether it speaks TLS, with a certificate for `localhost` and `127.0.0.1` by [`Registry::authority`].
    pub with_tls: bool,
    /// Whether it asks its clients for a certificate by [`Registry::authority`]; with TLS.
    pub asks_certificates: bool,
}

/// A running registry, ended when dropped.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    port: u16,
    authority: Option<TestAuthority>,
    folder: tempfile::TempDir,
}

impl Registry {
    /// Starts one that asks nobody who he is; `None` if the program is not installed.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(&RegistryOptions::default())
    }

    /// Starts one; `None` if a program that it needs is not installed.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start_with(options: &RegistryOptions) -> Option<Self> {
        let program = find("docker-registry")?;
        let folder =
            tempfile::Builder::new().prefix("onggi-registry-").tempdir().expect("a temporary folder can be made");
        let path = |name: &str| folder.path().join(name);
        let mut settings = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
             http:\n  addr: 127.0.0.1:0\n  secret: test\n",
            path("data").display()
        );
        let mut authority = None;
        if options.with_tls {
            let made = TestAuthority::new()?;
            let Certified { certificate, key } = made.server(&["DNS:localhost", "IP:127.0.0.1"]);
            fs::write(path("server.crt"), certificate).expect("the folder is writable");
            fs::write(path("server.key"), key).expect("the folder is writable");
            let (certificate, key) = (path("server.crt"), path("server.key"));
            settings.push_str(&format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                certificate.display(),
                key.display()
            ));
            if options.asks_certificates {
                fs::write(path("ca.crt"), made.certificate()).expect("the folder is writable");
                settings.push_str(&format!("    clientcas:\n      - {}\n", path("ca.crt").display()));
            }
            authority = Some(made);
        }
        if !options.users.is_empty() {
            let mut users = String::new();
            for (user, password) in &options.users {
                let output = Command::new(find("htpasswd")?).args(["-nbB", "-C", "4", user, password]).output();
                users.push_str(String::from_utf8_lossy(&output.expect("htpasswd was found").stdout).trim());
                users.push('\n');
            }
            fs::write(path("users"), users).expect("the folder is writable");
            settings.push_str(&format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", path("users").display()));
        }
        fs::write(path("config.yml"), settings).expect("the folder is writable");
        let mut child = spawn(&program, &path("config.yml"));
        let log = child.stderr.take().expect("its log is a pipe");
        let port = port(log).unwrap_or_else(|said| panic!("docker-registry did not start: {said}"));
        Some(Self { child, port, authority, folder })
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`, as it stands in names of images.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Who has signed its certificate, if it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&TestAuthority> {
        self.authority.as_ref()
    }

    /// The folder of its files, `docker/registry/v2` below it.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // The shell kills it when its input is closed.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

fn spawn(program: &Path, settings: &Path) -> Child {
    let script = r#""$1" serve "$2" & read -r _; kill -KILL $!; wait"#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(program).arg(settings).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("there is a shell")
}

/// Waits until it says where it listens, and goes on reading what it says, so that it never waits for us.
fn port(log: ChildStderr) -> Result<u16, String> {
    let (sender, lines): (_, Receiver<String>) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            // Nobody listens any more once the port is known.
            drop(sender.send(line));
        }
    });
    let mut last = "nothing".to_owned();
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
        if let Some((_, address)) = line.split_once("listening on 127.0.0.1:") {
            let digits: String = address.chars().take_while(char::is_ascii_digit).collect();
            return digits.parse().map_err(|_| line);
        }
        last = line;
    }
    Err(last)
}
