//! `run`: a container of an image, in front of the user or in the background.

use std::io::IsTerminal;

use oci::{ContainerConfig, Reference};

use crate::container::{Container, ContainerRecord, ContainerState};
use crate::front::Front;
use crate::launch::{Launched, launch};
use crate::network::NetworkMode;
use crate::{Engine, Error, ErrorKind, monitor};

/// What `run` was asked for.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Image by name or ID.
    pub image: String,
    /// Words after the image; replace CMD.
    pub command: Vec<String>,
    /// Run in the background.
    pub detach: bool,
    /// Keep standard input open.
    pub interactive: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// Remove it when it has ended.
    pub rm: bool,
    /// Its name; a random one otherwise.
    pub name: Option<String>,
    /// `KEY=VALUE`, or `KEY` to take a variable of the image away; later ones win.
    pub env: Vec<String>,
    /// Replaces WORKDIR.
    pub working_dir: Option<String>,
    /// Replaces USER.
    pub user: Option<String>,
    /// Replaces ENTRYPOINT; empty for none.
    pub entrypoint: Option<String>,
    /// `source:target[:ro]`.
    pub volumes: Vec<String>,
    /// Its network.
    pub network: NetworkMode,
    /// Its host name; the short ID otherwise.
    pub hostname: Option<String>,
    /// Runtime; our own otherwise.
    pub runtime: Option<String>,
}

/// How `run` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// In the background: the container's ID.
    Detached(String),
    /// In front: the exit code, as Docker counts.
    Exited(u8),
}

/// Makes a container and runs it.
///
/// # Errors
/// With exit code 125 for what is wrong before the program runs, 126 and 127 when it cannot be run.
pub fn run(engine: &Engine, options: &RunOptions) -> Result<RunOutcome, Error> {
    check(options)?;
    let container = create(engine, options).map_err(with_code_125)?;
    let outcome = if options.detach {
        monitor::start(engine, &container).map(|()| RunOutcome::Detached(container.record.id.clone()))
    } else {
        in_front(engine, &container)
    };
    outcome.map_err(with_code_125)
}

/// Runs it as its owner, and removes it afterwards where that was asked for.
fn in_front(engine: &Engine, container: &Container) -> Result<RunOutcome, Error> {
    let _ownership = container.own()?.ok_or_else(|| taken(container))?;
    let outcome = foreground(engine, container).map(RunOutcome::Exited);
    if container.record.auto_remove {
        let removed = container.remove(engine);
        // How it ended matters more than what could not be tidied up.
        return outcome.and_then(|outcome| removed.map(|()| outcome));
    }
    outcome
}

/// Somebody else runs or removes it.
pub(crate) fn taken(container: &Container) -> Error {
    Error::new(ErrorKind::Conflict, format!("container {} is in use by another process", container.record.name))
}

fn with_code_125(mut error: Error) -> Error {
    error.exit_code.get_or_insert(125);
    error
}

fn check(options: &RunOptions) -> Result<(), Error> {
    for volume in &options.volumes {
        crate::launch::parse_bind(volume)?;
    }
    if let Some(name) = &options.name {
        check_name(name)?;
    }
    if let Some(name) = &options.hostname {
        check_hostname(name)?;
    }
    if let Some(folder) = options.working_dir.as_deref().filter(|folder| !folder.is_empty() && !folder.starts_with('/'))
    {
        let message = format!("the working directory `{folder}` is invalid, it needs to be an absolute path");
        let error = Error::new(ErrorKind::InvalidInput, message).with_hint(format!("use `-w /{folder}`"));
        return Err(with_code_125(error));
    }
    if options.tty && options.interactive && !options.detach && !std::io::stdin().is_terminal() {
        let error = Error::new(ErrorKind::InvalidInput, "the input device is not a TTY");
        return Err(error.with_hint("leave `-t` out when standard input is a file or a pipe").with_exit_code(1));
    }
    Ok(())
}

