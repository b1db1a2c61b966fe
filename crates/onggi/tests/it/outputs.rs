//! What becomes of a build's result: `--output` in all its forms (B050 to B060), `--metadata-file` (B010).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::Value;
use testkit::checker::{self, CheckedImage};

use crate::build_project::{Project, file_digest};

const DOCKERFILE: &str = "FROM busybox\nCOPY --chown=1:2 a /app/a\nCOPY a /app/b\nWORKDIR /app/new\nCMD [\"x\"]\n";

fn project() -> Project {
    let project = Project::with(DOCKERFILE);
    project.file("a", "content");
    project
}

/// Output below the working folder, which the context leaves out.
fn out(project: &Project, name: &str) -> std::path::PathBuf {
    project.file(".dockerignore", "out\n");
    project.sandbox.work().join("out").join(name)
}

fn ids(project: &Project) -> Vec<String> {
    let text = project.ask(&["images", "-a", "--no-trunc", "-q"]);
    text.lines().map(str::to_owned).collect()
}

fn archive(path: &Path) -> CheckedImage {
    checker::check_archive(path).unwrap().remove(0)
}

#[test]
fn b054_b055_archives_hold_the_image_and_the_store_does_not() {
    let project = project();
    let before = ids(&project);
    let id = project.build(&["-q", "-o", "type=cacheonly"]).run().success().stdout;
    for (number, options) in [
        "type=oci",
        "type=oci,compression=zstd,compression-level=1",
        "type=oci,compression=uncompressed",
        "type=oci,oci-mediatypes=false",
        "type=docker",
        "type=docker,compression=uncompressed",
        "type=docker,oci-mediatypes=true",
    ]
    .iter()
    .enumerate()
    {
        let path = out(&project, &format!("{number}.tar"));
        let output = format!("{options},dest={}", path.display());
        project.build(&["-t", "app:v1", "-t", "other", "-o", &output]).run().success();
        let image = archive(&path);
        assert_eq!(format!("{}\n", image.id), id, "{options}");
        assert_eq!(image.tree["app/a"].kind, file_digest("content"));
        assert_eq!(ids(&project), before, "{options}: names are those of the archive");
        // Elsewhere it is the same image with the same names.
        let other = Project::without_base();
        let loaded = other.ask(&["load", "-i", path.to_str().unwrap()]);
        assert!(
            loaded.contains("Loaded image: app:v1\n") && loaded.contains("Loaded image: other:latest\n"),
            "{loaded}"
        );
        assert_eq!(other.inspect("app:v1")["Id"], image.id);
    }
}

#[test]
fn b055_a_layout_is_a_folder() {
    let project = project();
    let folder = out(&project, "layout");
    let output = format!("type=oci,tar=false,dest={}", folder.display());
    project.build(&["-t", "one", "-o", &output]).run().success();
    project.build(&["-t", "two", "--label", "a=b", "-o", &output]).run().success();
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let names: Vec<_> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["annotations"]["io.containerd.image.name"])
        .collect();
    assert_eq!(names, ["docker.io/library/one:latest", "docker.io/library/two:latest"]);
    let tar = out(&project, "layout.tar");
    let packed = std::process::Command::new("tar").args(["-cf"]).arg(&tar).arg("-C").arg(&folder).arg(".").status();
    assert!(packed.unwrap().success());
    assert_eq!(checker::check_archive(&tar).unwrap().len(), 2);
}

