//! What the notes teach about layers, recomputed by code that is not ours (S300 to S309).

use testkit::checker::{self, CheckedImage, Kind};

use crate::build_project::{Project, file_digest};

/// The image as `save` gives it out, with every digest recomputed from the bytes.
fn saved(project: &Project, name: &str) -> CheckedImage {
    let archive = project.sandbox.work().join("saved.tar");
    project.ask(&["save", "-o", archive.to_str().unwrap(), name]);
    checker::check_archive(&archive).unwrap().remove(0)
}

#[test]
fn s300_s301_digests_recomputed_from_the_archive() {
    let project = Project::with("FROM busybox\nCOPY a /a\nCOPY b /b\n");
    project.file("a", "1").file("b", "2").build_app();
    // The checker has hashed every layer of the archive and compared it with the config.
    let image = saved(&project, "app");
    assert_eq!(image.diff_ids.len(), 3);
    assert_eq!(image.chain_ids[0], image.diff_ids[0]);
    for height in 1..3 {
        let text = format!("{} {}", image.chain_ids[height - 1], image.diff_ids[height]);
        assert_eq!(image.chain_ids[height], checker::digest(text.as_bytes()));
    }
    assert_eq!(image.id, project.inspect("app")["Id"]);
    // `rmi` tells the layers that go by these chain IDs; where it was built, the cache of the build still has them.
    let other = Project::without_base();
    other.ask(&["load", "-i", project.sandbox.work().join("saved.tar").to_str().unwrap()]);
    let removed = other.ask(&["rmi", "app"]);
    let deleted: Vec<_> = removed.lines().filter_map(|line| line.strip_prefix("Deleted: ")).collect();
    assert_eq!(deleted, [&image.id, &image.chain_ids[2], &image.chain_ids[1], &image.chain_ids[0]]);
}

#[test]
fn s302_a_change_below_changes_all_chain_ids_above() {
    let project = Project::with("FROM busybox\nCOPY low /low\nCOPY high /high\n");
    project.file("low", "1").file("high", "same").build(&["-q", "-t", "one"]).run().success();
    project.file("low", "2").build(&["-q", "-t", "two"]).run().success();
    let (one, two) = (project.image("one"), project.image("two"));
    assert_eq!(one.diff_ids[0], two.diff_ids[0]);
    assert_ne!(one.diff_ids[1], two.diff_ids[1]);
    assert_ne!(one.chain_ids[1..], two.chain_ids[1..]);
    assert!(one.chain_ids[1..].iter().all(|id| !two.chain_ids.contains(id)));
}

#[test]
#[ignore = "requires root"]
fn s303_layers_are_read_only_and_shared_requires_root() {
    let project = Project::with("FROM busybox\nCOPY a /a\n");
    project.file("a", "image").build_app();
    let digest = || project.image("app").tree;
    let before = digest();
    project.start(&[
        "--name",
        "one",
        "app",
        "sh",
        "-c",
        "echo changed > /a; mkdir /new; rm -r /home; echo done; sleep 1000",
    ]);
    project.wait_for_log("one", "done");
    assert_eq!(project.says(&["app", "sh", "-c", "cat /a; ls -d /new /home 2>/dev/null || true"]), "image/home\n");
    assert_eq!(digest(), before);
    // Stopped, its own layer is still there, and only there.
    project.onggi(["rm", "-f", "one"]).run().success();
    assert_eq!(project.says(&["app", "cat", "/a"]), "image");
}

