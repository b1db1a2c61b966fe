//! Reads images out of one tar.
//!
//! A stream is read once: documents are kept, layers go to nameless files of the store while they are hashed and
//! indexed; what they are for is known at the end. Of a file that is not compressed only the headers and documents are
//! read first, so that each layer can be read once in its place above the others, and not at all when the store has
//! it. Either way all digests are verified before the first image appears.

mod folder;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;

use layer::{Compression, Decoder};
use oci::{DiffId, Hasher, ImageId, Platform, Reference};
use store::{Lease, Store};

use super::catalog::{Catalog, Content, named_digest};
use super::error::LoadError;
use super::limits;
use super::member::{Kind, Member};
use super::members::{Members, Place, Source, Stream};
use super::plan::{Wanted, WantedLayer, plan};
use super::take::{Hashing, Sniffed, Taken, check, first_block, place, sniff, take, unreadable};
use crate::Stack;

pub use folder::{LayoutContent, LayoutError, LayoutImage, load_layout};

/// An image that was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The image, as it is called where it was saved.
    pub id: ImageId,
    /// Its names in the archive.
    pub references: Vec<Reference>,
    /// Those of them that stood for another image until now, and which.
    pub replaced: Vec<(Reference, ImageId)>,
}

/// Loads images from a stream, compressed or not: all of them, or those for `platform`.
///
/// # Errors
/// When the archive is damaged or not one; nothing of it is listed then.
pub fn load(store: &Store, input: impl Read, platform: Option<&Platform>) -> Result<Vec<Loaded>, LoadError> {
    let lease = store.lease()?;
    let decoder = Decoder::new(input).map_err(|source| LoadError::Open { source })?;
    let mut members = Members::new(Stream(decoder));
    let mut catalog = Catalog::default();
    while let Some(member) = members.next()? {
        if let Some((path, size)) = enter(&mut catalog, member)? {
            if catalog.has(&path) {
                return Err(LoadError::Duplicate { member: path });
            }
            let content = take(store, &lease, &path, size, named_digest(&path), members.data())?;
            catalog.add(path, content)?;
        }
    }
    members.drain()?;
    publish(Loader { store, lease, catalog, file: None, whole: HashSet::new() }, platform)
}

/// Loads images from an open file, from where it stands; pipes and compressed files are read as streams.
///
/// # Errors
/// As [`load`].
pub fn load_file(store: &Store, mut file: File, platform: Option<&Platform>) -> Result<Vec<Loaded>, LoadError> {
    let opened = |source| LoadError::Open { source };
    let metadata = file.metadata().map_err(opened)?;
    if !metadata.is_file() {
        return load(store, file, platform);
    }
    let begin = file.stream_position().map_err(opened)?;
    let mut first = [0; Compression::SNIFFED];
    let count = file.read_at(&mut first, begin).map_err(opened)?;
    if Compression::sniff(&first[..count]) != Compression::None {
        return load(store, file, platform);
    }
    let lease = store.lease()?;
    let end = metadata.len().max(begin);
    let mut members = Members::new(Place { file: &file, offset: begin, end });
    let mut catalog = Catalog::default();
    while let Some(member) = members.next()? {
        let offset = begin + member.offset;
        if let Some((path, size)) = enter(&mut catalog, member)? {
            let content = look(&path, offset, size, &mut members)?;
            catalog.add(path, content)?;
        }
    }
    publish(Loader { store, lease, catalog, file: Some(&file), whole: HashSet::new() }, platform)
}

/// Notes a link; gives path and length of a file.
fn enter(catalog: &mut Catalog, member: Member) -> Result<Option<(String, u64)>, LoadError> {
    match member.kind {
        Kind::File => return Ok(Some((member.path, member.size))),
        Kind::Directory => {}
        Kind::Symlink(target) => catalog.add_symlink(member.path, &target)?,
        Kind::HardLink(target) => {
            let target = super::member::path(&target)?;
            catalog.add(member.path, Content::Link { target })?;
        }
    }
    Ok(None)
}

