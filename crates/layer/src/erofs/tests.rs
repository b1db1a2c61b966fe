//! The image is what the kernel says it is: most tests here mount it and compare with GNU tar or with [`Tree`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::entry::{Entry, EntryKind, Metadata, Timestamp};
use crate::tar::forge::{Forged, Tarball};
use crate::tree::tests::{Fixture, walk};
use crate::tree::{Layer, Tree};
use crate::{FinishedLayer, Index, LayerWriter, ingest};

#[test]
fn checksum_is_castagnoli() {
    assert_eq!(!super::crc32c(b"123456789"), 0xE306_9283);
}

/// What a tree looks like: a line for each path.
type Snapshot = BTreeMap<Vec<u8>, String>;

fn line(entry: &Entry, links: u64, content: &[u8]) -> String {
    let Metadata { mode, uid, gid, mtime, xattrs } = &entry.metadata;
    let mut line = format!("{mode:04o} {uid}:{gid} {}.{:09}", mtime.secs, mtime.nanos);
    match &entry.kind {
        EntryKind::File { size } => {
            write!(line, " file {size} x{links} {}", oci::Digest::of(content).short()).unwrap();
        }
        EntryKind::Symlink { target } => write!(line, " -> {}", String::from_utf8_lossy(target)).unwrap(),
        kind => write!(line, " {kind:?}").unwrap(),
    }
    for xattr in xattrs {
        write!(line, " {}={:?}", String::from_utf8_lossy(&xattr.name), xattr.value).unwrap();
    }
    line
}

/// Reads a folder through the kernel.
fn snapshot(root: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        let path = root.join(&relative);
        let status = path.symlink_metadata().unwrap();
        let file_type = status.file_type();
        let major = rustix::fs::major(status.rdev());
        let minor = rustix::fs::minor(status.rdev());
        let mut content = Vec::new();
        let kind = if file_type.is_dir() {
            for child in std::fs::read_dir(&path).unwrap() {
                waiting.push(relative.join(child.unwrap().file_name()));
            }
            EntryKind::Directory
        } else if file_type.is_symlink() {
            EntryKind::Symlink { target: std::fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec() }
        } else if file_type.is_char_device() {
            EntryKind::CharDevice { major, minor }
        } else if file_type.is_block_device() {
            EntryKind::BlockDevice { major, minor }
        } else if file_type.is_fifo() {
            EntryKind::Fifo
        } else {
            content = std::fs::read(&path).unwrap();
            EntryKind::File { size: status.len() }
        };
        let metadata = Metadata {
            mode: status.mode() & 0o7777,
            uid: status.uid(),
            gid: status.gid(),
            mtime: Timestamp { secs: status.mtime(), nanos: status.mtime_nsec() as u32 },
            xattrs: xattrs(&path),
        };
        let relative = relative.as_os_str().as_bytes().to_vec();
        let entry = Entry { path: relative.clone(), kind, metadata };
        found.insert(relative, line(&entry, status.nlink(), &content));
    }
    found
}

fn xattrs(path: &Path) -> Vec<crate::Xattr> {
    let mut names = vec![0; 65_536];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or(0);
    let mut xattrs = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // Those made for overlayfs are seen only where one layer is mounted alone.
        if name.starts_with(b"trusted.overlay.") {
            continue;
        }
        let mut value = vec![0; 65_536];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        value.truncate(length);
        xattrs.push(crate::Xattr { name: name.to_vec(), value });
    }
    xattrs.sort();
    xattrs
}

/// Reads a stack of layers without the kernel. Link counts are those of one layer, as overlayfs shows them.
fn without_kernel(tree: &Tree) -> Snapshot {
    let root = tree.entry(&tree.root().unwrap().unwrap(), b"").unwrap();
    let mut found = Snapshot::from([(Vec::new(), line(&root, 0, b""))]);
    for (entry, content) in walk(tree) {
        let node = tree.lookup(&entry.path).unwrap().unwrap();
        let line = line(&entry, u64::from(tree.links(&node).unwrap()), &content);
        found.insert(entry.path, line);
    }
    found
}

fn assert_same(left: &Snapshot, right: &Snapshot, what: &str) {
    for (path, line) in left {
        let other = right.get(path).map_or("nothing", |line| line);
        assert_eq!(line, other, "{what}: {}", String::from_utf8_lossy(path));
    }
    assert_eq!(left.len(), right.len(), "{what}: number of paths");
}

/// A layer on disk and mounted.
struct Mounted {
    mount: OwnedFd,
    layer: Layer,
    finished: FinishedLayer,
    folder: TempDir,
}

