//! `rm`: a container goes, with all that it wrote.

use std::time::Instant;

use rustix::process::Signal;

use super::container::Container;
use super::events;
use super::stop::{PATIENCE_AFTER_KILL, PAUSE, hold, send, unless_ended};
use crate::network::NetworkState;
use crate::{Engine, Error, ErrorKind};

/// Removes a container; a running one only by force. With `volumes`, the anonymous volumes that it has go too.
///
/// # Errors
/// When it runs and `force` is not given.
pub fn remove_container(engine: &Engine, name: &str, force: bool, volumes: bool) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let id = &container.record.id;
    let deadline = Instant::now() + PATIENCE_AFTER_KILL;
    loop {
        // Held until it is gone, so that nobody starts what is being removed.
        let ownership = container.own()?;
        let state = ownership.as_ref().map_or_else(|| container.state(), |own| container.owned_state(own))?;
        let is_running = state.is_active();
        if ownership.is_some() && !is_running {
            NetworkState::forget(engine, &container)?;
            if volumes { container.remove_with_volumes(engine) } else { container.remove(engine) }?;
            events::note(engine, &container, "destroy", &[]);
            return Ok(());
        }
        drop(ownership);
        if Container::open(engine, id)?.is_none() {
            return Ok(());
        }
        // One that has just ended is let go of in a moment.
        if !force && is_running {
            let message = format!("cannot remove running container {id}");
            return Err(Error::new(ErrorKind::Conflict, message)
                .with_hint(format!("stop it with `onggi stop {name}`, or remove it by force: `onggi rm -f {name}`")));
        }
        if Instant::now() > deadline {
            let message = format!("cannot remove container {id}: it does not end");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if is_running {
            hold(&container)?;
            unless_ended(send(&container, Signal::KILL))?;
        }
        std::thread::sleep(PAUSE);
    }
}
