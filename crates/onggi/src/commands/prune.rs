//! `image prune`, `builder prune`, `system prune`: what goes is told as Docker tells it; a dry run tells the same, with the
//! size of each, and what stays and why.

use engine::{CacheFilter, CachePruneOptions, ImagePruneOptions, Kept, NetworkFilters, Removal, SystemPruneOptions};

use super::confirm::{confirm, confirm_in_line};
use super::containers::prune_filter;
use crate::cli::disk::{BuilderPruneArgs, ImagePruneArgs, SystemPruneArgs};
use crate::cli::switches;
use crate::failure::Failure;
use crate::render::disk::{self, DiskView};
use crate::render::problem::Problem;
use crate::session::Session;
use crate::ui::printable::printable;
use crate::ui::size::{LIST_DIGITS, human_size};

/// How a section begins, and what is behind its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// `Deleted Images:`
    Done,
    /// `Would delete images:`, with sizes.
    Planned,
}

impl Telling {
    pub(super) fn of(dry_run: bool) -> Self {
        if dry_run { Self::Planned } else { Self::Done }
    }

    /// Lines under a title, and an empty one; nothing for none.
    pub(super) fn section(self, kind: &str, lines: &[(String, Option<u64>)]) -> String {
        if lines.is_empty() {
            return String::new();
        }
        let mut text = match self {
            Self::Done => format!("Deleted {kind}:\n"),
            Self::Planned => format!("Would delete {}:\n", kind.to_lowercase()),
        };
        for (line, bytes) in lines {
            match bytes {
                Some(bytes) if self == Self::Planned => {
                    text += &format!("{line} ({})\n", human_size(*bytes, LIST_DIGITS));
                }
                _ => text += &format!("{line}\n"),
            }
        }
        text + "\n"
    }

    /// The last line.
    pub(super) fn total(self, bytes: u64) -> String {
        match self {
            Self::Done => format!("Total reclaimed space: {}\n", human_size(bytes, LIST_DIGITS)),
            Self::Planned => format!("Total reclaimable space: {}\n", human_size(bytes, LIST_DIGITS)),
        }
    }

    /// What stays is part of the answer of a dry run, and told to who looks closely otherwise.
    pub(super) fn kept<'a>(self, kept: impl Iterator<Item = &'a Kept>, session: &Session) -> String {
        let mut text = String::new();
        for Kept { what, why } in kept {
            match self {
                Self::Planned => text += &format!("{}: {why}\n", printable(what)),
                Self::Done => session.trace(&format!("kept {}: {why}", printable(what))),
            }
        }
        if text.is_empty() { text } else { format!("Would keep:\n{text}\n") }
    }
}

pub(super) fn sized(items: &[(String, u64)]) -> Vec<(String, Option<u64>)> {
    items.iter().map(|(name, bytes)| (name.clone(), Some(*bytes))).collect()
}

fn removals(removals: &[(Removal, u64)]) -> Vec<(String, Option<u64>)> {
    let line = |(removal, bytes): &(Removal, u64)| match removal {
        Removal::Untagged(name) => (format!("untagged: {name}"), None),
        Removal::Deleted(id) => (format!("deleted: {id}"), Some(*bytes)),
    };
    removals.iter().map(line).collect()
}

pub(super) fn images(args: &ImagePruneArgs, session: &Session) -> Result<u8, Failure> {
    let (dangling, filters) = take_dangling(&args.filters)?;
    let all = args.all || dangling == Some(false);
    let filter = prune_filter(&filters, session)?;
    let warning = match all {
        true => "WARNING! This will remove all images without at least one container associated to them.",
        false => "WARNING! This will remove all dangling images.",
    };
    if args.flags.asks() && !confirm(session, warning)? {
        return Ok(0);
    }
    let options = ImagePruneOptions { all, filter, dry_run: args.flags.dry_run };
    let pruned = engine::prune_images(&session.engine()?, &options)?;
    let telling = Telling::of(args.flags.dry_run);
    session.print(&telling.section("Images", &removals(&pruned.removals)))?;
    session.print(&telling.kept(pruned.kept.iter(), session))?;
    session.print(&telling.total(pruned.bytes))?;
    Ok(0)
}

/// `dangling=false` says the same as `--all`.
fn take_dangling(filters: &[String]) -> Result<(Option<bool>, Vec<String>), Failure> {
    let mut dangling = None;
    let mut rest = Vec::new();
    for text in filters {
        match text.strip_prefix("dangling=") {
            Some(value) => {
                let wrong = || {
                    let problem = Problem::error(format!("invalid filter '{text}'"));
                    Failure::new(problem.with_hint("write `dangling=true` or `dangling=false`"))
                };
                dangling = Some(switches::parse(value).ok_or_else(wrong)?);
            }
            None => rest.push(text.clone()),
        }
    }
    Ok((dangling, rest))
}

