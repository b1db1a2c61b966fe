//! `import`: a tarball of files becomes an image.

use std::io::{self, PipeReader, Read};
use std::sync::mpsc;

use builder::Url;
use fetch::Surroundings;
use image::ImportError;
use oci::{ContainerConfig, ImageId, Platform, Reference};

use crate::changes::apply_changes;
use crate::{Engine, Error, ErrorKind, fetcher};

/// What `import` was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Where the tarball comes from, for the history: `-`, or a URL without its password.
    pub source: String,
    /// Name of the image.
    pub name: Option<String>,
    /// Dockerfile instructions for its config.
    pub changes: Vec<String>,
    /// Remark for its history.
    pub message: Option<String>,
    /// What it runs on; this machine's by default.
    pub platform: Option<Platform>,
}

/// Makes an image of a tarball of a server, which is read while it comes.
///
/// # Errors
/// As [`import`], and when the server does not give all of it.
pub fn import_url(
    engine: &Engine,
    url: &str,
    surroundings: &Surroundings,
    options: &ImportOptions,
) -> Result<ImageId, Error> {
    let failed = |error: io::Error| Error::new(ErrorKind::Internal, "cannot make a pipe").because(&error);
    let wrong = |error: builder::RemoteError| Error::new(ErrorKind::InvalidInput, error.message).with_hint(error.hint);
    let url = Url::parse(url).map_err(wrong)?;
    let options = ImportOptions { source: url.bare(), ..options.clone() };
    let (reader, writer) = io::pipe().map_err(failed)?;
    let (done, end) = mpsc::channel();
    std::thread::scope(|scope| {
        let fetching = scope.spawn(move || {
            let mut writer = writer;
            let fetched = fetcher::download(surroundings, &url, &mut writer);
            // The reader waits for this word before it believes in the end.
            done.send(fetched.is_ok()).ok();
            fetched
        });
        let made = import(engine, Fetched { reader, end }, &options);
        let fetched = fetching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (made, fetched) {
            (Err(_), Err(Some(error))) => Err(error),
            (made, _) => made,
        }
    })
}

/// What a server gives; its end is one only if the server meant it.
#[derive(Debug)]
struct Fetched {
    reader: PipeReader,
    end: mpsc::Receiver<bool>,
}

impl Read for Fetched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.reader.read(buffer)? {
            0 if !buffer.is_empty() && self.end.recv() == Ok(false) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server did not give all of it"))
            }
            count => Ok(count),
        }
    }
}

/// Makes an image of a tarball, compressed or not.
///
/// # Errors
/// When it is no tarball, or an instruction or the name is wrong; nothing is listed then.
pub fn import(engine: &Engine, tarball: impl Read, options: &ImportOptions) -> Result<ImageId, Error> {
    let name = options.name.as_deref().map(str::parse::<Reference>).transpose()?;
    if let Some(name) = name.as_ref().filter(|name| name.digest().is_some()) {
        let message = format!("cannot import as `{}`: a name with a digest cannot be given", name.familiar());
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint("leave out the part behind `@`"));
    }
    let mut config = ContainerConfig::default();
    apply_changes(&mut config, &options.changes)?;
    let options = image::ImportOptions {
        created: engine.now().to_string(),
        message: options.message.clone().filter(|message| !message.is_empty()),
        source: options.source.clone(),
        platform: options.platform.clone().unwrap_or_else(Platform::host),
        config,
    };
    let id = image::import(engine.store(), tarball, options)?;
    if let Some(name) = name {
        engine.store().set_reference(&name.with_default_tag(), id)?;
    }
    Ok(id)
}

impl From<ImportError> for Error {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Store(error) => error.into(),
            ImportError::Read { .. } => Self::from_source(ErrorKind::InvalidInput, &error),
            ImportError::Layer { .. } => Self::from_source(ErrorKind::InvalidInput, &error)
                .with_hint("`onggi import` takes a tarball of files; an archive of `save` is for `onggi load`"),
        }
    }
}
