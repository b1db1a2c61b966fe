//! COPY and ADD with their flags and here-documents: whole images by the real binary, read back by the checker.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::checker::{CheckedImage, Kind, Node};

use crate::build_project::{Project, file_digest, outcomes};

fn owner(node: &Node) -> (u32, u64, u64) {
    (node.mode, node.uid, node.gid)
}

fn set_mode(project: &Project, name: &str, mode: u32) {
    fs::set_permissions(project.sandbox.work().join(name), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn d122_to_d125_here_documents() {
    let project = Project::with(
        "FROM busybox\nARG NAME=dojin\nWORKDIR /srv/app\nCOPY --chmod=+x --chown=node <<-EOF start.sh\n\t#!/bin/sh\n\techo \
         \"$NAME\"\n\tEOF\nCOPY a.txt <<one <<\"two\" ./\n$NAME\none\n$NAME\ntwo\nADD <<EOF /etc/motd\nwelcome\nEOF\n",
    );
    project.file("a.txt", "a").build_app();
    let tree = project.image("app").tree;
    assert_eq!(tree["srv/app/start.sh"].kind, file_digest("#!/bin/sh\necho \"dojin\"\n"));
    assert_eq!(owner(&tree["srv/app/start.sh"]), (0o755, 1000, 1000));
    assert_eq!(tree["srv/app/one"].kind, file_digest("dojin\n"));
    assert_eq!(tree["srv/app/two"].kind, file_digest("$NAME\n"));
    assert_eq!(owner(&tree["srv/app/two"]), (0o644, 0, 0));
    assert_eq!(tree["etc/motd"].kind, file_digest("welcome\n"));
    assert_eq!(
        project.history("app")[2..],
        [
            "COPY --chown=node --chmod=+x <<EOF start.sh # buildkit",
            "COPY a.txt <<one <<two ./ # buildkit",
            "ADD <<EOF /etc/motd # buildkit"
        ]
    );
    let again = project.build(&[]).run().success();
    assert!(outcomes(&again).iter().all(|outcome| outcome == "CACHED"), "{}", again.stderr);
    assert!(again.stderr.contains("] COPY --chmod=+x --chown=node <<-EOF start.sh\n"), "{}", again.stderr);
}

#[test]
#[ignore = "requires root"]
fn d122_a_script_from_a_here_document_runs_requires_root() {
    let project = Project::with(
        "FROM busybox\nCOPY --chmod=755 <<'EOF' /greet\n#!/bin/sh\necho \"Hello ${1:-world}\"\nEOF\nRUN /greet build > /said\n\
         ENTRYPOINT [\"/greet\"]\n",
    );
    project.build_app();
    assert_eq!(project.image("app").tree["said"].kind, file_digest("Hello build\n"));
    assert_eq!(project.ask(&["run", "--rm", "app", "docker"]), "Hello docker\n");
}

#[test]
fn d081_symbolic_modes() {
    let project = Project::with("FROM busybox\nCOPY --chmod=u=rwX,go=rX dir /dir\nADD --chmod=g=u,o= dir/file /srv/\n");
    project.file("dir/sub/run", "1").file("dir/file", "2");
    set_mode(&project, "dir/sub", 0o700);
    set_mode(&project, "dir/sub/run", 0o700);
    set_mode(&project, "dir/file", 0o620);
    project.build_app();
    let tree = project.image("app").tree;
    let modes = ["dir/sub", "dir/sub/run", "dir/file", "srv/file"].map(|path| tree[path].mode);
    assert_eq!(modes, [0o755, 0o755, 0o644, 0o660]);
}

/// The image as it is in a store that it was loaded into: only what the archive holds counts there.
fn elsewhere(project: &Project, name: &str) -> CheckedImage {
    let archive = project.sandbox.work().join("saved.tar");
    project.ask(&["save", "-o", archive.to_str().unwrap(), name]);
    testkit::checker::check_archive(&archive).unwrap().remove(0)
}

#[test]
fn d082_linked_layers_are_used_again_on_another_base() {
    let project = Project::with(
        "ARG BASE=busybox\nFROM $BASE\nRUN_OR_NOT\nCOPY --link --chown=node a.txt /home/node/deep/\nADD --link dir /etc\nCOPY \
         --link <<EOF /tmp/x\nhi\nEOF\n"
            .replace("RUN_OR_NOT", "WORKDIR /home")
            .as_str(),
    );
    project.file("a.txt", "a").file("dir/motd", "welcome");
    let other =
        project.sandbox.write("other/Dockerfile", "FROM busybox\nWORKDIR /elsewhere\nCOPY --chmod=700 x /home/\n");
    project.file("other/x", "1");
    project.onggi(["build", "-q", "-t", "other", other.parent().unwrap().to_str().unwrap()]).run().success();
    project.build_app();
    let second = project.build(&["-t", "second", "--build-arg", "BASE=other"]).run().success();
    assert_eq!(outcomes(&second)[2..], ["CACHED", "CACHED", "CACHED"], "{}", second.stderr);
    let (one, two) = (project.image("app"), project.image("second"));
    let ends = |image: &CheckedImage| image.diff_ids[image.diff_ids.len() - 3..].to_vec();
    assert_eq!(ends(&one), ends(&two));
    for image in [two, elsewhere(&project, "second")] {
        let tree = image.tree;
        assert_eq!(tree["home/node/deep/a.txt"].kind, file_digest("a"));
        assert_eq!(owner(&tree["home/node/deep"]), (0o755, 1000, 1000));
        assert_eq!(tree["home/x"].kind, file_digest("1"));
        assert_eq!(tree["etc/motd"].kind, file_digest("welcome"));
        assert!(tree.contains_key("etc/passwd"), "what was in the folder stays");
        assert_eq!(tree["tmp/x"].kind, file_digest("hi\n"));
        assert_eq!(tree["tmp"].mode, 0o755, "folders on the way are made anew");
    }
}

/// The kernel sees what the indexes say.
#[test]
#[ignore = "requires root"]
fn d082_linked_layers_can_be_run_on_requires_root() {
    let project = Project::with(
        "FROM busybox\nRUN mkdir /real && ln -s real /link && chmod 700 /real && echo old > /real/old\n\
         COPY --link a.txt /link/\nCOPY --link a.txt /real/\nRUN ls -ld /link /real > /said && cat /real/old /link/a.txt >> /said\n",
    );
    project.file("a.txt", "new\n").build_app();
    let image = project.image("app");
    assert_eq!(image.tree["link"].kind, Kind::Directory);
    let said = project.ask(&["run", "--rm", "app", "cat", "/said"]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("drwxr-xr-x") && lines[1].starts_with("drwxr-xr-x"), "{said}");
    assert_eq!(lines[2..], ["old", "new"], "{said}");
}

fn sources(project: &Project) {
    for name in ["src/main.c", "src/lib/a.c", "src/lib/a.h", "src/lib/deep/b.c", "docs/index.md", "README.md"] {
        project.file(name, name);
    }
    set_mode(project, "src/lib", 0o750);
}

const CHOSEN: &str = "FROM busybox\nCOPY --parents src/**/*.c README.md /p/\nCOPY --exclude=**/*.h --exclude=lib/deep src /e\n\
                      ADD --exclude=*.md --exclude=src . /rest/\nCOPY --parents src/./lib /pivot/\n";

fn check_chosen(project: &Project) {
    assert_eq!(
        project.names("app", "p"),
        ["README.md", "src/", "src/lib/", "src/lib/a.c", "src/lib/deep/", "src/lib/deep/b.c", "src/main.c"]
    );
    assert_eq!(project.names("app", "pivot"), ["lib/", "lib/a.c", "lib/a.h", "lib/deep/", "lib/deep/b.c"]);
    assert_eq!(project.names("app", "e"), ["lib/", "lib/a.c", "main.c"]);
    assert_eq!(project.names("app", "rest"), ["docs/", "docs/index.md"]);
    let tree = project.image("app").tree;
    assert_eq!(owner(&tree["p/src/lib"]), (0o750, 0, 0));
}

#[test]
fn d083_d084_parents_and_exclude() {
    let project = Project::with(CHOSEN);
    sources(&project);
    project.file(".dockerignore", "Dockerfile\n.dockerignore\n");
    project.build_app();
    check_chosen(&project);
    // What is left out may change.
    project.file("src/lib/a.h", "changed");
    let steps = outcomes(&project.build(&[]).run().success());
    assert_eq!(steps, ["CACHED", "CACHED", "CACHED", "CACHED", "DONE"]);
}

#[test]
fn d083_d084_of_a_context_that_is_a_tar() {
    let project = Project::new();
    let mut tar = testkit::TarWriter::default();
    tar.file("Dockerfile", 0o644, CHOSEN.as_bytes()).file(".dockerignore", 0o644, b"Dockerfile\n.dockerignore\n");
    tar.folder("src", 0o755).folder("src/lib", 0o750).folder("src/lib/deep", 0o755).folder("docs", 0o755);
    for name in ["src/main.c", "src/lib/a.c", "src/lib/a.h", "src/lib/deep/b.c", "docs/index.md", "README.md"] {
        tar.file(name, 0o644, name.as_bytes());
    }
    project.onggi(["build", "-t", "app", "-"]).stdin(tar.finish()).run().success();
    check_chosen(&project);
}

#[test]
fn d083_d084_from_a_stage() {
    let project = Project::with(
        "FROM scratch AS files\nCOPY src /src\nFROM busybox\nARG S=files\nCOPY --from=$S --parents --exclude=**/deep \
         /src/./lib/** /x/\n",
    );
    sources(&project);
    project.build_app();
    assert_eq!(project.names("app", "x"), ["lib/", "lib/a.c", "lib/a.h"]);
}

#[test]
fn d087_archives_that_stay_whole() {
    let project =
        Project::with("FROM busybox\nADD --unpack=false pack.tar /kept/\nADD --unpack=true pack.tar /open/\n");
    let mut tar = testkit::TarWriter::default();
    tar.file("inside", 0o644, b"1");
    project.file("pack.tar", tar.finish()).build_app();
    assert_eq!(project.names("app", "kept"), ["pack.tar"]);
    assert_eq!(project.names("app", "open"), ["inside"]);
}

/// Copies a context with its times, as a checkout on another machine that keeps them.
fn copy_with_times(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").args(["-a"]).arg(from.join(".")).arg(to).status();
    assert!(done.unwrap().success());
}

#[test]
fn b096_n006_two_stores_agree_on_layers_without_any_flag() {
    let dockerfile = "FROM scratch\nWORKDIR /app/deep\nCOPY . .\nCOPY --parents src/lib/a.h /new/folder/\nCOPY <<EOF /etc/x\n1\nEOF\n\
                      ADD pack.tar /packed/\n";
    let (one, two) = (Project::with(dockerfile), Project::without_base());
    sources(&one);
    let mut tar = testkit::TarWriter::default();
    tar.file("deep/inside", 0o644, b"1");
    one.file("pack.tar", tar.finish());
    copy_with_times(&one.sandbox.work(), &two.sandbox.work());
    one.build_app();
    // Whatever the umask, and a second later.
    two.wait_for_the_clock();
    two.sandbox
        .command("sh")
        .arguments(["-c", &format!("umask 077; exec {} build -t app .", testkit::binary().display())])
        .run()
        .success();
    assert_eq!(one.image("app").diff_ids, two.image("app").diff_ids);
}

/// `cap_net_bind_service+ep`, as setcap(8) writes it.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
#[ignore = "requires root"]
fn d077_capabilities_of_files_requires_root() {
    let project = Project::with(
        "FROM busybox AS first\nCOPY dir /dir\nFROM busybox\nCOPY --from=first --chown=1:2 --chmod=755 /dir/server /one/\n\
         COPY --chown=1:2 dir/server /two/\nRUN cp -a /two/server /three\n",
    );
    project.file("dir/server", "#!/bin/sh\n");
    let set = |name: &str, attribute: &str, value: &[u8]| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(project.sandbox.work().join(name), attribute, value, flags).unwrap();
    };
    set("dir/server", "security.capability", &CAPABILITY);
    set("dir/server", "user.note", b"kept");
    project.build_app();
    let tree = project.image("app").tree;
    for path in ["one/server", "two/server"] {
        assert_eq!(tree[path].xattrs["security.capability"], CAPABILITY, "{path}");
        assert_eq!(tree[path].xattrs["user.note"], b"kept", "{path}");
        assert_eq!((tree[path].uid, tree[path].gid), (1, 2));
    }
}
