//! Errors of steps as problems with a place, and what can be done.

use crate::build::BuildError;
use crate::copy::CopyError;
use crate::plan::Problem;

/// A COPY, ADD or WORKDIR that cannot be done.
pub(crate) fn copy_problem(span: dockerfile::Span, error: &CopyError) -> BuildError {
    let problem = Problem::error(span, error.to_string());
    let problem = match error {
        CopyError::NotFound { .. } => {
            problem.with_help("check the path: it is taken from the root of the stage or image")
        }
        CopyError::NoMatch { .. } => {
            problem.with_help("check the pattern: it is taken from the root of the stage or image")
        }
        CopyError::LinkOnWay { leads_to, .. } => problem.with_help(format!("write where it leads: `/{leads_to}`")),
        CopyError::Pattern { .. } => problem.with_help("write `[[]` for the character `[`"),
        CopyError::NotFolder { .. } => problem.with_help("take another path, or remove what is there with RUN first"),
        CopyError::IsFolder { .. } => {
            problem.with_help("give the file another name, or remove the folder with RUN first")
        }
        CopyError::Write(layer::WriteError::Reserved { .. }) => {
            problem.with_help("rename the file, or leave it out with a line in .dockerignore")
        }
        CopyError::TooManyLinks { .. } => problem.with_help("take another path, or remove the link with RUN first"),
        CopyError::User(image::users::UserError::Unknown { kind, .. }) => {
            problem.with_help(format!("use a number, or add the {kind} with RUN first"))
        }
        CopyError::User(image::users::UserError::Number(_)) => {
            problem.with_help("give a smaller number, or a name that the image knows")
        }
        CopyError::Archive { path, .. } => {
            problem.with_help(format!("check the archive; `ADD --unpack=false {path} …` copies it as it is"))
        }
        CopyError::Context(crate::ContextError::Changed { .. }) => problem.with_help(
            "build again; if something keeps writing to the file, leave it out with a line in .dockerignore",
        ),
        _ => problem,
    };
    BuildError::Step { problem, causes: causes(error), exit_code: None, kept: None }
}

/// A failure that is not the Dockerfile's.
pub(crate) fn internal(doing: &'static str, error: &(dyn std::error::Error + 'static)) -> BuildError {
    let mut chain = vec![error.to_string()];
    chain.extend(causes(error));
    BuildError::Failed { doing, causes: chain }
}

/// What is behind an error, outermost first.
pub(crate) fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string).collect()
}
