use std::fs::{self, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::find;

fn program(root: &Path, path: &str, mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
}

fn found(root: &Path, shell: &[&str]) -> Option<String> {
    let folder = fs::File::open(root).unwrap();
    let words: Vec<String> = shell.iter().map(|word| (*word).to_owned()).collect();
    find(folder.as_fd(), &words, &["PATH=/nowhere:/opt/bin".to_owned()])
}

#[test]
fn n007_the_shell_of_the_stage_comes_first() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    assert_eq!(found(root, &[]), None);
    program(root, "bin/busybox", 0o755);
    symlink("/bin/busybox", root.join("bin/sh")).unwrap();
    assert_eq!(found(root, &[]).as_deref(), Some("/bin/sh"));
    // Not to be executed, a folder, a link that leads out of the root.
    program(root, "bin/bash", 0o644);
    assert_eq!(found(root, &[]).as_deref(), Some("/bin/sh"));
    fs::remove_file(root.join("bin/bash")).unwrap();
    fs::create_dir(root.join("bin/bash")).unwrap();
    assert_eq!(found(root, &["/bin/bash", "-c"]).as_deref(), Some("/bin/sh"));
    fs::remove_dir(root.join("bin/bash")).unwrap();
    program(root, "outside", 0o755);
    let inner = tempfile::tempdir_in(root).unwrap();
    symlink("../outside", inner.path().join("sh")).unwrap();
    assert_eq!(found(inner.path(), &["/sh"]), None);

    program(root, "bin/bash", 0o755);
    program(root, "opt/bin/ash", 0o755);
    program(root, "opt/bin/python", 0o755);
    assert_eq!(found(root, &[]).as_deref(), Some("/bin/bash"));
    assert_eq!(found(root, &["/bin/sh", "-c"]).as_deref(), Some("/bin/sh"));
    assert_eq!(found(root, &["ash", "-c"]).as_deref(), Some("/opt/bin/ash"));
    assert_eq!(found(root, &["/bin/zsh", "-c"]).as_deref(), Some("/bin/bash"));
    assert_eq!(found(root, &["/opt/bin/python", "-c"]).as_deref(), Some("/bin/bash"), "nothing to type commands into");
}
