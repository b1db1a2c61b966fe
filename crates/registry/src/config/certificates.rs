//! `certs.d`: authorities to trust for one registry, and who we are to it.
//!
//! Each folder is called `HOST[:PORT]`. Authorities of all places count together; our own certificate is the first found.

use std::io;
use std::path::{Path, PathBuf};

use super::authority::{Authority, HUB_HOST};
use super::error::ConfigError;
use super::files;
use super::origin::Origin;
use super::settings::Settings;
use crate::{Identity, SecretText, Tls};

/// What was found for a registry.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    pub(crate) tls: Tls,
    /// Files of the authorities.
    pub(crate) authorities: Vec<PathBuf>,
    /// File of our own certificate.
    pub(crate) identity: Option<PathBuf>,
}

/// Reads what is there for a registry.
pub(crate) fn find(settings: &Settings, server: &Authority) -> Result<Certificates, ConfigError> {
    let mut found = Certificates::default();
    let user = settings.user_folder();
    let system = [settings.system_folder(), settings.system.join("etc/docker")];
    for place in user.into_iter().chain(system) {
        for name in names(server) {
            read_folder(&place.join("certs.d").join(name), &mut found)?;
        }
    }
    Ok(found)
}

/// What a registry's folder may be called.
fn names(server: &Authority) -> Vec<String> {
    let mut names = vec![server.to_string()];
    if server.is_hub() {
        names.push(HUB_HOST.to_owned());
    }
    if server.has_default_port() {
        let with_port: Vec<_> = names.iter().map(|name| format!("{name}:443")).collect();
        names.extend(with_port);
    }
    names
}

fn read_folder(folder: &Path, found: &mut Certificates) -> Result<(), ConfigError> {
    let failed = |source: io::Error| ConfigError::Read { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    paths.sort();
    for path in &paths {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => {
                found.tls.authorities.push(certificate(path)?);
                found.authorities.push(path.clone());
            }
            Some("cert") => {
                let (certificates, key) = (certificate(path)?, path.with_extension("key"));
                let Some(text) = files::read(&key)? else {
                    let reason = format!("there is no {} for it; an authority's file ends in `.crt`", name_of(&key));
                    return Err(ConfigError::value(Origin::File(path.clone()), reason));
                };
                let key = String::from_utf8(text)
                    .map_err(|_| ConfigError::value(Origin::File(key), "there is no key in PEM form in it"))?;
                if found.identity.is_none() {
                    found.tls.identity = Some(Identity { certificates, key: SecretText::new(key) });
                    found.identity = Some(path.clone());
                }
            }
            Some("key") if !path.with_extension("cert").exists() => {
                let reason = format!("there is no {} for it", name_of(&path.with_extension("cert")));
                return Err(ConfigError::value(Origin::File(path.clone()), reason));
            }
            _ => {}
        }
    }
    Ok(())
}

fn certificate(path: &Path) -> Result<Vec<u8>, ConfigError> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    let content = files::read(path)?.unwrap_or_default();
    match content.windows(BEGIN.len()).any(|part| part == BEGIN) {
        true => Ok(content),
        false => Err(ConfigError::value(Origin::File(path.to_owned()), "there is no certificate in PEM form in it")),
    }
}

fn name_of(path: &Path) -> String {
    format!("`{}`", path.file_name().unwrap_or_default().display())
}
