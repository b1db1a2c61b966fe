//! Signals that we get while a container runs in front belong to the container.

use runtime::Process;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::terminal;

/// Catches signals from now on, and hands them on as soon as there is a process.
#[derive(Debug)]
pub(crate) struct Forwarder {
    signals: Signals,
}

impl Forwarder {
    pub(crate) fn install() -> std::io::Result<Self> {
        let signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH])?;
        debug_assert_ne!(SIGCHLD, SIGWINCH);
        Ok(Self { signals })
    }

    /// Does `work` while another thread hands signals to the process.
    pub(crate) fn while_running<T>(mut self, process: &Process, work: impl FnOnce() -> T) -> T {
        let handle = self.signals.handle();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for signal in self.signals.forever() {
                    if signal == SIGWINCH {
                        if let Some(size) = terminal::window_size() {
                            process.resize(size).ok();
                        }
                    } else {
                        // It may have ended just now.
                        process.signal(signal).ok();
                    }
                }
            });
            let result = work();
            handle.close();
            result
        })
    }
}
