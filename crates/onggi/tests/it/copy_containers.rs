//! `cp` both ways (C230): Docker's rules of what goes where, as docker 28 was seen to follow them; owners, links, tars; and
//! containers that try to lead it outside (CVE-2018-15664, CVE-2019-10152, field notes 2: 8 and 16).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags};
use testkit::Output;

use crate::build_project::Project;

/// What a container has in `/w`, and its volume in `/kv`.
const SCRIPT: &str = "mkdir -p /w/d && echo q >/w/d/q && ln -s /w/d /w/ld && ln -s ../../../../../../etc /w/esc && \
     ln -s nothing /w/dang && echo f >/w/f && echo kv >/kv/file && touch /ready && exec sleep 1000";

/// A container that runs, `kk`, and one that has ended, `ss`, with the same files; and a folder `src` beside a `file`.
fn project() -> Project {
    let project = Project::new();
    for (name, script) in [("kk", SCRIPT), ("ss", &SCRIPT.replace("exec sleep 1000", "true"))] {
        let volume = format!("v-{name}:/kv");
        project.start(&["--network", "none", "--name", name, "-v", &volume, "busybox", "sh", "-c", script]);
    }
    project.onggi(["wait", "ss"]).run().success();
    crate::containers::wait_until("it is ready", || project.onggi(["cp", "kk:/ready", "-"]).run().code == 0);
    project.file("src/a", "one\n").file("src/sub/b", "two\n").file("file", "x");
    let work = project.sandbox.work();
    symlink("a", work.join("src/l")).unwrap();
    symlink("/etc/hostname", work.join("src/abs")).unwrap();
    fs::hard_link(work.join("src/a"), work.join("src/hard")).unwrap();
    for name in ["src", "src/a", "src/sub", "src/sub/b", "file"] {
        chown(work.join(name), Some(1000), Some(1001)).unwrap();
    }
    fs::set_permissions(work.join("src/a"), PermissionsExt::from_mode(0o4755)).unwrap();
    project
}

impl Project {
    fn cp(&self, words: &[&str]) -> Output {
        self.onggi([&["cp"], words].concat()).run()
    }

    /// What is in a folder of a container, by name: kind, owner, mode and content.
    #[track_caller]
    fn listing(&self, container: &str, path: &str) -> BTreeMap<String, String> {
        let out = self.sandbox.path().join("listing");
        if out.exists() {
            fs::remove_dir_all(&out).unwrap();
        }
        self.cp(&["-a", &format!("{container}:{path}/."), out.to_str().unwrap()]).success();
        listing(&out)
    }
}

fn listing(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner)).unwrap() {
            let entry = entry.unwrap();
            let (path, metadata) = (inner.join(entry.file_name()), fs::symlink_metadata(entry.path()).unwrap());
            let kind = match metadata.file_type() {
                kind if kind.is_dir() => {
                    folders.push(path.clone());
                    "/".to_owned()
                }
                kind if kind.is_symlink() => format!("-> {}", fs::read_link(entry.path()).unwrap().display()),
                kind if kind.is_file() => fs::read_to_string(entry.path()).unwrap(),
                kind if kind.is_fifo() => "pipe".to_owned(),
                _ => "other".to_owned(),
            };
            let (mode, owner) = (metadata.mode() & 0o7777, (metadata.uid(), metadata.gid()));
            all.insert(path.display().to_string(), format!("{}:{} {mode:o} {kind}", owner.0, owner.1));
        }
    }
    all
}