#[test]
fn b056_b058_a_folder_gets_the_files() {
    let project = project();
    let folder = out(&project, "files");
    let built = project.build(&["-t", "app", "-o", "out/files"]).run().success();
    assert!(built.stderr.contains("exporting to client directory"), "{}", built.stderr);
    assert!(built.stderr.contains("copying files"), "{}", built.stderr);
    assert_eq!(fs::read_to_string(folder.join("app/a")).unwrap(), "content");
    assert_eq!(fs::read_link(folder.join("bin/ls")).unwrap(), Path::new("busybox"));
    assert_eq!(fs::metadata(folder.join("tmp")).unwrap().permissions().mode() & 0o7777, 0o1777);
    assert_eq!(fs::metadata(folder.join("root")).unwrap().permissions().mode() & 0o7777, 0o700);
    let is_root = rustix::process::geteuid().is_root();
    let owner = fs::metadata(folder.join("app/a")).unwrap();
    assert_eq!((owner.uid(), owner.gid()) == (1, 2), is_root, "only root gives files away");
    assert!(!project.ask(&["images"]).contains("app"), "nothing but files was asked for");
    // What is there stays, unless it is to go.
    fs::write(folder.join("mine"), "mine").unwrap();
    fs::write(folder.join("app/a"), "changed").unwrap();
    project.build(&["-o", "type=local,dest=out/files"]).run().success();
    assert_eq!(fs::read_to_string(folder.join("app/a")).unwrap(), "content");
    assert!(folder.join("mine").exists());
    project.build(&["-o", "type=local,dest=out/files,mode=delete"]).run().success();
    assert!(!folder.join("mine").exists() && folder.join("app/new").is_dir());
}

#[test]
fn b056_only_the_current_folder_is_emptied_without_a_word() {
    let project = project();
    let outside = project.sandbox.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "x").unwrap();
    let output = format!("type=local,dest={},mode=delete", outside.display());
    let refused = project.build(&["-o", &output]).run().exits(1);
    assert!(
        refused.stderr.contains("hint: add `--allow buildx.local.delete` if that is meant\n"),
        "{}",
        refused.stderr
    );
    assert!(outside.join("precious").exists());
    // A link below the current folder leads out of it as well.
    std::os::unix::fs::symlink(&outside, project.sandbox.work().join("link")).unwrap();
    project.build(&["-o", "type=local,dest=link,mode=delete"]).run().exits(1);
    assert!(outside.join("precious").exists());
    project.build(&["-o", &output, "--allow", "buildx.local.delete"]).run().success();
    assert!(!outside.join("precious").exists() && outside.join("app/a").exists());
}

