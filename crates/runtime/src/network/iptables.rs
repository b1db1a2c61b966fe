//! The `iptables` program, for the two cases where the kernel cannot be asked directly.
//!
//! A kernel without nf_tables gets all rules this way. And where the old tables
//! (`iptables-legacy`) are in use beside nf_tables, their FORWARD chain may drop by default, as Docker
//! sets it on older systems; only the program can see and change that.
//! Slow (a process per rule) and not atomic.

use std::fs;
use std::io;
use std::process::{Command, Output, Stdio};

use super::subnet::Subnet;

/// Names of the old tables that are loaded; the file is absent where the kernel has none.
const LEGACY_TABLES: &str = "/proc/thread-self/net/ip_tables_names";

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
        if run("iptables", &["-w", "-t", table, "-C", chain], &specification)?.status.success() {
            continue;
        }
        if !may_write {
            return Ok(false);
        }
        insert("iptables", table, chain, &specification)?;
    }
    Ok(true)
}

/// Lets the bridge's packets through the old tables' FORWARD chain if that drops by default;
/// `false` if it should but nothing may be written. One file read where there are no old tables.
pub(super) fn pass_legacy_forward_chain(bridge: &str, may_write: bool) -> Result<bool, IptablesError> {
    let loaded = fs::read_to_string(LEGACY_TABLES).unwrap_or_default();
    if !loaded.lines().any(|table| table == "filter") {
        return Ok(true);
    }
    let listed = match run("iptables-legacy", &["-w", "-S", "FORWARD"], &[]) {
        // Whoever loaded the table did so without this program and manages it without us.
        Err(IptablesError::Start(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other?,
    };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let is_there = |rule: &[&str]| listed.lines().any(|line| line == format!("-A FORWARD {}", rule.join(" ")));
    let rules = [["-i", bridge, "-j", "ACCEPT"], ["-o", bridge, "-j", "ACCEPT"]];
    if !listed.lines().any(|line| line == "-P FORWARD DROP") || rules.iter().all(|rule| is_there(rule)) {
        return Ok(true);
    }
    for rule in rules.iter().filter(|rule| may_write && !is_there(*rule)) {
        insert("iptables-legacy", "filter", "FORWARD", rule)?;
    }
    Ok(may_write)
}

/// Removes every rule that names this bridge, from the old tables or, as fallback, from the new ones.
pub(super) fn remove(bridge: &str, is_fallback: bool) -> Result<(), IptablesError> {
    let loaded = fs::read_to_string(LEGACY_TABLES).unwrap_or_default();
    if !is_fallback && loaded.is_empty() {
        return Ok(());
    }
    let program = if is_fallback { "iptables" } else { "iptables-legacy" };
    for (table, chain) in [("nat", "POSTROUTING"), ("filter", "FORWARD")] {
        if !is_fallback && !loaded.lines().any(|name| name == table) {
            continue;
        }
        let listed = match run(program, &["-w", "-t", table, "-S", chain], &[]) {
            Err(IptablesError::Start(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            let mut words: Vec<&str> = line.split(' ').collect();
            if words[0] == "-A" && words.contains(&bridge) {
                words[0] = "-D";
                expect_success(run(program, &["-w", "-t", table], &words)?, &words)?;
            }
        }
    }
    Ok(())
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

fn insert(program: &str, table: &str, chain: &str, rule: &[&str]) -> Result<(), IptablesError> {
    let arguments = [&["-w", "-t", table, "-I", chain], rule].concat();
    expect_success(run(program, &arguments, &[])?, &arguments)
}

fn expect_success(output: Output, arguments: &[&str]) -> Result<(), IptablesError> {
    if output.status.success() {
        return Ok(());
    }
    Err(IptablesError::Refused {
        arguments: arguments.join(" "),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn run(program: &str, command: &[&str], rule: &[&str]) -> Result<Output, IptablesError> {
    let mut command_line = Command::new(program);
    command_line.args(command).args(rule).stdin(Stdio::null());
    command_line.output().map_err(IptablesError::Start)
}

#[cfg(test)]
mod tests;
