//! What a RUN step finds around itself: network, names of hosts, limits, namespaces, rights; and what it leaves behind.

use std::fs;
use std::path::Path;

use testkit::checker::Kind;
use testkit::{HttpServer, Response};

use crate::build_project::{Project, runtimes};
use crate::containers::wait_until;

/// Builds with one RUN of this command, and gives the lines that it wrote.
#[track_caller]
fn seen(project: &Project, flags: &[&str], run: &str, command: &str) -> Vec<String> {
    project.dockerfile(&format!("FROM busybox\nRUN {run} {{ {command}; }} > /seen 2>&1\n"));
    project.build(&[&["-t", "app", "--no-cache"], flags].concat()).run().success();
    let said = project.ask(&["run", "--rm", "--network", "none", "app", "cat", "/seen"]);
    project.nothing_runs();
    said.lines().map(str::to_owned).collect()
}

const INTERFACES: &str = "ls /sys/class/net";

#[test]
#[ignore = "requires root"]
fn d109_b017_networks_are_really_there_or_not_requires_root() {
    let project = Project::new();
    let server = HttpServer::serving(|_| Response::ok("served\n"));
    let url = server.url("/");
    let host_network = fs::read_link("/proc/self/ns/net").unwrap().display().to_string();
    let fetch = format!("{INTERFACES}; readlink /proc/self/ns/net; wget -q -O - {url} || echo unreached");
    for runtime in runtimes("d109_b017_networks_are_really_there_or_not") {
        for (flags, run) in
            [(&["--network", "none"][..], ""), (&[], "--network=none"), (&["--network=host"], "--network=none")]
        {
            let lines = seen(&project, &[runtime, flags].concat(), run, &fetch);
            assert_eq!(lines.first().map(String::as_str), Some("lo"), "{flags:?} {run}: {lines:?}");
            assert_eq!(lines.last().map(String::as_str), Some("unreached"), "{flags:?} {run}: {lines:?}");
            assert!(!lines.contains(&"eth0".to_owned()), "{flags:?} {run}: {lines:?}");
        }
        // The host's loopback is the host's network, and no other network is.
        for (flags, run) in [(&["--network=host"][..], ""), (&["--allow", "network.host"], "--network=host")] {
            let lines = seen(&project, &[runtime, flags].concat(), run, &fetch);
            assert_eq!(lines.last().map(String::as_str), Some("served"), "{flags:?} {run}: {lines:?}");
            assert!(lines.contains(&host_network), "{flags:?} {run}: {lines:?}");
        }
        let gateway =
            format!("{INTERFACES}; wget -q -O - {url} || echo unreached; wget -q -O - http://gw:{}/", server.port());
        let lines =
            seen(&project, &[runtime, &["--add-host", "gw:host-gateway"][..]].concat(), "--network=default", &gateway);
        assert!(lines.starts_with(&["eth0".to_owned(), "lo".to_owned()]), "{lines:?}");
        assert!(lines.ends_with(&["unreached".to_owned(), "served".to_owned()]), "{lines:?}");
    }
}

#[test]
#[ignore = "requires root"]
fn d109_b021_the_hosts_network_without_leave_says_what_to_type_requires_root() {
    let project = Project::with("FROM busybox\nRUN --network=host true\n");
    let refused = project.build(&[]).run().exits(1).stderr;
    let hint = refused.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_default();
    let words: Vec<&str> = hint.split('`').nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!(words, ["--allow", "network.host"], "{refused}");
    project.build(&words).run().success();
}

