//! A shell in a step that failed has the mounts of the step (N007): what is in them, what was written to them, who may.

use std::fs;
use std::os::unix::net::UnixListener;

use testkit::Output;

use crate::build_project::Project;

/// Builds what must fail, and gives the words of the command that opens a shell there.
#[track_caller]
fn fail(project: &Project, dockerfile: &str, flags: &[&str]) -> Vec<String> {
    let failed = project.dockerfile(dockerfile).build(flags).run().exits(1);
    words(&failed)
}

#[track_caller]
fn words(failed: &Output) -> Vec<String> {
    let command = failed.stderr.lines().find_map(|line| line.strip_prefix("hint: ")?.split('`').nth(1));
    let command = command.filter(|command| command.starts_with("onggi build debug "));
    let command = command.unwrap_or_else(|| panic!("no command in a hint: {}", failed.stderr));
    command.split(' ').skip(1).map(str::to_owned).collect()
}

/// The shell of that command with this typed into it.
#[track_caller]
fn typed(project: &Project, words: &[String], script: &str) -> Output {
    project.onggi(words).stdin(script).run()
}

/// What the warnings of a shell say.
fn warnings(shell: &Output) -> Vec<&str> {
    shell.stderr.lines().filter_map(|line| line.strip_prefix("warning: ")).collect()
}

/// A step that writes down with `look` what it sees before it fails, and the shell that looks again.
#[track_caller]
fn looks_the_same(project: &Project, before: &str, mounts: &str, look: &str, flags: &[&str]) -> Vec<String> {
    let dockerfile = format!("{before}RUN {mounts} ({look}) > /tmp/seen 2>&1; exit 3\n");
    let words = fail(project, &dockerfile, flags);
    let saw = typed(project, &words, "cat /tmp/seen").success().stdout;
    assert_ne!(saw, "");
    let shell = typed(project, &words, &format!("({look}) 2>&1"));
    assert_eq!(shell.stdout, saw, "{}", shell.stderr);
    assert_eq!(warnings(&shell), [""; 0]);
    project.nothing_runs();
    words
}

#[test]
#[ignore = "requires root"]
fn n007_bind_mounts_of_the_context_requires_root() {
    let project = Project::new();
    project.file("src/a", "a").file("src/deep/b", "b").file("src/hidden", "h").file("one", "1");
    project.file(".dockerignore", "**/hidden\nDockerfile\n");
    let look = "cd /; ls -lan src src/deep one; cat src/a src/deep/b one; touch src/new; echo $?; echo > one; echo $?";
    let mounts = "--mount=target=/src,source=src --mount=target=/one,source=one";
    looks_the_same(&project, "FROM busybox\n", mounts, look, &[]);
    looks_the_same(&project, "FROM busybox\nUSER node\nWORKDIR /tmp\n", mounts, "true; ls /src", &[]);

    // What was written to them is there once more, and in the context it never was.
    let mounts = "--mount=target=/src,source=src,rw --mount=target=/one,source=one,rw";
    let change = "echo new > /src/new; rm /src/a; echo 2 >> /one; mkdir /src/deep/er; chmod 700 /src";
    let file = format!("FROM busybox\nRUN {mounts} {change}; exit 3\n");
    let words = fail(&project, &file, &[]);
    let look = "cd /src; find . | sort; cat new /one; stat -c %a .; echo 3 > /one; rm -r deep";
    let expected = ".\n./deep\n./deep/b\n./deep/er\n./new\nnew\n12\n700\n";
    for _ in 0..2 {
        assert_eq!(typed(&project, &words, look).success().stdout, expected);
    }
    assert_eq!(fs::read_to_string(project.sandbox.work().join("one")).unwrap(), "1");
    assert!(project.sandbox.work().join("src/a").exists());
    // What changes in the context is seen; what is gone is told.
    project.file("src/later", "");
    assert!(typed(&project, &words, "ls /src").success().stdout.contains("later\n"));
    fs::remove_dir_all(project.sandbox.work().join("src")).unwrap();
    let shell = typed(&project, &words, "ls -A /src; cat /one").exits(0);
    assert_eq!(warnings(&shell), ["/src is not mounted: `src` is not in the build context"]);
    assert_eq!(shell.stdout, "12\n");
}

