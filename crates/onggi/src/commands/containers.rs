//! Commands about containers that are there.

use std::io::Write;

use engine::StopOptions;

use engine::ContainersOptions;

use crate::cli::container::{KillArgs, LogsArgs, MonitorArgs, PortArgs, PsArgs, RmArgs, StopArgs, WaitArgs};
use crate::failure::Failure;
use crate::render::containers::{self, ContainersView};
use crate::session::Session;

pub(super) fn list(args: &PsArgs, session: &Session) -> Result<u8, Failure> {
    let rows = engine::containers(&session.engine()?, &list_options(args)?)?;
    let zone = session.zone();
    let view = ContainersView {
        format: args.format.as_deref(),
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

/// What the container wrote to standard output goes there, the rest to standard error (S072).
pub(super) fn logs(args: &LogsArgs, session: &Session) -> Result<u8, Failure> {
    for line in engine::logs(&session.engine()?, &args.container)? {
        match line.is_stderr {
            true => std::io::stderr().write_all(&line.text).map_err(Failure::Output)?,
            false => session.write(&line.text)?,
        }
    }
    Ok(0)
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
    let engine = session.engine()?;
    super::for_each(&args.containers, session, |name| {
        engine::remove_container(&engine, name, args.force, args.volumes).map(|()| name.to_owned())
    })
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

/// The process behind a container in the background; its standard output is read by the `run` that started it.
pub(super) fn monitor(args: &MonitorArgs, session: &Session) -> Result<u8, Failure> {
    engine::monitor::monitor(&session.engine()?, &args.id, std::io::stdout())?;
    Ok(0)
}
