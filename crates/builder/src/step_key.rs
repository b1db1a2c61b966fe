//! The cache keys of steps: what of a planned step identifies its result.
//!
//! Whatever reaches the layer is in the key, and nothing else.

use std::collections::HashSet;

use oci::{ChainId, Digest};

use crate::key::{CacheKey, Field};
use crate::plan::{
    Access, CacheOp, CopyOp, MountOp, MountOpKind, Op, PlannedStep, RunOp, Sharing, StagePlan, WorkdirOp,
};
use crate::step_options::{RunLimits, StepOptions};

/// What all steps of a plan are about, whatever they stand on.
pub(crate) fn subjects(stages: &[&StagePlan]) -> HashSet<Vec<String>> {
    let nothing = oci::Digest::of(b"");
    let steps = stages.iter().flat_map(|stage| &stage.steps);
    let key = |planned: &PlannedStep| match &planned.op {
        Op::Run(op) => run_key(op, &StepOptions::default(), &[], None),
        Op::Workdir(op) => workdir_key(op, None),
        Op::Copy(op) => copy_key(op, nothing, None, None),
    };
    steps.map(|planned| key(planned).subject()).collect()
}

/// `contents` are the digests of what the mounts begin with, one for one.
pub(crate) fn run_key(
    op: &RunOp,
    options: &StepOptions,
    contents: &[Option<Digest>],
    chain: Option<ChainId>,
) -> CacheKey {
    let mut key = CacheKey::new("run", chain);
    for word in &op.command {
        key = key.with(Field::Command, word);
    }
    if let Some(script) = &op.script {
        key = key.with(Field::Script, &script.text);
    }
    for pair in &op.keyed_env {
        key = key.with(Field::Env, pair);
    }
    key = key
        .with(Field::User, &op.user)
        .with(Field::WorkingDirectory, &op.working_dir)
        .with(Field::Network, op.network.name());
    for (index, mount) in op.mounts.iter().enumerate() {
        key = key.with(Field::Mount, mount_text(mount));
        if let Some(Some(digest)) = contents.get(index) {
            key = key.with(Field::Files, digest.to_string());
        }
    }
    for variable in &op.secret_variables {
        key = key.with(Field::Mount, format!("secret {:?} env={}", variable.id, variable.name));
    }
    for (name, _) in &options.hosts {
        key = key.with(Field::Hosts, name);
    }
    if let Some(name) = &options.hostname {
        key = key.with(Field::Hostname, name);
    }
    visible_limits(&options.limits).into_iter().fold(key, |key, limit| key.with(Field::Limit, limit))
}

/// A mount as the key has it: what it is, where and how; neither the value of a secret nor the content of a cache. Free
/// texts are quoted, so that no two mounts read the same.
fn mount_text(mount: &MountOp) -> String {
    let mut text = match &mount.kind {
        MountOpKind::Bind(_) => "bind".to_owned(),
        MountOpKind::Cache(cache) => cache_text(cache),
        MountOpKind::Tmpfs { size: None } => "tmpfs".to_owned(),
        MountOpKind::Tmpfs { size: Some(size) } => format!("tmpfs size={size}"),
        MountOpKind::Secret { id, access, .. } => format!("secret {id:?} {}", access_text(*access)),
        MountOpKind::Agent { id, access, .. } => format!("ssh {id:?} {}", access_text(*access)),
    };
    text += &format!(" on {:?}", mount.target);
    if mount.read_only { text + " readonly" } else { text }
}

fn cache_text(cache: &CacheOp) -> String {
    let sharing = match cache.sharing {
        Sharing::Shared => "shared",
        Sharing::Private => "private",
        Sharing::Locked => "locked",
    };
    let mut text = format!("cache {:?} {sharing}", cache.id);
    text.extend(cache.mode.map(|mode| format!(" mode={mode:o}")));
    text.extend(cache.uid.map(|uid| format!(" uid={uid}")));
    text.extend(cache.gid.map(|gid| format!(" gid={gid}")));
    text
}

fn access_text(access: Access) -> String {
    format!("mode={:o} uid={} gid={}", access.mode, access.uid, access.gid)
}

/// Limits that a command can look at. What it may use of the machine changes only how long it takes, or whether it ends.
fn visible_limits(limits: &RunLimits) -> Vec<String> {
    let shm = limits.shm_size.iter().map(|size| format!("shm-size={size}"));
    let ulimits = limits.ulimits.iter().map(|limit| format!("{}={}:{}", limit.name, limit.soft, limit.hard));
    shm.chain(ulimits).collect()
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
    place_key(CacheKey::new(if op.unpack { "add" } else { "copy" }, chain), op, files, owner)
}

/// Names the result of a copy from a stage or image by the layers that it is taken from, whatever is in them: as long as
/// they are the same, their files need not be read.
pub(crate) fn source_key(
    op: &CopyOp,
    source: Option<ChainId>,
    chain: Option<ChainId>,
    owner: Option<(u32, u32)>,
) -> CacheKey {
    let mut text = source.map_or_else(String::new, |source| source.to_string());
    let words = op.sources.iter().map(|source| &source.word);
    for (mark, word) in words.map(|word| ('\0', word)).chain(op.excludes.iter().map(|word| ('\u{1}', word))) {
        text.push(mark);
        text.push_str(word);
    }
    text.push_str(if op.parents { "\0parents" } else { "\0" });
    let chain = chain.filter(|_| !op.link);
    place_key(CacheKey::new("copy of layers", chain), op, oci::Digest::of(text.as_bytes()), owner)
}

fn place_key(mut key: CacheKey, op: &CopyOp, files: oci::Digest, owner: Option<(u32, u32)>) -> CacheKey {
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
    match (owner, &op.chown) {
        (Some((uid, gid)), _) => key = key.with(Field::Owner, format!("{uid}:{gid}")),
        (None, Some(owner)) => key = key.with(Field::Owner, owner),
        (None, None) => {}
    }
    if let Some(chmod) = &op.chmod {
        let mode = chmod.mode.absolute().map_or_else(|| chmod.text.clone(), |mode| format!("{mode:o}"));
        key = key.with(Field::Mode, mode);
    }
    // Last: a flag that changed says more than the files that it changed.
    key.with(Field::Files, files.to_string())
}
