//! Fetching from servers on this machine's loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod git;
mod http;
