use std::os::unix::fs::symlink;

use super::*;

#[test]
fn paths_are_cleaned_lexically() {
    let table = [
        ("/", "."),
        ("/a/b", "a/b"),
        ("//a/./b/", "a/b"),
        ("/a/../b", "b"),
        ("/../../etc/passwd", "etc/passwd"),
        ("/a/../..", "."),
    ];
    for (path, cleaned) in table {
        assert_eq!(RootPath::new(Path::new(path)).unwrap().as_c_str().to_str().unwrap(), cleaned, "{path}");
    }
    for path in ["", "a", "../a", "/a\0b"] {
        assert!(RootPath::new(Path::new(path)).is_none(), "{path:?}");
    }
}

#[test]
fn below_strips_one_component_only() {
    let path = RootPath::new(Path::new("/proc/sys/net")).unwrap();
    assert_eq!(path.below(c"proc"), Some(c"sys/net"));
    assert_eq!(path.below(c"pro"), None);
    assert_eq!(RootPath::new(Path::new("/proc")).unwrap().below(c"proc"), None);
}

#[test]
fn nothing_is_created_outside_the_root() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    std::fs::create_dir_all(root.join("d")).unwrap();
    std::fs::create_dir(scratch.path().join("outside")).unwrap();
    symlink("../outside", root.join("up")).unwrap();
    symlink(scratch.path().join("outside"), root.join("absolute")).unwrap();
    symlink("d", root.join("link")).unwrap();
    symlink("/nowhere/file", root.join("dangling")).unwrap();
    let fd = rustix::fs::open(&root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let create = |path: &str, missing| {
        RootPath::new(Path::new(path)).unwrap().open_or_create(fd.as_fd(), Symlinks::Follow, missing)
    };

    create("/link/new/folder", Missing::Directory).unwrap();
    assert!(root.join("d/new/folder").is_dir());
    create("/d/file", Missing::File).unwrap();
    assert!(root.join("d/file").is_file());
    // Inside the root these lead nowhere; what they lead to is made inside.
    for (path, made) in [
        ("/up/file", "outside/file"),
        ("/dangling", "nowhere/file"),
        ("/absolute/deep/file", &*format!("{}/outside/deep/file", scratch.path().display())),
    ] {
        create(path, Missing::File).unwrap();
        assert!(root.join(made.trim_start_matches('/')).is_file(), "{path}");
    }
    for (target, link) in [("loop", "loop"), ("../../../../x/../y", "odd"), ("a//b/./c/", "folder")] {
        symlink(target, root.join(link)).unwrap();
    }
    assert_eq!(create("/loop/x", Missing::File).err(), Some(Errno::LOOP));
    create("/folder/d", Missing::Directory).unwrap();
    assert!(root.join("a/b/c/d").is_dir());
    drop(create("/odd", Missing::Directory));
    let long = "x".repeat(300);
    symlink(&long, root.join("long")).unwrap();
    assert!(create("/long", Missing::File).is_err());
    assert_eq!(std::fs::read_dir(scratch.path().join("outside")).unwrap().count(), 0);
    assert!(matches!(
        RootPath::new(Path::new("/link/new")).unwrap().open(fd.as_fd(), Symlinks::Refuse),
        Err(Errno::LOOP)
    ));
}
