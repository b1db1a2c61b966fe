//! Pulling and pushing with a repository in memory that tells the truth, or does not; on real stores, without root.
//!
//! After each test the store is read by the checker: whatever the other side did, nothing wrong is listed or kept.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod pull;
mod pull_hostile;
mod push;
mod repository;
