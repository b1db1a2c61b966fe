//! `RUN --mount=type=cache`: folders that stay between builds, and who may use them at the same time (D103).

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use testkit::Output;

use crate::build_project::{Project, outcomes, runtimes};

const LIMIT: Duration = Duration::from_secs(300);

/// Builds with one RUN that is never taken from the cache, and gives what it said last.
#[track_caller]
fn run(project: &Project, flags: &[&str], mounts: &str, command: &str) -> String {
    let file = format!("FROM busybox\nRUN {mounts} {{ {command}; }} > /out\n");
    project.dockerfile(&file).build(&[&["-t", "app", "--no-cache"], flags].concat()).run().success();
    project.ask(&["run", "--rm", "app", "cat", "/out"])
}

#[test]
#[ignore = "requires root"]
fn d103_a_cache_stays_and_is_in_no_layer_requires_root() {
    let project = Project::new();
    let count = "echo . >> /var/cache/x/n; wc -l < /var/cache/x/n; stat -c '%a %u %g' /var/cache/x";
    let mut number = 0;
    for flags in runtimes("d103_a_cache_stays_and_is_in_no_layer") {
        for _ in 0..2 {
            number += 1;
            let said = run(&project, flags, "--mount=type=cache,target=/var/cache/x", count);
            assert_eq!(said, format!("{number}\n755 0 0\n"), "{flags:?}");
        }
    }
    assert!(!project.image("app").tree.contains_key("var/cache"));
    // The result of a step is taken without a look into the folder.
    project.dockerfile("FROM busybox\nRUN --mount=type=cache,target=/var/cache/x ls /var/cache/x\n");
    assert_eq!(outcomes(&project.build_app()), ["CACHED", "DONE"]);
    run(&project, &[], "--mount=type=cache,target=/var/cache/x", count);
    project.dockerfile("FROM busybox\nRUN --mount=type=cache,target=/var/cache/x ls /var/cache/x\n");
    assert_eq!(outcomes(&project.build_app()), ["CACHED", "CACHED"]);
}

#[test]
#[ignore = "requires root"]
fn d103_caches_are_told_apart_by_id_owner_and_mode_requires_root() {
    let project = Project::new();
    run(&project, &[], "--mount=type=cache,target=/c", "echo one > /c/f");
    let look = "cat /x/f || echo nothing; stat -c '%a %u %g' /x";
    for (mount, wanted) in [
        ("--mount=type=cache,target=/x", "nothing\n755 0 0\n"),
        ("--mount=type=cache,target=/x,id=/c", "one\n755 0 0\n"),
        ("--mount=type=cache,target=/x,id=c", "nothing\n755 0 0\n"),
        ("--mount=type=cache,target=/x,id=/c,sharing=locked", "one\n755 0 0\n"),
        ("--mount=type=cache,target=/x,id=/c,mode=1770,uid=12,gid=34", "nothing\n1770 12 34\n"),
        ("--mount=type=cache,target=/x,id=/c,from=busybox,source=/home", "nothing\n755 0 0\n"),
    ] {
        assert_eq!(run(&project, &[], mount, look), wanted, "{mount}");
    }
    let namespace = ["--build-arg", "BUILDKIT_CACHE_MOUNT_NS=other"];
    assert_eq!(run(&project, &namespace, "--mount=type=cache,target=/c", "ls /c; echo two > /c/f"), "");
    assert_eq!(run(&project, &[], "--mount=type=cache,target=/c", "cat /c/f"), "one\n");
    assert_eq!(run(&project, &namespace, "--mount=type=cache,target=/c", "cat /c/f"), "two\n");
}

#[test]
#[ignore = "requires root"]
fn d103_a_cache_begins_with_files_of_a_stage_requires_root() {
    let project = Project::new();
    let file = |command: &str| {
        format!(
            "FROM busybox AS first\nRUN mkdir -m 750 /o && echo begin > /o/f && chown -R 7:8 /o\nFROM busybox\n\
             RUN --mount=type=cache,target=/c,from=first,source=o {{ {command}; }} > /out\n"
        )
    };
    for flags in runtimes("d103_a_cache_begins_with_files_of_a_stage") {
        let build = |command: &str| {
            project.dockerfile(&file(command)).build(&[&["-t", "app"], flags].concat()).run().success();
            project.ask(&["run", "--rm", "app", "cat", "/out"])
        };
        let runtime = flags.len();
        let said = build(&format!("cat /c/f; stat -c '%a %u %g' /c /c/f; echo {runtime} >> /c/f"));
        assert!(said.starts_with("begin\n"), "{said}");
        assert!(said.ends_with("750 7 8\n644 7 8\n"), "{said}");
        let said = build(&format!("cat /c/f; : {runtime}"));
        assert!(said.ends_with(&format!("{runtime}\n")), "what was written stays: {said}");
    }
}

#[test]
#[ignore = "requires root"]
fn d103_a_read_only_cache_requires_root() {
    let project = Project::new();
    run(&project, &[], "--mount=type=cache,target=/c", "echo one > /c/f");
    for flags in runtimes("d103_a_read_only_cache") {
        let command = "cat /c/f; echo two > /c/f || echo refused";
        assert_eq!(run(&project, flags, "--mount=type=cache,target=/c,ro", command), "one\nrefused\n");
    }
}

