//! A repository: manifests, tags, and whether blobs are there. Endpoints are asked in their order, mirrors first.
//!
//! A mirror that has not got something, or does not answer, is no failure as long as the next one does. What is written,
//! and the list of tags, is the registry's own business.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use oci::{Descriptor, Digest, TagOrDigest, media_type};
use serde::Deserialize;
use ureq::http::Method;

use crate::client::watched;
use crate::error::{Failure, Kind, RegistryError, inert};
use crate::line::{Content, Line, Reply, Shared};
use crate::place::{Origin, encoded};
use crate::wire::Halt;
use crate::{Endpoint, Route};

/// Most bytes of a manifest or an index (distribution-spec: registries should accept 4 MiB at least).
pub const MOST_MANIFEST: u64 = 4 << 20;
const MOST_TAG_LIST: u64 = 16 << 20;
const MOST_TAGS: usize = 1_000_000;

/// What is done with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing.
    Push,
}

/// A manifest or an index, verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// As the registry says, and the document itself if it says so.
    pub media_type: String,
    /// Of the bytes, computed here.
    pub digest: Digest,
    /// As they came.
    pub bytes: Vec<u8>,
}

/// A repository in a registry. Many threads may use it at once.
#[derive(Debug)]
pub struct Repository<'c> {
    ways: Vec<Way>,
    pub(crate) cancelled: &'c AtomicBool,
    pub(crate) halt: Halt,
}

/// The way to one endpoint.
#[derive(Debug)]
struct Way {
    /// As it is configured.
    configured: Line,
    /// As it is spoken to, which is known when it has answered once.
    settled: OnceLock<Line>,
    only_digests: bool,
}

impl<'c> Repository<'c> {
    pub(crate) fn new(shared: &Arc<Shared>, route: Route, access: Access, cancelled: &'c AtomicBool) -> Self {
        let halt = Halt::default();
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let last = route.endpoints.len().saturating_sub(1);
        let way = |(rank, endpoint): (usize, Endpoint)| Way {
            only_digests: endpoint.is_mirror && !endpoint.serves_tags && rank < last,
            settled: OnceLock::new(),
            configured: Line {
                shared: Arc::clone(shared),
                origin: Origin::of(&endpoint),
                scopes: vec![format!("repository:{}:{actions}", endpoint.repository)],
                endpoint: Arc::new(endpoint),
                halt: halt.clone(),
                has_others: rank < last,
                scouting: Arc::default(),
            },
        };
        let ways = route.endpoints.into_iter().enumerate().map(way).collect();
        Self { ways, cancelled, halt }
    }

    /// How many endpoints there are.
    pub(crate) fn count(&self) -> usize {
        self.ways.len()
    }

    /// The way to an endpoint as it is configured, for what is said of it.
    pub(crate) fn configured(&self, rank: usize) -> &Line {
        &self.ways[rank].configured
    }

    /// The way to an endpoint as it is spoken to; asks it where that must be found out.
    pub(crate) fn settled(&self, rank: usize) -> Result<&Line, Failure> {
        let way = &self.ways[rank];
        if let Some(line) = way.settled.get() {
            return Ok(line);
        }
        let line = way.configured.persist(|| way.configured.settled())?;
        Ok(way.settled.get_or_init(|| line))
    }

    /// A manifest or an index, at most [`MOST_MANIFEST`] bytes. One that is named by its digest has that digest.
    ///
    /// # Errors
    /// When no endpoint has it, or none gives it.
    pub fn manifest(&self, which: &TagOrDigest) -> Result<Document, RegistryError> {
        let asked = |line: &Line| format!("read manifest `{}` of `{}`", shown(which), line.endpoint.repository);
        self.pull(matches!(which, TagOrDigest::Tag(_)), asked, |line| {
            line.persist(|| {
                let mut ask = line.ask(Method::GET, line.place(&manifest_path(which)));
                ask.headers.push(("accept", ACCEPTED.join(", ")));
                document(line, line.send(ask)?, which)
            })
        })
    }

