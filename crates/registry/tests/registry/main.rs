//! The client against scripted servers, and against Debian's registry where it is installed. All on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod debian;
mod faults;
mod mirrors;
mod retries;
mod secrets;
mod support;
