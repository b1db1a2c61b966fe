//! Gives the builder what it needs of servers, by the crate `fetch`; says what to do where a server says no.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use builder::{
    Fetch, FetchError, GitCommit, GitRequest, GitSource, GitTree, HttpHead, HttpRequest, ImageRequest, LARGEST_SECRET,
    SecretSource, StepOptions, Url,
};
use fetch::{Answer, Certificates, Checkout, Client, Git, GitError, HttpError, Repository, Request, Surroundings};

use registry::config::Settings;

use crate::remote::RegistryAccess;
use crate::{Engine, Error, ErrorKind, pull};

/// As servers see us.
pub(crate) const USER_AGENT: &str = concat!("onggi/", env!("CARGO_PKG_VERSION"));

/// Reaches servers with what the environment says, and with what the command line gave for a build.
#[derive(Debug)]
pub(crate) struct Fetcher<'o> {
    surroundings: Surroundings,
    steps: &'o StepOptions,
    certificates: Certificates,
    /// Where images are put, and what says where they come from.
    images: Option<(&'o Engine, RegistryAccess)>,
}

impl<'o> Fetcher<'o> {
    /// Does nothing before it is asked to.
    pub(crate) fn new(surroundings: &Surroundings, steps: &'o StepOptions) -> Self {
        // Of several agents, the one that `--ssh default` means.
        let ssh_agent = steps.agents.get("default").cloned();
        let surroundings = Surroundings { ssh_agent, ..surroundings.clone() };
        Self { surroundings, steps, certificates: Certificates::default(), images: None }
    }

    /// Asks registries for images as well.
    pub(crate) fn with_images(self, engine: &'o Engine, settings: Option<&Settings>) -> Self {
        let access = |settings: &Settings| RegistryAccess {
            settings: settings.clone(),
            surroundings: self.surroundings.clone(),
        };
        Self { images: settings.map(|settings| (engine, access(settings))), ..self }
    }

    /// The value of a secret, for a server.
    pub(crate) fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, FetchError> {
        match self.steps.secrets.get(id) {
            None => Ok(None),
            Some(SecretSource::Variable { value, .. }) => Ok(Some(value.expose().to_vec())),
            Some(SecretSource::File(path)) => read_secret(path).map(Some).map_err(|error| FetchError {
                causes: vec![error.to_string()],
                ..FetchError::new(
                    format!("cannot read the secret `{id}` from {}", path.display()),
                    Some(format!("check the file of `--secret id={id},src={}`", path.display())),
                )
            }),
        }
    }
}

fn read_secret(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut value = Vec::new();
    std::fs::File::open(path)?.take(LARGEST_SECRET as u64).read_to_end(&mut value)?;
    Ok(value)
}

impl Fetch for Fetcher<'_> {
    fn image(&self, request: &ImageRequest<'_>) -> Result<bool, FetchError> {
        let Some((engine, access)) = &self.images else { return Ok(false) };
        let pulled = pull::pull_for_build(engine, access, request);
        pulled.map(|()| true).map_err(|error| FetchError {
            is_cancelled: error.kind == ErrorKind::Cancelled,
            message: error.message,
            causes: error.causes,
            hint: error.hint,
        })
    }

    fn http(&self, request: &HttpRequest<'_>, body: &mut dyn Write) -> Result<Option<HttpHead>, FetchError> {
        let client = Client::new(&self.surroundings, &self.certificates, USER_AGENT);
        let asked = Request {
            url: request.url,
            authorization: request.authorization,
            etag: request.etag,
            last_modified: request.last_modified,
            limit: request.limit,
            cancelled: request.cancelled,
        };
        match client.get(&asked, body) {
            Ok(Answer::NotModified) => Ok(None),
            Ok(Answer::Written(head)) => Ok(Some(HttpHead {
                etag: head.etag,
                last_modified: head.last_modified,
                content_disposition: head.content_disposition,
            })),
            Err(error) => Err(http_failed(&error, request)),
        }
    }

    fn git_commit(
        &self,
        request: &GitRequest<'_>,
        scratch: &dyn Fn() -> Result<PathBuf, FetchError>,
    ) -> Result<GitCommit, FetchError> {
        heed_children()?;
        let reference = request.source.reference.as_deref();
        let found = Git::new(&self.surroundings)
            .resolve(&repository(request), reference, || scratch().map_err(Failed::Scratch));
        match found {
            Ok(found) => Ok(GitCommit { digest: found.commit, reference: found.reference }),
            Err(Failed::Git(error)) => Err(git_failed(&error, request.source)),
            Err(Failed::Scratch(error)) => Err(error),
        }
    }

    fn git_tree(
        &self,
        request: &GitRequest<'_>,
        commit: &GitCommit,
        keep_git_dir: bool,
        folder: &Path,
    ) -> Result<GitTree, FetchError> {
        heed_children()?;
        let wanted = Checkout {
            commit: &commit.digest,
            reference: commit.reference.as_deref(),
            by_commit: request.source.fetch_by_commit,
            keep_git_dir,
            submodules: request.source.submodules != Some(false),
        };
        let out = Git::new(&self.surroundings).checkout(&repository(request), &wanted, folder);
        let out = out.map_err(|error| git_failed(&error, request.source))?;
        Ok(GitTree { folder: out.tree, time: out.time })
    }
}

