//! When something is tried again, and how long is waited before: twice as long each time, and as the server asks.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use ureq::http::HeaderMap;

use crate::error::{Failure, Kind};
use crate::limits::Limits;
use crate::wire::{Halt, SLICE};

/// Attempts at one thing.
#[derive(Debug)]
pub(crate) struct Retry<'l> {
    limits: &'l Limits,
    /// Attempts that failed since there was progress.
    failed: u32,
    has_others: bool,
}

impl<'l> Retry<'l> {
    /// `has_others`: somebody else can be asked, so that one who does not answer at all is not asked twice.
    pub(crate) fn new(limits: &'l Limits, has_others: bool) -> Self {
        Self { limits, failed: 0, has_others }
    }

    /// The same after attempts that were counted elsewhere.
    pub(crate) fn resumed(limits: &'l Limits, has_others: bool, failed: u32) -> Self {
        Self { failed, ..Self::new(limits, has_others) }
    }

    /// How often it failed since there was progress.
    pub(crate) fn failed(&self) -> u32 {
        self.failed
    }

    /// Something came: the budget is whole again.
    pub(crate) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// Waits if it makes sense to try once more; otherwise, and when nobody waits any longer, says no.
    pub(crate) fn pause(&mut self, failure: &Failure, halt: &Halt) -> bool {
        self.failed += 1;
        let most = match failure.kind {
            Kind::Connect(_) if self.has_others => 1,
            // Somebody who is not there now will hardly be in a minute.
            Kind::Connect(_) => self.limits.attempts.min(3),
            // Other bytes than the digest says: by a broken cache on the way, perhaps.
            Kind::Content(_) => self.limits.attempts.min(2),
            _ if self.has_others => self.limits.attempts.min(2),
            _ => self.limits.attempts,
        };
        if !failure.is_passing() || self.failed >= most || halt.is_set() {
            return false;
        }
        let exponent = (self.failed - 1).min(16);
        let pause = self.limits.pause.saturating_mul(1 << exponent);
        let pause = pause.mul_f64(0.75 + chance() / 2.0).max(failure.retry_after.unwrap_or_default());
        wait(pause.min(self.limits.longest_pause), self.limits, halt);
        !halt.is_set()
    }
}

fn wait(pause: Duration, limits: &Limits, halt: &Halt) {
    if let Some(wait) = &limits.wait {
        return wait(pause);
    }
    let started = Instant::now();
    while let Some(left) = pause.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        if halt.is_set() {
            return;
        }
        std::thread::sleep(left.min(SLICE));
    }
}

/// From 0 to 1, another one each time: so that clients that failed together do not come back together.
fn chance() -> f64 {
    f64::from(u16::try_from(RandomState::new().build_hasher().finish() >> 48).unwrap_or_default()) / 65536.0
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, which is held against the server's own clock.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text("retry-after")?;
    if let Ok(seconds) = after.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let seconds = date(after)?.duration_since(date(text("date")?)?).as_secs();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests;
