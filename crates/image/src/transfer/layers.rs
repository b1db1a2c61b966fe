//! Brings the layers of one image into the store, several at a time.
//!
//! A layer's bytes go to `partial/HEX` as they come, and are decompressed, hashed and indexed out of that file by another
//! thread at the same time. No layer waits for another while bytes arrive; the few that need the layers below for their
//! index (links into them, folders that are not listed) are indexed in order when those are there.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use layer::{Decoder, FinishedLayer};
use oci::{Descriptor, DiffId, Hasher};
use store::{LayerSink, Lease, PartialBlob, Store, WantedBlob};

use super::arrival::Arrival;
use super::{LayerState, Source, TransferError};
use crate::Stack;
use crate::archive::LoadError;
use crate::archive::layer_blob::check_room;
use crate::archive::take::{Hashing, check, keep, place, unreadable};

/// How many layers are fetched at a time, as Docker does.
const AT_A_TIME: usize = 3;
/// How long to wait before looking again whether another process is done with a blob.
const PAUSE: Duration = Duration::from_millis(25);
/// Bytes between two reports of how far something is.
const STEP: u64 = 512 << 10;
const BUFFER: usize = 128 << 10;

/// What bringing layers works on.
pub(super) struct Layers<'a> {
    pub(super) store: &'a Store,
    pub(super) source: &'a dyn Source,
    pub(super) lease: &'a Lease<'a>,
    /// Bottom first.
    pub(super) layers: &'a [(Descriptor, DiffId)],
    /// Told what becomes of which layer.
    pub(super) report: &'a (dyn Fn(usize, LayerState) + Sync),
    has_failed: AtomicBool,
}

/// A layer that has come.
enum Brought {
    /// It is in the store.
    Placed,
    /// It has to be indexed above those below it.
    Waiting(LayerSink, Option<FinishedLayer>),
}

/// A layer's number, and what became of it.
type Arrived = (usize, Result<Brought, TransferError>);

/// How fetching a blob ended.
enum Outcome {
    /// All of it is there, and right.
    Complete,
    /// It is wrong from somewhere on: nothing of it is kept.
    Wrong(TransferError),
    /// It did not come to its end, and what there is is kept.
    Cut(TransferError),
    /// Who reads it has failed.
    Abandoned,
}

impl<'a> Layers<'a> {
    pub(super) fn new(
        store: &'a Store,
        source: &'a dyn Source,
        lease: &'a Lease<'a>,
        layers: &'a [(Descriptor, DiffId)],
        report: &'a (dyn Fn(usize, LayerState) + Sync),
    ) -> Self {
        Self { store, source, lease, layers, report, has_failed: AtomicBool::new(false) }
    }