/// Several builds, each a process of its own, that run this at the same time with a name of its own in `$ME`.
fn together(project: &Project, names: &[&str], mounts: &str, command: &str) -> Vec<Output> {
    project.dockerfile(&format!("FROM busybox\nARG ME\nRUN {mounts} {{ {command}; }} > /out\n"));
    let build = |name: &&str| {
        let me = format!("ME={name}");
        project.build(&["-t", name, "--build-arg", &me]).limit(LIMIT)
    };
    let builds: Vec<_> = names.iter().map(build).collect();
    std::thread::scope(|scope| {
        let started: Vec<_> = builds.iter().map(|build| scope.spawn(|| build.run())).collect();
        started.into_iter().map(|build| build.join().unwrap().success()).collect()
    })
}

/// Both wait for each other, so both have the folder at the same time.
const MEET: &str = "touch /shared/$ME; until [ -e /shared/a ] && [ -e /shared/b ]; do usleep 1000; done";

#[test]
#[ignore = "requires root"]
fn d103_processes_share_a_cache_requires_root() {
    let project = Project::new();
    together(&project, &["a", "b"], "--mount=type=cache,target=/shared", MEET);
    project.nothing_runs();
}

#[test]
#[ignore = "requires root"]
fn d103_processes_have_private_caches_of_their_own_requires_root() {
    let project = Project::new();
    let mounts = "--mount=type=cache,target=/shared --mount=type=cache,target=/own,sharing=private";
    together(&project, &["a", "b"], mounts, &format!("ls /own; touch /own/$ME; {MEET}; ls /own"));
    let said = ["a", "b"].map(|name| project.ask(&["run", "--rm", name, "cat", "/out"]));
    assert_eq!(said, ["a\n", "b\n"]);
    // One after the other they take what is free, and the first is the first.
    let again = run(&project, &[], mounts, "ls /own");
    assert!(["a\n", "b\n"].contains(&again.as_str()), "{again}");
}

#[test]
#[ignore = "requires root"]
fn d103_processes_wait_for_a_locked_cache_requires_root() {
    let project = Project::new();
    let command = "mkdir /own/busy || exit 9; n=$(cat /own/n || echo 0); usleep 20000; echo $((n + 1)) > /own/n; \
                   rmdir /own/busy; cat /own/n";
    let names = ["a", "b", "c", "d"];
    let mounts = "--mount=type=cache,target=/own,sharing=locked";
    together(&project, &names, mounts, command);
    let mut said = names.map(|name| project.ask(&["run", "--rm", name, "cat", "/out"]));
    said.sort_unstable();
    assert_eq!(said, ["1\n", "2\n", "3\n", "4\n"]);
}

#[test]
#[ignore = "requires root"]
fn d103_a_killed_build_leaves_no_lock_requires_root() {
    let project = Project::new();
    let mounts = "--mount=type=cache,target=/own,sharing=locked";
    project.dockerfile(&format!(
        "FROM busybox\nRUN {mounts} echo 1 > /own/f; echo now; while true; do usleep 9000; done\n"
    ));
    let mut child = project.build(&[]).spawn();
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.map_while(Result::ok).any(|line| line.ends_with(" now")), "the step has the cache");
    child.kill().unwrap();
    child.wait().unwrap();
    project.nothing_runs();
    assert_eq!(run(&project, &[], mounts, "cat /own/f"), "1\n");
}

#[test]
#[ignore = "requires root"]
fn d103_ids_are_hostile_text_requires_root() {
    let project = Project::new();
    let long = "x".repeat(4000);
    let ids = ["../../../x", "a/b", "..", ".", "/", "/etc/passwd", "a b", "\\n", "%00", "-rf", "ö", long.as_str()];
    let before = listing(&project);
    for id in ids {
        let mount = format!("--mount=\"type=cache,target=/c,id={id}\"");
        assert_eq!(run(&project, &[], &mount, "ls -A /c | wc -l; touch /c/f"), "0\n", "{id} is a cache of its own");
        assert_eq!(run(&project, &[], &mount, "ls -A /c | wc -l"), "1\n", "{id} stays");
    }
    assert_eq!(listing(&project), before, "nothing was made beside the store");
    let caches: Vec<_> = fs::read_dir(project.sandbox.root().join("caches")).unwrap().map(Result::unwrap).collect();
    assert_eq!(caches.len(), ids.len());
    for cache in caches {
        let name = cache.file_name().into_string().unwrap();
        assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
}

/// Names in the sandbox and in the folders around the store.
fn listing(project: &Project) -> Vec<String> {
    let root = project.sandbox.root();
    let folders = [root.parent().unwrap(), &root];
    let names = folders.into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().path().display().to_string()).collect();
    // The store's own, made by the first container that is run to look into the image.
    names.retain(|name| !name.ends_with("/root/events"));
    names.sort_unstable();
    names
}
