//! Opens a context that is no folder: a stream or what a server gives, of which the first bytes say what it is (D151 to
//! D156).

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use layer::{Compression, Decoder, FileReader, FinishedLayer, Index, Layer, Tree};
use oci::Digest;
use store::LayerSink;

use crate::StepOutcome;
use crate::build::{BuildError, BuildTools, bytes};
use crate::failure::causes;
use crate::fetched::{self, FetchedFile};
use crate::new_layer::NewLayer;
use crate::remote::{GitSource, Remote, Url};
use crate::report::Step;
use crate::tree_context::{ContextTree, LONGEST_DOCUMENT};

/// What a stream turned out to be.
#[derive(Debug)]
pub enum OpenedStream {
    /// A tar, compressed or not, or a repository: the context.
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
        let text = document(stream).map_err(|error| unreadable(&error))?;
        return text.map(OpenedStream::Dockerfile).ok_or_else(|| not_a_context(STDIN, &head));
    }
    let step = tools.progress.start("[internal] load remote build context");
    let opened = take_in(stream, STDIN, tools, step).and_then(|(sink, finished)| {
        let index = Index::from_bytes(finished.index).map_err(|error| damaged(STDIN, &error))?;
        let tar = sink.file().map_err(|error| damaged(STDIN, &error))?;
        let tree = Tree::new(vec![Layer { index: Arc::new(index), tar: Arc::new(tar) }]);
        let key = Digest::of(b"context standard input");
        Ok(OpenedStream::Context(ContextTree::new(tree, key, STDIN)))
    });
    step.finish(outcome(&opened));
    opened
}

/// Gets a context from a server: a repository, an archive, or a Dockerfile alone (D154 to D156).
///
/// # Errors
/// When it cannot be had, or is a damaged archive.
pub fn open_remote(remote: &Remote, keep_git_dir: bool, tools: &BuildTools<'_>) -> Result<OpenedStream, BuildError> {
    let step = tools.progress.start(match remote {
        Remote::Git(source) => format!("[internal] load git source {}", source.shown()),
        Remote::Http(_) => "[internal] load remote build context".to_owned(),
    });
    let opened = match remote {
        Remote::Git(source) => repository(source, keep_git_dir, tools).map(OpenedStream::Context),
        Remote::Http(url) => file_or_archive(url, tools, step),
    };
    step.finish(outcome(&opened));
    opened
}

/// The tree of a repository.
pub(crate) fn repository(
    source: &GitSource,
    keep_git_dir: bool,
    tools: &BuildTools<'_>,
) -> Result<ContextTree, BuildError> {
    let commit = fetched::commit(tools, source)?;
    let tree = fetched::tree(tools, source, &commit, keep_git_dir)?;
    let key = Digest::of(format!("context git {} {:?}", source.remote, source.subdir).as_bytes());
    let files = ContextTree::new(fetched::open(tools.store, tree.layer)?, key, source.shown());
    Ok(files.with_time(Some(tree.time)))
}

/// What is behind a URL: an archive, or a Dockerfile.
fn file_or_archive(url: &Url, tools: &BuildTools<'_>, step: Step<'_, '_>) -> Result<OpenedStream, BuildError> {
    let (file, archive) = archive(url, tools, step)?;
    if let Some(files) = archive {
        return Ok(OpenedStream::Context(files));
    }
    let shown = url.to_string();
    let tree = fetched::open(tools.store, file.layer)?;
    let mut content = open_file(&tree, &shown)?;
    let head = head(&mut content).map_err(|error| damaged(&shown, &error))?;
    let text = document(head.chain(content)).map_err(|error| damaged(&shown, &error))?;
    text.map(OpenedStream::Dockerfile).ok_or_else(|| not_a_context(&shown, &head))
}

/// A context with a name from a server: a repository, the content of an archive, or a file by itself.
pub(crate) fn named_remote(
    remote: &Remote,
    tools: &BuildTools<'_>,
    step: Step<'_, '_>,
) -> Result<ContextTree, BuildError> {
    let url = match remote {
        Remote::Git(source) => return repository(source, source.keep_git_dir.unwrap_or(false), tools),
        Remote::Http(url) => url,
    };
    let (file, archive) = archive(url, tools, step)?;
    if let Some(files) = archive {
        return Ok(files);
    }
    let (store, shown) = (tools.store, url.to_string());
    let name = file.name.clone().or_else(|| url.file_name()).unwrap_or_else(|| "context".to_owned());
    let layer = match fetched::derived(store, &format!("file {name:?} {} {}", file.digest, file.modified))? {
        Some(layer) => layer,
        None => {
            let _lease = store.lease()?;
            let tree = fetched::open(store, file.layer)?;
            let node = tree.lookup(fetched::FILE).map_err(|error| damaged(&shown, &error))?;
            let node = node.ok_or_else(|| damaged(&shown, &io::Error::other("it is not what was kept")))?;
            let entry = tree.entry(&node, name.as_bytes()).map_err(|error| damaged(&shown, &error))?;
            let mut layer = NewLayer::begin(store, None)?;
            layer.writer.append(&entry, &mut open_file(&tree, &shown)?).map_err(|error| damaged(&shown, &error))?;
            let layer = layer.finish(store)?;
            fetched::keep_derived(store, &format!("file {name:?} {} {}", file.digest, file.modified), layer)?;
            layer
        }
    };
    let key = Digest::of(format!("context http {}", url.bare()).as_bytes());
    Ok(ContextTree::new(fetched::open(store, layer)?, key, &shown))
}