    /// Brings all of them. After an error, those that were complete stay in the store, and what there is of others.
    pub(super) fn bring(&self) -> Result<(), TransferError> {
        let missing = self.look()?;
        let next = AtomicUsize::new(0);
        let (sender, arrived) = channel();
        std::thread::scope(|scope| {
            for _ in 0..AT_A_TIME.min(missing.len()) {
                let (sender, next, missing) = (sender.clone(), &next, &missing);
                scope.spawn(move || {
                    while let Some(number) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // Who takes them goes first only when it has failed.
                        sender.send((*number, self.bring_one(*number))).ok();
                    }
                });
            }
            drop(sender);
            let result = self.settle(&missing, &arrived);
            self.has_failed.fetch_or(result.is_err(), Ordering::Relaxed);
            result
        })
    }

    /// Numbers of the layers that are not there yet, each DiffID once.
    fn look(&self) -> Result<Vec<usize>, TransferError> {
        let mut missing: Vec<usize> = Vec::new();
        for (number, (_, layer)) in self.layers.iter().enumerate() {
            if self.is_there(*layer)? {
                (self.report)(number, LayerState::AlreadyExists);
                continue;
            }
            (self.report)(number, LayerState::Queued);
            if !missing.iter().any(|other| self.layers[*other].1 == *layer) {
                missing.push(number);
            }
        }
        missing.iter().skip(AT_A_TIME).for_each(|number| (self.report)(*number, LayerState::Waiting));
        Ok(missing)
    }

    fn is_there(&self, layer: DiffId) -> Result<bool, TransferError> {
        // The lease comes first: what is there afterwards stays there.
        self.lease.hold(layer.0)?;
        Ok(self.store.layer_tar(layer)?.is_some() && self.store.survived(layer)?)
    }

    /// Puts what has come in its place, bottom first. The first failure is the one that counts.
    fn settle(&self, missing: &[usize], arrived: &Receiver<Arrived>) -> Result<(), TransferError> {
        let mut stack = Stack::default();
        let mut early = HashMap::new();
        for (number, (blob, layer)) in self.layers.iter().enumerate() {
            if missing.contains(&number) {
                while !early.contains_key(&number) {
                    // Each that is missing is sent, by threads that live until all are.
                    let Ok((other, brought)) = arrived.recv() else { return Err(TransferError::Stopped) };
                    early.insert(other, brought?);
                }
                if let Some(Brought::Waiting(sink, finished)) = early.remove(&number) {
                    place(self.store, &blob.digest.to_string(), *layer, (sink, finished), &stack)?;
                }
                // The layer's tar is the blob itself: once is enough.
                if blob.digest == layer.0 {
                    self.store.remove_blob(blob.digest)?;
                }
                for (same, _) in self.layers.iter().enumerate().filter(|(_, other)| other.1 == *layer) {
                    (self.report)(same, LayerState::Complete);
                }
            }
            stack.push(self.store, *layer)?;
        }
        Ok(())
    }

    fn bring_one(&self, number: usize) -> Result<Brought, TransferError> {
        let (blob, layer) = &self.layers[number];
        self.lease.hold(blob.digest)?;
        let mut is_told = false;
        loop {
            if self.has_failed.load(Ordering::Relaxed) {
                return Err(TransferError::Stopped);
            }
            match self.store.want_blob(blob.digest)? {
                WantedBlob::Busy if !is_told => {
                    (self.report)(number, LayerState::Elsewhere);
                    is_told = true;
                }
                WantedBlob::Busy => std::thread::sleep(PAUSE),
                // Whoever had it until now may have made the layer of it.
                _ if self.is_there(*layer)? => return Ok(Brought::Placed),
                WantedBlob::Complete(file) => match self.reuse(number, &file) {
                    Ok(brought) => return Ok(brought),
                    Err(error) if is_of_host(&error) => return Err(error),
                    // Torn by an end of the host: it is fetched again.
                    Err(_) => drop(self.store.remove_blob(blob.digest)?),
                },
                WantedBlob::Partial(partial) => return self.fetch(number, partial),
            }
        }
    }

    /// Makes the layer of a blob that was fetched earlier.
    fn reuse(&self, number: usize, file: &File) -> Result<Brought, TransferError> {
        let (blob, _) = &self.layers[number];
        let name = blob.digest.to_string();
        let mut hashing = Hashing { inner: file, hasher: Hasher::new() };
        let unpacked = self.unpack(&name, &mut hashing)?;
        io::copy(&mut hashing, &mut io::sink()).map_err(|source| unreadable(&name, source))?;
        check(&name, blob.digest, hashing.hasher.finish())?;
        (self.report)(number, LayerState::Downloaded);
        self.finish(number, unpacked)
    }

    fn unpack(&self, name: &str, bytes: impl Read) -> Result<(LayerSink, Option<FinishedLayer>), TransferError> {
        let tar = Decoder::new(bytes).map_err(|source| unreadable(name, source))?;
        Ok(keep(self.store, name, tar)?)
    }

    /// Puts a layer that needs none below it into the store at once, so that it stays whatever becomes of the others.
    fn finish(
        &self,
        number: usize,
        (sink, finished): (LayerSink, Option<FinishedLayer>),
    ) -> Result<Brought, TransferError> {
        let (blob, layer) = &self.layers[number];
        match &finished {
            Some(index) if number == 0 || !index.implies_folders => {
                place(self.store, &blob.digest.to_string(), *layer, (sink, finished), &Stack::default())?;
                Ok(Brought::Placed)
            }
            Some(index) => {
                check(&blob.digest.to_string(), layer.0, index.diff_id.0)?;
                Ok(Brought::Waiting(sink, finished))
            }
            None => Ok(Brought::Waiting(sink, finished)),
        }
    }

    fn fetch(&self, number: usize, mut partial: PartialBlob<'_>) -> Result<Brought, TransferError> {
        let blob = &self.layers[number].0;
        if partial.length() > blob.size {
            partial.restart()?;
        }
        loop {
            let failed = |source| TransferError::Keep { digest: blob.digest, source };
            if let Err(source) = check_room(self.store, blob.size - partial.length()) {
                leave(partial)?;
                return Err(failed(source));
            }
            let (outcome, unpacked) = self.fetch_and_unpack(number, &partial);
            let error = match (outcome, unpacked) {
                (Outcome::Complete, unpacked) => {
                    let brought = unpacked.and_then(|unpacked| self.finish(number, unpacked));
                    // The digest is right, and yet it is no layer, or another one.
                    if brought.as_ref().is_err_and(|error| !is_of_host(error)) {
                        self.store.remove_blob(blob.digest)?;
                    }
                    return brought;
                }
                (Outcome::Cut(error), _) => {
                    leave(partial)?;
                    return Err(error);
                }
                (Outcome::Wrong(error), _) | (Outcome::Abandoned, Err(error)) => error,
                (Outcome::Abandoned, Ok(_)) => TransferError::Stopped,
            };
            if is_of_host(&error) {
                return Err(error);
            }
            if partial.length() == 0 {
                partial.discard()?;
                return Err(error);
            }
            // What an earlier attempt left may have been torn by an end of the host.
            partial.restart()?;
        }
    }

    fn fetch_and_unpack(
        &self,
        number: usize,
        partial: &PartialBlob<'_>,
    ) -> (Outcome, Result<(LayerSink, Option<FinishedLayer>), TransferError>) {
        let blob = &self.layers[number].0;
        let arrival = Arrival::new(partial.file(), partial.length());
        let extracting = |done: u64| {
            if arrival.is_complete() {
                (self.report)(number, LayerState::Extracting { done, total: blob.size });
            }
        };
        std::thread::scope(|scope| {
            let unpacking = scope.spawn(|| {
                let reader = Reporting { inner: arrival.reader(), done: 0, next: STEP, report: &extracting };
                let unpacked = self.unpack(&blob.digest.to_string(), reader);
                if unpacked.is_err() {
                    arrival.abandon();
                }
                unpacked
            });
            let outcome = self.download(number, partial, &arrival);
            arrival.end(matches!(outcome, Outcome::Complete));
            let unpacked = unpacking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (outcome, unpacked)
        })
    }

    /// Fetches what is missing of a blob, and lets it appear once its digest is right.
    fn download(&self, number: usize, partial: &PartialBlob<'_>, arrival: &Arrival<'_>) -> Outcome {
        let blob = &self.layers[number].0;
        let kept = |source| Outcome::Cut(TransferError::Keep { digest: blob.digest, source });
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; BUFFER];
        if let Err(error) = hash_beginning(partial.file(), arrival.there(), &mut buffer, &mut hasher) {
            return kept(error);
        }
        let cut = |source| {
            let found = arrival.there();
            Outcome::Cut(TransferError::Cut { digest: blob.digest, size: blob.size, found, source })
        };
        if arrival.there() < blob.size {
            let mut bytes = match self.source.blob(blob, arrival.there()) {
                Ok(bytes) => bytes,
                Err(error) => return cut(Some(io::Error::other(error))),
            };
            let mut next = 0;
            loop {
                let there = arrival.there();
                if there >= next {
                    (self.report)(number, LayerState::Downloading { done: there, total: blob.size });
                    next = there + STEP;
                }
                if self.has_failed.load(Ordering::Relaxed) {
                    return Outcome::Cut(TransferError::Stopped);
                }
                let count = match bytes.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return cut(Some(error)),
                };
                if there + count as u64 > blob.size {
                    return Outcome::Wrong(TransferError::Longer { digest: blob.digest, size: blob.size });
                }
                hasher.update(&buffer[..count]);
                match arrival.push(&buffer[..count]) {
                    Ok(true) => {}
                    Ok(false) => return Outcome::Abandoned,
                    Err(error) => return kept(error),
                }
            }
        }
        if arrival.there() < blob.size {
            return cut(None);
        }
        (self.report)(number, LayerState::Verifying);
        if let Err(error) = check(&blob.digest.to_string(), blob.digest, hasher.finish()) {
            return Outcome::Wrong(error.into());
        }
        match partial.finish() {
            Ok(()) => (self.report)(number, LayerState::Downloaded),
            Err(error) => return Outcome::Cut(error.into()),
        }
        Outcome::Complete
    }
}