#[test]
#[ignore = "requires root"]
fn c230_into_a_container_requires_root() {
    let project = project();
    for name in ["kk", "ss"] {
        let at = |path: &str| format!("{name}:{path}");
        let src = ["a", "abs", "hard", "l", "sub", "sub/b"];
        let names = |path: &str| project.listing(name, path).into_keys().collect::<Vec<_>>();
        // A folder that is not there, then one that is; what is in the folder; with a slash behind.
        project.cp(&["src", &at("/new")]).success();
        assert_eq!(names("/new"), src);
        project.cp(&["src", &at("/new")]).success();
        assert!(names("/new").contains(&"src/sub/b".to_owned()));
        project.cp(&["src/.", &at("/new2")]).success();
        assert_eq!(names("/new2"), src);
        project.cp(&["src/", &at("/new3/")]).success();
        project.cp(&["src/.", &at("/new3/")]).success();
        assert_eq!(names("/new3"), src);
        // Owners, modes and links are as they were.
        let new = project.listing(name, "/new2");
        assert_eq!(new["a"], "1000:1001 4755 one\n");
        assert_eq!(new["abs"], "0:0 777 -> /etc/hostname");
        assert_eq!(new["sub"], "1000:1001 755 /");
        let out = project.sandbox.path().join("listing");
        assert_eq!(fs::metadata(out.join("a")).unwrap().ino(), fs::metadata(out.join("hard")).unwrap().ino());
        // A file: into a folder, in the place of another, by a new name, through links, to a relative path.
        for (target, path, content) in [
            ("/w", "/w/file", "x"),
            ("/w/f", "/w/f", "x"),
            ("/w/new", "/w/new", "x"),
            ("/w/d/.", "/w/d/file", "x"),
            ("/w/ld", "/w/d/file", "x"),
            ("/w/dang", "/w/nothing", "x"),
            ("w/rel", "/w/rel", "x"),
            ("/kv/", "/kv/file", "x"),
            ("/../../w/up", "/w/up", "x"),
            ("/w/esc/passwd", "/etc/passwd", "x"),
        ] {
            project.cp(&["file", &at(target)]).success();
            let read = project.cp(&[&at(path), "-"]).success();
            assert!(read.stdout.contains(content), "{target}");
        }
        assert_eq!(project.listing(name, "/w")["dang"], "0:0 777 -> nothing");
        assert_eq!(
            fs::read_to_string(project.sandbox.root().join(format!("volumes/v-{name}/_data/file"))).unwrap(),
            "x"
        );
        project.cp(&["src/l", &at("/w/")]).success();
        project.cp(&["-L", "src/l", &at("/w/l2")]).success();
        let w = project.listing(name, "/w");
        assert_eq!((&*w["l"], &*w["l2"]), ("0:0 777 -> a", "1000:1001 4755 one\n"));
        for (source, target, message) in [
            ("src", "/nope/x", format!("could not find the file /nope in container {name}")),
            ("file", "/nope/x", format!("could not find the file /nope in container {name}")),
            ("file", "/nope/", "no such directory".to_owned()),
            ("file", "/w/f/", "no such directory".to_owned()),
            ("src", "/w/f", "cannot copy directory".to_owned()),
            ("src/.", "/w/f", "cannot copy directory".to_owned()),
            ("file/", "/w", "not a directory".to_owned()),
            ("file/.", "/w", "not a directory".to_owned()),
        ] {
            let refused = project.cp(&[source, &at(target)]).exits(1);
            assert_eq!(refused.stderr, format!("error: {message}\n"), "{source} to {target}");
        }
        let missing = project.cp(&["nofile", &at("/w")]).exits(1);
        assert!(missing.stderr.contains("/work/nofile: no such file or directory"), "{}", missing.stderr);
        project.file("src2/a/x", "").file("src3/sub", "");
        for (source, message) in [
            ("src2/.", "cannot overwrite non-directory \"a\" with directory \"/new\""),
            ("src3/.", "cannot overwrite directory \"sub\" with non-directory \"/new\""),
        ] {
            assert_eq!(project.cp(&[source, &at("/new")]).exits(1).stderr, format!("error: {message}\n"));
        }
    }
    project.onggi(["rm", "-f", "kk", "ss"]).run().success();
    project.nothing_runs();
}

