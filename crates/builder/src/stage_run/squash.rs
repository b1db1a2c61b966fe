//! `--squash`: the layers that the build made become one, on those of the base, which stay as they are (N012).

use std::time::Instant;

use oci::{ChainId, DiffId, Digest, History, ImageId};

use super::{StageRun, StepRecord};
use crate::StepOutcome;
use crate::build::BuildError;
use crate::cache_folder::UsedStep;
use crate::epoch::Epoch;
use crate::failure::internal;
use crate::key::{CacheKey, Field};
use crate::new_layer::NewLayer;
use crate::plan::Base;
use crate::report::Step;

impl StageRun<'_, '_> {
    /// Puts one layer in the place of the build's own; with none or one there is nothing to do.
    pub(super) fn squash(&mut self) -> Result<(), BuildError> {
        let own = self.config.rootfs.diff_ids.len() - self.inherited_layers;
        if own < 2 {
            return Ok(());
        }
        let step = self.solver.reporter.start(format!("squashing {own} layers"));
        let squashed = self.squashed(step);
        match &squashed {
            Ok((_, outcome)) => step.finish(outcome.clone()),
            Err(BuildError::Cancelled) => step.finish(StepOutcome::Canceled),
            Err(error) => step.finish(StepOutcome::Failed(error.to_string())),
        }
        let (record, _) = squashed?;
        self.config.rootfs.diff_ids.truncate(self.inherited_layers);
        self.config.rootfs.diff_ids.push(record.layer);
        self.chain = ChainId::of(&self.config.rootfs.diff_ids);
        self.rewrite_history(own, &record);
        // Of the images of instructions none has this layer.
        (self.image, self.made) = (None, None);
        Ok(())
    }

    /// Found, or made.
    fn squashed(&mut self, step: Step<'_, '_>) -> Result<(StepRecord, StepOutcome), BuildError> {
        let (base, own) = self.config.rootfs.diff_ids.split_at(self.inherited_layers);
        let key = own
            .iter()
            .fold(CacheKey::new("squash", ChainId::of(base)), |key, layer| key.with(Field::Layer, layer.to_string()));
        let digest = key.digest();
        let base = base.to_vec();
        // The layers name the result, so it is also that of a build which ignores results.
        self.chain = ChainId::of(&base);
        if let Some(record) = self.found_anywhere(&key)? {
            self.note_squashed(digest, base, &record);
            return Ok((record, StepOutcome::Cached));
        }
        self.solver.note_miss()?;
        let stack = self.hold_layers()?;
        let _lock = self.lock_step(digest, step)?;
        if let Some(record) = self.found(digest)? {
            self.note_squashed(digest, base, &record);
            return Ok((record, StepOutcome::Cached));
        }
        let store = self.solver.tools.store;
        let began = Instant::now();
        let mut layer = NewLayer::begin(store, self.ceiling())?;
        layer::squash(&stack.tree(), self.inherited_layers, &mut layer.writer)
            .map_err(|error| internal("squash the layers", &error))?;
        let layer = layer.finish(store)?;
        let record = self.record(&key, layer, began.elapsed())?;
        self.keep(digest, &record)?;
        self.note_squashed(digest, base, &record);
        Ok((record, StepOutcome::Done))
    }

    fn note_squashed(&self, key: Digest, below: Vec<DiffId>, record: &StepRecord) {
        let (layer, created) = (record.layer, record.created.clone());
        self.solver.caches.used.note(|| UsedStep { key, content: None, layer, below, created, is_of_image: true });
    }

    /// As Docker's classic builder has it: the rows stay, their layers are gone, and a last row has the one there is.
    fn rewrite_history(&mut self, count: usize, record: &StepRecord) {
        let created = self.solver.plan.epoch.map_or_else(|| record.created.clone(), Epoch::text);
        for row in &mut self.config.history[self.inherited_rows..] {
            row.empty_layer = true;
            row.created.get_or_insert_with(|| created.clone());
        }
        let comment = match self.base_image() {
            Some(base) => format!("merge {count} layers to {base}"),
            None => format!("create new from {count} layers"),
        };
        self.config.history.push(History { created: Some(created), comment: Some(comment), ..History::default() });
    }

    /// The image that the stage and those before it began with.
    fn base_image(&self) -> Option<ImageId> {
        let mut index = self.index;
        loop {
            match &self.solver.plan.stages[index].as_ref()?.base {
                Base::Scratch => return None,
                Base::Image { image, .. } => return Some(image.id),
                Base::Stage(parent) => index = *parent,
            }
        }
    }
}
