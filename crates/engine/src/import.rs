//! `import`: a tarball of files becomes an image.

use std::fs::File;

use image::ImportError;
use oci::{ContainerConfig, ImageId, Platform, Reference};

use crate::changes::apply_changes;
use crate::{Engine, Error, ErrorKind};

/// What `import` was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Where the tarball comes from, for the history: `-`, or a file's name.
    pub source: String,
    /// Name of the image.
    pub name: Option<String>,
    /// Dockerfile instructions for its config.
    pub changes: Vec<String>,
    /// Remark for its history.
    pub message: Option<String>,
}

/// Makes an image of a tarball, compressed or not.
///
/// # Errors
/// When it is no tarball, or an instruction or the name is wrong; nothing is listed then.
pub fn import(engine: &Engine, tarball: File, options: &ImportOptions) -> Result<ImageId, Error> {
    let name = options.name.as_deref().map(str::parse::<Reference>).transpose()?;
    if let Some(name) = name.as_ref().filter(|name| name.digest().is_some()) {
        let message = format!("cannot import as `{}`: a name with a digest cannot be given", name.familiar());
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint("leave out the part behind `@`"));
    }
    let mut config = ContainerConfig::default();
    apply_changes(&mut config, &options.changes)?;
    let options = image::ImportOptions {
        created: engine.now().to_string(),
        message: options.message.clone().filter(|message| !message.is_empty()),
        source: options.source.clone(),
        platform: Platform::host(),
        config,
    };
    let id = image::import(engine.store(), tarball, options)?;
    if let Some(name) = name {
        engine.store().set_reference(&name.with_default_tag(), id)?;
    }
    Ok(id)
}

impl From<ImportError> for Error {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Store(error) => error.into(),
            ImportError::Read { .. } => Self::from_source(ErrorKind::InvalidInput, &error),
            ImportError::Layer { .. } => Self::from_source(ErrorKind::InvalidInput, &error)
                .with_hint("`onggi import` takes a tarball of files; an archive of `save` is for `onggi load`"),
        }
    }
}
