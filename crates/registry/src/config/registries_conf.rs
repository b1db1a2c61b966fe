//! `registries.conf`, version 2 (containers-registries.conf(5)): where a name leads to, mirrors, what is blocked.
//!
//! Read are `[[registry]]` tables. Names are normalised as Docker does before they get here, so
//! `unqualified-search-registries` and `[aliases]` choose nothing; `credential-helpers` is not looked at either.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::authority::Authority;
use super::error::ConfigError;
use super::files;
use super::origin::Origin;
use super::settings::Settings;

/// A place with a path: `HOST[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) authority: Authority,
    /// Empty for the whole registry.
    pub(crate) path: String,
}

/// What a table is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Prefix {
    /// Names that begin so; a path may end in a tag or digest.
    Names(Location),
    /// `*.example.com`: all hosts below.
    HostsBelow(String),
}

/// When a mirror is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullFromMirror {
    All,
    DigestOnly,
    TagOnly,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) location: Location,
    pub(crate) insecure: Option<Origin>,
    pub(crate) pull: PullFromMirror,
    pub(crate) origin: Origin,
}

/// A `[[registry]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    prefix: Prefix,
    /// As written, which is what a later file replaces.
    prefix_text: String,
    location: Option<(Location, Origin)>,
    pub(crate) insecure: Option<Origin>,
    pub(crate) blocked: Option<Origin>,
    pub(crate) mirrors: Vec<Mirror>,
    pub(crate) origin: Origin,
}

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct RegistriesConf {
    rules: Vec<Rule>,
    /// Short names with what they stand for.
    aliases: Vec<(String, String, Origin)>,
}

/// A table that is for a name, and what of the name's path is below its prefix.
#[derive(Debug)]
pub(crate) struct Match<'c> {
    pub(crate) rule: &'c Rule,
    rest: String,
}

impl RegistriesConf {
    /// Reads all files: the user's or the machine's, and the folders beside them. With `CONTAINERS_REGISTRIES_CONF`
    /// that file alone.
    pub(crate) fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let mut conf = Self::default();
        if let Some(path) = &settings.registries_conf {
            let content = files::read(path)?.ok_or_else(|| ConfigError::Read {
                path: path.clone(),
                source: std::io::Error::from(std::io::ErrorKind::NotFound),
            })?;
            conf.add(path, content)?;
            return Ok(conf);
        }
        let (system, user) = (settings.system_folder(), settings.user_folder());
        for folder in user.iter().chain([&system]) {
            let path = folder.join("registries.conf");
            if let Some(content) = files::read(&path)? {
                conf.add(&path, content)?;
                break;
            }
        }
        for folder in [&system].into_iter().chain(&user) {
            for path in drop_ins(&folder.join("registries.conf.d"))? {
                conf.add(&path, files::read(&path)?.unwrap_or_default())?;
            }
        }
        Ok(conf)
    }

    /// Adds a file's tables, in place of those for the same prefixes.
    fn add(&mut self, path: &Path, content: Vec<u8>) -> Result<(), ConfigError> {
        let syntax =
            |line, reason: &str| ConfigError::Syntax { path: path.to_owned(), line, reason: reason.to_owned() };
        let text = String::from_utf8(content).map_err(|_| syntax(1, "not UTF-8"))?;
        let file = Reader { path, text: &text };
        let table = DeTable::parse(&text).map_err(|error| {
            let at = error.span().map_or(1, |span| file.line_at(span.start));
            syntax(at, error.message().lines().next().unwrap_or("not TOML"))
        })?;
        let table = table.get_ref();
        if let Some((key, _)) = table.iter().find(|(key, _)| key.get_ref() == "registries") {
            return Err(ConfigError::Version1 { path: path.to_owned(), line: file.line_at(key.span().start) });
        }
        if let Some(aliases) = table.get("aliases").and_then(|value| value.get_ref().as_table()) {
            for (name, value) in aliases {
                let target = value.get_ref().as_str().unwrap_or_default().to_owned();
                self.aliases.push((name.get_ref().to_string(), target, file.line(name)));
            }
        }
        for value in file.tables(table, "registry")? {
            let rule = file.rule(value)?;
            self.rules.retain(|known| known.prefix_text != rule.prefix_text);
            self.rules.push(rule);
        }
        Ok(())
    }

    /// What podman would take a short name for, where that is not Docker Hub's image: the last file counts.
    pub(crate) fn alias(&self, repository: &str) -> Option<(&str, &Origin)> {
        let short = repository.strip_prefix("library/").unwrap_or(repository);
        let (_, target, origin) = self.aliases.iter().rfind(|(name, _, _)| name == short)?;
        let is_elsewhere = !target.is_empty() && target.strip_prefix("docker.io/") != Some(repository);
        is_elsewhere.then_some((target.as_str(), origin))
    }

    /// The table with the longest prefix that the name has.
    pub(crate) fn find(&self, server: &Authority, repository: &str, suffix: &str) -> Option<Match<'_>> {
        let matches = self.rules.iter().filter_map(|rule| {
            let (length, rest) = rule.prefix.of(server, repository, suffix)?;
            Some((length, Match { rule, rest }))
        });
        matches.max_by_key(|(length, _)| *length).map(|(_, found)| found)
    }
}

