//! Files, variables and a name in; a route with the places of its parts out.

mod cases;
mod logins;
mod programs;
mod secrets;

use std::path::{Path, PathBuf};

use super::{Explained, Origin, Purpose, Settings, route};
use crate::{Credential, Scheme};

/// A home, an `/etc` and a `PATH` of a test's own.
pub(super) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        for (name, content) in files {
            world.write(name, content);
        }
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        if name.starts_with("bin/") {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
        }
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// `/` in a value is the world's root.
    pub(super) fn settings(&self, variables: &[(&str, &str)]) -> Settings {
        let root = self.folder.path();
        let lookup = |name: &str| {
            let given = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let value = given.or(match name {
                "HOME" => Some("/home"),
                "PATH" => Some("/bin"),
                _ => None,
            })?;
            Some(value.strip_prefix('/').map_or(value.to_owned(), |rest| root.join(rest).display().to_string()))
        };
        Settings { system: root.to_owned(), ..Settings::from_variables(&lookup, 1000) }
    }

    /// The route in words, or the error.
    pub(super) fn route(&self, variables: &[(&str, &str)], name: &str, purpose: Purpose) -> String {
        let text = match route(&self.settings(variables), &name.parse().unwrap(), purpose) {
            Ok(explained) => words(&explained),
            Err(error) => {
                let causes: Vec<_> =
                    std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                        .map(ToString::to_string)
                        .collect();
                format!("error: {}", causes.join(": "))
            }
        };
        text.replace(&format!("{}/", self.folder.path().display()), "/")
    }
}

/// A line for each endpoint, with only what is not usual.
pub(super) fn words(explained: &Explained) -> String {
    let mut lines = Vec::new();
    for (endpoint, origins) in explained.route.endpoints.iter().zip(&explained.origins) {
        let scheme = if endpoint.scheme == Scheme::Https { "https" } else { "http" };
        let mut line = format!("{scheme}://{}:{}/{}", endpoint.host, endpoint.port, endpoint.repository);
        let mut add = |text: String| line.push_str(&text);
        if endpoint.is_mirror {
            add(" mirror".to_owned());
        }
        if !endpoint.serves_tags {
            add(" for digests".to_owned());
        }
        if let Some(port) = endpoint.plain_http_port {
            add(format!(" or plain {port}"));
        }
        if endpoint.tls.is_unverified {
            add(" unverified".to_owned());
        }
        match &endpoint.credential {
            Credential::Anonymous => {}
            Credential::Password { user, password } => add(format!(" as {user}/{}", password.expose())),
            Credential::IdentityToken(token) => add(format!(" with identity token {}", token.expose())),
            Credential::RegistryToken(token) => add(format!(" with registry token {}", token.expose())),
        }
        if let Some(proxy) = &endpoint.proxy {
            add(format!(" via {proxy}"));
        }
        for (name, value) in &endpoint.headers {
            add(format!(" {name}={value}"));
        }
        if !matches!(origins.endpoint, Origin::Default(_)) {
            add(format!("; {}", origins.endpoint));
        }
        let places = [
            ("insecure", &origins.insecure),
            ("credential", &origins.credential),
            ("proxy", &origins.proxy),
            ("identity", &origins.identity),
        ];
        for (name, origin) in places {
            if let Some(origin) = origin {
                add(format!("; {name}: {origin}"));
            }
        }
        for authority in &origins.authorities {
            add(format!("; trusts: {authority}"));
        }
        lines.push(line);
    }
    lines.extend(explained.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

#[test]
fn paths_are_those_of_the_tools() {
    let lookup = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    let settings = Settings::from_variables(&lookup, 1000);
    assert_eq!(settings.login_file().as_deref(), Some(Path::new("/home/me/.docker/config.json")));
    let files: Vec<_> = settings.auth_files().iter().map(|path| path.display().to_string()).collect();
    assert_eq!(
        files,
        ["/home/me/.docker/config.json", "/run/containers/1000/auth.json", "/home/me/.config/containers/auth.json"]
    );
}
