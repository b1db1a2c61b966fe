//! `volume create`, `inspect`, `ls`, `prune`, `rm`.

use std::collections::{BTreeMap, HashSet};

use engine::{CreateVolumeOptions, VolumeFilter};

use super::confirm::confirm;
use super::prune::{Telling, sized};
use crate::cli::switches;
use crate::cli::volume::{
    VolumeCommand, VolumeCreateArgs, VolumeInspectArgs, VolumeLsArgs, VolumePruneArgs, VolumeRmArgs,
};
use crate::docker_config;
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::render::{inspect, volumes};
use crate::session::{Session, variable};

pub(super) fn run(command: &VolumeCommand, session: &Session) -> Result<u8, Failure> {
    match command {
        VolumeCommand::Create(args) => create(args, session),
        VolumeCommand::Inspect(args) => inspect(args, session),
        VolumeCommand::Ls(args) => list(args, session),
        VolumeCommand::Prune(args) => prune(args, session),
        VolumeCommand::Rm(args) => remove(args, session),
    }
}

fn create(args: &VolumeCreateArgs, session: &Session) -> Result<u8, Failure> {
    let options = CreateVolumeOptions {
        name: args.name.clone().unwrap_or_default(),
        driver: args.driver.clone(),
        labels: pairs(&args.labels),
        options: pairs(&args.options),
    };
    let name = engine::create_volume(&session.engine()?, &options)?;
    session.print(&format!("{name}\n"))?;
    Ok(0)
}

fn pairs(texts: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    texts.iter().map(pair).collect()
}

/// Shows what is there, and then tells what is not.
fn inspect(args: &VolumeInspectArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    let mut objects = Vec::new();
    let mut errors = Vec::new();
    for name in &args.names {
        match engine::inspect_volume(&engine, name) {
            Ok(found) => objects.push(found),
            Err(error) => errors.push(error),
        }
    }
    let format = args.format.as_deref();
    let text = inspect::render(format, &objects).map_err(|error| Failure::in_format(error, format))?;
    session.print(&text)?;
    super::all_or_failure(errors)
}

fn list(args: &VolumeLsArgs, session: &Session) -> Result<u8, Failure> {
    let filter = filter(&args.filters, &["dangling", "driver", "label", "name"])?;
    let rows = engine::volumes(&session.engine()?, &filter)?;
    let format = docker_config::format("volumesFormat", args.format.as_deref(), args.quiet, &variable);
    let format = format.as_deref();
    let text = volumes::render(&rows, format, args.quiet).map_err(|error| Failure::in_format(error, format))?;
    session.print(&text)?;
    Ok(0)
}

fn prune(args: &VolumePruneArgs, session: &Session) -> Result<u8, Failure> {
    let mut filter = filter(&args.filters, &["all", "label", "label!"])?;
    let all = args.all || filter.dangling.take() == Some(true);
    let kind = if all { "all local volumes" } else { "anonymous local volumes" };
    let warning = format!("WARNING! This will remove {kind} not used by at least one container.");
    if args.flags.asks() && !confirm(session, &warning)? {
        return Ok(0);
    }
    let nothing = HashSet::new();
    let pruned = engine::prune_volumes(&session.engine()?, all, &filter, args.flags.dry_run.then_some(&nothing))?;
    let telling = Telling::of(args.flags.dry_run);
    session.print(&(telling.section("Volumes", &sized(&pruned.items)) + &telling.total(pruned.bytes)))?;
    Ok(0)
}

fn remove(args: &VolumeRmArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    super::for_each(&args.names, session, |name| {
        engine::remove_volume(&engine, name, args.force).map(|()| name.to_owned())
    })
}

/// Filters of the kinds that are allowed. `all` shares its place with `dangling`: both are yes or no.
fn filter(texts: &[String], allowed: &[&str]) -> Result<VolumeFilter, Failure> {
    let mut filter = VolumeFilter::default();
    for text in texts {
        let wrong = |message: String| Failure::new(Problem::error(message).with_hint(hint(allowed)));
        let Some((name, value)) = text.split_once('=') else {
            return Err(wrong(
                "invalid argument for \"--filter\" flag: bad format of filter (expected name=value)".into(),
            ));
        };
        if !allowed.contains(&name) {
            return Err(wrong(format!("invalid filter '{name}'")));
        }
        let label = || {
            let pair = value.split_once('=');
            pair.map_or((value.to_owned(), None), |(name, value)| (name.to_owned(), Some(value.to_owned())))
        };
        match name {
            "dangling" | "all" => {
                let value = switches::parse(value).ok_or_else(|| wrong(format!("invalid filter '{name}={value}'")))?;
                filter.dangling = Some(value);
            }
            "driver" => filter.drivers.push(value.to_owned()),
            "name" => filter.names.push(value.to_owned()),
            "label!" => filter.without_labels.push(label()),
            _ => filter.labels.push(label()),
        }
    }
    Ok(filter)
}

fn hint(allowed: &[&str]) -> String {
    format!("filter by {}", crate::cli::options::one_of(allowed))
}
