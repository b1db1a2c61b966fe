//! Images that want more than to be run (field notes, section 2, rows 10 to 15).

use std::fs;

use serde_json::json;
use testkit::{TarWriter, checker};

use crate::build_project::Project;
use crate::forge::forge;

/// A busybox of one file, as all programs that the tests need.
fn layer() -> TarWriter {
    let mut layer = TarWriter::default();
    let busybox = fs::read(testkit::busybox_binary().unwrap()).unwrap();
    layer.folder("bin", 0o755).file("bin/busybox", 0o755, &busybox);
    for applet in ["sh", "env", "ls", "cat", "id"] {
        layer.symlink(&format!("bin/{applet}"), "busybox");
    }
    layer
}

fn load(project: &Project, layer: TarWriter, config: &serde_json::Value) {
    let archive = forge(project, "evil", layer, &json!({"config": config}));
    project.ask(&["load", "-i", &archive]);
}

/// Row 15, CVE-2026-57231: an entry without a value is not the host's value, and labels decide nothing.
#[test]
#[ignore = "requires root"]
fn d8_15_the_config_gets_nothing_of_the_host_requires_root() {
    let project = Project::without_base();
    let config = json!({
        "Env": ["CANARY", "*", "AWS_*", "=x", "", "FINE=1"],
        "Labels": {"io.onggi.privileged": "true", "run.oci.keep_original_groups": "1", "io.podman.annotations.seccomp": "unconfined"},
        "Volumes": {"/../../sentinel": {}, "../x": {}},
        "User": "0",
    });
    load(&project, layer(), &config);
    let ran = project
        .onggi(["run", "--rm", "-h", "box", "evil", "env"])
        .env("CANARY", "leaked")
        .env("AWS_KEY", "leaked")
        .run();
    let said = ran.success().stdout;
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["FINE=1", "HOME=/", "HOSTNAME=box", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    );
    let seccomp = project.says(&["evil", "cat", "/proc/self/status"]);
    assert!(seccomp.contains("Seccomp:\t2\n"), "{seccomp}");
    assert!(seccomp.contains("CapInh:\t0000000000000000\n"), "{seccomp}");
}

/// Rows 10 and 11, CVE-2024-21626 and CVE-2019-5736: neither a folder nor a program of the host by way of `/proc`.
#[test]
#[ignore = "requires root"]
fn d8_10_11_no_way_out_by_proc_requires_root() {
    let project = Project::without_base();
    let before = checker::digest(&fs::read(testkit::binary()).unwrap());
    for number in [3, 5, 7, 8, 9, 12] {
        load(
            &project,
            layer(),
            &json!({"WorkingDir": format!("/proc/self/fd/{number}"), "Cmd": ["ls", "-a", "../../../.."]}),
        );
        let ran = project.run(&["evil"]);
        assert!(ran.code != 0 || !ran.stdout.contains("boot"), "{number}: {}", ran.stdout);
    }
    for folder in ["/proc/1/cwd", "/proc/thread-self/root", "/proc/self/root"] {
        let ran = project.run(&["-w", folder, "evil", "ls"]);
        assert!(!ran.stdout.contains("boot"), "{folder}: {}", ran.stdout);
    }
    let mut script = layer();
    script.file("script", 0o755, b"#!/proc/self/exe\n").symlink("program", "/proc/self/exe");
    load(&project, script, &json!({}));
    for program in ["/program", "/script", "/proc/self/exe"] {
        let ran = project.run(&["evil", program, "version"]);
        assert!([125, 126, 127].contains(&ran.code), "{program}: {}", ran.snapshot());
        assert!(!ran.stdout.contains("onggi"), "{program}: {}", ran.stdout);
    }
    assert_eq!(checker::digest(&fs::read(testkit::binary()).unwrap()), before);
}

/// Row 13, CVE-2026-55686 and CVE-2024-9676: users and folders are looked up inside the image.
#[test]
#[ignore = "requires root"]
fn d8_13_users_and_folders_are_the_images_requires_root() {
    let project = Project::without_base();
    let sentinel = project.sandbox.write("sentinel/keep", "unchanged");
    let outside = sentinel.parent().unwrap().to_str().unwrap().to_owned();
    let up = format!("../../../../../../../..{outside}");
    for target in [outside.as_str(), &up, "/etc/shadow", "/dev/zero", "passwd"] {
        let mut layer = layer();
        layer.folder("etc", 0o755).symlink("etc/passwd", target).symlink("etc/group", target).symlink("link", &outside);
        load(&project, layer, &json!({}));
        let named = project.run(&["-u", "daemon", "evil", "id"]);
        assert_eq!(named.code, 125, "{target}: {}", named.snapshot());
        for folder in ["/link/made", "/link/../made", "/link"] {
            // Inside the root the link leads to a folder that is made there, or to nothing.
            let ran = project.run(&["-w", folder, "evil", "ls", "-a"]);
            assert!(!ran.stdout.contains("keep"), "{folder}: {}", ran.stdout);
        }
    }
    let left: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((left.len(), fs::read_to_string(&sentinel).unwrap().as_str()), (1, "unchanged"));
}

/// Row 12: an image's own `/dev`, `/proc` and `/sys` as links, files or folders are not followed.
#[test]
#[ignore = "requires root"]
fn d8_12_mount_points_that_are_links_requires_root() {
    let project = Project::without_base();
    let sentinel = project.sandbox.write("sentinel/keep", "unchanged");
    let outside = sentinel.parent().unwrap().to_str().unwrap().to_owned();
    for name in ["dev", "proc", "sys", "etc/hosts", "etc/resolv.conf"] {
        for target in [outside.as_str(), "../../../../../tmp", "/dev", "/proc/self/root"] {
            let mut layer = layer();
            layer.folder("etc", 0o755).symlink(name, target);
            load(&project, layer, &json!({}));
            let ran = project.run(&["evil", "sh", "-c", "cat /etc/hosts; ls /dev/null"]);
            assert!([0, 1, 125, 126].contains(&ran.code), "{name} -> {target}: {}", ran.snapshot());
            assert!(!ran.stdout.contains("unchanged"));
        }
    }
    let left: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((left.len(), fs::read_to_string(&sentinel).unwrap().as_str()), (1, "unchanged"));
    project.has_no_containers();
}
