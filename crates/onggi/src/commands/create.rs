//! `create`, and what `run` shares with it: from flags to the engine's options.

mod health;
pub(super) mod limits;
mod network;
mod security;

use std::path::Path;

use engine::{CreateOptions, Engine, Lifetime, LogSettings, MountSettings, Pull, PullOptions, StreamSettings};

use super::transfers;

use crate::cli::create::{CreateFlags, LabelFlags, LifeFlags, MountFlags, StreamFlags, parse_mount};
use crate::cli::env_list;
use crate::cli::start::CreateArgs;
use crate::docker_config;
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::{Session, variable};

/// The engine's options; `lookup` gives the environment's variables.
pub(super) fn options(flags: &CreateFlags, lookup: &dyn Fn(&str) -> Option<String>) -> Result<CreateOptions, Failure> {
    let mut words = flags.words.iter().cloned();
    Ok(CreateOptions {
        image: words.next().unwrap_or_default(),
        command: words.collect(),
        interactive: flags.streams.interactive,
        tty: flags.streams.tty,
        name: flags.labels.name.clone(),
        env: with_proxies(environment(&flags.env_files, &flags.env, lookup)?, &flags.env, lookup),
        working_dir: flags.workdir.clone(),
        user: flags.user.clone(),
        entrypoint: flags.entrypoint.clone(),
        runtime: flags.runtime.clone(),
        lifetime: lifetime(&flags.life)?,
        mounts: mounts(&flags.mounts)?,
        network: network::settings(&flags.network)?,
        limits: limits::limits(&flags.limits)?,
        security: security::security(&flags.security)?,
        health: health::health(&flags.health)?,
        streams: streams(&flags.streams)?,
        log: log(&flags.streams),
        labels: labels(&flags.labels)?,
        id_file: flags.labels.cidfile.clone(),
        platform: super::platforms::optional(flags.platform.as_deref())?,
        pull: pull(flags.pull.as_deref())?,
    })
}

/// `create`: prints the ID.
pub(super) fn run(args: &CreateArgs, session: &Session) -> Result<u8, Failure> {
    let options = options(&args.create, &variable)?;
    warn(&options, session);
    let engine = session.engine()?;
    provide(&engine, &options, args.create.quiet, session)?;
    warn_of_user(&engine, &options, session)?;
    let created = engine::create_container(&engine, &options)?;
    session.print(&format!("{created}\n"))?;
    Ok(0)
}

/// Pulls the image first where it is not there, or always (S028).
pub(super) fn provide(
    engine: &Engine,
    options: &CreateOptions,
    is_quiet: bool,
    session: &Session,
) -> Result<(), engine::Error> {
    let Some(needed) = engine::needed_image(engine, options)? else { return Ok(()) };
    if needed.is_missing && !is_quiet {
        session.note(&format!("Unable to find image '{}' locally", needed.name));
    }
    let pull = PullOptions { name: needed.name, platform: needed.platform, all_tags: false };
    transfers::pull_needed(session, engine, &pull, is_quiet)
}

/// Tells what is odd in what was asked for, and yet done.
pub(super) fn warn(options: &CreateOptions, session: &Session) {
    options.limits.warnings().iter().for_each(|warning| session.note(&format!("warning: {warning}")));
    tell(options.limits.lacking(), session);
}

/// The same of the user, who is known once the image is there.
pub(super) fn warn_of_user(engine: &Engine, options: &CreateOptions, session: &Session) -> Result<(), engine::Error> {
    tell(engine::lacking_user(engine, options)?, session);
    Ok(())
}

fn tell(warning: Option<(String, Option<String>)>, session: &Session) {
    let Some((warning, hint)) = warning else { return };
    session.note(&format!("warning: {warning}"));
    hint.iter().for_each(|hint| session.note(&format!("hint: {hint}")));
}

fn lifetime(flags: &LifeFlags) -> Result<Lifetime, Failure> {
    Ok(Lifetime {
        auto_remove: flags.rm,
        stop_signal: flags.stop_signal.clone(),
        stop_timeout: flags.stop_timeout,
        restart: flags.restart.as_deref().unwrap_or_default().parse()?,
    })
}

