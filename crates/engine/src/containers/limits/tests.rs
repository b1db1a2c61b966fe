use super::*;

/// Docker's rules and its words (C204).
#[test]
fn c204_limits_that_cannot_be_are_refused() {
    let cases: [(Limits, &str); 12] = [
        (Limits { memory: Some(1 << 20), ..Limits::default() }, "minimum memory limit allowed is 6MB"),
        (
            Limits { memory_swap: Some(64 << 20), ..Limits::default() },
            "you should always set the memory limit when using memoryswap limit, see usage",
        ),
        (
            Limits { memory: Some(64 << 20), memory_swap: Some(32 << 20), ..Limits::default() },
            "minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (
            Limits { memory: Some(64 << 20), memory_reservation: Some(65 << 20), ..Limits::default() },
            "minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        (
            Limits { memory_swappiness: Some(101), ..Limits::default() },
            "invalid value: 101, valid memory swappiness range is 0-100",
        ),
        (
            Limits { nano_cpus: Some(1), cpu_period: Some(1000), ..Limits::default() },
            "conflicting options: Nano CPUs and CPU Period cannot both be set",
        ),
        (
            Limits { cpu_period: Some(999), ..Limits::default() },
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        (Limits { cpu_quota: Some(999), ..Limits::default() }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        (Limits { cpuset_cpus: Some("a".to_owned()), ..Limits::default() }, "invalid value a for cpuset cpus"),
        (Limits { blkio_weight: Some(9), ..Limits::default() }, "range of blkio weight is from 10 to 1000, not 9"),
        (
            Limits { oom_score_adj: Some(1001), ..Limits::default() },
            "invalid value 1001, range for oom score adj is [-1000, 1000]",
        ),
        (
            Limits { cgroup_parent: Some("/a/../b".to_owned()), ..Limits::default() },
            "`/a/../b` is not the path of a control group",
        ),
    ];
    for (limits, message) in cases {
        assert_eq!(limits.check().unwrap_err().message, message);
    }
    let far = Limits { cpuset_cpus: Some("8000".to_owned()), ..Limits::default() }.check().unwrap_err().message;
    assert!(far.starts_with("requested CPUs are not available - requested 8000, available: 0"), "{far}");
    let many = Limits { nano_cpus: Some(u64::MAX), ..Limits::default() }.check().unwrap_err().message;
    assert!(many.starts_with("range of CPUs is from 0.01 to "), "{many}");
    Limits::default().check().unwrap();
}

#[test]
fn c204_limits_become_those_of_a_control_group() {
    let none = Limits { oom_score_adj: Some(5), ulimits: Vec::new(), ..Limits::default() };
    assert!(!none.needs_cgroup());
    let limits = Limits {
        memory: Some(64 << 20),
        memory_swap: Some(-1),
        nano_cpus: Some(1_500_000_000),
        pids: Some(-1),
        ..Limits::default()
    };
    let cgroup = limits.cgroup("a/b".to_owned());
    assert_eq!((cgroup.memory, cgroup.memory_and_swap), (Some(64 << 20), Some(u64::MAX)));
    assert_eq!(cgroup.cpu_quota, Some(CpuQuota { quota_usecs: 150_000, period_usecs: 100_000 }));
    assert_eq!(cgroup.pids, Some(u64::MAX));
    let quota = Limits { cpu_quota: Some(50_000), cpu_period: Some(200_000), ..Limits::default() };
    let expected = Some(CpuQuota { quota_usecs: 50_000, period_usecs: 200_000 });
    assert_eq!(quota.cgroup(String::new()).cpu_quota, expected);
}
