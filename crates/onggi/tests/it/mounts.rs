//! What is mounted in a container (C202): host folders and files, memory, images, in which order and with which rights; and
//! mounts whose targets and sources try to lead outside (field notes 2: 1 to 5, 8, 9, 12, 30).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags};
use serde_json::{Value, json};

use crate::build_project::{Project, runtimes};

/// A folder that no container may touch, with what was in it at first.
struct Sentinel(std::path::PathBuf);

impl Sentinel {
    fn new(project: &Project) -> Self {
        let folder = project.sandbox.work().join("sentinel");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "untouched").unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o711)).unwrap();
        Self(folder)
    }

    #[track_caller]
    fn is_untouched(&self) {
        let names: Vec<_> = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"]);
        assert_eq!(fs::read_to_string(self.0.join("file")).unwrap(), "untouched");
        let metadata = fs::metadata(&self.0).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o711, 0));
    }
}

#[test]
#[ignore = "requires root"]
fn c202_host_folders_and_files_requires_root() {
    let project = Project::new();
    project.file("here/file", "host\n");
    let here = project.sandbox.work().join("here").display().to_string();
    for flags in runtimes("c202_host_folders_and_files") {
        let run = |words: &[&str]| project.run_once(&[flags, words].concat());
        let read = |flag: &[&str]| run(&[flag, &["busybox", "cat", "/x/file"]].concat()).success().stdout;
        let mount = format!("type=bind,src={here},dst=/x,readonly");
        for flag in [&["-v", "./here:/x"][..], &["-v", &format!("{here}:/x:ro,z")], &["--mount", &mount]] {
            assert_eq!(read(flag), "host\n", "{flag:?}");
        }
        // Over a file, and a file over what is not there.
        let file = format!("{here}/file:/etc/passwd");
        assert_eq!(run(&["-v", &file, "-u", "0", "busybox", "cat", "/etc/passwd"]).success().stdout, "host\n");
        let file = format!("{here}/file:/new/deep/file:ro");
        assert_eq!(run(&["-v", &file, "busybox", "cat", "/new/deep/file"]).success().stdout, "host\n");
        let refused = run(&["--mount", &mount, "busybox", "sh", "-c", "echo x >/x/new"]).exits(1);
        assert!(refused.stderr.contains("Read-only file system"), "{}", refused.stderr);
        // A folder on a file, and the other way round.
        let volume = format!("{here}:/etc/passwd");
        run(&["-v", &volume, "busybox", "true"]).exits(125);
        let volume = format!("{here}/file:/etc");
        run(&["-v", &volume, "busybox", "true"]).exits(125);
    }
    // `-v` makes a missing folder, `--mount` does not.
    let made = project.sandbox.work().join("made/deep");
    project.run_once(&["-v", &format!("{}:/x", made.display()), "busybox", "touch", "/x/y"]).success();
    assert!(made.join("y").exists());
    assert_eq!(fs::metadata(&made).unwrap().mode() & 0o7777, 0o755);
    let refused = project.run_once(&["--mount", "type=bind,source=/no/such,target=/x", "busybox", "true"]).exits(125);
    assert_eq!(
        refused.stderr,
        "error: invalid mount config for type \"bind\": bind source path does not exist: /no/such\nhint: make the folder \
         first: `mkdir -p /no/such`\n"
    );
    let twice = project.run_once(&["-v", "v1:/x", "--mount", "type=tmpfs,target=/x/", "busybox", "true"]).exits(125);
    assert_eq!(twice.stderr, "error: Duplicate mount point: /x\n");
    let wrong = project.run_once(&["--mount", "type=bind,source=/tmp", "busybox", "true"]).exits(125);
    assert_eq!(
        wrong.stderr,
        "error: invalid argument \"type=bind,source=/tmp\" for \"--mount\" flag: target is required\n"
    );
    assert_eq!(project.ask(&["volume", "ls", "-q"]), "", "nothing is made for what is refused");
}