impl Mounted {
    fn take_in(tar: &[u8], base: Option<&Tree>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("layer.tar")).unwrap();
        let finished = ingest(Cursor::new(tar), file, base).unwrap();
        Self::new(folder, finished)
    }

    fn new(folder: TempDir, finished: FinishedLayer) -> Self {
        let index = folder.path().join("layer.idx");
        std::fs::write(&index, &finished.index).unwrap();
        let index = File::open(index).unwrap();
        let tar = File::open(folder.path().join("layer.tar")).unwrap();
        let mount = crate::mount_erofs(index.as_fd(), tar.as_fd()).unwrap();
        let layer = Layer { index: Index::open(index).unwrap().into(), tar: tar.into() };
        Self { mount, layer, finished, folder }
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.mount.as_raw_fd())).join(".")
    }

    fn tar(&self) -> PathBuf {
        self.folder.path().join("layer.tar")
    }
}

/// Unpacks with GNU tar, as an image tool would.
fn unpacked(tar: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run("tar", &["--xattrs", "--xattrs-include=*", "-xpf", &utf8(tar), "-C", &utf8(path), "--numeric-owner"]);
    folder
}

fn utf8(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A folder with one of everything that a file system can hold.
fn zoo() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("folder/file"), b"content").unwrap();
    std::fs::write(at("folder/empty"), b"").unwrap();
    std::fs::write(at("folder/block"), [5; 512]).unwrap();
    std::fs::write(at("folder/large"), vec![6; 300_001]).unwrap();
    std::fs::hard_link(at("folder/file"), at("hard")).unwrap();
    std::fs::hard_link(at("folder/file"), at("folder/harder")).unwrap();
    symlink("folder/file", at("soft")).unwrap();
    for length in [99, 100, 101, 440, 600] {
        symlink("t".repeat(length), at(&format!("soft{length}"))).unwrap();
    }
    for name in [" ", "!", "-", "..-", "...", ".a", "~", "é", "\u{1}", "new\nline", &"n".repeat(255)] {
        std::fs::write(at(name), name).unwrap();
    }
    std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), b"no UTF-8").unwrap();
    let deep = ["d".repeat(60).as_str(); 6].join("/");
    std::fs::create_dir_all(at(&deep)).unwrap();
    std::fs::write(at(&deep).join("file"), b"deep").unwrap();
    std::fs::set_permissions(at("folder"), PermissionsExt::from_mode(0o2711)).unwrap();
    std::fs::set_permissions(at("folder/large"), PermissionsExt::from_mode(0o6755)).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o1777)).unwrap();
    std::os::unix::fs::chown(at("folder/empty"), Some(1234), Some(70_000)).unwrap();
    for (name, device) in [("null", ["c", "1", "3"]), ("disk", ["b", "259", "70000"])] {
        run("mknod", &[&utf8(&at(name)), device[0], device[1], device[2]]);
    }
    run("mkfifo", &[&utf8(&at("pipe"))]);
    for (name, length) in [("sparse", 1_000_000), ("sparse-odd", 999_999), ("hole", 50_000)] {
        let file = File::create(at(name)).unwrap();
        file.set_len(length).unwrap();
        if name != "hole" {
            std::os::unix::fs::FileExt::write_all_at(&file, &[7; 5000], 40_960).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &[8; 777], length - 777).unwrap();
        }
    }
    folder
}

/// Adds what only PAX can keep.
fn add_xattrs(folder: &Path) {
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(folder.join("folder/large"), "security.capability", capability, flags).unwrap();
    rustix::fs::setxattr(folder.join("folder"), "user.comment", b"a\nb\0c", flags).unwrap();
    rustix::fs::setxattr(folder.join("folder/file"), "user.empty", b"", flags).unwrap();
    rustix::fs::setxattr(folder.join("folder/block"), "user.large", &[9; 3000], flags).unwrap();
    rustix::fs::setxattr(folder.join("soft"), "trusted.x", b"followed", flags).unwrap();
}

/// Takes a tar in, and compares mount, unpacked tar and tree.
fn check(tar: &[u8], what: &str) -> Mounted {
    let mounted = Mounted::take_in(tar, None);
    let unpacked = unpacked(&mounted.tar());
    let seen = snapshot(&mounted.path());
    assert_same(&snapshot(unpacked.path()), &seen, what);
    let tree = Tree::new(vec![mounted.layer.clone()]);
    let mut read = without_kernel(&tree);
    read.insert(Vec::new(), seen[&b""[..]].clone());
    assert_same(&seen, &read, what);
    mounted
}

