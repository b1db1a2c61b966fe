//! `--filter` of `ps`.

use std::collections::HashSet;
use std::str::FromStr;

use oci::ImageId;
use regex_lite::Regex;
use serde_json::Value;

use super::ContainerSummary;
use crate::containers::container::Container;
use crate::containers::record::ContainerStatus;
use crate::network::{ContainerPort, ExposeSpec};
use crate::{Engine, Error, ErrorKind};

/// One `KEY=VALUE`. Those with the same key are alternatives, but for labels, which must all be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFilter {
    key: Key,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Ancestor,
    Before,
    Exited,
    Expose,
    Health,
    Id,
    IsTask,
    Label,
    Name,
    Network,
    Publish,
    Since,
    Status,
    Volume,
}

/// Words for the keys.
const KEYS: &[(&str, Key)] = &[
    ("ancestor", Key::Ancestor),
    ("before", Key::Before),
    ("exited", Key::Exited),
    ("expose", Key::Expose),
    ("health", Key::Health),
    ("id", Key::Id),
    ("is-task", Key::IsTask),
    ("label", Key::Label),
    ("name", Key::Name),
    ("network", Key::Network),
    ("publish", Key::Publish),
    ("since", Key::Since),
    ("status", Key::Status),
    ("volume", Key::Volume),
];

/// What Docker knows, also what never is the case here.
const STATUSES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

/// What a container's probe may say of it.
const HEALTHS: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];

impl FromStr for ContainerFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |message: String| Error::new(ErrorKind::InvalidInput, message);
        let Some((key, value)) = text.split_once('=') else {
            return Err(wrong(format!("invalid filter `{text}`: it must be KEY=VALUE")).with_hint(hint()));
        };
        let (word, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let Some((_, key)) = KEYS.iter().find(|(known, _)| *known == word) else {
            return Err(wrong(format!("invalid filter `{word}`")).with_hint(hint()));
        };
        let bad = |reason: &str| wrong(format!("invalid filter `{text}`: {reason}"));
        match key {
            Key::Status if !STATUSES.contains(&value) => {
                return Err(bad("there is no such status").with_hint(format!("use one of {}", STATUSES.join(", "))));
            }
            Key::Exited if value.parse::<i32>().is_err() => return Err(bad("the value must be an exit code")),
            Key::Health if !HEALTHS.contains(&value) => {
                return Err(
                    bad("there is no such state of health").with_hint(format!("use one of {}", HEALTHS.join(", ")))
                );
            }
            Key::Publish | Key::Expose if value.parse::<ExposeSpec>().is_err() => {
                return Err(
                    bad("the value must be a port").with_hint("write it as in `publish=80`, `80/udp` or `8000-8010`")
                );
            }
            Key::Name | Key::Id if Regex::new(value).is_err() => {
                return Err(bad("the value is no regular expression"));
            }
            Key::IsTask if !["true", "false", "1", "0"].contains(&value) => {
                return Err(bad("the value must be true or false"));
            }
            _ => {}
        }
        Ok(Self { key: *key, value: value.to_owned() })
    }
}

fn hint() -> String {
    let keys: Vec<&str> = KEYS.iter().map(|(word, _)| *word).collect();
    format!("filters are {}", keys.join(", "))
}

/// Filters with everything looked up that they name.
pub(super) struct Selection {
    filters: Vec<(Key, Test)>,
}

/// What a container is compared with.
enum Test {
    Pattern(Regex),
    Text(String),
    Label(String, Option<String>),
    /// The time that another container was made at, and its ID.
    Made(String, String),
    Images(HashSet<ImageId>),
    Ports(Vec<ContainerPort>),
}

impl Selection {
    pub(super) fn new(engine: &Engine, filters: &[ContainerFilter]) -> Result<Self, Error> {
        let filters = filters.iter().map(|filter| Ok((filter.key, filter.test(engine)?)));
        Ok(Self { filters: filters.collect::<Result<_, Error>>()? })
    }

    /// Asking for a status asks for containers that do not run, too.
    pub(super) fn wants_all(&self) -> bool {
        self.filters.iter().any(|(key, _)| *key == Key::Status)
    }

    pub(super) fn takes(&self, row: &ContainerSummary) -> bool {
        let fits = |wanted: Key| {
            let mut tests =
                self.filters.iter().filter(|(key, _)| *key == wanted).map(|(key, test)| test.fits(*key, row));
            match wanted {
                Key::Label => tests.all(|fits| fits),
                _ => tests.any(|fits| fits) || !self.filters.iter().any(|(key, _)| *key == wanted),
            }
        };
        KEYS.iter().all(|(_, key)| fits(*key))
    }
}

