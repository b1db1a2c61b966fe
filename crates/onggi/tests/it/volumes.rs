//! Volumes, and the commands about them: `volume create`, `ls`, `inspect`, `rm`, `prune` (C321), their life with
//! containers (S050, S243), and what comes into them from an image (C202).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use serde_json::Value;
use testkit::Output;

use crate::build_project::{Project, runtimes};

impl Project {
    /// Names of all volumes.
    #[track_caller]
    fn volumes(&self) -> Vec<String> {
        self.ask(&["volume", "ls", "-q"]).lines().map(str::to_owned).collect()
    }

    /// Where a volume's data is.
    fn volume(&self, name: &str) -> PathBuf {
        self.sandbox.root().join("volumes").join(name).join("_data")
    }

    /// `run --rm --network none WORDS`.
    #[track_caller]
    pub(crate) fn run_once(&self, words: &[&str]) -> Output {
        self.onggi([&["run", "--rm", "--network", "none"], words].concat()).run()
    }

    #[track_caller]
    fn volume_json(&self, name: &str) -> Value {
        let list: Value = serde_json::from_str(&self.ask(&["volume", "inspect", name])).unwrap();
        list[0].clone()
    }
}

/// An image with a VOLUME that has content, of another owner, with an attribute and links in it.
fn with_volume() -> Project {
    let project = Project::with(
        "FROM busybox\n\
         RUN mkdir -p /vol/deep && echo v >/vol/f && ln /vol/f /vol/hard && ln -s /etc/passwd /vol/link \
         && chown 7:8 /vol /vol/f && chmod 0750 /vol && mkfifo /vol/deep/pipe && chmod 04755 /vol/hard \
         && ln -s /vol /vlink && ln -s /../../../../../../../etc /vol/escape\n\
         VOLUME /vol\n",
    );
    project.build_app();
    project
}

#[test]
#[ignore = "requires root"]
fn c321_volume_commands_requires_root() {
    let project = Project::new();
    let run = |words: &[&str]| project.onggi([&["volume"], words].concat()).run().snapshot();
    assert_eq!(run(&["create", "v1"]), "exit: 0\n--- stdout\nv1\n");
    assert_eq!(run(&["create", "v1", "--label", "x=y"]), "exit: 0\n--- stdout\nv1\n", "the first one stays as it is");
    let options = ["--label", "a=b", "--label", "c", "-o", "type=tmpfs", "-o", "device=tmpfs", "--opt", "o=size=10m"];
    run(&[&["create", "v10"], &options[..]].concat());
    run(&["create", "v9"]);
    assert_eq!(run(&["ls"]), "exit: 0\n--- stdout\nDRIVER    VOLUME NAME\nlocal     v1\nlocal     v9\nlocal     v10\n");
    assert_eq!(run(&["list", "-f", "label=a", "-f", "name=1", "-q"]), "exit: 0\n--- stdout\nv10\n");
    assert_eq!(run(&["ls", "-qf", "dangling=false"]), "exit: 0\n");
    let format = "{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{.Size}}";
    assert_eq!(
        run(&["ls", "--filter", "name=v10", "--format", format]),
        "exit: 0\n--- stdout\nv10 local local a=b,c= N/A\n"
    );
    let inspected = project.volume_json("v10");
    assert_eq!(inspected["Labels"], serde_json::json!({"a": "b", "c": ""}));
    assert_eq!(inspected["Options"], serde_json::json!({"device": "tmpfs", "o": "size=10m", "type": "tmpfs"}));
    for words in [&["inspect", "v10"][..], &["inspect", "--type", "volume", "v10"]] {
        let found: Value = serde_json::from_str(&project.ask(words)).unwrap();
        assert_eq!(found[0], inspected);
    }
    let plain = project.volume_json("v1");
    assert_eq!((&plain["Labels"], &plain["Options"], &plain["Scope"]), (&Value::Null, &Value::Null, &"local".into()));
    assert_eq!(plain["Mountpoint"], project.volume("v1").display().to_string());
    assert_eq!(plain["CreatedAt"].as_str().unwrap().len(), "2026-11-27T11:27:03Z".len());
    assert_eq!(run(&["rm", "v9", "v10"]), "exit: 0\n--- stdout\nv9\nv10\n");
    assert_eq!(run(&["rm", "-f", "nope"]), "exit: 0\n--- stdout\nnope\n");
    for (words, message) in [
        (&["create", "a/b"][..], "create a/b: \"a/b\" includes invalid characters for a local volume name"),
        (&["create", "v4", "-o", "foo=bar"], "create v4: invalid option: \"foo\""),
        (&["create", "v6", "-o", "type=none"], "create v6: missing required option: \"device\""),
        (
            &["create", "v7", "-o", "type=nfs", "-o", "device=:/x"],
            "create v7: volumes of type \"nfs\" are not there yet",
        ),
        (&["create", "v5", "-d", "nope"], "create v5: error looking up volume plugin nope: plugin \"nope\" not found"),
        (&["inspect", "nope"], "get nope: no such volume"),
        (&["rm", "../images"], "get ../images: no such volume"),
        (&["ls", "-f", "foo=bar"], "invalid filter 'foo'"),
        (&["prune", "-f", "--filter", "name=v"], "invalid filter 'name'"),
    ] {
        let output = project.onggi([&["volume"], words].concat()).run().exits(1);
        assert!(output.stderr.starts_with(&format!("error: {message}")), "{words:?}: {}", output.stderr);
    }
    assert_eq!(project.volumes(), ["v1"]);
}

