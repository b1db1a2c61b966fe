//! Runs the plan: independent stages at the same time, each waiting for those that it needs.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use image::{Stack, StackError};
use oci::{ChainId, DiffId, ImageConfig, ImageId, Platform};
use store::{Lease, RecordKind, StoreError};

use crate::StepOutcome;
use crate::build::{BuildError, BuildRequest, BuildTools};
use crate::cache_folder::Caches;
use crate::classic::Classic;
use crate::failure::internal;
use crate::key::CacheKey;
use crate::known::KnownStep;
use crate::miss::{self, CacheMiss};
use crate::plan::{Base, BaseImage, Op, Plan, StagePlan};
use crate::remote_sources::RemoteSources;
use crate::report::Reporter;
use crate::source::Selection;
use crate::sources::PlanSources;
use crate::stage_run::{StageRun, StepRecord};
use crate::step_key::subjects;

/// A stage whose steps all have results.
#[derive(Debug, Clone)]
pub(crate) struct SolvedStage {
    /// Complete, but for the times of rows behind the last layer.
    pub(crate) config: ImageConfig,
    /// How many rows of its history came with the base image.
    pub(crate) inherited_rows: usize,
    /// How many of its layers did.
    pub(crate) inherited_layers: usize,
    /// The image of its last instruction, in a classic build.
    pub(crate) image: Option<ImageId>,
    /// The same if it was made in this build, which an image that is only the base was not.
    pub(crate) made: Option<ImageId>,
}

/// When to begin naming what the build uses, so that nobody removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// With the first step that is not cached: a build that finds everything writes nothing.
    WhenNeeded,
    /// At once: something was removed under our hands.
    FromTheStart,
}

/// Where a stage's result is put for those who wait for it.
#[derive(Debug, Default)]
struct Slot {
    /// `None` within means that it failed.
    result: Mutex<Option<Option<SolvedStage>>>,
    ready: Condvar,
}

impl Slot {
    fn fill(&self, stage: Option<SolvedStage>) {
        lock(&self.result).get_or_insert(stage);
        self.ready.notify_all();
    }

    /// The result, as soon as it is there.
    fn wait(&self) -> Option<SolvedStage> {
        let mut result = lock(&self.result);
        loop {
            match &*result {
                Some(stage) => return stage.clone(),
                None => result = self.ready.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Fills a slot with failure when its thread ends without a result: nobody waits for ever.
struct Filled<'s>(&'s Slot);

impl Drop for Filled<'_> {
    fn drop(&mut self) {
        self.0.fill(None);
    }
}

/// A step with its key, and the files that went into it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) key: CacheKey,
    pub(crate) stage: usize,
    pub(crate) step: usize,
    pub(crate) selections: Vec<Arc<Selection>>,
}

/// One run of a plan.
pub(crate) struct Solver<'a> {
    pub(crate) request: &'a BuildRequest,
    pub(crate) tools: &'a BuildTools<'a>,
    pub(crate) reporter: &'a Reporter<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) sources: PlanSources<'a>,
    pub(crate) classic: Option<&'a Classic<'a>>,
    pub(crate) caches: &'a Caches,
    /// Nothing may run: the first step that is not found ends it.
    is_probe: bool,
    /// Stages whose layers the image has.
    of_image: HashSet<usize>,
    pub(crate) remote: RemoteSources<'a>,
    slots: Vec<Slot>,
    lease: OnceLock<Lease<'a>>,
    taking_lease: Mutex<()>,
    boot: OnceLock<String>,
    /// Keys of the build before this one, for naming what changed.
    previous: OnceLock<Vec<KnownStep>>,
    seen: Mutex<Vec<Seen>>,
    missed: AtomicBool,
    /// A stage failed; the others need not go on.
    failed: AtomicBool,
    first_error: Mutex<Option<BuildError>>,
    /// Images copied from whose step was shown.
    shown: Mutex<HashSet<String>>,
    /// Results of caches whose layers are not in the store yet.
    waiting: Mutex<HashMap<DiffId, Vec<(oci::Digest, StepRecord)>>>,
}

