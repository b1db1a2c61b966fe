//! Secrets and agents of RUN (D105, D106, B014, B015).

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::build_project::{Project, outcomes, runtimes};

/// Builds with one RUN that is never taken from the cache, and gives what it wrote to standard output.
#[track_caller]
fn run(project: &Project, flags: &[&str], rest: &str) -> String {
    let file = format!("FROM busybox\nRUN chmod 777 /var\n{rest}\n");
    project.dockerfile(&file).build(&[&["-t", "app", "--no-cache"], flags].concat()).run().success();
    project.ask(&["run", "--rm", "app", "cat", "/var/out"])
}

#[test]
#[ignore = "requires root"]
fn d105_a_secret_is_a_file_of_its_owner_alone_requires_root() {
    let project = Project::new();
    project.file("token", "s3cret\nline");
    let secret = ["--secret", "id=token,src=token"];
    for flags in runtimes("d105_a_secret_is_a_file_of_its_owner_alone") {
        let run = |rest: &str| run(&project, &[&secret, flags].concat(), rest);
        for (mount, look, wanted) in [
            ("id=token", "/run/secrets/token", "400 0:0"),
            ("id=token,mode=0440,uid=12,gid=34", "/run/secrets/token", "440 12:34"),
            ("id=token,target=/deep/er/t", "/deep/er/t", "400 0:0"),
            ("id=token,target=/etc/passwd", "/etc/passwd", "400 0:0"),
            ("target=token", "/token", "400 0:0"),
        ] {
            let said = run(&format!(
                "RUN --mount=type=secret,{mount} {{ cat {look}; stat -c ' %a %u:%g' {look}; }} > /var/out"
            ));
            assert_eq!(said, format!("s3cret\nline {wanted}\n"), "{mount}");
        }
        let refused = run("USER node\nRUN --mount=type=secret,id=token cat /run/secrets/token > /var/out 2>&1 || true");
        assert_eq!(refused, "cat: can't open '/run/secrets/token': Permission denied\n");
        let mine = run("USER node\nRUN --mount=type=secret,id=token,uid=1000 cat /run/secrets/token > /var/out");
        assert_eq!(mine, "s3cret\nline");
        // It cannot be changed, and is gone in the next step.
        let after = run(
            "RUN --mount=type=secret,id=token echo x > /run/secrets/token || rm /run/secrets/token || echo kept > /var/out\n\
             RUN ls -d /run/secrets /run 2>> /var/out || true",
        );
        assert_eq!(after, "kept\nls: /run/secrets: No such file or directory\nls: /run: No such file or directory\n");
        assert!(!project.image("app").tree.keys().any(|path| path.starts_with("run")));
    }
}

#[test]
#[ignore = "requires root"]
fn d105_a_secret_is_a_variable_of_one_step_requires_root() {
    let project = Project::new();
    let flags = ["--secret", "id=token,env=VALUE", "--secret", "id=VALUE"];
    for runtime in runtimes("d105_a_secret_is_a_variable_of_one_step") {
        let file = "FROM busybox\nENV TOKEN=plain\n\
                    RUN --mount=type=secret,id=token,env=TOKEN --mount=type=secret,id=VALUE,env=B \
                    { echo \"$TOKEN $B\"; ls /run; } > /one 2>&1 || true\nRUN echo \"$TOKEN $B\" > /two\n";
        let build = project.dockerfile(file).build(&[&["-t", "app", "--no-cache"], &flags[..], runtime].concat());
        build.env("VALUE", "it's \"it\" $HOME").run().success();
        let said = project.ask(&["run", "--rm", "app", "cat", "/one", "/two"]);
        assert_eq!(said, "it's \"it\" $HOME it's \"it\" $HOME\nls: /run: No such file or directory\nplain \n");
    }
    // Both at once, as a target was named.
    project.file("value", "no newline");
    let said = run(
        &project,
        &["--secret", "id=token,src=value"],
        "RUN --mount=type=secret,id=token,env=T,target=/t test \"$T\" = \"$(cat /t)\" && echo same > /var/out",
    );
    assert_eq!(said, "same\n");
}

#[test]
#[ignore = "requires root"]
fn d105_a_secret_that_nobody_gave_requires_root() {
    let project = Project::new();
    let said = run(
        &project,
        &[],
        "RUN --mount=type=secret,id=none --mount=type=secret,id=none,env=NONE \
         { ls /run/secrets || echo \"none ${NONE-unset}\"; } > /var/out 2> /dev/null",
    );
    assert_eq!(said, "none unset\n");
    let file = "FROM busybox\nRUN --mount=type=secret,id=none,required true\n";
    let failed = project.dockerfile(file).build(&[]).run().exits(1);
    assert!(failed.stderr.contains("--secret id=none"), "{}", failed.stderr);
}

/// Another value is no other step: a rotated token makes no new image.
#[test]
#[ignore = "requires root"]
fn d105_the_value_is_not_in_the_key_requires_root() {
    let project = Project::with("FROM busybox\nRUN --mount=type=secret,id=t,required wc -c < /run/secrets/t > /out\n");
    let build = |flags: &[&str]| outcomes(&project.build(flags).run().success());
    project.file("one", "1").file("other", "22");
    assert_eq!(build(&["--secret", "id=t,src=one"]), ["CACHED", "DONE"]);
    assert_eq!(build(&["--secret", "id=t,src=other"]), ["CACHED", "CACHED"]);
    // Only a step that runs needs it.
    assert_eq!(build(&[]), ["CACHED", "CACHED"]);
}

/// An agent of the host with one key, ended with the value.
pub(crate) struct Agent {
    process: Child,
    pub(crate) socket: String,
}

