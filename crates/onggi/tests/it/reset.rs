//! `system reset`: a store goes whole, and nothing else does.

use testkit::Sandbox;

use crate::doctor::Stranger;

#[test]
fn n050_reset_refuses_a_folder_that_is_no_store() {
    let sandbox = Sandbox::new();
    let root = sandbox.root();
    let message = format!("error: there is no store in {}\n", root.display());
    let refused = sandbox.onggi(["system", "reset", "-f"]).run().exits(1);
    assert!(refused.stderr.starts_with(&message), "{}", refused.stderr);
    assert!(!root.exists(), "a store was made");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("version"), "something else\n").unwrap();
    std::fs::create_dir(root.join("images")).unwrap();
    let refused = sandbox.onggi(["system", "reset", "-f"]).run().exits(1);
    assert!(refused.stderr.starts_with(&message), "{}", refused.stderr);
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 2);
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn n050_reset_asks_and_leaves_what_is_not_the_stores() {
    let sandbox = Sandbox::new();
    sandbox.import_busybox("busybox");
    sandbox.onggi(["volume", "create", "data"]).run().success();
    let root = sandbox.root();
    let asked = sandbox.onggi(["system", "reset"]).stdin("n\n").run().success();
    let list = "  - 0 containers\n  - 1 image\n  - 1 volume\n  - 0 networks\n  - the build cache\n";
    assert!(asked.stdout.contains(list), "{}", asked.stdout);
    sandbox.onggi(["image", "inspect", "busybox"]).run().success();

    std::fs::write(root.join("mine"), "").unwrap();
    let gone = sandbox.onggi(["system", "reset"]).stdin("y\n").run().success();
    assert_eq!(gone.stderr, "warning: the folder stays, for what else is in it: mine\n");
    let left: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["mine"]);
    std::fs::remove_file(root.join("mine")).unwrap();

    sandbox.import_busybox("busybox");
    sandbox.onggi(["system", "reset", "--force"]).run().success();
    assert!(!root.exists());
    // It is as if there had never been one.
    assert_eq!(sandbox.onggi(["images", "-q"]).run().success().stdout, "");
}

#[test]
#[ignore = "requires root: runs as somebody else"]
fn n050_reset_ends_containers_and_removes_files_of_other_users_requires_root() {
    let stranger = Stranger::with_busybox();
    let onggi = |words: &[&str]| stranger.run("true", words);
    let command = "mkdir -p /v/a/b /w/c; chown -R 1000:1000 /v/a /w; chmod 0 /v/a/b /w/c; echo ready; exec sleep 1000";
    let id =
        onggi(&["run", "-d", "--network", "none", "-v", "data:/v", "busybox", "sh", "-c", command]).success().stdout;
    let id = id.trim();
    // What it has to do first is done when it says so.
    let mut logs = String::new();
    while !logs.contains("ready") {
        logs = onggi(&["logs", id]).success().stdout;
    }
    let pid = onggi(&["inspect", "-f", "{{.State.Pid}}", id]).success().stdout;
    let process = std::path::Path::new("/proc").join(pid.trim());
    assert!(process.exists());
    // Not as herself: what 1000 there has is hers only in the namespace.
    let removed = std::process::Command::new("setpriv")
        .args(["--reuid", "54321", "--regid", "54321", "--clear-groups", "rm", "-rf"])
        .arg(stranger.sandbox.root().join("volumes"))
        .output()
        .unwrap();
    assert!(!removed.status.success() && stranger.sandbox.root().join("volumes/data").exists());
    let gone = onggi(&["system", "reset", "-f"]).success();
    assert!(gone.stdout.contains("1 container\n1 image\n1 volume\n"), "{}", gone.stdout);
    assert!(!stranger.sandbox.root().exists() && !process.exists());
}
