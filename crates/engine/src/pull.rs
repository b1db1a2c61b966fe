//! `pull`: images out of a registry, with their names.

use std::sync::{Mutex, PoisonError};

use oci::{Digest, ImageId, Platform, Reference};

use image::transfer::{self, PullRequest};
use registry::Access;

use crate::remote::{RegistryAccess, failed, refused};
use crate::{Engine, Error, ErrorKind};

pub use image::transfer::LayerState;
use image::transfer::PullEvent;

/// What to pull.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// `REPOSITORY[:TAG][@DIGEST]`.
    pub name: String,
    /// Another platform than that of this machine.
    pub platform: Option<Platform>,
    /// All tags of the repository.
    pub all_tags: bool,
}

/// What happens while images are pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullProgress {
    /// The name has no tag: this one is meant.
    DefaultTag(String),
    /// An image is being pulled.
    Begun {
        /// Its tag, or its whole name where that has a digest.
        what: String,
        /// Path of the repository in its registry.
        repository: String,
    },
    /// These are its layers, bottom first.
    Layers(Vec<Digest>),
    /// Something became of one of them.
    Layer {
        /// Which, from 0.
        number: usize,
        /// What.
        state: LayerState,
    },
    /// It is there.
    Pulled {
        /// What the registry knows it by.
        digest: Digest,
    },
}

/// What was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledImages {
    /// The images, in the order of the tags.
    pub ids: Vec<ImageId>,
    /// The name as it was asked for, with its tag or digest unless all tags were.
    pub name: String,
    /// The same as people write it.
    pub familiar: String,
    /// Something of it was not there before.
    pub is_new: bool,
    /// The image is for this platform, and another one was asked for.
    pub other_platform: Option<Platform>,
}

/// Pulls an image, or all of a repository.
///
/// # Errors
/// When the registry does not have it or does not give it. Layers that had come are kept for the next attempt.
pub fn pull(
    engine: &Engine,
    access: &RegistryAccess,
    options: &PullOptions,
    progress: &(dyn Fn(PullProgress) + Sync),
) -> Result<PulledImages, Error> {
    let asked: Reference = options.name.parse()?;
    if options.all_tags {
        return pull_all(engine, access, options, &asked, progress);
    }
    if asked.tag().is_none() && asked.digest().is_none() {
        progress(PullProgress::DefaultTag(asked.tag_or_latest().to_owned()));
    }
    let reference = asked.with_default_tag();
    let client = access.client();
    let source = access.repository(&client, &reference, Access::Pull)?;
    let pulled = pull_one(engine, &source, &reference, options, progress)?;
    let status =
        reference.digest().map_or_else(|| reference.clone(), |digest| reference.clone().with_only_digest(digest));
    Ok(PulledImages {
        ids: vec![pulled.id],
        name: reference.to_string(),
        familiar: status.familiar(),
        is_new: pulled.is_new,
        other_platform: pulled.other_platform,
    })
}

fn pull_all(
    engine: &Engine,
    access: &RegistryAccess,
    options: &PullOptions,
    asked: &Reference,
    progress: &(dyn Fn(PullProgress) + Sync),
) -> Result<PulledImages, Error> {
    if asked.tag().is_some() || asked.digest().is_some() {
        return Err(tag_with_all());
    }
    let client = access.client();
    let source = access.repository(&client, asked, Access::Pull)?;
    let tags = source.tags().map_err(|error| refused(&error, asked, Access::Pull))?;
    let mut all = PulledImages {
        ids: Vec::new(),
        name: asked.to_string(),
        familiar: asked.familiar(),
        is_new: false,
        other_platform: None,
    };
    for tag in tags {
        // What a registry calls a tag need not be one.
        let reference: Reference = format!("{asked}:{tag}").parse()?;
        let pulled = pull_one(engine, &source, &reference, options, progress)?;
        all.ids.push(pulled.id);
        all.is_new |= pulled.is_new;
        all.other_platform = all.other_platform.or(pulled.other_platform);
    }
    Ok(all)
}

/// `-a` means all tags: one of them beside it says something else.
pub(crate) fn tag_with_all() -> Error {
    Error::new(ErrorKind::InvalidInput, "tag can't be used with --all-tags/-a").with_hint("leave out the tag, or `-a`")
}

/// Brings the image that a build needs, and says of each layer when it comes and when it is there.
pub(crate) fn pull_for_build(
    engine: &Engine,
    access: &RegistryAccess,
    wanted: &builder::ImageRequest<'_>,
) -> Result<(), Error> {
    let client = access.client();
    let source = access.repository_until(&client, wanted.reference, Access::Pull, wanted.cancelled)?;
    let name = wanted.reference.to_string();
    let options = PullOptions { name, platform: wanted.platform.cloned(), all_tags: false };
    let layers = Mutex::new(Vec::new());
    let progress = |event| {
        let mut layers = layers.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            PullProgress::Layers(digests) => *layers = digests,
            PullProgress::Layer { number, state } => {
                let Some(digest) = layers.get(number) else { return };
                match state {
                    LayerState::Downloading { done: 0, total } => {
                        let size = builder::human_bytes(total);
                        (wanted.status)(format!("{digest} {size} / {size}"))
                    }
                    LayerState::Elsewhere => (wanted.status)(format!("{digest}: waiting for another process")),
                    LayerState::Complete => (wanted.status)(format!("extracting {digest}")),
                    _ => {}
                }
            }
            PullProgress::Pulled { digest } => {
                let known = wanted.reference.clone().with_only_digest(digest);
                (wanted.status)(format!("resolve {known}"));
            }
            PullProgress::DefaultTag(_) | PullProgress::Begun { .. } => {}
        }
    };
    pull_one(engine, &source, wanted.reference, &options, &progress).map(drop)
}

pub(crate) fn pull_one(
    engine: &Engine,
    source: &dyn transfer::Source,
    reference: &Reference,
    options: &PullOptions,
    progress: &(dyn Fn(PullProgress) + Sync),
) -> Result<transfer::Pulled, Error> {
    let request = PullRequest { reference: reference.clone(), platform: options.platform.clone() };
    let what = match reference.digest() {
        Some(digest) => reference.clone().with_only_digest(digest).to_string(),
        None => reference.tag_or_latest().to_owned(),
    };
    let events = |event| {
        progress(match event {
            PullEvent::Found => {
                PullProgress::Begun { what: what.clone(), repository: reference.repository().to_owned() }
            }
            PullEvent::Layers(layers) => PullProgress::Layers(layers),
            PullEvent::Layer { number, state } => PullProgress::Layer { number, state },
        });
    };
    let pulled = transfer::pull(engine.store(), source, &request, &events);
    let pulled = pulled.map_err(|error| failed(&error, reference, Access::Pull))?;
    progress(PullProgress::Pulled { digest: pulled.digest });
    Ok(pulled)
}