    /// What a tag or digest stands for, without reading it where the registry says so; `None` if it has no such manifest.
    ///
    /// # Errors
    /// When no endpoint says anything of it.
    pub fn resolve(&self, which: &TagOrDigest) -> Result<Option<Descriptor>, RegistryError> {
        let asked = |line: &Line| format!("look up manifest `{}` of `{}`", shown(which), line.endpoint.repository);
        let found = self.pull(matches!(which, TagOrDigest::Tag(_)), asked, |line| {
            line.persist(|| {
                let mut ask = line.ask(Method::HEAD, line.place(&manifest_path(which)));
                ask.headers.push(("accept", ACCEPTED.join(", ")));
                match line.send(ask).map(|reply| head(&reply, which)) {
                    Ok(Some(descriptor)) => return Ok(descriptor),
                    // Refused, or without a digest: the manifest itself says what it is.
                    Ok(None) => {}
                    Err(failure) if matches!(failure.kind, Kind::Refused { .. } | Kind::Denied { .. }) => {}
                    Err(failure) => return Err(failure),
                }
                let mut ask = line.ask(Method::GET, line.place(&manifest_path(which)));
                ask.headers.push(("accept", ACCEPTED.join(", ")));
                let document = document(line, line.send(ask)?, which)?;
                Ok(Descriptor::new(&document.media_type, document.digest, document.bytes.len() as u64))
            })
        });
        absent(found)
    }

    /// Whether the registry has a blob, of that size. Of a [`Route`]'s endpoints, the last one is asked.
    ///
    /// # Errors
    /// When it does not say.
    pub fn has_blob(&self, blob: &Descriptor) -> Result<bool, RegistryError> {
        let found = self.push(
            |line| format!("look for blob {} of `{}`", blob.digest.short(), line.endpoint.repository),
            |line| line.persist(|| has_blob(line, blob)),
        )?;
        Ok(found)
    }

    /// Publishes a manifest or an index under a tag, or under its digest alone.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub fn put_manifest(&self, which: &TagOrDigest, document: &Document) -> Result<(), RegistryError> {
        let asked = |line: &Line| format!("write manifest `{}` of `{}`", shown(which), line.endpoint.repository);
        self.push(asked, |line| {
            line.persist(|| {
                let mut ask = line.ask(Method::PUT, line.place(&manifest_path(which)));
                ask.headers.push(("content-type", document.media_type.clone()));
                ask.content = Content::Bytes(&document.bytes);
                let reply = line.send(ask)?;
                match reply.header("docker-content-digest").map(str::parse::<Digest>) {
                    Some(Ok(digest)) if digest != document.digest => {
                        let reason = format!("it says that the manifest is {digest}, and not {}", document.digest);
                        Err(line.fails(Kind::Content(reason)))
                    }
                    _ => Ok(()),
                }
            })
        })
    }

    /// All tags, in the registry's order.
    ///
    /// # Errors
    /// When the registry does not say, or its list does not end.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        self.push(|line| format!("list the tags of `{}`", line.endpoint.repository), tags)
    }

    /// Asks the endpoints in their order until one answers.
    pub(crate) fn pull<T>(
        &self,
        is_tag: bool,
        asked: impl Fn(&Line) -> String,
        mut work: impl FnMut(&Line) -> Result<T, Failure>,
    ) -> Result<T, RegistryError> {
        watched(self.cancelled, &self.halt, || {
            let mut tried = Vec::new();
            for (rank, way) in self.ways.iter().enumerate() {
                if is_tag && way.only_digests {
                    continue;
                }
                let failure = match self.settled(rank).and_then(&mut work) {
                    Ok(result) => return Ok(result),
                    Err(failure) => failure.asking(&asked(&way.configured)),
                };
                if !way.configured.has_others || matches!(failure.kind, Kind::Cancelled) {
                    return Err(RegistryError { tried, ..failure });
                }
                tried.push(failure);
            }
            Err(nowhere())
        })
    }

    /// Asks the registry itself.
    pub(crate) fn push<T>(
        &self,
        asked: impl Fn(&Line) -> String,
        work: impl FnOnce(&Line) -> Result<T, Failure>,
    ) -> Result<T, RegistryError> {
        let last = self.ways.len().checked_sub(1).ok_or_else(nowhere)?;
        watched(self.cancelled, &self.halt, || self.settled(last).and_then(work))
            .map_err(|failure| failure.asking(&asked(self.configured(last))))
    }
}

/// A route without endpoints leads nowhere; whoever makes one breaks its promise.
pub(crate) fn nowhere() -> RegistryError {
    Failure::new("", Kind::Settings("no endpoint is configured for it".to_owned())).asking("reach the registry")
}

/// What is not there is `None`, unless a mirror could not say whether it is.
fn absent<T>(found: Result<T, RegistryError>) -> Result<Option<T>, RegistryError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind, Kind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

const ACCEPTED: [&str; 4] =
    [media_type::OCI_INDEX, media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST_LIST, media_type::DOCKER_MANIFEST];

fn manifest_path(which: &TagOrDigest) -> String {
    match which {
        TagOrDigest::Tag(tag) => format!("manifests/{}", encoded(tag)),
        TagOrDigest::Digest(digest) => format!("manifests/{digest}"),
    }
}

