//! WORKDIR, COPY and ADD: which files they put where, with which owner and mode (S149 to S156).

use testkit::checker::{Kind, Node};

use crate::build_project::{Project, file_digest};

fn owner(node: &Node) -> (u32, u64, u64) {
    (node.mode, node.uid, node.gid)
}

#[test]
fn s149_workdir_makes_the_folder() {
    let project =
        Project::with("FROM busybox\nWORKDIR /web-ping/deep\nUSER node\nWORKDIR /home/node/app\nWORKDIR /etc\n");
    project.build_app();
    let tree = project.image("app").tree;
    assert_eq!(owner(&tree["web-ping"]), (0o755, 0, 0));
    assert_eq!(owner(&tree["web-ping/deep"]), (0o755, 0, 0));
    assert_eq!(owner(&tree["home/node/app"]), (0o755, 1000, 1000));
    assert_eq!(owner(&tree["etc"]), (0o755, 0, 0), "a folder that is there stays as it is");
    assert_eq!(project.config("app")["WorkingDir"], "/etc");
}

#[test]
fn s150_workdir_is_taken_from_the_one_before() {
    let project = Project::with("FROM busybox\nWORKDIR .\nWORKDIR a\nWORKDIR b/../c\nWORKDIR ../d/.\n");
    project.build_app();
    assert_eq!(project.history("app"), ["WORKDIR /", "WORKDIR /a", "WORKDIR /a/c", "WORKDIR /a/d"]);
    let rows = project.ask(&["history", "--format", "{{.CreatedBy}} {{.Size}}", "app"]);
    assert!(rows.contains("WORKDIR / 0B\n"), "{rows}");
    project.dockerfile("FROM app\nWORKDIR e\n").build(&["-t", "next"]).run().success();
    assert_eq!(project.config("next")["WorkingDir"], "/a/d/e", "from the base's");
}

#[test]
#[ignore = "requires root"]
fn s151_cd_does_not_last_but_workdir_does_requires_root() {
    let project = Project::with(
        "FROM busybox\nRUN mkdir /x && cd /x && pwd > /one\nRUN pwd > /two\nWORKDIR /x\nRUN pwd > /three\nCMD pwd\n",
    );
    project.build_app();
    let tree = project.image("app").tree;
    for (name, content) in [("one", "/x\n"), ("two", "/\n"), ("three", "/x\n")] {
        assert_eq!(tree[name].kind, file_digest(content), "{name}");
    }
    assert_eq!(project.ask(&["run", "--rm", "app"]), "/x\n");
}

#[test]
fn s152_s155_copy_and_add_put_a_file_into_the_workdir() {
    let project = Project::with(
        "FROM busybox\nWORKDIR /web-ping\nCOPY app.js .\nADD index.html .\nCOPY app.js renamed.js\nCOPY app.js /abs/\n",
    );
    project.file("app.js", "console.log(1)").file("index.html", "<h1>I-scream edu</h1>");
    project.build_app();
    let tree = project.image("app").tree;
    assert_eq!(tree["web-ping/app.js"].kind, file_digest("console.log(1)"));
    assert_eq!(tree["web-ping/renamed.js"].kind, file_digest("console.log(1)"));
    assert_eq!(tree["web-ping/index.html"].kind, file_digest("<h1>I-scream edu</h1>"));
    assert_eq!(tree["abs/app.js"].kind, file_digest("console.log(1)"));
    assert_eq!(owner(&tree["web-ping/app.js"]), (0o644, 0, 0), "COPY writes as root, whoever builds");
}

#[test]
fn s153_copy_dot_dot_takes_everything_but_what_is_ignored() {
    let project = Project::with("FROM busybox\nWORKDIR /usr/src/app\nCOPY . .\n");
    project.file("app.js", "1").file("src/lib/a.js", "2").file(".hidden", "3").file("node_modules/x/index.js", "4");
    project.file(".dockerignore", "node_modules\nDockerfile\n");
    std::fs::create_dir(project.sandbox.work().join("empty")).unwrap();
    std::os::unix::fs::symlink("app.js", project.sandbox.work().join("link")).unwrap();
    project.build_app();
    assert_eq!(
        project.names("app", "usr/src/app"),
        [".dockerignore", ".hidden", "app.js", "empty/", "link", "src/", "src/lib/", "src/lib/a.js"]
    );
    assert_eq!(project.image("app").tree["usr/src/app/link"].kind, Kind::Symlink("app.js".to_owned()));
}

