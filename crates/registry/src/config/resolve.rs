//! Puts the parts together: which endpoints a name has, and what each may be told.

use oci::Reference;

use super::auth_file::AuthFile;
use super::authority::Authority;
use super::certificates;
use super::credentials::Credentials;
use super::error::ConfigError;
use super::host_file::HostFiles;
use super::origin::Origin;
use super::proxies::{ProxyRules, Way};
use super::registries_conf::{Match, Mirror, PullFromMirror, RegistriesConf};
use super::settings::Settings;
use crate::{Credential, Endpoint, Route, Scheme};

/// What a route is for. Mirrors and other locations are for reading only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reading.
    Pull,
    /// Writing.
    Push,
}

/// A route, and where its parts came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The route.
    pub route: Route,
    /// One for each endpoint.
    pub origins: Vec<EndpointOrigins>,
    /// What is set somewhere and has no effect here, in words.
    pub notes: Vec<String>,
}

/// Where the parts of an endpoint came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointOrigins {
    /// That there is such an endpoint.
    pub endpoint: Origin,
    /// What allows plain HTTP, or a certificate that nobody looks at; `None` where neither is.
    pub insecure: Option<Origin>,
    /// Files of authorities that are trusted besides the system's.
    pub authorities: Vec<Origin>,
    /// File of our certificate.
    pub identity: Option<Origin>,
    /// What names the proxy, or keeps the one that is set from being used.
    pub proxy: Option<Origin>,
    /// The credential.
    pub credential: Option<Origin>,
    /// The headers.
    pub headers: Option<Origin>,
}

/// The way to a repository.
///
/// # Errors
/// When a file that counts cannot be read or understood, or forbids it.
pub fn route(settings: &Settings, reference: &Reference, purpose: Purpose) -> Result<Explained, ConfigError> {
    let server = Authority::parse(reference.registry())
        .ok_or_else(|| ConfigError::Server { text: reference.registry().to_owned() })?;
    let suffix = reference.to_string();
    let name = format!("{}/{}", reference.registry(), reference.repository());
    let suffix = suffix.strip_prefix(&name).unwrap_or_default();
    Resolver::new(settings)?.route(&server, reference.repository(), suffix, purpose)
}

/// The way to a registry as a whole, for logging in. `text` is a host or a URL of one; its path says nothing.
///
/// # Errors
/// As [`route`], and when `text` is no host.
pub fn server(settings: &Settings, text: &str) -> Result<(Authority, Explained), ConfigError> {
    let server = authority(text)?;
    let explained = Resolver::new(settings)?.route(&server, "", "", Purpose::Push)?;
    Ok((server, explained))
}

/// The registry that a host or a URL of one names.
///
/// # Errors
/// When `text` is no host.
pub fn authority(text: &str) -> Result<Authority, ConfigError> {
    let lower = text.to_ascii_lowercase();
    let host = ["https://", "http://"].into_iter().find_map(|scheme| lower.strip_prefix(scheme)).unwrap_or(&lower);
    let host = host.split('/').next().unwrap_or_default();
    Authority::parse(host).ok_or_else(|| ConfigError::Server { text: text.to_owned() })
}

/// One place to be put into a route.
struct Place {
    server: Authority,
    repository: String,
    scheme: Scheme,
    insecure: Option<Origin>,
    is_mirror: bool,
    serves_tags: bool,
    origin: Origin,
}

struct Resolver<'s> {
    settings: &'s Settings,
    credentials: Credentials<'s>,
    host: HostFiles,
    proxies: ProxyRules,
    registries: RegistriesConf,
}

impl<'s> Resolver<'s> {
    fn new(settings: &'s Settings) -> Result<Self, ConfigError> {
        let credentials = Credentials::new(settings);
        let host = HostFiles::read(settings)?;
        let proxies = ProxyRules::collect(settings, credentials.docker_config()?, &host)?;
        Ok(Self { registries: RegistriesConf::read(settings)?, settings, credentials, host, proxies })
    }

