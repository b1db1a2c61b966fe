//! The end of a build: a config with all its times, an image in the store, and its names.

use oci::{ImageConfig, ImageId, Reference};
use serde::{Deserialize, Serialize};
use store::RecordKind;

use crate::StepOutcome;
use crate::build::{BuildError, BuildRequest, BuildTools};
use crate::epoch::Epoch;
use crate::report::Reporter;
use crate::solve::SolvedStage;

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
    let exported = publish(stage, request, epoch, tools);
    let id = match exported {
        Ok(id) => id,
        Err(error) => {
            step.finish(StepOutcome::Failed(error.to_string()));
            return Err(error);
        }
    };
    step.status(format!("writing image {id}"));
    for tag in &request.tags {
        let tag: Reference = tag.clone().with_default_tag();
        tools.store.set_reference(&tag, id)?;
        step.status(format!("naming to {tag}"));
    }
    step.finish(StepOutcome::Done);
    Ok(id)
}

fn publish(
    stage: &SolvedStage,
    request: &BuildRequest,
    epoch: Option<Epoch>,
    tools: &BuildTools<'_>,
) -> Result<ImageId, BuildError> {
    let mut config = stage.config.clone();
    config.created = None;
    let created = match epoch {
        Some(epoch) => epoch.text(),
        None => first_made(&config, request, tools)?,
    };
    let own = &mut config.history[stage.inherited_rows..];
    for row in own.iter_mut().rev().take_while(|row| row.created.is_none()) {
        row.created = Some(created.clone());
    }
    config.created = Some(created);
    let bytes = config.to_bytes();
    let id = ImageId(oci::Digest::of(&bytes));
    if !tools.store.has_image(id)? {
        tools.store.publish_image(&bytes, None)?;
    }
    Ok(id)
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
