//! Commands about containers that are there.

use engine::{ContainersOptions, ErrorKind, PruneFilter, StopOptions};

use super::confirm::confirm;
use super::prune::{Telling, sized};
use crate::cli::container::{KillArgs, MonitorArgs, PortArgs, PsArgs, RmArgs, StopArgs, WaitArgs};
use crate::cli::start::ContainerPruneArgs;
use crate::docker_config;
use crate::failure::Failure;
use crate::render::containers::{self, ContainersView};
use crate::render::problem::Problem;
use crate::session::{Session, variable};

pub(super) fn list(args: &PsArgs, session: &Session) -> Result<u8, Failure> {
    let rows = engine::containers(&session.engine()?, &list_options(args)?)?;
    let zone = session.zone();
    let format = docker_config::format("psFormat", args.format.as_deref(), args.quiet, &variable);
    let view = ContainersView {
        format: format.as_deref(),
        only_ids: args.quiet,
        in_full: args.no_trunc,
        with_size: args.size,
        now: session.now,
        zone: &zone,
    };
    let text = containers::render(&rows, &view).map_err(|error| Failure::in_format(error, view.format))?;
    session.print(&text)?;
    Ok(0)
}

fn list_options(args: &PsArgs) -> Result<ContainersOptions, Failure> {
    let filters = args.filters.iter().map(|filter| filter.parse()).collect::<Result<_, _>>()?;
    // Docker takes 0 and less for no limit.
    let last = args.last.and_then(|last| usize::try_from(last).ok()).filter(|last| *last > 0);
    let last = if args.latest { Some(1) } else { last };
    // Only a template can show what nobody asked for by `--size`.
    let with_size = args.size && !args.quiet || args.format.as_deref().is_some_and(|format| format.contains(".Size"));
    Ok(ContainersOptions { all: args.all, last, filters, with_size })
}

pub(super) fn stop(args: &StopArgs, session: &Session) -> Result<u8, Failure> {
    let options = StopOptions { timeout: args.timeout, signal: args.signal.clone() };
    let engine = session.engine()?;
    super::for_each_at_once(&args.containers, session, |name| {
        engine::stop(&engine, name, &options).map(|()| name.to_owned())
    })
}

pub(super) fn kill(args: &KillArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    super::for_each(&args.containers, session, |name| {
        engine::kill(&engine, name, &args.signal).map(|()| name.to_owned())
    })
}

pub(super) fn wait(args: &WaitArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    super::for_each(&args.containers, session, |name| engine::wait(&engine, name).map(|code| code.to_string()))
}

pub(super) fn remove(args: &RmArgs, session: &Session) -> Result<u8, Failure> {
    if args.link {
        let problem = Problem::error("conflict, cannot remove the default link name of the container");
        return Err(Failure::new(problem.with_hint("there are no other links: leave `--link` out")));
    }
    let engine = session.engine()?;
    let mut errors = Vec::new();
    let removed =
        super::at_once(&args.containers, |name| engine::remove_container(&engine, name, args.force, args.volumes));
    for (name, removed) in args.containers.iter().zip(removed) {
        match removed {
            Ok(()) => session.print(&format!("{name}\n"))?,
            // As with Docker: whoever uses force wants it to be gone, and it is.
            Err(error) if args.force && error.kind == ErrorKind::NotFound => {
                session.note(&format!("error: {}", error.message));
            }
            Err(error) => errors.push(error),
        }
    }
    super::all_or_failure(errors)
}

pub(super) fn port(args: &PortArgs, session: &Session) -> Result<u8, Failure> {
    let ports = engine::published_ports(&session.engine()?, &args.container, args.port.as_deref())?;
    for port in ports {
        match args.port {
            Some(_) => session.print(&format!("{}\n", port.host))?,
            None => session.print(&format!("{} -> {}\n", port.container, port.host))?,
        }
    }
    Ok(0)
}

/// `container prune`: asks, and tells how much room there is now.
pub(super) fn prune(args: &ContainerPruneArgs, session: &Session) -> Result<u8, Failure> {
    let filter = prune_filter(&args.filters, session)?;
    if args.flags.asks() && !confirm(session, "WARNING! This will remove all stopped containers.")? {
        return Ok(0);
    }
    let pruned = engine::prune_containers(&session.engine()?, &filter, args.flags.dry_run)?;
    let telling = Telling::of(args.flags.dry_run);
    session.print(&(telling.section("Containers", &sized(&pruned.items)) + &telling.total(pruned.bytes)))?;
    Ok(0)
}

/// Filters by age and label, as all prunes have them.
pub(super) fn prune_filter(texts: &[String], session: &Session) -> Result<PruneFilter, Failure> {
    let mut filter = PruneFilter::default();
    for text in texts {
        let wrong = |message: String| {
            Failure::new(Problem::error(message).with_hint("filters are `until`, `label` and `label!`"))
        };
        let Some((name, value)) = text.split_once('=') else {
            return Err(wrong(format!("invalid filter `{text}`: it must be KEY=VALUE")));
        };
        let label = || match value.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (value.to_owned(), None),
        };
        match name {
            "until" => {
                let moment = engine::parse_moment(value, session.now, &session.zone());
                filter.until = Some(moment.ok_or_else(|| wrong(format!("invalid filter `{text}`: it is no time")))?);
            }
            "label" => filter.labels.push(label()),
            "label!" => filter.without_labels.push(label()),
            _ => return Err(wrong(format!("invalid filter '{name}'"))),
        }
    }
    Ok(filter)
}

/// The process behind a container in the background; its standard output is read by the `run` that started it.
pub(super) fn monitor(args: &MonitorArgs, session: &Session) -> Result<u8, Failure> {
    engine::monitor::monitor(&session.engine()?, &args.id, std::io::stdout())?;
    Ok(0)
}
