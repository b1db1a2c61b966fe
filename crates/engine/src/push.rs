//! `push`: images into a registry.

use image::transfer;
use oci::{DiffId, Digest, ImageId, Platform, Reference};
use registry::Access;

use crate::pull::tag_with_all;
use crate::remote::{RegistryAccess, failed};
use crate::{Engine, Error, ErrorKind};

use image::transfer::PushEvent;
pub use image::transfer::SentState;

/// What to push.
#[derive(Debug, Clone)]
pub struct PushOptions {
    /// `REPOSITORY[:TAG]`.
    pub name: String,
    /// What the image must be for.
    pub platform: Option<Platform>,
    /// All tags of the repository.
    pub all_tags: bool,
}

/// What happens while images are pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushProgress {
    /// The name has no tag: this one is meant.
    DefaultTag(String),
    /// Where it goes: `docker.io/library/hello`.
    Repository(String),
    /// These are the layers of the next image, bottom first.
    Layers(Vec<DiffId>),
    /// Something became of one of them.
    Layer {
        /// Which, from 0.
        number: usize,
        /// What.
        state: SentState,
    },
    /// It is there.
    Pushed {
        /// The tag.
        tag: String,
        /// Digest of its manifest.
        digest: Digest,
        /// Length of its manifest.
        size: u64,
    },
}

/// Pushes an image, or all tags of a repository. Gives the whole names, as people write them.
///
/// # Errors
/// When there is no such image, or the registry does not take it.
pub fn push(
    engine: &Engine,
    access: &RegistryAccess,
    options: &PushOptions,
    progress: &(dyn Fn(PushProgress) + Sync),
) -> Result<Vec<String>, Error> {
    let asked: Reference = options.name.parse()?;
    if asked.digest().is_some() {
        let hint = "name a tag: `onggi push NAME:TAG`";
        return Err(Error::new(ErrorKind::InvalidInput, "cannot push a digest reference").with_hint(hint));
    }
    if options.all_tags && asked.tag().is_some() {
        return Err(tag_with_all());
    }
    if asked.tag().is_none() && !options.all_tags {
        progress(PushProgress::DefaultTag(asked.tag_or_latest().to_owned()));
    }
    progress(PushProgress::Repository(format!("{}/{}", asked.registry(), asked.repository())));
    let images = images(engine, &asked, options)?;
    let client = access.client();
    let destination = access.repository(&client, &asked, Access::Push)?;
    let mut names = Vec::new();
    for (reference, id) in images {
        let events = |event| {
            progress(match event {
                PushEvent::Layers(layers) => PushProgress::Layers(layers),
                PushEvent::Layer { number, state } => PushProgress::Layer { number, state },
            });
        };
        let pushed = transfer::push(engine.store(), &destination, id, &reference, &events);
        let pushed = pushed.map_err(|error| failed(&error, &reference, Access::Push))?;
        let tag = reference.tag_or_latest().to_owned();
        progress(PushProgress::Pushed { tag, digest: pushed.digest, size: pushed.size });
        names.push(reference.to_string());
    }
    Ok(names)
}

/// The images that are meant, by their names.
fn images(engine: &Engine, asked: &Reference, options: &PushOptions) -> Result<Vec<(Reference, ImageId)>, Error> {
    let store = engine.store();
    let images = if options.all_tags {
        let same = |name: &Reference| name.registry() == asked.registry() && name.repository() == asked.repository();
        store.references()?.into_iter().filter(|(name, _)| same(name) && name.tag().is_some()).collect()
    } else {
        let name = asked.clone().with_default_tag();
        store.reference(&name)?.map(|id| (name, id)).into_iter().collect::<Vec<_>>()
    };
    if images.is_empty() {
        let name = asked.familiar();
        let what = if options.all_tags { "any tag" } else { "the tag" };
        return Err(Error::new(ErrorKind::NotFound, format!("An image does not exist locally with {what}: {name}"))
            .with_hint(format!("give it that name first: `onggi tag IMAGE {name}`")));
    }
    if let Some(wanted) = &options.platform {
        for (name, id) in &images {
            let found = store.image(*id)?.platform();
            if !found.is_like(wanted) {
                let message = format!("image {} is for {found}, not for {wanted}", name.familiar());
                return Err(Error::new(ErrorKind::NotFound, message)
                    .with_hint(format!("pull that one first: `onggi pull --platform {wanted} {}`", name.familiar())));
            }
        }
    }
    Ok(images)
}