#[test]
#[ignore = "requires root"]
fn n007_bind_mounts_of_stages_and_streams_requires_root() {
    let project = Project::new();
    let before = "FROM busybox AS one\nRUN mkdir -p /out/x && echo 1 > /out/x/1 && ln -s x /out/link\nFROM busybox\n";
    let look = "cd /m; find . | sort; cat x/1; cat /file; ls -lan /m; touch /m/new; echo $?";
    let mounts = "--mount=from=one,source=out,target=/m --mount=from=one,source=/out/link/1,target=/file";
    let words = looks_the_same(&project, before, mounts, look, &[]);
    // The stage's layers are held as well.
    project.ask(&["rmi", "busybox"]);
    assert_eq!(typed(&project, &words, "cat /file").success().stdout, "1\n");

    let project = Project::new();
    let mounts = "--mount=from=one,source=out,target=/m,rw --mount=from=one,source=/out/link/1,target=/file,rw";
    let change = "rm /m/x/1; echo 2 > /m/2; echo 3 > /file";
    let words = fail(&project, &format!("{before}RUN {mounts} {change}; exit 3\n"), &[]);
    assert_eq!(
        typed(&project, &words, "find /m | sort; cat /m/2 /file; rm /m/2").success().stdout,
        "/m\n/m/2\n/m/link\n/m/x\n2\n3\n"
    );
    assert_eq!(typed(&project, &words, "cat /m/2").success().stdout, "2\n");

    // A context that came as a stream is nowhere but in what is kept.
    project.file("stream/Dockerfile", "FROM busybox\nRUN --mount=target=/c --mount=source=s/one,target=/one exit 3\n");
    project.file("stream/s/one", "1");
    let tar = project.sandbox.command("tar").arguments(["-C", "stream", "-cf", "stream.tar", "."]);
    assert_eq!(tar.run().code, 0);
    let tar = fs::read(project.sandbox.work().join("stream.tar")).unwrap();
    let words = words_of_stream(&project, tar);
    let shell = typed(&project, &words, "find /c | sort; cat /one").success();
    assert_eq!(shell.stdout, "/c\n/c/Dockerfile\n/c/s\n/c/s/one\n1", "{}", shell.stderr);
    project.nothing_runs();
}

fn words_of_stream(project: &Project, tar: Vec<u8>) -> Vec<String> {
    words(&project.onggi(["build", "-"]).stdin(tar).run().exits(1))
}

#[test]
#[ignore = "requires root"]
fn n007_cache_and_memory_requires_root() {
    let project = Project::new();
    let mounts = "--mount=type=cache,target=/c,uid=1000,mode=750 --mount=type=cache,id=two,sharing=locked,target=/l \
                  --mount=type=cache,id=two,sharing=locked,target=/again --mount=type=tmpfs,target=/t,size=8m";
    let look = "echo $((1 + $(cat /c/n || echo 0))) > /c/n.new; stat -c '%n %a %u %g' /c /l /t; cat /c/n /again/x; df -P /t | tail -1";
    let before = "FROM busybox\nRUN --mount=type=cache,target=/c,uid=1000,mode=750 echo 5 > /c/n\n\
                  RUN --mount=type=cache,id=two,target=/l echo x > /l/x\n";
    looks_the_same(&project, before, mounts, look, &[]);
    // What the step wrote to the cache is there; what was in memory is not.
    let file = format!("{before}RUN {mounts} echo half > /c/half; echo lost > /t/lost; exit 3\n");
    let words = fail(&project, &file, &[]);
    let shell = typed(&project, &words, "cat /c/half; ls -A /t; echo more >> /c/half").success();
    assert_eq!((shell.stdout.as_str(), warnings(&shell).len()), ("half\n", 0));
    assert_eq!(typed(&project, &words, "cat /c/half").success().stdout, "half\nmore\n");
    // A cache that a build works in is not touched.
    let mut build = project.onggi(["build", "-q", "-"]).to_std();
    let text = "FROM busybox\nRUN --mount=type=cache,id=two,sharing=locked,target=/l touch /l/in && while test -e /l/in; do sleep 0.01; done\n";
    project.file("waiting", text);
    let input = fs::File::open(project.sandbox.work().join("waiting")).unwrap();
    let mut build =
        build.stdin(input).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let inside = |name: &str| {
        let caches = project.sandbox.root().join("caches");
        fs::read_dir(caches)
            .unwrap()
            .map(|cache| cache.unwrap().path().join("0/data").join(name))
            .find(|path| path.exists())
    };
    while inside("in").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let shell = typed(&project, &words, "ls -A /l /again").success();
    assert_eq!(shell.stdout, "/again:\n\n/l:\n");
    assert_eq!(warnings(&shell)[0], "the cache on /again is in use by a build: an empty folder stands in for it");
    fs::remove_file(inside("in").unwrap()).unwrap();
    assert!(build.wait().unwrap().success());
    // One that was removed.
    fs::remove_dir_all(project.sandbox.root().join("caches")).unwrap();
    let shell = typed(&project, &words, "ls -A /c /l").success();
    assert_eq!(shell.stdout, "/c:\n\n/l:\n");
    assert_eq!(warnings(&shell).len(), 3, "{}", shell.stderr);
    project.nothing_runs();
}

