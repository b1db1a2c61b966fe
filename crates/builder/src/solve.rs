//! Runs the plan: every step from the cache or anew, independent stages at the same time.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use image::Stack;
use layer::{LayerWriter, Timestamp, Tree};
use oci::{ChainId, DiffId, History, ImageConfig};
use serde::{Deserialize, Serialize};
use store::{LayerSink, Lease, RecordKind};

use crate::StepOutcome;
use crate::build::{BuildError, BuildRequest, BuildTools};
use crate::copy::{self, CopyError, Placement};
use crate::key::{CacheKey, CacheMiss, Field};
use crate::plan::{Base, CopyFrom, CopyOp, Op, Plan, PlannedStep, Problem, RunOp, StagePlan, WorkdirOp};
use crate::report::{Reporter, Step};
use crate::run;
use crate::source::Selection;
use crate::sources::Sources;

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
}

impl StepRecord {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// A stage whose steps all have results.
#[derive(Debug, Clone)]
pub(crate) struct SolvedStage {
    /// Complete, but for the times of rows behind the last layer.
    pub(crate) config: ImageConfig,
    pub(crate) chain: Option<ChainId>,
}

/// Where a stage's result is put for those who wait for it.
#[derive(Debug, Default)]
struct Slot {
    /// `None` within means that it failed.
    result: Mutex<Option<Option<SolvedStage>>>,
    ready: Condvar,
}

/// One run of a plan.
pub(crate) struct Solver<'a> {
    pub(crate) request: &'a BuildRequest,
    pub(crate) tools: &'a BuildTools<'a>,
    reporter: &'a Reporter<'a>,
    plan: &'a Plan,
    sources: &'a Sources,
    slots: Vec<Slot>,
    lease: OnceLock<Lease<'a>>,
    boot: OnceLock<String>,
    /// Keys of the build before this one, for naming what changed.
    previous: OnceLock<Vec<CacheKey>>,
    keys: Mutex<Vec<String>>,
    missed: AtomicBool,
    first_error: Mutex<Option<BuildError>>,
}

impl<'a> Solver<'a> {
    pub(crate) fn new(
        request: &'a BuildRequest,
        tools: &'a BuildTools<'a>,
        reporter: &'a Reporter<'a>,
        plan: &'a Plan,
        sources: &'a Sources,
    ) -> Self {
        let slots = plan.stages.iter().map(|_| Slot::default()).collect();
        Self {
            request,
            tools,
            reporter,
            plan,
            sources,
            slots,
            lease: OnceLock::new(),
            boot: OnceLock::new(),
            previous: OnceLock::new(),
            keys: Mutex::default(),
            missed: AtomicBool::new(false),
            first_error: Mutex::default(),
        }
    }

    /// Solves all stages that the target needs; gives the target's.
    pub(crate) fn solve(&self) -> Result<SolvedStage, BuildError> {
        let needed: Vec<usize> =
            (0..self.plan.stages.len()).filter(|index| self.plan.stages[*index].is_some()).collect();
        std::thread::scope(|scope| {
            // The target runs here; a build of one stage starts no thread.
            for index in needed.iter().copied().filter(|index| *index != self.plan.target) {
                scope.spawn(move || self.solve_stage(index));
            }
            self.solve_stage(self.plan.target);
        });
        if self.missed.load(Ordering::Relaxed) {
            self.keep_keys()?;
        }
        if let Some(error) = lock(&self.first_error).take() {
            return Err(error);
        }
        self.wait_for(self.plan.target)
    }

    fn solve_stage(&self, index: usize) {
        let Some(plan) = &self.plan.stages[index] else { return };
        let result = self.stage(index, plan).map_err(|error| {
            self.tools.cancelled.store(true, Ordering::Relaxed);
            let mut first = lock(&self.first_error);
            if first.as_ref().is_none_or(|first| matches!(first, BuildError::Cancelled)) {
                *first = Some(error);
            }
        });
        *lock(&self.slots[index].result) = Some(result.ok());
        self.slots[index].ready.notify_all();
    }

