//! What the program finds: variables, folder, user, names, namespaces, limits.

use runtime::{Cgroup, CpuQuota, NetworkNamespace, Rlimit, User};
use rustix::fs::{CWD, Mode, OFlags};

use super::harness::*;

contract! {
    fn the_environment_is_exactly_as_given(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["/bin/env"]);
        spec.env = ["B=2", "A=1", "EMPTY=", "SPACE=a b", "UNICODE=옹기", "EQUALS=x=y"].map(Into::into).to_vec();
        let output = run(executor, spec).good();
        let mut lines: Vec<&str> = output.lines().filter(|line| !line.starts_with("HOME=")).collect();
        lines.sort_unstable();
        // runc adds HOME from the user's entry; nothing else may differ.
        assert_eq!(lines, ["A=1", "B=2", "EMPTY=", "EQUALS=x=y", "SPACE=a b", "UNICODE=옹기"]);
    }

    fn dockers_defaults_have_path_and_hostname(executor) {
        let bed = Bed::new();
        let output = script(executor, &bed, "echo $PATH; echo $HOSTNAME; hostname; echo $$; umask").good();
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[0], "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        assert!(lines[1].starts_with("contract"));
        assert_eq!(lines[1], lines[2]);
        assert_eq!(lines[3..], ["1", "0022"]);
    }

    fn the_working_directory_is_made_if_missing(executor) {
        let bed = Bed::new();
        std::os::unix::fs::symlink("/usr", bed.root().join("link")).unwrap();
        for (cwd, expected) in [("/", "/"), ("/made/here", "/made/here"), ("/link/new", "/usr/new"), ("/usr/bin", "/usr/bin")] {
            let mut spec = bed.spec(&["sh", "-c", "readlink /proc/self/cwd; stat -c '%a %u' ."]);
            spec.cwd = cwd.into();
            assert_eq!(run(executor, spec).good(), format!("{expected}\n755 0\n"), "{cwd}");
        }
    }

    fn user_and_groups_are_exactly_as_given(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapBnd|CapInh|CapAmb)' /proc/self/status"]);
        spec.user = User { uid: 1234, gid: 5678, additional_gids: vec![10, 20] };
        let output = run(executor, spec).good().replace(" \n", "\n");
        let expected = "Uid:\t1234\t1234\t1234\t1234\nGid:\t5678\t5678\t5678\t5678\nGroups:\t10 20\n\
            CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
            CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n";
        assert_eq!(output, expected);
    }

    fn other_users_may_reopen_their_streams(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "echo out >/dev/stdout; echo err >/dev/stderr"]);
        spec.user = User { uid: 1000, gid: 1000, additional_gids: vec![] };
        let output = run(executor, spec);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    }

    fn namespaces_are_the_containers_own(executor) {
        let bed = Bed::new();
        let output = script(executor, &bed, "for n in pid mnt uts ipc net user; do readlink /proc/self/ns/$n; done").good();
        for (line, name) in output.lines().zip(["pid", "mnt", "uts", "ipc", "net", "user"]) {
            let host = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
            assert_eq!(host.to_str().unwrap() == line, name == "user", "{name}");
        }
        let processes = script(executor, &bed, "ls /proc | grep -c '^[0-9]'").good();
        assert!(processes.trim().parse::<u32>().unwrap() <= 3, "{processes}");
    }

    fn a_new_network_has_lo_and_nothing_else(executor) {
        let bed = Bed::new();
        let output = script(executor, &bed, "ls /sys/class/net; ip -o addr show lo | grep -o 'inet 127[^ ]*'; cat /proc/sys/net/ipv4/ip_unprivileged_port_start").good();
        assert_eq!(output, "lo\ninet 127.0.0.1/8\n0\n");
    }

    fn the_hosts_network_can_be_shared(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["readlink", "/proc/self/ns/net"]);
        spec.use_host_network();
        let host = std::fs::read_link("/proc/self/ns/net").unwrap();
        assert_eq!(run(executor, spec).good().trim(), host.to_str().unwrap());
    }

    fn an_existing_network_can_be_joined(executor) {
        let bed = Bed::new();
        let (first, _streams) = start(executor, bed.spec(&["sleep", "1000"]));
        let path = format!("/proc/{}/ns/net", first.pid());
        let namespace = rustix::fs::openat(CWD, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let name = std::fs::read_link(&path).unwrap();
        let mut spec = bed.spec(&["readlink", "/proc/self/ns/net"]);
        spec.network = NetworkNamespace::Join(namespace);
        assert_eq!(run(executor, spec).good().trim(), name.to_str().unwrap());
        first.signal(9).unwrap();
        first.wait().unwrap();
    }

    fn limits_are_lowered_and_never_raised(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c"]);
        let limit = |name: &str, soft, hard| Rlimit { name: name.to_owned(), soft, hard };
        spec.rlimits = vec![limit("nofile", 100, 200), limit("core", 0, 0)];
        assert_eq!(run(executor, spec).good(), "100\n200\n0\n");
        let mut spec = bed.spec(&["true"]);
        spec.rlimits = vec![limit("memlock", u64::MAX, u64::MAX), limit("nofile", u64::MAX, u64::MAX)];
        run(executor, spec).good();
    }

    fn the_control_group_limits_and_vanishes(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; (echo 1 >/sys/fs/cgroup/pids/pids.max) 2>/dev/null && echo writable; cat /proc/self/cgroup"]);
        let name = format!("onggi-contract/{}", spec.id);
        spec.cgroup = Some(Cgroup {
            name: name.clone(),
            memory: Some(64 << 20),
            pids: Some(33),
            cpu_quota: Some(CpuQuota { quota_usecs: 50_000, period_usecs: 100_000 }),
            cpu_shares: Some(512),
            ..Cgroup::default()
        });
        let (stdio, [stdin, mut stdout, _stderr]) = pipes();
        let process = executor.start(spec, stdio).unwrap();
        drop(stdin);
        let mut output = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut output).unwrap();
        process.wait().unwrap();
        assert_eq!(process.warnings(), [""; 0]);
        assert!(output.starts_with("67108864\n33\n"), "{output}");
        assert!(!output.contains("writable"), "{output}");
        assert!(output.contains(&name), "{output}");
        let left = ["memory", "cpu", "pids", "devices", "unified", ""].iter().find(|controller| {
            std::path::Path::new("/sys/fs/cgroup").join(controller).join(&name).exists()
        });
        assert_eq!(left, None);
    }

    fn more_processes_than_allowed_cannot_be_made(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2 & done; echo all"]);
        spec.cgroup = Some(Cgroup { name: format!("onggi-contract/{}", spec.id), pids: Some(5), ..Cgroup::default() });
        let output = run(executor, spec);
        assert!(!output.stdout.contains("all"), "{output:?}");
    }
}
