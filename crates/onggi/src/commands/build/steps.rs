//! Understands `--secret`, `--ssh`, `--add-host`, `--allow`, `--ulimit`, `--resource` and their like.
//!
//! Values of secrets that are in the environment are read here, since nothing below reads it; files are only looked at.

use std::net::IpAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use engine::{
    HostAddress, LARGEST_SECRET, RunLimits, RunResources, Secret, SecretSource, StepOptions, Ulimit, nearest,
    parse_memory_size,
};

use crate::cli::fields::fields;
use crate::cli::step_flags::StepFlags;
use crate::failure::Failure;
use crate::render::problem::Problem;

/// Gives the environment's variables.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

const SSH_AUTH_SOCK: &str = "SSH_AUTH_SOCK";

/// What is wrong with a flag: what, and what to type instead.
pub(in crate::commands) struct Wrong {
    message: String,
    hint: String,
}

fn wrong<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), hint: hint.into() })
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::new(Problem::error(wrong.message).with_hint(wrong.hint))
    }
}

/// All of them.
pub(super) fn options(flags: &StepFlags, lookup: Lookup<'_>) -> Result<StepOptions, Failure> {
    let mut options = credentials(&flags.secrets, &flags.ssh, lookup)?;
    for text in &flags.add_hosts {
        options.hosts.push(host(text)?);
    }
    for text in flags.allow.iter().flat_map(|list| list.split(',')) {
        options.allow_host_network |= allowed(text)? == "network.host";
    }
    options.limits = limits(flags)?;
    Ok(options)
}

/// `--secret` and `--ssh` alone: what servers may want to see.
pub(super) fn credentials(secrets: &[String], ssh: &[String], lookup: Lookup<'_>) -> Result<StepOptions, Failure> {
    let mut options = StepOptions::default();
    for text in secrets {
        let (id, source) = secret(text, lookup)?;
        options.secrets.insert(id, source);
    }
    for text in ssh {
        let (id, socket) = agent(text, lookup)?;
        if options.agents.insert(id.clone(), socket).is_some() {
            wrong(
                format!("`--ssh` gives the agent `{id}` twice"),
                "give each agent an ID of its own: `--ssh ID=SOCKET`",
            )?;
        }
    }
    Ok(options)
}

/// `id=…,src=…`, `id=…,env=…`, or `id=…` alone: then the variable of that name, or else the file.
fn secret(text: &str, lookup: Lookup<'_>) -> Result<(String, SecretSource), Wrong> {
    const FORM: &str = "write it as in `--secret id=token,src=token.txt` or `--secret id=token,env=TOKEN`";
    const KEYS: [&str; 5] = ["id", "src", "source", "env", "type"];
    const TYPES: [&str; 2] = ["file", "env"];
    let Ok(fields) = fields(text) else {
        return wrong("`--secret` has a quote that is not around a whole field", FORM);
    };
    let (mut id, mut source, mut env, mut kind) = (String::new(), String::new(), String::new(), String::new());
    for field in &fields {
        // What was typed is not shown: it may be the secret itself.
        let Some((key, value)) = field.split_once('=') else {
            return wrong("`--secret` has a field that is not `key=value`", FORM);
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "id" => value.clone_into(&mut id),
            "src" | "source" => value.clone_into(&mut source),
            "env" => value.clone_into(&mut env),
            "type" if TYPES.contains(&value) => value.clone_into(&mut kind),
            "type" => return wrong(format!("`--secret` has no type `{value}`"), suggest(value, &TYPES, "type=")),
            other => return wrong(format!("`--secret` has no field `{other}`"), suggest(other, &KEYS, "")),
        }
    }
    if id.is_empty() {
        return wrong("`--secret` gives a secret without an ID", FORM);
    }
    if kind == "env" && env.is_empty() {
        env = std::mem::take(&mut source);
    }
    if env.is_empty() && source.is_empty() {
        match kind.as_str() {
            "file" => source.clone_from(&id),
            "env" => env.clone_from(&id),
            _ if lookup(&id).is_some() => env.clone_from(&id),
            _ => source.clone_from(&id),
        }
    }
    if source.is_empty() {
        let value = lookup(&env).unwrap_or_default();
        if value.len() > LARGEST_SECRET {
            return wrong(too_large(&id), "bring large files in with `RUN --mount=type=bind`");
        }
        return Ok((id, SecretSource::Variable { name: env, value: Secret::new(value) }));
    }
    let path = PathBuf::from(source);
    check_file(&id, &path)?;
    Ok((id, SecretSource::File(path)))
}

fn too_large(id: &str) -> String {
    format!("the secret `{id}` is larger than {LARGEST_SECRET} bytes")
}

