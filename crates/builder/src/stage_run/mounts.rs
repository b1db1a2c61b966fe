//! RUN within a stage: what its mounts begin with, and its key.

use std::sync::Arc;

use oci::Digest;

use super::{StageRun, Work};
use crate::bind_tree::BoundFiles;
use crate::build::BuildError;
use crate::copy::{self, CopyError};
use crate::failure::copy_problem;
use crate::filter::Filter;
use crate::key::CacheKey;
use crate::plan::{CopyFrom, MountOp, MountTree, RunOp};
use crate::run_mounts::MountContent;
use crate::source::Selection;
use crate::step_key::run_key;
use crate::tree_source::TreeOrigin;
use crate::wanted::Origin;

impl StageRun<'_, '_> {
    /// A command with what it has mounted, and its key.
    pub(super) fn run_work(&self, number: usize, op: &RunOp) -> Result<Work, BuildError> {
        let content = |(place, mount): (usize, &MountOp)| match mount.tree() {
            None => Ok(MountContent::Empty),
            Some(tree) => self.mount_content(number, place, mount, tree),
        };
        let mounts = op.mounts.iter().enumerate().map(content).collect::<Result<Vec<_>, _>>()?;
        let digests: Vec<_> = mounts.iter().map(MountContent::digest).collect();
        let key = run_key(op, &self.solver.request.run, &digests, self.chain);
        let of_folder = mounts.iter().filter_map(MountContent::of_folder);
        let selections: Vec<Arc<Selection>> = of_folder.map(|(_, selection)| Arc::clone(selection)).collect();
        Ok(Work { key, selections, owner: None, mounts })
    }

    /// The key of a command by the layers that its mounts are taken from, as a copy has one: as long as they are the same,
    /// their files need not be read. `None` where no mount is taken from layers.
    pub(super) fn run_source_key(&self, number: usize, op: &RunOp) -> Result<Option<CacheKey>, BuildError> {
        let mut digests = Vec::new();
        let mut is_of_layers = false;
        for (place, mount) in op.mounts.iter().enumerate() {
            let Some(tree) = mount.tree() else {
                digests.push(None);
                continue;
            };
            let source = match &tree.from {
                CopyFrom::Context | CopyFrom::Named(_) => {
                    let prepared = self.solver.sources.of_mount(self.index, number, place);
                    digests.push(Some(prepared.expect("all context sources are loaded").digest));
                    continue;
                }
                CopyFrom::Stage(stage) => self.solver.wait_for(*stage)?.config.chain_id(),
                CopyFrom::Image { image, .. } => image.config.chain_id(),
            };
            is_of_layers = true;
            let mut text = source.map_or_else(String::new, |source| source.to_string()).into_bytes();
            text.push(0);
            text.extend_from_slice(&tree.source);
            digests.push(Some(Digest::of(&text)));
        }
        Ok(is_of_layers.then(|| run_key(op, &self.solver.request.run, &digests, self.chain)))
    }

    /// The files that a mount begins with.
    fn mount_content(
        &self,
        number: usize,
        place: usize,
        mount: &MountOp,
        tree: &MountTree,
    ) -> Result<MountContent, BuildError> {
        let (layers, origin) = match &tree.from {
            CopyFrom::Context | CopyFrom::Named(_) => {
                let prepared = self.solver.sources.of_mount(self.index, number, place);
                let prepared = prepared.expect("all context sources are loaded");
                let files = BoundFiles { selection: Arc::clone(&prepared.selections[0]), layers: None };
                return mount.check_content(MountContent::Files { files, digest: prepared.digest });
            }
            CopyFrom::Stage(stage) => {
                let layers = self.solver.wait_for(*stage)?.config.rootfs.diff_ids;
                (layers, format!("stage `{}`", self.solver.plan.stage_name(*stage)))
            }
            CopyFrom::Image { image, name } => (image.config.rootfs.diff_ids.clone(), format!("image `{name}`")),
        };
        let stack = self.solver.open_stack("open the layers mounted from", &layers)?;
        let wrong = |error: CopyError| copy_problem(mount.span, &error);
        let files = stack.tree();
        let mut origin = TreeOrigin { tree: &files, name: &origin };
        let selection = origin.select(tree.source.clone(), &Filter::default()).map_err(wrong)?;
        let digest = copy::files_digest(std::slice::from_ref(&selection), None);
        let files = BoundFiles { selection, layers: Some((stack, tree.source.clone())) };
        mount.check_content(MountContent::Files { files, digest })
    }
}
