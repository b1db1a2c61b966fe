//! What servers gave, kept in the store: a file or the tree of a commit is a layer, and a record says of what.
//!
//! A file is asked about again in every build, and got again only if the server says that it changed; what is pinned by
//! a digest, and the tree of a commit, never changes and is not asked about. A record is named by what was asked for,
//! without credentials.

use std::io::{self, Write};
use std::sync::Arc;

use dockerfile::IgnoreFile;
use image::Stack;
use jiff::fmt::rfc2822;
use layer::{Entry, EntryKind, Metadata, Timestamp, Tree};
use oci::{DiffId, Digest, Hasher};
use serde::{Deserialize, Serialize};
use store::{LayerSink, RecordKind, Store, StoreError};

use crate::build::{BuildTools, bytes};
use crate::context::Context;
use crate::copy::{self, Placement};
use crate::credentials;
use crate::fetch::{FetchError, GitCommit, GitRequest, HttpHead, HttpRequest};
use crate::filter::Filter;
use crate::new_layer::NewLayer;
use crate::path::name;
use crate::remote::{GitSource, Mtime, Url};
use crate::report::Step;

/// A file that is larger is most likely no file.
const LARGEST_FILE: u64 = 64 << 30;

/// How the only file of a file's layer is called.
pub(crate) const FILE: &[u8] = b"file";

/// A file of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FetchedFile {
    /// Of its content.
    pub(crate) digest: Digest,
    /// As the server calls it.
    pub(crate) name: Option<String>,
    /// When it was last modified, in seconds since 1970; 0 if the server does not say.
    pub(crate) modified: i64,
    /// The layer that holds it.
    pub(crate) layer: DiffId,
    etag: Option<String>,
    last_modified: Option<String>,
    boot: String,
}

/// The files of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FetchedTree {
    /// When it was committed, in seconds since 1970.
    pub(crate) time: i64,
    /// The layer that holds them.
    pub(crate) layer: DiffId,
    boot: String,
}

/// What a layer holds that was made from another one, such as the content of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Derived {
    layer: DiffId,
    boot: String,
}

/// Gets a file, or finds that it is as it was. With a checksum, one that is here is not asked about.
pub(crate) fn file(
    tools: &BuildTools<'_>,
    url: &Url,
    checksum: Option<Digest>,
    step: Step<'_, '_>,
) -> Result<FetchedFile, FetchError> {
    let store = tools.store;
    let key = Digest::of(format!("http file {}", url.bare()).as_bytes());
    let known: Option<FetchedFile> = read(store, key)?;
    let known = match known {
        Some(known) if is_there(store, known.layer, &known.boot)? => Some(known),
        _ => None,
    };
    if let Some(known) = known.as_ref().filter(|known| checksum == Some(known.digest)) {
        return Ok(known.clone());
    }
    let authorization = credentials::of_url(url, tools.secrets)?;
    let request = HttpRequest {
        url: &url.bare(),
        authorization: authorization.as_deref(),
        etag: known.as_ref().and_then(|known| known.etag.as_deref()),
        last_modified: known.as_ref().and_then(|known| known.last_modified.as_deref()),
        limit: LARGEST_FILE,
        cancelled: tools.cancelled,
    };
    let failed = |error: &io::Error| FetchError::because(format!("cannot write what `{url}` holds"), error);
    let mut download = Download { store, sink: None, hasher: Hasher::new(), size: 0 };
    let Some(head) = tools.fetch.http(&request, &mut download)? else {
        let known = known.ok_or_else(|| FetchError::new(format!("`{url}` was not sent"), None))?;
        verify(url, checksum, known.digest)?;
        return Ok(known);
    };
    step.status(format!("downloading {}", bytes(download.size)));
    // An empty file was never written to.
    download.file().map_err(|error| failed(&error))?;
    let Download { sink, hasher, size, .. } = download;
    let (_sink, file) = sink.expect("it was just opened");
    // What is written is ours until there is a record of it.
    let _lease = store.lease().map_err(|error| unstored(&error))?;
    let digest = hasher.finish();
    verify(url, checksum, digest)?;
    let modified = head.last_modified.as_deref().and_then(http_date).unwrap_or(0);
    let layer = match known.as_ref().filter(|known| known.digest == digest && known.modified == modified) {
        Some(known) => known.layer,
        None => layer_of_file(store, &file, size, modified).map_err(|error| match error {
            LayerError::Build(error) => build_failed(&error),
            LayerError::Write(error) => FetchError::because(format!("cannot keep what `{url}` holds"), &error),
        })?,
    };
    let HttpHead { etag, last_modified, content_disposition } = head;
    let name = content_disposition.as_deref().and_then(disposition_name);
    let found = FetchedFile { digest, name, modified, layer, etag, last_modified, boot: boot()? };
    if known.as_ref() != Some(&found) {
        write(store, key, &found)?;
    }
    Ok(found)
}

