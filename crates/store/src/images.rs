//! Images: a config by its digest, and the parent that it was committed from.

use oci::{Digest, ImageConfig, ImageId};

use crate::lock::Lock;
use crate::{Store, StoreError, file};

/// What a prefix of an image ID names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageLookup {
    /// Exactly one image.
    Found(ImageId),
    /// None.
    NotFound,
    /// More than one.
    Ambiguous,
}

impl Store {
    /// The config of an image, byte for byte; `None` where there is no such image.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn image_bytes(&self, id: ImageId) -> Result<Option<Vec<u8>>, StoreError> {
        file::read(self, &path(id))
    }

    /// The config of an image.
    ///
    /// # Errors
    /// When there is no such image, or its file is damaged.
    pub fn image(&self, id: ImageId) -> Result<ImageConfig, StoreError> {
        self.image_with_bytes(id).map(|(config, _)| config)
    }

    /// The config of an image, read and byte for byte.
    ///
    /// # Errors
    /// As [`Self::image`].
    pub fn image_with_bytes(&self, id: ImageId) -> Result<(ImageConfig, Vec<u8>), StoreError> {
        let bytes = self.image_bytes(id)?.ok_or(StoreError::ImageMissing(id))?;
        if Digest::of(&bytes) != id.0 {
            let reason = "its content does not have the digest that it is named by".to_owned();
            return Err(StoreError::Corrupt { path: file::full(self, &path(id)), reason });
        }
        let config = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::Corrupt { path: file::full(self, &path(id)), reason: error.to_string() })?;
        Ok((config, bytes))
    }

    /// Whether an image is there, at the cost of one system call.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn has_image(&self, id: ImageId) -> Result<bool, StoreError> {
        file::exists(self, &path(id))
    }

    /// IDs of all images, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn image_ids(&self) -> Result<Vec<ImageId>, StoreError> {
        Ok(file::list(self, "images")?.iter().filter_map(|name| Digest::from_hex(name).ok().map(ImageId)).collect())
    }

    /// Finds an image by the first digits of its ID (at least one; `sha256:` may stand before them).
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn find_image(&self, prefix: &str) -> Result<ImageLookup, StoreError> {
        let digits = prefix.strip_prefix("sha256:").unwrap_or(prefix);
        if digits.is_empty() || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(ImageLookup::NotFound);
        }
        if let Ok(digest) = Digest::from_hex(digits) {
            let found = self.has_image(ImageId(digest))?;
            return Ok(if found { ImageLookup::Found(ImageId(digest)) } else { ImageLookup::NotFound });
        }
        let names = file::list(self, "images")?;
        let mut matching = names.iter().filter(|name| name.starts_with(digits));
        Ok(match (matching.next(), matching.next()) {
            (None, _) => ImageLookup::NotFound,
            (Some(name), None) => {
                Digest::from_hex(name).map_or(ImageLookup::NotFound, |digest| ImageLookup::Found(ImageId(digest)))
            }
            (Some(_), Some(_)) => ImageLookup::Ambiguous,
        })
    }

    /// Makes an image appear. All its layers must be in the store already.
    ///
    /// # Errors
    /// When a layer is missing or the file cannot be written.
    pub fn publish_image(&self, bytes: &[u8], parent: Option<ImageId>) -> Result<ImageId, StoreError> {
        let id = ImageId(Digest::of(bytes));
        let damaged = |reason| StoreError::Corrupt { path: file::full(self, &path(id)), reason };
        let config: ImageConfig = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        let _shared = Lock::shared(self, "gc")?;
        let mut chain = None;
        let mut layers = Vec::new();
        for layer in &config.rootfs.diff_ids {
            if !self.has_layer(*layer, chain)? {
                return Err(StoreError::LayerMissing(*layer));
            }
            layers.push((*layer, chain));
            chain = Some(chain.map_or(oci::ChainId(layer.0), |below: oci::ChainId| below.then(*layer)));
        }
        self.sync_layers(&layers)?;
        if let Some(parent) = parent {
            self.set_parent(id, parent)?;
        }
        if !self.has_image(id)? {
            file::replace(self, &path(id), bytes)?;
        }
        Ok(id)
    }

    /// Notes which image another was made from.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_parent(&self, id: ImageId, parent: ImageId) -> Result<(), StoreError> {
        file::replace(self, &format!("parents/{}", id.0.hex()), parent.to_string().as_bytes())
    }

    /// The image that this one was committed from, as far as this store knows.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn parent(&self, id: ImageId) -> Result<Option<ImageId>, StoreError> {
        let content = file::read(self, &format!("parents/{}", id.0.hex()))?;
        Ok(content.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok()))
    }
}

fn path(id: ImageId) -> String {
    format!("images/{}", id.0.hex())
}
