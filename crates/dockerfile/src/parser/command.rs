//! RUN, CMD, ENTRYPOINT, HEALTHCHECK and SHELL: the shell form and the exec form.

use std::time::Duration;

use crate::diagnostic::{Code, Diagnostic};
use crate::duration::{DurationError, parse_duration};
use crate::instruction::{Command, Healthcheck, RunInstruction, Word};
use crate::json::{self, Json};
use crate::keyword::Keyword;
use crate::logical_line::Text;
use crate::suggest;

use super::flags::Flags;
use super::{Context, missing_argument, mount};

/// A command in either form. Text that is not JSON is for the shell, whatever it looks like; where it looks like
/// an array there is a warning.
pub(super) fn read(keyword: Keyword, arguments: Text<'_>, context: &mut Context) -> Option<Command> {
    if arguments.is_empty() {
        let example = match keyword {
            Keyword::Run => "RUN make".to_owned(),
            other => format!("{} [\"/app\"]", other.as_str()),
        };
        context.push(missing_argument(keyword, arguments, "a command", &example));
        return None;
    }
    let text = arguments.as_str();
    match json::parse(text) {
        Json::Strings(strings) => {
            let argv: Vec<String> = strings.into_iter().map(|string| string.value).collect();
            // An empty CMD or ENTRYPOINT clears the inherited one; an empty RUN means nothing.
            if argv.is_empty() && matches!(keyword, Keyword::Run | Keyword::Healthcheck) {
                let example = format!("{} [\"/bin/true\"]", example_start(keyword));
                context.push(missing_argument(keyword, arguments, "a command", &example));
                return None;
            }
            Some(Command::Exec(argv))
        }
        Json::NotStrings(offset) => {
            context.push(not_strings(arguments, offset));
            None
        }
        Json::Broken(_) if json::looks_broken(text) => {
            warn_broken_json(keyword, arguments, context);
            Some(Command::Shell(text.to_owned()))
        }
        Json::Broken(_) | Json::NotArray => Some(Command::Shell(text.to_owned())),
    }
}

fn example_start(keyword: Keyword) -> &'static str {
    match keyword {
        Keyword::Healthcheck => "HEALTHCHECK CMD",
        other => other.as_str(),
    }
}

/// Error for an array with something else than strings in it.
pub(super) fn not_strings(arguments: Text<'_>, offset: usize) -> Diagnostic {
    let text = arguments.as_str();
    let end = text[offset..].find([',', ']', ' ']).map_or(text.len(), |length| offset + length.max(1));
    let value = arguments.slice(offset, end);
    Diagnostic::error(Code::InvalidJson, value.span(), "the array holds something that is not a string")
        .with_help(format!("quote it: `\"{}\"`", value.as_str().trim_matches('"')))
}

/// Warning that an array has a mistake and is therefore taken as plain text.
pub(super) fn warn_broken_json(keyword: Keyword, arguments: Text<'_>, context: &mut Context) {
    let taken_as = match keyword {
        Keyword::Run | Keyword::Cmd | Keyword::Entrypoint | Keyword::Healthcheck => "taken as a shell command",
        _ => "taken as plain words",
    };
    context.push(
        Diagnostic::warning(Code::BrokenJson, arguments.span(), "this looks like a JSON array with a mistake")
            .with_label(taken_as)
            .with_help(format!("write `{} {}`", example_start(keyword), json::repair(arguments.as_str()))),
    );
}

/// RUN.
pub(super) fn run(flags: &mut Flags, arguments: Text<'_>, context: &mut Context) -> Option<RunInstruction> {
    let mounts = flags.values("mount").into_iter().filter_map(|text| mount::read(text, context)).collect();
    let network = flags.value("network");
    check_choice("network", network.as_ref(), &["default", "none", "host"], context);
    let security = flags.value("security");
    check_choice("security", security.as_ref(), &["sandbox", "insecure"], context);
    let devices = flags.values("device");
    let command = read(Keyword::Run, arguments, context)?;
    let heredocs = arguments.line().heredocs.clone();
    let is_document = matches!(heredocs.as_slice(), [only] if only.span == arguments.span());
    Some(RunInstruction { command, mounts, network, security, devices, heredocs, is_document })
}

fn check_choice(flag: &str, value: Option<&Word>, choices: &[&str], context: &mut Context) {
    let Some(value) = value.filter(|value| !choices.contains(&value.text.as_str())) else { return };
    let help = match suggest::nearest(&value.text, choices.iter().copied()) {
        Some(meant) => format!("did you mean `--{flag}={meant}`?"),
        None => {
            let list: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
            format!("the values are {}", list.join(", "))
        }
    };
    let message = format!("invalid value `{}` for `--{flag}`", value.text);
    context.push(Diagnostic::error(Code::InvalidFlag, value.span, message).with_help(help));
}

