//! `images`.

use engine::{ImageKey, ImageOrder, ImagesOptions};

use crate::cli::image::ImagesArgs;
use crate::docker_config;
use crate::failure::Failure;
use crate::render::images::{self, ImagesView};
use crate::render::problem::Problem;
use crate::session::{Session, variable};

pub(super) fn run(args: &ImagesArgs, session: &Session) -> Result<u8, Failure> {
    let options = options(args)?;
    let rows = engine::images(&session.engine()?, &options)?;
    let zone = session.zone();
    let format = docker_config::format("imagesFormat", args.format.as_deref(), args.quiet, &variable);
    let view = ImagesView {
        format: format.as_deref(),
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
    let order = args.sort.as_deref().map(order).transpose()?.unwrap_or_default();
    Ok(ImagesOptions { all: args.all, filters, name: args.names.first().cloned(), order })
}

/// `size`: what people look for comes first, the largest, the newest, the first name; `size:asc` and `size:desc` say it.
fn order(text: &str) -> Result<ImageOrder, Failure> {
    let (word, direction) = text.split_once(':').map_or((text, None), |(word, direction)| (word, Some(direction)));
    let key = match word {
        "created" => Some(ImageKey::Created),
        "size" => Some(ImageKey::Size),
        "name" => Some(ImageKey::Name),
        _ => None,
    };
    let is_natural = match direction {
        None => Some(true),
        Some("asc") => Some(key == Some(ImageKey::Name)),
        Some("desc") => Some(key != Some(ImageKey::Name)),
        Some(_) => None,
    };
    match (key, is_natural) {
        (Some(key), Some(is_natural)) => Ok(ImageOrder { key, is_reversed: !is_natural }),
        _ => {
            let problem = Problem::error(format!("`{text}` is nothing that images can be sorted by"));
            let hint = "use `created`, `size` or `name`, with `:asc` or `:desc` behind it if need be";
            Err(Failure::new(problem.with_hint(hint)))
        }
    }
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
