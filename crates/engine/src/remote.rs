//! Registries as places that images are pulled from and pushed to; what their refusals mean, and what to do about them.

use std::io::{self, Read};
use std::sync::atomic::AtomicBool;

use image::transfer::{Content, Destination, Document, RemoteError, Source, TransferError, Upload};
use oci::{Descriptor, Digest, Reference, TagOrDigest};
use registry::config::{Purpose, Settings, route};
use registry::{Access, Client, Kind, ReadAt, RegistryError, Repository};

use crate::fetcher::USER_AGENT;
use crate::registries::heed_children;
use crate::{Error, ErrorKind, Surroundings};

/// What says where registries are, who we are there, and how to get there.
#[derive(Debug, Clone)]
pub struct RegistryAccess {
    /// Files with credentials, mirrors and certificates.
    pub settings: Settings,
    /// Proxies and authorities.
    pub surroundings: Surroundings,
}

/// Nobody waits for less than the end: Ctrl-C ends the process, and what came so far is kept.
static NEVER: AtomicBool = AtomicBool::new(false);

impl RegistryAccess {
    /// A client for any number of repositories.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.surroundings.clone(), USER_AGENT)
    }

    /// The repository of a name.
    pub(crate) fn repository(
        &self,
        client: &Client,
        reference: &Reference,
        access: Access,
    ) -> Result<Remote<'static>, Error> {
        self.repository_until(client, reference, access, &NEVER)
    }

    /// The same; what goes on ends when `cancelled` is set.
    pub(crate) fn repository_until<'c>(
        &self,
        client: &Client,
        reference: &Reference,
        access: Access,
        cancelled: &'c AtomicBool,
    ) -> Result<Remote<'c>, Error> {
        let purpose = match access {
            Access::Pull => Purpose::Pull,
            Access::Push => Purpose::Push,
        };
        heed_children()?;
        let explained = route(&self.settings, reference, purpose)?;
        Ok(Remote(client.repository(explained.route, access, cancelled)))
    }
}

/// A repository of a registry.
#[derive(Debug)]
pub(crate) struct Remote<'c>(Repository<'c>);

impl Remote<'_> {
    /// All tags, in the registry's order.
    pub(crate) fn tags(&self) -> Result<Vec<String>, RegistryError> {
        self.0.tags()
    }

    fn digest(&self, name: &TagOrDigest) -> Result<Option<Digest>, RemoteError> {
        Ok(self.0.resolve(name)?.map(|descriptor| descriptor.digest))
    }
}

impl Source for Remote<'_> {
    fn resolve(&self, name: &TagOrDigest) -> Result<Option<Digest>, RemoteError> {
        self.digest(name)
    }

    fn manifest(&self, name: &TagOrDigest) -> Result<Document, RemoteError> {
        let found = self.0.manifest(name)?;
        Ok(Document { media_type: found.media_type, bytes: found.bytes })
    }

    fn blob(&self, blob: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>, RemoteError> {
        Ok(Box::new(self.0.blob(blob, from)?))
    }
}

impl Destination for Remote<'_> {
    fn resolve(&self, name: &TagOrDigest) -> Result<Option<Digest>, RemoteError> {
        self.digest(name)
    }

    fn upload(
        &self,
        blob: &Descriptor,
        content: Content<'_>,
        mount_from: Option<&str>,
        sent: &dyn Fn(u64),
    ) -> Result<Upload, RemoteError> {
        Ok(match self.0.upload(blob, &Readable(content), mount_from, sent)? {
            registry::Upload::Existed => Upload::Existed,
            registry::Upload::Mounted => Upload::Mounted,
            registry::Upload::Sent => Upload::Sent,
        })
    }

    fn put_manifest(&self, name: &TagOrDigest, document: &Document) -> Result<(), RemoteError> {
        let Document { media_type, bytes } = document.clone();
        let digest = Digest::of(&bytes);
        Ok(self.0.put_manifest(name, &registry::Document { media_type, digest, bytes })?)
    }
}

struct Readable<'a>(Content<'a>);

impl ReadAt for Readable<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
}

