//! `--filter` of `images`.

use std::collections::HashSet;
use std::str::FromStr;

use dockerfile::Pattern;
use jiff::{SignedDuration, Timestamp};
use oci::{ImageId, Reference};

use super::{ImagesOptions, Listed, created, labels};
use crate::{Engine, Error, ErrorKind};

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFilter {
    /// Without a name and without children; or, if false, all others.
    Dangling(bool),
    /// Pinned, so that no prune removes it; or, if false, all others.
    Pinned(bool),
    /// Has this label, or the label with this value.
    Label {
        /// The label.
        key: String,
        /// Its value, where one is asked for.
        value: Option<String>,
    },
    /// Made before this image.
    Before(String),
    /// Made after this image.
    Since(String),
    /// Made before a time: RFC 3339, seconds since 1970, or how long ago (`24h`).
    Until(String),
    /// Has a name that fits the pattern; several of these are alternatives.
    Reference(String),
}

impl FromStr for ImageFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |message: String| {
            Error::new(ErrorKind::InvalidInput, message)
                .with_hint("filters are `dangling=true`, `pinned=true`, `label=KEY[=VALUE]`, `before=IMAGE`, `since=IMAGE`, `until=TIME` and `reference=PATTERN`")
        };
        let Some((key, value)) = text.split_once('=') else {
            return Err(wrong(format!("invalid filter `{text}`: it must be KEY=VALUE")));
        };
        let value = value.trim();
        Ok(match key.trim().to_ascii_lowercase().as_str() {
            key @ ("dangling" | "pinned") => match (key, value) {
                ("dangling", "true" | "1") => Self::Dangling(true),
                ("dangling", "false" | "0") => Self::Dangling(false),
                (_, "true" | "1") => Self::Pinned(true),
                (_, "false" | "0") => Self::Pinned(false),
                _ => return Err(wrong(format!("invalid filter `{text}`: the value must be true or false"))),
            },
            "label" => match value.split_once('=') {
                Some((key, value)) => Self::Label { key: key.to_owned(), value: Some(value.to_owned()) },
                None => Self::Label { key: value.to_owned(), value: None },
            },
            "before" => Self::Before(value.to_owned()),
            "since" => Self::Since(value.to_owned()),
            "until" => Self::Until(value.to_owned()),
            "reference" => Self::Reference(value.to_owned()),
            _ => return Err(wrong(format!("invalid filter `{key}`"))),
        })
    }
}

/// Filters with everything looked up that they name.
#[derive(Debug, Default)]
pub(super) struct Selection {
    dangling: Option<bool>,
    /// What is pinned, where that is asked for, and whether that is wanted.
    pinned: Option<(HashSet<ImageId>, bool)>,
    labels: Vec<(String, Option<String>)>,
    before: Vec<Option<Timestamp>>,
    since: Vec<Option<Timestamp>>,
    patterns: Vec<NamePattern>,
}

#[derive(Debug)]
struct NamePattern {
    pattern: Pattern,
    /// The pattern as a name, where it is one: `docker.io/library/hello` finds `hello`.
    name: Option<Reference>,
}

impl Selection {
    pub(super) fn new(engine: &Engine, options: &ImagesOptions) -> Result<Self, Error> {
        let mut selection = Self::default();
        for filter in &options.filters {
            match filter {
                ImageFilter::Dangling(dangling) => selection.dangling = Some(*dangling),
                ImageFilter::Pinned(wanted) => {
                    selection.pinned = Some((engine.store().pins()?.into_iter().collect(), *wanted));
                }
                ImageFilter::Label { key, value } => selection.labels.push((key.clone(), value.clone())),
                ImageFilter::Before(name) => selection.before.push(created_of(engine, name)?),
                ImageFilter::Since(name) => selection.since.push(created_of(engine, name)?),
                ImageFilter::Until(text) => selection.before.push(Some(moment(engine.now(), text)?)),
                ImageFilter::Reference(pattern) => selection.patterns.push(NamePattern::new(pattern)?),
            }
        }
        if let Some(name) = &options.name {
            selection.patterns.push(NamePattern::new(name)?);
        }
        Ok(selection)
    }

    pub(super) fn takes(&self, image: &Listed) -> bool {
        let is_dangling = image.names.is_empty() && !image.has_children;
        let fits_dangling =
            self.dangling.is_none_or(|wanted| if wanted { is_dangling } else { !image.names.is_empty() });
        let labels = labels(&image.config);
        let has = |(key, value): &(String, Option<String>)| {
            labels.iter().any(|(own, text)| own == key && value.as_ref().is_none_or(|value| value == text))
        };
        fits_dangling
            && self.pinned.as_ref().is_none_or(|(pins, wanted)| pins.contains(&image.id) == *wanted)
            && self.labels.iter().all(has)
            && self.before.iter().all(|limit| image.created < *limit)
            && self.since.iter().all(|limit| image.created > *limit)
            && (self.patterns.is_empty() || image.names.iter().any(|name| self.takes_name(name)))
    }

    pub(super) fn takes_name(&self, name: &Reference) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}

impl NamePattern {
    fn new(text: &str) -> Result<Self, Error> {
        let pattern = Pattern::new(text).map_err(|error| Error::new(ErrorKind::InvalidInput, error.to_string()))?;
        Ok(Self { pattern, name: text.parse().ok() })
    }

    /// The pattern is for the whole name as people write it, or for the repository alone.
    fn matches(&self, name: &Reference) -> bool {
        self.pattern.matches(name.familiar().as_bytes())
            || self.pattern.matches(name.familiar_name().as_bytes())
            || self.name.as_ref().is_some_and(|asked| {
                asked.registry() == name.registry()
                    && asked.repository() == name.repository()
                    && asked.tag().is_none_or(|tag| Some(tag) == name.tag())
                    && asked.digest().is_none_or(|digest| Some(digest) == name.digest())
            })
    }
}

fn created_of(engine: &Engine, name: &str) -> Result<Option<Timestamp>, Error> {
    let id = image::find(engine.store(), name)?.ok_or_else(|| Error::no_such_image(name))?;
    Ok(created(engine.store().image(id)?.created.as_deref()))
}

fn moment(now: Timestamp, text: &str) -> Result<Timestamp, Error> {
    let wrong = || {
        Error::new(ErrorKind::InvalidInput, format!("invalid time `{text}`")).with_hint(
            "write it as `2026-11-21T07:00:00Z`, as `2026-11-21`, as seconds since 1970, or as `24h` for a day ago",
        )
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).map_err(|_| wrong());
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        return date.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|_| wrong());
    }
    let ago = dockerfile::parse_duration(text).map_err(|_| wrong())?;
    let ago = SignedDuration::try_from(ago).map_err(|_| wrong())?;
    now.checked_sub(ago).map_err(|_| wrong())
}
