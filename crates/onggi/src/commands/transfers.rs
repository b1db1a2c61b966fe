//! `pull` and `push`: layers in lines, then what came of it; everything on standard output, as with Docker.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::{PullOptions, PullProgress, PulledImages, PushOptions, RegistryAccess};

use super::platforms;
use crate::cli::image::{PullArgs, PushArgs};
use crate::failure::Failure;
use crate::render::transfers::{Shown, TransferView};
use crate::session::{Session, fetch_surroundings, stdout, variable};
use crate::ui::terminal::Terminal;

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(100);

pub(super) fn pull(args: &PullArgs, session: &Session) -> Result<u8, Failure> {
    let platform = platforms::optional(args.platform.as_deref())?;
    let options = PullOptions { name: args.name.clone(), platform, all_tags: args.all_tags };
    let write = |text: &str| drop(session.print(text));
    let screen = (!args.quiet).then(|| Screen::new(stdout(), &write));
    let pulled = engine::pull(&session.engine()?, &access(session), &options, &|event| {
        if let Some(screen) = &screen {
            screen.pull(event);
        }
    });
    screen.iter().for_each(Screen::end);
    let pulled = pulled?;
    if !args.quiet {
        session.print(&status(&pulled))?;
    }
    warn(&options, &pulled, session);
    session.print(&format!("{}\n", pulled.name)).map(|()| 0)
}

pub(super) fn push(args: &PushArgs, session: &Session) -> Result<u8, Failure> {
    let platform = platforms::optional(args.platform.as_deref())?;
    let options = PushOptions { name: args.name.clone(), platform, all_tags: args.all_tags };
    let write = |text: &str| drop(session.print(text));
    let screen = (!args.quiet).then(|| Screen::new(stdout(), &write));
    let names = engine::push(&session.engine()?, &access(session), &options, &|event| {
        if let Some(screen) = &screen {
            screen.shown(|view| view.push(event));
        }
    });
    screen.iter().for_each(Screen::end);
    let names = names?;
    if args.quiet {
        session.print(&format!("{}\n", names.join("\n")))?;
    }
    Ok(0)
}

/// Pulls an image that a command needs, and shows that on standard error.
pub(super) fn pull_needed(
    session: &Session,
    engine: &engine::Engine,
    options: &PullOptions,
    is_quiet: bool,
) -> Result<(), engine::Error> {
    let write = |text: &str| session.write_error(text);
    let screen = (!is_quiet).then(|| Screen::new(session.terminal, &write));
    let pulled = engine::pull(engine, &access(session), options, &|event| {
        if let Some(screen) = &screen {
            screen.pull(event);
        }
    });
    screen.iter().for_each(Screen::end);
    let pulled = pulled?;
    if !is_quiet {
        write(&status(&pulled));
    }
    warn(options, &pulled, session);
    Ok(())
}

fn status(pulled: &PulledImages) -> String {
    let status = if pulled.is_new { "Downloaded newer image for" } else { "Image is up to date for" };
    format!("Status: {status} {}\n", pulled.familiar)
}

fn warn(options: &PullOptions, pulled: &PulledImages, session: &Session) {
    if let (Some(wanted), Some(found)) = (&options.platform, &pulled.other_platform) {
        session.note(&format!(
            "warning: image `{}` is not for the platform that was asked for: wanted {wanted}, found {found}",
            options.name
        ));
    }
}

/// Where registries are, and who we are there.
pub(super) fn access(session: &Session) -> RegistryAccess {
    RegistryAccess { settings: session.registry_settings(), surroundings: fetch_surroundings(&variable) }
}

/// A view that several threads tell what happens.
struct Screen<'a> {
    state: Mutex<(TransferView, Instant)>,
    write: &'a (dyn Fn(&str) + Sync),
}

impl<'a> Screen<'a> {
    fn new(terminal: Terminal, write: &'a (dyn Fn(&str) + Sync)) -> Self {
        Self { state: Mutex::new((TransferView::new(terminal), Instant::now())), write }
    }

    fn pull(&self, event: PullProgress) {
        self.shown(|view| view.pull(event));
    }

    fn shown(&self, change: impl FnOnce(&mut TransferView) -> Shown) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (view, drawn) = &mut *state;
        let text = match change(view) {
            Shown::Text(text) => text,
            Shown::Soon if drawn.elapsed() >= FRAME => {
                *drawn = Instant::now();
                view.measure();
                view.frame()
            }
            Shown::Soon => return,
        };
        if !text.is_empty() {
            (self.write)(&text);
        }
    }

    fn end(&self) {
        let text = self.state.lock().unwrap_or_else(PoisonError::into_inner).0.end();
        if !text.is_empty() {
            (self.write)(&text);
        }
    }
}
