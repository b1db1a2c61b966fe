//! `top`: the processes of a container, as `ps -ef` of the host would show them.
//!
//! What is usually asked for is read from procfs; only for columns of one's own is the host's `ps` called, as Docker does.

use std::collections::HashSet;
use std::process::Command;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::container::Container;
use super::pause::{not_running, running};
use crate::{Engine, Error, ErrorKind};

/// A table of processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessTable {
    /// Titles of the columns.
    pub titles: Vec<String>,
    /// One row for each process.
    pub rows: Vec<Vec<String>>,
}

/// The processes of a container; `options` are those of `ps`.
///
/// # Errors
/// When it does not run, or `ps` cannot do that.
pub fn top(engine: &Engine, name: &str, options: &[String], zone: &TimeZone) -> Result<ProcessTable, Error> {
    let container = Container::find(engine, name)?;
    let state = container.state()?;
    let Some(running) = running(&container, &state) else { return Err(not_running(&container)) };
    let processes = running.processes();
    if options.is_empty() {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let now = engine.now();
        let rows = processes.iter().filter_map(|pid| row(*pid, &users, now, zone)).collect();
        let titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"].map(str::to_owned).to_vec();
        return Ok(ProcessTable { titles, rows });
    }
    by_ps(options, &processes.into_iter().collect())
}

/// The host's `ps`, of whose rows those stay that are the container's.
fn by_ps(options: &[String], processes: &HashSet<u32>) -> Result<ProcessTable, Error> {
    let output = Command::new("ps").args(options).output().map_err(|error| {
        let failed = Error::new(ErrorKind::Unsupported, "columns of one's own need the program `ps`").because(&error);
        failed.with_hint("leave the options out for the usual columns")
    })?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::new(ErrorKind::InvalidInput, format!("ps: {message}")));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let titles: Vec<String> = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let Some(place) = titles.iter().position(|title| title == "PID") else {
        let error = Error::new(ErrorKind::InvalidInput, "couldn't find PID field in ps output");
        return Err(error.with_hint("add it, as in `-o pid,cmd`"));
    };
    let rows = lines.filter_map(|line| {
        let mut fields: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let pid: u32 = fields.get(place)?.parse().ok()?;
        if !processes.contains(&pid) || fields.len() < titles.len() {
            return None;
        }
        // The last column has what is left, spaces and all.
        let rest = fields.split_off(titles.len() - 1).join(" ");
        fields.push(rest);
        Some(fields)
    });
    Ok(ProcessTable { rows: rows.collect(), titles })
}

/// One process; `None` when it has ended meanwhile.
fn row(pid: u32, users: &str, now: Timestamp, zone: &TimeZone) -> Option<Vec<String>> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let (head, tail) = stat.rsplit_once(')')?;
    let command = head.split_once('(')?.1;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let number = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok());
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let (busy, began) = ((number(11)? + number(12)?) / per_second, number(19)? / per_second);
    let age = uptime().saturating_sub(began).max(1);
    let start = now - jiff::SignedDuration::from_secs(i64::try_from(age).ok()?);
    let start = start.to_zoned(zone.clone());
    let form = if age < 24 * 3600 { "%H:%M" } else { "%b%d" };
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
    Some(vec![
        user(pid, users)?,
        pid.to_string(),
        number(1)?.to_string(),
        (busy * 100 / age).min(99).to_string(),
        start.strftime(form).to_string(),
        terminal(number(4).unwrap_or(0)),
        format!("{:02}:{:02}:{:02}", busy / 3600, busy / 60 % 60, busy % 60),
        if line.is_empty() { format!("[{command}]") } else { line },
    ])
}

fn uptime() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}

/// The effective user, by its name on the host.
fn user(pid: u32, users: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let uid =
        status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1).map(str::to_owned))?;
    let name = users.lines().find(|row| row.split(':').nth(2) == Some(&uid)).and_then(|row| row.split(':').next());
    Some(name.map_or(uid.clone(), str::to_owned))
}

/// The kernel's number of a terminal (proc(5), `tty_nr`).
fn terminal(number: u64) -> String {
    let (major, minor) = (number >> 8 & 0xfff, (number & 0xff) | (number >> 12 & 0xf_ff00));
    match major {
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        4 if minor < 64 => format!("tty{minor}"),
        _ => "?".to_owned(),
    }
}
