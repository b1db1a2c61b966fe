//! The end of a build: configs with all their times, and what is to become of them.

mod archive;
mod destination;
mod files;
mod image;
mod possible;

pub(crate) use image::of_this_machine;
pub(crate) use possible::check;

use oci::{Descriptor, ImageConfig, ImageId, Platform, Reference};
use serde::{Deserialize, Serialize};
use store::{RecordKind, Store, StoreError};

use crate::StepOutcome;
use crate::build::{BuildError, BuildRequest, BuildTools};
use crate::cache_folder::Caches;
use crate::epoch::Epoch;
use crate::failure::causes;
use crate::output::{ImageOutput, Output};
use crate::report::{Reporter, Step};
use crate::solve::SolvedStage;

/// When an image with this config, times left out, was first made here: the same build gives the same image ID.
#[derive(Debug, Serialize, Deserialize)]
struct ImageRecord {
    created: String,
}

/// The image of one platform, complete.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) id: ImageId,
    pub(crate) config: ImageConfig,
    pub(crate) bytes: Vec<u8>,
    /// What it was built for.
    pub(crate) platform: Platform,
    /// In a classic build, the image of the instruction before.
    parent: Option<ImageId>,
}

/// What was written besides the store.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Exported {
    /// Of the first archive: its manifest, or its index.
    pub(crate) descriptor: Option<Descriptor>,
    /// The image is one of the store's.
    pub(crate) is_stored: bool,
}

/// What outputs need to know of the build.
struct Export<'a> {
    images: &'a [Made],
    request: &'a BuildRequest,
    tools: &'a BuildTools<'a>,
    reporter: &'a Reporter<'a>,
}

/// Writes all outputs, one after the other; without any, an image of the store.
pub(crate) fn export(
    images: &[Made],
    request: &BuildRequest,
    tools: &BuildTools<'_>,
    reporter: &Reporter<'_>,
) -> Result<Exported, BuildError> {
    let usual = [Output::Image(ImageOutput::default())];
    let outputs = if request.outputs.is_empty() { &usual[..] } else { &request.outputs };
    let export = Export { images, request, tools, reporter };
    let mut exported = Exported::default();
    for output in outputs {
        let Some(name) = name(output) else { continue };
        let step = reporter.start(name);
        let written = export.write(output, step);
        step.finish(match &written {
            Ok(_) => StepOutcome::Done,
            Err(error) => StepOutcome::Failed(error.to_string()),
        });
        let written = written?;
        exported.descriptor = exported.descriptor.or(written.descriptor);
        exported.is_stored |= written.is_stored;
    }
    Ok(exported)
}

impl Made {
    /// A solved stage with the times that it has none of yet.
    pub(crate) fn of_stage(
        stage: &SolvedStage,
        platform: &Platform,
        request: &BuildRequest,
        epoch: Option<Epoch>,
        tools: &BuildTools<'_>,
        caches: &Caches,
    ) -> Result<Self, BuildError> {
        if let Some(id) = stage.made {
            let bytes = tools.store.image_bytes(id)?.ok_or(StoreError::ImageMissing(id))?;
            let config = tools.store.image(id)?;
            return Ok(Self { id, config, bytes, platform: platform.clone(), parent: None });
        }
        let (config, bytes) = complete(stage.config.clone(), stage.inherited_rows, request, epoch, tools, caches)?;
        let id = ImageId(oci::Digest::of(&bytes));
        Ok(Self { id, config, bytes, platform: platform.clone(), parent: stage.image })
    }
}

/// An image in the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    pub(crate) id: ImageId,
    /// Nothing had to be written for it.
    pub(crate) was_there: bool,
}

/// Gives a config its times and puts the image into the store; the first rows of its history came with the base.
pub(crate) fn publish(
    config: ImageConfig,
    inherited_rows: usize,
    request: &BuildRequest,
    epoch: Option<Epoch>,
    tools: &BuildTools<'_>,
    parent: Option<ImageId>,
    caches: &Caches,
) -> Result<Published, BuildError> {
    let (_, bytes) = complete(config, inherited_rows, request, epoch, tools, caches)?;
    put(tools.store, &bytes, parent)
}

