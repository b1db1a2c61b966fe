use std::io::{Cursor, Read, Seek};

use crate::tar::forge::{Forged, Tarball};

use super::*;

/// A stack of layers made of tars.
pub(crate) struct Fixture {
    pub(crate) tree: Tree,
    /// Index files, the bottom one first.
    pub(crate) indexes: Vec<Vec<u8>>,
}

impl Fixture {
    /// Takes in each tar above those before it.
    pub(crate) fn new(tars: &[&[u8]]) -> Self {
        let mut fixture = Self { tree: Tree::default(), indexes: Vec::new() };
        let mut layers = Vec::new();
        for bytes in tars {
            let mut tar = tempfile::tempfile().unwrap();
            let layer = crate::ingest(Cursor::new(bytes), tar.try_clone().unwrap(), Some(&fixture.tree)).unwrap();
            tar.rewind().unwrap();
            let mut copy = Vec::new();
            tar.read_to_end(&mut copy).unwrap();
            assert!(copy == *bytes, "the copy is verbatim");
            let index = Arc::new(Index::from_bytes(layer.index.clone()).unwrap());
            assert_eq!(layer.needs_base(), index.needs_base());
            layers.push(Layer { index, tar: Arc::new(tar) });
            fixture.indexes.push(layer.index);
            fixture.tree = Tree::new(layers.clone());
        }
        fixture
    }

    fn content(&self, path: &str) -> String {
        let node = self.tree.lookup(path.as_bytes()).unwrap().unwrap();
        let mut text = String::new();
        self.tree.open(&node).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// All paths, folders with a `/`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let line = |(entry, _): (Entry, Vec<u8>)| {
            let end = if entry.kind == EntryKind::Directory { "/" } else { "" };
            String::from_utf8_lossy(&entry.path).into_owned() + end
        };
        walk(&self.tree).into_iter().map(line).collect()
    }
}

/// All entries below the root with their content, folders before what is in them.
pub(crate) fn walk(tree: &Tree) -> Vec<(Entry, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![(Vec::new(), tree.root().unwrap().unwrap())];
    while let Some((path, node)) = waiting.pop() {
        if !path.is_empty() {
            let mut content = Vec::new();
            if node.is_file() {
                tree.open(&node).unwrap().read_to_end(&mut content).unwrap();
            }
            assert_eq!(tree.lookup(&path).unwrap().as_ref(), Some(&node), "found by name as by listing");
            found.push((tree.entry(&node, &path).unwrap(), content));
        }
        if node.is_directory() {
            let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
            for (name, child) in tree.read_dir(&node).unwrap().into_iter().rev() {
                waiting.push(([&path[..], separator, &name].concat(), child));
            }
        }
    }
    found
}

#[test]
fn upper_layers_win() {
    let bottom = Tarball::new()
        .directory(b"etc/")
        .file(b"etc/passwd", b"old")
        .file(b"etc/group", b"group")
        .directory(b"gone/")
        .file(b"gone/deep", b"")
        .directory(b"opaque/")
        .file(b"opaque/old", b"")
        .file(b"becomes-folder", b"")
        .directory(b"becomes-file/")
        .file(b"becomes-file/x", b"")
        .end();
    let middle = Tarball::new()
        .header(&Forged::new(b"etc/", b'5', 0).set(100, b"0000700\0"))
        .file(b"etc/passwd", b"new")
        .file(b".wh.gone", b"")
        .directory(b"opaque/")
        .file(b"opaque/.wh..wh..opq", b"")
        .file(b"opaque/new", b"")
        .directory(b"becomes-folder/")
        .file(b"becomes-folder/y", b"")
        .file(b"becomes-file", b"")
        .end();
    let top = Tarball::new()
        .directory(b"gone/")
        .file(b"gone/again", b"")
        .file(b"etc/.wh.group", b"")
        .file(b"opaque/top", b"")
        .end();
    let fixture = Fixture::new(&[&bottom, &middle, &top]);
    let expected = [
        "becomes-file",
        "becomes-folder/",
        "becomes-folder/y",
        "etc/",
        "etc/passwd",
        "gone/",
        "gone/again",
        "opaque/",
        "opaque/new",
        "opaque/top",
    ];
    assert_eq!(fixture.paths(), expected);
    assert_eq!(fixture.content("etc/passwd"), "new");
    let etc = fixture.tree.lookup(b"etc").unwrap().unwrap();
    assert_eq!(fixture.tree.entry(&etc, b"etc").unwrap().metadata.mode, 0o700, "taken from below by the top layer");
    for missing in [&b"gone/deep"[..], b"etc/group", b"opaque/old", b"etc/passwd/x", b"nowhere/x"] {
        assert_eq!(fixture.tree.lookup(missing).unwrap(), None);
    }
}

#[test]
fn folders_that_are_only_implied_keep_what_they_are() {
    let bottom = Tarball::new()
        .pax(b'x', &[("SCHILY.xattr.user.x", b"1"), ("mtime", b"5.25")])
        .header(&Forged::new(b"tmp/", b'5', 0).set(100, b"0001777\0").set(108, b"0000007\0"))
        .directory(b"opaque/")
        .end();
    let top = Tarball::new().file(b"tmp/new/file", b"").file(b"opaque/.wh..wh..opq", b"").end();
    let fixture = Fixture::new(&[&bottom, &top]);
    let entry = |path: &[u8]| fixture.tree.entry(&fixture.tree.lookup(path).unwrap().unwrap(), path).unwrap();
    let tmp = entry(b"tmp").metadata;
    assert_eq!((tmp.mode, tmp.uid, tmp.mtime.nanos, tmp.xattrs.len()), (0o1777, 7, 250_000_000, 1));
    let new = entry(b"tmp/new").metadata;
    assert_eq!(new, Metadata { mode: 0o755, ..Metadata::default() });
    assert!(fixture.tree.layers()[1].index.needs_base());
    assert!(!fixture.tree.layers()[0].index.needs_base());
    assert!(!Fixture::new(&[&top]).tree.layers()[0].index.needs_base());
}

