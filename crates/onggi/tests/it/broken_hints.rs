//! A hint is something that works when it is typed: each one here is followed, and then the build succeeds.

use crate::build_project::Project;

/// The mistake, what the hint says to write, and the Dockerfile with that in it.
const DOCKERFILES: &[(&str, &str, &str)] = &[
    ("FORM busybox\n", "did you mean `FROM`?", "FROM busybox\n"),
    ("FROM busybox\nCOPPY app.js /\n", "did you mean `COPY`?", "FROM busybox\nCOPY app.js /\n"),
    (
        "FROM busybox\nCOPY --chonw=1:1 app.js /\n",
        "did you mean `--chown`?",
        "FROM busybox\nCOPY --chown=1:1 app.js /\n",
    ),
    ("FROM busybox\nCOPY app.js\n", "write `COPY app.js .`", "FROM busybox\nCOPY app.js .\n"),
    ("FROM busybox\nENV NAME\n", "write `ENV NAME=value`", "FROM busybox\nENV NAME=value\n"),
    (
        "FROM busybox\nENV A=1 B=two or three words C=4\n",
        "quote values with blanks: `B=\"two or three words\"`",
        "FROM busybox\nENV A=1 B=\"two or three words\" C=4\n",
    ),
    ("FROM busybox\nEXPOSE 90-80\n", "write `80-90`", "FROM busybox\nEXPOSE 80-90\n"),
    ("FROM busybox\nSTOPSIGNAL SIGTEM\n", "did you mean `SIGTERM`?", "FROM busybox\nSTOPSIGNAL SIGTERM\n"),
    (
        "FROM busybox\nHEALTHCHECK --interval=5 CMD true\n",
        "write `--interval=5s`",
        "FROM busybox\nHEALTHCHECK --interval=5s CMD true\n",
    ),
    ("FROM busybox\nHEALTHCHECK true\n", "write `HEALTHCHECK CMD true`", "FROM busybox\nHEALTHCHECK CMD true\n"),
    (
        "FROM busybox\nSHELL /bin/bash -c\n",
        "write `SHELL [\"/bin/bash\", \"-c\"]`",
        "FROM busybox\nSHELL [\"/bin/bash\", \"-c\"]\n",
    ),
    ("FROM busybox AS\n", "write for example `AS build`", "FROM busybox AS build\n"),
    ("FROM busybox AS 1st\n", "write for example `AS stage-1st`", "FROM busybox AS stage-1st\n"),
    ("FROM busybox build\n", "write `FROM busybox AS build`", "FROM busybox AS build\n"),
    ("FROM BusyBox\n", "write `busybox`", "FROM busybox\n"),
    ("FROM busyboxx\n", "an image has a similar name: `busybox:latest`", "FROM busybox:latest\n"),
    ("FROM busybox:1.36\n", "an image has a similar name: `busybox:latest`", "FROM busybox:latest\n"),
    ("ARG BASE\nFROM $BASE\n", "or a default: `ARG BASE=…`", "ARG BASE=busybox\nFROM $BASE\n"),
    (
        "FROM busybox AS build\nFROM busybox\nCOPY --from=biuld /bin/sh /x\n",
        "a stage has a similar name: `build`",
        "FROM busybox AS build\nFROM busybox\nCOPY --from=build /bin/sh /x\n",
    ),
    ("FROM busybox\nCOPY ap.js /\n", "a similar name is there: `app.js`", "FROM busybox\nCOPY app.js /\n"),
    (
        "FROM busybox\nCOPY app.js package.json /bin/busybox-js\n",
        "write `/bin/busybox-js/`",
        "FROM busybox\nCOPY app.js package.json /bin/busybox-js/\n",
    ),
    ("FROM busybox\nCOPY [odd.js /\n", "write `[[]` for the character itself", "FROM busybox\nCOPY [[]odd.js /\n"),
    (
        "FROM busybox\nCOPY --chmod=999 app.js /\n",
        "for example `--chmod=755`",
        "FROM busybox\nCOPY --chmod=755 app.js /\n",
    ),
    (
        "FROM busybox\nCOPY --chmod=rwxr-x--- app.js /\n",
        "write it in digits, as in `--chmod=750`",
        "FROM busybox\nCOPY --chmod=750 app.js /\n",
    ),
    (
        "FROM busybox\nCOPY --chmod=rx app.js /\n",
        "write for example `--chmod=+rx`",
        "FROM busybox\nCOPY --chmod=+rx app.js /\n",
    ),
    (
        "FROM busybox\nCOPY --chmod=g=ux app.js /\n",
        "as in `--chmod=g=u,g+x`",
        "FROM busybox\nCOPY --chmod=g=u,g+x app.js /\n",
    ),
    (
        "FROM busybox\nCOPY --chmod app.js /\n",
        "write for example `--chmod=755`",
        "FROM busybox\nCOPY --chmod=755 app.js /\n",
    ),
    (
        "FROM busybox\nCOPY --chown=9999999999 app.js /\n",
        "give a smaller number",
        "FROM busybox\nCOPY --chown=999999999 app.js /\n",
    ),
    (
        "FROM busybox\nCOPY -chown=1 app.js /\n",
        "flags begin with two dashes: `--chown=1`",
        "FROM busybox\nCOPY --chown=1 app.js /\n",
    ),
    (
        "FROM busybox\nCOPY --parents linked/main.c /x/\n",
        "write where it leads: `src/main.c`",
        "FROM busybox\nCOPY --parents src/main.c /x/\n",
    ),
    ("FROM busybox\nCOPY src/**/a.c /x/\n", "only with `--parents`", "FROM busybox\nCOPY --parents src/**/a.c /x/\n"),
    (
        "FROM busybox\nCOPY --exclude=! . /x/\n",
        "`--exclude=*.md --exclude=!README.md`",
        "FROM busybox\nCOPY --exclude=*.md --exclude=!README.md . /x/\n",
    ),
    (
        "FROM busybox\nCOPY --exclude=[odd . /x/\n",
        "write `[[]` for the character `[`",
        "FROM busybox\nCOPY --exclude=[[]odd . /x/\n",
    ),
    ("FROM busybox\nCOPY <<a/b /x/\nhi\na/b\n", "as in `<<EOF`", "FROM busybox\nCOPY <<EOF /x/\nhi\nEOF\n"),
    (
        "FROM busybox\nCOPY <<EOF /x\n${A!}\nEOF\n",
        "write `<<\"EOF\"` to keep the text as it is",
        "FROM busybox\nCOPY <<\"EOF\" /x\n${A!}\nEOF\n",
    ),
    (
        "FROM busybox\nCOPY <<EOF /x\n${A:?no}\nEOF\n",
        "or with `ENV A=…`",
        "FROM busybox\nENV A=1\nCOPY <<EOF /x\n${A:?no}\nEOF\n",
    ),
    (
        "FROM busybox\nCOPY app.js <<EOF\nhi\nEOF\n",
        "write the destination last: `COPY <<EOF /file`",
        "FROM busybox\nCOPY <<EOF /file\nhi\nEOF\n",
    ),
    (
        "FROM busybox AS one\nFROM busybox\nCOPY --from=one <<EOF /x\nhi\nEOF\n",
        "without `--from`",
        "FROM busybox\nCOPY <<EOF /x\nhi\nEOF\n",
    ),
    (
        "FROM busybox AS one\nFROM busybox\nARG S\nCOPY --from=$S /bin/sh /x\n",
        "or a default: `ARG S=…`",
        "FROM busybox AS one\nFROM busybox\nARG S=one\nCOPY --from=$S /bin/sh /x\n",
    ),
    (
        "FROM busybox\nADD torn.tgz /x/\n",
        "`ADD --unpack=false torn.tgz …`",
        "FROM busybox\nADD --unpack=false torn.tgz /x/\n",
    ),
    ("FROM busybox\nCOPY --chown=me app.js /\n", "use a number", "FROM busybox\nCOPY --chown=1 app.js /\n"),
    ("FROM --platform=plan9 busybox\n", "write for example `--platform=", "FROM --platform=linux/amd64 busybox\n"),
    ("FROM busybox\nENV A=${B\n", "close it with `}`", "FROM busybox\nENV A=${B}\n"),
];