#[test]
#[ignore = "requires root"]
fn n007_b014_secrets_requires_root() {
    let project = Project::new();
    project.file("token", "canary-in-a-file");
    let flags = [
        "--secret",
        "id=file,src=token",
        "--secret",
        "id=variable,env=VARIABLE",
        "--build-arg",
        "HTTP_PROXY=http://a:canary-in-a-proxy@b",
    ];
    let mounts = "--mount=type=secret,id=file,uid=1000,mode=440 --mount=type=secret,id=variable,target=/v \
                  --mount=type=secret,id=file,env=FILE --mount=type=secret,id=none --mount=type=secret,id=none,env=NONE";
    let look = "stat -c '%n %a %u %g %s' /run/secrets /run/secrets/* /v; md5sum /run/secrets/file /v; echo $FILE | md5sum; env | grep -c ^NONE; touch /v; echo $?";
    let file = format!("FROM busybox\nRUN {mounts} ({look}) > /tmp/seen 2>&1; exit 3\n");
    let failed = project.dockerfile(&file).build(&flags).env("VARIABLE", "canary-in-a-variable").run().exits(1);
    let words = words(&failed);
    let saw = typed(&project, &words, "cat /tmp/seen").success();
    assert_eq!(warnings(&saw).len(), 2, "the proxy, and the variable: {}", saw.stderr);
    let look = format!("({look}) 2>&1; echo $HTTP_PROXY");
    let shell =
        project.onggi(&words).stdin(look).env("VARIABLE", "canary-in-a-variable").env("HTTP_PROXY", "mine").run();
    assert_eq!(shell.stdout, format!("{}mine\n", saw.stdout), "{}", shell.stderr);
    assert_eq!(warnings(&shell), [""; 0]);
    // Nothing of them is in the store, neither in what is kept nor elsewhere.
    for canary in ["canary-in-a-file", "canary-in-a-variable", "canary-in-a-proxy"] {
        let found =
            project.sandbox.command("grep").arguments(["-rl", canary]).arguments([project.sandbox.root()]).run();
        assert_eq!((found.code, found.stdout.as_str()), (1, ""), "{canary}");
    }
    fs::remove_file(project.sandbox.work().join("token")).unwrap();
    let shell = project.onggi(&words).stdin("ls -A /run/secrets").env("VARIABLE", "v").env("HTTP_PROXY", "mine").run();
    let told = shell.stderr.replace(project.sandbox.work().to_str().unwrap(), "<work>");
    insta::assert_snapshot!(told.lines().take(2).collect::<Vec<_>>().join("\n"), @"
    warning: /run/secrets/file is not mounted: cannot read the secret `file` from <work>/token: No such file or directory (os error 2)
    warning: FILE is not set: cannot read the secret `file` from <work>/token: No such file or directory (os error 2)
    ");
}

#[test]
#[ignore = "requires root"]
fn n007_b015_an_agent_requires_root() {
    let project = Project::new();
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let listener = UnixListener::bind(&first).unwrap();
    let look = "echo $SSH_AUTH_SOCK; stat -c '%F %a %u' $SSH_AUTH_SOCK";
    let flags = ["--ssh", &format!("default={}", first.display())];
    let words = looks_the_same(&project, "FROM busybox\n", "--mount=type=ssh,mode=0640,uid=1000", look, &flags);
    drop(listener);
    let shell = typed(&project, &words, look);
    assert_eq!(warnings(&shell).len(), 1, "{}", shell.stderr);
    assert!(shell.stderr.contains("is gone, and SSH_AUTH_SOCK names no other"), "{}", shell.stderr);
    let _other = UnixListener::bind(&second).unwrap();
    let shell = project.onggi(&words).stdin(look).env("SSH_AUTH_SOCK", &second).run().success();
    assert_eq!(shell.stdout, "/run/buildkit/ssh_agent.0\nsocket 640 1000\n");
    assert_eq!(warnings(&shell), [""; 0]);
}

#[test]
#[ignore = "requires root"]
fn n007_here_documents_requires_root() {
    let project = Project::new();
    let words =
        fail(&project, "FROM busybox\nENV A=1\nRUN <<END\necho \"it's $A\" > /half\nfalse || exit 4\nEND\n", &[]);
    let shell = typed(&project, &words, "cat /half; rm /half; eval \"$ONGGI_COMMAND\"; echo $?; cat /half").success();
    assert_eq!(shell.stdout, "it's 1\n4\nit's 1\n", "{}", shell.stderr);
    // A script with an interpreter of its own, and one that is read by the command.
    let words = fail(&project, "FROM busybox\nRUN <<END\n#!/bin/sh -x\necho $0 > /half\nexit 5\nEND\n", &[]);
    let shell =
        typed(&project, &words, "eval \"$ONGGI_COMMAND\"; echo $?; cmp -s $(cat /half) /dev/null; echo $?").success();
    assert_eq!(shell.stdout, "5\n1\n", "{}", shell.stderr);
    let words =
        fail(&project, "FROM busybox\nRUN sh <<END 3<<OTHER\ncat <&3 > /half\nexit 6\nEND\nother\nOTHER\n", &[]);
    let shell = typed(&project, &words, "cat /half; rm /half; eval \"$ONGGI_COMMAND\"; echo $?; cat /half").success();
    assert_eq!(shell.stdout, "other\n6\nother\n", "{}", shell.stderr);
}

#[test]
#[ignore = "requires root"]
fn n007_b007_hosts_and_limits_requires_root() {
    let project = Project::new();
    let flags = ["--add-host", "db:10.1.2.3", "--shm-size", "32m", "--ulimit", "nofile=300:400", "--no-cache"];
    let look = "grep 'db$' /etc/hosts; df -P /dev/shm | tail -1; ulimit -Sn; ulimit -Hn";
    looks_the_same(&project, "FROM busybox\n", "", look, &flags);
}

/// All of it with another runtime.
#[test]
#[ignore = "requires root"]
fn n007_mounts_with_another_runtime_requires_root() {
    if !["/usr/sbin/runc", "/usr/bin/runc"].iter().any(|path| fs::exists(path).unwrap()) {
        eprintln!("skipped: requires runc: n007_mounts_with_another_runtime_requires_root");
        return;
    }
    let project = Project::new();
    project.file("src/a", "a").file("token", "t");
    let mounts = "--mount=target=/src,source=src,rw --mount=type=cache,target=/c --mount=type=tmpfs,target=/t \
                  --mount=type=secret,id=token";
    let file = format!("FROM busybox\nRUN {mounts} echo b > /src/b; echo c > /c/c; exit 3\n");
    let mut words = fail(&project, &file, &["--secret", "id=token,src=token", "--runtime", "runc"]);
    words.splice(2..2, ["--runtime".to_owned(), "runc".to_owned()]);
    let shell = typed(&project, &words, "cat /src/a /src/b /c/c /run/secrets/token; ls -A /t").success();
    assert_eq!(shell.stdout, "ab\nc\nt", "{}", shell.stderr);
    project.nothing_runs();
}
