//! Requests to one endpoint: what they carry, where redirects may lead them, and what an answer means.
//!
//! A credential, and the headers that are configured for a registry, go to its scheme, host and port and nowhere else
//! (CVE-2020-15157). Redirects are followed here and not by the library beneath, so that this holds for each of them.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ureq::http::{HeaderMap, Method, Request};
use ureq::{Body, SendBody};

use crate::agents::Agents;
use crate::challenge::{Challenge, challenges_of};
use crate::error::{Failure, Kind, Said, inert};
use crate::limits::Limits;
use crate::place::{Origin, Place};
use crate::retry::{Retry, retry_after};
use crate::scout::Scouting;
use crate::token::Tokens;
use crate::wire::{Halt, Patience, patiently, unwrapped};
use crate::{Credential, Endpoint};

const MOST_REDIRECTS: usize = 10;
/// Of the body of an answer that says no.
const MOST_SAID: u64 = 64 << 10;

/// What all requests of a client share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) agents: Agents,
    pub(crate) tokens: Tokens,
    /// Those of the endpoints that may be spoken to with or without TLS that have answered.
    pub(crate) spoken: Mutex<Vec<Origin>>,
    /// Who has answered at all: a registry, a token service, a place that it redirects to.
    pub(crate) answered: Mutex<Vec<Origin>>,
    pub(crate) limits: Limits,
}

/// What is sent along.
pub(crate) enum Content<'a> {
    /// Nothing.
    None,
    /// A document.
    Bytes(&'a [u8]),
    /// So many bytes; they can be sent once.
    Stream(&'a mut dyn Read, u64),
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) place: Place,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content: Content<'a>,
    /// How long the head of the answer is waited for.
    pub(crate) answer: Duration,
}

/// An answer, with its body unread.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Who answered.
    pub(crate) place: Place,
}

impl Reply {
    /// A header's value, if it is text of a sensible length.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|value| value.len() <= 8192)
    }

    /// `Content-Length`.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }
}

/// The way to one endpoint of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) shared: Arc<Shared>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) origin: Origin,
    /// What tokens must allow, sorted.
    pub(crate) scopes: Vec<String>,
    pub(crate) halt: Halt,
    /// Whether somebody else can be asked in its place.
    pub(crate) has_others: bool,
    /// What uploads know of the way together.
    pub(crate) scouting: Arc<Scouting>,
}

impl Line {
    /// A path below the repository: `manifests/v1`.
    pub(crate) fn place(&self, path: &str) -> Place {
        Place::new(self.origin.clone(), format!("/v2/{}/{path}", self.endpoint.repository))
    }

    /// A request without content.
    pub(crate) fn ask<'a>(&self, method: Method, place: Place) -> Ask<'a> {
        Ask { method, place, headers: Vec::new(), content: Content::None, answer: self.shared.limits.answer }
    }

    pub(crate) fn fails(&self, kind: Kind) -> Failure {
        Failure::new(&self.origin, kind)
    }

    /// Does something again as long as that makes sense.
    pub(crate) fn persist<T>(&self, mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut retry = Retry::new(&self.shared.limits, self.has_others);
        loop {
            match work() {
                Err(failure) if retry.pause(&failure, &self.halt) => {}
                Err(_) if self.halt.is_set() => return Err(self.fails(Kind::Cancelled)),
                result => return result,
            }
        }
    }

    /// Sends a request with what its endpoint wants to be told; the answer is one that says yes (2xx).
    ///
    /// A token that has become old, or was never asked for, is renewed once, except when the content can be sent once only.
    pub(crate) fn send(&self, mut ask: Ask<'_>) -> Result<Reply, Failure> {
        let mut authorization = self.shared.tokens.known(self)?;
        let mut rounds = 0;
        loop {
            let reply = self.follow(&mut ask, authorization.as_deref().map(|value| (&self.origin, value)))?;
            if reply.status != 401 || reply.place.origin != self.origin {
                return self.judge(reply, authorization.is_some());
            }
            let was = authorization.take();
            authorization = self.shared.tokens.answer(self, &reply.headers, was.as_deref(), rounds > 0)?;
            rounds += 1;
            let is_sent = matches!(ask.content, Content::Stream(..));
            if authorization.is_none() || rounds > 2 || is_sent {
                return self.judge(reply, was.is_some());
            }
            self.finish(reply);
        }
    }

    /// Sends a request, and again to where it is redirected to. Content that is a stream is not sent twice.
    ///
    /// The value of `Authorization` goes to the origin that it is for.
    pub(crate) fn follow(&self, ask: &mut Ask<'_>, authorization: Option<(&Origin, &str)>) -> Result<Reply, Failure> {
        let mut place = ask.place.clone();
        for _ in 0..=MOST_REDIRECTS {
            let reply = self.exchange(ask, &place, authorization)?;
            let is_followed = match ask.content {
                Content::None => matches!(reply.status, 301 | 302 | 303 | 307 | 308),
                Content::Bytes(_) => matches!(reply.status, 307 | 308),
                Content::Stream(..) => false,
            };
            if !is_followed {
                return Ok(reply);
            }
            place = self.next(&place, &reply)?;
            self.finish(reply);
        }
        Err(self.fails(Kind::Redirect(format!("it redirects more than {MOST_REDIRECTS} times"))))
    }

