//! The shapes in which others write images.

use image::archive;
use serde_json::json;
use testkit::TarWriter;

use super::forge::{
    self, INDEX_TYPE, Image, MANIFEST_TYPE, bzip2, descriptor, docker_classic, files, gzip, load, load_file, lower,
    oci_archive, oci_layout, oci_layout_stored, oci_manifest, podman, put, references, sample, save, store, upper, xz,
    zstd,
};

/// Every shape gives the same image with the same files.
#[test]
fn all_shapes_give_the_same_image() {
    let image = Image::new("thrice", vec![lower(), upper(), lower()]);
    let tags = ["sample:v1"];
    let compressed = |compress: fn(&[u8]) -> Vec<u8>| image.layers.iter().map(|layer| compress(layer)).collect();
    let saved = {
        let (_folder, store) = store();
        let id = put(&store, &image, &tags);
        save(&store, &[(id, references(&tags))])
    };
    let shapes: [(&str, Vec<u8>); 7] = [
        ("docker since 25", saved),
        ("docker 1.10 to 24", docker_classic(&image, &tags)),
        ("podman and skopeo", podman(&image, &tags)),
        ("oci", oci_layout(&image, &tags)),
        ("oci, gzip layers", oci_layout_stored(&image, &tags, compressed(gzip))),
        ("oci, zstd layers", oci_layout_stored(&image, &tags, compressed(zstd))),
        ("docker, gzip layers", docker_with_gzip_layers(&image, &tags)),
    ];
    let (_folder, reference) = store();
    put(&reference, &image, &[]);
    let expected = files(&reference, image.id());
    for (shape, bytes) in shapes {
        for read in [load, load_file] {
            let (_folder, store) = store();
            let loaded = read(&store, &bytes).unwrap_or_else(|error| panic!("{shape}: {error}"));
            assert_eq!(loaded.len(), 1, "{shape}");
            assert_eq!(loaded[0].id, image.id(), "{shape}");
            assert_eq!(loaded[0].references, references(&tags), "{shape}");
            assert_eq!(files(&store, image.id()), expected, "{shape}");
        }
    }
}

/// As go-containerregistry writes it.
fn docker_with_gzip_layers(image: &Image, tags: &[&str]) -> Vec<u8> {
    let mut tar = TarWriter::default();
    let config = format!("sha256:{}", image.id().0.hex());
    tar.file(&config, 0o644, &image.config);
    let mut layers = Vec::new();
    for layer in &image.layers {
        let layer = gzip(layer);
        let name = format!("{}.tar.gz", oci::Digest::of(&layer).hex());
        if !layers.contains(&name) {
            tar.file(&name, 0o644, &layer);
        }
        layers.push(name);
    }
    tar.file("manifest.json", 0o644, &forge::manifest(&[(config, tags, layers)]));
    tar.finish()
}

#[test]
fn a_whole_archive_may_be_compressed() {
    let bytes = docker_classic(&sample(), &["sample:v1"]);
    for (name, bytes) in [("gzip", gzip(&bytes)), ("bzip2", bzip2(&bytes)), ("xz", xz(&bytes)), ("zstd", zstd(&bytes))]
    {
        for read in [load, load_file] {
            let (_folder, store) = store();
            assert_eq!(read(&store, &bytes).unwrap()[0].id, sample().id(), "{name}");
        }
    }
}

#[test]
fn a_file_is_read_from_where_it_stands() {
    use std::io::{Seek, SeekFrom, Write};
    let (_folder, store) = store();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"something before").unwrap();
    file.write_all(&podman(&sample(), &[])).unwrap();
    file.seek(SeekFrom::Start(16)).unwrap();
    assert_eq!(archive::load_file(&store, file, None).unwrap()[0].id, sample().id());
}

#[test]
fn a_pipe_is_read_as_a_stream() {
    let (_folder, store) = store();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let bytes = oci_layout(&sample(), &["piped:1"]);
    let thread = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &bytes).is_ok());
    let loaded = archive::load_file(&store, std::os::fd::OwnedFd::from(reader).into(), None).unwrap();
    assert_eq!(loaded[0].references, references(&["piped:1"]));
    assert!(thread.join().unwrap(), "the writer must not be cut off");
}

