//! Runs a view on a thread of its own, so that a slow terminal never holds up the build.

use std::io::Write;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::View;
use super::event::Event;
use super::feed::{Feed, Item, Received};
use super::sink::Target;

/// How often a view hears that time has passed.
const TICK: Duration = Duration::from_millis(100);
/// Of output that was left out, a view that shows only the end gets so much.
const END: u64 = 64 << 10;

/// A view at work.
#[derive(Debug)]
pub(crate) struct Display {
    feed: Arc<Feed>,
    thread: JoinHandle<String>,
}

impl Display {
    /// Begins to show; times of events count from here.
    pub(crate) fn start(mut view: Box<dyn View>, target: impl Write + Send + 'static) -> Self {
        let feed = Arc::new(Feed::default());
        let source = Arc::clone(&feed);
        let thread = std::thread::spawn(move || {
            show(&mut *view, &source, &mut Target::new(target));
            view.remarks()
        });
        Self { feed, thread }
    }

    /// Shows an event, soon.
    pub(crate) fn send(&self, event: Event) {
        self.feed.send(event);
    }

    /// Waits until all is shown, and gives what is to be said besides.
    pub(crate) fn finish(self) -> String {
        self.feed.end();
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Feeds the view until the end.
fn show(view: &mut dyn View, feed: &Feed, target: &mut Target<impl Write>) {
    let began = Instant::now();
    let mut next_tick = TICK;
    loop {
        let mut received = feed.receive(next_tick.saturating_sub(began.elapsed()));
        // What is there goes in together, but time goes on.
        while let Received::Item(item) = received {
            take(view, item, target);
            received = if began.elapsed() < next_tick { feed.receive(Duration::ZERO) } else { Received::Nothing };
        }
        let now = began.elapsed();
        if received == Received::End {
            view.finish(now, target);
            target.flush();
            return;
        }
        if now >= next_tick {
            view.tick(now, target);
            next_tick = now + TICK;
        }
        target.flush();
    }
}

fn take(view: &mut dyn View, item: Item, target: &mut Target<impl Write>) {
    match item {
        Item::Event(event) => view.event(event, target),
        Item::LeftOut(output) => {
            let output = if view.shows_all_output() { output } else { output.last(END) };
            output.read(|event| view.event(event, target));
        }
    }
}
