//! Measures what starting and awaiting a container costs: `start_cost ROOTFS [ROUNDS] [PROGRAM...]`.
//!
//! Every executor and variant takes its turn in each round; printed are the median and the minimum in milliseconds.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runtime::{BuiltIn, Cgroup, ContainerSpec, CpuQuota, Executor, External, Stdio};
use rustix::fs::CWD;
use rustix::mount::OpenTreeFlags;

type Change = fn(&mut ContainerSpec, String);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let root = PathBuf::from(arguments.next().ok_or("usage: start_cost ROOTFS [ROUNDS] [PROGRAM...]")?);
    let rounds: usize = arguments.next().and_then(|rounds| rounds.to_str()?.parse().ok()).unwrap_or(40);
    let mut program: Vec<OsString> = arguments.collect();
    if program.is_empty() {
        program.push("true".into());
    }
    let built_in = BuiltIn::new();
    let state = PathBuf::from(format!("/tmp/start-cost-{}", std::process::id()));
    let runc = External::new("runc", &state);
    let variants: [(&str, &dyn Executor, Change); 6] = [
        ("built-in, no network", &built_in, |spec, _| spec.use_host_network()),
        ("built-in", &built_in, |_, _| {}),
        ("built-in, cgroup for devices", &built_in, |spec, name| {
            spec.cgroup = Some(Cgroup { name, ..Cgroup::default() });
        }),
        ("built-in, all limits", &built_in, all_limits),
        ("runc", &runc, |_, _| {}),
        ("runc, all limits", &runc, all_limits),
    ];
    let mut times = vec![Vec::new(); variants.len()];
    for round in 0..rounds {
        for ((index, (name, executor, change)), times) in variants.iter().enumerate().zip(&mut times) {
            let id = format!("cost{}x{round}x{index}", std::process::id());
            let mut spec = ContainerSpec::docker_defaults(&id, mount(&root)?, program.clone());
            change(&mut spec, format!("onggi-cost/{id}"));
            let begin = Instant::now();
            let process = executor.start(spec, Stdio::inherit())?;
            let status = process.wait()?;
            times.push(begin.elapsed());
            if round == 0 {
                println!("{name}: {status:?} {:?}", process.warnings());
            }
        }
    }
    std::fs::remove_dir_all(state)?;
    for ((name, ..), mut times) in variants.into_iter().zip(times) {
        times.sort();
        let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let (median, least) = (milliseconds(times.get(rounds / 2)), milliseconds(times.first()));
        println!("{name:32} median {median:6.2} ms  min {least:6.2} ms");
    }
    Ok(())
}

fn all_limits(spec: &mut ContainerSpec, name: String) {
    spec.cgroup = Some(Cgroup {
        name,
        memory: Some(256 << 20),
        cpu_quota: Some(CpuQuota { quota_usecs: 100_000, period_usecs: 100_000 }),
        pids: Some(100),
        ..Cgroup::default()
    });
}

fn mount(root: &Path) -> rustix::io::Result<std::os::fd::OwnedFd> {
    rustix::mount::open_tree(CWD, root, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}
