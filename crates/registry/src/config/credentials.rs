//! Who we are to a registry: the first file that knows, and in it the longest key.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::auth_file::{self, Answer, AuthFile};
use super::authority::{Authority, HUB_KEY};
use super::error::ConfigError;
use super::helper::Helper;
use super::origin::Origin;
use super::settings::Settings;
use crate::Credential;

/// The files with credentials, each read when it is first wanted.
#[derive(Debug)]
pub(crate) struct Credentials<'s> {
    settings: &'s Settings,
    files: Vec<(PathBuf, OnceCell<Option<AuthFile>>)>,
}

impl<'s> Credentials<'s> {
    pub(crate) fn new(settings: &'s Settings) -> Self {
        let files = settings.auth_files().into_iter().map(|path| (path, OnceCell::new())).collect();
        Self { settings, files }
    }

    /// A file, if there is one.
    fn file<'f>(path: &Path, known: &'f OnceCell<Option<AuthFile>>) -> Result<Option<&'f AuthFile>, ConfigError> {
        if let Some(known) = known.get() {
            return Ok(known.as_ref());
        }
        let read = AuthFile::read(path)?;
        Ok(known.get_or_init(|| read).as_ref())
    }

    /// Docker's `config.json`, if there is one.
    pub(crate) fn docker_config(&self) -> Result<Option<&AuthFile>, ConfigError> {
        let wanted = self.settings.docker_config_file();
        match self.files.iter().find(|(path, _)| Some(path) == wanted.as_ref()) {
            Some((path, known)) => Self::file(path, known),
            None => Ok(None),
        }
    }

    /// The credential for a repository, and where it is from.
    pub(crate) fn find(
        &self,
        server: &Authority,
        repository: &str,
    ) -> Result<Option<(Credential, Origin)>, ConfigError> {
        for (path, known) in &self.files {
            let Some(file) = Self::file(path, known)? else { continue };
            if let Some(found) = self.find_in(file, server, repository)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find_in(
        &self,
        file: &AuthFile,
        server: &Authority,
        repository: &str,
    ) -> Result<Option<(Credential, Origin)>, ConfigError> {
        let answers = file.answers(server, repository)?;
        // A helper for this registry has the only say; the one for everything comes before what is in the file.
        if !answers.iter().any(|answer| matches!(answer, Answer::Helper { .. }))
            && let Some((name, origin)) = file.default_helper()?
            && let Some(found) = self.ask(name, &origin, &server_of(server, ""))?
        {
            return Ok(Some(found));
        }
        for answer in answers {
            match answer {
                Answer::Helper { name, origin, namespace } => {
                    return self.ask(name, &origin, &server_of(server, &namespace));
                }
                Answer::Entry { value, origin } => {
                    if let Some(credential) = auth_file::credential(value, &origin)? {
                        return Ok(Some((credential, origin)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn ask(&self, name: &str, chosen_by: &Origin, server: &str) -> Result<Option<(Credential, Origin)>, ConfigError> {
        let helper = Helper::new(name, &self.settings.path);
        let failed =
            |source| ConfigError::Helper { program: helper.program(), chosen_by: Box::new(chosen_by.clone()), source };
        let origin = Origin::Helper { program: helper.program(), chosen_by: Box::new(chosen_by.clone()) };
        Ok(helper.get(server).map_err(failed)?.map(|credential| (credential, origin)))
    }
}

/// What docker calls a registry when it speaks to a helper.
pub(crate) fn server_of(server: &Authority, namespace: &str) -> String {
    match (server.is_hub(), namespace) {
        (true, "") => HUB_KEY.to_owned(),
        (_, "") => server.to_string(),
        (_, namespace) => format!("{server}/{namespace}"),
    }
}
