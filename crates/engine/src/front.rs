//! A container in front of the user: our streams and signals are its own until it ends.

use std::io;

use runtime::{ExitStatus, Process, Stdio, WindowSize};

use crate::detach_keys::{DetachKeys, DetachWatch};
use crate::signals::Forwarder;
use crate::terminal::{self, RawMode, Relays};

/// What connects us with a container that is about to start.
#[derive(Debug)]
pub(crate) struct Front {
    forwarder: Forwarder,
    relays: Relays,
    tty: bool,
    interactive: bool,
}

/// How it went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attended {
    /// The container has ended.
    Ended(ExitStatus),
    /// The detach keys were typed; it runs on.
    Left,
}

/// What the container is started with.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) stdio: Stdio,
    /// For a container with a terminal.
    pub(crate) terminal: Option<WindowSize>,
}

impl Front {
    /// Catches signals from now on.
    pub(crate) fn prepare(tty: bool, interactive: bool) -> io::Result<(Self, Ends)> {
        const USUAL: WindowSize = WindowSize { columns: 80, rows: 24 };
        let forwarder = Forwarder::install()?;
        let (stdio, relays) = match tty {
            true => (Stdio::null(), Relays::default()),
            false => terminal::foreground(interactive)?,
        };
        let terminal = tty.then(|| terminal::window_size().unwrap_or(USUAL));
        Ok((Self { forwarder, relays, tty, interactive }, Ends { stdio, terminal }))
    }

    /// Stays until the container has ended, or somebody leaves it by the keys, if there are any.
    pub(crate) fn attend(self, process: &Process, keys: Option<&DetachKeys>) -> io::Result<Attended> {
        let Self { forwarder, relays, tty, interactive } = self;
        let raw = (tty && interactive).then(RawMode::enter).flatten();
        let ended = forwarder.while_running(process, tty, || {
            match tty {
                true if terminal::relay_terminal(process, interactive, keys.map(DetachWatch::new))? => {
                    return Ok(Attended::Left);
                }
                true => {}
                false => relays.run(),
            }
            process.wait().map(Attended::Ended)
        });
        drop(raw);
        ended
    }
}
