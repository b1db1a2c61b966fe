//! Keeping a credential, and forgetting it: by the helper that the file names, else in the file.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::auth_file::{self, Answer, AuthFile};
use super::authority::{Authority, HUB, HUB_KEY, ServerKey};
use super::credentials::server_of;
use super::edit::edit;
use super::error::ConfigError;
use super::helper::{Helper, HelperError};
use super::origin::Origin;
use super::settings::Settings;
use crate::Credential;

/// What is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// The registry.
    pub server: &'a Authority,
    /// As whom; also beside an identity token.
    pub user: &'a str,
    /// The secret.
    pub credential: &'a Credential,
}

/// Where a credential was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// In this file, as everybody can read who can read the file.
    Plain(PathBuf),
    /// It was in this file already, and nothing was written.
    Unchanged(PathBuf),
    /// By this helper.
    Helper(String),
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// Whether there was anything.
    pub was_known: bool,
    /// What a helper said that did not do it.
    pub failure: Option<String>,
}

/// Keeps a credential, in place of any other for the whole registry.
///
/// # Errors
/// When it is not kept; the file is as it was then.
pub fn store(settings: &Settings, login: Login<'_>) -> Result<Stored, ConfigError> {
    let path = settings.login_file().ok_or(ConfigError::NoHome)?;
    let chosen = helper_for(settings, &path, login.server)?;
    if let Some((name, origin)) = &chosen {
        let helper = Helper::new(name, &settings.path);
        let kept = helper.store(&server_of(login.server, ""), login.user, login.credential);
        kept.map_err(|source| helper_failed(&helper, origin, source))?;
    }
    let entry = match chosen {
        Some(_) => Value::Object(Map::new()),
        None => auth_file::entry(login.user, login.credential),
    };
    let key = key_in(settings, login.server);
    let is_changed = edit(&path, |object| {
        let auths = object.entry("auths").or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(auths) = auths else {
            return Err(ConfigError::value(Origin::key(&path, "auths"), "not a JSON object"));
        };
        // Another spelling would be found before this one.
        let before = auths.len();
        auths.retain(|known, _| *known == key || !is_of(known, login.server));
        let is_known = auths.len() == before && auths.get(&key) == Some(&entry);
        auths.insert(key, entry);
        Ok(!is_known)
    })?;
    Ok(match chosen {
        Some((name, _)) => Stored::Helper(Helper::new(&name, &settings.path).program()),
        None if is_changed => Stored::Plain(path),
        None => Stored::Unchanged(path),
    })
}

/// Forgets what is kept for the whole registry, in any spelling.
///
/// # Errors
/// When the file cannot be read or written.
pub fn erase(settings: &Settings, server: &Authority) -> Result<Erased, ConfigError> {
    let path = settings.login_file().ok_or(ConfigError::NoHome)?;
    let mut erased = Erased { was_known: false, failure: None };
    if let Some((name, _)) = helper_for(settings, &path, server)? {
        let helper = Helper::new(&name, &settings.path);
        // Docker has written several spellings over time.
        let name = server_of(server, "");
        let spellings = match server.is_hub() {
            true => vec![name, HUB.to_owned()],
            false => vec![format!("http://{name}"), format!("https://{name}"), name],
        };
        for spelling in spellings {
            let is_known = matches!(helper.get(&spelling), Ok(Some(_)));
            erased.was_known |= is_known;
            match helper.erase(&spelling) {
                Err(error) if is_known => erased.failure = Some(format!("{}: {error}", helper.program())),
                _ => {}
            }
        }
    }
    if !path.exists() {
        return Ok(erased);
    }
    erased.was_known |= edit(&path, |object| {
        let Some(Value::Object(auths)) = object.get_mut("auths") else { return Ok(false) };
        let before = auths.len();
        auths.retain(|known, _| !is_of(known, server));
        Ok(auths.len() != before)
    })?;
    Ok(erased)
}

/// The helper that a file has for a registry.
fn helper_for(
    settings: &Settings,
    path: &std::path::Path,
    server: &Authority,
) -> Result<Option<(String, Origin)>, ConfigError> {
    debug_assert!(settings.login_file().as_deref() == Some(path));
    let Some(file) = AuthFile::read(path)? else { return Ok(None) };
    let own = file.answers(server, "")?.into_iter().find_map(|answer| match answer {
        Answer::Helper { name, origin, .. } => Some((name.to_owned(), origin)),
        Answer::Entry { .. } => None,
    });
    let general = file.default_helper()?.map(|(name, origin)| (name.to_owned(), origin));
    Ok(own.or(general))
}

/// The key that the owner of the file would write.
fn key_in(settings: &Settings, server: &Authority) -> String {
    match server.is_hub() {
        true if settings.registry_auth_file.is_none() => HUB_KEY.to_owned(),
        _ => server.to_string(),
    }
}

fn is_of(key: &str, server: &Authority) -> bool {
    ServerKey::parse(key).is_some_and(|key| key.authority == *server && key.namespace.is_empty())
}

fn helper_failed(helper: &Helper<'_>, origin: &Origin, source: HelperError) -> ConfigError {
    ConfigError::Helper { program: helper.program(), chosen_by: Box::new(origin.clone()), source }
}
