//! Finds and reads the Dockerfile, and where there is none says what is there instead (S083, S084).

use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
use std::path::{Path, PathBuf};

use super::{BuildOptions, DockerfileSource};
use crate::{Error, ErrorKind};

/// How it is called when nothing else is said, best first.
const NAMES: [&str; 2] = ["Dockerfile", "dockerfile"];

/// The Dockerfile's name for messages, and its bytes.
pub(super) fn read_dockerfile(options: &BuildOptions) -> Result<(String, Vec<u8>), Error> {
    let context = options.context.as_deref();
    match &options.dockerfile {
        DockerfileSource::Bytes(bytes) => {
            context.map_or(Ok(()), check_context)?;
            Ok((NAMES[0].to_owned(), bytes.clone()))
        }
        DockerfileSource::File(path) => {
            let bytes = std::fs::read(path).map_err(|error| unreadable_file(path, context, &error))?;
            context.map_or(Ok(()), check_context)?;
            let name =
                path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
            Ok((name, bytes))
        }
        DockerfileSource::Default => read_default(context.unwrap_or_else(|| Path::new("."))),
    }
}

fn read_default(context: &Path) -> Result<(String, Vec<u8>), Error> {
    for name in NAMES {
        let path = context.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => return Ok((name.to_owned(), bytes)),
            Err(error) if error.kind() == NotFound => {}
            Err(error) => {
                check_context(context)?;
                return Err(unreadable(&path, &error));
            }
        }
    }
    check_context(context)?;
    let error = Error::new(ErrorKind::NotFound, format!("there is no Dockerfile in {}", context.display()));
    Err(match similar(context, |name| name.to_ascii_lowercase().contains("dockerfile")) {
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