/// An empty layer is zeros only, as Docker writes it for instructions that change nothing.
#[test]
fn an_empty_layer_is_a_layer() {
    let image = Image::new("empty layer", vec![vec![0; 1024], lower(), vec![0; 1024]]);
    for bytes in [docker_classic(&image, &[]), oci_layout(&image, &[])] {
        for read in [load, load_file] {
            let (_folder, store) = store();
            assert_eq!(read(&store, &bytes).unwrap()[0].id, image.id());
        }
    }
}

#[test]
fn names_of_oci_layouts() {
    let cases: [(&str, serde_json::Value, &[&str]); 5] = [
        ("tag alone", json!({ "org.opencontainers.image.ref.name": "latest" }), &[]),
        ("whole name", json!({ "org.opencontainers.image.ref.name": "localhost/x:1" }), &["localhost/x:1"]),
        (
            "containerd",
            json!({ "io.containerd.image.name": "docker.io/library/x:1", "org.opencontainers.image.ref.name": "1" }),
            &["x:1"],
        ),
        ("name without tag", json!({ "org.opencontainers.image.ref.name": "quay.io/x" }), &["quay.io/x:latest"]),
        ("nothing", json!({}), &[]),
    ];
    let manifest = oci_manifest(&sample(), &sample().layers);
    let mut blobs = sample().layers;
    blobs.extend([sample().config, manifest.clone()]);
    for (name, annotations, expected) in cases {
        let mut entry = descriptor(MANIFEST_TYPE, &manifest);
        entry["annotations"] = annotations;
        let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
        let (_folder, store) = store();
        let loaded = load(&store, &oci_archive(&blobs, index.as_bytes())).unwrap();
        assert_eq!(loaded[0].references, references(expected), "{name}");
    }
}

/// As `docker buildx build -o type=oci` writes it: an index in the index, with an attestation and another platform.
#[test]
fn a_nested_index_gives_the_image_for_this_machine() {
    let platform = |mut entry: serde_json::Value, os: &str, architecture: &str| {
        entry["platform"] = json!({ "os": os, "architecture": architecture });
        entry
    };
    let host = oci::Platform::host();
    let ours = oci_manifest(&sample(), &sample().layers);
    let other_image = Image::new("other platform", vec![upper()]);
    let other = oci_manifest(&other_image, &other_image.layers);
    let inner = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [
        platform(descriptor(MANIFEST_TYPE, b"attestation"), "unknown", "unknown"),
        platform(descriptor(MANIFEST_TYPE, &other), "linux", "riscv64"),
        platform(descriptor(MANIFEST_TYPE, &ours), "linux", &host.architecture),
    ] })
    .to_string()
    .into_bytes();
    let mut entry = descriptor(INDEX_TYPE, &inner);
    entry["annotations"] = json!({ "io.containerd.image.name": "docker.io/library/x:1" });
    let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    let mut blobs = sample().layers;
    blobs.extend([sample().config, ours, other, inner]);
    for read in [load, load_file] {
        let (_folder, store) = store();
        let loaded = read(&store, &oci_archive(&blobs, index.as_bytes())).unwrap();
        assert_eq!((loaded[0].id, &loaded[0].references), (sample().id(), &references(&["x:1"])));
    }
}

/// Archives that were unpacked and packed again by hand begin with `./`.
#[test]
fn a_leading_dot_is_no_name() {
    let mut tar = TarWriter::default();
    tar.folder(".", 0o755);
    let hex = sample().id().0.hex();
    let [first, second] = [&sample().layers[0], &sample().layers[1]];
    tar.file(&format!("./{hex}.json"), 0o644, &sample().config).file("./a/layer.tar", 0o644, first);
    tar.hard_link("./b.tar", "./a/layer.tar").file("./c.tar", 0o644, second);
    let layers = vec!["b.tar".to_owned(), "./c.tar".to_owned()];
    tar.file("./manifest.json", 0o644, &forge::manifest(&[(format!("{hex}.json"), &[], layers)]));
    let bytes = tar.finish();
    for read in [load, load_file] {
        let (_folder, store) = store();
        assert_eq!(read(&store, &bytes).unwrap()[0].id, sample().id());
    }
}