impl<'a> Solver<'a> {
    pub(crate) fn new(
        request: &'a BuildRequest,
        tools: &'a BuildTools<'a>,
        reporter: &'a Reporter<'a>,
        plan: &'a Plan,
        sources: PlanSources<'a>,
        classic: Option<&'a Classic<'a>>,
        caches: &'a Caches,
    ) -> Self {
        let slots = plan.stages.iter().map(|_| Slot::default()).collect();
        Self {
            request,
            tools,
            reporter,
            plan,
            sources,
            classic,
            caches,
            is_probe: false,
            of_image: below(plan, plan.target).collect(),
            remote: RemoteSources::of(plan),
            slots,
            lease: OnceLock::new(),
            taking_lease: Mutex::default(),
            boot: OnceLock::new(),
            previous: OnceLock::new(),
            seen: Mutex::default(),
            missed: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            first_error: Mutex::default(),
            shown: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// Solves all stages that the target needs; gives the target's.
    pub(crate) fn solve(&self, holding: Holding) -> Result<SolvedStage, BuildError> {
        if holding == Holding::FromTheStart {
            self.lease()?;
        }
        match self.classic {
            None => self.solve_together(),
            Some(classic) => self.solve_in_order(classic),
        }
        let error = lock(&self.first_error).take();
        if self.missed.load(Ordering::Relaxed) {
            // They only serve to explain.
            self.keep_keys(error.is_none()).ok();
        }
        let solved = error.map_or_else(|| self.wait_for(self.plan.target), Err)?;
        self.bring_needed(&solved)?;
        Ok(solved)
    }

    /// Whether all steps have results.
    pub(crate) fn probe(mut self) -> bool {
        if self.remote.to_ask().next().is_some() {
            return false;
        }
        self.is_probe = true;
        self.solve_together();
        lock(&self.first_error).is_none()
    }

    /// Layers of the result that are only in a cache by now, and those that are to be in another one.
    fn bring_needed(&self, solved: &SolvedStage) -> Result<(), BuildError> {
        if self.caches.imports.is_empty() {
            return Ok(());
        }
        self.bring(&solved.config.rootfs.diff_ids)?;
        for step in self.caches.used.steps() {
            if self.caches.targets.need(step.layer, step.is_of_image) {
                self.bring(&[&step.below[..], &[step.layer]].concat())?;
            }
        }
        Ok(())
    }

    /// Sees to it that the store has a stack of layers.
    pub(crate) fn bring(&self, layers: &[DiffId]) -> Result<(), BuildError> {
        let mut below: Option<ChainId> = None;
        for layer in layers {
            if !self.tools.store.has_layer(*layer, below)? {
                return self.open_stack("bring the layers of a cache", layers).map(drop);
            }
            below = Some(below.map_or(ChainId(layer.0), |below| below.then(*layer)));
        }
        Ok(())
    }

    /// Opens layers, the bottom one first.
    pub(crate) fn open_stack(&self, doing: &'static str, layers: &[DiffId]) -> Result<Stack, BuildError> {
        let mut stack = Stack::default();
        layers.iter().try_for_each(|layer| self.push_layer(&mut stack, *layer, doing))?;
        Ok(stack)
    }

    /// Opens one more layer, which may have to be brought from a cache first.
    pub(crate) fn push_layer(&self, stack: &mut Stack, layer: DiffId, doing: &'static str) -> Result<(), BuildError> {
        let store = self.tools.store;
        let mut pushed = stack.push(store, layer);
        if !self.caches.imports.is_empty()
            && matches!(&pushed, Err(StackError::Store(StoreError::LayerMissing(missing))) if *missing == layer)
        {
            if self.is_over() {
                return Err(BuildError::Cancelled);
            }
            self.caches.imports.bring(layer, stack, self.lease()?, self.tools)?;
            for (key, record) in lock(&self.waiting).remove(&layer).unwrap_or_default() {
                record.keep(store, key)?;
            }
            pushed = stack.push(store, layer);
        }
        match pushed {
            Ok(()) => Ok(()),
            // A layer that is gone is told apart: the plan may be run again.
            Err(StackError::Store(error)) => Err(error.into()),
            Err(error) => Err(internal(doing, &error)),
        }
    }

    /// Keeps a result of a cache as soon as its layer is there.
    pub(crate) fn keep_when_brought(&self, key: oci::Digest, record: StepRecord) {
        lock(&self.waiting).entry(record.layer).or_default().push((key, record));
    }

    /// Whether the image has the layers of a stage.
    pub(crate) fn is_of_image(&self, stage: usize) -> bool {
        self.of_image.contains(&stage)
    }

    /// Stages that do not need each other at the same time.
    fn solve_together(&self) {
        let needed: Vec<usize> =
            (0..self.plan.stages.len()).filter(|index| self.plan.stages[*index].is_some()).collect();
        std::thread::scope(|scope| {
            // The target runs here; a build of one stage starts no thread.
            for index in needed.iter().copied().filter(|index| *index != self.plan.target) {
                scope.spawn(move || self.solve_stage(index));
            }
            for op in self.remote.to_ask() {
                // The step that takes it sees what came of it.
                scope.spawn(move || self.remote.ask(op, self.tools));
            }
            self.solve_stage(self.plan.target);
        });
    }

    /// One stage after the other, as they stand in the file; the target is the last.
    fn solve_in_order(&self, classic: &Classic<'_>) {
        classic.begin();
        for index in 0..=self.plan.target {
            if self.plan.stages[index].is_none() {
                classic.skip(index);
                continue;
            }
            self.solve_stage(index);
            if self.is_over() {
                return;
            }
        }
    }

    fn solve_stage(&self, index: usize) {
        let Some(plan) = &self.plan.stages[index] else { return };
        let slot = Filled(&self.slots[index]);
        match StageRun::solve(self, index, plan) {
            Ok(stage) => slot.0.fill(Some(stage)),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&self, error: BuildError) {
        self.failed.store(true, Ordering::Relaxed);
        if !error.is_lost_layer() {
            // Commands of other stages are killed, unless the plan will be run again.
            self.tools.cancelled.store(true, Ordering::Relaxed);
        }
        let mut first = lock(&self.first_error);
        if first.as_ref().is_none_or(|first| matches!(first, BuildError::Cancelled)) {
            *first = Some(error);
        }
    }

    /// Whether there is no use in going on.
    pub(crate) fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.tools.cancelled.load(Ordering::Relaxed)
    }

    /// The result of another stage, as soon as it is there.
    pub(crate) fn wait_for(&self, index: usize) -> Result<SolvedStage, BuildError> {
        self.slots[index].wait().ok_or(BuildError::Cancelled)
    }

    /// What this process uses, from the first step that is not cached.
    pub(crate) fn lease(&self) -> Result<&Lease<'a>, BuildError> {
        // One stage takes it and sweeps what dead processes left, the others wait.
        let _first = lock(&self.taking_lease);
        if let Some(lease) = self.lease.get() {
            return Ok(lease);
        }
        let lease = self.tools.store.lease()?;
        Ok(self.lease.get_or_init(|| lease))
    }

    /// The lease, if one was taken.
    pub(crate) fn held(&self) -> Option<&Lease<'a>> {
        self.lease.get()
    }