/// Makes the container, without starting it.
fn create(engine: &Engine, options: &RunOptions) -> Result<Container, Error> {
    let Some(image) = image::find(engine.store(), &options.image)? else {
        let shown = options.image.parse::<Reference>().map(|name| name.with_default_tag().familiar())?;
        let message = format!("unable to find image '{shown}' locally, and pulling from registries is not there yet");
        return Err(Error::new(ErrorKind::NotFound, message).with_hint(format!(
            "bring it in with `onggi load -i IMAGE.tar`, or build it: `onggi build -t {shown} .`"
        )));
    };
    let config = engine.store().image(image)?.config;
    crate::Runtime::check_rights()?;
    let id = random_id()?;
    let (entrypoint, cmd) = command_line(&config, options)?;
    let hostname = match (options.network, &options.hostname) {
        (_, Some(name)) => name.clone(),
        (NetworkMode::Host, None) => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        (_, None) => id[..12].to_owned(),
    };
    let working_dir = options.working_dir.clone().filter(|folder| !folder.is_empty());
    let working_dir = working_dir.unwrap_or_else(|| config.working_dir.clone());
    let record = ContainerRecord {
        name: options.name.clone().unwrap_or_else(|| crate::names::random_name(&id)),
        created: engine.now().to_string(),
        image,
        image_name: options.image.clone(),
        entrypoint,
        cmd,
        env: environment(&config, options, &hostname),
        working_dir: if working_dir.is_empty() { "/".to_owned() } else { working_dir },
        user: options.user.clone().unwrap_or_else(|| config.user.clone()),
        hostname,
        tty: options.tty,
        interactive: options.interactive,
        auto_remove: options.rm,
        network: options.network.name().to_owned(),
        binds: options.volumes.iter().map(|volume| absolute_bind(volume)).collect::<Result<_, _>>()?,
        runtime: options.runtime.clone(),
        stop_signal: config.stop_signal.clone(),
        labels: config.labels.clone(),
        id,
    };
    Container::create(engine, record)
}

/// Docker's rule: two characters or more of letters, digits, `_`, `.` and `-`, the first a letter or digit.
fn check_name(name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let valid = name.len() > 1 && name.as_bytes()[0].is_ascii_alphanumeric() && name.bytes().all(word);
    if valid {
        return Ok(());
    }
    let message = format!("invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    Err(with_code_125(Error::new(ErrorKind::InvalidInput, message)))
}

/// It goes into `/etc/hosts`, where a line break would be more than a name; the kernel takes 64 bytes.
fn check_hostname(name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_valid = (1..=64).contains(&name.len()) && !name.starts_with(['-', '.']) && name.bytes().all(word);
    if is_valid {
        return Ok(());
    }
    let message = format!("invalid hostname `{name}`: letters, digits, `.` and `-` are allowed, 64 at most");
    Err(with_code_125(Error::new(ErrorKind::InvalidInput, message)))
}

/// A monitor works elsewhere, so a path is made absolute where it was typed.
fn absolute_bind(volume: &str) -> Result<String, Error> {
    match volume.split_once(':') {
        Some((source, rest)) if !source.starts_with('/') => {
            let source = std::path::absolute(source).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, format!("cannot find `{source}`")).because(&error)
            })?;
            Ok(format!("{}:{rest}", source.display()))
        }
        _ => Ok(volume.to_owned()),
    }
}