/// The kernel's view of a running container and the checker's of its layers are the same.
#[test]
#[ignore = "requires root"]
fn s304_an_image_is_the_sum_of_its_layers_requires_root() {
    let project = Project::with(
        "FROM busybox\nCOPY tree /tree\nRUN rm /tree/gone && rm -r /tree/folder && mkdir /tree/folder && echo new > /tree/folder/new \
         && ln /tree/kept /tree/linked && ln -s kept /tree/link && mv /tree/old /tree/moved\nRUN rm -r /tree/all && echo file > /tree/all\n",
    );
    for name in ["gone", "kept", "folder/one", "folder/two", "old/deep/file", "all/x"] {
        project.file(&format!("tree/{name}"), name);
    }
    project.build_app();
    let inside = project.says(&["app", "sh", "-c", "cd /tree && find . | sort"]);
    let inside: Vec<_> = inside.lines().filter_map(|line| line.strip_prefix("./")).collect();
    assert_eq!(
        inside,
        ["all", "folder", "folder/new", "kept", "link", "linked", "moved", "moved/deep", "moved/deep/file"]
    );
    let image = saved(&project, "app");
    let mut listed = project.names("app", "tree");
    listed.sort();
    assert_eq!(listed.iter().map(|name| name.trim_end_matches('/')).collect::<Vec<_>>(), inside);
    assert_eq!(image.tree["tree/link"].kind, Kind::Symlink("kept".to_owned()));
    assert_eq!(image.tree["tree/linked"].kind, file_digest("kept"));
}

#[test]
#[ignore = "requires root"]
fn s305_defaults_are_packaged_and_overridden_requires_root() {
    let project = Project::with(
        "FROM busybox\nENV GREETING=hello\nWORKDIR /home/node\nUSER node\nENTRYPOINT [\"sh\", \"-c\"]\nCMD [\"echo $GREETING $(id -u) $(pwd)\"]\n",
    );
    project.build_app();
    assert_eq!(project.says(&["app"]), "hello 1000 /home/node\n");
    let flags = ["-e", "GREETING=bye", "-u", "0", "-w", "/tmp"];
    assert_eq!(project.says(&[&flags[..], &["app"]].concat()), "bye 0 /tmp\n");
    assert_eq!(project.says(&["app", "echo $GREETING"]), "hello\n");
    assert_eq!(project.says(&["--entrypoint", "echo", "app", "$GREETING"]), "$GREETING\n");
}

/// S306 for images of a build without names: each is run by its ID.
#[test]
#[ignore = "requires root"]
fn s306_an_image_is_run_by_its_id_requires_root() {
    let project = Project::with("FROM busybox\nRUN echo one > /one\n");
    let id = project.build(&["-q"]).run().success().stdout.trim_end().to_owned();
    for name in [id.as_str(), &id["sha256:".len()..], &id["sha256:".len()..][..12], &id["sha256:".len()..][..8]] {
        assert_eq!(project.says(&[name, "cat", "/one"]), "one\n", "{name}");
    }
}

#[test]
fn s307_a_multi_stage_result_holds_nothing_of_the_build_stage() {
    let project = Project::with(
        "FROM busybox AS build\nCOPY source /source\nCOPY artifact /out/artifact\n\nFROM scratch\nCOPY --from=build /out/artifact /app\n",
    );
    project.file("source", "secret").file("artifact", "binary").build_app();
    let image = saved(&project, "app");
    assert_eq!(image.tree.keys().collect::<Vec<_>>(), ["app"]);
    assert_eq!(image.diff_ids.len(), 1);
    assert!(!image.config.to_string().contains("source"));
    let base = project.image("busybox");
    assert!(base.diff_ids.iter().all(|id| !image.diff_ids.contains(id)));
}

#[test]
#[ignore = "requires root"]
fn s309_fewer_instructions_make_fewer_layers_requires_root() {
    let project = Project::new();
    let base = project.image("busybox").diff_ids.len();
    for (steps, layers) in [
        ("RUN echo a > /a\nRUN echo b > /b\nRUN echo c > /c\n", 3),
        ("RUN echo a > /a && echo b > /b && echo c > /c\n", 1),
        ("ENV A=1\nLABEL b=c\nEXPOSE 80\nCMD [\"x\"]\nUSER node\nVOLUME /data\nSTOPSIGNAL TERM\n", 0),
        ("COPY a /a\nADD a /b\nRUN true\nENV X=y\n", 3),
    ] {
        project.file("a", "1").dockerfile(&format!("FROM busybox\n{steps}")).build_app();
        let image = saved(&project, "app");
        assert_eq!(image.diff_ids.len() - base, layers, "{steps}");
        let rows = image.config["history"].as_array().unwrap();
        assert_eq!(rows.iter().filter(|row| row["empty_layer"] != true).count() - base, layers);
    }
    // Merged or not, the files are the same.
    assert_eq!(project.image("app").tree["a"].kind, file_digest("1"));
}