/// Puts an image into the store, unless it is there.
fn put(store: &Store, bytes: &[u8], parent: Option<ImageId>) -> Result<Published, BuildError> {
    let id = ImageId(oci::Digest::of(bytes));
    let parent = parent.filter(|parent| *parent != id);
    let was_there = store.has_image(id)?;
    if !was_there {
        store.publish_image(bytes, parent)?;
    } else if let Some(parent) = parent
        && store.parent(id)? != Some(parent)
    {
        store.set_parent(id, parent)?;
    }
    Ok(Published { id, was_there })
}

/// Gives a config its times, and its bytes.
fn complete(
    mut config: ImageConfig,
    inherited_rows: usize,
    request: &BuildRequest,
    epoch: Option<Epoch>,
    tools: &BuildTools<'_>,
    caches: &Caches,
) -> Result<(ImageConfig, Vec<u8>), BuildError> {
    config.created = None;
    let created = match epoch {
        Some(epoch) => epoch.text(),
        None => first_made(&config, request, tools, caches)?,
    };
    let own = &mut config.history[inherited_rows..];
    for row in own.iter_mut().rev().take_while(|row| row.created.is_none()) {
        row.created = Some(created.clone());
    }
    config.created = Some(created);
    let bytes = config.to_bytes();
    Ok((config, bytes))
}

/// Whether a record says when an image was first made.
pub(crate) fn is_image_record(content: &[u8]) -> bool {
    let known: Option<ImageRecord> = serde_json::from_slice(content).ok();
    known.is_some_and(|known| known.created.parse::<jiff::Timestamp>().is_ok())
}

/// When an image with this config was first made, here or where a cache was written; now, if it was not.
fn first_made(
    config: &ImageConfig,
    request: &BuildRequest,
    tools: &BuildTools<'_>,
    caches: &Caches,
) -> Result<String, BuildError> {
    let key = oci::Digest::of(&config.to_bytes());
    let known = tools.store.record(RecordKind::Step, key)?;
    let known: Option<ImageRecord> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // `--no-cache` makes the same steps anew; its image is new even if they gave the same files.
    let created = match known.filter(|_| !request.no_cache) {
        Some(known) => known.created,
        None => {
            let imported = caches.imports.image(key).map(str::to_owned);
            let record = ImageRecord { created: imported.unwrap_or_else(|| (tools.clock)().to_string()) };
            let content = serde_json::to_vec(&record).expect("a record has text keys only, so it is always JSON");
            tools.store.put_record(RecordKind::Step, key, &content)?;
            record.created
        }
    };
    caches.used.note_image(key, &created);
    Ok(created)
}

/// The step's, as BuildKit has it.
fn name(output: &Output) -> Option<&'static str> {
    match output {
        Output::Image(_) => Some("exporting to image"),
        Output::Archive(output) if output.is_docker => Some("exporting to docker image format"),
        Output::Archive(_) => Some("exporting to oci image format"),
        Output::Folder(_) => Some("exporting to client directory"),
        Output::Tar(_) => Some("exporting to client tarball"),
        Output::CacheOnly => None,
    }
}

impl Export<'_> {
    fn write(&self, output: &Output, step: Step<'_, '_>) -> Result<Exported, BuildError> {
        match output {
            Output::Image(output) => self.image(output, step),
            Output::Archive(output) => self.archive(output, step),
            Output::Folder(output) => self.folder(output, step),
            Output::Tar(output) => self.tar(output, step),
            Output::CacheOnly => Ok(Exported::default()),
        }
    }

    /// The names that were given to the build, or else those of the output.
    fn names(&self, own: &[Reference]) -> Vec<Reference> {
        let names = if self.request.tags.is_empty() { own } else { &self.request.tags };
        names.iter().map(|name| name.clone().with_default_tag()).collect()
    }

    /// Keeps all layers from being removed while they are written out, which may take long.
    fn hold_layers(&self) -> Result<store::Lease<'_>, BuildError> {
        let lease = self.tools.store.lease()?;
        for made in self.images {
            for layer in &made.config.rootfs.diff_ids {
                lease.hold(layer.0)?;
            }
        }
        Ok(lease)
    }
}

/// An output that cannot be written, with what is behind it.
fn unwritten(error: &(dyn std::error::Error + 'static), hint: Option<String>) -> BuildError {
    BuildError::Output { message: error.to_string(), causes: causes(error), hint }
}