    /// The result of another stage, as soon as it is there.
    fn wait_for(&self, index: usize) -> Result<SolvedStage, BuildError> {
        let slot = &self.slots[index];
        let mut result = lock(&slot.result);
        loop {
            match &*result {
                Some(Some(stage)) => return Ok(stage.clone()),
                Some(None) => return Err(BuildError::Cancelled),
                None => result = slot.ready.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn stage(&self, index: usize, plan: &StagePlan) -> Result<SolvedStage, BuildError> {
        let mut config = plan.config.clone();
        match &plan.base {
            Base::Scratch => {}
            Base::Image { .. } => {
                let step = self.reporter.start(plan.from_name.clone());
                step.finish(StepOutcome::Cached);
            }
            Base::Stage(parent) => {
                let parent = self.wait_for(*parent)?.config;
                config.history = parent.history;
                config.rootfs = parent.rootfs;
            }
        }
        let mut run = StageRun { solver: self, index, chain: config.chain_id(), config, stack: None };
        for row in &plan.history {
            let created = match row.step {
                Some(step) => Some(run.step(step, &plan.steps[step])?),
                None => None,
            };
            run.add_row(row.created_by.clone(), created, row.step.is_none());
        }
        Ok(SolvedStage { config: run.config, chain: run.chain })
    }

    /// What this process uses, from the first step that is not cached.
    fn lease(&self) -> Result<&Lease<'a>, BuildError> {
        if let Some(lease) = self.lease.get() {
            return Ok(lease);
        }
        let lease = self.tools.store.lease()?;
        Ok(self.lease.get_or_init(|| lease))
    }

    fn boot(&self) -> Result<&str, BuildError> {
        if let Some(boot) = self.boot.get() {
            return Ok(boot);
        }
        let boot = store::boot_id()?;
        Ok(self.boot.get_or_init(|| boot))
    }

    fn remember_key(&self, key: &CacheKey) {
        lock(&self.keys).push(key.to_string());
    }

    fn history_key(&self) -> oci::Digest {
        let context = self.sources.context().map(|context| context.key().to_string());
        oci::Digest::of(format!("{context:?} {} {:?}", self.request.dockerfile_name, self.request.target).as_bytes())
    }

    fn keep_keys(&self) -> Result<(), BuildError> {
        let keys = lock(&self.keys).join("\n");
        Ok(self.tools.store.put_record(RecordKind::Build, self.history_key(), keys.as_bytes())?)
    }

    fn previous_keys(&self) -> &[CacheKey] {
        self.previous.get_or_init(|| {
            let record = self.tools.store.record(RecordKind::Build, self.history_key()).ok().flatten();
            let text = record.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            text.split("\n\n").filter_map(CacheKey::parse).collect()
        })
    }

    /// Why a step has no result: by the key of the last build that is most like its own.
    fn reason(&self, key: &CacheKey) -> CacheMiss {
        if self.request.no_cache {
            return CacheMiss::Disabled;
        }
        let likeness = |older: &&CacheKey| key.likeness(older);
        match self.previous_keys().iter().filter(|older| key.is_same_step(older)).max_by_key(likeness) {
            None => CacheMiss::NeverBuilt,
            Some(older) => key.difference(older).unwrap_or(CacheMiss::Removed),
        }
    }
}

/// One stage on its way.
struct StageRun<'s, 'a> {
    solver: &'s Solver<'a>,
    index: usize,
    chain: Option<ChainId>,
    config: ImageConfig,
    /// Opened when the first step is not cached.
    stack: Option<Stack>,
}

impl StageRun<'_, '_> {
    fn add_row(&mut self, created_by: String, created: Option<String>, empty_layer: bool) {
        if let Some(created) = &created {
            // Rows without a layer belong to the step that follows them.
            for row in self.config.history.iter_mut().rev().take_while(|row| row.created.is_none()) {
                row.created = Some(created.clone());
            }
        }
        let comment = Some("buildkit.dockerfile.v0".to_owned());
        let created_by = Some(created_by);
        self.config.history.push(History { created, created_by, comment, empty_layer, author: None });
    }

    /// Finds or makes a step's layer; gives the time at which it was made.
    fn step(&mut self, number: usize, planned: &PlannedStep) -> Result<String, BuildError> {
        let step = self.solver.reporter.queue(planned.name.clone());
        if self.solver.tools.cancelled.load(Ordering::Relaxed) {
            step.finish(StepOutcome::Canceled);
            return Err(BuildError::Cancelled);
        }
        step.start();
        let result = self.solve_step(number, planned, step);
        match &result {
            Ok((_, outcome)) => step.finish(outcome.clone()),
            Err(BuildError::Cancelled) => step.finish(StepOutcome::Canceled),
            Err(error) => step.finish(StepOutcome::Failed(error.to_string())),
        }
        let (record, _) = result?;
        self.chain = Some(self.chain.map_or(ChainId(record.layer.0), |below| below.then(record.layer)));
        self.config.rootfs.diff_ids.push(record.layer);
        Ok(record.created)
    }

    fn solve_step(
        &mut self,
        number: usize,
        planned: &PlannedStep,
        step: Step<'_, '_>,
    ) -> Result<(StepRecord, StepOutcome), BuildError> {
        let work = self.work(number, planned)?;
        let digest = work.key.digest();
        self.solver.remember_key(&work.key);
        if let Some(record) = self.cached(digest)? {
            return Ok((record, StepOutcome::Cached));
        }
        self.solver.missed.store(true, Ordering::Relaxed);
        if self.solver.request.explain {
            step.miss(self.explain(&work).to_string());
        }
        self.hold_layers()?;
        let waiting = || step.status("waiting for another build that runs the same step");
        let _lock = self.solver.tools.store.lock_step(digest, waiting)?;
        if let Some(record) = self.cached(digest)? {
            return Ok((record, StepOutcome::Cached));
        }
        let layer = self.make(planned, &work, step)?;
        let created = (self.solver.tools.clock)().to_string();
        let boot = self.solver.boot()?.to_owned();
        let record = StepRecord { key: work.key.to_string(), layer, created, boot };
        self.keep(digest, &record)?;
        Ok((record, StepOutcome::Done))
    }

    fn cached(&self, digest: oci::Digest) -> Result<Option<StepRecord>, BuildError> {
        if self.solver.request.no_cache {
            return Ok(None);
        }
        let store = self.solver.tools.store;
        let record = store.record(RecordKind::Step, digest)?.and_then(|bytes| StepRecord::parse(&bytes));
        let Some(mut record) = record else { return Ok(None) };
        if !store.has_layer(record.layer, self.chain)? {
            return Ok(None);
        }
        if record.boot != self.solver.boot()? {
            // Written before the host went down, perhaps without being synced.
            if !store.survived(record.layer)? {
                return Ok(None);
            }
            self.solver.boot()?.clone_into(&mut record.boot);
            self.keep(digest, &record)?;
        }
        if let Some(lease) = self.solver.lease.get() {
            lease.hold(record.layer.0)?;
        }
        Ok(Some(record))
    }

    fn keep(&self, digest: oci::Digest, record: &StepRecord) -> Result<(), BuildError> {
        let content = serde_json::to_vec(record).expect("a record has text keys only, so it is always JSON");
        Ok(self.solver.tools.store.put_record(RecordKind::Step, digest, &content)?)
    }

    /// Names all layers below in the lease, then opens them: what is open cannot be taken away.
    fn hold_layers(&mut self) -> Result<(), BuildError> {
        let lease = self.solver.lease()?;
        let mut stack = self.stack.take().unwrap_or_default();
        for layer in &self.config.rootfs.diff_ids[stack.diff_ids().len()..] {
            lease.hold(layer.0)?;
            stack.push(self.solver.tools.store, *layer).map_err(|error| internal("open the layers below", &error))?;
        }
        self.stack = Some(stack);
        Ok(())
    }

    fn explain(&self, work: &Work<'_>) -> CacheMiss {
        let reason = self.solver.reason(&work.key);
        let context = self.solver.sources.context();
        if let (CacheMiss::Changed { field: Field::Files, .. }, Some(context)) = (&reason, context) {
            let entries: Vec<_> = work.selections().iter().flat_map(|selection| selection.entries.clone()).collect();
            let (paths, count) = context.changed_files(&entries, 3);
            if count > 0 {
                return CacheMiss::FilesChanged { paths, count };
            }
        }
        reason
    }
}

/// A step with its key, and what was found while making the key.
struct Work<'w> {
    key: CacheKey,
    selections: Cow<'w, [Selection]>,
}

impl Work<'_> {
    fn selections(&self) -> &[Selection] {
        &self.selections
    }
}