#[test]
#[ignore = "requires root"]
fn c230_out_of_a_container_requires_root() {
    let project = project();
    for name in ["kk", "ss"] {
        let at = |path: &str| format!("{name}:{path}");
        let work = project.sandbox.work().join(name);
        fs::create_dir(&work).unwrap();
        let cp = |words: &[&str]| project.onggi([&["cp"], words].concat()).cwd(name).run();
        cp(&[&at("/w"), "out1"]).success();
        cp(&[&at("/w"), "out1"]).success();
        cp(&[&at("/w/."), "out2"]).success();
        for folder in ["out1", "out1/w", "out2"] {
            let found = listing(&work.join(folder));
            assert_eq!((&*found["d/q"], &*found["f"]), ("0:0 644 q\n", "0:0 644 f\n"));
            assert_eq!((&*found["esc"], &*found["dang"]), ("0:0 777 -> ../../../../../../etc", "0:0 777 -> nothing"));
        }
        for (flags, source, target, content) in [
            (&[][..], "/w/f", "out3", "f\n"),
            (&[], "/w/f", "out1", "f\n"),
            (&["-L"], "/w/ld", "out5", "q\n"),
            (&[], "/w/ld/", "out6", "q\n"),
            (&[], "/w/ld/.", "out7", "q\n"),
            (&[], "/kv", "out8", "kv\n"),
            (&[], "/w/esc/../f", "out9", "f\n"),
            (&["-q"], "w/f", "out10", "f\n"),
        ] {
            cp(&[flags, &[&at(source), target]].concat()).success();
            let target = work.join(target);
            let file = if target.is_file() {
                target
            } else {
                ["q", "file", "f"].map(|name| target.join(name)).into_iter().find(|path| path.exists()).unwrap()
            };
            assert_eq!(fs::read_to_string(file).unwrap(), content, "{source}");
        }
        cp(&[&at("/w/ld"), "out4"]).success();
        assert_eq!(fs::read_link(work.join("out4")).unwrap().to_str(), Some("/w/d"));
        // A link at the end is the container's, and means a path of it.
        cp(&["-L", &at("/w/esc/passwd"), "passwd"]).success();
        let (copied, own) = (fs::read(work.join("passwd")).unwrap(), fs::read("/etc/passwd").unwrap());
        assert!(copied != own, "not that of this machine");
        for (source, target, message) in [
            ("/nothere", ".", format!("could not find the file /nothere in container {name}")),
            ("/w", "out3", "cannot copy directory".to_owned()),
            ("/w/f", "nodir/", "no such directory".to_owned()),
        ] {
            assert_eq!(cp(&[&at(source), target]).exits(1).stderr, format!("error: {message}\n"));
        }
        let missing = cp(&[&at("/w/f"), "nodir/x"]).exits(1);
        assert!(missing.stderr.starts_with("error: invalid output path: directory \"/"), "{}", missing.stderr);
        assert!(missing.stderr.ends_with("/nodir\" does not exist\n"), "{}", missing.stderr);
        for source in ["/w/f/", "/w/f/x"] {
            let refused = cp(&[&at(source), "out12"]).exits(1);
            assert!(refused.stderr.contains("Not a directory"), "{}", refused.stderr);
        }
        // With `-a` owners stay; without, all is the user's own.
        project.cp(&["src", &at("/owned")]).success();
        cp(&[&at("/owned/a"), "mine"]).success();
        cp(&["-a", &at("/owned/a"), "theirs"]).success();
        let owner = |name: &str| fs::metadata(work.join(name)).map(|file| (file.uid(), file.mode() & 0o7777)).unwrap();
        assert_eq!((owner("mine"), owner("theirs")), ((0, 0o4755), (1000, 0o4755)));
        // The whole container, without what the kernel makes up.
        cp(&[&at("/"), "all"]).success();
        let count = |folder: &str| fs::read_dir(work.join("all").join(folder)).unwrap().count();
        assert_eq!((count("proc"), count("sys"), count("dev")), (0, 0, 0));
        assert!(count("bin") > 10);
    }
    project.onggi(["rm", "-f", "kk", "ss"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn c230_messages_requires_root() {
    let project = project();
    let told = |words: &[&str]| project.cp(words).success().stderr;
    assert_eq!(told(&["file", "kk:/w"]), "", "no terminal");
    assert_eq!(told(&["-q=false", "file", "kk:/w"]), "Successfully copied 2.05kB to kk:/w\n");
    let out = project.sandbox.work().join("zz");
    assert_eq!(told(&["--quiet=false", "kk:/w/f", "zz"]), format!("Successfully copied 2.05kB to {}\n", out.display()));
    for (words, message) in [
        (&["kk:/w", "ss:/v"][..], "error: copying between containers is not supported\n"),
        (&["a", "b"], "error: must specify at least one container source\n"),
        (&["nope:/x", "."], "error: no such container: nope\n"),
        (&["-", "kk:/w/f"], "error: destination \"kk:/w/f\" must be a directory\n"),
        (&["-", "kk:/nonex"], "error: destination \"kk:/nonex\" must be a directory\n"),
    ] {
        let output = project.cp(words).exits(1);
        assert!(output.stderr.starts_with(message), "{}", output.stderr);
    }
    let never = project.onggi(["cp", "kk:/w"]).run();
    assert_eq!(never.code, 1, "{}", never.stderr);
}

#[test]
#[ignore = "requires root"]
fn c230_streams_are_tars_requires_root() {
    let project = project();
    let work = project.sandbox.work();
    let shell = |script: &str| {
        let command = project.sandbox.command("sh").arguments(["-c", script]);
        command.env("ONGGI", testkit::binary()).run()
    };
    for name in ["kk", "ss"] {
        for (path, expected) in [
            ("/w/d", "d/\nd/q\n"),
            ("/w/d/.", "./\nq\n"),
            ("/w/f", "f\n"),
            ("/w/ld", "ld\n"),
            ("/w/ld/", "ld/\nld/q\n"),
        ] {
            assert_eq!(shell(&format!("$ONGGI cp {name}:{path} - | tar tf -")).success().stdout, expected, "{path}");
        }
        for (number, pack) in
            ["tar c src", "tar cz src", "tar cJ src", "tar --format=pax -c src"].into_iter().enumerate()
        {
            shell(&format!("$ONGGI cp {name}:/w/d - >/dev/null; mkdir -p t && $ONGGI cp t {name}:/t{number}"))
                .success();
            shell(&format!("{pack} | $ONGGI cp - {name}:/t{number}")).success();
            let found = project.listing(name, &format!("/t{number}"));
            assert_eq!((&*found["src/a"], &*found["src/l"]), ("1000:1001 4755 one\n", "0:0 777 -> a"), "{pack}");
        }
        let refused = shell(&format!("echo no tar at all | $ONGGI cp - {name}:/w")).exits(1);
        assert!(refused.stderr.starts_with("error: not a valid tar\n"), "{}", refused.stderr);
    }
    // `-a`: the container's user gets the files.
    project.onggi(["run", "--network", "none", "--name", "user", "-u", "7:8", "busybox", "true"]).run().success();
    shell("tar c src | $ONGGI cp -a - user:/tmp").success();
    project.cp(&["-a", "src", "user:/own"]).success();
    for path in ["/tmp", "/own"] {
        let found = project.listing("user", path);
        let owners: Vec<_> = found.values().map(|text| text.split(' ').next().unwrap()).collect();
        assert!(owners.iter().all(|owner| *owner == "7:8"), "{path}: {found:?}");
    }
    // From one container to another, with much in it, and nothing kept on the way.
    shell("head -c 40000000 /dev/urandom >big").success();
    project.cp(&["big", "kk:/big"]).success();
    shell("$ONGGI cp kk:/big - | $ONGGI cp - ss:/w").success();
    project.cp(&["ss:/w/big", "back"]).success();
    assert!(fs::read(work.join("big")).unwrap() == fs::read(work.join("back")).unwrap());
    assert_eq!(fs::read_dir(project.sandbox.root().join("ingest")).unwrap().count(), 0);
}

/// Volumes, binds and memory are seen where the container sees them; what is mounted read-only cannot be written.
#[test]
#[ignore = "requires root"]
fn c230_mounts_are_seen_requires_root() {
    let project = Project::with("FROM busybox\nRUN mkdir /vol && echo v >/vol/f\nVOLUME /vol\n");
    project.file("host/file", "host\n").file("new", "new\n").build_app();
    let words = ["--network", "none", "--read-only", "--tmpfs", "/mem", "-v", "./host:/host", "-v", "v1:/ro:ro"];
    project.onggi([&["run", "--name", "ended"], &words[..], &["app", "true"]].concat()).run().success();
    let script = "echo m >/mem/f; exec sleep 1000";
    project.start(&[&["--name", "running"], &words[..], &["app", "sh", "-c", script]].concat());
    crate::containers::wait_until("it is in memory", || project.cp(&["running:/mem/f", "mem"]).code == 0);
    assert_eq!(fs::read_to_string(project.sandbox.work().join("mem")).unwrap(), "m\n");
    for name in ["running", "ended"] {
        for (path, content) in [("/vol/f", "v\n"), ("/host/file", "host\n")] {
            project.cp(&[&format!("{name}:{path}"), "out"]).success();
            assert_eq!(fs::read_to_string(project.sandbox.work().join("out")).unwrap(), content, "{name}{path}");
        }
        for path in ["/vol/new", "/host/new"] {
            project.cp(&["new", &format!("{name}:{path}")]).success();
        }
        for path in ["/new", "/etc/new", "/ro/new"] {
            let refused = project.cp(&["new", &format!("{name}:{path}")]).exits(1);
            assert!(refused.stderr.contains("Read-only file system"), "{name}{path}: {}", refused.stderr);
        }
    }
    assert!(project.sandbox.work().join("host/new").exists());
    project.cp(&["new", "running:/etc/hosts"]).success();
    project.cp(&["running:/etc/hosts", "hosts"]).success();
    assert_eq!(fs::read_to_string(project.sandbox.work().join("hosts")).unwrap(), "new\n", "a file that is mounted");
    project.onggi(["rm", "-f", "running", "ended"]).run().success();
    project.nothing_runs();
}

/// A container swaps a folder and a link to the outside while files are copied in and out: all goes on inside.
#[test]
#[ignore = "requires root"]
fn c230_swapped_links_lead_nowhere_requires_root() {
    let project = Project::new();
    let work = project.sandbox.work();
    let sentinel = work.join("sentinel");
    fs::create_dir(&sentinel).unwrap();
    fs::write(sentinel.join("file"), "untouched").unwrap();
    project.file("in/file", "in").file("in/deep/x", "x");
    project.start(&["--network", "none", "--name", "it", "-v", "v1:/v", "busybox", "sleep", "1000"]);
    let data = project.sandbox.root().join("volumes/v1/_data");
    fs::create_dir_all(data.join("dir/sub")).unwrap();
    fs::write(data.join("dir/file"), "inner").unwrap();
    symlink(&sentinel, data.join("link")).unwrap();
    symlink("/../../../../../../../../../..", data.join("up")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, data.join("dir"), CWD, data.join("link"), RenameFlags::EXCHANGE)
                    .unwrap();
            }
        });
        let out = work.join("out");
        for round in 0..60 {
            let output = project.cp(&["in/.", "it:/v/dir"]);
            assert!([0, 1].contains(&output.code), "{}", output.stderr);
            let output = project.cp(&["in/file", "it:/v/dir/file"]);
            assert!([0, 1].contains(&output.code), "{}", output.stderr);
            let hidden = format!("it:/v/up{}/file", sentinel.display());
            for source in ["it:/v/dir/file", "it:/v/dir/.", "it:/v/link/file", &hidden] {
                let output = project.cp(&["-L", source, &format!("out/{round}")]);
                assert!([0, 1].contains(&output.code), "{}", output.stderr);
            }
            fs::create_dir_all(&out).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_to_string(sentinel.join("file")).unwrap(), "untouched");
    assert_eq!(fs::read_dir(&sentinel).unwrap().count(), 1);
    for (path, text) in listing(&work.join("out")) {
        assert!(!text.contains("untouched"), "{path}");
    }
    project.onggi(["rm", "-f", "it"]).run().success();
}

/// While a stopped container is written to, it is not started or removed under the copy's feet; many copies at once.
#[test]
#[ignore = "requires root"]
fn c230_many_copies_at_once_requires_root() {
    let project = Project::new();
    project.onggi(["run", "--network", "none", "--name", "it", "busybox", "true"]).run().success();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let project = &project;
            scope.spawn(move || {
                let name = format!("f{number}");
                project.file(&name, name.as_bytes());
                project.cp(&[&name, &format!("it:/tmp/{name}")]).success();
                project.cp(&[&format!("it:/tmp/{name}"), &format!("back{number}")]).success();
                let back = project.sandbox.work().join(format!("back{number}"));
                assert_eq!(fs::read_to_string(back).unwrap(), name);
            });
        }
    });
    assert_eq!(project.listing("it", "/tmp").len(), 8);
    let diff = project.ask(&["diff", "it"]);
    assert!(diff.contains("A /tmp/f7\n"), "{diff}");
    project.onggi(["commit", "it", "with-files"]).run().success();
    assert_eq!(project.run_once(&["with-files", "cat", "/tmp/f3"]).success().stdout, "f3");
    project.onggi(["rm", "it"]).run().success();
    project.nothing_runs();
}