/// Entries of a tar, as tar lists them.
fn listed(bytes: &[u8]) -> Vec<String> {
    use std::io::Write;
    let mut tar = std::process::Command::new("tar")
        .arg("-tf-")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = tar.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = tar.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn b057_b058_a_tar_goes_to_a_file_or_to_standard_output() {
    let project = project();
    let path = out(&project, "deep/er/files.tar");
    project.build(&["-o", &format!("type=tar,dest={}", path.display())]).run().success();
    let bytes = fs::read(&path).unwrap();
    let names = listed(&bytes);
    assert!(names.contains(&"app/a".to_owned()) && names.contains(&"app/new/".to_owned()), "{names:?}");
    assert_eq!(names[..2], ["app/", "app/a"]);
    for flags in [["-o", "-"], ["-o", "type=tar"], ["-o", "type=tar,dest=-"]] {
        let child = project.build(&flags).to_std().stderr(std::process::Stdio::null()).output().unwrap();
        assert!(child.status.success());
        assert!(child.stdout == bytes, "{flags:?}");
    }
}

#[test]
fn b059_several_outputs_of_one_build() {
    let project = project();
    let (tar, files) = (out(&project, "app.tar"), out(&project, "files"));
    let oci = format!("type=oci,dest={}", tar.display());
    let built = project
        .build(&["-t", "app", "-o", &oci, "-o", files.to_str().unwrap(), "--load", "-o", "type=tar,dest=out/files.tar"])
        .run()
        .success();
    let at = |text: &str| built.stderr.find(text).unwrap_or_else(|| panic!("no {text} in {}", built.stderr));
    assert!(at("exporting to oci image format") < at("exporting to client directory"));
    assert!(at("exporting to client directory") < at("exporting to client tarball"));
    assert!(at("exporting to client tarball") < at("exporting to image"));
    assert_eq!(archive(&tar).id, project.inspect("app")["Id"]);
    assert!(files.join("app/a").exists() && project.sandbox.work().join("out/files.tar").exists());
}

#[test]
fn b050_names_of_images() {
    let project = project();
    project.build(&["-o", "type=image,\"name=one,two:2\""]).run().success();
    let id = project.inspect("one")["Id"].clone();
    assert_eq!(project.inspect("two:2")["Id"], id);
    project.build(&["-t", "tag", "-o", "type=image,name=unused"]).run().success();
    assert!(!project.ask(&["images"]).contains("unused"), "names given to the build win");
    project.build(&["--label=x=y", "-o", "type=image,dangling-name-prefix=none,name-canonical=true"]).run().success();
    let named = project.ask(&["images", "--digests", "--format", "{{.Repository}} {{.Digest}}", "none"]);
    let digest = named.strip_prefix("none sha256:").unwrap().trim_end();
    assert_eq!(project.inspect(&format!("none@sha256:{digest}"))["Config"]["Labels"]["x"], "y");
    project.build(&["-t", "canon", "-o", "type=image,name-canonical=true"]).run().success();
    // One row, of which the digest is a column.
    assert_eq!(project.ask(&["images", "-q", "canon"]).lines().count(), 1);
    assert_eq!(project.inspect("canon")["RepoDigests"].as_array().unwrap().len(), 1);
}

#[test]
fn b012_b060_annotations_of_an_archive() {
    let project = project();
    let path = out(&project, "app.tar");
    let output = format!("type=oci,dest={},annotation.of=output", path.display());
    project
        .build(&["--annotation", "of.flag=b", "--annotation", "manifest-descriptor:k=v", "-o", &output])
        .run()
        .success();
    let read = |name: &str| {
        let tar = std::process::Command::new("tar").arg("-xOf").arg(&path).arg(name).output().unwrap();
        serde_json::from_slice::<Value>(&tar.stdout).unwrap()
    };
    let descriptor = read("index.json")["manifests"][0].clone();
    assert_eq!(descriptor["annotations"]["k"], "v");
    let manifest = read(&format!("blobs/sha256/{}", &descriptor["digest"].as_str().unwrap()[7..]));
    assert_eq!(manifest["annotations"], serde_json::json!({"of": "output", "of.flag": "b"}));
}

#[test]
fn b010_metadata_says_what_was_made() {
    let project = project();
    let metadata = |flags: &[&str]| -> Value {
        project.build(&[&["--metadata-file", "meta.json", "--iidfile", "id"], flags].concat()).run().success();
        serde_json::from_slice(&fs::read(project.sandbox.work().join("meta.json")).unwrap()).unwrap()
    };
    project.file(".dockerignore", "*\n!a\n");
    let image = metadata(&["-t", "app", "-t", "x:2"]);
    let id = project.inspect("app")["Id"].clone();
    assert_eq!(image["containerimage.config.digest"], id);
    assert_eq!(image["image.name"], "docker.io/library/app:latest,docker.io/library/x:2");
    let reference = image["buildx.build.ref"].as_str().unwrap();
    project.ask(&["build", "logs", reference.rsplit('/').next().unwrap()]);
    let digest = image["containerimage.digest"].as_str().unwrap();
    assert_eq!(image["containerimage.descriptor"]["digest"], digest);
    assert_eq!(image["containerimage.descriptor"]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(project.inspect(&format!("app@{digest}"))["Id"], id, "the digest is one that the image is found by");
    assert_eq!(fs::read_to_string(project.sandbox.work().join("id")).unwrap(), id.as_str().unwrap());
    // Of an archive it is the manifest in there.
    let oci = metadata(&["-t", "app", "-o", "type=oci,dest=app.tar"]);
    assert_eq!(oci["containerimage.config.digest"], id);
    assert_ne!(oci["containerimage.digest"], digest, "its layers are compressed");
    let index = std::process::Command::new("tar")
        .args(["-xOf", "app.tar", "index.json"])
        .current_dir(project.sandbox.work())
        .output();
    let index: Value = serde_json::from_slice(&index.unwrap().stdout).unwrap();
    assert_eq!(index["manifests"][0]["digest"], oci["containerimage.digest"]);
    let files = metadata(&["-t", "app", "-o", "files"]);
    assert_eq!(files.as_object().unwrap().keys().collect::<Vec<_>>(), ["containerimage.config.digest"]);
}

/// B050, B051, B055 to B059: what cannot be done is told before anything is.
#[test]
fn outputs_that_cannot_be_are_told_with_a_hint() {
    let project = project();
    project.file("is-file", "x");
    fs::create_dir_all(project.sandbox.work().join("is-folder")).unwrap();
    fs::create_dir_all(project.sandbox.work().join("taken/app/a/precious")).unwrap();
    project.file("not-layout/index.json", "[]");
    for (flags, message, hint) in [
        (
            ["-o", "is-file"],
            "cannot write to the folder `is-file`",
            "it is a file: name a folder, or write a tar with `type=tar`",
        ),
        (
            ["-o", "type=tar,dest=is-folder"],
            "cannot write `is-folder`",
            "it is a folder: name a file in it, as in `dest=is-folder/image.tar`",
        ),
        (
            ["-o", "type=oci,dest=is-folder"],
            "cannot write `is-folder`",
            "it is a folder: name a file in it, as in `dest=is-folder/image.tar`",
        ),
        (
            ["-o", "taken"],
            "cannot write `app/a`: a folder is in its place",
            "move it away, or remove it: `rm -r taken/app/a`",
        ),
        (
            ["-o", "type=oci,tar=false,dest=not-layout"],
            "`not-layout/index.json` is there, and is not the index of an OCI layout",
            "give a folder that is empty, or not there: `tar=false,dest=DIR`",
        ),
        (
            ["-o", "type=registry"],
            "a build that pushes its result is not there yet",
            "build with `-t REGISTRY/NAME`, then `onggi push REGISTRY/NAME`",
        ),
    ] {
        let failed = project.build(&flags).run().exits(1);
        assert!(failed.stderr.contains(&format!("error: {message}")), "{flags:?}: {}", failed.stderr);
        assert!(failed.stderr.contains(&format!("hint: {hint}")), "{flags:?}: {}", failed.stderr);
    }
    assert!(project.sandbox.work().join("taken/app/a/precious").is_dir());
    assert_eq!(fs::read_to_string(project.sandbox.work().join("not-layout/index.json")).unwrap(), "[]");
    // The hints work.
    project.build(&["-o", "type=tar,dest=is-folder/image.tar"]).run().success();
    let quiet = project.build(&["-q", "-o", "-"]).run().exits(1);
    assert!(quiet.stderr.contains("hint: use `--progress quiet --iidfile FILE`"), "{}", quiet.stderr);
    let classic = project.build(&["-o", "-"]).env("DOCKER_BUILDKIT", "0").run().exits(1);
    assert_eq!(classic.stderr, quiet.stderr);
    project.build(&["--progress", "quiet", "--iidfile", "id", "-o", "type=tar,dest=x.tar"]).run().success();
    // Nothing half-written is left.
    let left: Vec<_> = fs::read_dir(project.sandbox.work()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter().all(|name| !name.to_string_lossy().starts_with(".x") && !name.to_string_lossy().starts_with(".is")),
        "{left:?}"
    );
}

#[test]
fn a_folder_that_is_full_or_closed_is_an_error() {
    let project = project();
    let failed = project.build(&["-o", "type=tar,dest=/dev/full"]).run().exits(1);
    assert!(
        failed.stderr.contains("error: cannot write the tar\ncaused by: No space left on device"),
        "{}",
        failed.stderr
    );
    let failed = project.build(&["-o", "type=oci,dest=/dev/full"]).run().exits(1);
    assert!(
        failed.stderr.contains("error: cannot write archive\ncaused by: No space left on device"),
        "{}",
        failed.stderr
    );
}
