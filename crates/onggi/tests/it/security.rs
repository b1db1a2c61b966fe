//! What keeps a container apart from the host, and what is given up of that (C206).

use std::fs;

use crate::build_project::Project;

/// What a command in a container with these flags prints.
#[track_caller]
fn run(project: &Project, flags: &[&str], script: &str) -> String {
    project.ask(&[&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat())
}

fn capabilities(project: &Project, flags: &[&str]) -> u64 {
    let text = run(project, flags, "grep CapEff /proc/self/status");
    u64::from_str_radix(text.trim().trim_start_matches("CapEff:\t"), 16).unwrap()
}

#[test]
#[ignore = "requires root"]
fn c206_capabilities_are_added_and_dropped_requires_root() {
    const DOCKER: u64 = 0xa804_25fb;
    const NET_ADMIN: u64 = 1 << 12;
    const CHOWN: u64 = 1;
    let project = Project::new();
    for (flags, expected) in [
        (&["--cap-add", "NET_ADMIN"][..], DOCKER | NET_ADMIN),
        (&["--cap-add", "cap_net_admin", "--cap-drop", "CHOWN"], (DOCKER | NET_ADMIN) & !CHOWN),
        (&["--cap-drop", "ALL"], 0),
        (&["--cap-drop", "all", "--cap-add", "CHOWN"], CHOWN),
    ] {
        assert_eq!(capabilities(&project, flags), expected, "{flags:?}");
    }
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    let own = u64::from_str_radix(own, 16).unwrap();
    assert_eq!(capabilities(&project, &["--cap-add", "ALL"]), own & ((1 << 41) - 1));
    let unknown = project.onggi(["run", "--rm", "--cap-add", "FLY", "busybox", "true"]).run();
    assert_eq!(unknown.snapshot(), "exit: 125\n--- stderr\nerror: invalid CapAdd: unknown capability: \"CAP_FLY\"\n");
}

#[test]
#[ignore = "requires root"]
fn c206_a_privileged_container_requires_root() {
    let project = Project::new();
    let script = "grep -E '^(Seccomp:|NoNewPrivs)' /proc/self/status; mount -t tmpfs x /mnt && echo mounted; \
                  test -w /proc/sys/kernel/panic && echo writable; grep ' /sys ' /proc/mounts | cut -d ' ' -f 4 | cut -c 1-2";
    assert_eq!(
        run(&project, &["--privileged"], &format!("mkdir -p /mnt; {script}")),
        "NoNewPrivs:\t0\nSeccomp:\t0\nmounted\nwritable\nrw\n"
    );
    // Its devices are the host's.
    let devices = run(&project, &["--privileged"], "ls /dev");
    for entry in fs::read_dir("/dev").unwrap().flatten() {
        use std::os::unix::fs::FileTypeExt as _;
        let kind = entry.file_type().unwrap();
        let name = entry.file_name().into_string().unwrap();
        if kind.is_char_device() && name != "console" {
            assert!(devices.lines().any(|line| line == name), "{name} in {devices}");
        }
    }
}

#[test]
#[ignore = "requires root"]
fn c206_security_options_requires_root() {
    let project = Project::new();
    let status = "grep -E '^(Seccomp:|NoNewPrivs)' /proc/self/status";
    assert_eq!(run(&project, &["--security-opt", "no-new-privileges"], status), "NoNewPrivs:\t1\nSeccomp:\t2\n");
    assert_eq!(run(&project, &["--security-opt", "seccomp=unconfined"], status), "NoNewPrivs:\t0\nSeccomp:\t0\n");
    let script = "grep -c ' /proc/' /proc/mounts; true";
    assert_eq!(run(&project, &["--security-opt", "systempaths=unconfined"], script), "0\n");
    assert_ne!(run(&project, &[], script), "0\n");
    project.file(
        "profile.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}"#,
    );
    let flags = ["--security-opt", "seccomp=profile.json"];
    let output = project.onggi([&["run", "--rm"], &flags[..], &["busybox", "mkdir", "/x"]].concat()).run();
    assert!(output.code == 1 && output.stderr.contains("No space left on device"), "{}", output.snapshot());
    // A second process is filtered too.
    project.start(&[&["--name", "one"], &flags[..], &["busybox", "sleep", "1000"]].concat());
    let output = project.onggi(["exec", "one", "mkdir", "/x"]).run();
    assert!(output.code == 1 && output.stderr.contains("No space left on device"), "{}", output.snapshot());
    project.ask(&["rm", "-f", "one"]);

    project.file("broken.json", "{");
    for (option, message) in [
        ("seccomp=broken.json", "error: the profile of `--security-opt seccomp` cannot be used"),
        ("seccomp=missing.json", "error: opening seccomp profile (missing.json) failed"),
        ("fly=true", "error: invalid --security-opt: \"fly=true\""),
        ("apparmor=mine", "error: this version of onggi has no AppArmor profiles: `--security-opt apparmor=mine`"),
    ] {
        let output = project.onggi(["run", "--rm", "--security-opt", option, "busybox", "true"]).run();
        assert_eq!((output.code, output.stderr.lines().next()), (125, Some(message)), "{option}");
    }
}

#[test]
#[ignore = "requires root"]
fn c206_devices_and_groups_requires_root() {
    let project = Project::new();
    let text = run(
        &project,
        &["--device", "/dev/null:/dev/mine", "--device", "/dev/zero:/dev/deep/zero:r"],
        "stat -c %t:%T /dev/mine; head -c 3 /dev/deep/zero | wc -c",
    );
    assert_eq!(text, "1:3\n3\n");
    for (device, message) in [
        ("/dev/no-such", "error: cannot start container"),
        ("null", "error: invalid device specification: null: 'null' is not an absolute path"),
        ("/dev/null:/dev/x:q", "error: invalid device mode: q"),
        ("/dev/null:/tmp/x", "error: devices are below /dev in a container, not at /tmp/x"),
    ] {
        let output = project.onggi(["run", "--rm", "--device", device, "busybox", "true"]).run();
        assert_eq!(output.code, 125, "{}", output.snapshot());
        if device != "/dev/no-such" {
            assert_eq!(output.stderr.lines().next(), Some(message), "{device}");
        } else {
            assert!(output.stderr.contains("error gathering device information"), "{}", output.snapshot());
        }
    }
    // A device that only a rule allows can be made.
    let text = run(
        &project,
        &["--device-cgroup-rule", "c 1:3 rwm"],
        "mknod /tmp/null c 1 3 && echo x >/tmp/null && echo written",
    );
    assert_eq!(text, "written\n");
    project.dockerfile("FROM busybox\nRUN echo 'sound:x:63:' >>/etc/group\n").build_app();
    let words =
        ["run", "--rm", "--group-add", "sound", "--group-add", "4711", "app", "grep", "Groups", "/proc/self/status"];
    let groups = project.ask(&words);
    assert!(groups.contains(" 63 4711") || groups.contains("63 ") && groups.contains("4711"), "{groups}");
}

#[test]
#[ignore = "requires root"]
fn c206_namespaces_are_shared_on_request_requires_root() {
    let project = Project::new();
    let own = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
    for (flag, kind) in [("--pid=host", "pid"), ("--ipc=host", "ipc"), ("--uts=host", "uts")] {
        let text = run(&project, &[flag], &format!("readlink /proc/self/ns/{kind}"));
        assert_eq!(text.trim(), own(kind), "{flag}");
    }
    assert_ne!(run(&project, &[], "readlink /proc/self/ns/cgroup").trim(), "");
    assert_ne!(run(&project, &["--cgroupns=private"], "readlink /proc/self/ns/cgroup").trim(), own("cgroup"));
    project.start(&[
        "--name",
        "one",
        "--ipc",
        "shareable",
        "busybox",
        "sh",
        "-c",
        "echo shared >/dev/shm/file; exec sleep 1000",
    ]);
    let text = run(&project, &["--pid", "container:one", "--ipc", "container:one"], "ps; sleep 0.1; cat /dev/shm/file");
    assert!(text.contains("sleep 1000") && text.ends_with("shared\n"), "{text}");
    project.ask(&["rm", "-f", "one"]);
    for flag in ["--pid=container:one", "--pid=mine", "--ipc=mine", "--uts=mine", "--userns=mine"] {
        let output = project.onggi(["run", "--rm", flag, "busybox", "true"]).run();
        assert_eq!(output.code, 125, "{flag}: {}", output.snapshot());
    }
    project.has_no_containers();
}

/// Processes of a container without a PID namespace of its own end with it too.
#[test]
#[ignore = "requires root"]
fn c206_nothing_of_a_container_on_the_hosts_pids_is_left_requires_root() {
    let project = Project::new();
    run(&project, &["--pid=host"], "setsid sleep 4713 >/dev/null 2>&1 & exit 0");
    crate::containers::wait_until("it ends", || crate::containers::processes_with("sleep 4713").is_empty());
}

#[test]
#[ignore = "requires root"]
fn c206_sysctls_of_its_own_namespaces_requires_root() {
    let project = Project::new();
    let flags = ["--sysctl", "net.ipv4.ip_forward=0", "--sysctl", "kernel.msgmax=4096"];
    assert_eq!(run(&project, &flags, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax"), "0\n4096\n");
    for flags in [&["--sysctl", "kernel.panic=1"][..], &["--network=host", "--sysctl", "net.ipv4.ip_forward=0"]] {
        let output = project.onggi([&["run", "--rm"], flags, &["busybox", "true"]].concat()).run();
        assert!(output.code == 125 && output.stderr.contains("is not allowed"), "{}", output.snapshot());
    }
}

#[test]
#[ignore = "requires root"]
fn c205_an_init_reaps_and_hands_on_requires_root() {
    let project = Project::new();
    let text = run(&project, &["--init"], "cat /proc/1/cmdline | tr '\\0' ' '; readlink /proc/1/exe");
    assert!(text.starts_with("/dev/.init -- sh -c") && text.ends_with("/dev/.init\n"), "{text}");
    let output = project.onggi(["run", "--rm", "--init", "busybox", "nope"]).run();
    assert_eq!((output.code, output.stderr.as_str()), (127, "exec nope: no such file or directory\n"));
    project.start(&["--name", "one", "--init", "busybox", "sleep", "1000"]);
    // A process that is not the first one has no protection from TERM.
    project.ask(&["kill", "-s", "TERM", "one"]);
    assert_eq!(project.ask(&["wait", "one"]), "143\n");
}

/// What an image says about itself gives a container nothing (field notes, attack 15).
#[test]
#[ignore = "requires root"]
fn c206_an_image_has_no_say_requires_root() {
    let project = Project::with(
        "FROM busybox\nLABEL privileged=true io.onggi.security.privileged=true run.oci.keep_original_groups=1 \
         io.podman.annotations.privileged=TRUE\n",
    );
    project.build_app();
    let text = project.ask(&["run", "--rm", "app", "grep", "CapEff", "/proc/self/status"]);
    assert_eq!(text, "CapEff:\t00000000a80425fb\n");
}