impl<'s, 'a> StageRun<'s, 'a> {
    fn work(&mut self, number: usize, planned: &PlannedStep) -> Result<Work<'s>, BuildError> {
        let no_files = |key| Work { key, selections: Cow::Borrowed(&[]) };
        match &planned.op {
            Op::Run(op) => Ok(no_files(run_key(op, self.chain))),
            Op::Workdir(op) => Ok(no_files(
                CacheKey::new("workdir", self.chain)
                    .with(Field::Destination, String::from_utf8_lossy(&op.path))
                    .with(Field::User, op.user.as_str()),
            )),
            Op::Copy(op) => {
                let found = match &op.from {
                    CopyFrom::Context => {
                        let prepared =
                            self.solver.sources.of(self.index, number).expect("all context sources are loaded");
                        (Cow::Borrowed(prepared.selections.as_slice()), prepared.digest)
                    }
                    CopyFrom::Stage(stage) => {
                        let layers = self.solver.wait_for(*stage)?.config.rootfs.diff_ids;
                        let name = self.solver.plan.stages[*stage].as_ref().map_or("", |plan| plan.label.trim_end());
                        self.from_layers(&layers, &format!("stage `{name}`"), op, planned)?
                    }
                    CopyFrom::Image { image, name } => {
                        self.from_layers(&image.config.rootfs.diff_ids, &format!("image `{name}`"), op, planned)?
                    }
                };
                let (selections, digest) = found;
                Ok(Work { key: copy_key(op, digest, self.chain), selections })
            }
        }
    }

    /// Selects files of another stage or image, by its indexes alone.
    fn from_layers(
        &self,
        layers: &[DiffId],
        origin: &str,
        op: &CopyOp,
        planned: &PlannedStep,
    ) -> Result<(Cow<'s, [Selection]>, oci::Digest), BuildError> {
        let stack = Stack::open(self.solver.tools.store, layers)
            .map_err(|error| internal("open the layers copied from", &error))?;
        let tree = stack.tree();
        let mut selections = Vec::new();
        for source in &op.sources {
            let found = select_all(&tree, &source.word, origin);
            selections.extend(found.map_err(|error| copy_problem(source.span, &error))?);
        }
        if selections.is_empty() {
            let patterns: Vec<&str> = op.sources.iter().map(|source| source.word.as_str()).collect();
            return Err(copy_problem(planned.span, &CopyError::NoMatch { patterns: patterns.join(" ") }));
        }
        for selection in &mut selections {
            copy::digest_from_tree(&mut selection.entries).map_err(|error| copy_problem(planned.span, &error))?;
        }
        let digest = copy::files_digest(&selections);
        Ok((Cow::Owned(selections), digest))
    }

    fn make(&self, planned: &PlannedStep, work: &Work<'_>, step: Step<'_, '_>) -> Result<DiffId, BuildError> {
        let stack = self.stack.as_ref().expect("layers are opened before a step is made");
        match &planned.op {
            Op::Run(op) => run::run(self.solver.tools, stack, op, planned, step),
            Op::Copy(op) => self.write_layer(|writer| self.write_copy(op, work, stack, writer), planned),
            Op::Workdir(op) => self.write_layer(|writer| self.write_folder(op, stack, writer), planned),
        }
    }

    fn write_layer(
        &self,
        write: impl FnOnce(&mut LayerWriter) -> Result<(), CopyError>,
        planned: &PlannedStep,
    ) -> Result<DiffId, BuildError> {
        let (sink, mut writer) = begin_layer(self.solver.tools.store)?;
        write(&mut writer).map_err(|error| copy_problem(planned.span, &error))?;
        finish_layer(self.solver.tools.store, sink, writer)
    }

    fn write_copy(
        &self,
        op: &CopyOp,
        work: &Work<'_>,
        stack: &Stack,
        writer: &mut LayerWriter,
    ) -> Result<(), CopyError> {
        let base = stack.tree();
        let owner = match &op.chown {
            Some(owner) => Some(image::users::resolve_owner(&base, owner)?),
            None => None,
        };
        let placement = Placement {
            destination: op.destination.clone(),
            into_folder: op.into_folder,
            owner,
            mode: op.chmod,
            now: self.now(),
        };
        let context = self.solver.sources.context();
        let mut selections = work.selections().to_vec();
        if op.unpack {
            selections = crate::unpack::unpack_archives(selections, context, self.solver.tools.store)?;
        }
        copy::write(selections, &placement, &base, context, writer)
    }

    fn write_folder(&self, op: &WorkdirOp, stack: &Stack, writer: &mut LayerWriter) -> Result<(), CopyError> {
        let base = stack.tree();
        let owner = match op.user.as_str() {
            "" => None,
            user => Some(image::users::resolve(&base, user).map(|user| (user.uid, user.gid))?),
        };
        copy::make_folder(&op.path, owner, self.now(), &base, writer)
    }

    fn now(&self) -> Timestamp {
        Timestamp { secs: (self.solver.tools.clock)().as_second(), nanos: 0 }
    }
}

