//! `cp`: files out of a container, or into one.

use std::io::{IsTerminal, Write};
use std::path::Path;

use engine::CopyOptions;

use crate::cli::container::CopyArgs;
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::Session;
use crate::ui::size::{LIST_DIGITS, human_size};

/// Word for a tar on standard input or output.
const STREAM: &str = "-";

pub(super) fn run(args: &CopyArgs, session: &Session) -> Result<u8, Failure> {
    let options = CopyOptions { archive: args.archive, follow_link: args.follow_link };
    let (message, bytes) = match (container(&args.source), container(&args.target)) {
        (Some(_), Some(_)) => {
            let problem = Problem::error("copying between containers is not supported");
            let hint = format!("pass it on as a tar: `onggi cp {} - | onggi cp - {}`", args.source, args.target);
            return Err(Failure::new(problem.with_hint(hint)));
        }
        (None, None) => {
            let problem = Problem::error("must specify at least one container source");
            return Err(Failure::new(problem.with_hint("name the container before the path: `CONTAINER:PATH`")));
        }
        (Some((name, path)), None) if args.target == STREAM => {
            let stdout = std::io::stdout().lock();
            let mut out = std::io::BufWriter::with_capacity(1 << 17, stdout);
            engine::pack_from_container(&session.engine()?, name, path, &mut out, options)?;
            out.flush().map_err(Failure::Output)?;
            return Ok(0);
        }
        (None, Some((name, path))) if args.source == STREAM => {
            engine::unpack_to_container(&session.engine()?, std::io::stdin().lock(), name, path, options)?;
            return Ok(0);
        }
        (Some((name, path)), None) => {
            let target = Path::new(&args.target);
            let (shown, bytes) = engine::copy_from_container(&session.engine()?, name, path, target, options)?;
            (shown.display().to_string(), bytes)
        }
        (None, Some((name, path))) => {
            let source = Path::new(&args.source);
            (args.target.clone(), engine::copy_to_container(&session.engine()?, source, name, path, options)?)
        }
    };
    if !args.quiet.unwrap_or_else(|| !std::io::stdout().is_terminal()) {
        session.note(&format!("Successfully copied {} to {message}", human_size(bytes, LIST_DIGITS)));
    }
    Ok(0)
}

/// `CONTAINER:PATH`; what begins with `/` or `.` is a path of this machine.
fn container(text: &str) -> Option<(&str, &str)> {
    let (name, path) = text.split_once(':')?;
    (!text.starts_with(['/', '.']) && !name.is_empty()).then_some((name, path))
}