#[test]
#[ignore = "requires root"]
fn b018_d112_names_of_hosts_are_there_and_not_committed_requires_root() {
    let project = Project::new();
    let flags = ["--add-host", "db:10.1.2.3", "--add-host=six=[fd00::1]", "--add-host", "gw:host-gateway"];
    let command = "cat /etc/hosts; echo --; hostname; grep -c nameserver /etc/resolv.conf; cat /etc/hostname; \
                   echo mine >> /etc/hosts; echo mine >> /etc/resolv.conf";
    for runtime in runtimes("b018_d112_names_of_hosts_are_there_and_not_committed") {
        let lines = seen(&project, &[runtime, &flags[..]].concat(), "", command);
        for line in ["10.1.2.3\tdb", "fd00::1\tsix", "127.0.0.1\tlocalhost"] {
            assert!(lines.contains(&line.to_owned()), "{line}: {lines:?}");
        }
        assert!(lines.iter().any(|line| line.ends_with("\tgw")), "{lines:?}");
        let rest = lines.iter().skip_while(|line| *line != "--").skip(1).collect::<Vec<_>>();
        assert_eq!(rest[0], "buildkitsandbox", "{lines:?}");
        // The name is in no file, as with BuildKit.
        assert!(rest.len() == 2 && rest[1] != "0", "{lines:?}");
        let tree = project.image("app").tree;
        for name in ["etc/hosts", "etc/resolv.conf", "etc/hostname"] {
            assert!(!tree.contains_key(name), "{name} is in the image");
        }
    }
}

#[test]
#[ignore = "requires root"]
fn d036_the_sandbox_has_another_name_requires_root() {
    let project = Project::new();
    let command = "hostname; grep -c -w box /etc/hosts; env | grep -c BUILDKIT || true";
    for runtime in runtimes("d036_the_sandbox_has_another_name") {
        let flags = ["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=box"];
        assert_eq!(seen(&project, &[runtime, &flags[..]].concat(), "", command), ["box", "1", "0"]);
        let flags = ["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME="];
        assert_eq!(seen(&project, &[runtime, &flags[..]].concat(), "", "hostname"), ["buildkitsandbox"]);
    }
    let refused = project.build(&["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=a b"]).run().exits(1).stderr;
    assert!(refused.contains("error: invalid hostname `a b`"), "{refused}");
    assert!(refused.contains("hint: write for example `--build-arg BUILDKIT_SANDBOX_HOSTNAME=builder`"), "{refused}");
    project.build(&["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=builder"]).run().success();
}

/// What a step writes to its own `/etc/hostname` is of the image, as with BuildKit; what an image has under the other names stays as it is.
#[test]
#[ignore = "requires root"]
fn d112_an_images_own_files_are_hidden_and_kept_requires_root() {
    let project = Project::with(
        "FROM busybox\nCOPY hosts /etc/hosts\nCOPY hosts /etc/resolv.conf\nRUN grep -c own /etc/hosts /etc/resolv.conf > /seen; \
         echo box > /etc/hostname\n",
    );
    project.file("hosts", "own\n").build_app();
    let tree = project.image("app").tree;
    for name in ["etc/hosts", "etc/resolv.conf", "etc/hostname"] {
        assert!(matches!(tree[name].kind, Kind::File { size: 4, .. }), "{name}: {:?}", tree[name]);
    }
    assert_eq!(project.ask(&["run", "--rm", "app", "cat", "/seen"]), "/etc/hosts:0\n/etc/resolv.conf:0\n");
}

#[test]
#[ignore = "requires root"]
fn b019_sizes_and_limits_hold_in_the_step_requires_root() {
    let project = Project::new();
    let flags = ["--shm-size", "32m", "--ulimit", "nofile=300:400", "--ulimit", "core=0"];
    let command = "df -P /dev/shm | awk 'END { print $2 }'; ulimit -Sn; ulimit -Hn; ulimit -c; \
                   dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; stat -c %s /dev/shm/x";
    for runtime in runtimes("b019_sizes_and_limits_hold_in_the_step") {
        let lines = seen(&project, &[runtime, &flags[..]].concat(), "", command);
        assert_eq!(lines, ["32768", "300", "400", "0", "33554432"]);
    }
}

/// The value that cgroup v2 or v1 shows in a container.
fn first_of(v2: &str, v1: &str) -> String {
    format!("cat /sys/fs/cgroup/{v2} 2>/dev/null || cat /sys/fs/cgroup/{v1}")
}