#[test]
fn what_a_hint_says_to_write_works() {
    let project = Project::new();
    project
        .file("app.js", "1")
        .file("package.json", "{}")
        .file("[odd.js", "1")
        .file("src/main.c", "1")
        .file("src/lib/deep/a.c", "1");
    std::os::unix::fs::symlink("src", project.sandbox.work().join("linked")).unwrap();
    let mut tar = testkit::TarWriter::default();
    tar.file("long", 0o644, &[0; 2000]);
    project.file("torn.tgz", &tar.finish()[..1200]);
    for (broken, hint, mended) in DOCKERFILES {
        if mended.contains("linux/amd64") && !cfg!(target_arch = "x86_64") {
            continue;
        }
        let failed = project.dockerfile(broken).build(&["--progress=quiet"]).run().exits(1);
        let said = failed.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or("nothing");
        assert!(said.contains(hint), "{broken}said: {said}");
        project.dockerfile(mended).build(&["-q"]).run().success();
    }
}

/// Runs the first command in backquotes of the hint, after the failure of `words`.
#[track_caller]
fn follow(project: &Project, words: &[&str]) -> String {
    let failed = project.onggi([&["build", "-q"], words].concat()).run().exits(1);
    let hint = failed.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_default();
    let typed = hint.split('`').nth(1).unwrap_or_else(|| panic!("no command in the hint: {}", failed.stderr));
    typed.to_owned()
}

