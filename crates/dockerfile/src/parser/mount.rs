//! `RUN --mount=`: comma-separated `key=value` with CSV quoting; each key once, none unknown.

use crate::diagnostic::{Code, Diagnostic};
use crate::instruction::{Mount, MountKind, MountOption, Word};
use crate::suggest;

use super::Context;

const KINDS: [(&str, MountKind); 5] = [
    ("bind", MountKind::Bind),
    ("cache", MountKind::Cache),
    ("tmpfs", MountKind::Tmpfs),
    ("secret", MountKind::Secret),
    ("ssh", MountKind::Ssh),
];

/// Keys by type, without `type` itself (Dockerfile reference, "RUN --mount").
fn keys(kind: MountKind) -> &'static [&'static str] {
    match kind {
        MountKind::Bind => &["from", "source", "target", "readonly", "readwrite"],
        MountKind::Cache => {
            &["id", "from", "source", "target", "readonly", "readwrite", "sharing", "mode", "uid", "gid"]
        }
        MountKind::Tmpfs => &["target", "size", "readonly", "readwrite"],
        MountKind::Secret => &["id", "source", "target", "env", "required", "mode", "uid", "gid"],
        MountKind::Ssh => &["id", "target", "required", "mode", "uid", "gid"],
    }
}

/// Aliases to the one name that is kept.
fn canonical(key: &str) -> String {
    let key = key.trim().to_ascii_lowercase();
    match key.as_str() {
        "src" => "source".to_owned(),
        "dst" | "destination" => "target".to_owned(),
        "ro" => "readonly".to_owned(),
        "rw" => "readwrite".to_owned(),
        _ => key,
    }
}

/// Reads one mount; nothing when it is wrong.
pub(super) fn read(text: Word, context: &mut Context) -> Option<Mount> {
    let read = fields(&text.text).and_then(|fields| {
        let options: Vec<MountOption> = fields.iter().map(|field| option(field)).collect();
        check_mount(&options).map(|kind| (kind, options))
    });
    match read {
        Ok((kind, options)) => Some(Mount { kind, options, text }),
        Err(problem) => {
            context.push(Diagnostic::error(Code::InvalidFlag, text.span, problem.message).with_help(problem.help));
            None
        }
    }
}

fn option(field: &str) -> MountOption {
    match field.split_once('=') {
        Some((key, value)) => MountOption { key: canonical(key), value: Some(value.to_owned()) },
        None => MountOption { key: canonical(field), value: None },
    }
}

/// What is wrong with a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountProblem {
    /// One sentence.
    pub message: String,
    /// What to do.
    pub help: String,
}

fn problem<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, MountProblem> {
    Err(MountProblem { message: message.into(), help: help.into() })
}

/// Checks the options of a mount. Values with variables in them are taken as they are: once these have been put in, the
/// options can be checked again. A type that is a variable counts as the usual one until then.
///
/// # Errors
/// The first mistake.
pub fn check_mount(options: &[MountOption]) -> Result<MountKind, MountProblem> {
    let kind_option = options.iter().find(|option| option.key == "type");
    if kind_option.and_then(|option| option.value.as_deref()).is_some_and(|value| value.contains('$')) {
        options.iter().find(|option| option.key == "from").map_or(Ok(()), check_from)?;
        return Ok(MountKind::Bind);
    }
    let kind = kind(kind_option)?;
    for (index, option) in options.iter().enumerate() {
        check(kind, option)?;
        if options[..index].iter().any(|earlier| earlier.key == option.key) {
            return problem(
                format!("the mount's key `{0}` is given twice", option.key),
                format!("keep one `{}`", option.key),
            );
        }
    }
    check_together(kind, options)?;
    Ok(kind)
}

fn kind(option: Option<&MountOption>) -> Result<MountKind, MountProblem> {
    let Some(option) = option else { return Ok(MountKind::Bind) };
    let value = option.value.as_deref().unwrap_or_default();
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(value)) {
        return Ok(*kind);
    }
    let names = KINDS.map(|(name, _)| name);
    let help = match suggest::nearest(value, names) {
        Some(meant) => format!("did you mean `type={meant}`?"),
        None => format!("the types are {}", names.map(|name| format!("`{name}`")).join(", ")),
    };
    problem(format!("unknown mount type `{value}`"), help)
}

fn name_of(kind: MountKind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name)
}