/// The content must have the digest that was given (D088).
fn verify(url: &Url, checksum: Option<Digest>, found: Digest) -> Result<(), FetchError> {
    let Some(expected) = checksum.filter(|expected| *expected != found) else { return Ok(()) };
    let hint = "check who published the file; if it was changed on purpose, write its new digest".to_owned();
    let error = FetchError::new(format!("`{url}` does not have the digest that was expected"), Some(hint));
    Err(FetchError { causes: vec![format!("it should have {expected}, but has {found}")], ..error })
}

/// Where a body goes: to a file without a name, and into its digest. The file is made when there is something to write:
/// what a server has not changed leaves the store as it is.
struct Download<'s> {
    store: &'s Store,
    sink: Option<(LayerSink, std::fs::File)>,
    hasher: Hasher,
    size: u64,
}

impl Download<'_> {
    fn file(&mut self) -> io::Result<&mut std::fs::File> {
        if self.sink.is_none() {
            let sink = self.store.layer_sink().map_err(io::Error::other)?;
            let file = sink.file()?;
            self.sink = Some((sink, file));
        }
        let (_, file) = self.sink.as_mut().expect("it was just made");
        Ok(file)
    }
}

impl Write for Download<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.file()?.write(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum LayerError {
    Build(crate::build::BuildError),
    Write(layer::WriteError),
}

/// A layer of one file, readable for its owner only, as Docker has it (D085).
fn layer_of_file(store: &Store, content: &std::fs::File, size: u64, modified: i64) -> Result<DiffId, LayerError> {
    let mut layer = NewLayer::begin(store, None).map_err(LayerError::Build)?;
    let metadata =
        Metadata { mode: 0o600, uid: 0, gid: 0, mtime: Timestamp { secs: modified, nanos: 0 }, xattrs: Vec::new() };
    let entry = Entry { path: FILE.to_vec(), kind: EntryKind::File { size }, metadata };
    let mut content = content;
    io::Seek::rewind(&mut content)
        .map_err(|source| layer::WriteError::Read { path: "file".to_owned(), source })
        .map_err(LayerError::Write)?;
    layer.writer.append_file(&entry, content).map_err(LayerError::Write)?;
    layer.finish(store).map_err(LayerError::Build)
}

/// The commit that a source means. Where its digest is written out, nobody is asked.
pub(crate) fn commit(tools: &BuildTools<'_>, source: &GitSource) -> Result<GitCommit, FetchError> {
    let is_whole =
        |digest: &str| matches!(digest.len(), 40 | 64) && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
    let pinned = source.checksum.as_deref().filter(|checksum| is_whole(checksum));
    if let Some(digest) = pinned.filter(|_| source.fetch_by_commit) {
        return Ok(GitCommit { digest: digest.to_owned(), reference: None });
    }
    if let Some(digest) = source.reference.as_deref().filter(|reference| is_whole(reference)) {
        return check(source, GitCommit { digest: digest.to_ascii_lowercase(), reference: None });
    }
    let authorization = credentials::of_repository(source, tools.secrets)?;
    let request = GitRequest { source, authorization: authorization.as_deref(), cancelled: tools.cancelled };
    let folder = std::cell::OnceCell::new();
    let scratch = || {
        let made = tools.store.work_folder().map_err(|error| unstored(&error))?;
        Ok(folder.get_or_init(|| made).path().to_owned())
    };
    check(source, tools.fetch.git_commit(&request, &scratch)?)
}

/// The commit must begin with the digits that were given (D088).
fn check(source: &GitSource, commit: GitCommit) -> Result<GitCommit, FetchError> {
    match source.checksum.as_deref().filter(|checksum| !commit.digest.starts_with(checksum)) {
        None => Ok(commit),
        Some(checksum) => {
            let reference = source.reference.as_deref().unwrap_or("its default branch");
            let message = format!("`{}` is not at the commit that was expected", source.shown());
            let hint = "check who moved it; if that was on purpose, write the new digest".to_owned();
            let mut error = FetchError::new(message, Some(hint));
            error.causes = vec![format!("{reference} is {}, and should begin with {checksum}", commit.digest)];
            Err(error)
        }
    }
}

/// Names the tree of a commit: what of it is wanted, and how.
pub(crate) fn tree_name(source: &GitSource, commit: &GitCommit, keep_git_dir: bool) -> String {
    let subdir = source.subdir.as_deref().unwrap_or("");
    let submodules = source.submodules != Some(false);
    let at_checkout = source.mtime == Some(Mtime::Checkout);
    let mut name = format!("git {} {subdir:?} submodules={submodules}", commit.digest);
    if keep_git_dir && subdir.is_empty() {
        name += " keep-git-dir";
    }
    if at_checkout {
        name += " mtime=checkout";
    }
    name
}

/// Gets the tree of a commit, if it is not here.
pub(crate) fn tree(
    tools: &BuildTools<'_>,
    source: &GitSource,
    commit: &GitCommit,
    keep_git_dir: bool,
) -> Result<FetchedTree, FetchError> {
    let store = tools.store;
    let key = format!("{} {}", source.remote, tree_name(source, commit, keep_git_dir));
    let key = Digest::of(key.as_bytes());
    let known: Option<FetchedTree> = read(store, key)?;
    if let Some(known) = known
        && is_there(store, known.layer, &known.boot)?
    {
        return Ok(known);
    }
    let authorization = credentials::of_repository(source, tools.secrets)?;
    let request = GitRequest { source, authorization: authorization.as_deref(), cancelled: tools.cancelled };
    let _lease = store.lease().map_err(|error| unstored(&error))?;
    let folder = store.work_folder().map_err(|error| unstored(&error))?;
    let keep_git_dir = keep_git_dir && source.subdir.is_none();
    let got = tools.fetch.git_tree(&request, commit, keep_git_dir, folder.path())?;
    let root = folder_of(&got.folder, source)?;
    let secs = if source.mtime == Some(Mtime::Checkout) { (tools.clock)().as_second() } else { got.time };
    let layer = layer_of_tree(store, &root, keep_git_dir, Timestamp { secs, nanos: 0 })
        .map_err(|error| build_failed(&error))?;
    let found = FetchedTree { time: got.time, layer, boot: boot()? };
    write(store, key, &found)?;
    Ok(found)
}

/// The wanted folder of a checkout. Whoever wrote the repository may have put a link in its place, or on the way to it.
fn folder_of(root: &std::path::Path, source: &GitSource) -> Result<std::path::PathBuf, FetchError> {
    let mut folder = root.to_owned();
    for part in source.subdir.iter().flat_map(|subdir| subdir.split('/')) {
        folder.push(part);
        if !folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let subdir = source.subdir.as_deref().unwrap_or_default();
            let hint = "name a folder of the repository, as in `#main:docker`; links are not followed".to_owned();
            return Err(FetchError::new(format!("`{}` has no folder `{subdir}`", source.remote), Some(hint)));
        }
    }
    Ok(folder)
}