fn shown(which: &TagOrDigest) -> String {
    match which {
        TagOrDigest::Tag(tag) => inert(tag, 128),
        TagOrDigest::Digest(digest) => digest.to_string(),
    }
}

/// The descriptor in the head of an answer, if it is complete.
fn head(reply: &Reply, which: &TagOrDigest) -> Option<Descriptor> {
    let digest: Digest = reply.header("docker-content-digest")?.parse().ok()?;
    let media_type = media_type_of(reply)?;
    let is_it = match which {
        TagOrDigest::Tag(_) => true,
        TagOrDigest::Digest(wanted) => *wanted == digest,
    };
    let size = reply.length().filter(|size| *size > 0 && *size <= MOST_MANIFEST)?;
    (is_it && ACCEPTED.contains(&media_type)).then(|| Descriptor::new(media_type, digest, size))
}

fn media_type_of(reply: &Reply) -> Option<&str> {
    let media_type = reply.header("content-type")?.split(';').next()?.trim();
    media_type.contains('/').then_some(media_type)
}

/// Reads a manifest; digest and media type must be what everybody says they are (CVE-2021-41190).
fn document(line: &Line, reply: Reply, which: &TagOrDigest) -> Result<Document, Failure> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "mediaType")]
        media_type: Option<String>,
    }
    let said_digest = reply.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
    let said_type = media_type_of(&reply).map(str::to_owned);
    let bytes = line.read(reply.body, MOST_MANIFEST)?;
    let digest = Digest::of(&bytes);
    let wanted = match which {
        TagOrDigest::Digest(wanted) => Some(*wanted),
        TagOrDigest::Tag(_) => said_digest,
    };
    if let Some(wanted) = wanted.filter(|wanted| *wanted != digest) {
        return Err(line.fails(Kind::Content(format!("what it gives is not {wanted}: its digest is {digest}"))));
    }
    let own_type = serde_json::from_slice::<Typed>(&bytes).ok().and_then(|typed| typed.media_type);
    let is_general =
        |text: &str| matches!(text, "application/json" | "application/octet-stream" | "text/plain" | "text/json");
    let media_type = match (said_type.filter(|said| !is_general(said)), own_type) {
        (Some(said), Some(own)) if said != own => {
            let (said, own) = (inert(&said, 100), inert(&own, 100));
            return Err(line.fails(Kind::Protocol(format!("it calls `{said}` what calls itself `{own}`"))));
        }
        (Some(either), _) | (None, Some(either)) => either,
        (None, None) => {
            return Err(line.fails(Kind::Protocol("it does not say what kind of manifest it gives".to_owned())));
        }
    };
    Ok(Document { media_type, digest, bytes })
}

/// Whether a registry has a blob.
pub(crate) fn has_blob(line: &Line, blob: &Descriptor) -> Result<bool, Failure> {
    let ask = line.ask(Method::HEAD, line.place(&format!("blobs/{}", blob.digest)));
    match line.send(ask) {
        Ok(reply) => match reply.length() {
            Some(size) if size != blob.size => {
                let reason = format!("its blob {} has {size} bytes, and not {}", blob.digest.short(), blob.size);
                Err(line.fails(Kind::Content(reason)))
            }
            _ => Ok(true),
        },
        Err(failure) if matches!(failure.kind, Kind::NotFound) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Page after page, each named by the one before.
fn tags(line: &Line) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        tags: Option<Vec<String>>,
    }
    let mut tags = Vec::new();
    let mut place = line.place("tags/list?n=1000");
    loop {
        let (page, next) = line.persist(|| {
            let reply = line.send(line.ask(Method::GET, place.clone()))?;
            let next = reply.header("link").and_then(next_link).map(str::to_owned);
            Ok((line.read(reply.body, MOST_TAG_LIST)?, next))
        })?;
        let wrong = |reason: &str| line.fails(Kind::Protocol(reason.to_owned()));
        let page: Page = serde_json::from_slice(&page).map_err(|_| wrong("its list of tags is none"))?;
        let page = page.tags.unwrap_or_default();
        let is_empty = page.is_empty();
        tags.extend(page);
        let Some(next) = next else { return Ok(tags) };
        let next = place.join(&next).filter(|next| next.origin == line.origin && *next != place);
        place = next.ok_or_else(|| wrong("its list of tags goes on nowhere"))?;
        if is_empty || tags.len() > MOST_TAGS {
            return Err(wrong("its list of tags does not end"));
        }
    }
}

/// The target of `Link: <…>; rel="next"` (RFC 8288).
fn next_link(link: &str) -> Option<&str> {
    link.split(',').find_map(|one| {
        let (target, parameters) = one.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
        };
        parameters.split(';').any(is_next).then_some(target)
    })
}
