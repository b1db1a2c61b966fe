//! The steps of one stage, in order: each from the cache, or made.

mod files;
mod mounts;
mod squash;

use std::sync::Arc;
use std::time::{Duration, Instant};

use image::Stack;
use layer::{LayerWriter, Timestamp};
use oci::{ChainId, DiffId, Digest, History, ImageConfig, ImageId};
use serde::{Deserialize, Serialize};
use store::{Lock, RecordKind, Store, StoreError};

use crate::StepOutcome;
use crate::build::BuildError;
use crate::cache_folder::UsedStep;
use crate::copy::{self, CopyError};
use crate::epoch::Epoch;
use crate::failed_step::{Keeper, Place};
use crate::failure::internal;
use crate::key::{CacheKey, Field};
use crate::new_layer::NewLayer;
use crate::plan::{Base, CopyFrom, MountOp, Op, PlannedStep, RunOp, StagePlan, WorkdirOp};
use crate::report::Step;
use crate::run;
use crate::run_mounts::MountContent;
use crate::solve::{Seen, SolvedStage, Solver};
use crate::source::Selection;
use crate::step_key::workdir_key;
use crate::step_root::Passed;

/// What is kept of a step that ran.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    /// Printed form of its key.
    pub(crate) key: String,
    pub(crate) layer: DiffId,
    /// When it ran.
    pub(crate) created: String,
    /// The boot in which its layer was written.
    pub(crate) boot: String,
    /// How long it took, in milliseconds: what it costs to make it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) took_ms: Option<u64>,
    /// Printed form of its key by content, where `key` only says which layers it was copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    /// Where it came from, if it was not made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) imported: Option<Imported>,
}

/// What a kept result is, for those who look after the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSummary {
    /// When it was made, RFC 3339.
    pub created: String,
    /// How long that took, in milliseconds, where it is known.
    pub took_ms: Option<u64>,
    /// What it is the result of.
    pub description: String,
}

impl StepSummary {
    /// Reads a record of a step; `None` for what is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let record = StepRecord::parse(bytes)?;
        let key = CacheKey::parse(&record.key);
        let description = key.map_or_else(String::new, |key| key.subject().join(" "));
        Some(Self { created: record.created, took_ms: record.took_ms, description })
    }
}

/// Where a result came from that another store made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Imported {
    /// The cache's manifest.
    pub(crate) manifest: Digest,
    /// As [`StepRecord::content`], of which only the digest is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Digest>,
}

impl StepRecord {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn keep(&self, store: &Store, key: Digest) -> Result<(), StoreError> {
        let content = serde_json::to_vec(self).expect("a record has text keys only, so it is always JSON");
        store.put_record(RecordKind::Step, key, &content)
    }

    /// Digest of the key by content, where this result was found by where it was copied from.
    fn content_digest(&self) -> Option<Digest> {
        let own = self.content.as_deref().and_then(CacheKey::parse).map(|key| key.digest());
        own.or_else(|| self.imported.as_ref()?.content)
    }
}

/// One stage on its way.
pub(crate) struct StageRun<'s, 'a> {
    pub(crate) solver: &'s Solver<'a>,
    pub(crate) index: usize,
    chain: Option<ChainId>,
    pub(crate) config: ImageConfig,
    /// How many rows of the history came with the base image.
    pub(crate) inherited_rows: usize,
    /// How many of the layers did.
    inherited_layers: usize,
    /// The image of the last instruction, in a classic build.
    pub(crate) image: Option<ImageId>,
    /// The same if it was made in this build.
    pub(crate) made: Option<ImageId>,
    /// Opened when the first step is not cached.
    stack: Option<Stack>,
    /// The root of the step before, where roots are copies.
    passed: Passed<'s>,
}

/// A step with its key, and what was found while making the key.
struct Work {
    key: CacheKey,
    selections: Vec<Arc<Selection>>,
    /// Who gets the files, where that is part of the key.
    owner: Option<(u32, u32)>,
    /// What the mounts of RUN begin with, one for one.
    mounts: Vec<MountContent>,
}

/// What making a step gave.
struct Made {
    layer: DiffId,
    /// It would be the same the next time, as far as can be known.
    is_repeatable: bool,
}