/// A checkout as a layer. Modes are git's own two, whatever umask it was written with.
fn layer_of_tree(
    store: &Store,
    folder: &std::path::Path,
    keep_git_dir: bool,
    time: Timestamp,
) -> Result<DiffId, crate::build::BuildError> {
    let context = Arc::new(Context::open(store, folder, IgnoreFile::default())?);
    let mut selection = context.select(b"", &Filter::default())?;
    // Of submodules, a file of that name says where git keeps the rest, and that is on this machine.
    selection.entries.retain(|entry| keep_git_dir || !is_git(&entry.path));
    for entry in &mut selection.entries {
        entry.metadata.mtime = time;
        entry.metadata.xattrs.clear();
        let is_program = entry.metadata.mode & 0o100 != 0;
        entry.metadata.mode = match entry.kind {
            EntryKind::Symlink { .. } => 0o777,
            _ if is_program || entry.kind == EntryKind::Directory => 0o755,
            _ => 0o644,
        };
    }
    let mut layer = NewLayer::begin(store, None)?;
    let placement = Placement { destination: Vec::new(), into_folder: true, owner: None, mode: None, epoch: None };
    copy::write(&[Arc::new(selection)], &placement, &Tree::default(), &mut layer.writer)
        .map_err(|error| crate::failure::internal("keep the files of a repository", &error))?;
    layer.finish(store)
}