fn check_file(id: &str, path: &Path) -> Result<(), Wrong> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => wrong(
            format!("the secret `{id}` is the folder {}", path.display()),
            format!("give a file: `--secret id={id},src=FILE`"),
        ),
        Ok(found) if found.len() > LARGEST_SECRET as u64 => {
            wrong(too_large(id), "bring large files in with `RUN --mount=type=bind`")
        }
        Ok(_) => Ok(()),
        Err(error) => wrong(
            format!("cannot read the secret `{id}` from {}: {error}", path.display()),
            format!("check the path, or take it from the environment: `--secret id={id},env=VARIABLE`"),
        ),
    }
}

/// `default`, `ID`, `ID=SOCKET`. Keys need an agent that holds them.
fn agent(text: &str, lookup: Lookup<'_>) -> Result<(String, PathBuf), Wrong> {
    let (id, paths) = text.split_once('=').unwrap_or((text, ""));
    let id = if id.is_empty() { "default" } else { id };
    if paths.is_empty() {
        return match lookup(SSH_AUTH_SOCK).filter(|path| !path.is_empty()) {
            Some(path) => socket(id, Path::new(&path)),
            None => wrong(
                format!("`--ssh {text}` needs an agent, and `{SSH_AUTH_SOCK}` is not set"),
                format!(
                    "start one, and give it your keys: `eval $(ssh-agent) && ssh-add`; with sudo: `sudo --preserve-env={SSH_AUTH_SOCK} …`"
                ),
            ),
        };
    }
    match paths.split(',').collect::<Vec<_>>().as_slice() {
        [path] => socket(id, Path::new(path)),
        _ => wrong(format!("`--ssh {id}=` has several paths: keys are not read yet"), with_keys(id, paths)),
    }
}

fn socket(id: &str, path: &Path) -> Result<(String, PathBuf), Wrong> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok((id.to_owned(), path.to_owned())),
        Ok(found) if found.is_file() => {
            wrong(format!("{shown} is no agent's socket: keys are not read yet"), with_keys(id, &shown.to_string()))
        }
        Ok(_) => wrong(
            format!("{shown} is no agent's socket"),
            "start an agent: `eval $(ssh-agent) && ssh-add`, then `--ssh default`",
        ),
        Err(error) => wrong(
            format!("cannot use the agent {shown}: {error}"),
            "start an agent: `eval $(ssh-agent) && ssh-add`, then `--ssh default`",
        ),
    }
}

fn with_keys(id: &str, keys: &str) -> String {
    format!("let an agent hold them: `eval $(ssh-agent) && ssh-add {}`, then `--ssh {id}`", keys.replace(',', " "))
}

/// `name:address` or `name=address`, an IPv6 address also in brackets.
fn host(text: &str) -> Result<(String, HostAddress), Wrong> {
    const FORM: &str = "write it as in `--add-host db:10.0.0.5`, `db=[::1]` or `db:host-gateway`";
    let Some((name, address)) = text.split_once('=').or_else(|| text.split_once(':')) else {
        return wrong(format!("`--add-host {text}` has no address"), FORM);
    };
    if name.is_empty() || name.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '#') {
        return wrong(format!("`--add-host {text}` has no usable name"), FORM);
    }
    if address == "host-gateway" {
        return Ok((name.to_owned(), HostAddress::Gateway));
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    match bare.parse::<IpAddr>() {
        Ok(address) => Ok((name.to_owned(), HostAddress::Address(address))),
        Err(_) => wrong(format!("`{address}` is not an address"), FORM),
    }
}

/// Rights that a step may need; those for what is not there are taken as they are.
fn allowed(text: &str) -> Result<&str, Wrong> {
    const RIGHTS: [&str; 4] = ["network.host", "security.insecure", "device", "buildx.local.delete"];
    let name = text.split('=').next().unwrap_or(text);
    if RIGHTS.contains(&name) && (name == text || name == "device") {
        return Ok(name);
    }
    wrong(format!("`--allow` knows no right `{text}`"), suggest(name, &RIGHTS, "--allow "))
}

