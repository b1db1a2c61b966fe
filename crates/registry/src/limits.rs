//! How long is waited, how often something is tried, and what is done at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What replaces waiting between two attempts.
pub type Wait = Arc<dyn Fn(Duration) + Send + Sync>;

/// Times, counts and sizes; those of [`Limits::default`] are for real registries.
#[derive(Clone)]
pub struct Limits {
    /// For a connection to be made.
    pub connect: Duration,
    /// Without any byte of a body; afterwards it counts as cut.
    pub silence: Duration,
    /// For the head of an answer.
    pub answer: Duration,
    /// For the head of the answer that ends an upload: the registry may hash or copy the whole blob first.
    pub commit: Duration,
    /// How often something is tried without progress, the first time included.
    pub attempts: u32,
    /// Before the second attempt; doubled for each further one, and made a little shorter or longer by chance.
    pub pause: Duration,
    /// Most of one pause, also when `Retry-After` asks for more.
    pub longest_pause: Duration,
    /// Blobs from this size on are fetched in ranges at once.
    pub ranges_from: u64,
    /// Size of one range.
    pub range: u64,
    /// Ranges that are on their way or wait for their turn: with `range`, how much memory a blob takes.
    pub ranges_ahead: usize,
    /// Ranges that are fetched at once.
    pub range_threads: usize,
    /// In place of waiting between attempts.
    pub wait: Option<Wait>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            silence: Duration::from_secs(30),
            answer: Duration::from_secs(60),
            commit: Duration::from_secs(600),
            attempts: 6,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            ranges_from: 64 << 20,
            range: 4 << 20,
            ranges_ahead: 6,
            range_threads: 4,
            wait: None,
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("attempts", &self.attempts)
            .field("silence", &self.silence)
            .finish_non_exhaustive()
    }
}
