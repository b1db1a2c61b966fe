//! Mounts: which there are, what they allow, where they may be.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use runtime::{BindMount, BindSource, ContainerSpec, Device, ExitStatus, FileMount, Mount, TmpfsMount};

use super::harness::*;

fn bind(source: impl AsRef<Path>, target: &str, read_only: bool) -> Mount {
    let source = BindSource::Path(source.as_ref().to_owned());
    Mount::Bind(BindMount { source, target: target.into(), read_only, recursive: true })
}

fn with_mount(bed: &Bed, text: &str, mount: Mount) -> ContainerSpec {
    let mut spec = bed.spec(&["sh", "-c", text]);
    spec.mounts.push(mount);
    spec
}

contract! {
    fn the_standard_mounts_are_there(executor) {
        let bed = Bed::new();
        let output = script(executor, &bed, "cat /proc/mounts").good();
        let line = |target: &str| {
            let found = output.lines().rev().find(|line| line.split(' ').nth(1) == Some(target));
            found.unwrap_or_else(|| panic!("{target} in\n{output}")).to_owned()
        };
        for (target, kind, options) in [
            ("/proc", "proc", "rw,nosuid,nodev,noexec"),
            ("/dev", "tmpfs", "rw,nosuid"),
            ("/dev/pts", "devpts", "rw,nosuid,noexec"),
            ("/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec"),
            ("/dev/shm", "tmpfs", "rw,nosuid,nodev,noexec"),
            ("/sys", "sysfs", "ro,nosuid,nodev,noexec"),
            ("/proc/sys", "proc", "ro,"),
        ] {
            let line = line(target);
            assert!(line.contains(&format!(" {kind} {options}")), "{line}");
        }
        assert!(line("/dev/shm").contains("size=65536k"));
    }

    fn devices_work_and_links_lead_somewhere(executor) {
        let bed = Bed::new();
        let text = "echo x >/dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c && \
            { echo x >/dev/full; } 2>/dev/null || echo full; for l in fd stdin stdout ptmx; do readlink /dev/$l; done; ls /dev";
        let output = script(executor, &bed, text).good();
        assert!(output.starts_with("4\n4\nfull\n/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\npts/ptmx\n"), "{output}");
        for name in ["null", "zero", "full", "random", "urandom", "tty", "shm", "mqueue", "pts"] {
            assert!(output.lines().any(|line| line == name), "{name} in {output}");
        }
    }

    fn a_made_device_cannot_be_used(executor) {
        let bed = Bed::new();
        // 1:1 is the host's memory, 8:0 and 254:0 its disks; wherever the nodes are made, they are dead.
        let text = "for d in /tmp /dev /root; do mknod $d/k c 1 1; mknod $d/b b 254 0; mknod $d/s b 8 0; mknod $d/t c 4 0; \
            for n in k b s t; do head -c 1 $d/$n 2>/dev/null && echo open $d/$n; done; done; rm -f /tmp/? /root/?; true";
        let output = script(executor, &bed, text);
        assert!(!output.stdout.contains("open"), "{output:?}");
        assert_eq!(output.status, ExitStatus::Exited(0));
    }

    fn a_device_of_the_host_can_be_given(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "stat -c %t:%T /dev/given /dev/sub/dir; head -c 3 /dev/given | wc -c"]);
        for target in ["/dev/given", "/dev/sub/dir"] {
            spec.devices.push(Device { source: "/dev/zero".into(), target: target.into(), access: "rwm".into() });
        }
        assert_eq!(run(executor, spec).good(), "1:5\n1:5\n3\n");
    }

    fn a_read_only_root_is(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "touch /file 2>/dev/null; echo $?; touch /tmp/file 2>/dev/null; echo $?; touch /dev/shm/file; echo $?; pwd"]);
        spec.readonly_rootfs = true;
        spec.cwd = "/made".into();
        let output = run(executor, spec);
        if executor.name() == "built-in" {
            assert_eq!(output.good(), "1\n1\n0\n/made\n");
        }
        assert!(!bed.root().join("file").exists());
    }

    fn a_tmpfs_is_as_asked(executor) {
        let bed = Bed::new();
        let tmpfs = TmpfsMount { target: "/scratch/deep".into(), size: Some(1 << 20), mode: 0o1777, no_exec: true, read_only: false };
        let text = "cd /scratch/deep && stat -c %a . && cp /bin/busybox /scratch/deep/x 2>/dev/null; echo $?; grep /scratch/deep /proc/mounts";
        let output = run(executor, with_mount(&bed, text, Mount::Tmpfs(tmpfs))).good();
        assert!(output.starts_with("1777\n1\n"), "{output}");
        assert!(output.contains("nosuid,nodev,noexec") && output.contains("size=1024k"), "{output}");
        assert_eq!(fs::read_dir(bed.root().join("scratch/deep")).unwrap().count(), 0);
    }

    fn a_bind_mount_is_writable_or_not(executor) {
        let bed = Bed::new();
        let source = tempfile::tempdir().unwrap();
        fs::write(source.path().join("file"), "content").unwrap();
        let text = "cat /data/file; echo more >/data/new 2>/dev/null; echo $?";
        assert_eq!(run(executor, with_mount(&bed, text, bind(source.path(), "/data", true))).good(), "content1\n");
        assert!(!source.path().join("new").exists());
        assert_eq!(run(executor, with_mount(&bed, text, bind(source.path(), "/data", false))).good(), "content0\n");
        assert_eq!(fs::read_to_string(source.path().join("new")).unwrap(), "more\n");
    }

    fn single_files_are_bound_over_stubs(executor) {
        let bed = Bed::new();
        let source = tempfile::NamedTempFile::new().unwrap();
        fs::write(source.path(), "127.0.0.1 here\n").unwrap();
        fs::write(bed.root().join("etc/hosts"), "image's own").unwrap();
        let mount = bind(source.path(), "/etc/hosts", false);
        assert_eq!(run(executor, with_mount(&bed, "cat /etc/hosts", mount)).good(), "127.0.0.1 here\n");
        assert_eq!(fs::read_to_string(bed.root().join("etc/hosts")).unwrap(), "image's own");
        let mount = bind(source.path(), "/etc/new/file", true);
        assert_eq!(run(executor, with_mount(&bed, "cat /etc/new/file", mount)).good(), "127.0.0.1 here\n");
        assert!(bed.root().join("etc/new/file").is_file());
    }

    fn a_descriptor_can_be_bound(executor) {
        let bed = Bed::new();
        let source = tempfile::tempdir().unwrap();
        fs::write(source.path().join("file"), "by descriptor").unwrap();
        let open = || -> OwnedFd { fs::File::open(source.path()).unwrap().into() };
        let mut spec = bed.spec(&["sh", "-c", "cat /a/file /b/file; touch /b/x 2>/dev/null || echo refused"]);
        let mount = |source, target: &str, read_only| {
            Mount::Bind(BindMount { source, target: target.into(), read_only, recursive: false })
        };
        spec.mounts.push(mount(BindSource::File(open()), "/a", false));
        spec.mounts.push(mount(BindSource::Mount(bed.mount()), "/c", false));
        spec.mounts.push(mount(BindSource::File(open()), "/b", true));
        assert_eq!(run(executor, spec).good(), "by descriptorby descriptorrefused\n");
    }

    fn d105_a_file_in_memory_has_mode_and_owner_and_is_read_only(executor) {
        let bed = Bed::new();
        let text = "cat /run/secrets/deep/one; stat -c '%a %u %g %h' /run/secrets/deep/one; \
            echo x >/run/secrets/deep/one 2>/dev/null || echo refused; grep /run/secrets/two /proc/mounts; ls -A /dev";
        let mut spec = bed.spec(&["sh", "-c", text]);
        let content = [b"canary\n".repeat(20_000)].concat();
        let file = |target: &str, content: &[u8], mode, executable| {
            Mount::File(FileMount { target: target.into(), content: content.to_vec(), mode, uid: 5, gid: 7, executable })
        };
        assert!(!format!("{:?}", file("/a", b"canary", 0o400, false)).contains("canary"));
        spec.mounts.push(file("/run/secrets/deep/one", &content, 0o440, false));
        spec.mounts.push(file("/run/secrets/two", b"", 0o400, false));
        let output = run(executor, spec).good();
        let rest = output.strip_prefix(std::str::from_utf8(&content).unwrap()).unwrap_or_else(|| panic!("{output}"));
        assert!(rest.starts_with("440 5 7 1\n") && rest.contains("refused\n"), "{rest}");
        let line = rest.lines().find(|line| line.contains(" /run/secrets/two ")).unwrap();
        assert!(line.contains(" ro,nosuid,nodev,noexec"), "{line}");
        assert!(!rest.contains(".file\n"), "{rest}");
    }

    fn d120_a_script_in_memory_can_be_executed(executor) {
        let bed = Bed::new();
        let content = b"#!/bin/sh\necho run by $0\n".to_vec();
        let target = "/dev/pipes/EOF";
        let mut spec = bed.spec(&["/bin/sh", "-c", target]);
        spec.mounts.push(Mount::File(FileMount {
            target: target.into(),
            content,
            mode: 0o755,
            uid: 0,
            gid: 0,
            executable: true,
        }));
        spec.user.uid = 1000;
        assert_eq!(run(executor, spec).good(), "run by /dev/pipes/EOF\n");
    }

    fn d102_a_path_within_a_mount_never_leads_out_of_it(executor) {
        let bed = Bed::new();
        let inner = Bed::new();
        fs::create_dir_all(inner.root().join("tree/sub")).unwrap();
        fs::write(inner.root().join("tree/sub/file"), "inside").unwrap();
        symlink("/tree/sub", inner.root().join("absolute")).unwrap();
        symlink("../../../../tree", inner.root().join("up")).unwrap();
        symlink(inner.outside(), inner.root().join("escape")).unwrap();
        let within = |path: &str, target: &str, read_only| {
            let source = BindSource::Within { mount: inner.mount(), path: path.into() };
            Mount::Bind(BindMount { source, target: target.into(), read_only, recursive: false })
        };
        let text = "cat /a/file /b/sub/file /c; touch /a/new 2>/dev/null || echo refused; ls -A /dev /a /b";
        let mut spec = bed.spec(&["sh", "-c", text]);
        spec.mounts.push(within("/absolute", "/a", true));
        spec.mounts.push(within("/up", "/b", false));
        spec.mounts.push(within("/tree/sub/file", "/c", true));
        let output = run(executor, spec).good();
        assert!(output.starts_with("insideinsideinsiderefused\n"), "{output}");
        assert!(!output.contains(".mount"), "{output}");
        for path in ["/escape", "/no/such", "/absolute/../../../../outside"] {
            let error = start_error(executor, with_mount(&bed, "true", within(path, "/a", true)));
            assert_eq!(error.docker_code(), 125);
        }
        bed.assert_untouched();
        inner.assert_untouched();
    }

    fn a_missing_source_is_an_error(executor) {
        let bed = Bed::new();
        let error = start_error(executor, with_mount(&bed, "true", bind("/no/such/source", "/data", false)));
        assert_eq!(error.docker_code(), 125);
        assert!(error.to_string().contains("/no/such/source"), "{}", chain(&error));
    }

    fn c205_an_init_becomes_process_one(executor) {
        let bed = Bed::new();
        let text = "readlink /proc/1/exe; (sleep 0.05 & exec true) ; sleep 0.2; ps -o stat,args | grep -c ^Z; exit 7";
        let mut spec = bed.spec(&["sh", "-c", text]);
        spec.init = true;
        let output = run(executor, spec);
        assert_eq!((output.status, output.stdout.as_str()), (ExitStatus::Exited(7), "/dev/.init\n0\n"), "{output:?}");
        let mut spec = bed.spec(&["nope"]);
        spec.init = true;
        let output = run(executor, spec);
        assert_eq!((output.status, output.stderr.as_str()), (ExitStatus::Exited(127), "exec nope: no such file or directory\n"));
    }

    fn c205_an_init_hands_signals_on(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"]);
        spec.init = true;
        let (process, mut streams) = start(executor, spec);
        streams[1].read_exact(&mut [0; 6]).unwrap();
        process.signal(15).unwrap();
        assert_eq!(process.wait().unwrap(), ExitStatus::Exited(9));
    }

    fn a_target_behind_a_symlink_stays_inside(executor) {
        let bed = Bed::new();
        let source = tempfile::tempdir().unwrap();
        fs::write(source.path().join("file"), "bound").unwrap();
        symlink(bed.outside(), bed.root().join("absolute")).unwrap();
        symlink("../outside", bed.root().join("relative")).unwrap();
        for target in ["/absolute", "/absolute/new", "/relative", "/relative/new", "/../../outside/x"] {
            // Confined or refused, both are right; the host must not change.
            let outcome = run_with_input(executor, with_mount(&bed, "true", bind(source.path(), target, false)), b"");
            drop(outcome);
            bed.assert_untouched();
        }
    }
}