    pub(crate) fn boot(&self) -> Result<&str, BuildError> {
        if let Some(boot) = self.boot.get() {
            return Ok(boot);
        }
        let boot = store::boot_id()?;
        Ok(self.boot.get_or_init(|| boot))
    }

    /// Shows an image that is copied from as a step of its own, once, as BuildKit does.
    pub(crate) fn show_image(&self, image: &BaseImage, name: &str) {
        if lock(&self.shown).insert(name.to_owned()) {
            self.reporter.start(format!("FROM {}", image.with_digest(name))).finish(StepOutcome::Cached);
        }
    }

    /// Something to know about a place of the Dockerfile that does not stop the build.
    pub(crate) fn warn(&self, message: &str, span: dockerfile::Span) {
        let line = dockerfile::SourceMap::new(&self.request.dockerfile).line_column(span.start).line;
        self.reporter.warning(message.to_owned(), u32::try_from(line).ok());
    }

    /// Notes a step for the next build.
    pub(crate) fn remember(&self, seen: Seen) {
        lock(&self.seen).push(seen);
    }

    /// A step with what it can be compared by.
    pub(crate) fn known(&self, seen: &Seen) -> KnownStep {
        let op = self.plan.stages[seen.stage].as_ref().map(|stage| &stage.steps[seen.step].op);
        let copied = match op {
            Some(Op::Copy(op)) => Some(op),
            _ => None,
        };
        KnownStep::new(seen.key.clone(), self.base(seen.stage), &seen.selections, copied)
    }

