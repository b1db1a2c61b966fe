//! `system limits`.

use engine::{ChangeLimits, MinFree, StoreLimits};
use serde_json::json;

use crate::cli::disk::{Limit, LimitsArgs};
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::Session;

pub(super) fn run(args: &LimitsArgs, session: &Session) -> Result<u8, Failure> {
    let as_json = match args.format.as_deref() {
        None | Some("") => false,
        Some("json") => true,
        Some(other) => {
            let problem = Problem::error(format!("`{other}` is not a format of `system limits`"));
            return Err(Failure::new(problem.with_hint("use `--format json`")));
        }
    };
    let max_size = args.max_size.map(|limit| match limit {
        Limit::Bytes(bytes) => Some(bytes),
        Limit::None | Limit::Percent(_) => None,
    });
    let min_free = args.min_free.map(|limit| match limit {
        Limit::None => None,
        Limit::Bytes(bytes) => Some(MinFree::Bytes(bytes)),
        Limit::Percent(percent) => Some(MinFree::Percent(percent)),
    });
    let limits = engine::limits(&session.engine()?, ChangeLimits { max_size, min_free })?;
    let (size, free) = texts(&limits);
    session.print(&match as_json {
        true => format!("{}\n", json!({ "MaxSize": size, "MinFree": free })),
        false => format!("Max Size: {size}\nMin Free: {free}\n"),
    })?;
    Ok(0)
}

fn texts(limits: &StoreLimits) -> (String, String) {
    let free = match limits.min_free {
        None => "none".to_owned(),
        Some(MinFree::Bytes(bytes)) => size(bytes),
        Some(MinFree::Percent(percent)) => format!("{percent}%"),
    };
    (limits.max_size.map_or_else(|| "none".to_owned(), size), free)
}

/// As it may be typed again: a whole number of the largest unit.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = UNITS.iter().find(|(_, power)| bytes > 0 && bytes.trailing_zeros() >= *power);
    fits.map_or_else(|| bytes.to_string(), |(unit, power)| format!("{}{unit}", bytes >> power))
}