/// git is a child whose end is waited for, whatever our parent has us ignore.
fn heed_children() -> Result<(), FetchError> {
    runtime::heed_children().map_err(|error| failed(&error, None, false))
}

enum Failed {
    Git(GitError),
    Scratch(FetchError),
}

impl From<GitError> for Failed {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

fn repository<'a>(request: &GitRequest<'a>) -> Repository<'a> {
    Repository { remote: &request.source.remote, authorization: request.authorization, cancelled: request.cancelled }
}

/// Writes a file of a server as it comes. `Err(None)` when the one who reads it has had enough.
pub(crate) fn download(surroundings: &Surroundings, url: &Url, body: &mut dyn Write) -> Result<(), Option<Error>> {
    let certificates = Certificates::default();
    let (address, authorization, cancelled) = (url.bare(), url.authorization(), AtomicBool::new(false));
    let request = Request {
        url: &address,
        authorization: authorization.as_deref(),
        etag: None,
        last_modified: None,
        limit: u64::MAX,
        cancelled: &cancelled,
    };
    match Client::new(surroundings, &certificates, USER_AGENT).get(&request, body) {
        Ok(_) => Ok(()),
        Err(HttpError::Write { .. }) => Err(None),
        Err(error) => {
            let hint = match &error {
                HttpError::Status { status: 401 | 403, .. } => {
                    Some("put user and password into the URL: `https://USER:PASSWORD@HOST/PATH`".to_owned())
                }
                error => http_hint(error),
            };
            let failed = Error::new(ErrorKind::Unavailable, format!("cannot fetch `{url}`")).because(&error);
            Err(Some(match hint {
                Some(hint) => failed.with_hint(hint),
                None => failed,
            }))
        }
    }
}

fn http_failed(error: &HttpError, request: &HttpRequest<'_>) -> FetchError {
    let host = request.url.split('/').nth(2).unwrap_or_default();
    // Secrets are named by the host without the port.
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let hint = match error {
        HttpError::Status { status: 401 | 403, .. } if request.authorization.is_none() => {
            Some(format!("give a token of yours for it: `--secret id=HTTP_AUTH_TOKEN_{name},env=TOKEN`"))
        }
        HttpError::Status { status: 401 | 403, .. } => {
            Some(format!("check that the secret for `{name}` is right and has not expired"))
        }
        error => http_hint(error),
    };
    failed(error, hint, matches!(error, HttpError::Cancelled))
}

/// What to do, whoever asked.
fn http_hint(error: &HttpError) -> Option<String> {
    match error {
        HttpError::Status { status: 404 | 410, .. } => Some("check the URL, with `curl -I` for example".to_owned()),
        HttpError::Status { status: 429 | 500..=599, .. } | HttpError::Timeout { .. } => {
            Some("try again later".to_owned())
        }
        HttpError::Host { .. } | HttpError::Connect { .. } => {
            Some("check the URL and your network; a proxy is taken from HTTP_PROXY and HTTPS_PROXY".to_owned())
        }
        HttpError::Tls { .. } => {
            Some("if its certificate is one of your own, name the file with it: `SSL_CERT_FILE=FILE`".to_owned())
        }
        HttpError::Proxy { .. } => {
            Some("check HTTP_PROXY and HTTPS_PROXY; NO_PROXY names hosts to reach directly".to_owned())
        }
        HttpError::Certificates { .. } => Some("check SSL_CERT_FILE, or unset it".to_owned()),
        HttpError::Read { .. } => Some("try again".to_owned()),
        _ => None,
    }
}

fn git_failed(error: &GitError, source: &GitSource) -> FetchError {
    let is_http = source.remote.starts_with("http");
    let hint = match error {
        GitError::Missing => Some("install it, for example with `apt-get install git`".to_owned()),
        GitError::Unauthorized { .. } if is_http => {
            Some("give a token of yours for it: `--secret id=GIT_AUTH_TOKEN,env=TOKEN`".to_owned())
        }
        GitError::Unauthorized { .. } => Some("give it your SSH agent: `--ssh default`".to_owned()),
        GitError::NoReference { .. } => Some(format!("see what there is: `git ls-remote {}`", source.remote)),
        GitError::NoDefault { .. } => Some("name a branch behind `#`, as in `#main`".to_owned()),
        GitError::NotFound { .. } => Some("check the URL; a private repository needs a token to be seen".to_owned()),
        GitError::Transport { .. } => Some("leave submodules out: put `?submodules=false` behind the URL".to_owned()),
        GitError::Failed { .. } => Some(format!("see whether git can reach it: `git ls-remote {}`", source.remote)),
        _ => None,
    };
    let mut made = failed(error, hint, matches!(error, GitError::Cancelled));
    match error {
        GitError::Unauthorized { said, .. }
        | GitError::NotFound { said, .. }
        | GitError::Transport { said, .. }
        | GitError::Failed { said, .. } => made.causes.push(format!("git says: {said}")),
        _ => {}
    }
    made
}

fn failed(error: &(dyn std::error::Error + 'static), hint: Option<String>, is_cancelled: bool) -> FetchError {
    let causes = std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string).collect();
    FetchError { message: error.to_string(), causes, hint, is_cancelled }
}