#[test]
#[ignore = "requires root"]
fn every_dialect_of_gnu_tar_is_mounted_as_it_is_unpacked_requires_root() {
    let zoo = zoo();
    let folder = utf8(zoo.path());
    let pack = |arguments: &[&str]| run("tar", &[arguments, &["-cf", "-", "-C", &folder, "."]].concat());
    check(&pack(&["--format=gnu"]), "gnu");
    check(&pack(&["--format=gnu", "-S"]), "gnu, sparse");
    check(&pack(&["--format=oldgnu", "-S"]), "old gnu, sparse");
    check(&pack(&["--format=ustar", "--exclude=soft[146]*", "--exclude=n*n", "--exclude=d*"]), "ustar");
    check(&pack(&["--format=v7", "--exclude=soft*[0-9]", "--exclude=n*", "--exclude=d*", "--exclude=pipe"]), "v7");
    add_xattrs(zoo.path());
    check(&pack(&["--format=posix", "--xattrs", "--xattrs-include=*"]), "posix");
    for version in ["0.0", "0.1", "1.0"] {
        let version = format!("--sparse-version={version}");
        check(&pack(&["--format=posix", "--xattrs", "--xattrs-include=*", "-S", &version]), &version);
    }
}

#[test]
#[ignore = "requires root and python3"]
fn every_dialect_of_python_is_mounted_as_it_is_unpacked_requires_root() {
    let zoo = zoo();
    for format in ["PAX", "GNU", "USTAR"] {
        let script = "import sys, tarfile\n\
            long = lambda member: member.name + member.linkname\n\
            keep = lambda member: member if sys.argv[2] != 'USTAR' or len(long(member)) < 100 else None\n\
            tar = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=getattr(tarfile, sys.argv[2] + '_FORMAT'))\n\
            tar.add(sys.argv[1], '.', filter=keep)\n\
            tar.close()\n";
        let tar = run("python3", &["-c", script, &utf8(zoo.path()), format]);
        check(&tar, format);
    }
}

#[test]
#[ignore = "requires root"]
fn a_real_tree_is_mounted_as_it_is_unpacked_requires_root() {
    for folder in ["/etc", "/usr/share/doc", "/usr/lib/python3", "/usr/bin"] {
        if Path::new(folder).exists() {
            check(&run("tar", &["--format=posix", "-cf", "-", "-C", folder, "."]), folder);
        }
    }
}

#[test]
#[ignore = "requires root"]
fn a_written_layer_is_what_gnu_tar_and_the_kernel_see_requires_root() {
    let zoo = zoo();
    add_xattrs(zoo.path());
    let tar =
        run("tar", &["--format=posix", "--xattrs", "--xattrs-include=*", "-cf", "-", "-C", &utf8(zoo.path()), "."]);
    let source = Mounted::take_in(&tar, None);
    let tree = Tree::new(vec![source.layer.clone()]);
    let folder = tempfile::tempdir().unwrap();
    let mut writer = LayerWriter::new(File::create(folder.path().join("layer.tar")).unwrap());
    for (entry, content) in walk(&tree) {
        writer.append(&entry, &mut &content[..]).unwrap();
    }
    let written = Mounted::new(folder, writer.finish().unwrap());
    let unpacked = unpacked(&written.tar());
    let mut seen = snapshot(&written.path());
    let mut by_tar = snapshot(unpacked.path());
    seen.remove(&b""[..]);
    by_tar.remove(&b""[..]);
    assert_same(&by_tar, &seen, "written");
    let again = ingest(File::open(written.tar()).unwrap(), tempfile::tempfile().unwrap(), None).unwrap();
    assert_eq!(again, written.finished);
}

/// Stacks layers with overlayfs and compares with the tree that was read without it.
fn check_overlay(tars: &[Vec<u8>]) {
    let fixture = Fixture::new(&tars.iter().map(|tar| &tar[..]).collect::<Vec<_>>());
    let mut mounted = Vec::new();
    for (number, tar) in tars.iter().enumerate() {
        let below = Tree::new(fixture.tree.layers()[..number].to_vec());
        mounted.push(Mounted::take_in(tar, Some(&below)));
    }
    let lower: Vec<_> = mounted.iter().rev().map(|layer| layer.mount.as_fd()).collect();
    let upper = tempfile::tempdir().unwrap();
    std::fs::create_dir(upper.path().join("upper")).unwrap();
    std::fs::create_dir(upper.path().join("work")).unwrap();
    let (mount, _guard) = overlay(&lower, upper.path());
    let seen = snapshot(&PathBuf::from(format!("/proc/self/fd/{}/.", mount.as_raw_fd())));
    let mut read = without_kernel(&fixture.tree);
    // The root is the upper folder's.
    read.insert(Vec::new(), seen[&b""[..]].clone());
    assert_same(&read, &seen, "overlay");
}