/// A file of a server, and its content if it is an archive, which is kept like the file.
fn archive(
    url: &Url,
    tools: &BuildTools<'_>,
    step: Step<'_, '_>,
) -> Result<(FetchedFile, Option<ContextTree>), BuildError> {
    let (store, shown) = (tools.store, url.to_string());
    let file = fetched::file(tools, url, None, step)?;
    let name = format!("content of {}", file.digest);
    let layer = match fetched::derived(store, &name)? {
        Some(layer) => layer,
        None => {
            let _lease = store.lease()?;
            let tree = fetched::open(store, file.layer)?;
            let mut content = open_file(&tree, &shown)?;
            let head = head(&mut content).map_err(|error| damaged(&shown, &error))?;
            if !is_archive(&head) {
                return Ok((file, None));
            }
            let (sink, finished) = take_in(head.chain(content), &shown, tools, step)?;
            store.add_layer(finished.diff_id, sink, &finished.index, None)?;
            fetched::keep_derived(store, &name, finished.diff_id)?;
            finished.diff_id
        }
    };
    let key = Digest::of(format!("context http {}", url.bare()).as_bytes());
    let files = ContextTree::new(fetched::open(store, layer)?, key, &shown);
    let files = files.with_time(Some(file.modified).filter(|time| *time != 0));
    Ok((file, Some(files)))
}

/// A text from a server, such as a Dockerfile (D012).
///
/// # Errors
/// When it cannot be had, or is too long for one.
pub fn fetch_document(url: &Url, tools: &BuildTools<'_>) -> Result<Vec<u8>, BuildError> {
    let shown = url.to_string();
    let step = tools.progress.start(format!("[internal] load remote build definition {shown}"));
    let fetched = fetched::file(tools, url, None, step).map_err(BuildError::from).and_then(|file| {
        let tree = fetched::open(tools.store, file.layer)?;
        let text = document(open_file(&tree, &shown)?).map_err(|error| damaged(&shown, &error))?;
        text.ok_or_else(|| BuildError::Source {
            message: format!("`{shown}` is too long for a Dockerfile"),
            causes: Vec::new(),
            hint: Some("if it is an archive, give it as the context: `onggi build URL`".to_owned()),
        })
    });
    step.finish(outcome(&fetched));
    fetched
}

/// The only file of a fetched file's layer.
fn open_file(tree: &Tree, shown: &str) -> Result<FileReader, BuildError> {
    let missing = || damaged(shown, &io::Error::other("it is not what was kept"));
    let node = tree.lookup(fetched::FILE).map_err(|error| damaged(shown, &error))?.ok_or_else(missing)?;
    tree.open(&node).map_err(|error| damaged(shown, &error))
}

/// All of a stream, if it is short enough to be a text.
fn document(stream: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    stream.take(LONGEST_DOCUMENT + 1).read_to_end(&mut text)?;
    Ok((text.len() as u64 <= LONGEST_DOCUMENT).then_some(text))
}

/// Takes in a tar, compressed or not, into a file without a name, which goes with the process unless it gets one.
fn take_in(
    stream: impl Read,
    origin: &str,
    tools: &BuildTools<'_>,
    step: Step<'_, '_>,
) -> Result<(LayerSink, FinishedLayer), BuildError> {
    let sink = tools.store.layer_sink()?;
    let copy = sink.file().map_err(|error| damaged(origin, &error))?;
    let stream = Cancellable { stream, cancelled: tools.cancelled };
    let decoder = Decoder::new(stream).map_err(|error| damaged(origin, &error))?;
    let finished = layer::ingest(decoder, copy, None).map_err(|error| match tools.is_cancelled() {
        true => BuildError::Cancelled,
        false => damaged(origin, &error),
    })?;
    step.status(format!("transferring context: {}", bytes(finished.tar_size)));
    Ok((sink, finished))
}

/// A stream that ends with an error once the build is cancelled.
struct Cancellable<'c, R> {
    stream: R,
    cancelled: &'c AtomicBool,
}

impl<R: Read> Read for Cancellable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.cancelled.load(Ordering::Relaxed) {
            true => Err(io::Error::other("cancelled")),
            false => self.stream.read(buffer),
        }
    }
}

/// The first block of a stream, or all of it.
fn head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(BLOCK);
    stream.take(BLOCK as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Length of a tar's header.
const BLOCK: usize = 512;

/// Whether a stream that begins so is to be taken as an archive. As in Docker, what is compressed counts as one.
fn is_archive(head: &[u8]) -> bool {
    Compression::sniff(head) != Compression::None || layer::is_tar(head)
}

fn outcome<T>(result: &Result<T, BuildError>) -> StepOutcome {
    match result {
        Ok(_) => StepOutcome::Done,
        Err(BuildError::Cancelled) => StepOutcome::Canceled,
        Err(error) => StepOutcome::Failed(error.to_string()),
    }
}

fn damaged(origin: &str, error: &(dyn std::error::Error + 'static)) -> BuildError {
    let mut chain = vec![error.to_string()];
    chain.extend(causes(error));
    let hint = match origin {
        STDIN => "make the archive again, as with `tar -c . | onggi build -`",
        _ => "get it yourself and look into it, as with `tar -t`",
    };
    let message = format!("the build context from {origin} cannot be read");
    BuildError::Source { message, causes: chain, hint: Some(hint.to_owned()) }
}

fn unreadable(error: &io::Error) -> BuildError {
    BuildError::Source {
        message: format!("cannot read the build context from {STDIN}"),
        causes: vec![error.to_string()],
        hint: None,
    }
}

fn not_a_context(origin: &str, head: &[u8]) -> BuildError {
    let what = if head.starts_with(b"PK\x03\x04") { "a zip archive" } else { "neither a tar nor a Dockerfile" };
    BuildError::Source {
        message: format!("{origin} is {what}"),
        causes: Vec::new(),
        hint: Some("give the context as a tar, as with `tar -c . | onggi build -`, or as a folder".to_owned()),
    }
}
