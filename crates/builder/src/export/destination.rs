//! Where a stream of bytes goes: a file that appears when it is complete, or a stream that is open already.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::build::BuildError;
use crate::output::Destination;

impl Destination {
    /// Hands the open file on, and gives it its name afterwards. Folders on the way are made.
    pub(super) fn write<T>(&self, write: impl FnOnce(&File) -> Result<T, BuildError>) -> Result<T, BuildError> {
        match self {
            Self::Stream(file) => write(file),
            Self::File(path) => {
                let target = Target::create(path).map_err(|error| unwritable(path, &error))?;
                let written = write(&target.file)?;
                target.finish().map_err(|error| unwritable(path, &error))?;
                Ok(written)
            }
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> BuildError {
    let hint =
        path.is_dir().then(|| format!("it is a folder: name a file in it, as in `dest={}/image.tar`", path.display()));
    BuildError::Output { message: format!("cannot write `{}`", path.display()), causes: vec![error.to_string()], hint }
}

/// A file under another name, which goes again if it never becomes complete.
struct Target {
    file: File,
    path: PathBuf,
    /// `None` when it is written in place: a device, or a pipe.
    unfinished: Option<PathBuf>,
}

impl Target {
    fn create(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path);
        if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let is_special = found.is_ok_and(|found| !found.is_file());
        let name = path.file_name().map(|name| format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let unfinished = name.filter(|_| !is_special).map(|name| path.with_file_name(name));
        let written = unfinished.as_deref().unwrap_or(path);
        let file = File::options().write(true).create(!is_special).truncate(!is_special).open(written)?;
        Ok(Self { file, path: path.to_owned(), unfinished })
    }

    fn finish(mut self) -> io::Result<()> {
        let Some(unfinished) = self.unfinished.take() else { return Ok(()) };
        fs::rename(&unfinished, &self.path).inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(unfinished) = &self.unfinished {
            drop(fs::remove_file(unfinished));
        }
    }
}
