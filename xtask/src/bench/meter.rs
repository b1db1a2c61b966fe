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

/// Runs the commands at once, waits for all of them, and takes the time from the first start to the last end.
pub(super) fn measure(commands: &mut [Command], foreign_daemon: Option<u32>, sync: bool) -> Result<Sample> {
    let before = cpu_time(foreign_daemon);
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
    settle();
    Ok(Sample { wall, cpu: cpu_time(foreign_daemon).saturating_sub(before) })
}

/// Daemons tidy up after a command has ended. That is their work for it, and must not disturb the next one.
fn settle() {
    std::thread::sleep(Duration::from_millis(150));
    // The status of an orphan is nobody's; that there is none left is not an error either.
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
}

/// CPU time of all that ended below this process, and of all that is alive there, in full ticks.
fn cpu_time(foreign_daemon: Option<u32>) -> Duration {
    let me = std::process::id();
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            && let Some(stat) = Stat::read(pid)
        {
            processes.push((pid, stat));
        }
    }
    let mut below = vec![me];
    let mut ticks = 0;
    let mut next = 0;
    while let Some(&parent) = below.get(next) {
        next += 1;
        for (pid, stat) in processes.iter().filter(|(pid, stat)| stat.parent == parent && Some(*pid) != foreign_daemon)
        {
            below.push(*pid);
            ticks += stat.own + stat.ended;
        }
    }
    ticks += Stat::read(me).map_or(0, |stat| stat.ended);
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

struct Stat {
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
        Some(Self { parent, own: number(14)? + number(15)?, ended: number(16)? + number(17)? })
    }
}
