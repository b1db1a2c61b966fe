//! `network …`.

use std::collections::BTreeMap;

use engine::{EndpointSettings, Error, ErrorKind, NetworkFilters, NetworkOptions};

use crate::cli::network::{
    ConnectArgs, CreateNetworkArgs, HoldNetworkArgs, NetworkCommand, NetworkInspectArgs, NetworksArgs, PruneArgs,
    RemoveNetworkArgs,
};
use crate::docker_config;
use crate::failure::Failure;
use crate::render::{inspect, networks};
use crate::session::{Session, variable};

pub(super) fn run(command: &NetworkCommand, session: &Session) -> Result<u8, Failure> {
    match command {
        NetworkCommand::Connect(args) => connect(args, session),
        NetworkCommand::Create(args) => create(args, session),
        NetworkCommand::Disconnect(args) => {
            engine::disconnect_network(&session.engine()?, &args.network, &args.container, args.force)?;
            Ok(0)
        }
        NetworkCommand::Inspect(args) => inspect(args, session),
        NetworkCommand::Ls(args) => list(args, session),
        NetworkCommand::Prune(args) => prune(args, session),
        NetworkCommand::Rm(args) => remove(args, session),
    }
}

fn connect(args: &ConnectArgs, session: &Session) -> Result<u8, Failure> {
    let settings =
        EndpointSettings { network: args.network.clone(), aliases: args.aliases.clone(), address: args.ip, mac: None };
    engine::connect_network(&session.engine()?, &args.container, &settings)?;
    Ok(0)
}

fn create(args: &CreateNetworkArgs, session: &Session) -> Result<u8, Failure> {
    let options = NetworkOptions {
        name: args.name.clone(),
        driver: args.driver.clone(),
        subnet: args.subnet.clone(),
        gateway: args.gateway,
        ip_range: args.ip_range.clone(),
        internal: args.internal,
        attachable: args.attachable,
        ipv6: args.ipv6,
        labels: pairs(&args.labels),
        options: pairs(&args.options),
    };
    let id = engine::create_network(&session.engine()?, &options)?;
    session.print(&format!("{id}\n"))?;
    Ok(0)
}

fn pairs(texts: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (text.clone(), String::new()),
    };
    texts.iter().map(pair).collect()
}

/// Shows what is there, and then tells what is not.
fn inspect(args: &NetworkInspectArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    let (mut objects, mut errors) = (Vec::new(), Vec::new());
    for name in &args.names {
        match engine::inspect_network(&engine, name) {
            Ok(object) => objects.push(object),
            Err(error) => errors.push(error),
        }
    }
    let format = args.format.as_deref();
    let text = inspect::render(format, &objects).map_err(|error| Failure::in_format(error, format))?;
    session.print(&text)?;
    super::all_or_failure(errors)
}

fn list(args: &NetworksArgs, session: &Session) -> Result<u8, Failure> {
    let rows = engine::networks(&session.engine()?, &NetworkFilters::parse(&args.filters)?)?;
    let format = docker_config::format("networksFormat", args.format.as_deref(), args.quiet, &variable);
    let format = format.as_deref();
    let text = networks::render(&rows, format, args.quiet, args.no_trunc, &session.zone())
        .map_err(|error| Failure::in_format(error, format))?;
    session.print(&text)?;
    Ok(0)
}

fn prune(args: &PruneArgs, session: &Session) -> Result<u8, Failure> {
    let filters = NetworkFilters::parse(&args.filters)?;
    let warning = "WARNING! This will remove all custom networks not used by at least one container.";
    if args.flags.asks() && !super::confirm::confirm(session, warning)? {
        return Ok(0);
    }
    let removed = engine::prune_networks(&session.engine()?, &filters, args.flags.dry_run)?;
    let lines: Vec<_> = removed.into_iter().map(|name| (name, None)).collect();
    session.print(&super::prune::Telling::of(args.flags.dry_run).section("Networks", &lines))?;
    Ok(0)
}

fn remove(args: &RemoveNetworkArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    let quiet = |error: &Error| args.force && error.kind == ErrorKind::NotFound;
    let mut errors = Vec::new();
    for name in &args.names {
        match engine::remove_network(&engine, name) {
            Ok(()) => session.print(&format!("{name}\n"))?,
            Err(error) if quiet(&error) => {}
            Err(error) => errors.push(error),
        }
    }
    super::all_or_failure(errors)
}

/// The process that keeps a network without root; nobody reads what it says.
pub(super) fn hold(args: &HoldNetworkArgs) -> Result<u8, Failure> {
    engine::hold_network(&args.socket)?;
    Ok(0)
}