#[test]
fn commands_in_hints_work() {
    let project = Project::with("FROM busybox AS build\nCOPY a /\n");
    project.file("a", "1").file("nodocker/MyDockerfile", "FROM busybox\n").file("folder/Dockerfile", "FROM busybox\n");
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        project.onggi(words).stdin("FROM busybox\n").run().success();
    };
    let build = |flags: &[&str]| project.build(&[flags, &["-q"]].concat()).run().success();

    run(&follow(&project, &["nodocker"]));
    run(&follow(&project, &["a"]).replace(" a ", " Dockerfile "));
    run(&follow(&project, &["missing"]));
    run(&follow(&project, &["-f", "-", "-"]));
    build(&follow(&project, &["--target", "biuld", "."]).split(' ').collect::<Vec<_>>());
    build(&follow(&project, &["-f", "Dockerfil", "."]).split(' ').collect::<Vec<_>>());
    build(&follow(&project, &["-f", "folder", "."]).split(' ').collect::<Vec<_>>());
    build(&["-t", &follow(&project, &["-t", "MyApp:V1", "."])]);
    assert_eq!(follow(&project, &["foldr"]), "folder");

    let made = follow(&project, &["--iidfile", "new/folder/id", "."]);
    project.sandbox.command("sh").arguments(["-c", &made]).run().success();
    build(&["--iidfile", "new/folder/id"]);
}

#[test]
fn a_line_for_the_ignore_file_works() {
    let project = Project::with("FROM busybox\nCOPY node_modules/deep/index.js /\n");
    project.file("node_modules/deep/index.js", "1").file(".dockerignore", "node_modules\n");
    let line = follow(&project, &["."]);
    assert_eq!(line, "!node_modules/deep/index.js");
    project.file(".dockerignore", format!("node_modules\n{line}\n"));
    project.build_app();
}

#[test]
fn a_file_further_up_is_reached_as_the_hint_says() {
    let project = Project::new();
    project.file("outside", "1").file("inner/Dockerfile", "FROM busybox\nCOPY ../outside /\n");
    let failed = project.onggi(["build", "-q", "."]).cwd("inner").run().exits(1);
    assert!(failed.stderr.contains("`onggi build -f Dockerfile ..`"), "{}", failed.stderr);
    // The path itself may stay: `..` at the root of the context is that root.
    project.onggi(["build", "-f", "Dockerfile", ".."]).cwd("inner").run().success();
}

