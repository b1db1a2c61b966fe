//! `system check`: how far it is, on a terminal, and what it found.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use engine::CheckOptions;

use crate::cli::disk::CheckArgs;
use crate::failure::Failure;
use crate::render::check;
use crate::render::problem::Problem;
use crate::session::Session;
use crate::ui::size::{DISK_DIGITS, human_size};

/// More often than this nobody looks.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn run(args: &CheckArgs, session: &Session) -> Result<u8, Failure> {
    let as_json = match args.format.as_deref() {
        None | Some("") => false,
        Some("json") => true,
        Some(other) => {
            let problem = Problem::error(format!("`{other}` is not a format of `system check`"));
            return Err(Failure::new(problem.with_hint("use `--format json`")));
        }
    };
    let last = Mutex::new(None::<Instant>);
    let progress = |done: u64, total: u64| {
        let Ok(mut last) = last.try_lock() else { return };
        if last.is_none_or(|last| last.elapsed() > PAUSE) {
            *last = Some(Instant::now());
            let (done, total) = (human_size(done, DISK_DIGITS), human_size(total, DISK_DIGITS));
            session.status(&format!("checked {done} of {total}"));
        }
    };
    let found = engine::check_store(&session.engine()?, CheckOptions { repair: args.repair }, &progress);
    session.status("");
    let found = found?;
    session.print(&if as_json { check::json(&found) } else { check::text(&found, args.repair) })?;
    if !args.repair && !found.is_whole() {
        session.note("hint: `onggi system check --repair` removes what is broken and makes indexes again");
    }
    Ok(u8::from(!found.is_whole()))
}
