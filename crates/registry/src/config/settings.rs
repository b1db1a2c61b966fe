//! What of the surroundings the configuration depends on: paths and variables, as plain data.

use std::ffi::OsString;
use std::path::PathBuf;

/// A variable of the environment that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// `HTTPS_PROXY` or `https_proxy`.
    pub name: String,
    /// Its value, not empty.
    pub value: String,
}

/// What the environment says of proxies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    /// `HTTP_PROXY`, else `http_proxy`.
    pub http: Option<Variable>,
    /// `HTTPS_PROXY`, else `https_proxy`.
    pub https: Option<Variable>,
    /// `NO_PROXY`, else `no_proxy`.
    pub direct: Option<Variable>,
}

/// Where files and programs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `DOCKER_CONFIG`: the folder of docker's `config.json` instead of `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `REGISTRY_AUTH_FILE`.
    pub registry_auth_file: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `CONTAINERS_REGISTRIES_CONF`.
    pub registries_conf: Option<PathBuf>,
    /// `ONGGI_CONFIG`: our settings of the machine instead of `/etc/onggi/config.json`.
    pub onggi_config: Option<PathBuf>,
    /// The user's number, for `/run/containers/UID`.
    pub uid: u32,
    /// What `/etc` and `/run` are below: `/`.
    pub system: PathBuf,
    /// `PATH`, where credential helpers are.
    pub path: OsString,
    /// Proxies.
    pub proxies: Proxies,
}

impl Settings {
    /// Takes from the environment what is wanted of it. An empty variable is one that is not set; upper case goes before
    /// lower case, as programs written in Go have it.
    pub fn from_variables(lookup: &dyn Fn(&str) -> Option<String>, uid: u32) -> Self {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let either = |upper: &str, lower: &str| {
            [upper, lower].into_iter().find_map(|name| set(name).map(|value| Variable { name: name.to_owned(), value }))
        };
        Self {
            docker_config: path("DOCKER_CONFIG"),
            home: path("HOME"),
            registry_auth_file: path("REGISTRY_AUTH_FILE"),
            xdg_runtime_dir: path("XDG_RUNTIME_DIR"),
            xdg_config_home: path("XDG_CONFIG_HOME"),
            registries_conf: path("CONTAINERS_REGISTRIES_CONF"),
            onggi_config: path("ONGGI_CONFIG"),
            uid,
            system: PathBuf::from("/"),
            path: set("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned()).into(),
            proxies: Proxies {
                http: either("HTTP_PROXY", "http_proxy"),
                https: either("HTTPS_PROXY", "https_proxy"),
                direct: either("NO_PROXY", "no_proxy"),
            },
        }
    }

    /// Docker's `config.json`.
    pub fn docker_config_file(&self) -> Option<PathBuf> {
        let folder = self.docker_config.clone().or_else(|| Some(self.home.as_ref()?.join(".docker")))?;
        Some(folder.join("config.json"))
    }

    /// The file that logging in writes to: `REGISTRY_AUTH_FILE` where it is set, else docker's `config.json`.
    pub fn login_file(&self) -> Option<PathBuf> {
        self.registry_auth_file.clone().or_else(|| self.docker_config_file())
    }

    /// Files with credentials, the one that counts most first.
    pub(crate) fn auth_files(&self) -> Vec<PathBuf> {
        let runtime = match &self.xdg_runtime_dir {
            Some(folder) => folder.join("containers/auth.json"),
            None => self.system.join(format!("run/containers/{}/auth.json", self.uid)),
        };
        let user = self.user_folder().map(|folder| folder.join("auth.json"));
        self.registry_auth_file
            .clone()
            .into_iter()
            .chain(self.docker_config_file())
            .chain([runtime])
            .chain(user)
            .collect()
    }

    /// `~/.config/containers`.
    pub(crate) fn user_folder(&self) -> Option<PathBuf> {
        let config = self.xdg_config_home.clone().or_else(|| Some(self.home.as_ref()?.join(".config")))?;
        Some(config.join("containers"))
    }

    /// `/etc/containers`.
    pub(crate) fn system_folder(&self) -> PathBuf {
        self.system.join("etc/containers")
    }
}