/// ENTRYPOINT and CMD with what replaces them (S054, S055): a new entrypoint drops the image's CMD.
fn command_line(config: &ContainerConfig, options: &RunOptions) -> Result<(Vec<String>, Vec<String>), Error> {
    let list = |words: &Option<oci::StringOrList>| words.clone().map(|words| words.0).unwrap_or_default();
    let (entrypoint, mut cmd) = match &options.entrypoint {
        Some(program) if program.is_empty() => (Vec::new(), Vec::new()),
        Some(program) => (vec![program.clone()], Vec::new()),
        None => (list(&config.entrypoint), list(&config.cmd)),
    };
    if !options.command.is_empty() {
        cmd.clone_from(&options.command);
    }
    if entrypoint.is_empty() && cmd.is_empty() {
        let message = "no command specified: the image has neither CMD nor ENTRYPOINT";
        return Err(Error::new(ErrorKind::InvalidInput, message)
            .with_hint(format!("give one behind the image: `onggi run {} COMMAND`", options.image)));
    }
    Ok((entrypoint, cmd))
}

/// The image's variables, then ours, then the user's; nothing of the host's (S047).
fn environment(config: &ContainerConfig, options: &RunOptions, hostname: &str) -> Vec<String> {
    let mut env = Vec::new();
    let set = |env: &mut Vec<String>, pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        match env.iter().position(|known: &String| known.split('=').next() == Some(name)) {
            Some(place) => pair.clone_into(&mut env[place]),
            None => env.push(pair.to_owned()),
        }
    };
    set(&mut env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    set(&mut env, &format!("HOSTNAME={hostname}"));
    if options.tty {
        set(&mut env, "TERM=xterm");
    }
    // An image's entry without `=` names no value; it must not become one of the host's (CVE-2026-57231).
    for pair in config.env.iter().filter(|pair| pair.find('=').is_some_and(|place| place > 0)) {
        set(&mut env, pair);
    }
    for pair in &options.env {
        if pair.contains('=') {
            set(&mut env, pair);
        } else {
            env.retain(|known| known.split('=').next() != Some(pair));
        }
    }
    env
}

fn foreground(engine: &Engine, container: &Container) -> Result<u8, Error> {
    let record = &container.record;
    let broken = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "cannot connect the container's streams").because(&error)
    };
    let (front, ends) = Front::prepare(record.tty, record.interactive).map_err(broken)?;
    let started = launch(engine, container, ends.terminal, ends.stdio);
    let launched = match started {
        Ok(launched) => launched,
        Err(error) => {
            note_failure(engine, container, &error)?;
            return Err(error);
        }
    };
    container.write_state(&running(engine, &launched))?;
    let code = front.attend(&launched.process).map_err(broken)?.docker_code();
    finished(engine, container, code)?;
    Ok(code)
}

/// The state of a container that has just started.
pub(crate) fn running(engine: &Engine, launched: &Launched) -> ContainerState {
    let pid = u32::try_from(launched.process.pid()).unwrap_or_default();
    ContainerState {
        started: engine.now().to_string(),
        process: store::ProcessIdentity::of(pid).map(|process| (process.pid, process.start)),
        address: launched.attachment.as_ref().map(|attachment| attachment.address.to_string()),
        ..ContainerState::default()
    }
}

/// Notes how a container ended.
pub(crate) fn finished(engine: &Engine, container: &Container, code: u8) -> Result<(), Error> {
    // The owner's own note, which is outdated by now: that is what this is about.
    let state = container.written_state()?;
    container.write_state(&ContainerState {
        finished: engine.now().to_string(),
        process: None,
        exit_code: Some(code),
        address: None,
        ..state
    })
}

/// Notes that a container could not start.
pub(crate) fn note_failure(engine: &Engine, container: &Container, error: &Error) -> Result<(), Error> {
    let now = engine.now().to_string();
    container.write_state(&ContainerState {
        finished: now,
        exit_code: error.exit_code.or(Some(125)),
        error: std::iter::once(&error.message).chain(&error.causes).cloned().collect::<Vec<_>>().join(": "),
        ..ContainerState::default()
    })
}

/// 32 random bytes as hexadecimal digits.
pub(crate) fn random_id() -> Result<String, Error> {
    let mut bytes = [0; 32];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::new(ErrorKind::Internal, "cannot get random bytes").because(&errno))?;
    Ok(oci::Digest::from_bytes(bytes).hex())
}
