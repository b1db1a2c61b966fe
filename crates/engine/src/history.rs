//! `history`: how an image came to be, the newest row first.

use image::Sizes;
use jiff::Timestamp;
use oci::{ImageId, Platform};

use crate::images::created;
use crate::{Engine, Error, platform};

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The image after it, while this store knows the chain of parents (S211).
    pub id: Option<ImageId>,
    /// When it was made; `None` where it does not say.
    pub created: Option<Timestamp>,
    /// The instruction, as it is stored.
    pub created_by: String,
    /// Content of its layer, uncompressed; 0 without one.
    pub size: u64,
    /// `buildkit.dockerfile.v0`, or the message of a commit.
    pub comment: String,
    /// Names of the image after it.
    pub names: Vec<String>,
}

/// The history of an image, which must be for `platform` where one is given.
///
/// # Errors
/// When there is no such image, or a layer of it is damaged.
pub fn history(engine: &Engine, name: &str, platform: Option<&Platform>) -> Result<Vec<HistoryEntry>, Error> {
    let store = engine.store();
    let id = image::find(store, name)?.ok_or_else(|| Error::no_such_image(name))?;
    platform::require(engine, id, name, platform.cloned().as_slice())?;
    let config = store.image(id)?;
    let mut sizes = Sizes::new(store).layers(&config.rootfs.diff_ids)?.into_iter();
    let mut rows: Vec<HistoryEntry> = config
        .history
        .iter()
        .map(|row| HistoryEntry {
            id: None,
            created: created(row.created.as_deref()),
            created_by: row.created_by.clone().unwrap_or_default(),
            size: if row.empty_layer { 0 } else { sizes.next().unwrap_or_default() },
            comment: row.comment.clone().unwrap_or_default(),
            names: Vec::new(),
        })
        .collect();
    rows.reverse();
    let references = store.references()?;
    let mut after = Some(id);
    for row in &mut rows {
        let Some(id) = after else { break };
        row.id = Some(id);
        row.names = references.iter().filter(|(_, named)| *named == id).map(|(name, _)| name.familiar()).collect();
        after = store.parent(id)?;
        if let Some(parent) = after
            && !store.has_image(parent)?
        {
            break;
        }
    }
    Ok(rows)
}
