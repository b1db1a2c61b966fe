//! Opens a context that is no folder: a stream, of which the first bytes say what it is (D151, D152).

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use layer::{Compression, Decoder, Index, Layer, Tree};
use oci::Digest;

use crate::StepOutcome;
use crate::build::{BuildError, BuildTools, bytes};
use crate::failure::causes;
use crate::report::Step;
use crate::tree_context::{ContextTree, LONGEST_DOCUMENT};

/// What a stream turned out to be.
#[derive(Debug)]
pub enum OpenedStream {
    /// A tar, compressed or not: the context.
    Context(ContextTree),
    /// Anything else: a Dockerfile, and no context.
    Dockerfile(Vec<u8>),
}

/// How a stream is called while it is read, in steps and in messages.
const STDIN: &str = "standard input";

/// Takes in standard input: a tar with the context, or a Dockerfile alone.
///
/// # Errors
/// When it cannot be read, or is a damaged archive.
pub fn open_stdin(input: &File, tools: &BuildTools<'_>) -> Result<OpenedStream, BuildError> {
    let head = head(&mut &*input).map_err(|error| unreadable(&error))?;
    let stream = head.chain(input);
    if !is_archive(&head) {
        let mut text = Vec::new();
        stream.take(LONGEST_DOCUMENT + 1).read_to_end(&mut text).map_err(|error| unreadable(&error))?;
        return match text.len() as u64 > LONGEST_DOCUMENT {
            true => Err(not_a_context(&head)),
            false => Ok(OpenedStream::Dockerfile(text)),
        };
    }
    let step = tools.progress.start("[internal] load remote build context");
    let key = Digest::of(b"context standard input");
    let opened =
        take_in(stream, STDIN, tools, step).map(|tree| OpenedStream::Context(ContextTree::new(tree, key, STDIN)));
    step.finish(opened.as_ref().map_or_else(|error| StepOutcome::Failed(error.to_string()), |_| StepOutcome::Done));
    opened
}

/// Takes in a tar, compressed or not, into a file without a name that goes with the process.
pub(crate) fn take_in(
    stream: impl Read,
    origin: &str,
    tools: &BuildTools<'_>,
    step: Step<'_, '_>,
) -> Result<Tree, BuildError> {
    let damaged = |error: &(dyn std::error::Error + 'static)| {
        let mut chain = vec![error.to_string()];
        chain.extend(causes(error));
        BuildError::Source {
            message: format!("the build context from {origin} cannot be read"),
            causes: chain,
            hint: Some("make the archive again, as with `tar -c . | onggi build -`".to_owned()),
        }
    };
    let sink = tools.store.layer_sink()?;
    let copy = sink.file().map_err(|error| damaged(&error))?;
    let decoder = Decoder::new(Cancellable { stream, cancelled: tools.cancelled }).map_err(|error| damaged(&error))?;
    let finished = layer::ingest(decoder, copy, None).map_err(|error| match tools.is_cancelled() {
        true => BuildError::Cancelled,
        false => damaged(&error),
    })?;
    step.status(format!("transferring context: {}", bytes(finished.tar_size)));
    let index = Index::from_bytes(finished.index).map_err(|error| damaged(&error))?;
    let tar = sink.file().map_err(|error| damaged(&error))?;
    Ok(Tree::new(vec![Layer { index: Arc::new(index), tar: Arc::new(tar) }]))
}

/// A stream that ends with an error once the build is cancelled.
struct Cancellable<'c, R> {
    stream: R,
    cancelled: &'c std::sync::atomic::AtomicBool,
}

impl<R: Read> Read for Cancellable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(io::Error::other("cancelled"));
        }
        self.stream.read(buffer)
    }
}

/// The first block of a stream, or all of it.
pub(crate) fn head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(BLOCK);
    stream.take(BLOCK as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Length of a tar's header.
const BLOCK: usize = 512;

/// Whether a stream that begins so is to be taken as an archive. As in Docker, what is compressed counts as one.
pub(crate) fn is_archive(head: &[u8]) -> bool {
    Compression::sniff(head) != Compression::None || layer::is_tar(head)
}

fn unreadable(error: &io::Error) -> BuildError {
    BuildError::Source {
        message: format!("cannot read the build context from {STDIN}"),
        causes: vec![error.to_string()],
        hint: None,
    }
}

fn not_a_context(head: &[u8]) -> BuildError {
    let what = if head.starts_with(b"PK\x03\x04") { "a zip archive" } else { "neither a tar nor a Dockerfile" };
    BuildError::Source {
        message: format!("{STDIN} is {what}"),
        causes: Vec::new(),
        hint: Some("give the context as a tar, as with `tar -c . | onggi build -`, or as a folder".to_owned()),
    }
}
