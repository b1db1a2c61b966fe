//! The mission notes for real: their Dockerfiles, word for word, on a Debian with Debian's own Node.js.
//!
//! One file for each application of the notes, and two that look at other tools: what they make of our archives, and
//! what they make of the same Dockerfiles. Each test is named after the rows of the feature map that it holds. All of
//! them start containers, so they need root; the base is made by debootstrap once and then kept.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod debian_store;
#[expect(dead_code, reason = "made for the tests of the command line, which use the rest")]
#[path = "../it/build_project.rs"]
mod project;

mod apache;
mod apache_story;
mod classic;
mod differential;
mod disk;
mod express_story;
mod hello_name;
mod http;
mod nested;
mod peers;
mod registries;
mod scenes;
mod simple_express;
mod stages;
mod web_ping;