/// Without `-a`: what the container writes, and with `-i` what is typed. `-d` changes that later.
fn streams(flags: &StreamFlags) -> Result<StreamSettings, Failure> {
    let mut streams = StreamSettings::default();
    for name in &flags.attach {
        match name.to_ascii_lowercase().as_str() {
            "stdin" => streams.stdin = true,
            "stdout" => streams.stdout = true,
            "stderr" => streams.stderr = true,
            _ => {
                let problem = Problem::error(format!("`{name}` is not a value of `--attach`"));
                return Err(Failure::new(problem.with_hint("valid streams are `stdin`, `stdout` and `stderr`")));
            }
        }
    }
    if flags.attach.is_empty() {
        streams = StreamSettings { stdin: flags.interactive, stdout: true, stderr: true, stdin_once: false };
    }
    streams.stdin &= flags.interactive;
    streams.stdin_once = streams.stdin;
    Ok(streams)
}

fn log(flags: &StreamFlags) -> LogSettings {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (text.clone(), String::new()),
    };
    LogSettings { driver: flags.log_driver.clone(), options: flags.log_opts.iter().map(pair).collect() }
}

/// Files first, so that `--label` wins over them.
fn labels(flags: &LabelFlags) -> Result<Vec<(String, String)>, Failure> {
    let empty = |_: &str| Some(String::new());
    let mut labels = Vec::new();
    for path in &flags.label_files {
        let bytes = std::fs::read(path).map_err(|error| unreadable("labels", path, &error))?;
        labels.extend(env_list::file(path, &bytes, &empty).map_err(wrong)?);
    }
    for text in &flags.labels {
        labels.extend(
            env_list::variable(text, &empty)
                .map_err(|_| Failure::new(Problem::error(format!("invalid label '{text}': empty name"))))?,
        );
    }
    Ok(labels)
}

fn pull(when: Option<&str>) -> Result<Pull, Failure> {
    match when {
        None | Some("missing") => Ok(Pull::Missing),
        Some("never") => Ok(Pull::Never),
        Some("always") => Ok(Pull::Always),
        Some(other) => {
            let message =
                format!("invalid pull option: '{other}': must be one of \"always\", \"missing\" or \"never\"");
            Err(Failure::new(Problem::error(message)))
        }
    }
}

fn wrong(error: env_list::EnvError) -> Failure {
    Failure::new(Problem::error(error.to_string()))
}

fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    let problem = Problem::error(format!("cannot read the {what} in {}", path.display()));
    Failure::new(Problem { causes: vec![error.to_string()], ..problem })
}

fn mounts(flags: &MountFlags) -> Result<MountSettings, Failure> {
    let wrong = |flag: &str, value: &str, reason: &str| {
        Failure::new(Problem::error(format!("invalid argument \"{value}\" for \"{flag}\" flag: {reason}")))
    };
    let mount = |text: &String| parse_mount(text).map_err(|reason| wrong("--mount", text, &reason));
    let shm_size = flags.shm_size.as_deref().map(|text| {
        let size = engine::parse_memory_size(text);
        size.ok_or_else(|| wrong("--shm-size", text, &format!("invalid size: '{text}'")))
    });
    let tmpfs = flags.tmpfs.iter().map(|text| {
        let (target, options) = text.split_once(':').unwrap_or((text, ""));
        (target.to_owned(), options.to_owned())
    });
    Ok(MountSettings {
        binds: flags.volumes.clone(),
        mounts: flags.mounts.iter().map(mount).collect::<Result<_, _>>()?,
        tmpfs: tmpfs.collect(),
        volumes_from: flags.volumes_from.clone(),
        driver: flags.volume_driver.clone().unwrap_or_default(),
        read_only: flags.read_only,
        shm_size: shm_size.transpose()?,
        ..MountSettings::default()
    })
}

/// The proxies of Docker's configuration go before what is named, which may also be a variable that is not set here.
fn with_proxies(env: Vec<String>, named: &[String], lookup: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let names: Vec<_> = env.iter().chain(named).map(|text| text.split('=').next().unwrap_or(text)).collect();
    let proxies = docker_config::proxies(&names, lookup).into_iter().map(|(name, value)| format!("{name}={value}"));
    proxies.chain(env).collect()
}

/// Files first, so that `--env` wins over them.
pub(super) fn environment(
    files: &[std::path::PathBuf],
    env: &[String],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<String>, Failure> {
    let mut variables = Vec::new();
    for path in files {
        let bytes = std::fs::read(path).map_err(|error| unreadable("variables", path, &error))?;
        let lines = env_list::file(path, &bytes, lookup).map_err(wrong)?;
        variables.extend(lines.into_iter().map(|(name, value)| format!("{name}={value}")));
    }
    for text in env {
        match env_list::variable(text, lookup).map_err(wrong)? {
            Some((name, value)) => variables.push(format!("{name}={value}")),
            // Not set here: the container does not get the image's either.
            None => variables.push(text.clone()),
        }
    }
    Ok(variables)
}
