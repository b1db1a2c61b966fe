//! `RUN --mount` of files of the context, of stages and of images, and of memory (D102, D104, D107).

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

use crate::build_project::{Project, file_digest, outcomes, runtimes};

/// Builds with one RUN of this command, and gives what it wrote to `/out`.
#[track_caller]
fn out(project: &Project, flags: &[&str], mounts: &str, command: &str) -> String {
    let file = format!("FROM busybox\nRUN {mounts} {{ {command}; true; }} > /out 2>&1\nRUN cat /out\n");
    project.dockerfile(&file).build(&[&["-t", "app"], flags].concat()).run().success();
    project.ask(&["run", "--rm", "app", "cat", "/out"])
}

#[test]
#[ignore = "requires root"]
fn d102_the_context_is_mounted_where_it_lies_requires_root() {
    let project = Project::new();
    project.file("src/a", "text").file("big", vec![7; 16 << 20]);
    fs::set_permissions(project.sandbox.work().join("src/a"), fs::Permissions::from_mode(0o640)).unwrap();
    for flags in runtimes("d102_the_context_is_mounted_where_it_lies") {
        let command = "cat /c/src/a; stat -c ' %a %u %g' /c/src/a; echo x > /c/new; wc -c < /c/big; \
                       grep -c ' /c .* - overlay' /proc/self/mountinfo";
        let said = out(&project, flags, "--mount=target=/c", command);
        let refused = "can't create /c/new: Read-only file system";
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((lines[0], lines[2], lines[3]), ("text 640 0 0", "16777216", "0"), "in place: {said}");
        assert!(lines[1].ends_with(refused), "{said}");
        assert!(store_size(&project) < 8 << 20, "the context was copied");
    }
    assert!(!project.names("app", "c").iter().any(|name| !name.is_empty()));
    assert!(!project.image("app").tree.contains_key("c"));
}

/// Bytes of all files of the store.
fn store_size(project: &Project) -> u64 {
    let list = project.sandbox.command("du").arguments(["-sb".into(), project.sandbox.root()]).run().success().stdout;
    list.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "requires root"]
fn d102_what_is_written_to_a_mount_is_thrown_away_requires_root() {
    let project = Project::new();
    project.file("src/a", "text").file("src/b", "keep").file("one", "1");
    for flags in runtimes("d102_what_is_written_to_a_mount_is_thrown_away") {
        let mounts = "--mount=target=/c,source=src,rw --mount=target=/one,source=one,readwrite \
                      --mount=target=/i,from=busybox,rw=true";
        let command = "echo more >> /c/a; rm /c/b; mkdir /c/d; echo 2 > /one; rm -r /i/etc; \
                       cat /c/a /one; ls /c /i | wc -l";
        assert_eq!(out(&project, flags, mounts, command), "textmore\n2\n14\n");
        // Neither the next step nor the context has it.
        let again = "cat /c/a /one; ls /c /i/etc";
        let again = out(&project, flags, mounts, again);
        assert_eq!(again, "text1/c:\na\nb\n\n/i/etc:\ngroup\npasswd\n");
    }
    let read = |name: &str| fs::read_to_string(project.sandbox.work().join(name)).unwrap();
    assert_eq!((read("src/a"), read("src/b"), read("one")), ("text".to_owned(), "keep".to_owned(), "1".to_owned()));
    assert!(!project.sandbox.work().join("src/d").exists());
    for gone in ["c", "one", "i"] {
        assert!(!project.image("app").tree.contains_key(gone), "{gone} is in a layer");
    }
}

#[test]
#[ignore = "requires root"]
fn d102_ignored_files_are_not_to_be_seen_requires_root() {
    let project = Project::new();
    project.file(".dockerignore", "secret\n**/*.log\nsub/*\n!sub/keep\n");
    for name in ["secret", "a.log", "sub/x", "sub/keep", "deep/er/b.log", "deep/er/c", "plain"] {
        project.file(name, name);
    }
    for flags in runtimes("d102_ignored_files_are_not_to_be_seen") {
        for mount in ["--mount=target=/c", "--mount=target=/c,rw"] {
            let said = out(&project, flags, mount, "cd /c; find . ! -type d | sort; cat secret deep/er/b.log");
            assert_eq!(
                said,
                "./.dockerignore\n./Dockerfile\n./deep/er/c\n./plain\n./sub/keep\n\
                 cat: can't open 'secret': No such file or directory\n\
                 cat: can't open 'deep/er/b.log': No such file or directory\n"
            );
        }
        let said = out(&project, flags, "--mount=target=/c,source=deep", "find /c ! -type d");
        assert_eq!(said, "/c/er/c\n");
    }
    // What is ignored does not count.
    project.file("secret", "other").file("deep/er/b.log", "other");
    assert_eq!(outcomes(&project.build_app()), ["CACHED"; 3]);
}

