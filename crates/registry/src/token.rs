//! What a registry is told about who asks: names and passwords, or tokens of the service that it names.
//!
//! Tokens are kept for as long as they hold, one for each endpoint, credential and set of scopes. The registry says where
//! its token service is, and the credential goes there; so that place must be one that it may name (CVE-2026-48978): with
//! TLS, and no address of the machine or network that asks; without TLS only the registry itself.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use ureq::http::{HeaderMap, Method};

use crate::challenge::{Challenge, challenges_of};
use crate::error::{Failure, Kind, inert};
use crate::line::{Content, Line};
use crate::place::{Origin, Place, encoded};
use crate::{Credential, SecretText};

/// Whom we say we are to token services.
const CLIENT: &str = "onggi";
const MOST_BYTES: u64 = 1 << 20;
/// What a token holds at least by the specification, and where the service does not say.
const USUAL: Duration = Duration::from_secs(60);

/// The tokens of a client.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    slots: Mutex<Vec<(Key, Slot)>>,
    challenges: Mutex<Vec<(Origin, Challenge)>>,
}

/// Where a token is kept; locked while one is asked for.
type Slot = Arc<Mutex<Option<Token>>>;

#[derive(Debug, PartialEq, Eq)]
struct Key {
    origin: Origin,
    credential: Credential,
    scopes: Vec<String>,
}

#[derive(Debug, Clone)]
struct Token {
    header: SecretText,
    until: Instant,
}

/// What a token service gives.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) token: SecretText,
    holds: Duration,
    /// A refresh token, where one was asked for.
    pub(crate) identity: Option<SecretText>,
}

impl Tokens {
    /// The value of `Authorization` by what is known of the endpoint so far; `None` before it has asked for one.
    pub(crate) fn known(&self, line: &Line) -> Result<Option<String>, Failure> {
        if let Credential::RegistryToken(token) = &line.endpoint.credential {
            return Ok(Some(bearer(token)));
        }
        let challenge = {
            let challenges = self.challenges.lock().expect("nothing panics while challenges are listed");
            challenges.iter().find(|(origin, _)| *origin == line.origin).map(|(_, challenge)| challenge.clone())
        };
        match challenge {
            None => Ok(None),
            Some(Challenge::Basic) => Ok(basic(&line.endpoint.credential)),
            Some(Challenge::Bearer { realm, service, .. }) => {
                self.token(line, &realm, service.as_deref(), None).map(Some)
            }
        }
    }

    /// The value of `Authorization` that meets what an answer asks for; `None` if we have none but what was refused.
    ///
    /// `was` was sent with the request; `is_fresh` says that it came of an earlier call for the same request.
    pub(crate) fn answer(
        &self,
        line: &Line,
        headers: &HeaderMap,
        was: Option<&str>,
        is_fresh: bool,
    ) -> Result<Option<String>, Failure> {
        let Some(challenge) = challenges_of(headers).into_iter().next() else { return Ok(None) };
        {
            let mut challenges = self.challenges.lock().expect("nothing panics while challenges are listed");
            challenges.retain(|(origin, _)| *origin != line.origin);
            challenges.push((line.origin.clone(), challenge.clone()));
        }
        match challenge {
            _ if matches!(line.endpoint.credential, Credential::RegistryToken(_)) => Ok(None),
            Challenge::Basic => Ok(basic(&line.endpoint.credential).filter(|header| was != Some(header))),
            Challenge::Bearer { .. } if is_fresh => Ok(None),
            Challenge::Bearer { realm, service, .. } => self.token(line, &realm, service.as_deref(), was).map(Some),
        }
    }

    /// A token that holds and is another one than `was`; threads that want the same one wait for it together.
    fn token(&self, line: &Line, realm: &str, service: Option<&str>, was: Option<&str>) -> Result<String, Failure> {
        let slot = self.slot(line);
        let mut slot = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(token) = &*slot
            && token.until > Instant::now()
            && was != Some(token.header.expose())
        {
            return Ok(token.header.expose().to_owned());
        }
        let asked_at = Instant::now();
        let given = ask(line, realm, service, false)?;
        let header = bearer(&given.token);
        // Not used in the last moments, when it may become old on the way.
        let until = asked_at + given.holds.mul_f64(0.8);
        *slot = Some(Token { header: SecretText::new(header.clone()), until });
        Ok(header)
    }

    fn slot(&self, line: &Line) -> Slot {
        let mut slots = self.slots.lock().expect("nothing panics while slots are listed");
        let is_it = |key: &Key| {
            key.origin == line.origin && key.scopes == line.scopes && key.credential == line.endpoint.credential
        };
        if let Some((_, slot)) = slots.iter().find(|(key, _)| is_it(key)) {
            return Arc::clone(slot);
        }
        let credential = line.endpoint.credential.clone();
        let key = Key { origin: line.origin.clone(), credential, scopes: line.scopes.clone() };
        let slot = Arc::new(Mutex::new(None));
        slots.push((key, Arc::clone(&slot)));
        slot
    }
}

