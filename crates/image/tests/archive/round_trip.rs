//! What is saved comes back as it was, here and through an independent reader.

use std::fs::File;

use image::archive;

use super::forge::{self, Image, files, load, load_file, lower, put, references, sample, save, store, upper};

#[test]
fn an_image_comes_back_with_the_same_id_names_and_files() {
    let (_folder, first) = store();
    let id = put(&first, &sample(), &["sample:v1", "other/name:latest"]);
    let bytes = save(&first, &[(id, references(&["sample:v1", "other/name"]))]);
    for read in [load, load_file] {
        let (_folder, second) = store();
        let loaded = read(&second, &bytes).unwrap();
        assert_eq!(loaded.len(), 1);
        assert_eq!(loaded[0].id, id);
        assert_eq!(loaded[0].references, references(&["sample:v1", "other/name"]));
        assert_eq!(loaded[0].replaced, []);
        assert_eq!(second.reference(&references(&["sample:v1"])[0]).unwrap(), Some(id));
        assert_eq!(files(&second, id), files(&first, id));
        assert_eq!(save(&second, &[(id, references(&["sample:v1", "other/name"]))]), bytes);
    }
}

#[test]
fn the_upper_layer_takes_folders_from_the_lower_one() {
    for read in [load, load_file] {
        let (_folder, store) = store();
        read(&store, &forge::oci_layout(&sample(), &[])).unwrap();
        let found = files(&store, sample().id());
        let modes: Vec<(&str, u32)> = found.iter().map(|(path, mode, _)| (path.as_str(), *mode)).collect();
        assert_eq!(modes, [("etc", 0o700), ("etc/name", 0o644), ("etc/other", 0o600), ("large", 0o644)]);
    }
}

#[test]
fn a_hard_link_to_a_lower_layer_is_kept() {
    let image = Image::new("linked", vec![lower(), forge::linked()]);
    for read in [load, load_file] {
        let (_folder, store) = store();
        read(&store, &forge::oci_layout(&image, &[])).unwrap();
        let found = files(&store, image.id());
        let content = |name: &str| found.iter().find(|(path, ..)| path == name).unwrap().2.clone();
        assert_eq!(content("again"), content("large"));
        assert_eq!(content("after"), [9; 3000]);
    }
}

#[test]
fn an_independent_reader_agrees() {
    let (folder, store) = store();
    let one = put(&store, &sample(), &[]);
    let two = put(&store, &Image::new("two", vec![lower()]), &[]);
    let path = folder.path().join("archive.tar");
    let mut out = File::create(&path).unwrap();
    let images = [(one, references(&["sample:v1"])), (two, references(&["two", "zwei:2"]))];
    archive::save(&store, &images, &mut out).unwrap();
    let checked = testkit::checker::check_archive(&path).unwrap();
    let ids: Vec<&str> = checked.iter().map(|image| image.id.as_str()).collect();
    assert_eq!(ids, [one.to_string(), two.to_string()]);
    assert_eq!(checked[0].names, ["sample:v1"]);
    assert_eq!(checked[1].names, ["two:latest", "zwei:2"]);
    // The kernel's copy and the bytes written through memory are the same.
    assert_eq!(std::fs::read(&path).unwrap(), save(&store, &images));
}

#[test]
fn bytes_depend_on_the_images_alone() {
    let (_one, first) = store();
    let (_two, second) = store();
    let id = put(&first, &sample(), &["a:1"]);
    put(&second, &Image::new("another first", vec![upper()]), &["b:2"]);
    put(&second, &sample(), &["a:1"]);
    let named = [(id, references(&["a:1"]))];
    let bytes = save(&first, &named);
    assert_eq!(bytes, save(&second, &named));
    assert_eq!(bytes, save(&first, &named));
    assert_eq!(bytes.len() % 512, 0);
}

#[test]
fn shared_layers_are_written_and_kept_once() {
    let (_folder, first) = store();
    let large = vec![lower()];
    let images: Vec<_> = (0..4).map(|number| Image::new(&format!("image {number}"), large.clone())).collect();
    let named: Vec<_> = images.iter().map(|image| (put(&first, image, &[]), Vec::new())).collect();
    let one = save(&first, &named[..1]).len();
    let all = save(&first, &named);
    assert!(all.len() < one + lower().len(), "{} bytes for four, {one} for one", all.len());
    let (folder, second) = store();
    let loaded = load(&second, &all).unwrap();
    assert_eq!(
        loaded.iter().map(|loaded| loaded.id).collect::<Vec<_>>(),
        named.iter().map(|(id, _)| *id).collect::<Vec<_>>()
    );
    assert_eq!(forge::stored(folder.path(), "layers").iter().filter(|name| name.ends_with(".tar")).count(), 1);
}

#[test]
fn a_tag_moves_and_says_so() {
    for read in [load, load_file] {
        let (_folder, store) = store();
        let old = put(&store, &Image::new("old", vec![lower()]), &["sample:latest"]);
        let loaded = read(&store, &forge::podman(&sample(), &["sample:latest"])).unwrap();
        assert_eq!(loaded[0].replaced, [(references(&["sample"])[0].clone(), old)]);
        assert_eq!(store.reference(&references(&["sample"])[0]).unwrap(), Some(sample().id()));
        assert!(store.has_image(old).unwrap());
        // The second time nothing moves.
        assert_eq!(read(&store, &forge::podman(&sample(), &["sample:latest"])).unwrap()[0].replaced, []);
    }
}

#[test]
fn a_layer_that_is_there_is_not_written_again() {
    for read in [load, load_file] {
        let (folder, store) = store();
        let bytes = forge::oci_layout(&sample(), &["sample:v1"]);
        read(&store, &bytes).unwrap();
        let inode = |name: &str| {
            let path = folder.path().join("store/layers").join(name);
            std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap())
        };
        let names = forge::stored(folder.path(), "layers");
        let before: Vec<u64> = names.iter().map(|name| inode(name)).collect();
        read(&store, &bytes).unwrap();
        assert_eq!(forge::stored(folder.path(), "layers"), names);
        assert_eq!(names.iter().map(|name| inode(name)).collect::<Vec<_>>(), before);
    }
}

#[test]
fn parents_survive_when_they_come_along() {
    let (_folder, first) = store();
    let base = Image::new("base", vec![lower()]);
    let child = sample();
    let base_id = put(&first, &base, &[]);
    put(&first, &child, &[]);
    first.publish_image(&child.config, Some(base_id)).unwrap();
    let both = save(&first, &[(child.id(), Vec::new()), (base_id, Vec::new())]);
    let alone = save(&first, &[(child.id(), Vec::new())]);
    for (bytes, parent) in [(both, Some(base_id)), (alone, None)] {
        let (_folder, second) = store();
        load(&second, &bytes).unwrap();
        assert_eq!(second.parent(child.id()).unwrap(), parent);
    }
}

#[test]
fn images_without_layers_or_names_work() {
    let empty = Image::new("empty", Vec::new());
    let (_folder, first) = store();
    let id = put(&first, &empty, &[]);
    let (_folder, second) = store();
    let loaded = load(&second, &save(&first, &[(id, Vec::new())])).unwrap();
    assert_eq!((loaded[0].id, loaded[0].references.len()), (id, 0));
}