#[test]
fn s154_wildcards_and_many_sources() {
    let project = Project::with(
        "FROM busybox\nWORKDIR /app\nCOPY package*.json ./\nCOPY src/?.c src/[xy].h one/\nCOPY [\"with space.txt\", \"/spaces/\"]\nCOPY src /copied\n",
    );
    for name in [
        "package.json",
        "package-lock.json",
        "other.json",
        "src/a.c",
        "src/bb.c",
        "src/x.h",
        "src/z.h",
        "with space.txt",
    ] {
        project.file(name, name);
    }
    project.build_app();
    assert_eq!(project.names("app", "app"), ["one/", "one/a.c", "one/x.h", "package-lock.json", "package.json"]);
    assert_eq!(project.names("app", "spaces"), ["with space.txt"]);
    // Of a folder the content is copied, not the folder.
    assert_eq!(project.names("app", "copied"), ["a.c", "bb.c", "x.h", "z.h"]);
}

#[test]
fn copy_with_owner_and_mode() {
    let project = Project::with(
        "FROM busybox\nCOPY --chown=node:node a /home/node/\nCOPY --chown=1234:5678 --chmod=600 a /b\nCOPY --chmod=755 dir /dir\n\
         COPY --chown=node a /c\nUSER node\nCOPY a /d\n",
    );
    project.file("a", "1").file("dir/x", "1");
    project.build_app();
    let tree = project.image("app").tree;
    assert_eq!(owner(&tree["home/node/a"]), (0o644, 1000, 1000));
    assert_eq!(owner(&tree["b"]), (0o600, 1234, 5678));
    assert_eq!(owner(&tree["dir/x"]), (0o755, 0, 0));
    assert_eq!(owner(&tree["c"]), (0o644, 1000, 1000));
    assert_eq!(owner(&tree["d"]), (0o644, 0, 0), "S163: USER does not matter to COPY");
    assert_eq!(project.history("app")[0], "COPY --chown=node:node a /home/node/ # buildkit");
}

/// A tar with a folder, a file, an executable and two links.
fn archive() -> Vec<u8> {
    let mut tar = testkit::TarWriter::default();
    tar.folder("pack", 0o750)
        .file("pack/file", 0o644, b"packed")
        .file("pack/run", 0o755, b"#!")
        .symlink("pack/link", "file");
    tar.hard_link("pack/hard", "pack/file");
    tar.finish()
}

#[test]
fn s156_add_unpacks_local_archives_and_copy_does_not() {
    let project = Project::with(
        "FROM busybox\nADD pack.tar /added\nADD pack.tgz plain.txt /zipped/\nCOPY pack.tar pack.tgz /copied/\n",
    );
    project.file("pack.tar", archive()).file("plain.txt", "plain");
    project.file("pack.tgz", gzip(&archive()));
    project.build_app();
    assert_eq!(project.names("app", "added"), ["pack/", "pack/file", "pack/hard", "pack/link", "pack/run"]);
    assert_eq!(
        project.names("app", "zipped"),
        ["pack/", "pack/file", "pack/hard", "pack/link", "pack/run", "plain.txt"]
    );
    assert_eq!(project.names("app", "copied"), ["pack.tar", "pack.tgz"]);
    let tree = project.image("app").tree;
    assert_eq!(tree["added/pack/hard"].kind, file_digest("packed"));
    assert_eq!(owner(&tree["added/pack"]), (0o750, 0, 0));
    assert_eq!(owner(&tree["zipped/pack/run"]), (0o755, 0, 0));
}

/// One stored block: a compressor of ours would be one more thing that could be wrong.
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks = data.chunks(65535).count();
    for (number, block) in data.chunks(65535).enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        bytes.push(u8::from(number + 1 == blocks));
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&(!length).to_le_bytes());
        bytes.extend_from_slice(block);
    }
    bytes.extend_from_slice(&crc32(data).to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
    bytes
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !data.iter().fold(!0u32, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}
