//! Pins: images that no prune removes. An empty file each.

use oci::{Digest, ImageId};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::lock::Lock;
use crate::{Store, StoreError, file};

const FOLDER: &str = "pins";

impl Store {
    /// Pins an image; whether it was not pinned before.
    ///
    /// # Errors
    /// When the image is not there, or the file cannot be made.
    pub fn pin(&self, id: ImageId) -> Result<bool, StoreError> {
        let _shared = Lock::shared(self, "gc")?;
        if !self.has_image(id)? {
            return Err(StoreError::ImageMissing(id));
        }
        let failed = |errno| StoreError::io("pin", file::full(self, &path(id)), errno);
        file::make_folder(self, FOLDER)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.root, path(id), flags, Mode::RUSR | Mode::WUSR) {
            Ok(_) => file::sync_folder_of(self, &path(id)).map(|()| true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Takes the pin away; whether there was one.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn unpin(&self, id: ImageId) -> Result<bool, StoreError> {
        file::remove(self, &path(id))
    }

    /// Whether an image is pinned.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn is_pinned(&self, id: ImageId) -> Result<bool, StoreError> {
        file::exists(self, &path(id))
    }

    /// All images that are pinned.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn pins(&self) -> Result<Vec<ImageId>, StoreError> {
        if !file::exists(self, FOLDER)? {
            return Ok(Vec::new());
        }
        Ok(file::list(self, FOLDER)?.iter().filter_map(|name| Digest::from_hex(name).ok().map(ImageId)).collect())
    }
}

fn path(id: ImageId) -> String {
    format!("{FOLDER}/{}", id.0.hex())
}