#[test]
#[ignore = "requires root"]
fn c202_folders_in_memory_requires_root() {
    let project =
        Project::with("FROM busybox\nRUN mkdir -m 2750 /data && echo x >/data/file && chown 7:8 /data\nVOLUME /data\n");
    project.build_app();
    for flags in runtimes("c202_folders_in_memory") {
        let run = |words: &[&str]| project.run_once(&[flags, words].concat());
        let look = |target: &str| {
            format!("stat -c %a {target}; ls {target}; grep ' {target} ' /proc/mounts | cut -d' ' -f3-4")
        };
        for (mount, target, expected) in [
            (&["--tmpfs", "/x"][..], "/x", &["1777\n", "tmpfs rw,nosuid,nodev,noexec,relatime"][..]),
            (&["--tmpfs", "/data"], "/data", &["2750\n", "mode=2750"]),
            (&["--tmpfs", "/data:size=1m,mode=0700,exec"], "/data", &["700\n", "size=1024k,mode=700"]),
            (&["--mount", "type=tmpfs,dst=/x,tmpfs-size=2m,tmpfs-mode=700"], "/x", &["700\n", "size=2048k"]),
        ] {
            let output = run(&[mount, &["app", "sh", "-c", &look(target)]].concat()).success();
            assert!(expected.iter().all(|part| output.stdout.contains(part)), "{mount:?}: {}", output.stdout);
            assert!(!output.stdout.contains("file"), "{mount:?}: in place of the VOLUME");
        }
        let exec = "cp /bin/busybox /x/true && /x/true";
        run(&["--tmpfs", "/x:exec", "app", "sh", "-c", exec]).success();
        run(&["--tmpfs", "/x", "app", "sh", "-c", exec]).exits(126);
        let shm = "df /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2";
        for (size, blocks) in [(&["--shm-size", "1m"][..], "1024\n"), (&["--shm-size=0"], "65536\n"), (&[], "65536\n")]
        {
            assert_eq!(run(&[size, &["app", "sh", "-c", shm]].concat()).success().stdout, blocks);
        }
    }
    for (words, message) in [
        (&["--tmpfs", "/x:foo"][..], "invalid tmpfs option \"foo\""),
        (&["--tmpfs", "x"], "invalid mount path: 'x' mount path must be absolute"),
        (&["--shm-size", "abc"], "invalid argument \"abc\" for \"--shm-size\" flag: invalid size: 'abc'"),
        (&["--tmpfs", "/x:size=abc"], "cannot mount a folder in memory"),
    ] {
        let refused = project.run_once(&[words, &["app", "true"]].concat()).exits(125);
        assert!(refused.stderr.starts_with(&format!("error: {message}\n")), "{}", refused.stderr);
    }
}

#[test]
#[ignore = "requires root"]
fn c202_a_read_only_root_has_writable_mounts_requires_root() {
    let project = Project::with("FROM busybox\nRUN mkdir /vol\nVOLUME /vol\n");
    project.build_app();
    for flags in runtimes("c202_a_read_only_root_has_writable_mounts") {
        let script = "for f in /a /etc/a /x/a /y/a /vol/a /dev/shm/a; do touch $f 2>/dev/null && echo $f; done; echo >>/etc/hosts";
        let words = ["--read-only", "--tmpfs", "/x", "-v", "v1:/y", "app", "sh", "-c", script];
        let output = project.run_once(&[flags, &words].concat()).success();
        assert_eq!(output.stdout, "/x/a\n/y/a\n/vol/a\n/dev/shm/a\n", "{flags:?}");
    }
}

