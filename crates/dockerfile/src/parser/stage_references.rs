//! Names of stages: used before they exist, or mistyped.

use crate::diagnostic::{Code, Diagnostic};
use crate::instruction::{Dockerfile, Instruction, Stage, Word};
use crate::keyword::Keyword;
use crate::stage;
use crate::suggest;

use super::Context;

/// Looks at all stages once the file is read.
pub(super) fn check(dockerfile: &Dockerfile, context: &mut Context) {
    let stages = dockerfile.stages.as_slice();
    for (index, stage) in stages.iter().enumerate() {
        check_base(stages, index, context);
        for instruction in &stage.instructions {
            for from in stage::references(instruction) {
                check_from(stages, index, instruction, &from, context);
            }
        }
    }
}

/// The stage above whose name was probably mistyped. Only the nearest hundred are compared, since each comparison
/// costs; `alpine` is no slip for a stage `alpine2`.
fn mistyped<'s>(name: &str, stages: &'s [Stage]) -> Option<&'s str> {
    let names = stages.iter().rev().filter_map(|stage| stage.name.as_ref()).map(|name| name.text.as_str()).take(100);
    let lower = name.to_ascii_lowercase();
    suggest::nearest(name, names).filter(|meant| !meant.starts_with(&lower) && !lower.starts_with(meant))
}

fn has_name(name: Option<&Word>, wanted: &str) -> bool {
    name.is_some_and(|name| name.text.eq_ignore_ascii_case(wanted))
}

/// FROM of a later stage's name means an image of that name, which is hardly meant.
fn check_base(stages: &[Stage], index: usize, context: &mut Context) {
    let base = &stages[index].base;
    if base.text.contains(['$', ':', '@', '/']) || stage::earlier(stages, index, &base.text).is_some() {
        return;
    }
    let later = stages[index + 1..].iter().find(|later| has_name(later.name.as_ref(), &base.text));
    if let Some(later) = later {
        let message =
            format!("`{}` is a later stage (line {}) and is taken as an image here", base.text, later.first_line);
        let warning = Diagnostic::warning(Code::InvalidStageReference, base.span, message);
        context.push(warning.with_help(format!("move the stage `{}` above this line", base.text)));
        return;
    }
    // An image that other stages name too is no slip, and short names are near to everything.
    let elsewhere = stages.iter().enumerate().any(|(other, stage)| other != index && stage.base.text == base.text);
    if base.text.len() >= 5
        && !elsewhere
        && !base.text.eq_ignore_ascii_case("scratch")
        && let Some(meant) = mistyped(&base.text, &stages[..index])
    {
        let message = format!("no stage is named `{}`, so it is taken as an image", base.text);
        let warning = Diagnostic::warning(Code::InvalidStageReference, base.span, message);
        context.push(warning.with_help(format!("did you mean the stage `{meant}`?")));
    }
}

/// `--from` of COPY and `from=` of a mount.
fn check_from(stages: &[Stage], index: usize, instruction: &Instruction, from: &Word, context: &mut Context) {
    let name = &from.text;
    if name.contains('$') || stage::earlier(stages, index, name).is_some() {
        return;
    }
    let verb = if instruction.kind.keyword() == Keyword::Run { "mount from" } else { "copy from" };
    let error = |message: String| Diagnostic::error(Code::InvalidStageReference, from.span, message);
    if let Ok(number) = name.parse::<usize>() {
        let diagnostic = if number == index {
            error(format!("stage {number} would {verb} itself"))
        } else if number < stages.len() {
            error(format!("stage {number} comes later (line {})", stages[number].first_line))
        } else {
            error(format!("there is no stage {number}"))
        };
        let help = match index {
            0 => "there is no earlier stage to copy from; add one above, or name an image".to_owned(),
            1 => "the only earlier stage is 0".to_owned(),
            _ => format!("earlier stages are 0 to {}", index - 1),
        };
        context.push(diagnostic.with_help(help));
        return;
    }
    if has_name(stages[index].name.as_ref(), name) {
        let help = match stages[..index].iter().rev().find_map(|stage| stage.name.as_ref()) {
            Some(earlier) => format!("name an earlier stage, for example `{}`", earlier.text),
            None => "files of the same stage are already there; use `RUN cp` to copy them within it".to_owned(),
        };
        context.push(error(format!("stage `{name}` would {verb} itself")).with_help(help));
        return;
    }
    let later = stages[index + 1..].iter().find(|later| has_name(later.name.as_ref(), name));
    if let Some(later) = later {
        let message = format!("stage `{name}` comes later (line {})", later.first_line);
        context.push(error(message).with_help(format!("move the stage `{name}` above this one")));
        return;
    }
    if !name.contains([':', '@', '/'])
        && let Some(meant) = mistyped(name, &stages[..index])
    {
        let message = format!("no stage is named `{name}`, so it is taken as an image");
        let warning = Diagnostic::warning(Code::InvalidStageReference, from.span, message);
        context.push(warning.with_help(format!("did you mean `{meant}`?")));
    }
}