#[test]
#[ignore = "requires root"]
fn c321_a_volume_in_use_stays_and_prune_takes_the_nameless_requires_root() {
    let project = with_volume();
    project.onggi(["run", "--name", "one", "--network", "none", "-v", "v1:/d", "app", "true"]).run().success();
    let id = project.container("one", "{{.Id}}");
    for words in [&["volume", "rm", "v1"][..], &["volume", "rm", "-f", "v1"]] {
        let refused = project.onggi(words).run().exits(1);
        assert!(
            refused.stderr.starts_with(&format!("error: remove v1: volume is in use - [{id}]\n")),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(project.volumes().len(), 2);
    for volume in ["v1", "/d", "/vol"] {
        assert_eq!(
            project.ask(&["ps", "-aqf", &format!("volume={volume}"), "--no-trunc"]),
            format!("{id}\n"),
            "{volume}"
        );
    }
    assert_eq!(project.ask(&["ps", "-aqf", "volume=other"]), "");
    assert!(project.ask(&["ps", "-a", "--format", "{{.Mounts}} {{.LocalVolumes}}"]).contains("v1"));
    project.onggi(["volume", "prune", "-af"]).run().success();
    assert_eq!(project.volumes().len(), 2, "both are in use");
    // Without `-v` the volume without a name stays, and nobody uses it any more.
    project.onggi(["rm", "one"]).run().success();
    let nameless = project.volumes().into_iter().find(|name| name.len() == 64).unwrap();
    assert_eq!(project.ask(&["volume", "ls", "-q", "-f", "dangling=1"]), format!("{nameless}\nv1\n"));
    let asked = project.onggi(["volume", "prune"]).stdin("n\n").run().success();
    assert_eq!(
        asked.stdout,
        "WARNING! This will remove anonymous local volumes not used by at least one container.\nAre you sure you want to \
         continue? [y/N] "
    );
    assert_eq!(project.volumes().len(), 2);
    let pruned = project.onggi(["volume", "prune", "-f"]).run().success();
    assert_eq!(pruned.stdout, format!("Deleted Volumes:\n{nameless}\n\nTotal reclaimed space: 38B\n"));
    let all = project.onggi(["volume", "prune", "--all"]).stdin("y\n").run().success();
    let warning = "WARNING! This will remove all local volumes not used by at least one container.\nAre you sure you want \
                   to continue? [y/N] ";
    assert_eq!(all.stdout, format!("{warning}Deleted Volumes:\nv1\n\nTotal reclaimed space: 0B\n"));
    assert_eq!(project.ask(&["volume", "prune", "-f"]), "Total reclaimed space: 0B\n");
}

/// Owner, mode, links and all are as in the image; a second container finds what the first one left.
#[test]
#[ignore = "requires root"]
fn c202_an_images_content_comes_into_new_and_empty_volumes_requires_root() {
    let project = with_volume();
    let listing = "cd /vol && stat -c '%n %a %u:%g %h %F' . f hard deep deep/pipe && readlink link && cat f";
    let expected = ". 750 7:8 3 directory\nf 4755 7:8 2 regular file\nhard 4755 7:8 2 regular file\n\
                    deep 755 0:0 2 directory\ndeep/pipe 644 0:0 1 fifo\n/etc/passwd\nv\n";
    project.onggi(["volume", "create", "empty"]).run().success();
    for flags in [&[][..], &["-v", "named:/vol"], &["-v", "named:/vol"], &["-v", "empty:/vol"], &["-v", "ro:/vol:ro"]] {
        let output = project.run_once(&[flags, &["app", "sh", "-c", listing]].concat()).success();
        assert_eq!(output.stdout, expected, "{flags:?}");
    }
    // Through a link of the image, and from a folder that is no VOLUME.
    for (volume, target) in [("by-link:/vlink", "/vlink/f"), ("etc:/etc", "/etc/group")] {
        project.run_once(&["-v", volume, "app", "cat", target]).success();
    }
    let link = fs::read_link(project.volume("by-link").join("escape")).unwrap();
    assert_eq!(link.to_str(), Some("/../../../../../../../etc"), "a link is copied and not followed");
    // Not wanted, or nothing there.
    for volume in ["bare:/vol:nocopy", "none:/not/there"] {
        project.run_once(&["-v", volume, "app", "true"]).success();
    }
    let mount = "type=volume,source=bare2,target=/vol,volume-nocopy,volume-label=a=b";
    project.run_once(&["--mount", mount, "app", "true"]).success();
    for name in ["bare", "bare2", "none"] {
        assert_eq!(fs::read_dir(project.volume(name)).unwrap().count(), 0, "{name}");
        assert_eq!(fs::metadata(project.volume(name)).unwrap().permissions().mode() & 0o7777, 0o755);
    }
    assert_eq!(project.volume_json("bare2")["Labels"], serde_json::json!({"a": "b"}));
    // What is in a volume stays as it is.
    project.run_once(&["-v", "named:/vol", "app", "sh", "-c", "rm -r /vol/*; echo own >/vol/own"]).success();
    let again = project.run_once(&["-v", "named:/vol", "app", "ls", "/vol"]).success();
    assert_eq!(again.stdout, "own\n");
}

#[test]
#[ignore = "requires root"]
fn s050_nameless_volumes_go_with_their_container_requires_root() {
    let project = with_volume();
    for flags in [&["--rm"][..], &["--rm", "-d"]] {
        let words = [&["run", "--network", "none", "--name", "it", "-v", "/more", "-v", "kept:/kept"], flags].concat();
        project.onggi([&words[..], &["app", "sh", "-c", "touch /vol/x /more/x /kept/x"]].concat()).run().success();
        let gone = || project.ask(&["ps", "-aq"]).is_empty() && project.volumes() == ["kept"];
        crate::containers::wait_until(&format!("it is gone, and its volumes: {flags:?}"), gone);
    }
    let create = ["run", "--network", "none", "--name", "it", "-v", "/more", "-v", "kept:/kept", "app", "true"];
    project.onggi(create).run().success();
    assert_eq!(project.volumes().len(), 3);
    project.onggi(["rm", "-v", "it"]).run().success();
    assert_eq!(project.volumes(), ["kept"]);
    // A container that could not be made leaves none.
    project.onggi(create).run().success();
    project.onggi(create).run().exits(125);
    assert_eq!(project.volumes().len(), 3);
    // One that cannot start goes, with its volumes.
    project.run_once(&["-v", "/other", "app", "no-such-program"]).exits(127);
    assert_eq!(project.volumes().len(), 3);
    // What another container has by now stays, until that one goes.
    project
        .onggi(["run", "--network", "none", "--name", "two", "--volumes-from", "it:ro", "app", "true"])
        .run()
        .success();
    project.onggi(["rm", "-v", "it"]).run().success();
    assert_eq!(project.volumes().len(), 3);
    project.onggi(["rm", "--volumes", "two"]).run().success();
    assert_eq!(project.volumes(), ["kept"]);
}

#[test]
#[ignore = "requires root"]
fn s243_volumes_are_not_in_the_containers_layer_requires_root() {
    let project = with_volume();
    let script = "echo changed >/vol/f; echo x >/named/x; echo y >/own";
    project
        .onggi(["run", "--name", "it", "--network", "none", "-v", "v1:/named", "app", "sh", "-c", script])
        .run()
        .success();
    project.onggi(["commit", "it", "committed"]).run().success();
    let image = project.image("committed");
    assert!(image.tree.contains_key("own") && !image.tree.contains_key("named/x"));
    let output = project.run_once(&["committed", "cat", "/vol/f"]).success();
    assert_eq!(output.stdout, "v\n", "a new volume, from the image");
}

#[test]
#[ignore = "requires root"]
fn c202_volumes_from_shares_what_is_mounted_requires_root() {
    let project = with_volume();
    project.file("here/file", "host\n");
    let words = ["--name", "one", "-v", "v1:/y:ro", "-v", "/more", "-v", "./here:/here", "--tmpfs", "/mem"];
    project.start(&[&words[..], &["--network", "none", "app", "sleep", "1000"]].concat());
    let script =
        "touch /y/a 2>/dev/null || echo read-only; echo two >/vol/two; echo three >/more/three; cat /here/file";
    let output = project.run_once(&["--volumes-from", "one", "app", "sh", "-c", script]).success();
    assert_eq!(output.stdout, "read-only\nhost\n");
    let script = "touch /vol/x /more/x /here/x 2>&1 | grep -c Read-only; cat /vol/two /more/three; ls -d /mem 2>/dev/null || true";
    let output = project.run_once(&["--volumes-from", "one:ro", "app", "sh", "-c", script]).success();
    assert_eq!(output.stdout, "3\ntwo\nthree\n");
    // What is asked for here goes before what comes from there.
    let output = project.run_once(&["--volumes-from", "one", "-v", "other:/more", "app", "ls", "/more"]).success();
    assert_eq!(output.stdout, "");
    for (flag, message) in [("nope", "no such container: nope"), ("one:foo", "invalid mode: foo")] {
        let output = project.run_once(&["--volumes-from", flag, "app", "true"]).exits(125);
        assert!(output.stderr.starts_with(&format!("error: {message}\n")), "{}", output.stderr);
    }
    project.onggi(["rm", "-fv", "one"]).run().success();
    assert_eq!(project.volumes(), ["other", "v1"]);
}

#[test]
#[ignore = "requires root"]
fn c321_options_of_the_driver_requires_root() {
    let project = Project::new();
    project.file("data/file", "from the host\n");
    let device = project.sandbox.work().join("data").display().to_string();
    let device = format!("device={device}");
    project.onggi(["volume", "create", "bound", "-o", "type=none", "-o", "o=bind", "-o", &device]).run().success();
    for flags in runtimes("c321_options_of_the_driver") {
        let script = "cat /x/file; echo new >/x/new";
        let output = project.run_once(&[flags, &["-v", "bound:/x", "busybox", "sh", "-c", script]].concat()).success();
        assert_eq!(output.stdout, "from the host\n", "{flags:?}");
        assert_eq!(fs::read_to_string(project.sandbox.work().join("data/new")).unwrap(), "new\n");
        let script = "grep ' /x ' /proc/mounts | cut -d' ' -f3,4";
        let options = "volume-opt=type=tmpfs,volume-opt=device=tmpfs,\"volume-opt=o=size=1m,mode=0700\"";
        let mount = format!("type=volume,source=memory,target=/x,{options}");
        let output = project.run_once(&[flags, &["--mount", &mount, "busybox", "sh", "-c", script]].concat()).success();
        assert!(output.stdout.contains("size=1024k,mode=700"), "{}", output.stdout);
    }
    // In memory as long as a container runs that has it, and the same for all of them.
    let run = |script: &str| project.run_once(&["-v", "memory:/m", "busybox", "sh", "-c", script]).success().stdout;
    assert_eq!(run("echo >/m/lost; ls /m"), "lost\n");
    assert_eq!(run("ls /m"), "");
    project.start(&["--network", "none", "--name", "holder", "-v", "memory:/h:ro", "busybox", "sleep", "1000"]);
    assert_eq!(run("echo kept >/m/file; cat /m/file"), "kept\n");
    assert_eq!(run("cat /m/file"), "kept\n");
    project.onggi(["cp", "holder:/h/file", "file"]).run().success();
    project.onggi(["rm", "-f", "holder"]).run().success();
    assert_eq!(run("ls /m"), "");
    fs::remove_dir_all(project.sandbox.work().join("data")).unwrap();
    let gone = project.run_once(&["-v", "bound:/x", "busybox", "true"]).exits(125);
    assert!(gone.stderr.starts_with("error: error while mounting volume '"), "{}", gone.stderr);
    assert!(gone.stderr.contains("No such file or directory"), "{}", gone.stderr);
}

/// Twenty containers at once on one new volume: one of them brings the content, all see it whole.
#[test]
#[ignore = "requires root"]
fn c202_twenty_containers_share_one_volume_requires_root() {
    let project = Project::with("FROM busybox\nRUN mkdir /vol && for i in $(seq 400); do echo $i >/vol/$i; done\n");
    project.build_app();
    let script = "ls /vol | wc -l; echo >>/vol/lines";
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let words = ["-v", "shared:/vol", "app", "sh", "-c", script];
                let output = project.run_once(&words).success();
                let seen: u32 = output.stdout.trim().parse().unwrap();
                assert!((400..=401).contains(&seen), "{seen}");
            });
        }
    });
    assert_eq!(fs::read(project.volume("shared").join("lines")).unwrap().len(), 20);
    assert_eq!(project.volumes(), ["shared"]);
    project.nothing_runs();
}

