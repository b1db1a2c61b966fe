//! A build with nothing to do touches nothing: seen in its system calls (decisions D4 and D6).

use std::path::Path;

use testkit::SystemCall;

use crate::build_project::Project;

const FILES: usize = 200;

/// Whatever could change a file, start a process, or mount.
const CHANGES: [&str; 24] = [
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "chmod",
    "fchmodat",
    "truncate",
    "ftruncate",
    "fsync",
    "fdatasync",
    "execve",
    "fork",
    "vfork",
    "mount",
];
const OPENS: [&str; 4] = ["open", "openat", "openat2", "creat"];

#[test]
fn a_no_op_rebuild_writes_nothing_and_starts_nothing_requires_strace() {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("skipped: requires strace: a_no_op_rebuild_writes_nothing_and_starts_nothing");
        return;
    }
    let project = Project::with("FROM busybox\nWORKDIR /app\nENV A=b\nCOPY . .\nCOPY src/0 /one\nCMD [\"x\"]\n");
    for number in 0..FILES {
        project.file(&format!("src/{number}"), number.to_string());
    }
    project.wait_for_the_clock();
    project.build_app();
    let calls = project.build(&["-t", "app"]).trace(&[&OPENS[..], &CHANGES, &["clone", "clone3"]].concat());
    assert!(calls.len() > 5, "strace has seen nothing: {calls:?}");
    assert_eq!(testkit::written_paths(&calls), [""; 0]);

    let changes = |call: &&SystemCall| CHANGES.contains(&call.name.as_str());
    let changes: Vec<&SystemCall> = calls.iter().filter(changes).collect();
    // strace itself starts the binary; that is the only one.
    assert!(changes.len() == 1 && changes[0].name == "execve", "{changes:#?}");
    let started =
        calls.iter().filter(|call| call.name.starts_with("clone") && !call.arguments.contains("CLONE_THREAD"));
    assert_eq!(started.count(), 0, "a thread is no process, but nothing else was needed");

    // Every file of the context is only looked at. The rest does not grow with the number of files.
    let opened: Vec<&str> =
        calls.iter().filter(|call| OPENS.contains(&call.name.as_str())).map(|call| call.arguments.as_str()).collect();
    let context = opened.iter().filter(|arguments| FILES_OF_CONTEXT.iter().any(|name| arguments.contains(name)));
    assert_eq!(context.count(), 0, "{opened:#?}");
    let ours: Vec<&&str> = opened.iter().filter(|arguments| !is_start_up(arguments)).collect();
    assert!(ours.len() <= MOST_OPENED, "{} files were opened, not {MOST_OPENED}: {ours:#?}", ours.len());
}

/// Some of the context's files as they would be named in an open.
const FILES_OF_CONTEXT: [&str; 4] = ["\"0\"", "\"src/0\"", "\"199\"", "\"src/199\""];

/// Docker's config.json for its proxies (it is not there), the store and its version, Dockerfile and ignore files (neither is there), the base's name, its image, its
/// layer and the names of digests, the context and the two folders of it, its stat index, three steps and the image's record, the new name.
const MOST_OPENED: usize = 19;

/// What the loader and the C library open in every program.
fn is_start_up(arguments: &str) -> bool {
    ["/etc/ld.so", "/lib/", "/lib64/", "/usr/lib", "/sys/fs/cgroup", "/proc/"]
        .iter()
        .any(|start| arguments.contains(&format!("\"{start}")))
}

