//! `images`.

use engine::ImagesOptions;

use crate::cli::image::ImagesArgs;
use crate::failure::Failure;
use crate::render::images::{self, ImagesView};
use crate::render::problem::Problem;
use crate::session::Session;

pub(super) fn run(args: &ImagesArgs, session: &Session) -> Result<u8, Failure> {
    let options = options(args)?;
    let rows = engine::images(&session.engine()?, &options)?;
    let zone = session.zone();
    let view = ImagesView {
        format: args.format.as_deref(),
        only_ids: args.quiet,
        with_digests: args.digests,
        full_ids: args.no_trunc,
        now: session.now,
        zone: &zone,
    };
    let text = images::render(&rows, &view).map_err(|error| Failure::in_format(error, view.format))?;
    session.print(&text)?;
    if rows.is_empty() && options.name.as_deref().is_some_and(is_command) {
        session.note(&format!("hint: {}", instead(&args.names)));
    }
    Ok(0)
}

/// One name at most; `onggi images inspect x` is a slip for `onggi image inspect x` (S234).
fn options(args: &ImagesArgs) -> Result<ImagesOptions, Failure> {
    if args.names.len() > 1 {
        let problem = Problem::error("`onggi images` takes at most one name");
        let hint = match is_command(&args.names[0]) {
            true => instead(&args.names),
            false => "use `--filter reference=NAME` for each".to_owned(),
        };
        return Err(Failure::new(problem.with_hint(hint)));
    }
    let filters = args.filters.iter().map(|filter| filter.parse()).collect::<Result<Vec<_>, _>>()?;
    Ok(ImagesOptions { all: args.all, filters, name: args.names.first().cloned() })
}

fn is_command(name: &str) -> bool {
    ["build", "history", "import", "inspect", "load", "ls", "list", "rm", "remove", "save", "tag"].contains(&name)
}

fn instead(names: &[String]) -> String {
    let rest = if names.len() > 1 { names[1..].join(" ") } else { "NAME".to_owned() };
    format!("use `onggi image {} {rest}`", names[0])
}

#[cfg(test)]
mod tests;
