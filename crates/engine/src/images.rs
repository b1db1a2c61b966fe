//! `images`: one row for each name of an image, newest first.

mod filter;

use std::collections::{HashMap, HashSet};

use image::Sizes;
use jiff::Timestamp;
use oci::{ImageConfig, ImageId, Reference};
use store::{Store, StoreError};

use crate::{Engine, Error};

pub use filter::ImageFilter;
use filter::Selection;

/// What `images` was asked for.
#[derive(Debug, Clone, Default)]
pub struct ImagesOptions {
    /// Images without a name that others were made of, too.
    pub all: bool,
    /// Only what fits all of these.
    pub filters: Vec<ImageFilter>,
    /// `REPOSITORY[:TAG]`, where `*` does not cross `/` (S201).
    pub name: Option<String>,
    /// Which rows come first.
    pub order: ImageOrder,
}

/// What the rows are sorted by (N037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageKey {
    /// When the image was made.
    #[default]
    Created,
    /// All its layers.
    Size,
    /// Repository, then tag.
    Name,
}

/// The order of the rows; by default the newest image first, as in Docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageOrder {
    /// What counts.
    pub key: ImageKey,
    /// The other way round than people mostly want: the oldest, the smallest or the last name first.
    pub is_reversed: bool,
}

/// One name of an image, or an image without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSummary {
    /// As people write it: `node`, `diamol/ch03-web-ping`; `None` for an image without a name.
    pub repository: Option<String>,
    /// `None` for an image without a name, or one named by a digest only.
    pub tag: Option<String>,
    /// Digest under which a registry knows it.
    pub digest: Option<String>,
    /// The image.
    pub id: ImageId,
    /// The image that it was committed from, as far as this store knows.
    pub parent: Option<ImageId>,
    /// When it was made; `None` where it does not say.
    pub created: Option<Timestamp>,
    /// All layers, uncompressed, shared or not (S205).
    pub size: u64,
    /// Its labels.
    pub labels: Vec<(String, String)>,
}

/// An image on the way to its rows.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: ImageId,
    pub(crate) config: ImageConfig,
    pub(crate) created: Option<Timestamp>,
    pub(crate) parent: Option<ImageId>,
    pub(crate) names: Vec<Reference>,
    pub(crate) has_children: bool,
}

/// Lists images, the newest first.
///
/// # Errors
/// When a filter names an image that is not there, or the store cannot be read.
pub fn images(engine: &Engine, options: &ImagesOptions) -> Result<Vec<ImageSummary>, Error> {
    let selection = Selection::new(engine, options)?;
    let mut listed = all(engine)?;
    listed.retain(|image| (options.all || !image.names.is_empty() || !image.has_children) && selection.takes(image));
    listed.sort_by(|one, other| other.created.cmp(&one.created).then_with(|| one.names.cmp(&other.names)));
    let mut sizes = Sizes::new(engine.store());
    let mut rows = Vec::new();
    for image in listed {
        let size = match sizes.image(&image.config) {
            Ok(size) => size,
            // Removed since it was listed, with its layers.
            Err(_) if !engine.store().has_image(image.id)? => continue,
            Err(error) => return Err(error.into()),
        };
        rows_of(&image, size, &selection, &mut rows);
    }
    sort(&mut rows, options.order);
    Ok(rows)
}

/// The rows come newest first, and stay so where the key is the same.
fn sort(rows: &mut [ImageSummary], order: ImageOrder) {
    let name = |row: &ImageSummary| (row.repository.is_none(), row.repository.clone(), row.tag.clone());
    rows.sort_by(|one, other| {
        let natural = match order.key {
            ImageKey::Created => other.created.cmp(&one.created),
            ImageKey::Size => other.size.cmp(&one.size),
            ImageKey::Name => name(one).cmp(&name(other)),
        };
        if order.is_reversed { natural.reverse() } else { natural }
    });
}

/// All images with their names.
pub(crate) fn all(engine: &Engine) -> Result<Vec<Listed>, Error> {
    all_of(engine.store())
}

/// The same of a store.
pub(crate) fn all_of(store: &Store) -> Result<Vec<Listed>, Error> {
    let mut names: HashMap<ImageId, Vec<Reference>> = HashMap::new();
    for (reference, id) in store.references()? {
        names.entry(id).or_default().push(reference);
    }
    let mut listed = Vec::new();
    let mut parents = HashSet::new();
    for id in store.image_ids()? {
        let config = match store.image(id) {
            Ok(config) => config,
            // Removed since the folder was read.
            Err(StoreError::ImageMissing(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let parent = store.parent(id)?;
        parents.extend(parent);
        let created = created(config.created.as_deref());
        let names = names.remove(&id).unwrap_or_default();
        listed.push(Listed { id, config, created, parent, names, has_children: false });
    }
    for image in &mut listed {
        image.has_children = parents.contains(&image.id);
    }
    Ok(listed)
}

/// A config's time; Go writes the year 1 for "not known".
pub(crate) fn created(text: Option<&str>) -> Option<Timestamp> {
    let time: Timestamp = text?.parse().ok()?;
    let year_two: Timestamp = "0002-01-01T00:00:00Z".parse().ok()?;
    (time >= year_two).then_some(time)
}

/// A config's labels as texts.
pub(crate) fn labels(config: &ImageConfig) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    config.config.labels.iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

fn rows_of(image: &Listed, size: u64, selection: &Selection, rows: &mut Vec<ImageSummary>) {
    let same = |one: &Reference, other: &Reference| {
        one.registry() == other.registry() && one.repository() == other.repository()
    };
    // A tag is shown with the digest that the repository knows the image by.
    let digest = |name: &Reference| {
        let known = image.names.iter().filter(|other| same(name, other)).find_map(Reference::digest);
        name.digest().or(known)
    };
    let row = |name: Option<&Reference>| ImageSummary {
        repository: name.map(Reference::familiar_name),
        tag: name.and_then(Reference::tag).map(str::to_owned),
        digest: name.and_then(digest).map(|digest| digest.to_string()),
        id: image.id,
        parent: image.parent,
        created: image.created,
        size,
        labels: labels(&image.config),
    };
    if image.names.is_empty() {
        rows.push(row(None));
        return;
    }
    // A digest has a row of its own only where its repository has no tag.
    let is_shown = |name: &&Reference| {
        let has_tag = || image.names.iter().any(|other| same(name, other) && other.tag().is_some());
        selection.takes_name(name) && (name.tag().is_some() || !has_tag())
    };
    rows.extend(image.names.iter().filter(is_shown).map(|name| row(Some(name))));
}
