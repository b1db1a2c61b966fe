//! What is known by a digest and is large: layers with their indexes, and blobs. Each is read once, on all processors.

use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use image::Stack;
use layer::{IngestError, Tree};
use oci::{ChainId, DiffId, Digest};
use store::RawKind;

use super::{Checker, Remedy, StoreCheck, StoreProblem, problem};
use crate::Error;

/// Something to be read.
#[derive(Debug)]
enum Task {
    Layer(DiffId),
    Blob(Digest),
}

impl Checker<'_> {
    pub(super) fn content(&self, check: &mut StoreCheck, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<(), Error> {
        let mut tasks = Vec::new();
        for layer in &self.tars {
            if let Some(RawKind::File(size)) = self.store.raw_kind(&tar(*layer))? {
                tasks.push((size, Task::Layer(*layer)));
            }
        }
        for name in self.store.raw_names("blobs")? {
            let Ok(digest) = Digest::from_hex(&name) else { continue };
            if let Some(RawKind::File(size)) = self.store.raw_kind(&format!("blobs/{name}"))? {
                tasks.push((size, Task::Blob(digest)));
            }
        }
        // The longest first, so that none is left alone at the end.
        tasks.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
        let total = tasks.iter().map(|(size, _)| size).sum();
        let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
        let found: Mutex<Vec<StoreProblem>> = Mutex::default();
        let failed: Mutex<Option<Error>> = Mutex::default();
        let work = || {
            while let Some((size, task)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                let problems = match task {
                    Task::Layer(layer) => self.layer(*layer),
                    Task::Blob(digest) => self.blob(*digest),
                };
                match problems {
                    Ok(problems) => lock(&found).extend(problems),
                    Err(error) => drop(lock(&failed).get_or_insert(error)),
                }
                self.saw(*size);
                progress(done.fetch_add(*size, Ordering::Relaxed) + size, total);
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(tasks.len().max(1));
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        check.problems.append(&mut lock(&found));
        match lock(&failed).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn blob(&self, digest: Digest) -> Result<Vec<StoreProblem>, Error> {
        let name = format!("blobs/{}", digest.hex());
        let Some(file) = self.store.raw_open(&name)? else { return Ok(Vec::new()) };
        Ok(match hash(file) {
            Ok(found) if found == digest => Vec::new(),
            Ok(_) => vec![problem(name, OTHER_DIGEST, Remedy::Remove)],
            Err(error) => vec![problem(name, format!("it cannot be read: {error}"), Remedy::Remove)],
        })
    }

    /// A tar and all its indexes.
    fn layer(&self, layer: DiffId) -> Result<Vec<StoreProblem>, Error> {
        let Some(file) = self.store.raw_open(&tar(layer))? else { return Ok(Vec::new()) };
        let broken = |what: String| {
            let problem = problem(tar(layer), what, Remedy::RemoveLayer(layer));
            Ok(vec![StoreProblem { breaks: self.users_of(layer), ..problem }])
        };
        // One pass gives the digest and what the index should be.
        let made = match layer::ingest(file, nowhere()?, None) {
            Ok(made) if made.diff_id == layer => Some(made.index),
            Ok(_) => return broken(OTHER_DIGEST.to_owned()),
            // It makes sense only above others.
            Err(IngestError::Index { .. }) => None,
            Err(error) => {
                let reason = match std::error::Error::source(&error) {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                };
                return broken(format!("it is damaged: {reason}"));
            }
        };
        if made.is_none() {
            let file = self.store.raw_open(&tar(layer))?;
            match file.map(hash) {
                None => return Ok(Vec::new()),
                Some(Ok(found)) if found == layer.0 => {}
                Some(Ok(_)) => return broken(OTHER_DIGEST.to_owned()),
                Some(Err(error)) => return broken(format!("it cannot be read: {error}")),
            }
        }
        self.indexes(layer, made)
    }

    fn indexes(&self, layer: DiffId, plain: Option<Vec<u8>>) -> Result<Vec<StoreProblem>, Error> {
        let mut problems = Vec::new();
        if let Some(right) = plain {
            let name = format!("layers/{}.erofs", layer.0.hex());
            if let Some(index) = self.store.raw_read(&name)? {
                self.saw(index.len() as u64);
                if index != right {
                    problems.push(self.wrong_index(name, layer, None, right));
                }
            }
        }
        for (below, chain) in self.stacks_below(layer) {
            let name = format!("layers/{}-{}.erofs", layer.0.hex(), chain.0.hex());
            let Some(index) = self.store.raw_read(&name)? else { continue };
            self.saw(index.len() as u64);
            // When something below is broken, that is told, and mended first.
            let Ok(stack) = Stack::open(self.store, &below) else { continue };
            if let Some(right) = self.index_above(layer, &stack.tree())?
                && index != right
            {
                problems.push(self.wrong_index(name, layer, Some(chain), right));
            }
        }
        Ok(problems)
    }

    fn wrong_index(&self, name: String, layer: DiffId, below: Option<ChainId>, right: Vec<u8>) -> StoreProblem {
        let what = "it is not the index of its layer";
        StoreProblem { breaks: self.users_of(layer), ..problem(name, what, Remedy::Index(layer, below, right)) }
    }

    pub(super) fn index_above(&self, layer: DiffId, below: &Tree) -> Result<Option<Vec<u8>>, Error> {
        let Some(file) = self.store.raw_open(&tar(layer))? else { return Ok(None) };
        Ok(layer::ingest(file, nowhere()?, Some(below)).ok().map(|made| made.index))
    }

    /// The stacks that images have this layer on, with their chains.
    pub(super) fn stacks_below(&self, layer: DiffId) -> Vec<(Vec<DiffId>, ChainId)> {
        let mut stacks: Vec<(Vec<DiffId>, ChainId)> = Vec::new();
        for config in self.images.values() {
            let all = &config.rootfs.diff_ids;
            for place in (1..all.len()).filter(|place| all[*place] == layer) {
                let Some(chain) = ChainId::of(&all[..place]) else { continue };
                if stacks.iter().all(|(_, known)| *known != chain) {
                    stacks.push((all[..place].to_vec(), chain));
                }
            }
        }
        stacks
    }
}

pub(super) const OTHER_DIGEST: &str = "its content does not have the digest that it is named by";

fn tar(layer: DiffId) -> String {
    format!("layers/{}.tar", layer.0.hex())
}

fn hash(file: File) -> std::io::Result<Digest> {
    layer::digest_of(file).map(|blob| blob.digest)
}

/// Takes the copy of a tar that is only read.
fn nowhere() -> Result<File, Error> {
    File::options()
        .write(true)
        .open("/dev/null")
        .map_err(|error| Error::new(crate::ErrorKind::Internal, "cannot open /dev/null").because(&error))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