#[test]
fn a_base_that_cannot_be_pulled_can_be_imported() {
    let project = Project::with("FROM node:18\nLABEL a=b\n");
    let failed = project.build(&["-q"]).run().exits(1);
    assert!(failed.stderr.contains("take `blocked = true` out of that file"), "{}", failed.stderr);
    project.file("ROOTFS.tar", testkit::busybox_root_tar());
    project.ask(&["import", "ROOTFS.tar", "node:18"]);
    project.build_app();
}

/// Words behind `RUN`, what the hint says, and the words with that in them.
const RUNS: &[(&str, &str, &str)] = &[
    ("--mount=type=bnd,target=/x", "did you mean `type=bind`?", "--mount=type=bind,target=/x"),
    ("--mount=target=/", "as in `target=/src`", "--mount=target=/src"),
    ("--mount=target=/proc", "as in `target=/src`", "--mount=target=/src"),
    ("--mount=type=cache", "add `target=/path`", "--mount=type=cache,target=/path"),
    ("--mount=type=secret", "add `id=name`", "--mount=type=secret,id=name"),
    ("--mount=type=tmpfs,target=/x,size=lots", "write for example `size=64m`", "--mount=type=tmpfs,target=/x,size=64m"),
    ("--mount=target=/x,source=ap.js", "a similar name is there: `app.js`", "--mount=target=/x,source=app.js"),
    ("--mount=from=busyboxx,target=/x", "a similar name: `busybox:latest`", "--mount=from=busybox:latest,target=/x"),
    (
        "--mount=type=cache,target=/x,sharing=odd",
        "write for example `sharing=locked`",
        "--mount=type=cache,target=/x,sharing=locked",
    ),
    ("--mount=type=secret,id=s,mode=999", "write for example `mode=0755`", "--mount=type=secret,id=s,mode=0755"),
    ("--mount=type=cache,target=/x,uid=me", "write for example `uid=1000`", "--mount=type=cache,target=/x,uid=1000"),
    ("--mount=type=cache,target=/x,ro=maybe", "`readonly=true`", "--mount=type=cache,target=/x,readonly=true"),
    ("--mount=target=/x,sorce=app.js", "did you mean `source`?", "--mount=target=/x,source=app.js"),
    ("--mount=target=/x,size=1m", "`size` belongs to `type=tmpfs`", "--mount=type=tmpfs,target=/x,size=1m"),
    ("--mount=target=/x --mount=target=/x", "give one of them another target", "--mount=target=/x --mount=target=/y"),
    ("--mount=target=/x,ro,rw", "keep one of them", "--mount=target=/x,ro"),
    ("--mount=target", "write `target=value`", "--mount=target=value"),
    ("--network=hos", "did you mean `--network=host`?", "--network=host"),
];

#[test]
#[ignore = "requires root"]
fn d102_to_d109_hints_of_mounts_and_networks_work_requires_root() {
    let project = Project::new();
    project.file("app.js", "1");
    for (broken, hint, mended) in RUNS {
        let file = |words: &str| format!("FROM busybox\nRUN {words} true\n");
        let failed = project.dockerfile(&file(broken)).build(&["--progress=quiet"]).run().exits(1);
        let said = failed.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or("nothing");
        assert!(said.contains(hint), "{broken}\nsaid: {said}");
        project.dockerfile(&file(mended)).build(&["-q", "--allow", "network.host"]).run().success();
    }
}

