//! Programs under test begin with the signals that a terminal would give them.
//!
//! Whoever starts the tests in the background (`nohup`, `&` in a script) leaves some signals ignored, and ignored
//! signals stay so through `exec`: a Ctrl-C sent by a test would reach nobody.

use std::sync::{Arc, Once};

const OFTEN_IGNORED: [i32; 3] =
    [signal_hook::consts::SIGHUP, signal_hook::consts::SIGINT, signal_hook::consts::SIGQUIT];

/// Catches each of these signals that is ignored here: what is caught has its default in a program started from here.
pub(crate) fn have_defaults_in_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ignored = ignored();
        for signal in OFTEN_IGNORED.into_iter().filter(|signal| ignored & 1 << (signal - 1) != 0) {
            signal_hook::flag::register(signal, Arc::default()).expect("these signals can be caught");
        }
    });
}

/// The mask of signals that this process ignores (proc(5), `SigIgn`).
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).expect("the kernel tells which signals are ignored")
}
