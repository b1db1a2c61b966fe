//! COPY and ADD within a stage: which files, whose they are to be, and on top of what.

use std::sync::Arc;

use image::Stack;
use layer::{LayerWriter, Tree};
use oci::ImageConfig;

use super::{StageRun, Work, unopened};
use crate::build::BuildError;
use crate::copy::{self, CopyError, Placement};
use crate::failed_step::Place;
use crate::plan::{CopyFrom, CopyOp, PlannedStep};
use crate::source::Selection;
use crate::step_key::copy_key;
use crate::tree_source::TreeOrigin;
use crate::{unpack, wanted};

impl StageRun<'_, '_> {
    /// The files of a step, and its key.
    pub(super) fn copy_work(&self, number: usize, planned: &PlannedStep, op: &CopyOp) -> Result<Work, BuildError> {
        let (selections, digest) = match &op.from {
            CopyFrom::Context => {
                let prepared = self.solver.sources.of(self.index, number).expect("all context sources are loaded");
                (prepared.selections.clone(), prepared.digest)
            }
            CopyFrom::Stage(stage) => {
                let config = self.solver.wait_for(*stage)?.config;
                let origin = format!("stage `{}`", self.solver.plan.stage_name(*stage));
                self.select_of_layers(&config, &origin, op, planned)?
            }
            CopyFrom::Image { image, name } => {
                self.select_of_layers(&image.config, &format!("image `{name}`"), op, planned)?
            }
        };
        let owner = self.independent_owner(planned, op)?;
        Ok(Work { key: copy_key(op, digest, self.chain, owner), selections, owner, mounts: Vec::new() })
    }

    /// Who `--chown` names, where the key does not name the layers that say so (D082).
    fn independent_owner(&self, planned: &PlannedStep, op: &CopyOp) -> Result<Option<(u32, u32)>, BuildError> {
        let Some(owner) = op.chown.as_ref().filter(|_| op.link) else { return Ok(None) };
        let is_name = |part: &str| part != "root" && !part.bytes().all(|byte| byte.is_ascii_digit());
        let base = if owner.split(':').any(is_name) {
            let stack = Stack::open(self.solver.tools.store, &self.config.rootfs.diff_ids);
            stack.map_err(|error| unopened("open the layers below", error))?.tree()
        } else {
            Tree::default()
        };
        let resolved = image::users::resolve_owner(&base, owner);
        resolved.map(Some).map_err(|error| self.failed_here(planned, &error.into()))
    }

    /// Selects files of another stage or image, by its indexes alone.
    fn select_of_layers(
        &self,
        source: &ImageConfig,
        origin: &str,
        op: &CopyOp,
        planned: &PlannedStep,
    ) -> Result<(Vec<Arc<Selection>>, oci::Digest), BuildError> {
        let stack = Stack::open(self.solver.tools.store, &source.rootfs.diff_ids)
            .map_err(|error| unopened("open the layers copied from", error))?;
        let failed = |span, error: &CopyError| {
            let place = Place { layers: &source.rootfs.diff_ids, config: source, is_complete: true };
            self.keeper(planned).copy_failed(span, error, &place)
        };
        let tree = stack.tree();
        let mut origin = TreeOrigin { tree: &tree, name: origin };
        let mut selections = Vec::new();
        let mut is_nothing = true;
        for source in &op.sources {
            let chosen = wanted::choose(op, &source.word, &mut origin);
            let chosen = chosen.map_err(|error| failed(source.span, &error))?;
            selections.extend(chosen.selections);
            is_nothing &= chosen.is_nothing;
        }
        if is_nothing {
            return Err(failed(planned.span, &CopyError::no_match(op)));
        }
        let digest = copy::files_digest(&selections, Some(op));
        Ok((selections, digest))
    }

    pub(super) fn write_copy(
        &self,
        op: &CopyOp,
        work: &Work,
        stack: &Stack,
        writer: &mut LayerWriter,
    ) -> Result<(), CopyError> {
        // A layer that is to fit on any other is written as if there were none (D082).
        let base = if op.link { Tree::default() } else { stack.tree() };
        let owner = match &op.chown {
            Some(owner) if work.owner.is_none() => Some(image::users::resolve_owner(&base, owner)?),
            _ => work.owner,
        };
        let placement = Placement {
            destination: op.destination.clone(),
            into_folder: op.into_folder,
            owner,
            mode: op.chmod.as_ref().map(|chmod| &chmod.mode),
            epoch: self.ceiling(),
        };
        if op.unpack {
            let unpacked = unpack::unpack_archives(&work.selections, self.solver.tools.store)?;
            return copy::write(&unpacked, &placement, &base, writer);
        }
        copy::write(&work.selections, &placement, &base, writer)
    }
}
