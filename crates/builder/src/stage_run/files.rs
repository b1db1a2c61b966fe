//! COPY and ADD within a stage: which files, whose they are to be, and on top of what.

use std::sync::Arc;

use image::Stack;
use layer::{LayerWriter, Tree};
use oci::ImageConfig;

use super::{StageRun, StepRecord, Work, at};
use crate::build::BuildError;
use crate::copy::{self, CopyError, Placement};
use crate::failed_step::Place;
use crate::fetch::FetchError;
use crate::key::CacheKey;
use crate::plan::{CopyFrom, CopyOp, CopySource, Op, PlannedStep, Problem};
use crate::solve::Seen;
use crate::source::Selection;
use crate::step_key::{copy_key, source_key};
use crate::tree_source::TreeOrigin;
use crate::{unpack, wanted};

impl StageRun<'_, '_> {
    /// The files of a step, and its key.
    pub(super) fn copy_work(&self, number: usize, planned: &PlannedStep, op: &CopyOp) -> Result<Work, BuildError> {
        let (selections, digest) = match &op.from {
            CopyFrom::Context | CopyFrom::Named(_) => {
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
        let digest = self.with_remote(number, op, digest)?;
        let owner = self.independent_owner(planned, op)?;
        Ok(Work { key: copy_key(op, digest, self.chain, owner), selections, owner, mounts: Vec::new() })
    }

    /// The digest of a step's files, those of servers with them.
    fn with_remote(&self, number: usize, op: &CopyOp, files: oci::Digest) -> Result<oci::Digest, BuildError> {
        let remote = self.remote_of(number);
        if remote.is_empty() {
            return Ok(files);
        }
        let mut text = files.to_string();
        for (source, before) in remote {
            let source = &op.sources[source];
            let Some(remote) = &source.remote else { continue };
            let key = self.solver.remote.key(remote, self.solver.tools);
            let key = key.map_err(|error| remote_failed(source, error))?;
            text += &format!("\n{before} {key}");
        }
        Ok(oci::Digest::of(text.as_bytes()))
    }

    /// Which of a step's sources servers have, and how many selections of the others stand before each.
    fn remote_of(&self, number: usize) -> Vec<(usize, usize)> {
        self.solver.sources.of(self.index, number).map_or_else(Vec::new, |prepared| prepared.remote.clone())
    }

    /// A step's files with those of servers, which are got now; archives in place of their files where that is wanted.
    pub(super) fn all_selections(
        &self,
        number: usize,
        planned: &PlannedStep,
        op: &CopyOp,
        work: &Work,
    ) -> Result<Vec<Arc<Selection>>, BuildError> {
        let unpack = |selections: &[Arc<Selection>]| {
            let unpacked = unpack::unpack_archives(selections, self.solver.tools.store);
            unpacked.map_err(|error| self.failed_here(planned, &error))
        };
        let mut selections = if op.unpack { unpack(&work.selections)? } else { work.selections.clone() };
        let mut added = 0;
        for (source, before) in self.remote_of(number) {
            let source = &op.sources[source];
            let Some(remote) = &source.remote else { continue };
            let selection = self.solver.remote.select(remote, &op.excludes, self.solver.tools);
            let mut selection = Arc::new(selection.map_err(|error| remote_failed(source, error))?);
            if selection.entries.is_empty() {
                continue;
            }
            if remote.unpack {
                selection = unpack(&[selection])?.swap_remove(0);
            }
            selections.insert(before + added, selection);
            added += 1;
        }
        Ok(selections)
    }

    /// The key of a copy from a stage or image, or of a command that mounts such files, by the layers that they are taken
    /// from; `None` for all other steps.
    pub(super) fn source_key(&self, number: usize, planned: &PlannedStep) -> Result<Option<CacheKey>, BuildError> {
        let op = match &planned.op {
            Op::Copy(op) => op,
            Op::Run(op) => return Ok(self.run_source_key(number, op)?.map(|key| at(key, self.ceiling()))),
            Op::Workdir(_) => return Ok(None),
        };
        let source = match &op.from {
            CopyFrom::Context | CopyFrom::Named(_) => return Ok(None),
            CopyFrom::Stage(stage) => self.solver.wait_for(*stage)?.config.chain_id(),
            CopyFrom::Image { image, .. } => image.config.chain_id(),
        };
        let key = source_key(op, source, self.chain, self.independent_owner(planned, op)?);
        Ok(Some(at(key, self.ceiling())))
    }

    /// A result that was found by that key. For saying what changed, the key by content is the one that counts.
    pub(super) fn found_by_source(
        &self,
        number: usize,
        key: Option<&CacheKey>,
    ) -> Result<Option<StepRecord>, BuildError> {
        let Some(key) = key else { return Ok(None) };
        let Some(record) = self.cached(key)? else { return Ok(None) };
        if let Some(key) = record.content.as_deref().and_then(CacheKey::parse) {
            // The files themselves were not looked at.
            self.solver.remember(Seen { key, stage: self.index, step: number, selections: Vec::new() });
        }
        Ok(Some(record))
    }

    /// The same for a result that was found. One of a cache has its layer later, and its own record by that key, if the cache
    /// knows it.
    pub(super) fn keep_found_by_source(&self, key: Option<&CacheKey>, record: &StepRecord) -> Result<(), BuildError> {
        let Some(key) = key else { return Ok(()) };
        if self.solver.tools.store.has_layer(record.layer, self.chain)? {
            return self.keep_by_source(Some(key), record);
        }
        let content = Some(record.key.clone());
        let by_source = StepRecord { key: key.to_string(), content, ..record.clone() };
        self.solver.keep_when_brought(key.digest(), by_source);
        Ok(())
    }

    /// Lets the next build find a result by that key.
    pub(super) fn keep_by_source(&self, key: Option<&CacheKey>, record: &StepRecord) -> Result<(), BuildError> {
        let Some(key) = key else { return Ok(()) };
        let content = Some(record.key.clone());
        self.keep(key.digest(), &StepRecord { key: key.to_string(), content, ..record.clone() })
    }

    /// Who `--chown` names, where the key does not name the layers that say so (D082).
    fn independent_owner(&self, planned: &PlannedStep, op: &CopyOp) -> Result<Option<(u32, u32)>, BuildError> {
        let Some(owner) = op.chown.as_ref().filter(|_| op.link) else { return Ok(None) };
        let is_name = |part: &str| part != "root" && !part.bytes().all(|byte| byte.is_ascii_digit());
        let base = if owner.split(':').any(is_name) {
            self.solver.open_stack("open the layers below", &self.config.rootfs.diff_ids)?.tree()
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
        let stack = self.solver.open_stack("open the layers copied from", &source.rootfs.diff_ids)?;
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
        selections: &[Arc<Selection>],
        owner: Option<(u32, u32)>,
        stack: &Stack,
        writer: &mut LayerWriter,
    ) -> Result<(), CopyError> {
        // A layer that is to fit on any other is written as if there were none (D082).
        let base = if op.link { Tree::default() } else { stack.tree() };
        let owner = match &op.chown {
            Some(name) if owner.is_none() => Some(image::users::resolve_owner(&base, name)?),
            _ => owner,
        };
        let placement = Placement {
            destination: op.destination.clone(),
            into_folder: op.into_folder,
            owner,
            mode: op.chmod.as_ref().map(|chmod| &chmod.mode),
            epoch: self.ceiling(),
        };
        copy::write(selections, &placement, &base, writer)
    }
}

/// A source that cannot be had, at its place in the Dockerfile.
fn remote_failed(source: &CopySource, error: FetchError) -> BuildError {
    let FetchError { message, causes, hint, is_cancelled } = error;
    if is_cancelled {
        return BuildError::Cancelled;
    }
    let mut problem = Problem::error(source.span, message);
    problem.help = hint;
    BuildError::Step { problem, causes, exit_code: None, kept: None }
}