fn overlay<'a>(lower: &'a [std::os::fd::BorrowedFd<'a>], folder: &Path) -> (OwnedFd, [File; 2]) {
    let upper = File::open(folder.join("upper")).unwrap();
    let work = File::open(folder.join("work")).unwrap();
    let options = crate::OverlayOptions {
        lower,
        upper: Some(crate::Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: true }),
        nodev: false,
        xino: false,
        user_xattrs: false,
        attach: None,
    };
    (crate::mount_overlay(&options).unwrap(), [upper, work])
}

#[test]
#[ignore = "requires root"]
fn a_stack_is_what_overlayfs_shows_requires_root() {
    let bottom = Tarball::new()
        .pax(b'x', &[("SCHILY.xattr.user.x", b"1")])
        .header(&Forged::new(b"tmp/", b'5', 0).set(100, b"0001777\0").set(108, b"0000007\0"))
        .file(b"tmp/a", b"a")
        .directory(b"gone/")
        .file(b"gone/x", b"x")
        .file(b"replaced", b"old")
        .file(b"linked", &[3; 5000])
        .directory(b"opaque/")
        .file(b"opaque/old", b"")
        .directory(b"again/")
        .file(b"again/old", b"")
        .end();
    let middle = Tarball::new()
        .file(b"tmp/b", b"b")
        .file(b".wh.gone", b"")
        .file(b"opaque/.wh..wh..opq", b"")
        .file(b"opaque/new", b"new")
        .directory(b"replaced/")
        .file(b"replaced/file", b"")
        .link(b"tmp/linked", b"linked")
        .link(b"tmp/linked2", b"linked")
        // Whiteouts in a folder that no other layer has must not be listed.
        .file(b"lonely/.wh.nothing", b"")
        .file(b"lonely/something", b"")
        .file(b".wh.again", b"")
        .file(b"again/new", b"")
        .end();
    let top = Tarball::new()
        .file(b"tmp/.wh.a", b"")
        .file(b"tmp/c", b"c")
        .file(b"gone", b"now a file")
        .symlink(b"replaced", b"tmp")
        .end();
    let stack = [bottom, middle, top];
    for count in 1..=3 {
        check_overlay(&stack[..count]);
    }
}

#[test]
#[ignore = "requires root"]
fn attributes_in_a_layer_do_not_steer_overlayfs_requires_root() {
    let bottom = Tarball::new().directory(b"d/").file(b"d/secret", b"x").file(b"e/f", b"").end();
    let top = Tarball::new()
        .pax(b'x', &[("SCHILY.xattr.trusted.overlay.opaque", b"y"), ("SCHILY.xattr.user.overlay.opaque", b"y")])
        .directory(b"d/")
        .pax(b'x', &[("SCHILY.xattr.trusted.overlay.redirect", b"/d")])
        .directory(b"e/")
        .pax(
            b'x',
            &[("SCHILY.xattr.trusted.overlay.metacopy", b""), ("SCHILY.xattr.trusted.overlay.redirect", b"/d/secret")],
        )
        .file(b"g", b"own")
        .end();
    check_overlay(&[bottom, top]);
}

#[test]
#[ignore = "requires root"]
fn many_names_and_deep_folders_are_found_requires_root() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = LayerWriter::new(File::create(folder.path().join("layer.tar")).unwrap());
    let mut add = |path: &[u8], content: Option<&[u8]>| {
        let kind = content.map_or(EntryKind::Directory, |content| EntryKind::File { size: content.len() as u64 });
        let mtime = Timestamp { secs: 1_700_000_000, nanos: 0 };
        let metadata = Metadata { mode: 0o755, mtime, ..Metadata::default() };
        let entry = Entry { path: path.to_vec(), kind, metadata };
        writer.append(&entry, &mut content.unwrap_or_default()).unwrap();
    };
    let name = |number: u32| {
        let length = (number.wrapping_mul(2_654_435_761) >> 24).max(7) as usize;
        let mut name = format!("{number:06}").into_bytes();
        name.resize(length, b"!.z~\xff"[number as usize % 5]);
        name
    };
    for number in 0..100_000 {
        add(&[b"many/", &name(number)[..]].concat(), Some(&number.to_le_bytes()));
    }
    let deep = b"d/".repeat(2047);
    add(&[&deep[..], b"e"].concat(), Some(b"deep"));
    let mounted = Mounted::new(folder, writer.finish().unwrap());

    let many = mounted.path().join("many");
    assert_eq!(std::fs::read_dir(&many).unwrap().count(), 100_000);
    let tree = Tree::new(vec![mounted.layer.clone()]);
    let node = tree.lookup(b"many").unwrap().unwrap();
    assert_eq!(tree.read_dir(&node).unwrap().len(), 100_000);
    for number in (0..100_000).step_by(37) {
        let name = name(number);
        let content = std::fs::read(many.join(std::ffi::OsStr::from_bytes(&name))).unwrap();
        assert_eq!(content, number.to_le_bytes());
        let mut content = Vec::new();
        let child = tree.child(&node, &name).unwrap().unwrap();
        tree.open(&child).unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(content, number.to_le_bytes());
    }
    let mut here = rustix::io::dup(&mounted.mount).unwrap();
    for _ in 0..2047 {
        let flags = rustix::fs::OFlags::PATH;
        here = rustix::fs::openat(&here, "d", flags, rustix::fs::Mode::empty()).unwrap();
    }
    let mut text = String::new();
    let file = rustix::fs::openat(&here, "e", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    File::from(file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "deep");
    assert!(tree.lookup(&[&deep[..], b"e"].concat()).unwrap().unwrap().is_file());
}

