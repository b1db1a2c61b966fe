use super::*;
use crate::tar::forge::{Forged, Tarball};
use crate::tree::tests::{Fixture, walk};

/// Two layers: a folder that is merged, names that go, a hard link, a link, a device.
pub(crate) fn fixture() -> Fixture {
    let bottom = Tarball::new()
        .directory(b"a/")
        .file(b"a/gone", b"x")
        .file(b"a/kept", b"kept")
        .link(b"a/second", b"a/kept")
        .directory(b"b/")
        .file(b"b/hidden", b"x")
        .file(b"top", b"old")
        .end();
    let upper = Tarball::new()
        .directory(b"a/")
        .file(b"a/.wh.gone", b"")
        .symlink(b"a/link", b"../top")
        .directory(b"b/")
        .file(b"b/.wh..wh..opq", b"")
        .file(b"b/new", b"new")
        .header(&Forged::new(b"pipe", b'6', 0))
        .file(b"top", b"replaced")
        .end();
    Fixture::new(&[&bottom, &upper])
}

fn written(trees: &[(&Tree, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (tree, prefix) in trees {
        write_tar(tree, prefix.as_bytes(), &mut out).unwrap();
    }
    finish_tar(&mut out).unwrap();
    out
}

#[test]
fn b057_a_stack_is_one_tar_without_whiteouts() {
    let fixture = fixture();
    let tar = written(&[(&fixture.tree, "")]);
    let again = Fixture::new(&[&tar]);
    assert_eq!(again.paths(), ["a/", "a/kept", "a/link", "a/second", "b/", "b/new", "pipe", "top"]);
    assert_eq!(again.paths(), fixture.paths());
    assert_eq!(walk(&again.tree), walk(&fixture.tree), "metadata and content");
    let links = |path: &[u8]| again.tree.links(&again.tree.lookup(path).unwrap().unwrap()).unwrap();
    assert_eq!((links(b"a/kept"), links(b"top")), (2, 1));
    assert_eq!(tar, written(&[(&fixture.tree, "")]), "the same bytes each time");
}

#[test]
fn b057_several_trees_fit_into_one_tar_each_in_its_folder() {
    let fixture = fixture();
    let small = Fixture::new(&[&Tarball::new().file(b"x", b"1").link(b"y", b"x").end()]);
    let tar = written(&[(&fixture.tree, "linux_amd64"), (&small.tree, "linux_arm64")]);
    let again = Fixture::new(&[&tar]);
    let paths = again.paths();
    assert_eq!(paths[..3], ["linux_amd64/", "linux_amd64/a/", "linux_amd64/a/kept"]);
    assert_eq!(paths[paths.len() - 3..], ["linux_arm64/", "linux_arm64/x", "linux_arm64/y"]);
    let node = again.tree.lookup(b"linux_arm64/y").unwrap().unwrap();
    assert_eq!(again.tree.links(&node).unwrap(), 2);
}

#[test]
fn a_full_output_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert!(matches!(write_tar(&fixture().tree, b"", &mut Full), Err(FlattenError::Write(_))));
}