impl Work {
    /// Results whose files are never later than a moment are results of their own.
    fn at(self, ceiling: Option<Timestamp>) -> Self {
        Self { key: at(self.key, ceiling), ..self }
    }
}

fn at(key: CacheKey, ceiling: Option<Timestamp>) -> CacheKey {
    match ceiling {
        Some(ceiling) => key.with(Field::Epoch, ceiling.secs.to_string()),
        None => key,
    }
}

impl<'s, 'a> StageRun<'s, 'a> {
    /// Solves a stage from its base on.
    pub(crate) fn solve(solver: &'s Solver<'a>, index: usize, plan: &StagePlan) -> Result<SolvedStage, BuildError> {
        let mut config = plan.config.clone();
        let mut inherited_rows = config.history.len();
        let mut inherited_layers = config.rootfs.diff_ids.len();
        let (mut image, mut made) = (None, None);
        match &plan.base {
            Base::Scratch => {}
            Base::Image { .. } => solver.reporter.start(plan.from_name.clone()).finish(StepOutcome::Cached),
            Base::Stage(parent) => {
                let parent = solver.wait_for(*parent)?;
                config.history = parent.config.history;
                config.rootfs = parent.config.rootfs;
                (inherited_rows, inherited_layers) = (parent.inherited_rows, parent.inherited_layers);
                (image, made) = (parent.image, parent.made);
            }
        }
        let mut run = Self {
            solver,
            index,
            chain: config.chain_id(),
            config,
            inherited_rows,
            inherited_layers,
            image,
            made,
            stack: None,
            passed: Passed::new(solver.tools.store),
        };
        run.tell_from(plan);
        for (place, row) in plan.history.iter().enumerate() {
            run.tell_row(row);
            let (created, outcome) = match row.step {
                Some(step) => {
                    run.step(step, &plan.steps[step]).map(|(created, outcome)| (Some(created), Some(outcome)))?
                }
                None => (None, None),
            };
            run.add_row(row.created_by.clone(), created, row.step.is_none());
            run.keep_image(plan, place, outcome.as_ref())?;
        }
        run.keep_labels(plan)?;
        if solver.request.squash && index == solver.plan.target {
            run.squash()?;
        }
        let Self { config, image, made, .. } = run;
        Ok(SolvedStage { config, inherited_rows, inherited_layers, image, made })
    }

    /// The latest time that a file may have.
    fn ceiling(&self) -> Option<Timestamp> {
        self.solver.plan.epoch?.ceiling()
    }

    fn add_row(&mut self, created_by: String, created: Option<String>, empty_layer: bool) {
        // A result may have been made by a build without the moment, if that leaves files alone.
        let created = created.map(|created| self.solver.plan.epoch.map_or(created, Epoch::text));
        if let Some(created) = &created {
            // Rows without a layer belong to the step that follows them.
            let own = &mut self.config.history[self.inherited_rows..];
            for row in own.iter_mut().rev().take_while(|row| row.created.is_none()) {
                row.created = Some(created.clone());
            }
        }
        let comment = Some("buildkit.dockerfile.v0".to_owned());
        let created_by = Some(created_by);
        self.config.history.push(History { created, created_by, comment, empty_layer, author: None });
    }

    /// Finds or makes a step's layer; gives the time at which it was made.
    fn step(&mut self, number: usize, planned: &PlannedStep) -> Result<(String, StepOutcome), BuildError> {
        let step = self.solver.reporter.queue(planned.name.clone());
        let result = self.wait_for_sources(planned).and_then(|()| {
            if self.solver.is_over() {
                return Err(BuildError::Cancelled);
            }
            step.start();
            self.solve_step(number, planned, step)
        });
        match &result {
            Ok((_, outcome)) => step.finish(outcome.clone()),
            Err(BuildError::Cancelled) => step.finish(StepOutcome::Canceled),
            // The plan is run again.
            Err(error) if error.is_lost_layer() => step.finish(StepOutcome::Canceled),
            Err(error) => step.finish(StepOutcome::Failed(error.to_string())),
        }
        let (record, outcome) = result?;
        if self.solver.classic.is_some() && !self.solver.caches.imports.is_empty() {
            // Each instruction has an image, and that its layers.
            self.solver.bring(&[&self.config.rootfs.diff_ids[..], &[record.layer]].concat())?;
        }
        self.chain = Some(self.chain.map_or(ChainId(record.layer.0), |below| below.then(record.layer)));
        self.config.rootfs.diff_ids.push(record.layer);
        Ok((record.created, outcome))
    }