#[test]
fn hard_links_reach_lower_layers() {
    let bottom = Tarball::new().file(b"a", b"content").symlink(b"s", b"a").directory(b"d/").end();
    let top = Tarball::new().link(b"b", b"a").link(b"c", b"a").link(b"t", b"s").end();
    let fixture = Fixture::new(&[&bottom, &top]);
    assert_eq!(fixture.content("b"), "content");
    assert_eq!(fixture.content("c"), "content");
    let node = |path: &[u8]| fixture.tree.lookup(path).unwrap().unwrap();
    assert_eq!(node(b"b").identity(), node(b"c").identity());
    assert_eq!(fixture.tree.links(&node(b"b")).unwrap(), 2);
    assert_eq!(fixture.tree.read_link(&node(b"t")).unwrap(), b"a");
    assert!(fixture.tree.layers()[1].index.needs_base());
    assert_eq!(fixture.tree.layers()[1].index.content_size(), 7);
}

#[test]
fn symbolic_links_stay_inside() {
    let tar = Tarball::new()
        .directory(b"usr/")
        .directory(b"usr/lib/")
        .file(b"usr/lib/x.so", b"x")
        .symlink(b"lib", b"usr/lib")
        .symlink(b"abs", b"/usr/lib")
        .symlink(b"out", b"../../../usr")
        .symlink(b"loop", b"loop")
        .symlink(b"usr/up", b"..")
        .symlink(b"dangling", b"nowhere/else")
        .symlink(b"slash", b"usr/lib/")
        .symlink(b"root", b"/")
        .end();
    let tree = Fixture::new(&[&tar]).tree;
    let resolved = |path: &str, follow| match tree.resolve(path.as_bytes(), follow) {
        Ok(Resolved { path, node: Some(_) }) => String::from_utf8(path).unwrap(),
        Ok(Resolved { path, node: None }) => format!("missing {}", String::from_utf8(path).unwrap()),
        Err(error) => error.to_string(),
    };
    let cases = [
        ("", ""),
        ("/", ""),
        ("..", ""),
        ("lib/x.so", "usr/lib/x.so"),
        ("/abs/x.so", "usr/lib/x.so"),
        ("lib", "usr/lib"),
        ("out/lib//./x.so", "usr/lib/x.so"),
        ("lib/../lib/x.so", "usr/lib/x.so"),
        ("usr/up/usr/up/abs", "usr/lib"),
        ("../../..", ""),
        ("slash", "usr/lib"),
        ("root/lib", "usr/lib"),
        ("dangling", "missing nowhere/else"),
        ("dangling/more/../x", "missing nowhere/else/x"),
        ("lib/new/folder", "missing usr/lib/new/folder"),
        ("lib/new/../x.so", "usr/lib/x.so"),
        ("loop", "too many symbolic links in `loop`"),
        ("lib/x.so/y", "`usr/lib/x.so` is not a folder"),
        ("lib/x.so/..", "`usr/lib/x.so` is not a folder"),
    ];
    for (path, expected) in cases {
        assert_eq!(resolved(path, true), expected, "{path}");
    }
    assert_eq!(resolved("lib", false), "lib");
    assert_eq!(resolved("lib/", false), "usr/lib");
    assert_eq!(resolved("loop", false), "loop");
    assert_eq!(resolved("dangling", false), "dangling");
    let error = tree.resolve(&[b"/x".repeat(3), vec![b'y'; 256]].concat(), true).unwrap_err();
    assert!(matches!(error, TreeError::Path { source: PathError::Component, .. }));
    assert!(matches!(tree.lookup(b"a/../b"), Err(TreeError::Path { source: PathError::Parent, .. })));
}

#[test]
fn a_tree_without_layers_is_empty() {
    let tree = Tree::default();
    assert_eq!(tree.lookup(b"a").unwrap(), None);
    assert_eq!(tree.root().unwrap(), None);
    assert_eq!(tree.resolve(b"/a/./b/../c", true).unwrap(), Resolved { path: b"a/c".to_vec(), node: None });
}

#[test]
fn what_has_no_content_cannot_be_opened() {
    let tree = Fixture::new(&[&Tarball::new().symlink(b"s", b"t").file(b"f", b"x").end()]).tree;
    let node = |path: &[u8]| tree.lookup(path).unwrap().unwrap();
    assert!(matches!(tree.open(&node(b"s")), Err(TreeError::Type { .. })));
    assert!(matches!(tree.read_link(&node(b"f")), Err(TreeError::Type { .. })));
    assert!(matches!(tree.read_dir(&node(b"f")), Err(TreeError::Type { .. })));
    assert_eq!(tree.child(&node(b"f"), b"x").unwrap(), None);
    assert_eq!(tree.open(&node(b"f")).unwrap().size(), 1);
}
