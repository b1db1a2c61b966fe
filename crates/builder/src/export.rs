//! The end of a build: a config with all its times, an image in the store, and its names.

use oci::{ImageConfig, ImageId, Reference};
use serde::{Deserialize, Serialize};
use store::RecordKind;

use crate::build::{BuildError, BuildRequest, BuildTools};
use crate::epoch::Epoch;
use crate::report::Reporter;
use crate::solve::SolvedStage;
use crate::{InstructionEvent, StepOutcome};

/// When an image with this config, times left out, was first made here: the same build gives the same image ID.
#[derive(Debug, Serialize, Deserialize)]
struct ImageRecord {
    created: String,
}

/// Publishes the stage's image and names it. Writes nothing when all is there already.
pub(crate) fn export(
    stage: &SolvedStage,
    request: &BuildRequest,
    epoch: Option<Epoch>,
    tools: &BuildTools<'_>,
    reporter: &Reporter<'_>,
) -> Result<ImageId, BuildError> {
    let step = reporter.start("exporting to image");
    step.status("exporting layers");
    let exported = match stage.made {
        Some(made) => Ok(made),
        None => publish(stage.config.clone(), stage.inherited_rows, request, epoch, tools, stage.image)
            .map(|published| published.id),
    };
    let id = match exported {
        Ok(id) => id,
        Err(error) => {
            step.finish(StepOutcome::Failed(error.to_string()));
            return Err(error);
        }
    };
    step.status(format!("writing image {id}"));
    if request.classic.is_some() {
        reporter.instruction(InstructionEvent::Built(id));
    }
    for tag in &request.tags {
        let tag: Reference = tag.clone().with_default_tag();
        tools.store.set_reference(&tag, id)?;
        step.status(format!("naming to {tag}"));
        if request.classic.is_some() {
            reporter.instruction(InstructionEvent::Tagged(tag.familiar()));
        }
    }
    step.finish(StepOutcome::Done);
    Ok(id)
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
    mut config: ImageConfig,
    inherited_rows: usize,
    request: &BuildRequest,
    epoch: Option<Epoch>,
    tools: &BuildTools<'_>,
    parent: Option<ImageId>,
) -> Result<Published, BuildError> {
    config.created = None;
    let created = match epoch {
        Some(epoch) => epoch.text(),
        None => first_made(&config, request, tools)?,
    };
    let own = &mut config.history[inherited_rows..];
    for row in own.iter_mut().rev().take_while(|row| row.created.is_none()) {
        row.created = Some(created.clone());
    }
    config.created = Some(created);
    let bytes = config.to_bytes();
    let id = ImageId(oci::Digest::of(&bytes));
    let parent = parent.filter(|parent| *parent != id);
    let was_there = tools.store.has_image(id)?;
    if !was_there {
        tools.store.publish_image(&bytes, parent)?;
    } else if let Some(parent) = parent
        && tools.store.parent(id)? != Some(parent)
    {
        tools.store.set_parent(id, parent)?;
    }
    Ok(Published { id, was_there })
}

/// When an image with this config was first made here; now, if it was not.
fn first_made(config: &ImageConfig, request: &BuildRequest, tools: &BuildTools<'_>) -> Result<String, BuildError> {
    let key = oci::Digest::of(&config.to_bytes());
    let known = tools.store.record(RecordKind::Step, key)?;
    let known: Option<ImageRecord> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // `--no-cache` makes the same steps anew; its image is new even if they gave the same files.
    if let Some(known) = known.filter(|_| !request.no_cache) {
        return Ok(known.created);
    }
    let record = ImageRecord { created: (tools.clock)().to_string() };
    let content = serde_json::to_vec(&record).expect("a record has text keys only, so it is always JSON");
    tools.store.put_record(RecordKind::Step, key, &content)?;
    Ok(record.created)
}
