//! `system df`, `builder du`, and the pins of images.

use engine::CacheFilter;

use crate::cli::disk::{BuilderDuArgs, DfArgs, PinArgs, UnpinArgs};
use crate::failure::Failure;
use crate::render::disk::{self, DiskView};
use crate::session::Session;

pub(super) fn df(args: &DfArgs, session: &Session) -> Result<u8, Failure> {
    let usage = engine::disk_usage(&session.engine()?)?;
    let format = args.format.as_deref();
    let zone = session.zone();
    let view = DiskView { format, now: session.now, zone: &zone };
    let text = if args.verbose { disk::verbose(&usage, &view) } else { disk::summary(&usage, format) };
    session.print(&text.map_err(|error| Failure::in_format(error, format))?)?;
    Ok(0)
}

pub(super) fn cache(args: &BuilderDuArgs, session: &Session) -> Result<u8, Failure> {
    let filters = args.filters.iter().map(|filter| filter.parse()).collect::<Result<Vec<CacheFilter>, _>>()?;
    let entries = engine::build_cache(&session.engine()?, &filters)?;
    let total = entries.iter().map(|entry| entry.counted).sum();
    let zone = session.zone();
    let text = match args.verbose {
        true => disk::cache_in_full(&entries, total, &DiskView { format: None, now: session.now, zone: &zone }),
        false => disk::cache_table(&entries, total, session.now).map_err(|error| Failure::in_format(error, None))?,
    };
    session.print(&text)?;
    Ok(0)
}

pub(super) fn pin(args: &PinArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    super::for_each(&args.images, session, |name| engine::pin_image(&engine, name).map(|_| name.to_owned()))
}

pub(super) fn unpin(args: &UnpinArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    super::for_each(&args.images, session, |name| engine::unpin_image(&engine, name).map(|_| name.to_owned()))
}
