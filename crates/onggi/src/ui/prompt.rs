//! Questions on the terminal; answers that nobody may see are not shown while they are typed.

use std::io::{BufRead, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Asks, and reads a line without its end; empty at the end of the input.
pub(crate) fn line(question: &str) -> std::io::Result<String> {
    // Not held while somebody thinks: whoever ends us by a signal has a line to finish.
    std::io::stderr().write_all(question.as_bytes())?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim_end_matches(['\n', '\r']).to_owned())
}

/// The same without showing what is typed. The terminal is as before afterwards, also when a signal ends us meanwhile.
pub(crate) fn secret(question: &str) -> std::io::Result<String> {
    let before = tcgetattr(std::io::stdin())?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    quiet.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
    let handle = signals.handle();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for signal in signals.forever() {
                restore(&before);
                drop(std::io::stderr().write_all(b"\n"));
                // Ends the process as if nobody had waited for the signal.
                signal_hook::low_level::emulate_default_handler(signal).ok();
            }
        });
        let answer = tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet)
            .map_err(std::io::Error::from)
            .and_then(|()| line(question));
        restore(&before);
        handle.close();
        answer
    })
}

/// The terminal may be gone, and then there is nothing to restore.
fn restore(before: &Termios) {
    tcsetattr(std::io::stdin(), OptionalActions::Now, before).ok();
}