#[test]
#[ignore = "requires root"]
fn b019_b020_resources_are_seen_from_inside_and_the_parent_too_requires_root() {
    let project = Project::new();
    let flags = ["--cgroup-parent", "/onggi-rows", "--resource", "memory=64m", "--resource", "cpuset-cpus=0"];
    let flags = [&flags[..], &["--resource", "cpu-quota=50000", "--resource", "cpu-period=100000"]].concat();
    let memory = first_of("memory.max", "memory/memory.limit_in_bytes");
    let set = first_of("cpuset.cpus", "cpuset/cpuset.cpus");
    let quota = "cat /sys/fs/cgroup/cpu.max 2>/dev/null || \
                 echo $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us) $(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us)";
    let command = format!(
        "{memory}; {set}; {quota}; grep -c ^processor /proc/cpuinfo > /dev/null; grep -m1 -o /onggi-rows /proc/1/cgroup; \
         sh -c 'x=$(head -c 100m /dev/zero | tr \"\\0\" x); echo held $(echo \"$x\" | wc -c)'; echo $?"
    );
    let lines = seen(&project, &flags, "", &command);
    assert_eq!(lines[..3], ["67108864", "0", "50000 100000"], "{lines:?}");
    assert!(lines.contains(&"/onggi-rows".to_owned()), "{lines:?}");
    // 100 MB are not to be had: the kernel has killed whoever asked.
    assert_eq!(lines.last().map(String::as_str), Some("137"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("held")), "{lines:?}");
    assert_eq!(cgroups("onggi-rows"), [""; 0]);
}

/// Folders of cgroups with this name.
fn cgroups(name: &str) -> Vec<String> {
    let roots = fs::read_dir("/sys/fs/cgroup").unwrap().map(|entry| entry.unwrap().path());
    let roots = roots.chain([Path::new("/sys/fs/cgroup").to_owned()]);
    roots.map(|root| root.join(name)).filter(|path| path.is_dir()).map(|path| path.display().to_string()).collect()
}

#[test]
#[ignore = "requires root"]
fn d113_namespaces_are_its_own_requires_root() {
    let project = Project::new();
    let command = "for n in pid mnt net ipc uts; do readlink /proc/self/ns/$n; done; ls -d /proc/[0-9]* | wc -l; echo $$; \
                   hostname";
    let host = |name: &str| fs::read_link(format!("/proc/self/ns/{name}")).unwrap().display().to_string();
    for runtime in runtimes("d113_namespaces_are_its_own") {
        let lines = seen(&project, runtime, "", command);
        for (line, name) in lines.iter().zip(["pid", "mnt", "net", "ipc", "uts"]) {
            assert!(line.starts_with(&format!("{name}:[")) && *line != host(name), "{name}: {line}");
        }
        let processes: usize = lines[5].parse().unwrap();
        assert!(processes <= 5, "no process of the host is seen: {lines:?}");
        assert_eq!(lines[6..], ["1", "buildkitsandbox"]);
    }
}

/// Docker's default capabilities, as `capsh --decode` reads a80425fb, and its seccomp profile.
#[test]
#[ignore = "requires root"]
fn d113_rights_are_dockers_requires_root() {
    let project = Project::new();
    let command = "sed -n -e /^CapEff/p -e /^CapBnd/p -e /^CapInh/p -e /^Seccomp:/p /proc/self/status; unshare -m true && echo unshared; \
                   mount -t tmpfs none /tmp && echo mounted; \
                   echo 1 > /proc/sys/kernel/panic && echo written; cat /proc/kcore | head -c 1 | wc -c; \
                   mknod /dev/disk b 259 0 && echo made; head -c 1 /dev/disk | wc -c; chown 1000 /tmp && echo owned; \
                   chroot / true && echo rooted";
    for runtime in runtimes("d113_rights_are_dockers") {
        let lines = seen(&project, runtime, "", &format!("{{ {command}; }} 2>/dev/null"));
        assert_eq!(
            lines,
            [
                "CapInh:\t0000000000000000",
                "CapEff:\t00000000a80425fb",
                "CapBnd:\t00000000a80425fb",
                "Seccomp:\t2",
                "0",
                "made",
                "0",
                "owned",
                "rooted"
            ]
        );
    }
}