/// An empty layer to write to.
pub(crate) fn begin_layer(store: &store::Store) -> Result<(LayerSink, LayerWriter), BuildError> {
    let sink = store.layer_sink()?;
    let file = sink.file().map_err(|error| internal("open the new layer", &error))?;
    Ok((sink, LayerWriter::new(file)))
}

/// Puts a written layer into the store.
pub(crate) fn finish_layer(store: &store::Store, sink: LayerSink, writer: LayerWriter) -> Result<DiffId, BuildError> {
    let finished = writer.finish().map_err(|error| internal("write the new layer", &error))?;
    store.add_layer(finished.diff_id, sink, &finished.index, None)?;
    Ok(finished.diff_id)
}

fn select_all(tree: &Tree, word: &str, origin: &str) -> Result<Vec<Selection>, CopyError> {
    if !copy::has_wildcard(word) {
        return Ok(vec![copy::select_from_tree(tree, &crate::plan::inside("/", word), origin)?]);
    }
    let names_in = |folder: &[u8]| copy::names_in_tree(tree, folder);
    let paths = copy::expand_pattern(word, &names_in)?;
    paths.iter().map(|path| copy::select_from_tree(tree, path, origin)).collect()
}

fn run_key(op: &RunOp, chain: Option<ChainId>) -> CacheKey {
    let mut key = CacheKey::new("run", chain);
    for word in &op.command {
        key = key.with(Field::Command, word);
    }
    for pair in &op.keyed_env {
        key = key.with(Field::Env, pair);
    }
    key.with(Field::User, &op.user)
        .with(Field::WorkingDirectory, &op.working_dir)
        .with(Field::Network, op.network.name())
}

