//! The same rules through the `iptables` program, for kernels without nf_tables.
//!
//! Slow (a process per rule) and not atomic; only used when the kernel refused the direct way.

use std::io;
use std::process::{Command, Output, Stdio};

use super::subnet::Subnet;

/// Why the fallback failed too.
#[derive(Debug, thiserror::Error)]
pub enum IptablesError {
    /// The program could not be started; most often it is not installed.
    #[error("cannot start `iptables`")]
    Start(#[source] io::Error),
    /// The program refused.
    #[error("`iptables {arguments}` failed: {message}")]
    Refused {
        /// What it was called with.
        arguments: String,
        /// What it printed.
        message: String,
    },
}

/// Adds the rules that are missing; `false` if some are and nothing may be written.
pub(super) fn ensure(bridge: &str, subnet: Subnet, may_write: bool) -> Result<bool, IptablesError> {
    for (table, chain, specification) in rules(bridge, &subnet.to_string()) {
        if run(&["-w", "-t", table, "-C", chain], &specification)?.status.success() {
            continue;
        }
        if !may_write {
            return Ok(false);
        }
        let output = run(&["-w", "-t", table, "-I", chain], &specification)?;
        if !output.status.success() {
            return Err(IptablesError::Refused {
                arguments: format!("-t {table} -I {chain} {}", specification.join(" ")),
                message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
    }
    Ok(true)
}

/// Each rule is inserted at the head, so the last one here is matched first.
fn rules<'a>(bridge: &'a str, subnet: &'a str) -> [(&'static str, &'static str, Vec<&'a str>); 5] {
    let conntrack = |what| vec!["-o", bridge, "-m", "conntrack", "--ctstate", what, "-j", "ACCEPT"];
    [
        ("nat", "POSTROUTING", vec!["-s", subnet, "!", "-o", bridge, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", vec!["-o", bridge, "!", "-i", bridge, "-j", "DROP"]),
        ("filter", "FORWARD", vec!["-i", bridge, "-j", "ACCEPT"]),
        ("filter", "FORWARD", conntrack("DNAT")),
        ("filter", "FORWARD", conntrack("RELATED,ESTABLISHED")),
    ]
}

fn run(command: &[&str], specification: &[&str]) -> Result<Output, IptablesError> {
    Command::new("iptables")
        .args(command)
        .args(specification)
        .stdin(Stdio::null())
        .output()
        .map_err(IptablesError::Start)
}