impl Agent {
    /// `None` where OpenSSH is not installed. The key is in `folder`, with this comment.
    pub(crate) fn start(folder: &Path, comment: &str) -> Option<Self> {
        if !["ssh-agent", "ssh-add", "ssh-keygen"].iter().all(|name| Path::new("/usr/bin").join(name).exists()) {
            return None;
        }
        let (socket, key) = (folder.join("agent"), folder.join("key"));
        let quiet = |program: &str| {
            let mut command = Command::new(program);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let process = quiet("/usr/bin/ssh-agent").arg("-D").arg("-a").arg(&socket).spawn().unwrap();
        let made = quiet("/usr/bin/ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
            .arg(&key)
            .status();
        assert!(made.unwrap().success());
        while !quiet("/usr/bin/ssh-add").env("SSH_AUTH_SOCK", &socket).arg(&key).status().unwrap().success() {
            std::thread::yield_now();
        }
        Some(Self { process, socket: socket.to_str().unwrap().to_owned() })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// `busybox` with `ssh-add` of this machine and the libraries that it needs.
pub(crate) fn ssh_project() -> Project {
    let project = Project::new();
    let list = Command::new("ldd").arg("/usr/bin/ssh-add").output().unwrap().stdout;
    let list = String::from_utf8(list).unwrap();
    let libraries = list.split_whitespace().filter(|word| word.starts_with('/'));
    for path in libraries.chain(["/usr/bin/ssh-add"]) {
        let path = path.trim_start_matches('/');
        project.file(&format!("root/{path}"), fs::read(Path::new("/").join(path)).unwrap());
    }
    project.dockerfile("FROM busybox\nCOPY --chmod=755 root /\n").build(&["-t", "ssh"]).run().success();
    fs::remove_dir_all(project.sandbox.work().join("root")).unwrap();
    project
}

#[test]
#[ignore = "requires root"]
fn d106_b015_the_agent_of_the_host_is_asked_requires_root() {
    let project = ssh_project();
    let Some(agent) = Agent::start(project.sandbox.path(), "key-of-test") else {
        eprintln!("skipped: requires ssh-agent: d106_b015_the_agent_of_the_host_is_asked");
        return;
    };
    let named = format!("other={}", agent.socket);
    for runtime in runtimes("d106_b015_the_agent_of_the_host_is_asked") {
        for (flag, mount, socket, mode) in [
            ("default", "type=ssh", "/run/buildkit/ssh_agent.0", "600 0:0"),
            ("default", "type=ssh,target=/s/agent,mode=0640,uid=1,gid=2", "/s/agent", "640 1:2"),
            (&named, "type=ssh,id=other,required", "/run/buildkit/ssh_agent.0", "600 0:0"),
        ] {
            let file = format!(
                "FROM ssh\nRUN --mount={mount} {{ echo $SSH_AUTH_SOCK; stat -c '%F %a %u:%g' $SSH_AUTH_SOCK; ssh-add -l; }} > /out\n\
                 RUN {{ echo ${{SSH_AUTH_SOCK-unset}}; ls /run /s; }} > /after 2>&1 || true\n"
            );
            let flags = [&["-t", "app", "--no-cache", "--ssh", flag], runtime].concat();
            let build = project.dockerfile(&file).build(&flags);
            let build = if flag == "default" { build.env("SSH_AUTH_SOCK", &agent.socket) } else { build };
            build.run().success();
            let said = project.ask(&["run", "--rm", "app", "cat", "/out"]);
            assert!(said.starts_with(&format!("{socket}\nsocket {mode}\n256 SHA256:")), "{mount}: {said}");
            assert!(said.ends_with(" key-of-test (ED25519)\n"), "{mount}: {said}");
            let after = project.ask(&["run", "--rm", "app", "cat", "/after"]);
            assert_eq!(after, "unset\nls: /run: No such file or directory\nls: /s: No such file or directory\n");
        }
        // For a user of the image, and for many questions at the same time.
        let file = "FROM ssh\nRUN chmod 777 /var\nUSER node\n\
                    RUN --mount=type=ssh,uid=1000 for n in 1 2 3 4 5 6 7 8; do ssh-add -l > /var/$n & done; wait; \
                    cat /var/? | sort -u | wc -l > /var/out\n";
        let build =
            project.dockerfile(file).build(&[&["-t", "app", "--no-cache", "--ssh", "default"], runtime].concat());
        build.env("SSH_AUTH_SOCK", &agent.socket).run().success();
        assert_eq!(project.ask(&["run", "--rm", "app", "cat", "/var/out"]), "1\n");
    }
    drop(agent);
    project.nothing_runs();
}

#[test]
#[ignore = "requires root"]
fn d106_without_an_agent_requires_root() {
    let project = Project::new();
    let said = run(&project, &[], "RUN --mount=type=ssh echo ${SSH_AUTH_SOCK-unset} > /var/out");
    assert_eq!(said, "unset\n");
    let file = "FROM busybox\nRUN --mount=type=ssh,required true\n";
    let failed = project.dockerfile(file).build(&[]).run().exits(1);
    assert!(failed.stderr.contains("hint: ") && failed.stderr.contains("--ssh default"), "{}", failed.stderr);
    // Nobody answers at the socket that was there when the build began.
    let socket = project.sandbox.path().join("gone");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let file = "FROM busybox\nRUN --mount=type=ssh true\n";
    let flag = format!("default={}", socket.display());
    let failed = project.dockerfile(file).build(&["--ssh", &flag]).run().exits(1);
    let cause = format!("caused by: cannot pass on the SSH agent {}: Connection refused", socket.display());
    assert!(failed.stderr.contains(&cause), "{}", failed.stderr);
}