/// What a member of a file holds, from its first block; a document is read.
fn look(path: &str, offset: u64, size: u64, members: &mut Members<impl Source>) -> Result<Content, LoadError> {
    let mut data = members.data();
    let first = first_block(&mut data).map_err(|source| unreadable(path, source))?;
    match sniff(&first) {
        Sniffed::Tar | Sniffed::Compressed => Ok(Content::Place { offset, size }),
        Sniffed::Other if size <= limits::DOCUMENT => {
            let mut bytes = first;
            data.read_to_end(&mut bytes).map_err(|source| unreadable(path, source))?;
            Ok(Content::Document(bytes))
        }
        Sniffed::Other => Ok(Content::Other),
    }
}

/// What loading works on once all members are known.
struct Loader<'a> {
    store: &'a Store,
    lease: Lease<'a>,
    catalog: Catalog,
    /// Where [`Content::Place`] is.
    file: Option<&'a File>,
    /// Layers that are in the store and whole.
    whole: HashSet<DiffId>,
}

/// First all layers of all images, then the images, then their names.
fn publish(mut loader: Loader<'_>, platform: Option<&Platform>) -> Result<Vec<Loaded>, LoadError> {
    let images = plan(&loader.catalog, platform)?;
    for image in &images {
        let mut stack = Stack::default();
        for layer in &image.layers {
            loader.ensure(layer, &mut stack)?;
        }
    }
    let mut loaded = Vec::with_capacity(images.len());
    for image in &images {
        let parent = loader.parent(image, &images)?;
        // What is listed already is durable and need not be synced again.
        let adds_nothing = parent.is_none() || loader.store.parent(image.id)? == parent;
        if !adds_nothing || !loader.store.has_image(image.id)? {
            loader.store.publish_image(&image.config_bytes, parent)?;
        }
    }
    for image in images {
        loaded.push(loader.name(image)?);
    }
    Ok(loaded)
}