/// Asks the service that a registry names for a token; for one to keep, too, if `is_login`.
pub(crate) fn ask(line: &Line, realm: &str, service: Option<&str>, is_login: bool) -> Result<Given, Failure> {
    let mut place = service_place(line, realm)?;
    let credential = &line.endpoint.credential;
    let reply = if let Credential::IdentityToken(token) = credential {
        let mut form = format!("grant_type=refresh_token&client_id={CLIENT}&refresh_token={}", encoded(token.expose()));
        for (name, value) in [("service", service.unwrap_or_default()), ("scope", &line.scopes.join(" "))] {
            if !value.is_empty() {
                form.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        let mut ask = line.ask(Method::POST, place.clone());
        ask.headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        ask.content = Content::Bytes(form.as_bytes());
        // Not sent again to where it is redirected: the secret is in it.
        line.exchange(&mut ask, &place, None)?
    } else {
        if let Some(service) = service {
            place = place.with_parameter("service", service);
        }
        for scope in &line.scopes {
            place = place.with_parameter("scope", scope);
        }
        if let Credential::Password { user, .. } = credential {
            place = place.with_parameter("account", user);
        }
        if is_login {
            place = place.with_parameter("offline_token", "true").with_parameter("client_id", CLIENT);
        }
        let authorization = basic(credential);
        let origin = place.origin.clone();
        line.follow(&mut line.ask(Method::GET, place), authorization.as_deref().map(|value| (&origin, value)))?
    };
    let host = reply.place.origin.to_string();
    if !(200..300).contains(&reply.status) {
        let no = line.judge(reply, true);
        return Err(no.err().unwrap_or_else(|| {
            Failure::new(&host, Kind::Redirect("the token service redirects a secret".to_owned()))
        }));
    }
    given(&line.read(reply.body, MOST_BYTES)?).ok_or_else(|| {
        Failure::new(&host, Kind::Protocol("the token service answers with something that is no token".to_owned()))
    })
}

fn given(body: &[u8]) -> Option<Given> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<f64>,
        refresh_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let is_sendable = |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let token = answer.token.filter(|token| !token.is_empty()).or(answer.access_token).filter(is_sendable)?;
    let seconds = answer.expires_in.filter(|seconds| *seconds >= 1.0).map(|seconds| seconds.min(86_400.0));
    Some(Given {
        token: SecretText::new(token),
        holds: seconds.map_or(USUAL, Duration::from_secs_f64),
        identity: answer.refresh_token.filter(is_sendable).map(SecretText::new),
    })
}

/// Where the token service is, if the registry may name that place.
fn service_place(line: &Line, realm: &str) -> Result<Place, Failure> {
    let refused = |reason: &str| {
        let shown = inert(realm.split(['?', '#']).next().unwrap_or_default(), 100);
        line.fails(Kind::Redirect(format!("the token service that it names, `{shown}`, {reason}")))
    };
    let place = Place::parse(realm).ok_or_else(|| refused("is no URL that is asked"))?;
    let registry = &line.origin;
    if !place.origin.is_https && place.origin != *registry {
        return Err(refused("is not secure"));
    }
    if place.origin.host != registry.host && is_near(&place.origin.host) && !is_near(&registry.host) {
        return Err(refused("is in the network of this machine, and the registry is not"));
    }
    Ok(place)
}

/// Whether a host is this machine, or an address of its network or of the services that a cloud has for its machines.
fn is_near(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let is_near_v4 = |address: std::net::Ipv4Addr| {
        let shared = address.octets()[0] == 100 && (64..128).contains(&address.octets()[1]);
        address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified() || shared
    };
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => is_near_v4(address),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || matches!(address.segments()[0], 0xfc00..=0xfdff | 0xfe80..=0xfebf)
                || address.to_ipv4_mapped().is_some_and(is_near_v4)
        }
        // Other spellings of addresses, such as `0x7f.1` or `2130706433`, are numbers in their last part.
        Err(_) => {
            host == "localhost"
                || host.ends_with(".localhost")
                || host.rsplit('.').next().is_some_and(|last| last.starts_with(|digit: char| digit.is_ascii_digit()))
        }
    }
}

pub(crate) fn bearer(token: &SecretText) -> String {
    format!("Bearer {}", token.expose())
}

/// RFC 7617; for those who have a name and a password.
pub(crate) fn basic(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Password { user, password } => {
            Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose()))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