impl ContainerFilter {
    fn test(&self, engine: &Engine) -> Result<Test, Error> {
        let text = self.value.clone();
        Ok(match self.key {
            Key::Name | Key::Id => {
                let wrong = |error: regex_lite::Error| {
                    Error::new(ErrorKind::InvalidInput, format!("invalid filter `{text}`")).because(&error)
                };
                Test::Pattern(Regex::new(&text).map_err(wrong)?)
            }
            Key::Label => match text.split_once('=') {
                Some((key, value)) => Test::Label(key.to_owned(), Some(value.to_owned())),
                None => Test::Label(text, None),
            },
            Key::Before | Key::Since => {
                let record = Container::find(engine, &text)?.record;
                Test::Made(record.created, record.id)
            }
            Key::Publish | Key::Expose => Test::Ports(text.parse::<ExposeSpec>()?.0),
            Key::Ancestor => Test::Images(descendants(engine, &text)?),
            Key::Exited | Key::Health | Key::IsTask | Key::Network | Key::Status | Key::Volume => Test::Text(text),
        })
    }
}

impl Test {
    fn fits(&self, key: Key, row: &ContainerSummary) -> bool {
        let record = &row.record;
        match (key, self) {
            (Key::Id, Self::Pattern(pattern)) => pattern.is_match(&record.id),
            // Docker keeps a slash before names, and people have learnt to ask for it.
            (Key::Name, Self::Pattern(pattern)) => {
                pattern.is_match(&record.name) || pattern.is_match(&format!("/{}", record.name))
            }
            (_, Self::Label(key, value)) => {
                let own = record.labels.get(key).and_then(Value::as_str);
                own.is_some_and(|own| value.as_ref().is_none_or(|value| value == own))
            }
            (_, Self::Images(images)) => images.contains(&record.image),
            (Key::Before, Self::Made(created, id)) => record.created < *created && record.id != *id,
            (Key::Since, Self::Made(created, id)) => record.created > *created && record.id != *id,
            (Key::Exited, Self::Text(code)) => {
                let ended = row.state.exit_code.filter(|_| row.status == ContainerStatus::Exited);
                ended.is_some_and(|ended| code.parse() == Ok(i32::from(ended)))
            }
            // By the container's port, whatever port of this machine it is on.
            (Key::Publish, Self::Ports(ports)) => {
                let exposed = record.network.exposed.iter().filter(|_| record.network.publish_all);
                let published = record.network.ports.iter().map(|port| &port.container);
                published.chain(exposed).any(|port| ports.contains(port))
            }
            (Key::Expose, Self::Ports(ports)) => record.network.exposed.iter().any(|port| ports.contains(port)),
            (Key::Health, Self::Text(health)) => {
                health == row.state.health.as_ref().map_or("none", |health| health.status.as_str())
            }
            (Key::Status, Self::Text(status)) => status == row.status.word(),
            (Key::Network, Self::Text(network)) => row.networks().contains(network),
            // By the volume's name, or by a path that something is mounted on or from.
            (Key::Volume, Self::Text(volume)) => {
                record.mounts.points.iter().any(|point| [&point.name, &point.source, &point.target].contains(&volume))
            }
            // There are no tasks of a swarm here.
            (Key::IsTask, Self::Text(wanted)) => wanted == "false" || wanted == "0",
            _ => false,
        }
    }
}

/// An image and all that were made from it, as far as this store knows; none for an image that is not there.
fn descendants(engine: &Engine, name: &str) -> Result<HashSet<ImageId>, Error> {
    let store = engine.store();
    let Some(first) = image::find(store, name)? else { return Ok(HashSet::new()) };
    let parents: Vec<(ImageId, Option<ImageId>)> =
        store.image_ids()?.into_iter().map(|id| Ok((id, store.parent(id)?))).collect::<Result<_, Error>>()?;
    let mut found = HashSet::from([first]);
    let mut before = 0;
    while found.len() > before {
        before = found.len();
        let children = parents.iter().filter(|(_, parent)| parent.is_some_and(|parent| found.contains(&parent)));
        let children: Vec<ImageId> = children.map(|(id, _)| *id).collect();
        found.extend(children);
    }
    Ok(found)
}