    /// A step that takes files from another stage begins when that is there.
    fn wait_for_sources(&self, planned: &PlannedStep) -> Result<(), BuildError> {
        let wait_for = |from: &CopyFrom| {
            match from {
                CopyFrom::Context | CopyFrom::Named(_) => {}
                CopyFrom::Stage(stage) => drop(self.solver.wait_for(*stage)?),
                CopyFrom::Image { image, name } => self.solver.show_image(image, name),
            }
            Ok(())
        };
        match &planned.op {
            Op::Copy(op) => wait_for(&op.from),
            Op::Run(op) => op.mounts.iter().filter_map(MountOp::tree).try_for_each(|tree| wait_for(&tree.from)),
            Op::Workdir(_) => Ok(()),
        }
    }

    fn solve_step(
        &mut self,
        number: usize,
        planned: &PlannedStep,
        step: Step<'_, '_>,
    ) -> Result<(StepRecord, StepOutcome), BuildError> {
        let source_key = self.source_key(number, planned)?;
        if let Some(record) = self.found_by_source(number, source_key.as_ref())? {
            self.note_used(source_key.as_ref().map(CacheKey::digest), record.content_digest(), &record);
            return Ok(self.hit(record, step));
        }
        let work = self.work(number, planned)?.at(self.ceiling());
        let digest = work.key.digest();
        let seen = Seen { key: work.key.clone(), stage: self.index, step: number, selections: work.selections.clone() };
        if let Some(record) = self.cached(&work.key)? {
            self.keep_found_by_source(source_key.as_ref(), &record)?;
            self.note_both(source_key.as_ref(), digest, &record);
            self.solver.remember(seen);
            return Ok(self.hit(record, step));
        }
        self.solver.note_miss()?;
        if self.solver.request.explain {
            self.solver.reasons(&seen).iter().for_each(|reason| step.miss(reason.to_string()));
        }
        self.solver.remember(seen);
        let stack = self.hold_layers()?;
        let _lock = self.lock_step(digest, step)?;
        if let Some(record) = self.cached(&work.key)? {
            self.note_both(source_key.as_ref(), digest, &record);
            return Ok((record, StepOutcome::Cached));
        }
        step.runs();
        self.tell_running(digest, &planned.op, step.id());
        let began = Instant::now();
        let Made { layer, is_repeatable } = self.make(number, planned, &work, &stack, step)?;
        let record = self.record(&work.key, layer, began.elapsed())?;
        if is_repeatable {
            self.keep(digest, &record)?;
            self.keep_by_source(source_key.as_ref(), &record)?;
            self.note_both(source_key.as_ref(), digest, &record);
        } else {
            let message = "files of the build context changed while a command used them: its result is not kept";
            self.solver.warn(message, planned.span);
        }
        Ok((record, StepOutcome::Done))
    }

    /// A result that is there, whole, and counts.
    fn cached(&self, key: &CacheKey) -> Result<Option<StepRecord>, BuildError> {
        if self.solver.ignores_cache(self.index).is_some() {
            return Ok(None);
        }
        self.found_anywhere(key)
    }

    /// A result of the store, or else of a cache.
    fn found_anywhere(&self, key: &CacheKey) -> Result<Option<StepRecord>, BuildError> {
        let digest = key.digest();
        match self.found(digest)? {
            None if !self.solver.caches.imports.is_empty() => self.imported(key, digest),
            found => Ok(found),
        }
    }