impl Loader<'_> {
    /// Sees to it that a layer is in the store, with an index for the layers below it.
    fn ensure(&mut self, layer: &WantedLayer, stack: &mut Stack) -> Result<(), LoadError> {
        self.verify(layer)?;
        if !self.is_whole(layer.diff_id)? {
            self.bring(layer, stack)?;
            self.whole.insert(layer.diff_id);
        }
        Ok(stack.push(self.store, layer.diff_id)?)
    }

    fn is_whole(&mut self, layer: DiffId) -> Result<bool, LoadError> {
        if self.whole.contains(&layer) {
            return Ok(true);
        }
        // The lease comes first: what is there afterwards stays there.
        self.lease.hold(layer.0)?;
        let is_whole = self.store.layer_tar(layer)?.is_some() && self.store.survived(layer)?;
        if is_whole {
            self.whole.insert(layer);
        }
        Ok(is_whole)
    }

    /// Compares what is known of a layer's content with what is said of it.
    fn verify(&mut self, layer: &WantedLayer) -> Result<(), LoadError> {
        let member = &layer.member;
        // The digest in the archive, its length, and the DiffID, as far as they are known by now.
        let (digest, size, diff_id) = match self.catalog.content(member)? {
            Content::Taken(taken) => {
                let diff_id = taken.finished.as_ref().map(|finished| finished.diff_id);
                // A tar that was not hashed will have to have the right DiffID.
                (Some(taken.digest.unwrap_or(layer.diff_id.0)), taken.size, diff_id)
            }
            Content::Known { layer, digest, size } => (Some(*digest), *size, Some(*layer)),
            Content::Place { size, .. } => (None, *size, None),
            Content::Document(bytes) if bytes.is_empty() => (None, 0, None),
            _ => return Err(LoadError::NotALayer { member: member.clone() }),
        };
        if let Some((_, expected)) = layer.announced.filter(|(_, expected)| *expected != size) {
            return Err(LoadError::Size { member: member.clone(), expected, found: size });
        }
        digest.map_or(Ok(()), |digest| layer.check_stored(digest))?;
        diff_id.map_or(Ok(()), |found| check(member, layer.diff_id.0, found.0))
    }

    /// Puts a layer into the store.
    fn bring(&mut self, layer: &WantedLayer, stack: &Stack) -> Result<(), LoadError> {
        let member = &layer.member;
        let content = self.catalog.content(member)?;
        match content {
            Content::Taken(taken) => {
                let digest = taken.digest.unwrap_or(layer.diff_id.0);
                let known = Content::Known { layer: layer.diff_id, digest, size: taken.size };
                match std::mem::replace(content, known) {
                    Content::Taken(taken) => self.bring_taken(layer, taken, stack),
                    _ => Ok(()),
                }
            }
            Content::Place { offset, size } => {
                let (offset, end) = (*offset, *offset + *size);
                let Some(file) = self.file else { return Err(LoadError::NotALayer { member: member.clone() }) };
                self.bring_place(layer, Place { file, offset, end }, stack)
            }
            Content::Document(_) => self.ingest(layer, io::empty(), stack),
            Content::Known { .. } => Err(store::StoreError::LayerMissing(layer.diff_id).into()),
            Content::Link { .. } | Content::Other => Err(LoadError::NotALayer { member: member.clone() }),
        }
    }

    fn bring_taken(&self, layer: &WantedLayer, taken: Taken, stack: &Stack) -> Result<(), LoadError> {
        place(self.store, &layer.member, layer.diff_id, (taken.sink, taken.finished), stack)
    }

    fn bring_place(&self, layer: &WantedLayer, mut place: Place<'_>, stack: &Stack) -> Result<(), LoadError> {
        let failed = |source| unreadable(&layer.member, source);
        let begin = place.offset;
        let first = first_block(&mut place).map_err(failed)?;
        place.offset = begin;
        if sniff(&first) == Sniffed::Tar {
            // Its digest will have to be the DiffID.
            layer.check_stored(layer.diff_id.0)?;
            return self.ingest(layer, place, stack);
        }
        let mut hashing = Hashing { inner: place, hasher: Hasher::new() };
        let decoder = Decoder::new(&mut hashing).map_err(failed)?;
        self.ingest(layer, decoder, stack)?;
        io::copy(&mut hashing, &mut io::sink()).map_err(failed)?;
        layer.check_stored(hashing.hasher.finish())
    }

    fn ingest(&self, layer: &WantedLayer, tar: impl Read, stack: &Stack) -> Result<(), LoadError> {
        let below = stack.chain_id();
        let sink = self.store.layer_sink()?;
        let file = sink.file().map_err(|source| unreadable(&layer.member, source))?;
        let base = below.map(|_| stack.tree());
        let finished = layer::ingest(tar, file, base.as_ref())
            .map_err(|source| LoadError::Layer { member: layer.member.clone(), source })?;
        check(&layer.member, layer.diff_id.0, finished.diff_id.0)?;
        let below = below.filter(|_| finished.needs_base());
        Ok(self.store.add_layer(layer.diff_id, sink, &finished.index, below)?)
    }

    /// The parent that the archive names, if it is one: an image that is here or comes along, with the first layers and
    /// with less history, so that no circle can be made.
    fn parent(&self, image: &Wanted, images: &[Wanted]) -> Result<Option<ImageId>, LoadError> {
        let Some(parent) = image.parent.filter(|parent| *parent != image.id) else { return Ok(None) };
        let below = match images.iter().find(|other| other.id == parent) {
            Some(other) => other.config.clone(),
            None if self.store.has_image(parent)? => self.store.image(parent)?,
            None => return Ok(None),
        };
        let is_below = image.config.rootfs.diff_ids.starts_with(&below.rootfs.diff_ids)
            && below.history.len() < image.config.history.len();
        Ok(is_below.then_some(parent))
    }

    fn name(&self, image: Wanted) -> Result<Loaded, LoadError> {
        let mut loaded = Loaded { id: image.id, references: Vec::new(), replaced: Vec::new() };
        for reference in image.references {
            if loaded.references.contains(&reference) {
                continue;
            }
            if let Some(old) = self.store.reference(&reference)?.filter(|old| *old != image.id) {
                loaded.replaced.push((reference.clone(), old));
            }
            self.store.set_reference(&reference, image.id)?;
            loaded.references.push(reference);
        }
        Ok(loaded)
    }
}