pub(super) fn cache(args: &BuilderPruneArgs, session: &Session) -> Result<u8, Failure> {
    let filters = args.filters.iter().map(|filter| filter.parse()).collect::<Result<Vec<CacheFilter>, _>>()?;
    let question = match args.all {
        true => "WARNING! This will remove all build cache. Are you sure you want to continue?",
        false => "WARNING! This will remove all dangling build cache. Are you sure you want to continue?",
    };
    if args.flags.asks() && !confirm_in_line(session, question)? {
        return Ok(0);
    }
    let options = CachePruneOptions {
        all: args.all,
        filters,
        keep_storage: args.keep_storage,
        max_used_space: args.max_used_space,
        min_free_space: args.min_free_space,
        dry_run: args.flags.dry_run,
    };
    let pruned = engine::prune_cache(&session.engine()?, &options)?;
    let zone = session.zone();
    let text = match args.verbose {
        true => {
            let view = DiskView { format: None, now: session.now, zone: &zone };
            disk::cache_in_full(&pruned.entries, pruned.bytes, &view)
        }
        false => disk::cache_table(&pruned.entries, pruned.bytes, session.now)
            .map_err(|error| Failure::in_format(error, None))?,
    };
    session.print(&Telling::of(args.flags.dry_run).kept(pruned.kept.iter(), session))?;
    session.print(&text)?;
    Ok(0)
}

pub(super) fn system(args: &SystemPruneArgs, session: &Session) -> Result<u8, Failure> {
    let filter = prune_filter(&args.filters, session)?;
    if args.volumes && filter.until.is_some() {
        let problem = Problem::error("the \"until\" filter is not supported with \"--volumes\"");
        return Err(Failure::new(problem.with_hint("volumes have no age: prune them with `onggi volume prune`")));
    }
    // The build cache has no labels; what is asked for by label is not in it.
    let has_labels = !filter.labels.is_empty() || !filter.without_labels.is_empty();
    let cache = match (has_labels, filter.until) {
        (true, _) => None,
        (false, None) => Some(Vec::new()),
        (false, Some(until)) => {
            let age = session.now.duration_since(until).unsigned_abs();
            Some(vec![CacheFilter::UnusedFor(age)])
        }
    };
    if args.flags.asks() && !confirm(session, &warning(args, cache.is_some()))? {
        return Ok(0);
    }
    let options = SystemPruneOptions {
        all: args.all,
        volumes: args.volumes,
        filter,
        networks: NetworkFilters::parse(&args.filters)?,
        cache,
        dry_run: args.flags.dry_run,
    };
    let pruned = engine::prune_system(&session.engine()?, &options)?;
    let telling = Telling::of(args.flags.dry_run);
    let networks: Vec<_> = pruned.networks.iter().map(|name| (name.clone(), None)).collect();
    let cache: Vec<_> = pruned.cache.entries.iter().map(|entry| (entry.id.clone(), Some(entry.bytes))).collect();
    let mut text = telling.section("Containers", &sized(&pruned.containers.items));
    text += &telling.section("Networks", &networks);
    text += &telling.section("Volumes", &sized(&pruned.volumes.items));
    text += &telling.section("Images", &removals(&pruned.images.removals));
    text += &telling.section("build cache objects", &cache);
    text += &telling.kept(pruned.kept(), session);
    text += &telling.total(pruned.bytes());
    session.print(&text)?;
    Ok(0)
}

/// What will go, as Docker lists it.
fn warning(args: &SystemPruneArgs, with_cache: bool) -> String {
    let mut what = vec!["all stopped containers", "all networks not used by at least one container"];
    if args.volumes {
        what.push("all anonymous volumes not used by at least one container");
    }
    what.push(match args.all {
        true => "all images without at least one container associated to them",
        false => "all dangling images",
    });
    match (with_cache, args.all) {
        (true, true) => what.extend(["all build cache", "all kept failures and logs of builds, and old events"]),
        (true, false) => what.push("unused build cache"),
        (false, _) => {}
    }
    let list = |items: &mut dyn Iterator<Item = &str>| items.map(|item| format!("  - {item}\n")).collect::<String>();
    let mut text = format!("WARNING! This will remove:\n{}", list(&mut what.into_iter()));
    if !args.filters.is_empty() {
        let filters = list(&mut args.filters.iter().map(String::as_str));
        text += &format!("\n  Items to be pruned will be filtered with:\n{filters}");
    }
    text
}
