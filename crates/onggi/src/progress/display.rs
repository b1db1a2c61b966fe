//! Runs a view on a thread of its own, so that a slow terminal never holds up the build.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::View;
use super::event::Event;

/// How often a view hears that time has passed.
const TICK: Duration = Duration::from_millis(100);

/// A view at work.
#[derive(Debug)]
pub(crate) struct Display {
    sender: Sender<Event>,
    thread: JoinHandle<String>,
}

impl Display {
    /// Begins to show; times of events count from here.
    pub(crate) fn start(mut view: Box<dyn View>, mut target: impl Write + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        let thread = std::thread::spawn(move || {
            show(&mut *view, &receiver, &mut target);
            view.remarks()
        });
        Self { sender, thread }
    }

    /// Where events go in. Events that come after the end are dropped.
    pub(crate) fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// Waits until all is shown, and gives what is to be said besides. Every sender must be gone by then.
    pub(crate) fn finish(self) -> String {
        drop(self.sender);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Feeds the view until all senders are gone. A target that cannot be written to (a closed pipe, a terminal that went
/// away) does not stop a build.
fn show(view: &mut dyn View, events: &Receiver<Event>, target: &mut impl Write) {
    let began = Instant::now();
    let mut out = Vec::new();
    let mut next_tick = TICK;
    loop {
        match events.recv_timeout(next_tick.saturating_sub(began.elapsed())) {
            Ok(event) => {
                view.event(event, &mut out);
                while let Ok(event) = events.try_recv() {
                    view.event(event, &mut out);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = began.elapsed();
        if now >= next_tick {
            view.tick(now, &mut out);
            next_tick = now + TICK;
        }
        write(target, &mut out);
    }
    view.finish(began.elapsed(), &mut out);
    write(target, &mut out);
}

fn write(target: &mut impl Write, out: &mut Vec<u8>) {
    if !out.is_empty() {
        drop(target.write_all(out).and_then(|()| target.flush()));
        out.clear();
    }
}