/// As if the context had been sent to a builder: all is root's, and sockets do not arrive.
#[test]
#[ignore = "requires root"]
fn d102_owners_and_special_files_of_the_context_requires_root() {
    let project = Project::new();
    project.file("mine/a", "text").file("odd/b", "text");
    let work = project.sandbox.work();
    for name in ["mine", "mine/a"] {
        chown(work.join(name), Some(1234), Some(99)).unwrap();
    }
    fs::set_permissions(work.join("mine"), fs::Permissions::from_mode(0o750)).unwrap();
    let _socket = UnixListener::bind(work.join("odd/socket")).unwrap();
    project.sandbox.command("mkfifo").arguments([work.join("odd/pipe")]).run().success();
    symlink("b", work.join("odd/link")).unwrap();
    for flags in runtimes("d102_owners_and_special_files_of_the_context") {
        let list = "find /c | sort; cat /c/odd/link; stat -c ' %u:%g' /c/mine /c/mine/a";
        let said = out(&project, flags, "--mount=target=/c", list);
        assert_eq!(
            said, "/c\n/c/Dockerfile\n/c/mine\n/c/mine/a\n/c/odd\n/c/odd/b\n/c/odd/link\n/c/odd/pipe\ntext 0:0\n 0:0\n",
            "{flags:?}"
        );
        let one = out(&project, flags, "--mount=target=/c/x,source=mine/a", "cat /c/x; stat -c ' %u:%g' /c/x");
        assert_eq!(one, "text 0:0\n");
        let folder = out(&project, flags, "--mount=target=/c,source=mine", "stat -c '%a %u:%g' /c /c/a");
        assert_eq!(folder, "750 0:0\n644 0:0\n");
    }
    let owner = fs::metadata(work.join("mine/a")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 1234, "the context itself is left alone");
}

#[test]
#[ignore = "requires root"]
fn d102_stages_and_images_are_mounted_requires_root() {
    let project = Project::new();
    project.file("tool", "#!/bin/sh\necho \"tool $*\"\n");
    let file = "FROM busybox AS tools\nCOPY --chmod=755 tool /opt/bin/tool\nRUN mkdir /made && echo 1 > /made/x && \
                ln -s made /link && chown -R node /made\n\
                FROM busybox\nRUN --mount=from=tools,source=/opt/bin,target=/t --mount=from=0,source=link,target=/l \
                --mount=from=tools,source=made/x,target=/x --mount=from=busybox,target=/b \
                { /t/tool run; cat /l/x /x; stat -c %u /l/x; ls /b; } > /out\n";
    for flags in runtimes("d102_stages_and_images_are_mounted") {
        project.dockerfile(file).build(&[&["-t", "app", "--no-cache"], flags].concat()).run().success();
        let said = project.ask(&["run", "--rm", "app", "cat", "/out"]);
        assert_eq!(said, "tool run\n1\n1\n1000\nbin\ndev\netc\nhome\nproc\nroot\nsys\ntmp\nusr\nvar\n");
        assert_eq!(outcomes(&project.build_app()), ["CACHED"; 5]);
        let new: Vec<String> = project.image("app").tree.into_keys().collect();
        let base: Vec<String> = project.image("busybox").tree.into_keys().collect();
        assert_eq!(new.iter().filter(|path| !base.contains(path)).collect::<Vec<_>>(), ["out"]);
    }
}

#[test]
#[ignore = "requires root"]
fn d102_what_is_mounted_decides_about_the_cache_requires_root() {
    let project = Project::new();
    project.file("src/a", "1").file("other", "1");
    project.dockerfile("FROM busybox\nRUN --mount=target=/c,source=src cat /c/a > /out\n");
    project.build_app();
    project.file("other", "2");
    assert_eq!(outcomes(&project.build_app()), ["CACHED", "CACHED"], "not of the mount");
    project.wait_for_the_clock();
    project.file("src/a", "2");
    assert_eq!(outcomes(&project.build_app()), ["CACHED", "DONE"]);
    assert_eq!(project.image("app").tree["out"].kind, file_digest("2"));
    project.file("src/a", "1");
    assert_eq!(outcomes(&project.build_app()), ["CACHED", "CACHED"], "as at first");
    assert_eq!(project.image("app").tree["out"].kind, file_digest("1"));
}

/// A context that came as a stream is a tar in the store, and is mounted from there.
#[test]
#[ignore = "requires root"]
fn d102_d152_files_of_a_context_that_came_as_a_stream_requires_root() {
    let project = Project::new();
    let stream = |text: &str| {
        let mut tar = testkit::TarWriter::default();
        tar.file("Dockerfile", 0o644, b"FROM busybox\nRUN --mount=target=/c --mount=source=s/one,target=/one,rw { cat /c/s/one /one; find /c | sort; \
              stat -c %a /c/s; touch /c/new; echo 2 > /one; cat /one; } > /out 2>&1; true\n");
        tar.file(".dockerignore", 0o644, b"hidden\nDockerfile\n.dockerignore\n").file("hidden", 0o644, b"h");
        tar.folder("s", 0o750).file("s/one", 0o640, text.as_bytes()).symlink("s/link", "one");
        tar.finish()
    };
    for runtime in runtimes("d102_d152_files_of_a_context_that_came_as_a_stream") {
        let build = |text: &str, flags: &[&str]| {
            let words = [&["build", "-t", "app"][..], runtime, flags, &["-"]].concat();
            project.onggi(words).stdin(stream(text)).run().success()
        };
        build("1\n", &["--no-cache"]);
        let said = project.ask(&["run", "--rm", "app", "cat", "/out"]);
        let expected = "1\n1\n/c\n/c/s\n/c/s/link\n/c/s/one\n750\ntouch: /c/new: Read-only file system\n2\n";
        assert_eq!(said, expected);
        assert_eq!(outcomes(&build("1\n", &[])), ["CACHED", "CACHED"]);
        assert_eq!(outcomes(&build(&format!("changed {runtime:?}"), &[])), ["CACHED", "DONE"]);
        project.nothing_runs();
    }
}