/// A transfer that failed, with what to do about it. `verb` is what was being done with the name.
pub(crate) fn failed(error: &TransferError, reference: &Reference, verb: Access) -> Error {
    match registry_error(error) {
        // It has the manifest, and not all that the manifest names.
        Some(refusal) if matches!((&refusal.kind, error), (Kind::NotFound, TransferError::Cut { .. })) => {
            Error::new(ErrorKind::NotFound, refusal.to_string())
                .with_hint("the registry has lost a part of this image: push it there again")
        }
        Some(refusal) => refused(refusal, reference, verb),
        None => content_failed(error),
    }
}

/// What a registry, or the way to it, said.
fn registry_error(error: &TransferError) -> Option<&RegistryError> {
    match error {
        TransferError::Remote { source, .. } => source.downcast_ref(),
        TransferError::Cut { source: Some(source), .. } => source.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// A registry's refusal of a request for a name.
pub(crate) fn refused(error: &RegistryError, reference: &Reference, verb: Access) -> Error {
    let name = reference.familiar();
    let login = || format!("log in with `onggi login{}`", login_argument(reference));
    let made = |kind, message: String| Error::new(kind, message).because(error);
    let elsewhere = "see the way that is taken with";
    match &error.kind {
        Kind::NotFound if verb == Access::Pull => {
            made(ErrorKind::NotFound, format!("manifest for {name} not found: manifest unknown"))
                .with_hint("check the name and the tag")
        }
        Kind::Unauthorized { had_credential } | Kind::Denied { had_credential } => {
            let kind = match error.kind {
                Kind::Denied { .. } => ErrorKind::Forbidden,
                _ => ErrorKind::Unauthorized,
            };
            let repository = reference.familiar_name();
            let message = match verb {
                Access::Pull => format!("pull access denied for {repository}, repository does not exist or is private"),
                Access::Push => format!("denied: requested access to {repository} is denied"),
            };
            let again = format!("{}: the account that is used may not do this", login());
            made(kind, message).with_hint(if *had_credential { again } else { login() })
        }
        Kind::TooManyRequests | Kind::Unavailable { .. } | Kind::Cut(_) => {
            Error::new(ErrorKind::Unavailable, error.to_string()).with_hint("try again: what has come so far is kept")
        }
        Kind::Cancelled => Error::new(ErrorKind::Cancelled, error.to_string()).with_exit_code(130),
        Kind::Content(_) => Error::new(ErrorKind::Corrupt, error.to_string()),
        Kind::Settings(_) => Error::new(ErrorKind::InvalidInput, error.to_string()),
        Kind::Source(_) => Error::new(ErrorKind::Internal, error.to_string()),
        Kind::NotFound => Error::new(ErrorKind::NotFound, error.to_string()),
        Kind::Host | Kind::Connect(_) | Kind::Tls(_) | Kind::Proxy(_) => {
            Error::new(ErrorKind::Unavailable, error.to_string())
                .with_hint(format!("{elsewhere} `onggi config explain {name}`"))
        }
        _ => Error::new(ErrorKind::Unavailable, error.to_string()),
    }
}

/// Docker Hub is meant when no registry is named.
fn login_argument(reference: &Reference) -> String {
    match reference.registry() {
        "docker.io" => String::new(),
        host => format!(" {host}"),
    }
}

/// What came, or was to go, is wrong.
fn content_failed(error: &TransferError) -> Error {
    let kind = match error {
        TransferError::SchemaOne
        | TransferError::NotAnImage { .. }
        | TransferError::Foreign { .. }
        | TransferError::NoPlatform { .. }
        | TransferError::Depth => ErrorKind::Unsupported,
        TransferError::Keep { .. } | TransferError::Remote { .. } | TransferError::Cut { .. } => ErrorKind::Unavailable,
        _ => ErrorKind::Corrupt,
    };
    let made = Error::from_source(kind, error);
    match error {
        TransferError::SchemaOne => made.with_hint("push it again with a Docker of the last years"),
        TransferError::NoPlatform { there, .. } if !there.is_empty() => {
            made.with_hint(format!("choose with `--platform` one of: {}", there.join(", ")))
        }
        TransferError::Cut { .. } => made.with_hint("try again: what has come so far is kept"),
        TransferError::Keep { .. } => made.with_hint("free some space; `onggi system df` says what takes it"),
        _ => made,
    }
}
