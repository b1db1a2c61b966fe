//! A second process in a running container, whichever executor started it.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;

use runtime::{
    Capabilities, ExitStatus, Process, ProcessSpec, RunningContainer, Seccomp, StartError, User, WindowSize, exec,
};

use super::harness::*;

/// A container that does nothing until its streams are dropped.
struct Idle {
    id: String,
    process: Process,
    _streams: [fs::File; 3],
}

impl Idle {
    fn start(executor: &dyn runtime::Executor, bed: &Bed) -> Self {
        Self::with(executor, bed.spec(&["sh", "-c", "echo ready; sleep 1000 & wait"]))
    }

    fn with(executor: &dyn runtime::Executor, spec: runtime::ContainerSpec) -> Self {
        let id = spec.id.clone();
        let (process, mut streams) = start(executor, spec);
        let mut ready = [0; 6];
        streams[1].read_exact(&mut ready).unwrap();
        Self { id, process, _streams: streams }
    }

    fn running(&self) -> RunningContainer<'_> {
        RunningContainer { id: &self.id, pid: u32::try_from(self.process.pid()).unwrap() }
    }

    fn try_exec(&self, spec: ProcessSpec) -> Result<Output, StartError> {
        let (stdio, [stdin, mut stdout, mut stderr]) = pipes();
        drop(stdin);
        let process = exec(self.running(), || true, spec, None, stdio)?.expect("the container runs");
        let (mut out, mut err) = (String::new(), String::new());
        stdout.read_to_string(&mut out).unwrap();
        stderr.read_to_string(&mut err).unwrap();
        Ok(Output { status: process.wait().unwrap(), stdout: out, stderr: err })
    }

    #[track_caller]
    fn script(&self, text: &str) -> String {
        self.try_exec(process(&["sh", "-c", text])).unwrap_or_else(|error| panic!("{}", chain(&error))).good()
    }
}

fn process(args: &[&str]) -> ProcessSpec {
    ProcessSpec {
        args: args.iter().map(OsString::from).collect(),
        env: vec!["PATH=/bin:/usr/bin".into()],
        cwd: "/".into(),
        user: User { uid: 0, gid: 0, additional_gids: vec![0] },
        capabilities: Capabilities::DOCKER,
        no_new_privileges: false,
        seccomp: Seccomp::Default,
        rlimits: Vec::new(),
        oom_score_adj: None,
        die_with_parent: true,
        is_attended: true,
    }
}

fn hash_of_own_binary() -> Vec<u8> {
    fs::read("/proc/self/exe").unwrap()
}

