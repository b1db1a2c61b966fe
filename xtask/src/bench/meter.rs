//! Wall time, and the CPU time of everything that worked: the command, its children, orphans and daemons.
//!
//! This process is the subreaper of all that it starts, so what is not alive below it has been added to its own account
//! of ended children (proc(5), `cutime` and `cstime`). A daemon that is not the tool's own is left out. The kernel shows these in ticks of 10 ms, so single values are
//! rough, while means over some rounds are not.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::WaitOptions;

use crate::{Result, process};

/// What one run took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
}

/// A daemon below this process: whether it works for the tool that is measured, or for another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Daemon {
    pub(super) pid: u32,
    pub(super) is_counted: bool,
}

/// Runs the commands at once, waits for all of them, and takes the time from the first start to the last end.
pub(super) fn measure(commands: &mut [Command], daemon: Option<Daemon>, sync: bool) -> Result<Sample> {
    settle(daemon);
    let before = cpu_time(daemon);
    let start = Instant::now();
    let mut children = Vec::with_capacity(commands.len());
    for command in commands.iter_mut() {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        children.push(command.spawn().map_err(|error| format!("cannot start `{}`: {error}", process::line(command)))?);
    }
    let mut failed = None;
    for (child, command) in children.iter_mut().zip(commands.iter()) {
        let status = child.wait().map_err(|error| format!("cannot wait: {error}"))?;
        if !status.success() {
            failed = Some(format!("`{}` failed: {status}", process::line(command)));
        }
    }
    if sync {
        rustix::fs::sync();
    }
    let wall = start.elapsed();
    if let Some(problem) = failed {
        return Err(problem);
    }
    settle(daemon);
    Ok(Sample { wall, cpu: cpu_time(daemon).saturating_sub(before) })
}

/// Daemons tidy up after a command has ended, and the shims of their containers go when they please. That is their work
/// for it, and must not disturb the next one: waits until only the daemon is left, but not for ever.
fn settle(daemon: Option<Daemon>) {
    let start = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(50));
        // The status of an orphan is nobody's; that there is none left is not an error either.
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        let is_quiet = below(daemon.map(|daemon| daemon.pid)).is_empty();
        if is_quiet && start.elapsed() > Duration::from_millis(100) || start.elapsed() > Duration::from_secs(5) {
            return;
        }
    }
}

/// CPU time of all that ended below this process, and of all that is alive there, in full ticks.
fn cpu_time(daemon: Option<Daemon>) -> Duration {
    let skipped = daemon.filter(|daemon| !daemon.is_counted).map(|daemon| daemon.pid);
    let alive: u64 = below(skipped).iter().map(|stat| stat.own + stat.ended).sum();
    let ticks = alive + Stat::read(std::process::id()).map_or(0, |stat| stat.ended);
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

/// All living descendants of this process, except for one and what is below that.
fn below(skipped: Option<u32>) -> Vec<Stat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut others: Vec<Stat> = pids.filter(|&pid| Some(pid) != skipped).filter_map(Stat::read).collect();
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![std::process::id()];
    while let Some(parent) = parents.pop() {
        let (children, rest): (Vec<Stat>, Vec<Stat>) =
            others.into_iter().partition(|stat: &Stat| stat.parent == parent);
        parents.extend(children.iter().map(|stat| stat.pid));
        found.extend(children);
        others = rest;
    }
    found
}

struct Stat {
    pid: u32,
    parent: u32,
    own: u64,
    ended: u64,
}

impl Stat {
    /// proc(5): the name is in brackets and may contain anything; after it come state, parent, …, utime as field 14.
    fn read(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let parent = fields.get(1)?.parse().ok()?;
        Some(Self { pid, parent, own: number(14)? + number(15)?, ended: number(16)? + number(17)? })
    }
}
