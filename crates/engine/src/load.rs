//! `load`: images out of an archive.

use std::fs::File;

use image::archive::{self, LoadError, MemberError};
use oci::Platform;

use crate::{Engine, Error, ErrorKind};

pub use image::archive::Loaded;

/// Loads all images of an archive: a file, or a pipe such as standard input. Where `platform` is given only those for
/// it; of several platforms under one name, otherwise that of this machine.
///
/// # Errors
/// When the archive is damaged or not one; nothing of it is listed then.
pub fn load(engine: &Engine, input: File, platform: Option<&Platform>) -> Result<Vec<Loaded>, Error> {
    Ok(archive::load_file(engine.store(), input, platform)?)
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        let error = match error {
            LoadError::Store(error) => return error.into(),
            LoadError::Stack(error) => return error.into(),
            error => error,
        };
        let made = match &error {
            LoadError::Legacy | LoadError::LayoutVersion { .. } | LoadError::Platform { .. } => {
                Self::from_source(ErrorKind::Unsupported, &error)
            }
            _ => Self::from_source(ErrorKind::InvalidInput, &error),
        };
        match error {
            LoadError::NotAnArchive | LoadError::Member(MemberError::NotATar) => {
                made.with_hint("`onggi load` reads what `save` wrote; a tarball of files is for `onggi import`")
            }
            LoadError::Legacy => made.with_hint("load it with a newer Docker and save it again"),
            LoadError::Member(MemberError::Truncated { .. }) => {
                made.with_hint("the file is not complete: copy or download it again")
            }
            _ => made,
        }
    }
}
