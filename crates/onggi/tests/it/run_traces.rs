//! Mounts of a step leave no trace in its layer (D108) and lead nowhere outside (field notes, section 2, row 9).

use std::fs;
use std::path::{Path, PathBuf};

use testkit::checker::Tree;

use crate::build_project::{Project, file_digest, runtimes};

/// One mount of each kind, on places that the image does not have and on one that it has.
const MOUNTS: &str = "--mount=target=/new/deep/bind --mount=target=/etc/own/file,source=f \
                      --mount=type=cache,target=/var/cache/c --mount=type=tmpfs,target=/home/node/m \
                      --mount=type=secret,id=s --mount=type=secret,id=s,target=/root/.netrc \
                      --mount=type=tmpfs,target=/new/deep/bind2/inner";

/// A folder outside of everything, with a file that must stay as it is.
fn sentinel(project: &Project) -> PathBuf {
    let folder = project.sandbox.path().join("sentinel");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("keep"), "unchanged").unwrap();
    folder
}

#[track_caller]
fn is_unchanged(sentinel: &Path) {
    let left: Vec<_> = fs::read_dir(sentinel).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["keep"]);
    assert_eq!(fs::read_to_string(sentinel.join("keep")).unwrap(), "unchanged");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(sentinel.to_str().unwrap()), "{mounts}");
}

