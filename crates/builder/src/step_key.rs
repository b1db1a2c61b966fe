//! The cache keys of steps: what of a planned step identifies its result.
//!
//! Whatever reaches the layer is in the key, and nothing else.

use std::collections::HashSet;

use oci::ChainId;

use crate::key::{CacheKey, Field};
use crate::plan::{CopyOp, Op, PlannedStep, RunOp, StagePlan, WorkdirOp};

/// What all steps of a plan are about, whatever they stand on.
pub(crate) fn subjects(stages: &[&StagePlan]) -> HashSet<Vec<String>> {
    let nothing = oci::Digest::of(b"");
    let steps = stages.iter().flat_map(|stage| &stage.steps);
    let key = |planned: &PlannedStep| match &planned.op {
        Op::Run(op) => run_key(op, None),
        Op::Workdir(op) => workdir_key(op, None),
        Op::Copy(op) => copy_key(op, nothing, None, None),
    };
    steps.map(|planned| key(planned).subject()).collect()
}

pub(crate) fn run_key(op: &RunOp, chain: Option<ChainId>) -> CacheKey {
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

pub(crate) fn workdir_key(op: &WorkdirOp, chain: Option<ChainId>) -> CacheKey {
    CacheKey::new("workdir", chain)
        .with(Field::Destination, String::from_utf8_lossy(&op.path))
        .with(Field::User, op.user.as_str())
}

/// `owner` is given where it does not follow from the layers below.
pub(crate) fn copy_key(op: &CopyOp, files: oci::Digest, chain: Option<ChainId>, owner: Option<(u32, u32)>) -> CacheKey {
    // What does not depend on the layers below is the same on top of any (D082).
    let chain = chain.filter(|_| !op.link);
    let mut key = CacheKey::new(if op.unpack { "add" } else { "copy" }, chain);
    for source in &op.sources {
        key = key.with(Field::Sources, &source.word);
    }
    // What these choose is in the digest of the files.
    let parents = op.parents.then(|| "--parents".to_owned());
    for flag in parents.into_iter().chain(op.excludes.iter().map(|pattern| format!("--exclude={pattern}"))) {
        key = key.with(Field::Sources, flag);
    }
    for document in &op.documents {
        key = key.with(Field::Sources, format!("<<{}", document.name));
        key = key.with(Field::Document, format!("{} {}", document.name, oci::Digest::of(document.text.as_bytes())));
    }
    let slash = if op.into_folder { "/" } else { "" };
    key = key.with(Field::Destination, format!("/{}{slash}", String::from_utf8_lossy(&op.destination)));
    key = key.with(Field::Files, files.to_string());
    match (owner, &op.chown) {
        (Some((uid, gid)), _) => key = key.with(Field::Owner, format!("{uid}:{gid}")),
        (None, Some(owner)) => key = key.with(Field::Owner, owner),
        (None, None) => {}
    }
    if let Some(chmod) = &op.chmod {
        let mode = chmod.mode.absolute().map_or_else(|| chmod.text.clone(), |mode| format!("{mode:o}"));
        key = key.with(Field::Mode, mode);
    }
    key
}