    /// A result of a cache. Its layer is brought when something needs it.
    fn imported(&self, key: &CacheKey, digest: Digest) -> Result<Option<StepRecord>, BuildError> {
        let Solver { tools, reporter, caches, .. } = self.solver;
        let store = tools.store;
        let is_there = |layer: DiffId| -> Result<bool, BuildError> {
            if let Some(lease) = self.solver.held() {
                lease.hold(layer.0)?;
            }
            Ok(store.has_layer(layer, self.chain)? && (store.is_durable(layer)? || restore(store, layer)?))
        };
        let Some(found) = caches.imports.find(digest, is_there, reporter)? else { return Ok(None) };
        let record = StepRecord {
            key: key.to_string(),
            layer: found.layer,
            created: found.created,
            boot: self.solver.boot()?.to_owned(),
            took_ms: None,
            content: None,
            imported: Some(Imported { manifest: found.manifest, content: found.content }),
        };
        // A record never names a layer that is not there.
        match store.has_layer(record.layer, self.chain)? {
            true => record.keep(store, digest)?,
            false => self.solver.keep_when_brought(digest, record.clone()),
        }
        Ok(Some(record))
    }

    /// For caches that are written: a result that was found or made, by its key by content and by where it is copied from.
    fn note_both(&self, source_key: Option<&CacheKey>, content: Digest, record: &StepRecord) {
        self.note_used(Some(content), None, record);
        if let Some(source_key) = source_key {
            self.note_used(Some(source_key.digest()), Some(content), record);
        }
    }

    fn note_used(&self, key: Option<Digest>, content: Option<Digest>, record: &StepRecord) {
        let Some(key) = key else { return };
        self.solver.caches.used.note(|| UsedStep {
            key,
            content,
            layer: record.layer,
            below: self.config.rootfs.diff_ids.clone(),
            created: record.created.clone(),
            is_of_image: self.solver.is_of_image(self.index),
        });
    }

    /// A result that was there.
    fn hit(&self, record: StepRecord, step: Step<'_, '_>) -> (StepRecord, StepOutcome) {
        if self.solver.request.explain {
            step.hit(record.created.clone(), record.imported.is_some());
        }
        (record, StepOutcome::Cached)
    }

    /// A result that is there, whole.
    fn found(&self, digest: Digest) -> Result<Option<StepRecord>, BuildError> {
        let store = self.solver.tools.store;
        let record = store.record(RecordKind::Step, digest)?.and_then(|bytes| StepRecord::parse(&bytes));
        let Some(mut record) = record else { return Ok(None) };
        if let Some(lease) = self.solver.held() {
            // First held, then looked for: what is there then stays.
            lease.hold(record.layer.0)?;
        }
        if !store.has_layer(record.layer, self.chain)? {
            return Ok(None);
        }
        if record.boot != self.solver.boot()? {
            // Written before the host went down, perhaps without being synced.
            if !store.is_durable(record.layer)? && !restore(store, record.layer)? {
                return Ok(None);
            }
            self.solver.boot()?.clone_into(&mut record.boot);
            record.keep(store, digest)?;
        }
        Ok(Some(record))
    }

    /// What is kept of a result that was made now.
    fn record(&self, key: &CacheKey, layer: DiffId, took: Duration) -> Result<StepRecord, BuildError> {
        let created = match self.solver.plan.epoch {
            Some(epoch) => epoch.text(),
            None => (self.solver.tools.clock)().to_string(),
        };
        let boot = self.solver.boot()?.to_owned();
        let took_ms = u64::try_from(took.as_millis()).ok();
        Ok(StepRecord { key: key.to_string(), layer, created, boot, took_ms, content: None, imported: None })
    }

    fn keep(&self, digest: Digest, record: &StepRecord) -> Result<(), BuildError> {
        Ok(record.keep(self.solver.tools.store, digest)?)
    }

