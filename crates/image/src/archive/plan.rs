//! Which images an archive holds, from its documents alone; layers are named here and verified later.

use oci::{
    Descriptor, DiffId, Digest, ImageConfig, ImageId, ImageIndex, ImageManifest, Platform, Reference, media_type,
};

use super::catalog::{Catalog, named_digest, parse};
use super::documents::{DockerImage, IMAGE_NAME, OciLayout, REF_NAME, REFERENCE_TYPE, Unknown, annotation};
use super::error::LoadError;
use super::take::check;
use super::{limits, names};

/// An image of the archive.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) id: ImageId,
    pub(super) config_bytes: Vec<u8>,
    pub(super) config: ImageConfig,
    pub(super) layers: Vec<WantedLayer>,
    pub(super) references: Vec<Reference>,
    /// The image that it was committed from, as the archive says.
    pub(super) parent: Option<ImageId>,
}

/// A layer of an image.
#[derive(Debug, Clone)]
pub(super) struct WantedLayer {
    /// The member, links followed.
    pub(super) member: String,
    /// What the config says.
    pub(super) diff_id: DiffId,
    /// Digest and length that the manifest announces.
    pub(super) announced: Option<(Digest, u64)>,
}

impl WantedLayer {
    /// Compares a digest of the bytes in the archive with the member's name and with what the manifest announces.
    pub(super) fn check_stored(&self, found: Digest) -> Result<(), LoadError> {
        let announced = self.announced.map(|(digest, _)| digest);
        let mut expected = named_digest(&self.member).into_iter().chain(announced);
        expected.try_for_each(|expected| check(&self.member, expected, found))
    }
}

/// Finds the images. `manifest.json` is asked first: it alone has names in full.
///
/// Where `platform` is given, images for another are passed over, and one must be left.
pub(super) fn plan(catalog: &Catalog, platform: Option<&Platform>) -> Result<Vec<Wanted>, LoadError> {
    let mut plan = Planner { catalog, platform, images: Vec::new() };
    let has_docker = catalog.has(names::DOCKER_MANIFEST);
    if has_docker {
        let images: Vec<DockerImage> = catalog.json(names::DOCKER_MANIFEST, names::DOCKER_MANIFEST)?;
        images.into_iter().try_for_each(|image| plan.docker_image(image))?;
    }
    // Of several platforms Docker's document names one at most.
    let is_elsewhere = has_docker && plan.images.is_empty() && platform.is_some();
    if catalog.has(names::OCI_INDEX) && (is_elsewhere || !has_docker) {
        if catalog.has(names::OCI_LAYOUT) {
            let layout: OciLayout = catalog.json(names::OCI_LAYOUT, names::OCI_LAYOUT)?;
            if !layout.image_layout_version.starts_with("1.") {
                return Err(LoadError::LayoutVersion { version: layout.image_layout_version });
            }
        }
        let index: ImageIndex = catalog.json(names::OCI_INDEX, names::OCI_INDEX)?;
        for descriptor in &index.manifests {
            plan.descriptor(descriptor, names::OCI_INDEX, oci_names(descriptor)?, 0)?;
        }
    } else if !has_docker {
        return Err(if catalog.is_legacy() { LoadError::Legacy } else { LoadError::NotAnArchive });
    }
    match platform.filter(|_| plan.images.is_empty()) {
        Some(platform) => Err(LoadError::NoImageFor { platform: platform.to_string() }),
        None => Ok(plan.images),
    }
}

struct Planner<'a> {
    catalog: &'a Catalog,
    platform: Option<&'a Platform>,
    images: Vec<Wanted>,
}

impl<'a> Planner<'a> {
    fn docker_image(&mut self, image: DockerImage) -> Result<(), LoadError> {
        let needed_by = names::DOCKER_MANIFEST;
        let config = self.catalog.document(&image.config, needed_by)?;
        let digest = Digest::of(config);
        // `<hex>.json` promises a digest as blobs do.
        let stem = image.config.strip_suffix(".json").map(|path| path.rsplit('/').next().unwrap_or(path));
        if let Some(expected) = stem.and_then(|stem| Digest::from_hex(stem).ok()) {
            check(&image.config, expected, digest)?;
        }
        let mut references = Vec::new();
        for text in image.repo_tags.iter().flatten() {
            references.push(reference(needed_by, text)?);
        }
        let layers = image.layers.iter().map(|layer| (layer.clone(), None)).collect();
        self.add(&image.config, config, layers, references, image.parent)
    }

    fn descriptor(
        &mut self,
        descriptor: &Descriptor,
        needed_by: &str,
        references: Vec<Reference>,
        depth: usize,
    ) -> Result<(), LoadError> {
        if is_attestation(descriptor) {
            return Ok(());
        }
        let (member, bytes) = self.blob(descriptor, needed_by)?;
        let unknown: Unknown = parse(&member, bytes)?;
        let kind = unknown.media_type.as_deref().unwrap_or(&descriptor.media_type);
        match kind {
            media_type::OCI_INDEX | media_type::DOCKER_MANIFEST_LIST if depth < limits::DEPTH => {
                let index: ImageIndex = parse(&member, bytes)?;
                let chosen = match self.platform {
                    None => Some(choose(&index, descriptor.digest)?),
                    Some(platform) => choose_for(&index, platform),
                };
                chosen.map_or(Ok(()), |chosen| self.descriptor(chosen, &member, references, depth + 1))
            }
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST if unknown.manifests.is_none() => {
                let manifest: ImageManifest = parse(&member, bytes)?;
                let (config_member, config) = self.blob(&manifest.config, &member)?;
                let layers = manifest.layers.iter().map(|layer| (blob(layer.digest), Some((layer.digest, layer.size))));
                self.add(&config_member, config, layers.collect(), references, None)
            }
            other => Err(LoadError::MediaType { media_type: other.chars().take(120).collect() }),
        }
    }

