//! What is known of the blobs of a layer: what it came as or was sent as, and which repositories have it.
//!
//! A record only saves work. One that is missing or damaged counts as empty, and two processes that write one at the same
//! time lose a line.

use oci::{Descriptor, DiffId, Digest, Reference};
use serde::{Deserialize, Serialize};
use store::{RecordKind, Store, StoreError};

/// One blob of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KnownBlob {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// `HOST/REPOSITORY`.
    pub(super) repositories: Vec<String>,
}

impl KnownBlob {
    /// What manifests say of it.
    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest, self.size)
    }

    /// Whether a repository has it.
    pub(super) fn is_in(&self, repository: &str) -> bool {
        self.repositories.iter().any(|name| name == repository)
    }
}

/// Repositories that are remembered of a blob: the newest.
const MOST_REPOSITORIES: usize = 32;

/// The repository of a name, as it is written down.
pub(super) fn repository(reference: &Reference) -> String {
    format!("{}/{}", reference.registry(), reference.repository())
}

/// The blobs that are known of a layer, oldest first.
pub(super) fn blobs(store: &Store, layer: DiffId) -> Result<Vec<KnownBlob>, StoreError> {
    let record = store.record(RecordKind::Transport, layer.0)?;
    Ok(record.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Writes down that a layer is this blob, and that a repository has it. Does not write what is known.
pub(super) fn note(
    store: &Store,
    layer: DiffId,
    blob: &Descriptor,
    repository: Option<&str>,
) -> Result<(), StoreError> {
    let mut known = blobs(store, layer)?;
    let before = known.clone();
    let place = known.iter().position(|one| one.digest == blob.digest).unwrap_or_else(|| {
        let (media_type, digest, size) = (blob.media_type.clone(), blob.digest, blob.size);
        known.push(KnownBlob { media_type, digest, size, repositories: Vec::new() });
        known.len() - 1
    });
    let repositories = &mut known[place].repositories;
    if let Some(repository) = repository.filter(|name| !repositories.iter().any(|one| one == name)) {
        repositories.push(repository.to_owned());
        let surplus = repositories.len().saturating_sub(MOST_REPOSITORIES);
        repositories.drain(..surplus);
    }
    if known == before { Ok(()) } else { put(store, layer, &known) }
}

/// Writes down that a repository has not got a blob after all.
pub(super) fn forget(store: &Store, layer: DiffId, digest: Digest, repository: &str) -> Result<(), StoreError> {
    let mut known = blobs(store, layer)?;
    let before = known.clone();
    for blob in known.iter_mut().filter(|blob| blob.digest == digest) {
        blob.repositories.retain(|name| name != repository);
    }
    if known == before { Ok(()) } else { put(store, layer, &known) }
}

fn put(store: &Store, layer: DiffId, known: &[KnownBlob]) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(known).expect("the record has text keys only, so it is always JSON");
    store.put_record(RecordKind::Transport, layer.0, &bytes)
}