/// SHELL, which takes nothing but an array.
pub(super) fn shell(arguments: Text<'_>, context: &mut Context) -> Option<Vec<String>> {
    let example = "SHELL [\"/bin/bash\", \"-c\"]";
    match json::parse(arguments.as_str()) {
        Json::Strings(strings) if !strings.is_empty() => Some(strings.into_iter().map(|string| string.value).collect()),
        Json::NotStrings(offset) => {
            context.push(not_strings(arguments, offset));
            None
        }
        Json::Strings(_) => {
            context.push(missing_argument(Keyword::Shell, arguments, "a shell in the array", example));
            None
        }
        Json::NotArray if arguments.is_empty() => {
            context.push(missing_argument(Keyword::Shell, arguments, "an array", example));
            None
        }
        Json::Broken(_) | Json::NotArray => {
            context.push(
                Diagnostic::error(Code::InvalidJson, arguments.span(), "SHELL needs a JSON array of strings")
                    .with_help(format!("write `SHELL {}`", json::repair(arguments.as_str()))),
            );
            None
        }
    }
}

/// HEALTHCHECK.
pub(super) fn healthcheck(flags: &mut Flags, arguments: Text<'_>, context: &mut Context) -> Option<Healthcheck> {
    let (kind, command) = arguments.split_word();
    let mut duration = |name: &str| flags.value(name).and_then(|value| interval(name, &value, context));
    let (interval, timeout) = (duration("interval"), duration("timeout"));
    let (start_period, start_interval) = (duration("start-period"), duration("start-interval"));
    let retries = flags.value("retries").and_then(|value| retries(&value, context));
    match kind.as_str().to_ascii_uppercase().as_str() {
        "" => {
            let example = "HEALTHCHECK CMD curl -f http://localhost/ || exit 1";
            context.push(missing_argument(Keyword::Healthcheck, arguments, "CMD and a command, or NONE", example));
            None
        }
        "NONE" if command.is_empty() => Some(Healthcheck::None),
        "NONE" => {
            context.push(
                Diagnostic::error(Code::UnexpectedArgument, command.span(), "HEALTHCHECK NONE takes no arguments")
                    .with_help("write `HEALTHCHECK NONE`, or `HEALTHCHECK CMD` and a command"),
            );
            None
        }
        "CMD" => {
            if command.as_str().starts_with("--") {
                let flag = command.split_word().0;
                context.push(
                    Diagnostic::error(Code::InvalidFlag, flag.span(), "flags of HEALTHCHECK come before CMD")
                        .with_help(format!("write `HEALTHCHECK {} CMD` and the command", flag.as_str())),
                );
                return None;
            }
            let command = read(Keyword::Healthcheck, command, context)?;
            Some(Healthcheck::Check { command, interval, timeout, start_period, start_interval, retries })
        }
        _ => {
            let message = format!("HEALTHCHECK takes CMD or NONE, not `{}`", kind.as_str());
            context.push(
                Diagnostic::error(Code::UnexpectedArgument, kind.span(), message)
                    .with_help(format!("write `HEALTHCHECK CMD {}`", super::shortened(arguments.as_str()))),
            );
            None
        }
    }
}

/// A duration of HEALTHCHECK: 0 (inherit) or at least a millisecond.
fn interval(name: &str, value: &Word, context: &mut Context) -> Option<Duration> {
    let (message, help) = match parse_duration(&value.text) {
        Ok(duration) if duration.is_zero() || duration >= Duration::from_millis(1) => return Some(duration),
        Ok(_) => ("it is shorter than 1ms".to_owned(), format!("write for example `--{name}=1ms`")),
        Err(error @ DurationError::UnitMissing) => (error.to_string(), format!("write `--{name}={}s`", value.text)),
        Err(error) => {
            (error.to_string(), format!("write for example `--{name}=30s`; units are ns, us, ms, s, m and h"))
        }
    };
    let message = format!("invalid duration `{}` for `--{name}`: {message}", value.text);
    context.push(Diagnostic::error(Code::InvalidNumber, value.span, message).with_help(help));
    None
}

fn retries(value: &Word, context: &mut Context) -> Option<u32> {
    // Docker keeps it in a signed 32-bit number.
    match value.text.parse::<u32>() {
        Ok(retries) if i32::try_from(retries).is_ok() => Some(retries),
        _ => {
            let message = format!("invalid number `{}` for `--retries`", value.text);
            let error = Diagnostic::error(Code::InvalidNumber, value.span, message);
            context.push(error.with_help("write a whole number, for example `--retries=3`"));
            None
        }
    }
}