/// As the kernel shows it: whiteouts of what the base has, nothing of what came and went.
#[test]
#[ignore = "requires root"]
fn n012_a_squashed_image_runs_as_the_one_with_all_layers_requires_root() {
    let project = Project::with(
        "FROM busybox\nCOPY tree /tree\nRUN rm -r /home/node /tree/gone && echo big > /tmp/big && ln /tree/kept /tree/linked\n\
         RUN rm /tmp/big && rm -r /tree/all && echo file > /tree/all && mkdir /home/node && chmod 700 /tree\nUSER node\n",
    );
    for name in ["gone/x", "kept", "all/x"] {
        project.file(&format!("tree/{name}"), name);
    }
    project.build_app();
    project.build(&["-q", "--squash", "-t", "small"]).run().success();
    let (all, small) = (project.image("app"), project.image("small"));
    assert_eq!((all.diff_ids.len(), small.diff_ids.len()), (4, 2));
    assert_eq!(small.diff_ids[0], all.diff_ids[0]);
    assert_eq!(checker::differences(&all.tree, &small.tree, 10), [""; 0]);
    let list = |image: &str| {
        project.says(&["--user", "0", image, "sh", "-c", "find / -xdev | sort | xargs stat -c '%A %u:%g %n'"])
    };
    assert_eq!(list("app"), list("small"));
    assert_eq!(project.says(&["--user", "0", "small", "stat", "-c", "%h", "/tree/linked"]), "2\n");
    let saved = saved(&project, "small");
    assert_eq!(saved.diff_ids, small.diff_ids);
}

/// What was committed by hand is another image each time and has no recipe, only what was changed; a Dockerfile has one.
#[test]
#[ignore = "requires root"]
fn s310_a_commit_cannot_be_repeated_and_a_dockerfile_can_requires_root() {
    let project = Project::with("FROM busybox\nRUN echo by-hand > /file\n");
    let built = |name: &str| {
        project.build(&["-q", "--no-cache", "--reproducible", "-t", name]).run().success();
        project.inspect(name)["Id"].clone()
    };
    assert_eq!(built("one"), built("two"));
    let mut made = Vec::new();
    for name in ["first", "second"] {
        project.ask(&["run", "--name", name, "busybox", "sh", "-c", "echo by-hand > /file"]);
        made.push(project.ask(&["commit", name, name]));
        // What the commit keeps to itself can be asked of the container.
        assert_eq!(project.ask(&["diff", name]), "A /file\n");
    }
    assert_ne!(made[0], made[1]);
    let row = project.ask(&["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", "first"]);
    assert_eq!(row.lines().next(), Some("sh -c echo by-hand > /file|"));
}

/// Layers are kept uncompressed and read-only, however they came; only what travels is compressed.
#[test]
fn s311_layers_are_kept_uncompressed_and_read_only() {
    let project = Project::with("FROM busybox\nCOPY a /a\n");
    project.file("a", vec![b'a'; 100_000]).build_app();
    let archive = project.sandbox.work().join("packed.tar");
    let output = format!("type=oci,dest={},compression=gzip,force-compression=true", archive.display());
    project.build(&["--output", &output]).run().success();
    let other = Project::without_base();
    other.ask(&["load", "-q", "-i", archive.to_str().unwrap()]);
    let layers = other.sandbox.root().join("layers");
    let mut tars = 0;
    for entry in std::fs::read_dir(&layers).unwrap() {
        let entry = entry.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions());
        assert_eq!(mode & 0o222, 0, "{} can be written to", entry.path().display());
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.starts_with(&[0x1f, 0x8b]), "{} is compressed", entry.path().display());
        tars += usize::from(project.image("app").diff_ids.contains(&testkit::checker::digest(&bytes)));
    }
    assert_eq!(tars, project.image("app").diff_ids.len(), "each layer is the very tar that its DiffID is of");
}