    /// Where a redirect leads: never from TLS to none.
    pub(crate) fn next(&self, place: &Place, reply: &Reply) -> Result<Place, Failure> {
        let refused = |reason: String| Err(self.fails(Kind::Redirect(reason)));
        let Some(next) = reply.header("location").and_then(|location| place.join(location)) else {
            return refused("it redirects to nothing that can be fetched".to_owned());
        };
        if place.origin.is_https && !next.origin.is_https {
            return refused(format!("it redirects to `http://{}`, which is not secure", next.origin));
        }
        Ok(next)
    }

    /// One request, one answer.
    pub(crate) fn exchange(
        &self,
        ask: &mut Ask<'_>,
        place: &Place,
        authorization: Option<(&Origin, &str)>,
    ) -> Result<Reply, Failure> {
        if self.halt.is_set() {
            return Err(self.fails(Kind::Cancelled));
        }
        let agent = self.shared.agents.agent(&self.endpoint, &self.origin, &place.origin)?;
        let mut request = Request::builder().method(ask.method.clone()).uri(place.to_string());
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if place.origin == self.origin {
            for (name, value) in &self.endpoint.headers {
                request = request.header(name, value);
            }
        }
        if let Some((_, value)) = authorization.filter(|(origin, _)| **origin == place.origin) {
            request = request.header("authorization", value);
        }
        if let Content::Stream(_, length) = &ask.content {
            request = request.header("content-length", length.to_string());
        }
        let patience = Patience {
            halt: self.halt.clone(),
            connect: self.shared.limits.connect,
            silence: ask.answer,
            returns_early: false,
        };
        let built = |error: ureq::http::Error| {
            Failure::new(&place.origin, Kind::Settings(format!("a header that is to be sent is not valid: {error}")))
        };
        let sent = match &mut ask.content {
            Content::None if ask.method == Method::GET || ask.method == Method::HEAD => {
                let request = request.body(()).map_err(built)?;
                patiently(patience, || agent.run(request))
            }
            Content::None => {
                let request = request.body(&b""[..]).map_err(built)?;
                patiently(patience, || agent.run(request))
            }
            Content::Bytes(bytes) => {
                let request = request.body(*bytes).map_err(built)?;
                patiently(patience, || agent.run(request))
            }
            Content::Stream(reader, _) => {
                let request = request.body(SendBody::from_reader(reader)).map_err(built)?;
                patiently(patience, || agent.run(request))
            }
        };
        let response = sent.map_err(|error| self.failed_at(&place.origin, error))?;
        self.note_answer(&place.origin);
        let (parts, body) = response.into_parts();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body, place: place.clone() })
    }

    /// A port where nobody listens, and never did as far as is known, is one that was mistyped: asking again does not help.
    /// Somebody who has answered before is perhaps only starting again.
    fn failed_at(&self, origin: &Origin, error: ureq::Error) -> Failure {
        let failure = failed(origin, &self.halt, error);
        let is_refused =
            matches!(&failure.kind, Kind::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        let has_answered = || self.shared.answered.lock().is_ok_and(|answered| answered.contains(origin));
        Failure { is_final: is_refused && !has_answered(), ..failure }
    }

    fn note_answer(&self, origin: &Origin) {
        if let Ok(mut answered) = self.shared.answered.lock()
            && !answered.contains(origin)
        {
            answered.push(origin.clone());
        }
    }

    /// An answer that says no is a failure. Redirects of streams are handed on.
    pub(crate) fn judge(&self, reply: Reply, had_credential: bool) -> Result<Reply, Failure> {
        let status = reply.status;
        if (200..300).contains(&status) || matches!(status, 307 | 308) {
            return Ok(reply);
        }
        let host = reply.place.origin.clone();
        let retry_after = retry_after(&reply.headers);
        let had_token = had_credential && !matches!(self.endpoint.credential, Credential::RegistryToken(_));
        let asks_for_token = matches!(challenges_of(&reply.headers).first(), Some(Challenge::Bearer { .. }));
        let had_credential = had_credential && self.is_somebody();
        let said = Said::parse(&self.read(reply.body, MOST_SAID).unwrap_or_default());
        let kind = match status {
            429 => Kind::TooManyRequests,
            408 | 500..=599 => Kind::Unavailable { status },
            // A token was had, and is not enough.
            401 if said.has("DENIED") || (had_token && asks_for_token) => Kind::Denied { had_credential },
            401 => Kind::Unauthorized { had_credential },
            403 => Kind::Denied { had_credential },
            404 => Kind::NotFound,
            400..=499 if said.has("DENIED") => Kind::Denied { had_credential },
            400..=499 => Kind::Refused { status },
            _ => Kind::Protocol(format!("it answers {status}, which makes no sense here")),
        };
        Err(Failure { said: said.line, retry_after, ..Failure::new(host, kind) })
    }

    /// The same way with the scheme that the endpoint speaks, where the configuration leaves that open: TLS if anything
    /// there answers by it, without TLS only if a registry answers to that.
    pub(crate) fn settled(&self) -> Result<Self, Failure> {
        let Some(port) = self.endpoint.plain_http_port.filter(|_| self.origin.is_https) else {
            return Ok(self.clone());
        };
        let plain = Origin { is_https: false, port, ..self.origin.clone() };
        let is_known = |origin: &Origin| self.shared.spoken.lock().is_ok_and(|spoken| spoken.contains(origin));
        let remember = |line: Self| {
            if let Ok(mut spoken) = self.shared.spoken.lock() {
                spoken.push(line.origin.clone());
            }
            Ok(line)
        };
        let as_plain = || Self { origin: plain.clone(), ..self.clone() };
        if is_known(&self.origin) {
            return Ok(self.clone());
        }
        if is_known(&plain) {
            return Ok(as_plain());
        }
        let reaches =
            |line: &Self| line.follow(&mut line.ask(Method::GET, Place::new(line.origin.clone(), "/v2/")), None);
        match reaches(self) {
            Ok(reply) => {
                self.finish(reply);
                remember(self.clone())
            }
            Err(failure) if matches!(failure.kind, Kind::Tls(_) | Kind::Connect(_) | Kind::Cut(_)) => {
                let line = as_plain();
                match reaches(&line) {
                    Ok(reply) if matches!(reply.status, 200..=299 | 401) => remember(line),
                    _ => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether there is anything to say who asks.
    pub(crate) fn is_somebody(&self) -> bool {
        self.endpoint.credential != Credential::Anonymous
    }

    /// Reads what is left of an answer that nobody wants, so that its connection can be used again.
    pub(crate) fn finish(&self, reply: Reply) {
        if reply.length().is_some_and(|length| length <= MOST_SAID) {
            // Whatever is wrong with it: it is only this connection that is lost.
            drop(self.read(reply.body, MOST_SAID));
        }
    }

    /// Reads a body of a bounded size.
    pub(crate) fn read(&self, body: Body, limit: u64) -> Result<Vec<u8>, Failure> {
        let patience = Patience {
            halt: self.halt.clone(),
            connect: self.shared.limits.connect,
            silence: self.shared.limits.silence,
            returns_early: false,
        };
        let mut bytes = Vec::new();
        let read = patiently(patience, || body.into_reader().take(limit + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.len() as u64 > limit => Err(self.fails(Kind::TooLarge { limit })),
            Ok(_) => Ok(bytes),
            Err(_) if self.halt.is_set() => Err(self.fails(Kind::Cancelled)),
            Err(error) => Err(self.fails(Kind::Cut(unwrapped(error)))),
        }
    }
}

/// What a failure of the library beneath means.
pub(crate) fn failed(origin: &Origin, halt: &Halt, error: ureq::Error) -> Failure {
    let kind = match error {
        _ if halt.is_set() => Kind::Cancelled,
        ureq::Error::HostNotFound => Kind::Host,
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            Kind::Connect(io::ErrorKind::TimedOut.into())
        }
        ureq::Error::Timeout(_) => Kind::Cut(io::ErrorKind::TimedOut.into()),
        ureq::Error::Io(error) => match error.kind() {
            // Rustls reports through the stream that it encrypts.
            io::ErrorKind::InvalidData if origin.is_https => Kind::Tls(inert(&error.to_string(), 200)),
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Kind::Connect(error),
            // The resolver's failures have no kind of their own.
            _ if error.to_string().contains("lookup address") => Kind::Host,
            _ => Kind::Cut(error),
        },
        ureq::Error::ConnectionFailed => Kind::Connect(io::Error::other("no address of it answers")),
        ureq::Error::Rustls(error) => Kind::Tls(inert(&error.to_string(), 200)),
        ureq::Error::Tls(reason) => Kind::Tls(reason.to_owned()),
        ureq::Error::ConnectProxyFailed(reason) => Kind::Proxy(inert(&reason, 200)),
        ureq::Error::InvalidProxyUrl => Kind::Proxy("its URL is not valid".to_owned()),
        other => Kind::Protocol(format!("its answer cannot be read: {}", inert(&other.to_string(), 200))),
    };
    Failure::new(origin, kind)
}

#[cfg(test)]
mod tests;