/// Mounts are keyed by what is in them, which is known from the build before.
#[test]
#[ignore = "requires root, strace"]
fn d102_to_d106_a_no_op_rebuild_with_mounts_requires_root() {
    let project = Project::with(
        "FROM busybox AS one\nRUN mkdir /out && echo 1 > /out/x\nFROM busybox\n\
         RUN --mount=target=/c,source=src --mount=from=one,source=/out,target=/o --mount=from=busybox,target=/i true\n\
         RUN --mount=type=cache,target=/k --mount=type=tmpfs,target=/t --mount=type=secret,id=s touch /k/x\n\
         RUN <<END\necho hi > /h\nEND\n",
    );
    for number in 0..FILES {
        project.file(&format!("src/{number}"), number.to_string());
    }
    let secret = ["--secret", "id=s,env=HOME", "-t", "app"];
    project.wait_for_the_clock();
    project.build(&secret).run().success();
    let names =
        [&OPENS[..], &CHANGES, &["clone", "clone3", "fsopen", "fsmount", "move_mount", "unshare", "setns"]].concat();
    let calls = project.build(&secret).trace(&names);
    let left: Vec<&SystemCall> = calls
        .iter()
        .filter(|call| !OPENS.contains(&call.name.as_str()) && call.name != "execve")
        .filter(|call| !call.arguments.contains("CLONE_THREAD"))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(testkit::written_paths(&calls), [""; 0]);
    let opened = calls.iter().filter(|call| OPENS.contains(&call.name.as_str())).map(|call| call.arguments.as_str());
    let opened: Vec<&str> = opened.filter(|arguments| !is_start_up(arguments)).collect();
    assert!(
        !opened.iter().any(|arguments| FILES_OF_CONTEXT.iter().any(|name| arguments.contains(name))),
        "{opened:#?}"
    );
    assert!(opened.len() <= MOST_OPENED_WITH_MOUNTS, "{} files were opened: {opened:#?}", opened.len());
}

const MOST_OPENED_WITH_MOUNTS: usize = 20;

/// A server is asked whether its file is the same; nothing is written when it is.
#[test]
#[ignore = "requires strace"]
fn d085_a_no_op_rebuild_with_a_remote_file_requires_strace() {
    let server = testkit::HttpServer::serving(|request| match request.header("if-none-match") {
        Some("\"v1\"") => testkit::Response::status(304),
        _ => testkit::Response::ok("remote").header("ETag", "\"v1\""),
    });
    let project = Project::with(&format!("FROM busybox\nADD {} /x\nCOPY Dockerfile /y\n", server.url("/file")));
    project.wait_for_the_clock();
    project.build_app();
    server.seen();
    let calls = project.build(&["-t", "app"]).trace(&[&OPENS[..], &CHANGES, &["clone", "clone3"]].concat());
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].header("if-none-match")), (1, Some("\"v1\"")));
    assert_eq!(testkit::written_paths(&calls), [""; 0]);
    let changes = calls.iter().filter(|call| CHANGES.contains(&call.name.as_str()) && call.name != "execve");
    assert_eq!(changes.map(|call| format!("{call:?}")).collect::<Vec<_>>(), [""; 0]);
}

/// The same as root, where RUN has results as well.
#[test]
#[ignore = "requires root"]
fn a_no_op_rebuild_with_run_mounts_nothing_requires_root() {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("skipped: requires strace: a_no_op_rebuild_with_run_mounts_nothing_requires_root");
        return;
    }
    let project = Project::with("FROM busybox\nCOPY a /\nRUN echo hi > /b\nRUN true\n");
    project.file("a", "1");
    project.wait_for_the_clock();
    project.build_app();
    let names =
        [&OPENS[..], &CHANGES, &["clone", "clone3", "fsopen", "fsmount", "move_mount", "unshare", "setns"]].concat();
    let calls = project.build(&["-t", "app"]).trace(&names);
    let left: Vec<&SystemCall> = calls
        .iter()
        .filter(|call| !OPENS.contains(&call.name.as_str()) && call.name != "execve")
        .filter(|call| !call.arguments.contains("CLONE_THREAD"))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(testkit::written_paths(&calls), [""; 0]);
}

/// Opens of the store's files in a prune.
fn opened_by_prune(project: &Project, words: &[&str]) -> usize {
    let calls = project.onggi([&["system", "prune", "-af"], words].concat()).trace(&OPENS);
    calls.iter().filter(|call| !is_start_up(&call.arguments)).count()
}

/// A prune looks at each folder of the store a few times, however much is in an image.
#[test]
#[ignore = "requires root, strace"]
fn c312_a_prune_opens_what_it_has_to_requires_root() {
    let empty = Project::without_base();
    empty.ask(&["images"]);
    let opened = opened_by_prune(&empty, &[]);
    assert!(opened <= 40, "{opened} opens in an empty store");

    let counts = [1, 10_000].map(|files| {
        let project = Project::with("FROM busybox\nCOPY . /all/\n");
        for number in 0..files {
            project.file(&format!("src/{number}"), "x");
        }
        project.build_app();
        [&["--dry-run"][..], &[]].map(|words| opened_by_prune(&project, words))
    });
    assert_eq!(counts[0], counts[1], "with one file, and with ten thousand");
    assert!(counts[1].iter().all(|count| *count <= 80), "{counts:?}");
}
