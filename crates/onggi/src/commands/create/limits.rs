//! `-m`, `--cpus`, `--ulimit` and their like: from words to numbers.

use engine::{Limits, parse_memory_size};

use crate::cli::create::{LimitFlags, LiveLimitFlags};
use crate::commands::build::ulimit;
use crate::failure::Failure;
use crate::render::problem::Problem;

/// The engine's limits.
pub(in crate::commands) fn limits(flags: &LimitFlags) -> Result<Limits, Failure> {
    let mut ulimits: Vec<engine::Ulimit> = Vec::new();
    for text in &flags.ulimits {
        let limit = ulimit(text)?;
        // The last one of a name counts.
        ulimits.retain(|other| other.name != limit.name);
        ulimits.push(limit);
    }
    ulimits.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Limits {
        memory_swappiness: flags.memory_swappiness.filter(|readiness| *readiness != -1),
        ulimits,
        oom_kill_disable: flags.oom_kill_disable,
        oom_score_adj: flags.oom_score_adj,
        cgroup_parent: flags.cgroup_parent.clone(),
        cgroupns: flags.cgroupns.clone(),
        ..live_limits(&flags.live)?
    })
}

/// Those that `update` has too.
pub(in crate::commands) fn live_limits(flags: &LiveLimitFlags) -> Result<Limits, Failure> {
    let bytes = |name: &str, text: &Option<String>| -> Result<Option<u64>, Failure> {
        let Some(text) = text else { return Ok(None) };
        parse_memory_size(text).map(Some).ok_or_else(|| wrong(name, text, "512m"))
    };
    let memory_swap = match flags.memory_swap.as_deref() {
        Some("-1") => Some(-1),
        _ => bytes("--memory-swap", &flags.memory_swap)?.and_then(|bytes| i64::try_from(bytes).ok()),
    };
    Ok(Limits {
        memory: bytes("--memory", &flags.memory)?,
        memory_swap,
        memory_reservation: bytes("--memory-reservation", &flags.memory_reservation)?,
        nano_cpus: flags.cpus.as_deref().map(cpus).transpose()?.filter(|nano| *nano > 0),
        cpu_shares: flags.cpu_shares,
        cpu_period: flags.cpu_period,
        cpu_quota: flags.cpu_quota,
        cpuset_cpus: flags.cpuset_cpus.clone(),
        cpuset_mems: flags.cpuset_mems.clone(),
        pids: flags.pids_limit,
        blkio_weight: flags.blkio_weight,
        ..Limits::default()
    })
}

/// `1.5` in billionths.
fn cpus(text: &str) -> Result<u64, Failure> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() == 0 {
        return Err(wrong("--cpus", text, "1.5"));
    }
    if fraction.trim_end_matches('0').len() > 9 {
        return Err(Failure::new(Problem::error(format!("`--cpus {text}` is too precise"))));
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong("--cpus", text, "1.5"))? };
    let fraction: u64 = format!("{fraction:0<9}")[..9].parse().unwrap_or(0);
    Ok(whole.saturating_mul(1_000_000_000).saturating_add(fraction))
}

fn wrong(flag: &str, text: &str, example: &str) -> Failure {
    let problem = Problem::error(format!("invalid argument \"{text}\" for \"{flag}\" flag"));
    Failure::new(problem.with_hint(format!("write for example `{flag} {example}`")))
}