fn limits(flags: &StepFlags) -> Result<RunLimits, Wrong> {
    let mut limits = RunLimits::default();
    if let Some(text) = &flags.shm_size {
        let size = parse_memory_size(text).filter(|size| *size > 0);
        limits.shm_size = Some(match size {
            Some(size) => size,
            None => wrong(format!("`--shm-size {text}` is not a size"), "write for example `--shm-size 128m`")?,
        });
    }
    for text in &flags.ulimits {
        let limit = ulimit(text)?;
        // The last one of a name counts.
        limits.ulimits.retain(|other| other.name != limit.name);
        limits.ulimits.push(limit);
    }
    if let Some(parent) = &flags.cgroup_parent {
        let trimmed = parent.trim_matches('/');
        let is_good = !trimmed.is_empty() && trimmed.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_good {
            wrong(
                format!("`--cgroup-parent {parent}` is not the path of a control group"),
                "write for example `--cgroup-parent /builds`",
            )?;
        }
        limits.cgroup_parent = Some(trimmed.to_owned());
    }
    for (name, value) in single_flags(flags) {
        resource(&mut limits.resources, name, value)?;
    }
    for text in &flags.resources {
        let Ok(fields) = fields(text) else {
            return wrong("`--resource` has a quote that is not around a whole field", RESOURCE_FORM);
        };
        for field in fields {
            let Some((name, value)) = field.split_once('=') else {
                return wrong(format!("`{field}` in `--resource` has no value"), RESOURCE_FORM);
            };
            resource(&mut limits.resources, name.trim(), value)?;
        }
    }
    Ok(limits)
}

const RESOURCE_FORM: &str = "write it as in `--resource memory=1g,cpu-quota=50000`";

fn single_flags(flags: &StepFlags) -> impl Iterator<Item = (&'static str, &str)> {
    let all = [
        ("memory", &flags.memory),
        ("memory-swap", &flags.memory_swap),
        ("cpu-shares", &flags.cpu_shares),
        ("cpu-period", &flags.cpu_period),
        ("cpu-quota", &flags.cpu_quota),
        ("cpuset-cpus", &flags.cpuset_cpus),
        ("cpuset-mems", &flags.cpuset_mems),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
}

fn resource(resources: &mut RunResources, name: &str, value: &str) -> Result<(), Wrong> {
    const NAMES: [&str; 7] =
        ["memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems"];
    let invalid = |example: &str| Wrong {
        message: format!("`{value}` is not a value of the resource `{name}`"),
        hint: format!("write for example `--resource {name}={example}`"),
    };
    let size = || parse_memory_size(value).ok_or_else(|| invalid("512m"));
    let number = |example: &str| value.parse::<u64>().map_err(|_| invalid(example));
    let unlimited = value == "-1";
    match name.to_ascii_lowercase().as_str() {
        "memory" => resources.memory = Some(size()?),
        "memory-swap" if unlimited => resources.memory_swap = Some(u64::MAX),
        "memory-swap" => resources.memory_swap = Some(size()?),
        "cpu-shares" => resources.cpu_shares = Some(number("512")?),
        "cpu-period" => resources.cpu_period = Some(number("100000")?),
        "cpu-quota" if unlimited => resources.cpu_quota = Some(u64::MAX),
        "cpu-quota" => resources.cpu_quota = Some(number("50000")?),
        "cpuset-cpus" if is_list(value) => resources.cpuset_cpus = Some(value.to_owned()),
        "cpuset-mems" if is_list(value) => resources.cpuset_mems = Some(value.to_owned()),
        "cpuset-cpus" | "cpuset-mems" => return Err(invalid("0-1")),
        _ => return wrong(format!("there is no resource `{name}`"), suggest(name, &NAMES, "")),
    }
    Ok(())
}

/// `0-1,3`
fn is_list(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.len() < 7 && text.bytes().all(|digit| digit.is_ascii_digit());
    text.split(',').all(|part| match part.split_once('-') {
        Some((first, last)) => is_number(first) && is_number(last),
        None => is_number(part),
    })
}

/// `name=soft[:hard]`, -1 for no limit.
pub(in crate::commands) fn ulimit(text: &str) -> Result<Ulimit, Wrong> {
    const NAMES: [&str; 15] = [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ];
    const FORM: &str = "write it as in `--ulimit nofile=1024:2048`";
    let Some((name, values)) = text.split_once('=') else {
        return wrong(format!("`--ulimit {text}` has no value"), FORM);
    };
    if !NAMES.contains(&name) {
        return wrong(format!("there is no limit `{name}`"), suggest(name, &NAMES, ""));
    }
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let number = |value: &str| if value == "-1" { Some(u64::MAX) } else { value.parse::<u64>().ok() };
    match (number(soft), number(hard)) {
        (Some(soft), Some(hard)) if soft <= hard => Ok(Ulimit { name: name.to_owned(), soft, hard }),
        (Some(_), Some(_)) => wrong(
            format!("the soft limit of `--ulimit {text}` is above the hard one"),
            format!("write `--ulimit {name}={hard}:{soft}`"),
        ),
        _ => wrong(format!("`{values}` in `--ulimit` is not a number"), FORM),
    }
}

/// The name that was probably meant, or all of them.
fn suggest(typed: &str, names: &[&str], before: &str) -> String {
    match nearest(typed, names.iter().copied()) {
        Some(meant) => format!("did you mean `{before}{meant}`?"),
        None => {
            let all: Vec<String> = names.iter().map(|name| format!("`{before}{name}`")).collect();
            format!("use {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