fn is_git(path: &[u8]) -> bool {
    name(path) == b".git" || path.starts_with(b".git/")
}

/// The layer that was made before from what `name` names, if it is here.
pub(crate) fn derived(store: &Store, name: &str) -> Result<Option<DiffId>, FetchError> {
    match read::<Derived>(store, Digest::of(name.as_bytes()))? {
        Some(known) if is_there(store, known.layer, &known.boot)? => Ok(Some(known.layer)),
        _ => Ok(None),
    }
}

/// Remembers a layer that was made from what `name` names.
pub(crate) fn keep_derived(store: &Store, name: &str, layer: DiffId) -> Result<(), FetchError> {
    write(store, Digest::of(name.as_bytes()), &Derived { layer, boot: boot()? })
}

/// Opens what a layer holds.
pub(crate) fn open(store: &Store, layer: DiffId) -> Result<Tree, FetchError> {
    let stack = Stack::open(store, &[layer]);
    Ok(stack.map_err(|error| FetchError::because("cannot open what was fetched before", &error))?.tree())
}

fn read<R: for<'r> Deserialize<'r>>(store: &Store, key: Digest) -> Result<Option<R>, FetchError> {
    let record = store.record(RecordKind::Remote, key).map_err(|error| unstored(&error))?;
    Ok(record.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn write(store: &Store, key: Digest, record: &impl Serialize) -> Result<(), FetchError> {
    let content = serde_json::to_vec(record).expect("a record has text keys only, so it is always JSON");
    store.put_record(RecordKind::Remote, key, &content).map_err(|error| unstored(&error))
}

/// Whether a layer is there and whole: one that was written in an earlier boot may be torn.
fn is_there(store: &Store, layer: DiffId, boot_of_record: &str) -> Result<bool, FetchError> {
    let found = store.has_layer(layer, None).map_err(|error| unstored(&error))?;
    if !found || boot()? == boot_of_record {
        return Ok(found);
    }
    store.survived(layer).map_err(|error| unstored(&error))
}

fn boot() -> Result<String, FetchError> {
    store::boot_id().map_err(|error| unstored(&error))
}

fn unstored(error: &StoreError) -> FetchError {
    FetchError::because("the store cannot be used for what is fetched", error)
}

fn build_failed(error: &crate::build::BuildError) -> FetchError {
    FetchError::because("cannot keep what was fetched", error)
}

/// `Tue, 14 Nov 2023 22:13:20 GMT` (RFC 9110, 5.6.7). The two older forms are not read; nobody sends them any more.
fn http_date(text: &str) -> Option<i64> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok().map(jiff::Timestamp::as_second)
}

/// The name in `attachment; filename="x.tar"` (RFC 6266), if it can be the name of a file here.
fn disposition_name(text: &str) -> Option<String> {
    let parameter = |wanted: &str| {
        text.split(';').skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let extended = parameter("filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, name) = rest.split_once('\'')?;
        charset.eq_ignore_ascii_case("utf-8").then(|| crate::remote::decode(name))
    });
    let name = extended.or_else(|| parameter("filename"))?;
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    crate::remote::is_file_name(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{disposition_name, http_date};

    #[test]
    fn d085_the_time_of_last_modified() {
        assert_eq!(http_date("Tue, 14 Nov 2023 22:13:20 GMT"), Some(1_700_000_000));
        for text in ["", "yesterday", "Tue, 14 Nov 2023", "1700000000"] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn d085_the_name_that_a_server_gives() {
        for (text, expected) in [
            ("attachment; filename=\"x.tar\"", Some("x.tar")),
            ("attachment; filename=x.tar", Some("x.tar")),
            ("inline; FileName = x", Some("x")),
            ("attachment; filename=\"a\"; filename*=UTF-8''%EC%98%B9%EA%B8%B0", Some("옹기")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"a\\b\"", Some("b")),
            ("attachment; filename=\"..\"", None),
            ("attachment; filename=\"a/\"", None),
            ("attachment", None),
            ("filename=x", None),
        ] {
            assert_eq!(disposition_name(text).as_deref(), expected, "{text}");
        }
    }
}
