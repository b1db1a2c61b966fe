//! Building for other processors with the real binary, and with an emulator where there is one (B013, D024).

use std::fs;
use std::path::Path;

use serde_json::Value;
use testkit::checker;

use crate::build_project::{Project, file_digest};

/// A program for arm64 that writes `made` into the file `/made`: thirteen instructions, then two texts.
fn arm64_program() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    const CODE: u32 = 13 * 4;
    let movz = |register: u32, value: u32| 0xd280_0000 | value << 5 | register;
    let adr = |register: u32, distance: u32| 0x1000_0000 | (distance & 3) << 29 | (distance >> 2) << 5 | register;
    const CALL: u32 = 0xd400_0001;
    const CURRENT_FOLDER: u32 = 0x9280_0c60;
    let code = [
        CURRENT_FOLDER,           // x0 = AT_FDCWD
        adr(1, CODE - 4),         // x1 = "/made"
        movz(2, 0o1101),          // x2 = O_WRONLY | O_CREAT | O_TRUNC
        movz(3, 0o644),           // x3 = mode
        movz(8, 56),              // openat
        CALL,                     // x0 = the file
        adr(1, CODE - 6 * 4 + 1), // x1 = "made"
        movz(2, 4),               // x2 = its length
        movz(8, 64),              // write
        CALL,
        movz(0, 0),
        movz(8, 93), // exit
        CALL,
    ];
    let mut body: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
    body.extend_from_slice(b"/made\0");
    let size = HEADERS + body.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let (executable, aarch64, version): (u16, u16, u32) = (2, 183, 1);
    elf.extend(executable.to_le_bytes());
    elf.extend(aarch64.to_le_bytes());
    elf.extend(version.to_le_bytes());
    for number in [BASE + HEADERS, 64, 0] {
        elf.extend(number.to_le_bytes());
    }
    elf.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    let (load, readable_and_executable): (u32, u32) = (1, 5);
    elf.extend(load.to_le_bytes());
    elf.extend(readable_and_executable.to_le_bytes());
    for number in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(number.to_le_bytes());
    }
    elf.extend(body);
    elf
}

/// A folder with that program, which can be executed.
fn project(dockerfile: &str) -> Project {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::with(dockerfile);
    project.file("program", arm64_program());
    let path = project.sandbox.work().join("program");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    project
}

fn is_emulated() -> bool {
    let handler = fs::read_to_string("/proc/sys/fs/binfmt_misc/qemu-aarch64").unwrap_or_default();
    handler.starts_with("enabled") && handler.contains("flags: ") && handler.contains('F')
}

#[test]
#[ignore = "requires root"]
fn b013_commands_for_another_processor_are_emulated_requires_root() {
    if !is_emulated() {
        eprintln!("skipped: requires qemu-user-static: b013_commands_for_another_processor_are_emulated_requires_root");
        return;
    }
    let project = project("FROM scratch\nCOPY program /\nRUN [\"/program\"]\nCMD [\"/program\"]\n");
    project.build(&["--platform", "linux/arm64", "-t", "app"]).run().success();
    let image = project.image("app");
    assert_eq!(image.tree["made"].kind, file_digest("made"));
    assert_eq!((&image.config["architecture"], &image.config["os"]), (&"arm64".into(), &"linux".into()));
    // The emulator is the kernel's, and is not in the image.
    assert_eq!(image.tree.keys().collect::<Vec<_>>(), ["made", "program"]);
}

/// A processor that no emulator is known of; nothing was run, and the layer before is kept.
#[test]
#[ignore = "requires root"]
fn b013_without_an_emulator_there_is_an_error_with_a_hint_requires_root() {
    let project = project("FROM scratch\nCOPY program /\nRUN [\"/program\"]\n");
    let failed = project.build(&["--platform", "linux/wasm"]).run().exits(1);
    let host = if cfg!(target_arch = "x86_64") { "linux/amd64" } else { "linux/arm64" };
    assert!(
        failed
            .stderr
            .contains(&format!("caused by: programs for linux/wasm cannot run on {host}: no emulator of it is known")),
        "{}",
        failed.stderr
    );
    assert!(
        failed.stderr.contains("hint: take a base image for this machine, or build without RUN"),
        "{}",
        failed.stderr
    );
    let again = project.build(&["--platform", "linux/wasm"]).run().exits(1);
    assert!(again.stderr.contains("CACHED"), "{}", again.stderr);
}