#[test]
#[ignore = "requires root"]
fn d115_nothing_that_a_step_started_is_left_requires_root() {
    let project = Project::new();
    let before = zombies();
    // Children that nobody waits for, a daemon that outlives its shell, one that takes no signal.
    let command =
        "for i in 1 2 3 4 5; do (true &); done; (setsid sleep 9876 &); (trap '' TERM HUP; sleep 9875) & echo started";
    for runtime in runtimes("d115_nothing_that_a_step_started_is_left") {
        assert_eq!(seen(&project, runtime, "", command), ["started"]);
        project.dockerfile(&format!("FROM busybox\nRUN {command}; exit 3\n"));
        project.build(&[runtime, &["--no-cache"][..]].concat()).run().exits(1);
        project.nothing_runs();
        let left: Vec<String> = processes().into_iter().filter(|line| line.contains("sleep 987")).collect();
        assert_eq!(left, [""; 0]);
    }
    // Those of other tests, which run meanwhile, are soon waited for.
    let new: Vec<String> = zombies().into_iter().filter(|process| !before.contains(process)).collect();
    wait_until("nobody is left to be waited for", || !zombies().iter().any(|process| new.contains(process)));
}

/// Processes of ours that ended and that nobody has waited for.
fn zombies() -> Vec<String> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    // Commands of other tests are children of this process, and wait for their test.
    let by_tests = format!(") Z {} ", std::process::id());
    let of_ours = |stat: &String| {
        stat.contains(") Z ")
            && !stat.contains(&by_tests)
            && (stat.contains("(onggi") || stat.contains("(sleep") || stat.contains("(sh)"))
    };
    let stats = folders.filter_map(|folder| fs::read_to_string(folder.path().join("stat")).ok()).filter(of_ours);
    stats.map(|stat| stat.split(')').next().unwrap_or_default().to_owned()).collect()
}

fn processes() -> Vec<String> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let lines = folders.filter_map(|folder| fs::read(folder.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

#[test]
#[ignore = "requires root"]
fn d100_forms_of_run_and_what_is_no_json_requires_root() {
    let project = Project::with(
        "FROM busybox\nENV X=value\nRUN echo \"$X ${X#v}\" > /shell\nRUN [\"sh\", \"-c\", \"echo $X \\\"$0\\\" > /exec\", \"$X\"]\n\
         RUN [\"touch\", \"/$X a\"]\nRUN ['sh', 'x'] 2>/dev/null || echo fell > /quotes\nRUN [ -d /etc ] && echo tested > /test\n\
         CMD ['a', \"b\"]\n",
    );
    project.build_app();
    let said = project.ask(&["run", "--rm", "app", "cat", "/shell", "/exec", "/quotes", "/test"]);
    assert_eq!(said, "value alue\nvalue $X\nfell\ntested\n");
    assert!(project.image("app").tree.contains_key("$X a"), "the exec form expands nothing");
    assert_eq!(project.config("app")["Cmd"], serde_json::json!(["/bin/sh", "-c", "['a', \"b\"]"]));
}

#[test]
#[ignore = "requires root"]
fn d101_shell_governs_the_shell_forms_and_is_kept_requires_root() {
    let project = Project::with(
        "FROM busybox AS base\nSHELL [\"/bin/busybox\", \"ash\", \"-e\", \"-c\"]\nRUN echo $- > /one; false; echo never\n",
    );
    project.build(&[]).run().exits(1);
    project.dockerfile(
        "FROM busybox AS base\nSHELL [\"/bin/busybox\", \"ash\", \"-e\", \"-c\"]\nRUN echo $- > /one\nFROM base\nRUN echo $- > /two\n\
         RUN [\"sh\", \"-c\", \"echo $- > /three\"]\nENTRYPOINT cat\nCMD ls\nHEALTHCHECK CMD check\n",
    );
    project.build_app();
    for (file, has_e) in [("/one", true), ("/two", true), ("/three", false)] {
        let flags = project.ask(&["run", "--rm", "--entrypoint", "cat", "app", file]);
        assert_eq!(flags.contains('e'), has_e, "{file}: {flags}");
    }
    let config = project.config("app");
    let shell = ["/bin/busybox", "ash", "-e", "-c"];
    assert_eq!(config["Shell"], serde_json::json!(shell));
    for (name, word) in [("Entrypoint", "cat"), ("Cmd", "ls")] {
        assert_eq!(config[name], serde_json::json!([&shell[..], &[word]].concat()), "{name}");
    }
    // A health check runs in the shell of the container, whatever it is by then.
    assert_eq!(config["Healthcheck"]["Test"], serde_json::json!(["CMD-SHELL", "check"]));
}
