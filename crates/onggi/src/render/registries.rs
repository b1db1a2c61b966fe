//! `config explain`: the endpoints in the order in which they are asked, and where each part of them came from.
//!
//! Secrets are never shown: of a credential the user's name, of a proxy no password, of a header its name.

use engine::registries::{Credential, Endpoint, EndpointOrigins, ExplainedName, Origin, Scheme};
use serde_json::{Value, json};

use crate::ui::printable::printable;

/// For people.
pub(crate) fn text(name: &ExplainedName) -> String {
    let mut text = format!("{}\n", printable(&name.name));
    let endpoints = name.explained.route.endpoints.iter().zip(&name.explained.origins);
    for (rank, (endpoint, origins)) in endpoints.enumerate() {
        let kind = match (endpoint.is_mirror, endpoint.serves_tags) {
            (true, true) => "  (mirror)",
            (true, false) => "  (mirror, for digests only)",
            _ => "",
        };
        text.push_str(&format!("\n{}. {}{kind}\n", rank + 1, printable(&url(endpoint))));
        for (title, value, origin) in facts(endpoint, origins) {
            let origin = origin.map(|origin| format!("  [{}]", printable(&origin))).unwrap_or_default();
            text.push_str(&format!("   {:13}{}{origin}\n", format!("{title}:"), printable(&value)));
        }
    }
    for note in &name.explained.notes {
        text.push_str(&format!("\nnote: {}\n", printable(note)));
    }
    text
}

type Fact = (&'static str, String, Option<String>);

fn facts(endpoint: &Endpoint, origins: &EndpointOrigins) -> Vec<Fact> {
    let shown = |origin: &Option<Origin>| origin.as_ref().map(ToString::to_string);
    let mut facts = vec![("repository", endpoint.repository.clone(), Some(origins.endpoint.to_string()))];
    facts.push(("TLS", tls_words(endpoint, origins), shown(&origins.insecure)));
    if let Some(identity) = &origins.identity {
        facts.push(("certificate", "ours is shown to it".to_owned(), Some(identity.to_string())));
    }
    let proxy = endpoint.proxy.as_deref().map_or("none".to_owned(), without_password);
    facts.push(("proxy", proxy, shown(&origins.proxy)));
    facts.push(("credential", credential_words(&endpoint.credential), shown(&origins.credential)));
    if !endpoint.headers.is_empty() {
        let names: Vec<_> = endpoint.headers.iter().map(|(name, _)| name.as_str()).collect();
        facts.push(("headers", names.join(", "), shown(&origins.headers)));
    }
    facts
}

fn url(endpoint: &Endpoint) -> String {
    let scheme = if endpoint.scheme == Scheme::Https { "https" } else { "http" };
    let host = if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
    match (endpoint.scheme, endpoint.port) {
        (Scheme::Https, 443) | (Scheme::Http, 80) => format!("{scheme}://{host}"),
        (_, port) => format!("{scheme}://{host}:{port}"),
    }
}

fn tls_words(endpoint: &Endpoint, origins: &EndpointOrigins) -> String {
    if endpoint.scheme == Scheme::Http {
        return "none".to_owned();
    }
    let trust = match (endpoint.tls.is_unverified, origins.authorities.as_slice()) {
        (true, _) => "any certificate".to_owned(),
        (false, []) => "the system's authorities".to_owned(),
        (false, files) => {
            let files: Vec<_> = files.iter().map(ToString::to_string).collect();
            format!("the system's authorities and {}", files.join(", "))
        }
    };
    match endpoint.plain_http_port {
        Some(port) => format!("{trust}, or none at port {port}"),
        None => trust,
    }
}

fn credential_words(credential: &Credential) -> String {
    match credential {
        Credential::Anonymous => "none".to_owned(),
        Credential::Password { user, .. } => format!("user `{user}`"),
        Credential::IdentityToken(_) => "an identity token".to_owned(),
        Credential::RegistryToken(_) => "a registry token".to_owned(),
    }
}

/// A proxy's URL may have a name and a password in it.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match (authority.rsplit_once('@'), scheme) {
        (None, _) => url.to_owned(),
        (Some((_, host)), "") => format!("***@{host}{path}"),
        (Some((_, host)), scheme) => format!("{scheme}://***@{host}{path}"),
    }
}

/// For programs.
pub(crate) fn data(name: &ExplainedName) -> Value {
    let place = |origin: &Option<Origin>| origin.as_ref().map(ToString::to_string);
    let places = |origins: &[Origin]| origins.iter().map(ToString::to_string).collect::<Vec<_>>();
    let endpoint = |(endpoint, origins): (&Endpoint, &EndpointOrigins)| {
        let (kind, user) = match &endpoint.credential {
            Credential::Anonymous => (None, None),
            Credential::Password { user, .. } => (Some("password"), Some(user)),
            Credential::IdentityToken(_) => (Some("identitytoken"), None),
            Credential::RegistryToken(_) => (Some("registrytoken"), None),
        };
        json!({
            "URL": url(endpoint),
            "Repository": endpoint.repository,
            "Mirror": endpoint.is_mirror,
            "Tags": endpoint.serves_tags,
            "Origin": origins.endpoint.to_string(),
            "TLS": {
                "Verify": endpoint.scheme == Scheme::Https && !endpoint.tls.is_unverified,
                "PlainHTTPPort": endpoint.plain_http_port,
                "Authorities": places(&origins.authorities),
                "ClientCertificate": place(&origins.identity),
                "InsecureOrigin": place(&origins.insecure),
            },
            "Proxy": { "URL": endpoint.proxy.as_deref().map(without_password), "Origin": place(&origins.proxy) },
            "Credential": { "Kind": kind, "Username": user, "Origin": place(&origins.credential) },
            "Headers": endpoint.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        })
    };
    let endpoints: Vec<_> = name.explained.route.endpoints.iter().zip(&name.explained.origins).map(endpoint).collect();
    json!({ "Name": name.name, "Endpoints": endpoints, "Notes": name.explained.notes })
}

#[cfg(test)]
mod tests;
