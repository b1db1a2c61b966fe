//! Where names lead to and who we are there: `config explain`, `login`, `logout`.
//!
//! A credential is kept only after the registry has taken it.

use std::sync::atomic::AtomicBool;

use fetch::Surroundings;
use registry::config::{self, Authority, ConfigError, Login};
use registry::{Client, Kind};

pub use registry::config::{EndpointOrigins, Erased, Explained, Origin, Purpose, Settings, Stored};
pub use registry::{Credential, Endpoint, Identity, Route, Scheme, SecretText, Tls};

use crate::fetcher::USER_AGENT;
use crate::{Error, ErrorKind};

/// A name and the way to it.
#[derive(Debug)]
pub struct ExplainedName {
    /// The whole name.
    pub name: String,
    /// The way, with where each part came from.
    pub explained: Explained,
}

/// Shows the way to an image, as `pull` or `push` would go.
///
/// # Errors
/// When it is no name, or a file that counts is wrong.
pub fn explain_route(settings: &Settings, name: &str, purpose: Purpose) -> Result<ExplainedName, Error> {
    let reference = name.parse::<oci::Reference>()?.with_default_tag();
    heed_children()?;
    let explained = config::route(settings, &reference, purpose)?;
    Ok(ExplainedName { name: reference.to_string(), explained })
}

/// A registry that somebody wants to log in to.
#[derive(Debug)]
pub struct LoginServer {
    surroundings: Surroundings,
    server: Authority,
    endpoint: Endpoint,
}

impl LoginServer {
    /// The registry that is meant; Docker Hub without a text.
    ///
    /// # Errors
    /// When it is no host, or a file that counts is wrong.
    pub fn find(settings: &Settings, surroundings: Surroundings, text: Option<&str>) -> Result<Self, Error> {
        heed_children()?;
        let text = text.filter(|text| !text.is_empty()).unwrap_or("docker.io");
        let (server, mut explained) = config::server(settings, text)?;
        let endpoint = explained.route.endpoints.pop().expect("a route has at least one endpoint");
        Ok(Self { surroundings, server, endpoint })
    }

    /// Host and port.
    pub fn name(&self) -> String {
        self.server.to_string()
    }

    /// Whether it is Docker Hub.
    pub fn is_hub(&self) -> bool {
        self.server.is_hub()
    }

    /// What is kept for it already.
    pub fn known(&self) -> &Credential {
        &self.endpoint.credential
    }

    /// Asks the registry whether it takes what is kept.
    ///
    /// # Errors
    /// When it does not, or does not answer.
    pub fn check_known(&self) -> Result<(), Error> {
        check(&self.surroundings, &self.endpoint).map(drop)
    }

    /// Asks the registry whether it takes a name and a password, and keeps them, or the token that it gives instead.
    ///
    /// # Errors
    /// When it does not take them, or they cannot be kept.
    pub fn log_in(&self, settings: &Settings, user: &str, password: SecretText) -> Result<Stored, Error> {
        let credential = Credential::Password { user: user.to_owned(), password };
        let endpoint = Endpoint { credential, ..self.endpoint.clone() };
        let credential = match check(&self.surroundings, &endpoint)? {
            Some(token) => Credential::IdentityToken(token),
            None => endpoint.credential,
        };
        Ok(config::store(settings, Login { server: &self.server, user, credential: &credential })?)
    }
}

/// The registry's answer: a token to keep in place of the password, where it gives one.
fn check(surroundings: &Surroundings, endpoint: &Endpoint) -> Result<Option<SecretText>, Error> {
    let client = Client::new(surroundings.clone(), USER_AGENT);
    client.check_credential(endpoint, &AtomicBool::new(false)).map_err(|error| {
        let kind = match error.kind {
            Kind::Unauthorized { .. } => ErrorKind::Unauthorized,
            Kind::Denied { .. } => ErrorKind::Forbidden,
            _ => ErrorKind::Unavailable,
        };
        Error::from_source(kind, &error)
    })
}

/// Forgets what is kept for a registry. The registry's name, and what was there.
///
/// # Errors
/// When it is no host, or the file cannot be written.
pub fn log_out(settings: &Settings, text: Option<&str>) -> Result<(String, Erased), Error> {
    heed_children()?;
    let text = text.filter(|text| !text.is_empty()).unwrap_or("docker.io");
    let server = config::authority(text)?;
    let erased = config::erase(settings, &server)?;
    Ok((server.to_string(), erased))
}

/// Credential helpers are children whose end is waited for, whatever our parent has us ignore.
pub(crate) fn heed_children() -> Result<(), Error> {
    runtime::heed_children()
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot wait for programs").because(&error))
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        let kind = match &error {
            ConfigError::Read { source, .. } | ConfigError::Write { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => ErrorKind::Forbidden,
                std::io::ErrorKind::StorageFull => ErrorKind::Unavailable,
                _ => ErrorKind::Internal,
            },
            ConfigError::Blocked { .. } => ErrorKind::Forbidden,
            ConfigError::Helper { .. } => ErrorKind::Unavailable,
            _ => ErrorKind::InvalidInput,
        };
        let hint = error.hint();
        let made = Self::from_source(kind, &error);
        match hint {
            Some(hint) => made.with_hint(hint),
            None => made,
        }
    }
}