#[test]
#[ignore = "requires root"]
fn c202_files_of_an_image_requires_root() {
    let project = Project::with("FROM busybox\nRUN mkdir -p /tool/bin && echo t >/tool/bin/t && ln -s / /tool/up\n");
    project.build(&["-t", "tool"]).run().success();
    for flags in runtimes("c202_files_of_an_image") {
        let run = |mount: &str, script: &str| {
            project.run_once(&[flags, &["--mount", mount, "busybox", "sh", "-c", script]].concat())
        };
        let whole = run("type=image,source=tool,target=/x", "cat /x/tool/bin/t; touch /x/new 2>&1 | grep -o Read-only");
        assert_eq!(whole.success().stdout, "t\nRead-only\n");
        let part = run("type=image,source=tool,target=/x,image-subpath=tool/bin", "ls /x");
        assert_eq!(part.success().stdout, "t\n");
        // Links lead to where they lead in the image.
        let link = run("type=image,source=tool,target=/x,image-subpath=tool/up/tool/bin", "ls /x");
        assert_eq!(link.success().stdout, "t\n");
        let missing = run("type=image,source=tool,target=/x,image-subpath=nope", "true").exits(125);
        assert!(missing.stderr.contains("cannot find /nope in what is to be mounted"), "{}", missing.stderr);
    }
    let missing = project.run_once(&["--mount", "type=image,source=nope,target=/x", "busybox", "true"]).exits(125);
    assert!(missing.stderr.starts_with("error: no such image: nope\n"), "{}", missing.stderr);
}

/// Whatever the order of the flags, inner mounts are seen on outer ones.
#[test]
#[ignore = "requires root"]
fn c202_inner_mounts_come_last_requires_root() {
    let project = Project::new();
    project.file("file", "file\n").file("folder/own", "own\n");
    let work = project.sandbox.work().display().to_string();
    let flags = [
        "-v".to_owned(),
        format!("{work}/file:/a/b/c/file"),
        "-v".to_owned(),
        "v1:/a/b".to_owned(),
        "--tmpfs".to_owned(),
        "/a".to_owned(),
        "--mount".to_owned(),
        format!("type=bind,source={work}/folder,target=/etc"),
    ];
    let mut words: Vec<&str> = flags.iter().map(String::as_str).collect();
    words.extend(["busybox", "sh", "-c", "cat /a/b/c/file /etc/own; grep -c localhost /etc/hosts; touch /a/b/c/x"]);
    let output = project.run_once(&words).success();
    assert!(output.stdout.starts_with("file\nown\n"), "{}", output.stdout);
    assert!(project.sandbox.root().join("volumes/v1/_data/c/x").exists());
}

/// What a link of the image leads to is made where it is missing, inside: `/etc/resolv.conf` is such a link in many images.
#[test]
#[ignore = "requires root"]
fn c202_targets_that_are_links_into_nothing_requires_root() {
    let project = Project::with("FROM busybox\nCOPY links /\nVOLUME /data\n");
    let links = project.sandbox.work().join("links");
    fs::create_dir_all(links.join("etc")).unwrap();
    symlink("../run/resolve/stub.conf", links.join("etc/resolv.conf")).unwrap();
    symlink("/store/data", links.join("data")).unwrap();
    project.build_app();
    for flags in runtimes("c202_targets_that_are_links_into_nothing") {
        let script =
            "touch /data/x && ls /store/data && test -f /run/resolve/stub.conf && echo >>/etc/resolv.conf && echo fine";
        let output = project.run_once(&[flags, &["app", "sh", "-c", script]].concat());
        assert_eq!(output.success().stdout, "x\nfine\n", "{flags:?}");
    }
    project.nothing_runs();
}

