//! How a build is shown: by `--quiet`, `--progress`, `DOCKER_BUILDKIT`, `BUILDKIT_PROGRESS`, and what it is shown on.

use clap::ValueEnum;

use crate::cli::build::Progress;
use crate::failure::Failure;
use crate::render::problem::Problem;

/// The flags and variables that say how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wishes<'a> {
    /// `--progress`
    pub(super) flag: Option<Progress>,
    /// `--quiet`
    pub(super) is_quiet: bool,
    /// `BUILDKIT_PROGRESS`
    pub(super) buildkit_progress: Option<&'a str>,
    /// `DOCKER_BUILDKIT`
    pub(super) docker_buildkit: Option<&'a str>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Never `Auto`.
    pub(super) view: Progress,
    /// An image is wanted for each instruction, also if nobody looks.
    pub(super) is_classic: bool,
}

const NAMES: &str = "use `auto`, `tty`, `plain`, `quiet`, `rawjson` or `classic`";

/// A flag counts more than variables; without BuildKit, Docker has only one way of showing.
pub(super) fn choose(wishes: &Wishes<'_>, is_terminal: bool) -> Result<Chosen, Failure> {
    let asked = match wishes.flag {
        Some(flag) => flag,
        None if is_without_buildkit(wishes.docker_buildkit)? => Progress::Classic,
        None => match wishes.buildkit_progress {
            None | Some("") => Progress::Auto,
            Some(name) => Progress::from_str(name, true).map_err(|_| wrong("BUILDKIT_PROGRESS", name, NAMES))?,
        },
    };
    let view = match asked {
        _ if wishes.is_quiet => Progress::Quiet,
        Progress::Auto if is_terminal => Progress::Tty,
        Progress::Auto => Progress::Plain,
        other => other,
    };
    Ok(Chosen { view, is_classic: asked == Progress::Classic })
}

/// Docker reads the variable as Go reads truth.
fn is_without_buildkit(variable: Option<&str>) -> Result<bool, Failure> {
    match variable {
        None | Some("" | "1" | "t" | "T" | "TRUE" | "true" | "True") => Ok(false),
        Some("0" | "f" | "F" | "FALSE" | "false" | "False") => Ok(true),
        Some(other) => {
            Err(wrong("DOCKER_BUILDKIT", other, "use `DOCKER_BUILDKIT=0` for the classic way of showing, or unset it"))
        }
    }
}

fn wrong(variable: &str, value: &str, hint: &str) -> Failure {
    Failure::new(Problem::error(format!("`{value}` is not a value of {variable}")).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::{Chosen, Wishes, choose};
    use crate::cli::build::Progress::{Auto, Classic, Plain, Quiet, Rawjson, Tty};

    /// B009.
    #[test]
    fn b009_view_is_chosen_by_flag_then_variable_then_terminal() {
        for (flag, is_quiet, variable, is_terminal, expected) in [
            (None, false, None, true, Tty),
            (None, false, None, false, Plain),
            (None, false, Some("plain"), true, Plain),
            (None, false, Some("none"), true, Quiet),
            (None, false, Some("classic"), true, Classic),
            (None, false, Some(""), true, Tty),
            (Some(Auto), false, Some("rawjson"), false, Plain),
            (Some(Tty), false, None, false, Tty),
            (Some(Rawjson), false, Some("plain"), true, Rawjson),
            (Some(Plain), true, None, true, Quiet),
        ] {
            let wishes = Wishes { flag, is_quiet, buildkit_progress: variable, docker_buildkit: None };
            let chosen = choose(&wishes, is_terminal).unwrap();
            assert_eq!(chosen, Chosen { view: expected, is_classic: expected == Classic }, "{wishes:?}");
        }
        let fancy = Wishes { buildkit_progress: Some("fancy"), ..Wishes::default() };
        assert!(choose(&fancy, true).is_err());
    }

    /// X3.
    #[test]
    fn x3_docker_buildkit_chooses_the_dialect() {
        let wishes =
            |value| Wishes { docker_buildkit: Some(value), buildkit_progress: Some("plain"), ..Wishes::default() };
        for value in ["0", "f", "F", "FALSE", "false", "False"] {
            assert_eq!(choose(&wishes(value), true).unwrap(), Chosen { view: Classic, is_classic: true });
            let plain = Wishes { flag: Some(Plain), ..wishes(value) };
            assert_eq!(choose(&plain, true).unwrap(), Chosen { view: Plain, is_classic: false }, "a flag counts more");
            let quiet = Wishes { is_quiet: true, ..wishes(value) };
            assert_eq!(choose(&quiet, true).unwrap(), Chosen { view: Quiet, is_classic: true });
        }
        for value in ["", "1", "true"] {
            assert_eq!(choose(&wishes(value), true).unwrap(), Chosen { view: Plain, is_classic: false });
        }
        assert!(choose(&wishes("no"), true).is_err());
    }
}
