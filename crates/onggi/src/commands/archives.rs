//! `import`, `load`, `save` and `export`: files and streams on one side, images on the other.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use engine::ImportOptions;

use super::platforms;
use crate::cli::image::{ImportArgs, LoadArgs, SaveArgs};
use crate::cli::written::ExportArgs;
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::{self, Session};

/// Word for "from standard input".
const STDIN: &str = "-";

/// Prints the new image's ID.
pub(super) fn import(args: &ImportArgs, session: &Session) -> Result<u8, Failure> {
    let options = ImportOptions {
        // As Docker writes it: a path of this host is nobody else's business.
        source: STDIN.to_owned(),
        name: args.name.clone(),
        changes: args.changes.clone(),
        message: args.message.clone(),
        platform: platforms::optional(args.platform.as_deref())?,
    };
    let engine = session.engine()?;
    let id = match args.file.as_str() {
        STDIN => {
            let tarball = stdin("give the tarball's name, or redirect it: `onggi import - NAME <FILE`")?;
            engine::import(&engine, tarball, &options)?
        }
        url if ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) => {
            engine::import_url(&engine, url, &session::fetch_surroundings(&session::variable), &options)?
        }
        path => engine::import(&engine, open(Path::new(path))?, &options)?,
    };
    session.print(&format!("{id}\n"))?;
    Ok(0)
}

/// One line for each name, or for an image without one its ID (S251, C101).
pub(super) fn load(args: &LoadArgs, session: &Session) -> Result<u8, Failure> {
    let platform = platforms::optional(args.platform.as_deref())?;
    let input = match &args.input {
        Some(path) => open(path)?,
        None => stdin("give the archive's name: `onggi load -i FILE`")?,
    };
    for loaded in engine::load(&session.engine()?, input, platform.as_ref())? {
        for (name, old) in &loaded.replaced {
            let name = name.familiar();
            session.print(&format!(
                "The image {name} already exists, renaming the old one with ID {old} to empty string\n"
            ))?;
        }
        let lines: String = match loaded.references.as_slice() {
            [] => format!("Loaded image ID: {}\n", loaded.id),
            names => names.iter().map(|name| format!("Loaded image: {}\n", name.familiar())).collect(),
        };
        session.print(&lines)?;
    }
    Ok(0)
}

/// Writes images to a file or a pipe.
pub(super) fn save(args: &SaveArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    let platforms = platforms::platforms(&args.platforms)?;
    write(args.output.as_deref(), "save -o FILE IMAGE", |file| engine::save(&engine, &args.images, &platforms, file))
}

/// Writes a container's files to a file or a pipe.
pub(super) fn export(args: &ExportArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    write(args.output.as_deref(), "export -o FILE CONTAINER", |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        engine::export_container(&engine, &args.container, &mut out)?;
        let failed = |error: std::io::Error| {
            engine::Error::new(engine::ErrorKind::Internal, "cannot write the archive").because(&error)
        };
        out.flush().map_err(failed)
    })
}

/// Hands a file, or standard output, to whoever writes the archive. Never a terminal (S250).
fn write(
    output: Option<&Path>,
    usage: &str,
    write: impl FnOnce(&File) -> Result<(), engine::Error>,
) -> Result<u8, Failure> {
    match output {
        Some(path) => {
            let target = Target::create(path)?;
            write(&target.file)?;
            target.finish()?;
        }
        None if std::io::stdout().is_terminal() => {
            let problem = Problem::error("an archive is not for a terminal");
            return Err(Failure::new(problem.with_hint(format!("write it to a file: `onggi {usage}`"))));
        }
        None => {
            let stdout = std::io::stdout().as_fd().try_clone_to_owned().map_err(Failure::Output)?;
            write(&File::from(stdout))?;
        }
    }
    Ok(0)
}

/// A file that is written under another name, and gets its own when it is complete.
struct Target {
    file: File,
    path: PathBuf,
    /// `None` when the file is written in place: a device, or a pipe.
    unfinished: Option<PathBuf>,
}

impl Target {
    fn create(path: &Path) -> Result<Self, Failure> {
        let is_special = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        let name = path.file_name().map(|name| format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let unfinished = name.filter(|_| !is_special && !path.is_dir()).map(|name| path.with_file_name(name));
        let written = unfinished.as_deref().unwrap_or(path);
        let options = File::options().write(true).create(!is_special).truncate(!is_special).open(written);
        let file = options.map_err(|error| failed("write", path, &error))?;
        Ok(Self { file, path: path.to_owned(), unfinished })
    }

    fn finish(mut self) -> Result<(), Failure> {
        match self.unfinished.take() {
            Some(unfinished) => std::fs::rename(&unfinished, &self.path).map_err(|error| {
                drop(std::fs::remove_file(&unfinished));
                failed("write", &self.path, &error)
            }),
            None => Ok(()),
        }
    }
}

impl Drop for Target {
    /// What is not complete goes.
    fn drop(&mut self) {
        if let Some(unfinished) = &self.unfinished {
            drop(std::fs::remove_file(unfinished));
        }
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| failed("read", path, &error))
}

/// Standard input, unless somebody would have to type the archive.
fn stdin(hint: &str) -> Result<File, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::new(Problem::error("standard input is a terminal").with_hint(hint)));
    }
    stdin.as_fd().try_clone_to_owned().map(File::from).map_err(|error| failed("read", Path::new(STDIN), &error))
}

fn failed(doing: &str, path: &Path, error: &std::io::Error) -> Failure {
    let problem = Problem::error(format!("cannot {doing} `{}`", path.display()));
    Failure::new(Problem { causes: vec![error.to_string()], ..problem })
}