/// Leaves what has come for the next attempt, if anything has.
fn leave(partial: PartialBlob<'_>) -> Result<(), TransferError> {
    if partial.file().metadata().is_ok_and(|found| found.len() == 0) {
        partial.discard()?;
    }
    Ok(())
}

fn hash_beginning(file: &File, length: u64, buffer: &mut [u8], hasher: &mut Hasher) -> io::Result<()> {
    let mut place = 0;
    while place < length {
        let most = usize::try_from(length - place).unwrap_or(usize::MAX).min(buffer.len());
        let count = file.read_at(&mut buffer[..most], place)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&buffer[..count]);
        place += count as u64;
    }
    Ok(())
}

/// Whether it is the host that refuses, as when its disk is full: the bytes that came are not to blame, and are kept.
fn is_of_host(error: &TransferError) -> bool {
    if matches!(error, TransferError::Store(_) | TransferError::Content(LoadError::Store(_))) {
        return true;
    }
    let mut causes = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.raw_os_error().is_some()))
}

/// Says how far a reader is.
struct Reporting<'a, R> {
    inner: R,
    done: u64,
    next: u64,
    report: &'a (dyn Fn(u64) + Sync),
}

impl<R: Read> Read for Reporting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        if self.done >= self.next {
            self.next = self.done + STEP;
            (self.report)(self.done);
        }
        Ok(count)
    }
}