/// What the last layer holds, read from an archive by another program.
#[track_caller]
fn last_layer(project: &Project) -> Vec<String> {
    project.ask(&["save", "-o", "app.tar", "app"]);
    let work = project.sandbox.work();
    let manifest = project.sandbox.command("tar").arguments(["-xOf", "app.tar", "manifest.json"]).cwd(&work).run();
    let manifest: serde_json::Value = serde_json::from_str(&manifest.success().stdout).unwrap();
    let layer = manifest[0]["Layers"].as_array().unwrap().last().unwrap().as_str().unwrap();
    project.sandbox.command("tar").arguments(["-xf", "app.tar", layer]).cwd(&work).run().success();
    let list = project.sandbox.command("tar").arguments(["-tf", layer]).cwd(&work).run().success().stdout;
    for name in ["app.tar", "blobs"] {
        let path = work.join(name);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else if path.exists() {
            fs::remove_file(path).unwrap()
        }
    }
    list.lines().map(|line| line.trim_end_matches('/').to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Builds with these mounts and this command; gives the image's files.
#[track_caller]
fn built(project: &Project, flags: &[&str], mounts: &str, command: &str) -> Tree {
    project.dockerfile(&format!("FROM busybox\nRUN {mounts} {command}\n"));
    project.build(&[&["-t", "app", "--no-cache", "--secret", "id=s,src=f"], flags].concat()).run().success();
    project.image("app").tree
}

#[test]
#[ignore = "requires root"]
fn d108_a_step_that_only_looks_writes_nothing_requires_root() {
    let project = Project::new();
    project.file("f", "text");
    for flags in runtimes("d108_a_step_that_only_looks_writes_nothing") {
        let tree = built(&project, flags, MOUNTS, "ls /new/deep/bind /home/node/m && cat /etc/own/file /root/.netrc");
        assert_eq!(tree, project.image("busybox").tree, "{flags:?}");
        assert_eq!(last_layer(&project), [""; 0], "{flags:?}: neither a file nor a folder whose time changed");
    }
}

#[test]
#[ignore = "requires root"]
fn d108_what_is_written_beside_a_mount_stays_alone_requires_root() {
    let project = Project::new();
    project.file("f", "text");
    for flags in runtimes("d108_what_is_written_beside_a_mount_stays_alone") {
        let command =
            "echo 1 > /new/beside; echo 1 > /etc/own/beside; echo 1 > /var/cache/beside; touch /home/node/m/x";
        let tree = built(&project, flags, MOUNTS, command);
        for name in ["new/beside", "etc/own/beside", "var/cache/beside"] {
            assert_eq!(tree[name].kind, file_digest("1\n"), "{flags:?} {name}");
        }
        for gone in ["new/deep/bind", "etc/own/file", "var/cache/c", "home/node/m", "run/secrets/s", "root/.netrc"] {
            assert!(!tree.contains_key(gone), "{flags:?}: {gone}");
        }
    }
}

/// The command cannot remove what is mounted, but it may do as it likes around it.
#[test]
#[ignore = "requires root"]
fn d108_what_is_around_a_mount_is_replaced_requires_root() {
    let project = Project::new();
    project.file("f", "text");
    let sentinel = sentinel(&project);
    let outside = sentinel.display();
    for flags in runtimes("d108_what_is_around_a_mount_is_replaced") {
        for command in [
            format!("mv /new /moved; ln -s {outside} /new; true"),
            format!("umount /new/deep/bind; rm -rf /new; ln -s {outside} /new; true"),
            format!("mv /new/deep /new/other; ln -s {outside} /new/deep; true"),
            format!("mv /run /gone; ln -s {outside} /run; true"),
            format!("rm -rf /new /run /home/node /var/cache; mkdir -p /new/deep; ln -s {outside} /new/deep/bind; true"),
            "chmod 700 /new /new/deep /run; chown 5:6 /new/deep; touch -d 2001-01-01 /new/deep; true".to_owned(),
        ] {
            let tree = built(&project, flags, MOUNTS, &command);
            is_unchanged(&sentinel);
            // What a command copies from a mount to another place is its own.
            for gone in ["new/deep/bind/f", "etc/own/file", "run/secrets/s", "root/.netrc"] {
                assert!(!tree.contains_key(gone), "{command}: {gone} is in the layer");
            }
        }
    }
    project.nothing_runs();
}

#[test]
#[ignore = "requires root"]
fn d8_9_links_of_the_source_stay_in_their_root_requires_root() {
    let project = Project::new();
    let sentinel = sentinel(&project);
    let outside = sentinel.display();
    let up = "../".repeat(30);
    for flags in runtimes("d8_9_links_of_the_source_stay_in_their_root") {
        for (link, source) in [
            ("/".to_owned(), "/link"),
            (up.clone(), "/link"),
            (format!("{outside}"), "/link"),
            (format!("{up}{outside}"), "/link"),
            ("/proc/self/root".to_owned(), "/link"),
            ("/".to_owned(), &format!("/link{outside}")),
        ] {
            for kind in ["type=bind,rw", "type=bind", "type=cache"] {
                let file = format!(
                    "FROM busybox AS evil\nRUN ln -s {link} /link\nFROM busybox\n\
                     RUN --mount={kind},from=evil,source={source},target=/x {{ cat /x/keep /x{outside}/keep; \
                     echo evil > /x/keep; echo evil > /x/new; ls /x; }} > /out 2>&1; true\n"
                );
                let ran = project.dockerfile(&file).build(&[&["-t", "app", "--no-cache"], flags].concat()).run();
                assert!([0, 1].contains(&ran.code), "{link}: {}", ran.stderr);
                if ran.code == 0 {
                    let said = project.ask(&["run", "--rm", "app", "cat", "/out"]);
                    assert!(!said.contains("unchanged"), "{kind} {link} {source}: {said}");
                }
                is_unchanged(&sentinel);
            }
        }
    }
}

/// Links of the context lead to nothing outside of it, and nor does a link in the way of a target.
#[test]
#[ignore = "requires root"]
fn d8_9_links_of_context_and_target_stay_inside_requires_root() {
    let project = Project::new();
    let sentinel = sentinel(&project);
    std::os::unix::fs::symlink(&sentinel, project.sandbox.work().join("link")).unwrap();
    project.file("d/f", "inside");
    for flags in runtimes("d8_9_links_of_context_and_target_stay_inside") {
        for mount in ["source=link", "source=link/keep", "source=d/../link/keep", "source=../sentinel"] {
            let file = format!("FROM busybox\nRUN --mount={mount},target=/x,rw cat /x /x/keep; true\n");
            let ran = project.dockerfile(&file).build(&[&["--no-cache", "--progress=plain"], flags].concat()).run();
            assert!(!ran.stderr.contains("unchanged"), "{mount}: {}", ran.stderr);
            is_unchanged(&sentinel);
        }
        let file = format!(
            "FROM busybox\nRUN ln -s {0} /to && ln -s ../../../../../..{0} /up\n\
             RUN --mount=source=d,target=/to/x --mount=type=tmpfs,target=/up/y --mount=type=cache,target=/to/z \
             cat /to/x/f && touch /up/y/f /to/z/f\n",
            sentinel.display()
        );
        project.dockerfile(&file).build(&[&["-t", "app", "--no-cache"], flags].concat()).run().success();
        is_unchanged(&sentinel);
        let base = project.image("busybox").tree;
        let new: Vec<String> = project.image("app").tree.into_keys().filter(|path| !base.contains_key(path)).collect();
        assert_eq!(new, ["to", "up"]);
    }
}

#[test]
#[ignore = "requires root"]
fn d8_9_options_are_not_handed_on_requires_root() {
    let project = Project::new();
    for (option, word) in [
        ("type=bind,target=/x,bind-propagation=shared,rw", "bind-propagation"),
        ("type=bind,target=/x,propagation=rshared", "propagation"),
        ("type=tmpfs,target=/x,exec,suid", "exec"),
        ("type=bind,target=/x,z", "z"),
    ] {
        let failed =
            project.dockerfile(&format!("FROM busybox\nRUN --mount={option} true\n")).build(&[]).run().exits(1);
        assert!(failed.stderr.contains(word) && failed.stderr.contains("Dockerfile:2:"), "{}", failed.stderr);
    }
}

/// Row 8: while one step swaps a folder of a shared cache for a link, another mounts on that folder.
#[test]
#[ignore = "requires root"]
fn d8_8_9_a_cache_that_changes_under_a_mount_requires_root() {
    let project = Project::new();
    let sentinel = sentinel(&project);
    let cache = "--mount=type=cache,id=race,target=/c";
    let swaps = format!(
        "FROM busybox\nRUN {cache} rm -f /c/stop; touch /c/started; until [ -e /c/stop ]; do \
         rm -rf /c/sub; ln -s {} /c/sub; rm -rf /c/sub; mkdir /c/sub; done\n",
        sentinel.display()
    );
    project.file("swaps", swaps);
    let mounts = format!("FROM busybox\nRUN {cache} --mount=type=tmpfs,target=/c/sub touch /c/sub/evil; true\n");
    project.file("mounts", mounts);
    let wait = format!("FROM busybox\nRUN {cache} until [ -e /c/started ]; do usleep 1000; done\n");
    project.file("wait", wait);
    project.file("end", format!("FROM busybox\nRUN {cache} touch /c/stop\n"));
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| project.build(&["-f", "swaps", "--no-cache"]).run());
        project.build(&["-f", "wait", "--no-cache"]).run().success();
        for flags in runtimes("d8_8_9_a_cache_that_changes_under_a_mount") {
            for _ in 0..15 {
                let ran = project.build(&[&["-f", "mounts", "--no-cache"], flags].concat()).run();
                assert!([0, 1].contains(&ran.code), "{}", ran.stderr);
            }
        }
        project.build(&["-f", "end", "--no-cache"]).run().success();
        swapping.join().unwrap().success();
    });
    is_unchanged(&sentinel);
    project.nothing_runs();
}
