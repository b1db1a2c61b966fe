//! Signals that we get while a container runs in front belong to the container.

use runtime::{Process, SignalQueue};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::terminal;

/// Those that are handed on.
const HANDED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Collects what a container in front of us is to get.
pub(crate) fn to_hand_on() -> std::io::Result<SignalQueue> {
    let wanted: Vec<i32> = HANDED_ON.into_iter().filter(|signal| !runtime::is_ignored(*signal)).collect();
    SignalQueue::open(&wanted)
}

/// Collects what asks a monitor to end. Its terminal's end is not among that, and does not end it either.
pub(crate) fn to_end_by() -> std::io::Result<SignalQueue> {
    SignalQueue::open(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM])
}

/// Collects what a client hands on, and changes of its terminal's size.
pub(crate) fn of_client(hands_on: bool, has_terminal: bool) -> std::io::Result<SignalQueue> {
    let handed_on = HANDED_ON.into_iter().filter(|signal| hands_on && !runtime::is_ignored(*signal));
    let wanted: Vec<i32> = handed_on.chain(has_terminal.then_some(SIGWINCH)).collect();
    SignalQueue::open(&wanted)
}

/// Catches signals from now on, and hands them on as soon as there is a process.
#[derive(Debug)]
pub(crate) struct Forwarder {
    signals: Signals,
}

impl Forwarder {
    pub(crate) fn install() -> std::io::Result<Self> {
        let handed_on = HANDED_ON.into_iter().filter(|signal| !runtime::is_ignored(*signal));
        Ok(Self { signals: Signals::new(handed_on.chain([SIGWINCH]))? })
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

/// The kernel keeps signals from a first process that has no handler for them, all but the last.
fn end_soon(process: &Process) {
    const GRACE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
    let pidfd = process.pidfd();
    let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
    if !matches!(poll(&mut ended, Some(&GRACE)), Ok(1..)) {
        process.signal(SIGKILL).ok();
    }
}
