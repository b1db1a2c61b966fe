//! `save`: images into one archive.

use std::fs::File;

use image::archive::{self, SaveError};
use oci::{ImageId, Platform, Reference};

use crate::{Engine, Error, ErrorKind, platform};

/// Writes images to a file, a pipe or a socket; each with the names that it was asked for by.
///
/// A name without a tag means all tags of the repository, as with Docker. Each image must be for one of `platforms`,
/// where there are any.
///
/// # Errors
/// When a name stands for nothing, or the output cannot be written.
pub fn save(engine: &Engine, names: &[String], platforms: &[Platform], mut out: &File) -> Result<(), Error> {
    let mut images: Vec<(ImageId, Vec<Reference>)> = Vec::new();
    let references = engine.store().references()?;
    for name in names {
        for (id, reference) in named(engine, &references, name)? {
            platform::require(engine, id, name, platforms)?;
            let place = images.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
                images.push((id, Vec::new()));
                images.len() - 1
            });
            let known = &mut images[place].1;
            known.extend(reference.filter(|reference| !known.contains(reference)));
        }
    }
    Ok(archive::save(engine.store(), &images, &mut out)?)
}

/// The images that a name means, each with the name to keep in the archive.
fn named(
    engine: &Engine,
    references: &[(Reference, ImageId)],
    text: &str,
) -> Result<Vec<(ImageId, Option<Reference>)>, Error> {
    if let Ok(asked) = text.parse::<Reference>()
        && asked.digest().is_none()
    {
        let fits = |(reference, _): &&(Reference, ImageId)| {
            reference.registry() == asked.registry()
                && reference.repository() == asked.repository()
                && reference.tag().is_some()
                && asked.tag().is_none_or(|tag| reference.tag() == Some(tag))
        };
        let found: Vec<_> =
            references.iter().filter(fits).map(|(reference, id)| (*id, Some(reference.clone()))).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let id = image::find(engine.store(), text)?.ok_or_else(|| Error::no_such_image(text))?;
    Ok(vec![(id, None)])
}

impl From<SaveError> for Error {
    fn from(error: SaveError) -> Self {
        let kind = match error {
            SaveError::Manifest(error) => return error.into(),
            SaveError::Store(error) => return error.into(),
            SaveError::Write { ref source } if source.kind() == std::io::ErrorKind::StorageFull => {
                ErrorKind::Unavailable
            }
            SaveError::Write { .. } | SaveError::Encode { .. } => ErrorKind::Internal,
            SaveError::Layout { .. } | SaveError::NotALayout { .. } => ErrorKind::InvalidInput,
            SaveError::Layer { .. } => ErrorKind::Corrupt,
        };
        Self::from_source(kind, &error)
    }
}