/// What was mounted on the host later is seen with `rslave`, and never with the default.
#[test]
#[ignore = "requires root"]
fn c202_propagation_requires_root() {
    let project = Project::new();
    let work = project.sandbox.work();
    // A tmpfs in a mount namespace of its own, shared there, so that the host is left as it is.
    let script = format!(
        "set -e; mkdir {0}/m; mount -t tmpfs none {0}/m; mkdir {0}/m/later; \
         $ONGGI run --rm --network none --name private -v {0}/m:/x:rslave busybox true 2>&1 | grep -o 'is not a shared or slave mount'; \
         mount --make-shared {0}/m; \
         for mode in rprivate rslave; do \
           $ONGGI run -d --network none --name $mode -v {0}/m:/x:$mode busybox sleep 1000 >/dev/null; done; \
         mount -t tmpfs later {0}/m/later; \
         for mode in rprivate rslave; do \
           pid=$($ONGGI inspect -f '{{{{.State.Pid}}}}' $mode); \
           echo $mode $(grep -c ' /x/later ' /proc/$pid/mounts); done; \
         $ONGGI rm -f rprivate rslave >/dev/null; umount {0}/m/later {0}/m",
        work.display()
    );
    let command = project.sandbox.command("unshare").arguments(["-m", "--propagation", "private", "sh", "-c", &script]);
    let output = command.env("ONGGI", testkit::binary()).run().success();
    assert_eq!(output.stdout, "is not a shared or slave mount\nrprivate 0\nrslave 1\n");
}

#[test]
#[ignore = "requires root"]
fn c202_inspect_shows_what_is_mounted_requires_root() {
    let project = Project::with("FROM busybox\nVOLUME /vol\n");
    project.build_app();
    let words =
        ["-v", "v1:/y:ro", "-v", "/anon", "-v", "/tmp:/t", "--tmpfs", "/tt:size=1m", "--read-only", "--shm-size", "1m"];
    let mount = ["--mount", "type=volume,src=v1,dst=/z,volume-nocopy", "--mount", "type=tmpfs,dst=/ttt,tmpfs-size=1m"];
    project
        .onggi([&["run", "--network", "none", "--name", "it"][..], &words, &mount, &["app", "true"]].concat())
        .run()
        .success();
    let list: Value = serde_json::from_str(&project.ask(&["container", "inspect", "it"])).unwrap();
    let (host, mounts) = (&list[0]["HostConfig"], list[0]["Mounts"].as_array().unwrap());
    assert_eq!(host["Binds"], json!(["v1:/y:ro", "/tmp:/t"]));
    assert_eq!(host["Tmpfs"], json!({"/tt": "size=1m"}));
    assert_eq!((&host["ReadonlyRootfs"], &host["ShmSize"]), (&json!(true), &json!(1 << 20)));
    assert_eq!(
        host["Mounts"][0],
        json!({"Type": "volume", "Source": "v1", "Target": "/z", "VolumeOptions": {"NoCopy": true}})
    );
    assert_eq!(host["Mounts"][1], json!({"Type": "tmpfs", "Target": "/ttt", "TmpfsOptions": {"SizeBytes": 1 << 20}}));
    assert_eq!(list[0]["Config"]["Volumes"], json!({"/anon": {}, "/vol": {}}));
    let find = |target: &str| mounts.iter().find(|mount| mount["Destination"] == target).unwrap();
    let source = project.sandbox.root().join("volumes/v1/_data");
    assert_eq!(
        *find("/y"),
        json!({"Type": "volume", "Name": "v1", "Source": source, "Destination": "/y", "Driver": "local", "Mode": "ro", "RW": false, "Propagation": ""})
    );
    assert_eq!(
        *find("/t"),
        json!({"Type": "bind", "Source": "/tmp", "Destination": "/t", "Mode": "", "RW": true, "Propagation": "rprivate"})
    );
    assert_eq!((&find("/vol")["Mode"], &find("/z")["Mode"], mounts.len()), (&json!(""), &json!("z"), 6));
    let anonymous = project.container("it", "{{range .Mounts}}{{if eq .Destination \"/anon\"}}{{.Name}}{{end}}{{end}}");
    assert_eq!(anonymous.len(), 64);
}