fn copy_key(op: &CopyOp, files: oci::Digest, chain: Option<ChainId>) -> CacheKey {
    let mut key = CacheKey::new(if op.unpack { "add" } else { "copy" }, chain);
    for source in &op.sources {
        key = key.with(Field::Sources, &source.word);
    }
    let slash = if op.into_folder { "/" } else { "" };
    key = key.with(Field::Destination, format!("/{}{slash}", String::from_utf8_lossy(&op.destination)));
    key = key.with(Field::Files, files.to_string());
    if let Some(owner) = &op.chown {
        key = key.with(Field::Owner, owner);
    }
    if let Some(mode) = op.chmod {
        key = key.with(Field::Mode, format!("{mode:o}"));
    }
    key
}

fn copy_problem(span: dockerfile::Span, error: &CopyError) -> BuildError {
    let mut problem = Problem::error(span, error.to_string());
    problem = match error {
        CopyError::NotFound { .. } => {
            problem.with_help("check the path: it is taken from the root of the stage or image")
        }
        CopyError::NotFolder { .. } => {
            problem.with_help("copy to another destination, or remove what is there with RUN first")
        }
        _ => problem,
    };
    BuildError::Step { problem, causes: causes(error), exit_code: None }
}

/// A failure that is not the Dockerfile's.
pub(crate) fn internal(doing: &'static str, error: &(dyn std::error::Error + 'static)) -> BuildError {
    let mut chain = vec![error.to_string()];
    chain.extend(causes(error));
    BuildError::Failed { doing, causes: chain }
}

/// What is behind an error, outermost first.
pub(crate) fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