contract! {
    fn c225_it_is_in_all_namespaces_of_the_container(executor) {
        let bed = Bed::new();
        let idle = Idle::start(executor, &bed);
        let text = "for kind in mnt pid uts ipc net cgroup; do readlink /proc/self/ns/$kind; done; hostname; ls /; echo $$";
        let seen = idle.script(text);
        let pid = idle.process.pid();
        for kind in ["mnt", "pid", "uts", "ipc", "net", "cgroup"] {
            let expected = fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
            assert!(seen.contains(expected.to_str().unwrap()), "{kind}: {seen}");
        }
        assert!(seen.contains("bin\ndev\netc\nproc\n"), "{seen}");
        // It sees the others, and its parent is nobody there.
        assert!(idle.script("ps -o pid,args").contains("sleep 1000"));
        assert_eq!(idle.script("grep PPid /proc/$$/status"), "PPid:\t0\n");
    }

    fn c225_it_has_no_more_rights_than_asked_for(executor) {
        let bed = Bed::new();
        let idle = Idle::start(executor, &bed);
        let status = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups|Uid)' /proc/self/status";
        let expected = "Uid:\t0\t0\t0\t0\nGroups:\t0 \nCapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n\
            CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n";
        assert_eq!(idle.script(status), expected);
        assert_eq!(
            idle.script("(echo 1 >/proc/sys/kernel/panic) 2>/dev/null; echo $?; umask; wc -c </proc/timer_list"),
            "1\n0022\n0\n"
        );
    }

    fn c226_user_and_groups_are_given(executor) {
        let bed = Bed::new();
        let idle = Idle::start(executor, &bed);
        let status = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups|Uid)' /proc/self/status";
        let mut spec = process(&["sh", "-c", status]);
        spec.user = User { uid: 12, gid: 34, additional_gids: vec![34, 56] };
        spec.no_new_privileges = true;
        spec.seccomp = Seccomp::Unconfined;
        let expected = "Uid:\t12\t12\t12\t12\nGroups:\t34 56 \nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
            CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0\n";
        assert_eq!(idle.try_exec(spec).unwrap().good(), expected);
    }

    fn c225_only_its_streams_are_open(executor) {
        let bed = Bed::new();
        let idle = Idle::start(executor, &bed);
        let file = fs::File::open("/etc/hostname").unwrap();
        let leak = rustix::io::fcntl_dupfd_cloexec(&file, 50).unwrap();
        rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
        let output = idle.script("ls /proc/self/fd; readlink /proc/$$/exe");
        drop(leak);
        assert_eq!(output, "0\n1\n2\n3\n/bin/busybox\n");
    }

    fn c225_codes_tell_why_it_does_not_start(executor) {
        let bed = Bed::new();
        fs::write(bed.root().join("bin/text"), "").unwrap();
        fs::write(bed.root().join("bin/lost"), "#!/no/such\n").unwrap();
        fs::write(bed.root().join("bin/garbage"), [0; 100]).unwrap();
        for name in ["lost", "garbage"] {
            fs::set_permissions(bed.root().join("bin").join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let idle = Idle::start(executor, &bed);
        let cases = [
            ("nope", 127, "exec: \"nope\": executable file not found in $PATH"),
            ("text", 127, "exec: \"text\": executable file not found in $PATH"),
            ("/bin/nope", 127, "exec: \"/bin/nope\": stat /bin/nope: no such file or directory"),
            ("/bin/text", 126, "exec: \"/bin/text\": permission denied"),
            ("/etc", 126, "exec: \"/etc\": is a directory"),
            ("/bin/garbage", 126, "exec /bin/garbage: exec format error"),
            ("lost", 127, "exec lost: no such file or directory (its interpreter is missing)"),
        ];
        for (program, code, text) in cases {
            let error = idle.try_exec(process(&[program])).unwrap_err();
            assert_eq!((error.docker_code(), error.to_string().as_str()), (code, text));
        }
        let mut spec = process(&["true"]);
        spec.cwd = "/nope".into();
        let error = idle.try_exec(spec).unwrap_err();
        assert_eq!(chain(&error), "chdir to cwd (\"/nope\"): No such file or directory (os error 2)");
        assert_eq!(idle.try_exec(process(&["sh", "-c", "exit 42"])).unwrap().status, ExitStatus::Exited(42));
        assert_eq!(idle.try_exec(process(&["sh", "-c", "kill -9 $$"])).unwrap().status, ExitStatus::Signaled(9));
    }

    fn c225_a_terminal_of_the_container(executor) {
        let bed = Bed::new();
        let idle = Idle::start(executor, &bed);
        let size = WindowSize { columns: 91, rows: 33 };
        let spec = process(&["sh", "-c", "tty; stty size; test -t 2 && echo all"]);
        let started = exec(idle.running(), || true, spec, Some(size), runtime::Stdio::null()).unwrap().unwrap();
        let mut master = fs::File::from(started.terminal().unwrap().try_clone_to_owned().unwrap());
        let mut text = String::new();
        // The terminal's last user is gone.
        assert_eq!(master.read_to_string(&mut text).unwrap_err().raw_os_error(), Some(5));
        assert_eq!(text, "/dev/pts/0\r\n33 91\r\nall\r\n");
        assert_eq!(started.wait().unwrap(), ExitStatus::Exited(0));
    }

    fn c225_it_ends_with_the_container(executor) {
        let bed = Bed::new();
        let idle = Idle::start(executor, &bed);
        let (stdio, _streams) = pipes();
        let second = exec(idle.running(), || true, process(&["sleep", "1000"]), None, stdio).unwrap().unwrap();
        idle.process.signal(9).unwrap();
        assert_eq!(second.wait().unwrap(), ExitStatus::Signaled(9));
        idle.process.wait().unwrap();
        let (stdio, _streams) = pipes();
        assert!(exec(idle.running(), || false, process(&["true"]), None, stdio).unwrap().is_none());
    }

    fn c225_it_is_limited_as_the_container(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "echo ready; sleep 1000 & wait"]);
        spec.cgroup = Some(runtime::Cgroup { name: format!("onggi-test/{}", spec.id), pids: Some(20), ..runtime::Cgroup::default() });
        let idle = Idle::with(executor, spec);
        let groups = |pid: &str| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let of_container = groups(&idle.process.pid().to_string());
        if !of_container.contains(&idle.id) {
            return;
        }
        let (stdio, _streams) = pipes();
        let second = exec(idle.running(), || true, process(&["sleep", "1000"]), None, stdio).unwrap().unwrap();
        let own: Vec<String> = of_container.lines().filter(|line| line.contains(&idle.id)).map(str::to_owned).collect();
        let joined = groups(&second.pid().to_string());
        for line in own {
            assert!(joined.contains(&line), "{line}\n{joined}");
        }
    }

    /// Programs, interpreters and working folders that lead back to the host (CVE-2019-5736, CVE-2024-21626).
    fn c225_no_way_leads_to_the_host(executor) {
        let bed = Bed::new();
        let before = hash_of_own_binary();
        symlink("/proc/self/exe", bed.root().join("bin/own")).unwrap();
        fs::write(bed.root().join("bin/script"), "#!/proc/self/exe\n").unwrap();
        fs::set_permissions(bed.root().join("bin/script"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        symlink(bed.outside(), bed.root().join("way")).unwrap();
        // Looks at every executable of the container for as long as it runs.
        let watch = "echo ready; while :; do for exe in /proc/[0-9]*/exe; do readlink $exe; done; done 2>/dev/null | \
            grep -v -e busybox -e '^/memfd:onggi-exec' >/tmp/seen";
        let idle = Idle::with(executor, bed.spec(&["sh", "-c", watch]));
        for program in ["/bin/own", "own", "/proc/self/exe", "/bin/script", "script"] {
            // What runs then is the tiny program in memory, which knows nothing to do.
            match idle.try_exec(process(&[program])) {
                Ok(output) => assert_ne!(output.status, ExitStatus::Exited(0), "{program}: {output:?}"),
                Err(error) => assert_eq!(error.docker_code(), 126, "{program}: {}", chain(&error)),
            }
        }
        for folder in ["/proc/self/fd/3", "/proc/self/fd/7", "/proc/1/cwd", "/proc/thread-self/root", "/proc/self/cwd", "/way"] {
            let mut spec = process(&["sh", "-c", "ls ../outside ../../outside 2>/dev/null; pwd"]);
            spec.cwd = folder.into();
            if let Ok(output) = idle.try_exec(spec) {
                assert!(!output.stdout.contains("sentinel"), "{folder}: {output:?}");
            }
        }
        for _ in 0..50 {
            idle.script("true");
        }
        assert_eq!(idle.script("cat /tmp/seen"), "");
        assert_eq!(hash_of_own_binary(), before);
        bed.assert_untouched();
    }

    fn c225_a_false_devpts_is_not_believed(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "umount /dev/pts && rm -r /dev/ptmx && ln -s /tmp /dev/pts2 && echo ready; sleep 1000 & wait"]);
        spec.make_privileged();
        let idle = Idle::with(executor, spec);
        let size = WindowSize { columns: 80, rows: 24 };
        let spec = process(&["sh", "-c", "stty size"]);
        let started = exec(idle.running(), || true, spec, Some(size), runtime::Stdio::null()).unwrap().unwrap();
        assert_eq!(started.wait().unwrap(), ExitStatus::Exited(0));
    }
}
