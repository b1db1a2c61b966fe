//! A client: what its repositories share, and the requests that are about a registry as a whole.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fetch::Surroundings;
use ureq::http::Method;

use crate::agents::Agents;
use crate::challenge::{Challenge, challenges_of};
use crate::error::{Failure, Kind, RegistryError};
use crate::limits::Limits;
use crate::line::{Line, Shared};
use crate::place::{Origin, Place};
use crate::repository::{Access, Repository};
use crate::token::{self, Tokens};
use crate::wire::{Halt, SLICE};
use crate::{Credential, Endpoint, Route, SecretText};

/// Speaks to registries. Keeps connections and tokens; cheap until the first request.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// A client that says it is `user_agent`.
    ///
    /// The surroundings say which certificates are trusted, and which proxy leads to the hosts that a registry redirects
    /// to; which one leads to the registry itself is part of its [`Route`].
    pub fn new(surroundings: Surroundings, user_agent: &str) -> Self {
        Self::with_limits(surroundings, user_agent, Limits::default())
    }

    /// The same with other times, counts and sizes.
    pub fn with_limits(surroundings: Surroundings, user_agent: &str, limits: Limits) -> Self {
        let agents = Agents::new(surroundings, user_agent.to_owned());
        Self {
            shared: Arc::new(Shared {
                agents,
                tokens: Tokens::default(),
                spoken: Mutex::default(),
                answered: Mutex::default(),
                limits,
            }),
        }
    }

    /// The repository that a route leads to, for reading or for writing too.
    ///
    /// Once `cancelled` is set, what is going on ends with [`Kind::Cancelled`] within a tenth of a second.
    pub fn repository<'c>(&self, route: Route, access: Access, cancelled: &'c AtomicBool) -> Repository<'c> {
        Repository::new(&self.shared, route, access, cancelled)
    }

    /// Whether a registry answers there at all; who asks does not matter.
    ///
    /// # Errors
    /// When nobody answers, or no registry does.
    pub fn ping(&self, endpoint: &Endpoint, cancelled: &AtomicBool) -> Result<(), RegistryError> {
        let line = self.line(endpoint);
        let result = watched(cancelled, &line.halt, || line.persist(|| asked_at_all(&line.settled()?)));
        result.map(drop).map_err(|failure| failure.asking("reach the registry"))
    }

    /// Whether the registry takes the endpoint's credential; gives the identity token that its service has for it, if any.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] when it does not take it; when it cannot be asked.
    pub fn check_credential(
        &self,
        endpoint: &Endpoint,
        cancelled: &AtomicBool,
    ) -> Result<Option<SecretText>, RegistryError> {
        let line = self.line(endpoint);
        let result = watched(cancelled, &line.halt, || line.persist(|| check(&line.settled()?)));
        result.map_err(|failure| failure.asking("log in"))
    }

    pub(crate) fn line(&self, endpoint: &Endpoint) -> Line {
        Line {
            shared: Arc::clone(&self.shared),
            origin: Origin::of(endpoint),
            endpoint: Arc::new(endpoint.clone()),
            scopes: Vec::new(),
            halt: Halt::default(),
            has_others: false,
            scouting: Arc::default(),
        }
    }
}

/// Asks for the root of the specification, without saying who asks; gives what the registry wants to be told, `None` if
/// nothing.
fn asked_at_all(line: &Line) -> Result<Option<Vec<Challenge>>, Failure> {
    let place = Place::new(line.origin.clone(), "/v2/");
    let reply = line.follow(&mut line.ask(Method::GET, place), None)?;
    match reply.status {
        200..=299 | 401 => {
            let challenges = (reply.status == 401).then(|| challenges_of(&reply.headers));
            line.finish(reply);
            Ok(challenges)
        }
        404 => Err(line.fails(Kind::Protocol("it is no registry: it has no `/v2/`".to_owned()))),
        _ => line.judge(reply, false).map(|_| None),
    }
}

fn check(line: &Line) -> Result<Option<SecretText>, Failure> {
    let Some(challenges) = asked_at_all(line)? else { return Ok(None) };
    let no = || line.fails(Kind::Unauthorized { had_credential: line.is_somebody() });
    let (authorization, identity) = match challenges.into_iter().next() {
        None => return Err(no()),
        Some(Challenge::Basic) => (token::basic(&line.endpoint.credential), None),
        Some(Challenge::Bearer { realm, service, .. }) => match &line.endpoint.credential {
            Credential::RegistryToken(token) => (Some(token::bearer(token)), None),
            _ => {
                let given = token::ask(line, &realm, service.as_deref(), true)?;
                (Some(token::bearer(&given.token)), given.identity)
            }
        },
    };
    let authorization = authorization.ok_or_else(no)?;
    let place = Place::new(line.origin.clone(), "/v2/");
    let reply = line.follow(&mut line.ask(Method::GET, place), Some((&line.origin, &authorization)))?;
    match reply.status {
        // Whatever else it wants: it does not believe us.
        401 => Err(no()),
        _ => line.judge(reply, true).map(|_| identity),
    }
}

/// Does some work while another thread looks whether somebody still waits for it.
pub(crate) fn watched<T>(cancelled: &AtomicBool, halt: &Halt, work: impl FnOnce() -> T) -> T {
    if cancelled.load(Ordering::Relaxed) {
        halt.set();
        return work();
    }
    let done = AtomicBool::new(false);
    let watch = || {
        while !done.load(Ordering::Acquire) && !halt.is_set() {
            std::thread::park_timeout(SLICE);
            if cancelled.load(Ordering::Relaxed) {
                halt.set();
            }
        }
    };
    std::thread::scope(|scope| {
        // Without a thread to spare, an end is noticed between two requests.
        let watcher = std::thread::Builder::new().name("registry".to_owned()).spawn_scoped(scope, watch);
        let _end = Defer(|| {
            done.store(true, Ordering::Release);
            if let Ok(watcher) = &watcher {
                watcher.thread().unpark();
            }
        });
        work()
    })
}

/// Does something at the end of a scope, also if that ends in a panic.
struct Defer<F: Fn()>(F);

impl<F: Fn()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
