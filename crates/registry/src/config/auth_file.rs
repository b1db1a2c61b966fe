//! One file with credentials: docker's `config.json` or `auth.json` of the podman family, which have one shape.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::authority::ServerKey;
use super::error::ConfigError;
use super::files;
use super::origin::Origin;
use crate::{Credential, SecretText};

/// With or without `=` at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file, read.
#[derive(Debug)]
pub(crate) struct AuthFile {
    pub(crate) path: PathBuf,
    object: Map<String, Value>,
}

/// What a file says of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// Ask this helper; nothing else in the file counts.
    Helper { name: &'a str, origin: Origin, namespace: String },
    /// This entry, which may be empty.
    Entry { value: &'a Value, origin: Origin },
}

impl AuthFile {
    /// Reads it; `None` if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let Some(content) = files::read(path)? else { return Ok(None) };
        Ok(Some(Self { path: path.to_owned(), object: files::object(path, &content)? }))
    }

    /// A value of the file, if it is of that kind.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A table of the file; empty where there is none.
    fn table(&self, name: &str) -> Result<impl Iterator<Item = (&String, &Value)>, ConfigError> {
        let table = match self.value(name) {
            None => None,
            Some(Value::Object(table)) => Some(table),
            Some(_) => return Err(ConfigError::value(Origin::key(&self.path, name), "not a JSON object")),
        };
        Ok(table.into_iter().flatten())
    }

    /// A text of the file; `None` where it is empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ConfigError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(ConfigError::value(Origin::key(&self.path, name), "not a text")),
        }
    }

    /// The helper for everything (`credsStore`).
    pub(crate) fn default_helper(&self) -> Result<Option<(&str, Origin)>, ConfigError> {
        Ok(self.text("credsStore")?.map(|name| (name, Origin::key(&self.path, "credsStore"))))
    }

    /// Headers that docker's daemon hands on to registries: those that begin with `X-Meta-`. Others are for the daemon.
    pub(crate) fn headers(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let of_registries =
            self.table("HttpHeaders")?.filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-meta-"));
        let mut headers = Vec::new();
        for (name, value) in of_registries {
            let is_header = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            match value.as_str().filter(|value| is_header(value) && is_header(name) && !name.contains([' ', ':'])) {
                Some(value) => headers.push((name.clone(), value.to_owned())),
                None => return Err(ConfigError::value(Origin::entry(&self.path, "HttpHeaders", name), "not a header")),
            }
        }
        Ok(headers)
    }

    /// What is said of a repository, the longest key first; a helper before an entry of the same length.
    pub(crate) fn answers(&self, server: &super::Authority, repository: &str) -> Result<Vec<Answer<'_>>, ConfigError> {
        let mut found = Vec::new();
        for (rank, table) in ["credHelpers", "auths"].into_iter().enumerate() {
            for (key, value) in self.table(table)? {
                let Some(parsed) = ServerKey::parse(key) else { continue };
                let Some(length) = parsed.matches(server, repository) else { continue };
                let origin = Origin::entry(&self.path, table, key);
                let is_plain = *key == server.to_string();
                let answer = match (table, value) {
                    ("credHelpers", Value::String(name)) => {
                        Answer::Helper { name, origin, namespace: parsed.namespace }
                    }
                    ("auths", value @ Value::Object(_)) => Answer::Entry { value, origin },
                    (_, Value::Null) => continue,
                    ("credHelpers", _) => return Err(ConfigError::value(origin, "not the name of a helper")),
                    (_, _) => return Err(ConfigError::value(origin, "not a JSON object")),
                };
                found.push(((std::cmp::Reverse(length), rank, !is_plain), answer));
            }
        }
        found.sort_by_key(|(order, _)| *order);
        Ok(found.into_iter().map(|(_, answer)| answer).collect())
    }
}

/// The credential of an entry of `auths`; `None` if it is empty, as those are whose secret a helper has.
pub(crate) fn credential(entry: &Value, origin: &Origin) -> Result<Option<Credential>, ConfigError> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(token) = text("registrytoken") {
        return Ok(Some(Credential::RegistryToken(SecretText::new(token))));
    }
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credential::IdentityToken(SecretText::new(token))));
    }
    let password = |user: &str, password: &str| Credential::Password {
        user: user.to_owned(),
        password: SecretText::new(password),
    };
    let Some(auth) = text("auth") else {
        return Ok(text("username").zip(text("password")).map(|(user, secret)| password(user, secret)));
    };
    let decoded = BASE64.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|decoded| decoded.split_once(':')) {
        // Docker takes away the zero bytes that old versions of it have written.
        Some((user, secret)) if !user.is_empty() => Ok(Some(password(user, secret.trim_matches('\0')))),
        _ => Err(ConfigError::value(origin.clone(), "`auth` is not the base64 of `USER:PASSWORD`")),
    }
}

/// What docker and podman write for a credential.
pub(crate) fn entry(user: &str, credential: &Credential) -> Value {
    let encoded = |user: &str, secret: &str| BASE64.encode(format!("{user}:{secret}"));
    match credential {
        Credential::Anonymous => Value::Object(Map::new()),
        Credential::Password { user, password } => serde_json::json!({ "auth": encoded(user, password.expose()) }),
        Credential::IdentityToken(token) => {
            serde_json::json!({ "auth": encoded(user, ""), "identitytoken": token.expose() })
        }
        Credential::RegistryToken(token) => serde_json::json!({ "registrytoken": token.expose() }),
    }
}