#[test]
fn a_layer_is_the_same_bytes_each_time() {
    let mut tar = Tarball::new();
    for number in 0..5000 {
        tar = tar.file(format!("{}/{number}", number % 7).as_bytes(), &[number as u8; 900]);
    }
    let tar = tar.end();
    let mut first = None;
    for _ in 0..3 {
        let mut copy = tempfile::tempfile().unwrap();
        let layer = ingest(Cursor::new(&tar), copy.try_clone().unwrap(), None).unwrap();
        copy.flush().unwrap();
        assert_eq!(*first.get_or_insert(layer.clone()), layer);
    }
}

#[test]
fn the_last_entry_of_a_name_wins() {
    let tar = Tarball::new()
        .file(b"file", b"first")
        .link(b"kept", b"file")
        .file(b"file", b"second")
        .directory(b"folder/")
        .file(b"folder/in", b"")
        .header(&Forged::new(b"folder/", b'5', 0).set(100, b"0000700\0"))
        .file(b"hidden/in", b"")
        .file(b"hidden", b"file")
        .file(b"turned", b"file")
        .file(b"turned/in", b"")
        .end();
    let fixture = Fixture::new(&[&tar]);
    let expected = ["file", "folder/", "folder/in", "hidden", "kept", "turned/", "turned/in"];
    assert_eq!(fixture.paths(), expected);
    let contents: BTreeMap<_, _> =
        walk(&fixture.tree).into_iter().map(|(entry, content)| (entry.path, content)).collect();
    assert_eq!(contents[&b"file"[..]], b"second");
    assert_eq!(contents[&b"kept"[..]], b"first");
    assert_eq!(fixture.tree.layers()[0].index.content_size(), 6 + 5 + 4);
}

#[test]
fn names_below_a_symbolic_link_go_where_it_leads() {
    let tar = Tarball::new()
        .symlink(b"lib", b"usr/lib")
        .file(b"lib/a", b"1")
        .file(b"usr/lib/b", b"2")
        .symlink(b"usr/abs", b"/lib")
        .file(b"usr/abs/../../../x/c", b"3")
        .end();
    // `..` in a member's own name is refused; in a link it stays inside.
    assert!(ingest(Cursor::new(&tar), tempfile::tempfile().unwrap(), None).is_err());
    let tar = Tarball::new()
        .symlink(b"lib", b"usr/lib")
        .file(b"lib/a", b"1")
        .file(b"usr/lib/b", b"2")
        .symlink(b"usr/abs", b"/lib")
        .file(b"usr/abs/deep/c", b"3")
        .symlink(b"out", b"../../../usr/new")
        .file(b"out/d", b"4")
        .link(b"hard", b"lib/b")
        .file(b"lib/.wh.gone", b"")
        .directory(b"out/")
        .file(b"out/e", b"5")
        .end();
    let expected = [
        "hard",
        "lib",
        "out/",
        "out/e",
        "usr/",
        "usr/abs",
        "usr/lib/",
        "usr/lib/a",
        "usr/lib/b",
        "usr/lib/deep/",
        "usr/lib/deep/c",
        "usr/new/",
        "usr/new/d",
    ];
    assert_eq!(Fixture::new(&[&tar]).paths(), expected);
    for link in [&b"loop"[..], b"loop/x"] {
        let tar = Tarball::new().symlink(b"loop", link).file(b"loop/f", b"").end();
        let error = ingest(Cursor::new(&tar), tempfile::tempfile().unwrap(), None).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "too many symbolic links on the way to `loop`");
    }
}