/// Links and odd files of an image at and above the targets of mounts.
#[test]
#[ignore = "requires root"]
fn c202_targets_never_lead_outside_requires_root() {
    let project = Project::with(
        "FROM busybox\n\
         RUN ln -s /../../../../../../../sentinel /abs && mkdir -p /a/b && ln -s ../../../../../../../../sentinel /a/rel \
         && ln -s /proc /p && ln -s /proc/self/root /jump && ln -s loop /loop\n\
         VOLUME /../../../a/y\n",
    );
    let sentinel = Sentinel::new(&project);
    let hidden = sentinel.0.display().to_string();
    project.build(&["-t", "app", "--build-arg", "X=1"]).run().success();
    for target in ["/abs", "/abs/deep/er", "/a/rel/z", "/../../../../etc/x", "/a/../../../abs/q"] {
        for volume in [format!("evil:{target}"), format!("{}:{target}", project.sandbox.work().join("new").display())] {
            // In the image there is no `/sentinel`; what is made for it is made inside.
            let output = project.run_once(&["-v", &volume, "app", "sh", "-c", "echo started"]);
            assert!(output.stdout == "started\n" || output.code == 125, "{volume}: {}", output.stderr);
        }
    }
    for target in ["/proc", "/proc/1", "/p", "/p/sys", "/jump/etc", "/loop", "/loop/x", "/sys/../proc/self"] {
        let output = project.run_once(&["-v", &format!("evil:{target}"), "app", "true"]).exits(125);
        assert!(output.stderr.starts_with("error: cannot "), "{target}: {}", output.stderr);
    }
    assert!(!std::path::Path::new("/sentinel").exists());
    // A volume that was filled with links by one container, and is mounted in another (CVE-2025-9566).
    let script = format!("ln -sfn {hidden} /v/dir; ln -sfn {hidden}/file /v/file; ln -sfn / /v/root");
    project.run_once(&["-v", "seeded:/v", "app", "sh", "-c", &script]).success();
    for subpath in ["dir", "file", "root/../../..", "../seeded/_data", "dir/../.."] {
        let mount = format!("type=volume,source=seeded,target=/x,volume-subpath={subpath}");
        let script = format!("test -e /x/file -a -s /x/file && cat /x/file; ls /x{hidden} 2>/dev/null; true");
        let output = project.run_once(&["--mount", &mount, "busybox", "sh", "-c", &script]);
        assert!(!output.stdout.contains("untouched"), "{subpath}: {}", output.stdout);
    }
    for inner in ["/v/dir/new", "/v/file", "/v/root/etc/evil"] {
        let output = project.run_once(&["-v", "seeded:/v", "-v", &format!("inner:{inner}"), "busybox", "true"]);
        assert!([0, 125].contains(&output.code), "{inner}");
    }
    sentinel.is_untouched();
    project.nothing_runs();
}

/// A container swaps a folder and a link in a shared volume while others mount below it.
#[test]
#[ignore = "requires root"]
fn c202_swapped_targets_and_subpaths_stay_inside_requires_root() {
    let project = Project::new();
    let sentinel = Sentinel::new(&project);
    project.run_once(&["-v", "v1:/v", "busybox", "mkdir", "-p", "/v/sub/in"]).success();
    let data = project.sandbox.root().join("volumes/v1/_data");
    symlink(&sentinel.0, data.join("link")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, data.join("sub"), CWD, data.join("link"), RenameFlags::EXCHANGE)
                    .unwrap();
            }
        });
        for _ in 0..40 {
            let words = ["-v", "v1:/v", "-v", "inner:/v/sub/in/new", "busybox", "touch", "/v/sub/in/new/x"];
            let output = project.run_once(&words);
            assert!([0, 1, 125].contains(&output.code), "{}", output.stderr);
            let mount = "type=volume,source=v1,target=/x,volume-subpath=sub";
            let output = project.run_once(&["--mount", mount, "busybox", "sh", "-c", "ls /x; touch /x/made"]);
            assert!(!output.stdout.contains("file"), "{}", output.stdout);
        }
        done.store(true, Ordering::Relaxed);
    });
    sentinel.is_untouched();
}
