//! Names of signals, as STOPSIGNAL and `--stop-signal` take them.

use crate::suggest;

/// Linux's signals on x86-64 and arm64.
const NAMES: [(&str, u8); 37] = [
    ("ABRT", 6),
    ("ALRM", 14),
    ("BUS", 7),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("FPE", 8),
    ("HUP", 1),
    ("ILL", 4),
    ("INT", 2),
    ("IO", 29),
    ("IOT", 6),
    ("KILL", 9),
    ("PIPE", 13),
    ("POLL", 29),
    ("PROF", 27),
    ("PWR", 30),
    ("QUIT", 3),
    ("RTMAX", 64),
    ("RTMIN", 34),
    ("SEGV", 11),
    ("STKFLT", 16),
    ("STOP", 19),
    ("SYS", 31),
    ("TERM", 15),
    ("TRAP", 5),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("USR1", 10),
    ("USR2", 12),
    ("VTALRM", 26),
    ("WINCH", 28),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("UNUSED", 31),
];

/// Number of a signal: `SIGTERM`, `term`, `15`, `RTMIN+3`, `SIGRTMAX-2`.
pub fn parse_signal(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let (base, offset) = match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
        (Some(offset), _) => (34_i16, offset.parse::<u8>().ok().map(i16::from)?),
        (_, Some(offset)) => (64, -offset.parse::<u8>().ok().map(i16::from)?),
        _ => return None,
    };
    u8::try_from(base + offset).ok().filter(|number| (34..=64).contains(number))
}

/// The signal whose name is nearest to a mistyped one, with `SIG`.
pub(crate) fn nearest(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    suggest::nearest(name, NAMES.map(|(known, _)| known)).map(|known| format!("SIG{known}"))
}

#[cfg(test)]
mod tests;
