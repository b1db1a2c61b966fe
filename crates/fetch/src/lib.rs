//! Brings in what is not on this machine: files by HTTP, trees of git repositories by the `git` program.
//!
//! Nothing here is looked at before it is asked for: no certificate is read and no program looked for. What the
//! environment says (proxies, certificates, where programs are) comes in as [`Surroundings`]. Servers and what they
//! send are hostile: times, sizes and redirects are limited, and a secret goes to the host that it is for and to no
//! other. This crate knows neither images nor Dockerfiles, and keeps nothing.

mod git;
mod http;
mod process;
mod proxy;

use std::ffi::OsString;
use std::path::PathBuf;

pub use git::{CheckedOut, Checkout, Git, GitError, Repository, Resolved};
pub use http::{Answer, Certificates, Client, Head, HttpError, Request};
pub use process::{Finished, Limits, run};
pub use proxy::{is_within, proxy};

/// What of the environment fetching depends on.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `HTTP_PROXY`.
    pub http_proxy: Option<String>,
    /// `HTTPS_PROXY`.
    pub https_proxy: Option<String>,
    /// `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// `SSL_CERT_FILE`: certificates to trust instead of the system's.
    pub certificates: Option<PathBuf>,
    /// `PATH`, where `git` and `ssh` are.
    pub path: OsString,
    /// `HOME`, for the hosts that ssh knows.
    pub home: Option<PathBuf>,
    /// Socket of an SSH agent that may be used.
    pub ssh_agent: Option<PathBuf>,
}