    fn route(
        &self,
        server: &Authority,
        repository: &str,
        suffix: &str,
        purpose: Purpose,
    ) -> Result<Explained, ConfigError> {
        let found = self.registries.find(server, repository, suffix);
        if let Some(blocked) = found.as_ref().and_then(|found| found.rule.blocked.clone()) {
            let name =
                if repository.is_empty() { server.to_string() } else { format!("{server}/{repository}{suffix}") };
            return Err(ConfigError::Blocked { name, origin: Box::new(blocked) });
        }
        let mut notes = Vec::new();
        let mut places = Vec::new();
        if purpose == Purpose::Pull {
            places.extend(found.iter().flat_map(|found| mirrors(found, suffix.contains('@'), &mut notes)));
        }
        let registry = self.registry(server, repository, found.as_ref(), purpose);
        if purpose == Purpose::Pull && registry.server.is_hub() {
            for mirror in self.host.mirrors()? {
                places.push(Place {
                    server: mirror.authority,
                    repository: registry.repository.clone(),
                    scheme: mirror.scheme,
                    insecure: (mirror.scheme == Scheme::Http).then(|| mirror.origin.clone()),
                    is_mirror: true,
                    serves_tags: true,
                    origin: mirror.origin,
                });
            }
        }
        places.push(registry);
        if let Some((target, origin)) = self.registries.alias(repository).filter(|_| server.is_hub()) {
            notes.push(format!("{origin}: the alias for {target} is not used; names without a host are Docker Hub's"));
        }
        let (mut endpoints, mut origins) = (Vec::new(), Vec::new());
        for place in places {
            let (endpoint, of_endpoint) = self.endpoint(place)?;
            endpoints.push(endpoint);
            origins.push(of_endpoint);
        }
        Ok(Explained { route: Route { endpoints }, origins, notes })
    }

    /// The registry itself, which may be said to be elsewhere for who reads.
    fn registry(&self, server: &Authority, repository: &str, found: Option<&Match<'_>>, purpose: Purpose) -> Place {
        let insecure = found.and_then(|found| found.rule.insecure.clone());
        let place = |server: &Authority, repository: &str, origin: Origin| Place {
            server: server.clone(),
            repository: repository.to_owned(),
            scheme: Scheme::Https,
            insecure: insecure.clone(),
            is_mirror: false,
            serves_tags: true,
            origin,
        };
        match found.and_then(Match::location).filter(|_| purpose == Purpose::Pull) {
            Some((elsewhere, path, origin)) => place(elsewhere, &path, origin.clone()),
            None if server.is_hub() => place(server, repository, Origin::Default("docker.io is registry-1.docker.io")),
            None => {
                let named = Origin::Default("the name's own registry");
                place(server, repository, found.map_or(named, |found| found.rule.origin.clone()))
            }
        }
    }

    fn endpoint(&self, place: Place) -> Result<(Endpoint, EndpointOrigins), ConfigError> {
        let server = &place.server;
        let found = certificates::find(self.settings, server)?;
        let mut tls = found.tls;
        let said = match place.insecure {
            Some(origin) => Some(origin),
            None => self.host.insecure(server)?,
        };
        // Docker takes this machine for safe; where an authority is given for it, that one is heeded all the same.
        let is_loopback = server.is_loopback();
        tls.is_unverified = said.is_some() || (is_loopback && tls.authorities.is_empty());
        let insecure = said.or_else(|| is_loopback.then_some(Origin::Default("loopback")));
        let plain_http_port = (place.scheme == Scheme::Https && insecure.is_some()).then(|| server.plain_port());
        let way = self.proxies.way(place.scheme == Scheme::Https, server.connect_host(), server.port());
        let (proxy, proxy_origin) = match way {
            Way::Direct => (None, None),
            Way::Excepted(origin) => (None, Some(origin)),
            Way::Through(url, origin) => (Some(url), Some(origin)),
        };
        let credential = self.credentials.find(server, &place.repository)?;
        let (credential, credential_origin) =
            credential.map_or((Credential::Anonymous, None), |(credential, origin)| (credential, Some(origin)));
        let docker = self.credentials.docker_config()?;
        let headers = docker.map(AuthFile::headers).transpose()?.unwrap_or_default();
        let headers_origin = docker.filter(|_| !headers.is_empty()).map(|file| Origin::key(&file.path, "HttpHeaders"));
        let endpoint = Endpoint {
            scheme: place.scheme,
            host: server.connect_host().to_owned(),
            port: server.port(),
            plain_http_port,
            repository: place.repository,
            is_mirror: place.is_mirror,
            serves_tags: place.serves_tags,
            tls,
            credential,
            headers,
            proxy,
        };
        let origins = EndpointOrigins {
            endpoint: place.origin,
            insecure,
            authorities: found.authorities.into_iter().map(Origin::File).collect(),
            identity: found.identity.map(Origin::File),
            proxy: proxy_origin,
            credential: credential_origin,
            headers: headers_origin,
        };
        Ok((endpoint, origins))
    }
}

/// Mirrors that may be asked for such a name.
fn mirrors(found: &Match<'_>, by_digest: bool, notes: &mut Vec<String>) -> Vec<Place> {
    let mut places = Vec::new();
    for Mirror { location, insecure, pull, origin } in &found.rule.mirrors {
        if *pull == PullFromMirror::TagOnly && by_digest {
            notes.push(format!("{origin}: this mirror is for tags only, and the name has a digest"));
            continue;
        }
        places.push(Place {
            server: location.authority.clone(),
            repository: found.below(location),
            scheme: Scheme::Https,
            insecure: insecure.clone(),
            is_mirror: true,
            serves_tags: *pull != PullFromMirror::DigestOnly,
            origin: origin.clone(),
        });
    }
    places
}