    /// The right to run a step. Another build that has it may take long, and this one may be cancelled meanwhile.
    fn lock_step(&self, digest: Digest, step: Step<'_, '_>) -> Result<Lock, BuildError> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(lock) = self.solver.tools.store.try_lock_step(digest)? {
                return Ok(lock);
            }
            if self.solver.is_over() {
                return Err(BuildError::Cancelled);
            }
            if pause == Duration::from_millis(1) {
                step.status("waiting for another build that runs the same step");
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Names all layers below in the lease, then opens them: what is open cannot be taken away.
    fn hold_layers(&mut self) -> Result<Stack, BuildError> {
        let lease = self.solver.lease()?;
        let mut stack = self.stack.take().unwrap_or_default();
        for layer in &self.config.rootfs.diff_ids[stack.diff_ids().len()..] {
            lease.hold(layer.0)?;
            self.solver.push_layer(&mut stack, *layer, "open the layers below")?;
        }
        self.stack = Some(stack.clone());
        Ok(stack)
    }
}

impl StageRun<'_, '_> {
    fn work(&self, number: usize, planned: &PlannedStep) -> Result<Work, BuildError> {
        match &planned.op {
            Op::Run(op) => self.run_work(number, op),
            Op::Workdir(op) => {
                let key = workdir_key(op, self.chain);
                Ok(Work { key, selections: Vec::new(), owner: None, mounts: Vec::new() })
            }
            Op::Copy(op) => self.copy_work(number, planned, op),
        }
    }

    fn make(
        &self,
        number: usize,
        planned: &PlannedStep,
        work: &Work,
        stack: &Stack,
        step: Step<'_, '_>,
    ) -> Result<Made, BuildError> {
        let failed = |error: CopyError| self.failed_here(planned, &error);
        let store = self.solver.tools.store;
        let layer = match &planned.op {
            Op::Run(op) => {
                let layer = self.run(planned, op, work, stack, step)?;
                let of_folder = work.mounts.iter().filter_map(MountContent::of_folder);
                let is_repeatable = of_folder.into_iter().all(|(context, selection)| context.is_unchanged(selection));
                return Ok(Made { layer, is_repeatable });
            }
            Op::Copy(op) => {
                let selections = self.all_selections(number, planned, op, work)?;
                let mut layer = NewLayer::begin(store, self.ceiling())?;
                self.write_copy(op, &selections, work.owner, stack, &mut layer.writer).map_err(failed)?;
                layer.finish(store)?
            }
            Op::Workdir(op) => {
                let mut layer = NewLayer::begin(store, self.ceiling())?;
                self.write_folder(op, stack, &mut layer.writer).map_err(failed)?;
                layer.finish(store)?
            }
        };
        Ok(Made { layer, is_repeatable: true })
    }

    fn run(
        &self,
        planned: &PlannedStep,
        op: &RunOp,
        work: &Work,
        stack: &Stack,
        step: Step<'_, '_>,
    ) -> Result<DiffId, BuildError> {
        run::run(self.keeper(planned), stack, op, &work.mounts, self.ceiling(), step, &self.passed)
    }

    fn keeper<'k>(&'k self, planned: &'k PlannedStep) -> Keeper<'k> {
        let Solver { request, tools, reporter, .. } = self.solver;
        Keeper { request, tools, reporter, planned }
    }

    /// A failure for which what is below the step is kept.
    fn failed_here(&self, planned: &PlannedStep, error: &CopyError) -> BuildError {
        let place = Place { layers: &self.config.rootfs.diff_ids, config: &self.config, is_complete: false };
        self.keeper(planned).copy_failed(planned.span, error, &place)
    }

    fn write_folder(&self, op: &WorkdirOp, stack: &Stack, writer: &mut LayerWriter) -> Result<(), CopyError> {
        let base = stack.tree();
        let owner = match op.user.as_str() {
            "" => None,
            user => Some(image::users::resolve(&base, user).map(|user| (user.uid, user.gid))?),
        };
        copy::make_folder(&op.path, owner, &base, writer)
    }
}

/// Reads a layer again that may be torn, and writes it and its index again if it is whole.
fn restore(store: &Store, layer: DiffId) -> Result<bool, BuildError> {
    let Some(tar) = store.layer_tar(layer)? else { return Ok(false) };
    let sink = store.layer_sink()?;
    let copy = sink.file().map_err(|error| internal("open the new layer", &error))?;
    // What cannot be read is not what was written.
    let Ok(found) = layer::ingest(tar, copy, None) else { return Ok(false) };
    if found.diff_id == layer {
        store.add_layer(layer, sink, &found.index, None)?;
    }
    Ok(found.diff_id == layer)
}