    fn blob(&self, descriptor: &Descriptor, needed_by: &str) -> Result<(String, &'a [u8]), LoadError> {
        let member = blob(descriptor.digest);
        let bytes = self.catalog.document(&member, needed_by)?;
        check(&member, descriptor.digest, Digest::of(bytes))?;
        if bytes.len() as u64 != descriptor.size {
            return Err(LoadError::Size { member, expected: descriptor.size, found: bytes.len() as u64 });
        }
        Ok((member, bytes))
    }

    fn add(
        &mut self,
        member: &str,
        config_bytes: &[u8],
        layers: Vec<(String, Option<(Digest, u64)>)>,
        references: Vec<Reference>,
        parent: Option<ImageId>,
    ) -> Result<(), LoadError> {
        let id = ImageId(Digest::of(config_bytes));
        if let Some(known) = self.images.iter_mut().find(|image| image.id == id) {
            known.references.extend(references);
            return Ok(());
        }
        if self.images.len() == limits::IMAGES {
            return Err(LoadError::TooMany { what: "images", limit: limits::IMAGES as u64 });
        }
        let config = image_config(member, config_bytes, layers.len())?;
        if self.platform.is_some_and(|wanted| !config.platform().is_like(wanted)) {
            return Ok(());
        }
        let diff_ids = &config.rootfs.diff_ids;
        let mut wanted = Vec::with_capacity(layers.len());
        for ((name, announced), diff_id) in layers.into_iter().zip(diff_ids) {
            let member = self.catalog.resolve(&name, member)?;
            wanted.push(WantedLayer { member, diff_id: *diff_id, announced });
        }
        let config_bytes = config_bytes.to_vec();
        self.images.push(Wanted { id, config_bytes, config, layers: wanted, references, parent });
        Ok(())
    }
}

/// Reads the config of an image for which so many layers are listed.
pub(crate) fn image_config(member: &str, bytes: &[u8], listed: usize) -> Result<ImageConfig, LoadError> {
    let config: ImageConfig = parse(member, bytes)?;
    let diff_ids = &config.rootfs.diff_ids;
    if config.rootfs.kind != "layers" {
        let kind = config.rootfs.kind.chars().take(80).collect();
        return Err(LoadError::RootFs { member: member.to_owned(), kind });
    }
    if diff_ids.len() > limits::LAYERS {
        return Err(LoadError::TooMany { what: "layers in one image", limit: limits::LAYERS as u64 });
    }
    if listed != diff_ids.len() {
        return Err(LoadError::LayerCount { image: Digest::of(bytes), listed, configured: diff_ids.len() });
    }
    Ok(config)
}

pub(super) fn blob(digest: Digest) -> String {
    format!("{}{}", names::BLOBS, digest.hex())
}

fn reference(member: &str, text: &str) -> Result<Reference, LoadError> {
    let parsed = text.parse::<Reference>();
    let parsed = parsed.map_err(|source| LoadError::Reference { member: member.to_owned(), source })?;
    Ok(parsed.with_default_tag())
}

/// The name that the annotations give. A word alone in the specification's annotation is a tag of nothing known.
fn oci_names(descriptor: &Descriptor) -> Result<Vec<Reference>, LoadError> {
    let whole = annotation(descriptor, REF_NAME).filter(|name| name.contains(['/', ':']));
    match annotation(descriptor, IMAGE_NAME).or(whole) {
        Some(name) => Ok(vec![reference(names::OCI_INDEX, name)?]),
        None => Ok(Vec::new()),
    }
}

pub(crate) fn is_attestation(descriptor: &Descriptor) -> bool {
    annotation(descriptor, REFERENCE_TYPE).is_some()
        || descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}

/// The image for this machine; the only one there is, whatever it says that it runs on.
pub(super) fn choose(index: &ImageIndex, digest: Digest) -> Result<&Descriptor, LoadError> {
    let host = Platform::host();
    let none = || LoadError::Platform { index: digest, platform: host.to_string() };
    choose_for(index, &host).or_else(|| only(index)).ok_or_else(none)
}

/// The image for a platform: the one made for just this variant of the processor, or else for any.
pub(crate) fn choose_for<'a>(index: &'a ImageIndex, wanted: &Platform) -> Option<&'a Descriptor> {
    let is_it = |descriptor: &&Descriptor| descriptor.platform.as_ref() == Some(wanted);
    let fits = |descriptor: &&Descriptor| descriptor.platform.as_ref().is_some_and(|platform| platform.is_like(wanted));
    images(index).find(is_it).or_else(|| images(index).find(fits))
}

/// The image of an index that has no other.
pub(crate) fn only(index: &ImageIndex) -> Option<&Descriptor> {
    images(index).next().filter(|_| images(index).count() == 1)
}

fn images(index: &ImageIndex) -> impl Iterator<Item = &Descriptor> {
    index.manifests.iter().filter(|descriptor| !is_attestation(descriptor))
}
