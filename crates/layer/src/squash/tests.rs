use proptest::prelude::*;

use super::*;
use crate::flatten::tests::fixture;
use crate::tar::forge::Tarball;
use crate::tree::tests::{Fixture, walk};

/// The lowest `kept` layers of a stack and one more in place of the others.
fn squashed(fixture: &Fixture, kept: usize) -> (Tree, Vec<u8>) {
    let tar = tempfile::tempfile().unwrap();
    let mut writer = LayerWriter::new(tar.try_clone().unwrap());
    squash(&fixture.tree, kept, &mut writer).unwrap();
    let finished = writer.finish().unwrap();
    let index = crate::Index::from_bytes(finished.index).unwrap();
    let mut layers = fixture.tree.layers()[..kept].to_vec();
    let mut bytes = vec![0; usize::try_from(finished.tar_size).unwrap()];
    std::os::unix::fs::FileExt::read_exact_at(&tar, &mut bytes, 0).unwrap();
    layers.push(crate::Layer { index: std::sync::Arc::new(index), tar: std::sync::Arc::new(tar) });
    (Tree::new(layers), bytes)
}

/// Names in the order in which the layer has them.
fn names(tar: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0;
    while tar[at] != 0 {
        let field = |range: std::ops::Range<usize>| {
            let bytes = &tar[at + range.start..at + range.end];
            String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap()).into_owned()
        };
        let size = usize::from_str_radix(&field(124..135), 8).unwrap();
        names.push(field(0..100));
        at += 512 + size.div_ceil(512) * 512;
    }
    names
}

#[test]
fn n012_layers_above_the_base_become_one_that_shows_the_same() {
    let top = Tarball::new()
        .directory(b"a/")
        .file(b"a/.wh.kept", b"")
        .file(b".wh.b", b"")
        .file(b"b", b"now a file")
        .directory(b"c/")
        .file(b"c/one", b"one")
        .link(b"c/two", b"c/one")
        .file(b".wh.pipe", b"")
        .end();
    let below = fixture();
    let tars: Vec<Vec<u8>> = below.tree.layers().iter().map(|layer| content(&layer.tar)).collect();
    let fixture = Fixture::new(&[&tars[0], &tars[1], &top]);
    let (tree, tar) = squashed(&fixture, 1);
    assert_eq!(walk(&tree), walk(&fixture.tree));
    // What came and went again is in no layer any more; what the base has and the result has not is taken away.
    assert_eq!(names(&tar), ["a/", "a/.wh.gone", "a/.wh.kept", "a/link", "b", "c/", "c/one", "c/two", "top"]);
    let (all, tar) = squashed(&fixture, 0);
    assert_eq!(walk(&all), walk(&fixture.tree));
    assert_eq!(names(&tar), ["a/", "a/link", "a/second", "b", "c/", "c/one", "c/two", "top"]);
    let (none, tar) = squashed(&fixture, 3);
    assert_eq!((walk(&none), names(&tar)), (walk(&fixture.tree), Vec::new()));
}

fn content(tar: &std::fs::File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(tar.metadata().unwrap().len()).unwrap()];
    std::os::unix::fs::FileExt::read_exact_at(tar, &mut bytes, 0).unwrap();
    bytes
}

/// A few names at two levels, so that layers meet each other.
fn layer() -> impl Strategy<Value = Vec<u8>> {
    let names = ["a", "b", "c"];
    prop::collection::vec((0..3usize, 0..4usize, 0..5u8, any::<u8>()), 0..6).prop_map(move |changes| {
        // A name once in each layer, and no file that is a folder for others.
        let mut files = std::collections::BTreeMap::new();
        for (outer, inner, kind, content) in changes {
            let path = if inner == 3 { names[outer].to_owned() } else { format!("{}/{}", names[outer], names[inner]) };
            files.insert(path, (kind, content));
        }
        let folders: Vec<String> = files.keys().filter_map(|path| Some(path.split_once('/')?.0.to_owned())).collect();
        let mut tar = Tarball::new();
        for name in names {
            if folders.iter().any(|folder| folder == name) {
                tar = tar.directory(format!("{name}/").as_bytes());
                if let Some((kind, _)) = files.get(name)
                    && *kind < 2
                {
                    tar = tar.file(format!("{name}/.wh..wh..opq").as_bytes(), b"");
                }
            }
        }
        for (path, (kind, content)) in &files {
            if folders.contains(path) {
                continue;
            }
            let (folder, name) = path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (folder, name));
            let slash = if folder.is_empty() { "" } else { "/" };
            tar = match kind {
                0 => tar.file(format!("{folder}{slash}.wh.{name}").as_bytes(), b""),
                1 => tar.directory(format!("{path}/").as_bytes()),
                2 => tar.symlink(path.as_bytes(), b"target"),
                _ => tar.file(path.as_bytes(), &[*content]),
            };
        }
        tar.end()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn n012_any_stack_shows_the_same_after_any_part_of_it_was_squashed(layers in prop::collection::vec(layer(), 1..5)) {
        let tars: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        let fixture = Fixture::new(&tars);
        for kept in 0..=tars.len() {
            prop_assert_eq!(walk(&squashed(&fixture, kept).0), walk(&fixture.tree), "{} kept", kept);
        }
    }
}