impl Match<'_> {
    /// Where the registry itself is, if it is said to be elsewhere.
    pub(crate) fn location(&self) -> Option<(&Authority, String, &Origin)> {
        let (location, origin) = self.rule.location.as_ref()?;
        Some((&location.authority, self.below(location), origin))
    }

    /// The repository's path at a mirror.
    pub(crate) fn below(&self, location: &Location) -> String {
        match (location.path.as_str(), self.rest.as_str()) {
            ("", rest) => rest.to_owned(),
            (path, "") => path.to_owned(),
            (path, rest) => format!("{path}/{rest}"),
        }
    }
}

impl Prefix {
    /// How specific it is for this name, and what of the repository is below it.
    fn of(&self, server: &Authority, repository: &str, suffix: &str) -> Option<(usize, String)> {
        match self {
            Self::HostsBelow(domain) => {
                let is_below = server.host().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
                is_below.then(|| (domain.len(), repository.to_owned()))
            }
            Self::Names(location) if location.authority != *server => None,
            // Longer than any pattern that fits the host.
            Self::Names(location) if location.path.is_empty() => Some((256, repository.to_owned())),
            Self::Names(location) => {
                let whole = format!("{repository}{suffix}");
                let rest = whole.strip_prefix(location.path.as_str())?;
                let at_end = rest.is_empty() || rest.starts_with(['/', ':', '@']);
                let below = repository.strip_prefix(location.path.as_str()).unwrap_or_default();
                at_end.then(|| (256 + location.path.len(), below.trim_start_matches('/').to_owned()))
            }
        }
    }
}

/// Files of a folder that end in `.conf`, by name.
fn drop_ins(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
    let mut paths: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == "conf") && path.is_file()).collect();
    paths.sort();
    Ok(paths)
}

/// A file's text, for saying where something is.
struct Reader<'t> {
    path: &'t Path,
    text: &'t str,
}

type Table<'t> = DeTable<'t>;

