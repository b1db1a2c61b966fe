//! References: names of images, each a small file that holds an image ID.

use oci::{Digest, ImageId, Reference};

use crate::lock::Lock;
use crate::{Store, StoreError, file};

impl Store {
    /// The image that a name stands for.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn reference(&self, reference: &Reference) -> Result<Option<ImageId>, StoreError> {
        let name = path(reference)?;
        let Some(content) = file::read(self, &name)? else { return Ok(None) };
        self.parse(&name, &content).map(Some)
    }

    /// All names, sorted.
    ///
    /// # Errors
    /// When the folder or a file cannot be read.
    pub fn references(&self) -> Result<Vec<(Reference, ImageId)>, StoreError> {
        let mut all = Vec::new();
        for name in file::list(self, "references")? {
            let Ok(reference) = name.replace('+', "/").parse::<Reference>() else { continue };
            // One may go between listing and reading.
            let name = format!("references/{name}");
            if let Some(content) = file::read(self, &name)? {
                all.push((reference, self.parse(&name, &content)?));
            }
        }
        Ok(all)
    }

    /// The digests by which the repository of a name knows images. Only the names in the folder are gone through.
    ///
    /// # Errors
    /// When the folder or a file cannot be read.
    pub fn repository_digests(&self, reference: &Reference) -> Result<Vec<(Digest, ImageId)>, StoreError> {
        let repository = format!("{}/{}@", reference.registry(), reference.repository()).replace('/', "+");
        let mut all = Vec::new();
        for name in file::list(self, "references")? {
            let Some(digest) = name.strip_prefix(&repository).and_then(|digest| digest.parse().ok()) else { continue };
            let name = format!("references/{name}");
            if let Some(content) = file::read(self, &name)? {
                all.push((digest, self.parse(&name, &content)?));
            }
        }
        Ok(all)
    }

    /// Lets a name stand for an image. Does not write when it does already.
    ///
    /// # Errors
    /// When the image is not there or the file cannot be written.
    pub fn set_reference(&self, reference: &Reference, id: ImageId) -> Result<(), StoreError> {
        if self.reference(reference)? == Some(id) {
            return Ok(());
        }
        let _shared = Lock::shared(self, "gc")?;
        if !self.has_image(id)? {
            return Err(StoreError::ImageMissing(id));
        }
        file::replace(self, &path(reference)?, id.to_string().as_bytes())
    }

    /// Takes a name away; whether it was there.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove_reference(&self, reference: &Reference) -> Result<bool, StoreError> {
        file::remove(self, &path(reference)?)
    }

    fn parse(&self, name: &str, content: &[u8]) -> Result<ImageId, StoreError> {
        let id = std::str::from_utf8(content).ok().and_then(|text| text.trim_end().parse().ok());
        id.ok_or_else(|| StoreError::Corrupt {
            path: file::full(self, name),
            reason: "it does not hold an image ID".to_owned(),
        })
    }
}

/// The grammar of references has no `+`, so the file's name can be read back.
fn path(reference: &Reference) -> Result<String, StoreError> {
    let name = reference.to_string().replace('/', "+");
    if name.len() > 255 {
        return Err(StoreError::NameTooLong(reference.familiar()));
    }
    Ok(format!("references/{name}"))
}
