//! Finds and reads the Dockerfile, and where there is none says what is there instead (S083, S084).

use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
use std::path::{Path, PathBuf};

use builder::{BuildContext, BuildTools, ContextTree, Document, Url};

use super::{BuildOptions, ContextSource, DockerfileSource};
use crate::{Error, ErrorKind};

/// How it is called when nothing else is said, best first.
const NAMES: [&str; 2] = ["Dockerfile", "dockerfile"];

/// What is read before a build begins.
pub(crate) struct Found {
    pub(super) dockerfile: Document,
    /// `<Dockerfile>.dockerignore` beside it (D162).
    pub(super) ignore_file: Option<Document>,
}

impl Found {
    fn text(bytes: Vec<u8>) -> Self {
        Self { dockerfile: Document { name: NAMES[0].to_owned(), bytes }, ignore_file: None }
    }

    /// A file of this machine, with the ignore file beside it.
    fn beside(path: &Path, bytes: Vec<u8>) -> Result<Self, Error> {
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let mut beside = path.as_os_str().to_owned();
        beside.push(IGNORE);
        let ignore_file = match std::fs::read(&beside) {
            Ok(bytes) => Some(Document { name: format!("{name}{IGNORE}"), bytes }),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => None,
            Err(error) => {
                let message = format!("cannot read the ignore file {}", Path::new(&beside).display());
                return Err(Error::new(ErrorKind::InvalidInput, message).because(&error));
            }
        };
        Ok(Self { dockerfile: Document { name, bytes }, ignore_file })
    }
}

/// What is put behind a Dockerfile's name.
const IGNORE: &str = ".dockerignore";

/// A Dockerfile that came in the place of a context.
pub(super) fn alone(options: &BuildOptions, text: Vec<u8>) -> Result<Found, Error> {
    match &options.dockerfile {
        DockerfileSource::Default => Ok(Found::text(text)),
        DockerfileSource::File(path) => {
            let message = "what was given as the build context is a Dockerfile itself, and no archive";
            let hint = format!("give a folder as the context: `onggi build -f {} .`", path.display());
            Err(Error::new(ErrorKind::InvalidInput, message).with_hint(hint))
        }
        DockerfileSource::Bytes(_) | DockerfileSource::Url(_) => {
            Err(Error::new(ErrorKind::InvalidInput, "there are two Dockerfiles").with_hint("leave `-f` out"))
        }
    }
}

/// The Dockerfile, and the ignore file that goes with it.
pub(super) fn dockerfile(
    source: &DockerfileSource,
    context: Option<&BuildContext>,
    tools: &BuildTools<'_>,
) -> Result<Found, Error> {
    let folder = match context {
        Some(BuildContext::Folder(folder)) => Some(folder.as_path()),
        _ => None,
    };
    match (source, context) {
        (DockerfileSource::Bytes(bytes), _) => {
            folder.map_or(Ok(()), check_context)?;
            Ok(Found::text(bytes.clone()))
        }
        (DockerfileSource::Url(text), _) => {
            folder.map_or(Ok(()), check_context)?;
            let url = Url::parse(text).map_err(super::wrong_remote)?;
            let bytes = builder::fetch_document(&url, tools).map_err(|error| Error::from_build(error, "", b""))?;
            Ok(Found::text(bytes))
        }
        // In a context from elsewhere, paths are those within; an absolute one is of this machine.
        (DockerfileSource::File(path), Some(BuildContext::Tree(tree))) if path.is_relative() => {
            let path = path.to_string_lossy();
            in_tree(tree, &[&path])?.ok_or_else(|| missing_in(tree, &path))
        }
        (DockerfileSource::Default, Some(BuildContext::Tree(tree))) => {
            in_tree(tree, &NAMES)?.ok_or_else(|| missing_in(tree, NAMES[0]))
        }
        (DockerfileSource::File(path), _) => {
            let bytes = std::fs::read(path).map_err(|error| unreadable_file(path, folder, &error))?;
            folder.map_or(Ok(()), check_context)?;
            Found::beside(path, bytes)
        }
        (DockerfileSource::Default, _) => read_default(folder.unwrap_or_else(|| Path::new("."))),
    }
}

/// `<Dockerfile>.dockerignore`, for what does without a Dockerfile.
pub(crate) fn ignore_file(
    source: &DockerfileSource,
    context: &BuildContext,
    tools: &BuildTools<'_>,
) -> Result<Option<Document>, Error> {
    match (dockerfile(source, Some(context), tools), source, context) {
        (Ok(found), ..) => Ok(found.ignore_file),
        (Err(error), DockerfileSource::Default, _) if error.kind == ErrorKind::NotFound => {
            if let BuildContext::Folder(folder) = context {
                check_context(folder)?;
            }
            Ok(None)
        }
        (Err(error), ..) => Err(error),
    }
}

/// Where in the context the Dockerfile of this name is, if it is there.
pub(super) fn path_in_context(options: &BuildOptions, name: &str) -> Option<String> {
    let path = match (&options.dockerfile, &options.context) {
        (DockerfileSource::Default, _) => return Some(name.to_owned()),
        (DockerfileSource::File(path), ContextSource::Folder(folder)) => {
            let (path, folder) = (std::path::absolute(path).ok()?, std::path::absolute(folder).ok()?);
            path.strip_prefix(folder).ok()?.to_owned()
        }
        (DockerfileSource::File(path), _) if path.is_relative() => path.clone(),
        _ => return None,
    };
    Some(path.to_string_lossy().into_owned())
}