#[test]
fn b013_images_for_several_platforms_in_one_archive() {
    let project = project(
        "FROM --platform=$BUILDPLATFORM busybox AS tools\nCOPY program /program\n\
         FROM scratch\nARG TARGETARCH TARGETVARIANT\nCOPY --from=tools /program /bin/$TARGETARCH$TARGETVARIANT\n",
    );
    let output = "type=oci,dest=app.tar";
    project.file(".dockerignore", "*\n!program\n");
    let platforms = "linux/amd64,linux/arm64";
    let flags = ["--platform", platforms, "--platform=linux/arm", "-t", "app", "-o", output, "--metadata-file", "meta"];
    let built = project.build(&flags).run().success();
    for name in ["[linux/amd64 tools 2/2] COPY program /program", "[linux/arm/v7 stage-1 1/1] COPY --from=tools"] {
        assert!(built.stderr.contains(name), "no {name} in {}", built.stderr);
    }
    let archive = project.sandbox.work().join("app.tar");
    let metadata: Value = serde_json::from_slice(&fs::read(project.sandbox.work().join("meta")).unwrap()).unwrap();
    let index = blob(&archive, metadata["containerimage.digest"].as_str().unwrap());
    assert_eq!(metadata["containerimage.descriptor"]["mediaType"], "application/vnd.oci.image.index.v1+json");
    let platforms: Vec<_> =
        index["manifests"].as_array().unwrap().iter().map(|entry| entry["platform"]["architecture"].clone()).collect();
    assert_eq!(platforms, ["amd64", "arm64", "arm"]);
    for (entry, file) in index["manifests"].as_array().unwrap().iter().zip(["amd64", "arm64", "armv7"]) {
        let manifest = blob(&archive, entry["digest"].as_str().unwrap());
        let config = blob(&archive, manifest["config"]["digest"].as_str().unwrap());
        assert!(config["history"].to_string().contains(&format!("/bin/{file} # buildkit")), "{}", config["history"]);
    }
    // Loading takes the one for this machine.
    let other = Project::without_base();
    other.ask(&["load", "-i", archive.to_str().unwrap()]);
    let host = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    assert_eq!(other.inspect("app")["Architecture"], host);
}

fn blob(archive: &Path, digest: &str) -> Value {
    let member = format!("blobs/sha256/{}", &digest[7..]);
    let tar = std::process::Command::new("tar").arg("-xOf").arg(archive).arg(member).output().unwrap();
    assert_eq!(checker::digest(&tar.stdout), digest);
    serde_json::from_slice(&tar.stdout).unwrap()
}

#[test]
fn b013_platforms_that_are_none_are_told_with_what_was_meant() {
    let project = Project::with("FROM busybox\n");
    for (typed, message, hint) in [
        ("linux/amd46", "`amd46` is not a processor that platforms are named by", "did you mean `linux/amd64`?"),
        ("linx/arm64", "`linx` is not an operating system that platforms are named by", "did you mean `linux/arm64`?"),
        ("amd63", "platform `amd63` is not of the form os/architecture[/variant]", "did you mean `amd64`?"),
        ("a/b/c/d", "platform `a/b/c/d` is not of the form os/architecture[/variant]", "write for example `linux/"),
    ] {
        let failed = project.build(&["--platform", typed]).run().exits(1);
        assert!(failed.stderr.starts_with(&format!("error: {message}\nhint: {hint}")), "{typed}: {}", failed.stderr);
    }
    for right in ["local", "linux", if cfg!(target_arch = "x86_64") { "x86_64" } else { "aarch64" }] {
        let built = project.build(&["-q", "--platform", right]).run().success();
        assert_eq!(built.stderr, "", "{right}");
    }
    let docker = project.build(&["--platform", "amd64,arm64", "-o", "type=docker,dest=x.tar"]).run().exits(1);
    assert!(docker.stderr.contains("hint: use `type=oci`, or give one `--platform`"), "{}", docker.stderr);
}