fn check(kind: MountKind, option: &MountOption) -> Result<(), MountProblem> {
    let MountOption { key, value } = option;
    let known = keys(kind);
    if key != "type" && !known.contains(&key.as_str()) {
        return problem(format!("a {} mount has no key `{key}`", name_of(kind)), help_for_key(kind, key));
    }
    let Some(value) = value else {
        if matches!(key.as_str(), "readonly" | "readwrite" | "required") {
            return Ok(());
        }
        return problem(format!("the mount's key `{key}` needs a value"), format!("write `{key}=value`"));
    };
    if key == "from" {
        return check_from(option);
    }
    if value.contains('$') {
        return Ok(());
    }
    let (good, expected) = match key.as_str() {
        "readonly" | "readwrite" | "required" => (parse_bool(value).is_some(), "true"),
        "uid" | "gid" => (is_id(value), "1000"),
        "mode" => (is_mode(value), "0755"),
        "sharing" => (matches!(value.to_ascii_lowercase().as_str(), "shared" | "private" | "locked"), "locked"),
        "target" | "id" => (!value.is_empty() || kind != MountKind::Bind && key == "id", "/path"),
        "env" => (is_variable(value), "TOKEN"),
        _ => return Ok(()),
    };
    if good {
        return Ok(());
    }
    let help = match (key.as_str(), suggest::nearest(value, ["shared", "private", "locked"])) {
        ("sharing", Some(meant)) => format!("did you mean `sharing={meant}`?"),
        _ => format!("write for example `{key}={expected}`"),
    };
    problem(format!("invalid value `{value}` for the mount's key `{key}`"), help)
}

fn help_for_key(kind: MountKind, key: &str) -> String {
    let known = keys(kind);
    if let Some(meant) = suggest::nearest(key, known.iter().copied()) {
        return format!("did you mean `{meant}`?");
    }
    let owners: Vec<String> = KINDS
        .iter()
        .filter(|(_, other)| keys(*other).contains(&key))
        .map(|(name, _)| format!("`type={name}`"))
        .collect();
    if !owners.is_empty() {
        return format!("`{key}` belongs to {}", owners.join(", "));
    }
    format!("the keys are {}", known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
}

fn check_from(option: &MountOption) -> Result<(), MountProblem> {
    let value = option.value.as_deref().unwrap_or_default();
    if value.is_empty() {
        return problem("the mount's key `from` needs a value", "name a stage, its number or an image: `from=build`");
    }
    if value.contains('$') {
        let help = format!("add a stage `FROM {value} AS name` and write `from=name`");
        return problem("variables are not expanded in `from=`", help);
    }
    Ok(())
}

/// Booleans as Go reads them.
pub fn parse_bool(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn is_id(value: &str) -> bool {
    let is_plain = !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit());
    // The last number means "nobody" to the kernel.
    is_plain && value.parse::<u32>().is_ok_and(|id| id != u32::MAX)
}

fn is_mode(value: &str) -> bool {
    let is_octal = !value.is_empty() && value.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    is_octal && u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o7777)
}

fn is_variable(value: &str) -> bool {
    !value.is_empty() && !value.contains(['=', '\0'])
}

/// What options say of each other.
fn check_together(kind: MountKind, options: &[MountOption]) -> Result<(), MountProblem> {
    let has = |key: &str| options.iter().any(|option| option.key == key);
    if has("readonly") && has("readwrite") {
        return problem("the mount is both `readonly` and `readwrite`", "keep one of them");
    }
    match kind {
        MountKind::Bind | MountKind::Cache | MountKind::Tmpfs if !has("target") => {
            problem("the mount has no target", "add `target=/path`")
        }
        MountKind::Secret if has("source") && has("id") => {
            problem("the secret mount names its secret twice: `source` means the same as `id`", "keep `id`")
        }
        MountKind::Secret if !has("id") && !has("source") && !has("target") && !has("env") => {
            problem("the secret mount names no secret", "add `id=name`")
        }
        MountKind::Secret if !has("id") && !has("source") && !has("target") => {
            problem("the secret mount names a variable but no secret", "add `id=name`")
        }
        _ => Ok(()),
    }
}

/// Fields of one CSV record (RFC 4180): a field may stand in double quotes, and then hold commas and `""`.
fn fields(text: &str) -> Result<Vec<String>, MountProblem> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut closed) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(field) = fields.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => (quoted, closed) = (false, true),
            ',' if !quoted => {
                fields.push(String::new());
                closed = false;
            }
            '"' if field.is_empty() && !closed => quoted = true,
            '"' if !quoted => return problem("a quote stands within a field of the mount", QUOTING),
            _ if closed => return problem("something follows a closing quote in the mount", QUOTING),
            _ => field.push(c),
        }
    }
    if quoted { problem("the closing quote `\"` of the mount is missing", QUOTING) } else { Ok(fields) }
}

/// The flag's own quotes are the single ones.
const QUOTING: &str = "double quotes go around a whole field: `--mount='\"source=a,b\",target=/c'`";