/// `prune` runs all the time while containers are made: none of them loses its volume.
#[test]
#[ignore = "requires root"]
fn c321_prune_spares_what_is_being_made_requires_root() {
    let project = with_volume();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                project.onggi(["volume", "prune", "-af"]).run().success();
            }
        });
        let made: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let words = ["-v", "shared:/s", "app", "sh", "-c", "cat /vol/f && touch /s/x"];
                        assert_eq!(project.run_once(&words).success().stdout, "v\n");
                    }
                })
            })
            .collect();
        for thread in made {
            thread.join().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    project.onggi(["volume", "prune", "-af"]).run().success();
    assert_eq!(project.volumes(), Vec::<String>::new());
}

/// Killed at any moment while the image's content is copied, there is no volume, or a whole one.
#[test]
#[ignore = "requires root"]
fn c202_a_killed_copy_leaves_no_half_volume_requires_root() {
    let project = Project::with("FROM busybox\nRUN mkdir /vol && for i in $(seq 500); do echo $i >/vol/$i; done\n");
    project.build_app();
    project.onggi(["volume", "create", "empty"]).run().success();
    for volume in ["new", "empty"] {
        for delay in 0..6_u64 {
            let mut child = project
                .onggi(["run", "--rm", "--network", "none", "-v", &format!("{volume}:/vol"), "app", "true"])
                .spawn();
            std::thread::sleep(std::time::Duration::from_millis(delay * 12));
            child.kill().unwrap();
            child.wait().unwrap();
            let output = project.run_once(&["-v", &format!("{volume}:/vol"), "app", "sh", "-c", "ls /vol | wc -l"]);
            assert_eq!(output.success().stdout, "500\n", "{volume} after {delay}");
            // Killed before the container was started, the command leaves it behind, as docker does.
            for id in project.ask(&["ps", "-aq"]).lines() {
                project.onggi(["rm", "-f", id]).run().success();
            }
            if volume == "new" {
                project.onggi(["volume", "rm", "new"]).run().success();
            }
        }
    }
    project.onggi(["volume", "prune", "-af"]).run().success();
    let owner = fs::metadata(project.sandbox.root().join("volumes")).unwrap();
    assert_eq!(owner.permissions().mode() & 0o077, 0, "nobody else gets in");
    assert_eq!(owner.uid(), 0);
}
