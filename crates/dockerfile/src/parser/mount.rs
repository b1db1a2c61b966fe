//! `RUN --mount=`: comma-separated `key=value` with CSV quoting.

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
    let options: Vec<MountOption> = fields(&text.text)
        .iter()
        .map(|field| match field.split_once('=') {
            Some((key, value)) => MountOption { key: canonical(key), value: Some(value.to_owned()) },
            None => MountOption { key: canonical(field), value: None },
        })
        .collect();
    let result = kind(&options).and_then(|kind| {
        options.iter().try_for_each(|option| check(kind, option))?;
        required_keys(kind, &options)?;
        Ok(kind)
    });
    match result {
        Ok(kind) => Some(Mount { kind, options, text }),
        Err((message, help)) => {
            context.push(Diagnostic::error(Code::InvalidFlag, text.span, message).with_help(help));
            None
        }
    }
}

/// Message and help.
type Problem = (String, String);

fn kind(options: &[MountOption]) -> Result<MountKind, Problem> {
    let Some(option) = options.iter().rfind(|option| option.key == "type") else { return Ok(MountKind::Bind) };
    let value = option.value.as_deref().unwrap_or_default();
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(value)) {
        return Ok(*kind);
    }
    let names = KINDS.map(|(name, _)| name);
    let help = match suggest::nearest(value, names) {
        Some(meant) => format!("did you mean `type={meant}`?"),
        None => format!("the types are {}", names.map(|name| format!("`{name}`")).join(", ")),
    };
    Err((format!("unknown mount type `{value}`"), help))
}

fn check(kind: MountKind, option: &MountOption) -> Result<(), Problem> {
    let MountOption { key, value } = option;
    let kind_name = KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name);
    let known = keys(kind);
    if key != "type" && !known.contains(&key.as_str()) {
        let help = match suggest::nearest(key, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                format!("the keys are {}", known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
            }
        };
        return Err((format!("a {kind_name} mount has no key `{key}`"), help));
    }
    let Some(value) = value else {
        if matches!(key.as_str(), "readonly" | "readwrite" | "required") {
            return Ok(());
        }
        return Err((format!("the mount's key `{key}` needs a value"), format!("write `{key}=value`")));
    };
    if value.contains('$') {
        if key == "from" {
            let help = format!("add a stage `FROM {value} AS name` and write `from=name`");
            return Err(("variables are not expanded in `from=`".to_owned(), help));
        }
        return Ok(());
    }
    let (good, expected) = match key.as_str() {
        "readonly" | "readwrite" | "required" => (
            matches!(value.as_str(), "1" | "0" | "t" | "f" | "true" | "false" | "TRUE" | "FALSE" | "True" | "False"),
            "true",
        ),
        "uid" | "gid" => (value.parse::<u32>().is_ok(), "1000"),
        "mode" => (u32::from_str_radix(value, 8).is_ok(), "0755"),
        "sharing" => (matches!(value.as_str(), "shared" | "private" | "locked"), "locked"),
        _ => return Ok(()),
    };
    if good {
        return Ok(());
    }
    Err((
        format!("invalid value `{value}` for the mount's key `{key}`"),
        format!("write for example `{key}={expected}`"),
    ))
}

fn required_keys(kind: MountKind, options: &[MountOption]) -> Result<(), Problem> {
    let has = |key: &str| options.iter().any(|option| option.key == key);
    match kind {
        MountKind::Bind | MountKind::Cache | MountKind::Tmpfs if !has("target") => {
            Err(("the mount has no target".to_owned(), "add `target=/path`".to_owned()))
        }
        MountKind::Secret if !has("id") && !has("source") && !has("target") && !has("env") => {
            Err(("the secret mount names no secret".to_owned(), "add `id=name`".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Fields of one CSV record (RFC 4180): a field may stand in double quotes, and then hold commas and `""`.
fn fields(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(field) = fields.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(c),
        }
    }
    fields
}