/// Flags that are wrong, what the hint says to type, and what is typed.
const STEP_FLAGS: &[(&str, &str, &str)] = &[
    ("", "build with `--secret id=s,src=FILE`", "--secret id=s,src=FILE"),
    ("", "or with `env=VARIABLE`", "--secret id=s,env=VARIABLE"),
    ("--secret id=s,src=nope", "`--secret id=s,env=VARIABLE`", "--secret id=s,env=VARIABLE"),
    ("--secret s", "`--secret id=token,src=token.txt`", "--secret id=token,src=token.txt --secret id=s,src=FILE"),
    ("--secret s", "`--secret id=token,env=TOKEN`", "--secret id=token,env=TOKEN --secret id=s,src=FILE"),
    ("--allow network.hst", "did you mean `--allow network.host`?", "--allow network.host --secret id=s,src=FILE"),
    ("--add-host x", "as in `--add-host db:10.0.0.5`", "--add-host db:10.0.0.5 --secret id=s,src=FILE"),
    ("--add-host x", "`db=[::1]`", "--add-host db=[::1] --secret id=s,src=FILE"),
    ("--add-host x", "`db:host-gateway`", "--add-host db:host-gateway --secret id=s,src=FILE"),
    ("--shm-size lots", "write for example `--shm-size 128m`", "--shm-size 128m --secret id=s,src=FILE"),
    ("--ulimit nofle=3", "did you mean `nofile`?", "--ulimit nofile=30 --secret id=s,src=FILE"),
    ("--resource memry=3m", "did you mean `memory`?", "--resource memory=300m --secret id=s,src=FILE"),
    (
        "--resource memory=x",
        "write for example `--resource memory=512m`",
        "--resource memory=512m --secret id=s,src=FILE",
    ),
    ("--network odd", "use one of `default`, `none`, `host`", "--network none --secret id=s,src=FILE"),
];

#[test]
#[ignore = "requires root"]
fn b014_b017_to_b021_hints_of_flags_for_steps_work_requires_root() {
    let project = Project::with("FROM busybox\nRUN --mount=type=secret,id=s,required true\n");
    project.file("FILE", "hidden-1").file("token.txt", "hidden-2");
    let build = |flags: &str| {
        let words: Vec<&str> = flags.split_whitespace().collect();
        let build = project.build(&[&["--no-cache"], &words[..]].concat());
        build.env("VARIABLE", "hidden-3").env("TOKEN", "hidden-4").run()
    };
    for (broken, hint, mended) in STEP_FLAGS {
        let failed = build(broken);
        assert!(failed.code != 0, "{broken}");
        let said = failed.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or("nothing");
        assert!(said.contains(hint), "{broken}\nsaid: {said}");
        build(mended).success();
    }
}

/// Keys are held by an agent; what the hint says starts one that does.
#[test]
#[ignore = "requires root, ssh-agent"]
fn b015_a_key_is_used_as_the_hint_says_requires_root() {
    if !["ssh-agent", "ssh-add", "ssh-keygen"].iter().all(|name| std::path::Path::new("/usr/bin").join(name).exists()) {
        eprintln!("skipped: requires ssh-agent: b015_a_key_is_used_as_the_hint_says");
        return;
    }
    let project = Project::with("FROM busybox\nRUN --mount=type=ssh,required test -S $SSH_AUTH_SOCK\n");
    let shell = |script: &str| project.sandbox.command("sh").arguments(["-c", script]).run();
    shell("ssh-keygen -q -t ed25519 -N '' -f key").success();
    let failed = project.build(&["--ssh", "default=key"]).run();
    let hint = failed.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_default();
    let words: Vec<&str> = hint.split('`').collect();
    let [_, start, _, flag, ..] = words[..] else { panic!("no commands in the hint: {}", failed.stderr) };
    let script =
        format!("{start} && {} build {flag} .; code=$?; kill $SSH_AGENT_PID; exit $code", testkit::binary().display());
    shell(&script).success();
    // Without a key the same command is told how to get an agent.
    let failed = project.build(&["--ssh", "default"]).run();
    assert!(failed.code != 0 && failed.stderr.contains("`eval $(ssh-agent) && ssh-add`"), "{}", failed.stderr);
}