impl<'t> Reader<'t> {
    fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
    }

    fn line<T>(&self, item: &Spanned<T>) -> Origin {
        Origin::Line { path: self.path.to_owned(), line: self.line_at(item.span().start) }
    }

    fn wrong<T>(&self, item: &Spanned<T>, reason: impl Into<String>) -> ConfigError {
        ConfigError::value(self.line(item), reason)
    }

    /// The tables of `[[name]]`.
    fn tables<'v>(&self, table: &'v Table<'t>, name: &str) -> Result<Vec<&'v Spanned<DeValue<'t>>>, ConfigError> {
        let Some(value) = table.get(name) else { return Ok(Vec::new()) };
        match value.get_ref() {
            DeValue::Array(items) => Ok(items.iter().collect()),
            _ => Err(self.wrong(value, format!("`{name}` is not a list of tables: write `[[{name}]]`"))),
        }
    }

    fn text<'v>(&self, table: &'v Table<'t>, name: &str) -> Result<Option<(&'v str, Origin)>, ConfigError> {
        let Some(value) = table.get(name) else { return Ok(None) };
        match value.get_ref().as_str() {
            Some("") => Ok(None),
            Some(text) => Ok(Some((text, self.line(value)))),
            None => Err(self.wrong(value, format!("`{name}` is not a text"))),
        }
    }

    /// The place of a switch that is on.
    fn switch(&self, table: &Table<'t>, name: &str) -> Result<Option<Origin>, ConfigError> {
        let Some(value) = table.get(name) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(on) => Ok(on.then(|| self.line(value))),
            _ => Err(self.wrong(value, format!("`{name}` is neither `true` nor `false`"))),
        }
    }

    fn table<'v>(&self, value: &'v Spanned<DeValue<'t>>) -> Result<&'v Table<'t>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(value, "not a table")),
        }
    }

    fn rule(&self, value: &Spanned<DeValue<'t>>) -> Result<Rule, ConfigError> {
        let table = self.table(value)?;
        let (prefix, location) = (self.text(table, "prefix")?, self.text(table, "location")?);
        let Some((prefix_text, prefix_origin)) = prefix.clone().or_else(|| location.clone()) else {
            return Err(self.wrong(value, "`[[registry]]` has neither `prefix` nor `location`"));
        };
        let parsed = match prefix_text.strip_prefix("*.") {
            Some(domain) => {
                match Authority::parse(domain).filter(|host| host.has_default_port() && !domain.contains('/')) {
                    Some(host) => Prefix::HostsBelow(host.host().to_owned()),
                    None => {
                        let reason = format!("`{prefix_text}` is not `*.` and a domain");
                        return Err(ConfigError::value(prefix_origin, reason));
                    }
                }
            }
            None => Prefix::Names(place(prefix_text, &prefix_origin)?),
        };
        let location = match location {
            Some((_, origin)) if prefix.is_none() && matches!(parsed, Prefix::HostsBelow(_)) => {
                return Err(ConfigError::value(origin, "a pattern of hosts is a `prefix`, not a `location`"));
            }
            Some((text, origin)) if prefix.is_some() => Some((target(text, &origin)?, origin)),
            _ => None,
        };
        let by_digest = self.switch(table, "mirror-by-digest-only")?;
        let mirrors = self.tables(table, "mirror")?;
        let mirrors = mirrors.into_iter().map(|mirror| self.mirror(mirror, by_digest.as_ref()));
        Ok(Rule {
            prefix: parsed,
            prefix_text: prefix_text.to_owned(),
            location,
            insecure: self.switch(table, "insecure")?,
            blocked: self.switch(table, "blocked")?,
            mirrors: mirrors.collect::<Result<_, _>>()?,
            origin: prefix_origin,
        })
    }

    fn mirror(&self, value: &Spanned<DeValue<'t>>, by_digest: Option<&Origin>) -> Result<Mirror, ConfigError> {
        let table = self.table(value)?;
        let Some((text, origin)) = self.text(table, "location")? else {
            return Err(self.wrong(value, "a mirror needs a `location`"));
        };
        let pull = match (self.text(table, "pull-from-mirror")?, by_digest) {
            (Some((_, origin)), Some(_)) => {
                return Err(ConfigError::value(origin, "`pull-from-mirror` contradicts `mirror-by-digest-only`"));
            }
            (None, Some(_)) => PullFromMirror::DigestOnly,
            (None | Some(("all", _)), None) => PullFromMirror::All,
            (Some(("digest-only", _)), None) => PullFromMirror::DigestOnly,
            (Some(("tag-only", _)), None) => PullFromMirror::TagOnly,
            (Some((text, origin)), None) => {
                let reason = format!("`{text}` is none of `all`, `digest-only` and `tag-only`");
                return Err(ConfigError::value(origin, reason));
            }
        };
        Ok(Mirror { location: target(text, &origin)?, insecure: self.switch(table, "insecure")?, pull, origin })
    }
}

/// Where something is: no tag, no digest.
fn target(text: &str, origin: &Origin) -> Result<Location, ConfigError> {
    let location = place(text, origin)?;
    match location.path.contains([':', '@']) {
        true => Err(ConfigError::value(origin.clone(), format!("`{text}` has a tag or digest, which no location has"))),
        false => Ok(location),
    }
}

fn place(text: &str, origin: &Origin) -> Result<Location, ConfigError> {
    let (authority, path) = text.split_once('/').unwrap_or((text, ""));
    let is_path = |path: &str| path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    let path = path.trim_end_matches('/');
    match Authority::parse(authority).filter(|_| path.is_empty() || is_path(path)) {
        Some(authority) => Ok(Location { authority, path: path.to_owned() }),
        None if text.contains("://") => {
            Err(ConfigError::value(origin.clone(), format!("`{text}`: write the host without `https://` or `http://`")))
        }
        None => Err(ConfigError::value(origin.clone(), format!("`{text}` is not a host with or without a path"))),
    }
}