/// A context with a name that a server has.
#[test]
#[ignore = "requires root"]
fn d102_b016_files_of_a_context_of_a_server_requires_root() {
    let mut tar = testkit::TarWriter::default();
    tar.folder("d", 0o755).file("d/f", 0o644, b"served\n").file("top", 0o600, b"top\n");
    let tar = tar.finish();
    let server = testkit::HttpServer::serving(move |request| match request.path.as_str() {
        "/files.tar" => testkit::Response::ok(tar.clone()).header("ETag", "\"1\""),
        _ => testkit::Response::status(404),
    });
    let project = Project::new();
    let context = format!("files={}", server.url("/files.tar"));
    for runtime in runtimes("d102_b016_files_of_a_context_of_a_server") {
        let flags = [&["--build-context", context.as_str()][..], runtime].concat();
        let mounts = "--mount=from=files,target=/m --mount=from=files,source=d/f,target=/f,rw";
        let command = "cat /m/d/f /m/top; find /m | sort; echo more >> /f; cat /f; touch /m/x";
        let said = out(&project, &flags, mounts, command);
        assert_eq!(said, "served\ntop\n/m\n/m/d\n/m/d/f\n/m/top\nserved\nmore\ntouch: /m/x: Read-only file system\n");
        assert!(
            outcomes(&project.build(&flags).run().success())
                .ends_with(&["CACHED", "CACHED", "CACHED"].map(str::to_owned))
        );
        project.nothing_runs();
    }
}

#[test]
#[ignore = "requires root"]
fn d104_tmpfs_is_memory_of_this_size_requires_root() {
    let project = Project::new();
    for flags in runtimes("d104_tmpfs_is_memory_of_this_size") {
        let command = "df -k /m | tail -n 1 | awk '{ print $2 }'; dd if=/dev/zero of=/m/f bs=1k count=2000; \
                       stat -c %a /m; grep -o ' /m .*tmpfs' /proc/self/mountinfo | wc -l";
        let said = out(&project, flags, "--mount=type=tmpfs,target=/m,size=1m", command);
        assert!(said.starts_with("1024\n"), "{said}");
        assert!(said.contains("No space left on device"), "{said}");
        assert!(said.ends_with("\n1777\n1\n"), "{said}");
        assert!(!project.image("app").tree.contains_key("m"));
        // What the image has there is covered while the step runs, and is as it was.
        let said = out(&project, flags, "--mount=type=tmpfs,target=/etc", "ls -A /etc; echo > /etc/passwd");
        assert!(!said.contains("group"), "{said}");
        assert_eq!(project.names("app", "etc"), ["group", "passwd"]);
        assert_eq!(project.image("app").tree["etc/passwd"], project.image("busybox").tree["etc/passwd"]);
    }
}

#[test]
#[ignore = "requires root"]
fn d107_d060_several_mounts_with_quotes_and_variables_requires_root() {
    let project = Project::new();
    project.file("a,b/x", "comma").file("s p/y", "space");
    let file = "FROM busybox\nARG NAME=caches\nENV AT=/env\nWORKDIR /w\n\
                RUN --mount='\"source=a,b\",target=rel/c' --mount=\"source=s p,target=/s p\" \
                --mount=type=tmpfs,target=${AT}/t --mount=type=cache,target=$NAME,id=$NAME-1 \
                --mount=type=tmpfs,target=/outer --mount=type=tmpfs,target=/outer/inner/deep \
                { cat /w/rel/c/x '/s p/y'; echo; echo kept > caches/k; echo > /outer/inner/deep/f; \
                awk '{ print $5 }' /proc/self/mountinfo | grep -e ^/w -e ^/s -e ^/env -e ^/outer | grep -v ^/sys | sort; } > /out\n";
    for flags in runtimes("d107_d060_several_mounts_with_quotes_and_variables") {
        project.dockerfile(file).build(&[&["-t", "app", "--no-cache"], flags].concat()).run().success();
        let said = project.ask(&["run", "--rm", "app", "cat", "/out"]);
        assert_eq!(said, "commaspace\n/env/t\n/outer\n/outer/inner/deep\n/s\\040p\n/w/caches\n/w/rel/c\n", "{flags:?}");
        assert_eq!(project.names("app", "w"), [""; 0]);
        for gone in ["env", "outer", "s p"] {
            assert!(!project.image("app").tree.contains_key(gone), "{gone} is in a layer");
        }
    }
}
