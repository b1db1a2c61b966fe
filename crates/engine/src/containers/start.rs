//! `start` and `restart`: a container that is there begins again, with what it wrote before.

use super::attach::{AttachOptions, Attached, Client, open_socket};
use super::container::Container;
use super::events;
use super::monitor;
use super::stop::{StopOptions, stop_container};
use super::wire::Hello;
use crate::detach_keys::DetachKeys;
use crate::{Engine, Error, ErrorKind};

/// How to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartOptions {
    /// Show what it writes, until it ends.
    pub attach: bool,
    /// What is typed goes to it.
    pub interactive: bool,
    /// What leaves a container with a terminal running.
    pub detach_keys: DetachKeys,
}

/// Starts a container that does not run; one that runs already is left as it is. Gives how it went for whoever attached.
///
/// # Errors
/// When it cannot be started.
pub fn start(engine: &Engine, name: &str, options: &StartOptions) -> Result<Option<Attached>, Error> {
    let container = Container::find(engine, name)?;
    let record = &container.record;
    let state = container.state()?;
    let runs = state.is_active();
    if state.paused {
        let error = Error::new(ErrorKind::Conflict, "cannot start a paused container, try unpause instead");
        return Err(error.with_hint(format!("`onggi unpause {}` lets it go on", record.name)));
    }
    if !options.attach && !options.interactive {
        return if runs { Ok(None) } else { monitor::start(engine, &container, None).map(|()| None) };
    }
    let stdin = options.interactive && record.interactive;
    super::run::check_terminal(record.tty && stdin)?;
    let size = record.tty.then(crate::terminal::window_size).flatten();
    let hello = Hello { stdin, stdout: true, stderr: !record.tty, size };
    let attach =
        AttachOptions { no_stdin: !stdin, sig_proxy: options.attach, detach_keys: options.detach_keys.clone() };
    let client = if runs {
        Client::new(open_socket(engine, &container)?, hello, record.tty, &attach)
    } else {
        let (ours, theirs) = monitor::socket_pair()?;
        let client = Client::new(ours, hello, record.tty, &attach);
        monitor::start(engine, &container, Some(theirs))?;
        client
    };
    client.attend(&container).map(Some)
}

/// Stops a container, if it runs, and starts it.
///
/// # Errors
/// When it cannot be stopped or started, or goes when it ends (`--rm`).
pub fn restart(engine: &Engine, name: &str, options: &StopOptions) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    if container.record.lifetime.auto_remove {
        let message = format!("cannot restart container {name}: it is removed when it ends, as `--rm` asked");
        return Err(Error::new(ErrorKind::Conflict, message).with_hint("run it without `--rm`"));
    }
    stop_container(engine, &container, options)?;
    monitor::start(engine, &container, None)?;
    events::note(engine, &container, "restart", &[]);
    Ok(())
}
