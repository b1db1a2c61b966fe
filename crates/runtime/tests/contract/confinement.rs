//! What a hostile program or image cannot do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use runtime::{BindMount, BindSource, Capabilities, Cgroup, ExitStatus, Mount, Seccomp, StartError};

use super::harness::*;

fn hash(path: &Path) -> (u64, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    (bytes.len() as u64, bytes)
}

contract! {
    fn capabilities_are_dockers(executor) {
        let bed = Bed::new();
        let output = script(executor, &bed, "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status").good();
        let expected = "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n\
            CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n";
        assert_eq!(output, expected);
    }

    fn capabilities_can_be_changed(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status"]);
        spec.capabilities = Capabilities::DOCKER
            .without(Capabilities::named("MKNOD").unwrap())
            .with(Capabilities::named("NET_ADMIN").unwrap());
        spec.no_new_privileges = true;
        spec.seccomp = Seccomp::Unconfined;
        assert_eq!(run(executor, spec).good(), "CapEff:\t00000000a00435fb\nNoNewPrivs:\t1\nSeccomp:\t0\n");
    }

    fn masked_and_read_only_paths_are(executor) {
        let bed = Bed::new();
        let text = "wc -c </proc/kcore; wc -c </proc/keys; wc -c </proc/timer_list; ls /proc/acpi /sys/firmware 2>/dev/null | grep -v :; \
            (echo 1 >/proc/sys/kernel/panic) 2>/dev/null; echo $?; (echo b >/proc/sysrq-trigger) 2>/dev/null; echo $?";
        let output = script(executor, &bed, text);
        let kept: Vec<&str> = output.stdout.lines().filter(|line| !line.is_empty()).collect();
        let masked = if Path::new("/proc/kcore").exists() { 3 } else { 2 };
        assert_eq!(kept[..masked], ["0"; 3][..masked], "{output:?}");
        assert_eq!(kept[masked..], ["1", "1"], "{output:?}");
    }

    fn privileged_things_fail(executor) {
        let bed = Bed::new();
        let text = "mount -t tmpfs x /tmp 2>/dev/null && echo mount; umount /proc/keys 2>/dev/null && echo umount; \
            unshare -U true 2>/dev/null && echo userns; unshare -m true 2>/dev/null && echo mountns; \
            hostname other 2>/dev/null && echo hostname; date -s 2001-01-01 2>/dev/null >&2; date +%Y | grep 2001; \
            chroot / true || echo no chroot; true";
        assert_eq!(script(executor, &bed, text).good(), "");
    }

    fn only_three_descriptors_are_open(executor) {
        let bed = Bed::new();
        // Held open here, without CLOEXEC, to see that it does not leak.
        let file = fs::File::open("/etc/hostname").unwrap();
        let leak = rustix::io::fcntl_dupfd_cloexec(&file, 50).unwrap();
        rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
        let output = script(executor, &bed, "ls /proc/1/fd").good();
        drop(leak);
        let names: Vec<&str> = output.lines().filter(|name| !matches!(*name, "10" | "3")).collect();
        assert_eq!(names, ["0", "1", "2"], "{output}");
    }

    fn working_directories_through_procfs_are_refused(executor) {
        let bed = Bed::new();
        let mut paths: Vec<String> = (3..20).map(|number| format!("/proc/self/fd/{number}")).collect();
        paths.extend(["/proc/1/cwd", "/proc/thread-self/root", "/proc/self/root"].map(str::to_owned));
        if executor.name() != "built-in" {
            paths.truncate(1); // runc needs a while for each
        }
        for path in paths {
            let mut spec = bed.spec(&["sh", "-c", "cat ../../../../../../../../etc/hostname 2>/dev/null; ls ..; true"]);
            spec.cwd = path.clone().into();
            match run_with_input(executor, spec, b"") {
                Err(error) => assert_eq!(error.docker_code(), 125, "{}", chain(&error)),
                Ok(output) => assert!(!output.stdout.contains("vmlinuz") && !output.stdout.contains("cargo"), "{path}: {output:?}"),
            }
        }
    }

    fn the_hosts_executable_cannot_be_run_or_written(executor) {
        let bed = Bed::new();
        let own = std::env::current_exe().unwrap();
        let before = hash(&own);
        // The image brings the loader that our executable wants, so that nothing but our check can stop it.
        if let Ok(loader) = fs::canonicalize("/lib64/ld-linux-x86-64.so.2") {
            fs::create_dir_all(bed.root().join("lib64")).unwrap();
            fs::copy(loader, bed.root().join("lib64/ld-linux-x86-64.so.2")).unwrap();
        }
        symlink("/proc/self/exe", bed.root().join("bin/evil")).unwrap();
        fs::write(bed.root().join("bin/script"), "#!/proc/self/exe\n").unwrap();
        fs::set_permissions(bed.root().join("bin/script"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for program in ["/bin/evil", "evil", "/proc/self/exe", "/bin/script", "/proc/1/exe"] {
            match run_with_input(executor, bed.spec(&[program, "--list"]), b"") {
                Err(error) if executor.name() == "built-in" => {
                    assert!(matches!(error, StartError::HostExecutable { .. }), "{program}: {error:?}");
                }
                Err(_) => {}
                // runc runs its own sealed copy there.
                Ok(output) => assert_ne!(executor.name(), "built-in", "{program}: {output:?}"),
            }
        }
        script(executor, &bed, "echo overwritten >/proc/self/exe; for p in /proc/[0-9]*; do echo x >$p/exe; done 2>/dev/null; true");
        assert!(hash(&own) == before, "the test's own executable has changed");
        bed.assert_untouched();
    }

    fn kernel_mounts_take_no_symlinks_of_the_image(executor) {
        for (name, target) in [
            ("dev", "/"), ("dev", "../outside"), ("dev", "/proc"), ("proc", "/etc"), ("proc", "../outside"), ("proc", "/sys"),
            ("sys", "/"), ("sys", "../../outside"), ("sys", "/proc/sys"),
        ] {
            let bed = Bed::new();
            fs::remove_dir(bed.root().join(name)).unwrap();
            symlink(target, bed.root().join(name)).unwrap();
            let outcome = run_with_input(executor, bed.spec(&["true"]), b"");
            bed.assert_untouched();
            if executor.name() == "built-in" {
                let error = outcome.unwrap_err();
                assert!(matches!(error, StartError::MountTarget { .. }), "{name} -> {target}: {}", chain(&error));
            }
        }
    }

    fn kernel_mounts_take_no_files_of_the_image(executor) {
        for name in ["dev", "proc", "sys"] {
            let bed = Bed::new();
            fs::remove_dir(bed.root().join(name)).unwrap();
            fs::write(bed.root().join(name), "a file").unwrap();
            assert_eq!(start_error(executor, bed.spec(&["true"])).docker_code(), 125, "{name}");
        }
    }

    fn what_the_image_has_in_dev_does_not_matter(executor) {
        let bed = Bed::new();
        let sentinel = bed.outside().join("sentinel");
        for name in ["null", "console", "ptmx", "pts", "shm", "mqueue", "tty"] {
            symlink(&sentinel, bed.root().join("dev").join(name)).unwrap();
        }
        assert_eq!(script(executor, &bed, "echo x >/dev/null; stat -c %F /dev/null; wc -c </proc/keys").good(), "character special file\n0\n");
        bed.assert_untouched();
    }

    fn bind_targets_behind_hostile_links_are_confined(executor) {
        let bed = Bed::new();
        let source = tempfile::NamedTempFile::new().unwrap();
        fs::write(source.path(), "bound\n").unwrap();
        for link in ["/../../sentinel", "../../../../outside/sentinel", "../outside/made", "/proc/self/environ", "/proc/1/attr/exec"] {
            drop(fs::remove_file(bed.root().join("etc/hosts")));
            symlink(link, bed.root().join("etc/hosts")).unwrap();
            let mut spec = bed.spec(&["true"]);
            let source = BindSource::Path(source.path().to_owned());
            spec.mounts.push(Mount::Bind(BindMount { source, target: "/etc/hosts".into(), read_only: false, recursive: false }));
            let outcome = run_with_input(executor, spec, b"");
            if link.starts_with("/proc") && executor.name() == "built-in" {
                let error = outcome.unwrap_err();
                assert!(matches!(error, StartError::MountTarget { .. }), "{link}: {}", chain(&error));
            }
            bed.assert_untouched();
        }
    }

    fn nothing_is_mounted_inside_proc_or_on_the_root(executor) {
        let bed = Bed::new();
        let source = tempfile::tempdir().unwrap();
        for target in ["/proc", "/proc/sys", "/proc/self", "/"] {
            if executor.name() != "built-in" && matches!(target, "/" | "/proc/self") {
                continue; // runc has its own opinions
            }
            let mut spec = bed.spec(&["true"]);
            let source = BindSource::Path(source.path().to_owned());
            spec.mounts.push(Mount::Bind(BindMount { source, target: target.into(), read_only: false, recursive: false }));
            assert_eq!(start_error(executor, spec).docker_code(), 125, "{target}");
        }
    }

    fn devices_are_guarded_with_a_control_group_too(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "mknod /tmp/k c 1 1; mknod /tmp/b b 254 0; mknod /tmp/n c 1 3; \
            for n in k b; do head -c 1 /tmp/$n 2>/dev/null && echo open $n; done; echo x >/tmp/n && echo null; rm /tmp/?"]);
        spec.cgroup = Some(Cgroup { name: format!("onggi-contract/{}", spec.id), ..Cgroup::default() });
        let output = run(executor, spec);
        // Docker's rule: the standard devices work wherever their nodes are, nothing else does.
        assert_eq!((output.stdout.as_str(), output.status), ("null\n", ExitStatus::Exited(0)), "{output:?}");
    }

    fn a_privileged_container_is(executor) {
        let bed = Bed::new();
        let mut spec = bed.spec(&["sh", "-c", "mount -t tmpfs x /tmp && echo mounted; grep Seccomp: /proc/self/status; mknod /root/m c 1 5 && head -c 1 /root/m | wc -c"]);
        spec.make_privileged();
        assert_eq!(run(executor, spec).good(), "mounted\nSeccomp:\t0\n1\n");
    }

    fn images_with_fifos_for_folders_do_not_hang(executor) {
        for name in ["dev", "proc", "sys"] {
            let bed = Bed::new();
            fs::remove_dir(bed.root().join(name)).unwrap();
            rustix::fs::mknodat(rustix::fs::CWD, bed.root().join(name), rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o666), 0).unwrap();
            assert_eq!(start_error(executor, bed.spec(&["true"])).docker_code(), 125, "{name}");
        }
    }
}

mod wrong_formats {
    use super::*;

    /// Only where the start itself tells: other runtimes have let go before the kernel refuses.
    #[test]
    #[ignore = "requires root"]
    fn are_told_at_the_start_requires_root() {
        use std::os::unix::fs::PermissionsExt;
        let bed = Bed::new();
        let executor = built_in();
        for (name, content, code) in [
            ("text", "echo no interpreter line\n", 126),
            ("script", "#!/no/such/interpreter\n", 127),
            ("empty", "", 126),
        ] {
            let file = bed.root().join("bin").join(name);
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            for program in [format!("/bin/{name}"), name.to_owned()] {
                let error = start_error(&executor, bed.spec(&[&program]));
                assert_eq!(error.docker_code(), code, "{program}: {}", chain(&error));
            }
        }
    }
}