/// The first of these that a context from elsewhere holds.
fn in_tree(tree: &ContextTree, names: &[&str]) -> Result<Option<Found>, Error> {
    let read = |path: &str| tree.read(path).map_err(|error| Error::from_source(ErrorKind::InvalidInput, &error));
    for path in names {
        if let Some(bytes) = read(path)? {
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            let beside = read(&format!("{path}{IGNORE}"))?;
            let ignore_file = beside.map(|bytes| Document { name: format!("{name}{IGNORE}"), bytes });
            return Ok(Some(Found { dockerfile: Document { name, bytes }, ignore_file }));
        }
    }
    Ok(None)
}

fn missing_in(tree: &ContextTree, path: &str) -> Error {
    let message = format!("there is no `{path}` in the build context from {}", tree.origin());
    let error = Error::new(ErrorKind::NotFound, message);
    let names = tree.names();
    let like = dockerfile::nearest(path, names.iter().map(String::as_str));
    let like =
        like.or_else(|| names.iter().map(String::as_str).find(|name| name.to_ascii_lowercase().contains("dockerfile")));
    match like {
        Some(name) => error.with_hint(format!("did you mean `-f {name}`?")),
        None => error.with_hint("name it with `-f PATH`, taken from the root of the context"),
    }
}

fn read_default(context: &Path) -> Result<Found, Error> {
    for name in NAMES {
        let path = context.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => return Found::beside(&path, bytes),
            Err(error) if error.kind() == NotFound => {}
            Err(error) => {
                check_context(context)?;
                return Err(unreadable(&path, &error));
            }
        }
    }
    check_context(context)?;
    let error = Error::new(ErrorKind::NotFound, format!("there is no Dockerfile in {}", context.display()));
    // buildah's name for it is found by nobody else (D011).
    let has_a_name_for_it = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.contains("dockerfile") || name.contains("containerfile")
    };
    Err(match similar(context, has_a_name_for_it) {
        Some(path) => error.with_hint(format!("name it: `onggi build -f {} {}`", path.display(), context.display())),
        None => error.with_hint("name it with `-f FILE`, or give the folder that holds it"),
    })
}

/// A context is a folder that is there. Only looked at when that is in doubt: opening it tells as well.
fn check_context(context: &Path) -> Result<(), Error> {
    let shown = context.display();
    match std::fs::metadata(context) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::InvalidInput, format!("the build context {shown} is not a folder"))
            .with_hint(format!(
                "give the folder whose files are needed; if this is the Dockerfile, write `onggi build -f {shown} .`"
            ))),
        Err(error) => {
            let kind = if error.kind() == NotFound { ErrorKind::NotFound } else { ErrorKind::InvalidInput };
            let made = Error::new(kind, format!("cannot open the build context {shown}")).because(&error);
            Err(match nearest_beside(context) {
                Some(path) => made.with_hint(format!("did you mean `{}`?", path.display())),
                None => made.with_hint("give the folder whose files are needed, as in `onggi build .`"),
            })
        }
    }
}

/// `-f PATH` that cannot be read.
fn unreadable_file(path: &Path, context: Option<&Path>, error: &std::io::Error) -> Error {
    if error.kind() != NotFound {
        return unreadable(path, error);
    }
    let made = Error::new(ErrorKind::NotFound, format!("cannot read the Dockerfile {}", path.display())).because(error);
    let in_context = context.map(|context| context.join(path)).filter(|inside| inside.is_file());
    match in_context.as_deref() {
        Some(inside) => made.with_hint(format!(
            "`-f` is taken from the current folder, not from the context: write `-f {}`",
            inside.display()
        )),
        None => match nearest_beside(path) {
            Some(path) => made.with_hint(format!("did you mean `-f {}`?", path.display())),
            None => made.with_hint("`-f` is taken from the current folder, not from the context"),
        },
    }
}

/// A Dockerfile that is there, but cannot be read.
fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let shown = path.display();
    let made = Error::new(ErrorKind::InvalidInput, format!("cannot read the Dockerfile {shown}")).because(error);
    match error.kind() {
        IsADirectory => match NAMES.iter().map(|name| path.join(name)).find(|inside| inside.is_file()) {
            Some(inside) => made.with_hint(format!("there is one in that folder: `-f {}`", inside.display())),
            None => made.with_hint("name a file with `-f FILE`"),
        },
        PermissionDenied => made.with_hint(format!("make it readable: `chmod a+r {shown}`")),
        NotADirectory => made.with_hint("one of the names before the last is not a folder"),
        _ => made,
    }
}

/// The file or folder whose name is most like that of `path`, in the same folder.
fn nearest_beside(path: &Path) -> Option<PathBuf> {
    let typed = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let names = names_in(folder.unwrap_or_else(|| Path::new(".")));
    let nearest = dockerfile::nearest(typed, names.iter().map(String::as_str))?;
    Some(folder.map_or_else(|| PathBuf::from(nearest), |folder| folder.join(nearest)))
}

/// The first file of a folder, by name, that looks right.
fn similar(folder: &Path, looks_right: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let names = names_in(folder).into_iter().filter(|name| looks_right(name));
    let path = |name| if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) };
    names.map(path).find(|path| path.is_file())
}

/// Sorted; empty when the folder cannot be read: this is only for hints.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