    /// The image at the bottom of a stage, with its digest.
    fn base(&self, stage: usize) -> String {
        match self.plan.stages[stage].as_ref().map(|stage| &stage.base) {
            Some(Base::Image { image, name }) => image.with_digest(name),
            Some(Base::Stage(parent)) => self.base(*parent),
            Some(Base::Scratch) | None => "scratch".to_owned(),
        }
    }

    /// A step that is not found. A probe is over then.
    pub(crate) fn note_miss(&self) -> Result<(), BuildError> {
        if self.is_probe {
            return Err(BuildError::Cancelled);
        }
        self.missed.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn history_key(&self) -> oci::Digest {
        let context = self.sources.context().map(|context| context.key().to_string());
        // What is built for this machine is compared with what was, whatever else is built for others.
        let platform = Some(&self.plan.platform).filter(|platform| **platform != Platform::host());
        let platform = platform.map_or_else(String::new, |platform| format!(" {platform}"));
        let about = format!("{context:?} {} {:?}{platform}", self.request.dockerfile_name, self.request.target);
        oci::Digest::of(about.as_bytes())
    }

    /// For the reasons that the next build gives. What a failed build did not come to is kept from the one before.
    fn keep_keys(&self, is_complete: bool) -> Result<(), BuildError> {
        let mut steps: Vec<KnownStep> = lock(&self.seen).iter().map(|seen| self.known(seen)).collect();
        if !is_complete {
            let known: HashSet<Vec<String>> = steps.iter().map(|step| step.key.subject()).collect();
            let older = self.previous_steps().iter().filter(|older| !known.contains(&older.key.subject()));
            steps.extend(older.cloned());
        }
        let text: Vec<String> = steps.iter().map(ToString::to_string).collect();
        Ok(self.tools.store.put_record(RecordKind::Build, self.history_key(), text.join("\n").as_bytes())?)
    }

    fn previous_steps(&self) -> &[KnownStep] {
        self.previous.get_or_init(|| {
            let record = self.tools.store.record(RecordKind::Build, self.history_key()).ok().flatten();
            let text = record.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            text.split("\n\n").filter_map(KnownStep::parse).collect()
        })
    }

    /// Why results that are there do not count, if they do not.
    pub(crate) fn ignores_cache(&self, stage: usize) -> Option<CacheMiss> {
        if self.request.no_cache {
            return Some(CacheMiss::Disabled);
        }
        let is_filtered = self.plan.stages[stage].as_ref().is_some_and(|stage| stage.no_cache);
        is_filtered.then_some(CacheMiss::DisabledForStage)
    }

    /// Why a step has no result.
    pub(crate) fn reasons(&self, seen: &Seen) -> Vec<CacheMiss> {
        if let Some(reason) = self.ignores_cache(seen.stage) {
            return vec![reason];
        }
        let planned: Vec<&StagePlan> = self.plan.stages.iter().flatten().collect();
        miss::reasons(&self.known(seen), self.previous_steps(), &subjects(&planned))
    }
}

/// A stage and those that it stands on.
fn below(plan: &Plan, stage: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(stage), |stage| match plan.stages[*stage].as_ref().map(|stage| &stage.base) {
        Some(Base::Stage(parent)) => Some(*parent),
        _ => None,
    })
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
