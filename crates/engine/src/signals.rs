//! Signals that we get while a container runs in front belong to the container.

use runtime::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::terminal;

/// Catches signals from now on, and hands them on as soon as there is a process.
#[derive(Debug)]
pub(crate) struct Forwarder {
    signals: Signals,
}

impl Forwarder {
    pub(crate) fn install() -> std::io::Result<Self> {
        let ignored = ignored_signals();
        let is_wanted = |signal: &i32| *signal == SIGWINCH || ignored & (1 << (signal - 1)) == 0;
        let all = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];
        Ok(Self { signals: Signals::new(all.into_iter().filter(is_wanted))? })
    }

    /// Does `work` while another thread hands signals to the process.
    ///
    /// A container with a terminal does not outlive ours: nobody could ever type into it again.
    pub(crate) fn while_running<T>(mut self, process: &Process, has_terminal: bool, work: impl FnOnce() -> T) -> T {
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
                        if signal == SIGHUP && has_terminal {
                            end_soon(process);
                        }
                    }
                }
            });
            let result = work();
            handle.close();
            result
        })
    }
}

/// What whoever started us wants us to ignore (`nohup`, `&` in a script), as bits (proc(5), `SigIgn`).
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// The kernel keeps signals from a first process that has no handler for them, all but the last.
fn end_soon(process: &Process) {
    const GRACE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
    let pidfd = process.pidfd();
    let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
    if !matches!(poll(&mut ended, Some(&GRACE)), Ok(1..)) {
        process.signal(SIGKILL).ok();
    }
}
