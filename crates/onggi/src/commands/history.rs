//! `history`.

use crate::cli::image::HistoryArgs;
use crate::failure::Failure;
use crate::render::history::{self, HistoryView};
use crate::session::Session;

pub(super) fn run(args: &HistoryArgs, session: &Session) -> Result<u8, Failure> {
    let platform = super::platforms::optional(args.platform.as_deref())?;
    let rows = engine::history(&session.engine()?, &args.image, platform.as_ref())?;
    let zone = session.zone();
    let view = HistoryView {
        format: args.format.as_deref(),
        only_ids: args.quiet,
        is_human: args.human,
        in_full: args.no_trunc,
        now: session.now,
        zone: &zone,
    };
    let text = history::render(&rows, &view).map_err(|error| Failure::in_format(error, view.format))?;
    session.print(&text)?;
    Ok(0)
}
