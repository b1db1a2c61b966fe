//! `--filter` of `builder prune` and `builder du`.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use crate::disk::census::{CacheKind, CacheState};
use crate::disk::usage::CacheUsage;
use crate::{Error, ErrorKind};

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheFilter {
    /// Not used for so long.
    UnusedFor(Duration),
    /// Its ID begins with this.
    Id(String),
    /// It is of this type.
    Type(String),
    /// Its description contains this.
    Description(String),
    /// A process uses it, or none does.
    InUse(bool),
    /// Something else has its layers too, or nothing does.
    Shared(bool),
    /// Commands write to it, or nobody does.
    Mutable(bool),
}

impl FromStr for CacheFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |message: String| {
            Error::new(ErrorKind::InvalidInput, message).with_hint(
                "filters are `until=24h`, `unused-for=24h`, `id=ID`, `type=TYPE`, `description=TEXT`, `inuse`, `shared`, `private`, `mutable` and `immutable`",
            )
        };
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        let value = value.trim_start_matches('=');
        let flag = || match value {
            "" | "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(wrong(format!("invalid filter `{text}`: the value must be true or false"))),
        };
        let needed = || match value {
            "" => Err(wrong(format!("invalid filter `{text}`: it needs a value"))),
            value => Ok(value.to_owned()),
        };
        Ok(match key {
            "until" | "unused-for" => {
                let duration = crate::parse_duration(value).map_err(|_| {
                    wrong(format!("invalid filter `{text}`: `{value}` is not a duration such as `24h`"))
                })?;
                Self::UnusedFor(duration)
            }
            "id" => Self::Id(needed()?),
            "type" => Self::Type(needed()?),
            "description" => Self::Description(needed()?),
            "inuse" => Self::InUse(flag()?),
            "shared" => Self::Shared(flag()?),
            "private" => Self::Shared(!flag()?),
            "mutable" => Self::Mutable(flag()?),
            "immutable" => Self::Mutable(!flag()?),
            _ => return Err(wrong(format!("invalid filter `{key}`"))),
        })
    }
}

impl CacheFilter {
    pub(super) fn takes(&self, entry: &CacheUsage, now: Timestamp) -> bool {
        match self {
            Self::UnusedFor(duration) => {
                let limit = now.checked_sub(*duration).unwrap_or(Timestamp::MIN);
                entry.used.is_none_or(|used| used <= limit)
            }
            Self::Id(id) => entry.id.starts_with(id.trim_end_matches('*')),
            Self::Type(name) => entry.kind.name() == name,
            Self::Description(text) => entry.description.contains(text.as_str()),
            Self::InUse(wanted) => (entry.state == CacheState::InUse) == *wanted,
            Self::Shared(wanted) => entry.is_shared == *wanted,
            Self::Mutable(wanted) => matches!(entry.kind, CacheKind::Mount | CacheKind::Unfinished) == *wanted,
        }
    }
}
