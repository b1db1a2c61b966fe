//! Records: small documents by digest that only save work. One that is missing or damaged costs a repetition.

use oci::Digest;

use crate::{Store, StoreError, file};

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// The result of a build step, by the digest of its cache key.
    Step,
    /// The keys of the last build of a context.
    Build,
    /// The stat index of a build context.
    Context,
    /// What a server gave, by the digest of what it was asked for.
    Remote,
    /// The blobs that a layer came as or was sent as, by its DiffID.
    Transport,
}

impl RecordKind {
    /// The store's folder with these records, each named by the digits of its key.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Step => "steps",
            Self::Build => "builds",
            Self::Context => "contexts",
            Self::Remote => "remotes",
            Self::Transport => "transports",
        }
    }
}

impl Store {
    /// Reads a record.
    ///
    /// # Errors
    /// When the host refuses to read it.
    pub fn record(&self, kind: RecordKind, key: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        file::read(self, &format!("{}/{}", kind.folder(), key.hex()))
    }

    /// Writes a record in place of an older one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_record(&self, kind: RecordKind, key: Digest, content: &[u8]) -> Result<(), StoreError> {
        if kind == RecordKind::Transport {
            file::make_folder(self, kind.folder())?;
        }
        file::replace_lazily(self, &format!("{}/{}", kind.folder(), key.hex()), content)
    }

    /// All records of a kind.
    ///
    /// # Errors
    /// When the folder or a file cannot be read.
    pub fn records(&self, kind: RecordKind) -> Result<Vec<(Digest, Vec<u8>)>, StoreError> {
        let mut all = Vec::new();
        for name in file::list_if_there(self, kind.folder())? {
            let Ok(key) = Digest::from_hex(&name) else { continue };
            // Looked at, not used: when a record was last read says when a build last needed it.
            if let Some(content) = file::read_unnoticed(self, &format!("{}/{name}", kind.folder()))? {
                all.push((key, content));
            }
        }
        Ok(all)
    }

    /// Removes a record; whether it was there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_record(&self, kind: RecordKind, key: Digest) -> Result<bool, StoreError> {
        file::remove(self, &format!("{}/{}", kind.folder(), key.hex()))
    }
}
