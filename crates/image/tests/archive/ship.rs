//! Images of a build as archives: compressed or not, in both formats, one or several, in a tar and in a folder.

use std::fs::{self, File};
use std::path::Path;

use image::archive::{
    self, Annotation, AnnotationTarget, Annotations, MediaTypes, SaveError, ShipOptions, Shipped, ShippedImage, Target,
};
use layer::Encoding;
use oci::{ImageId, Platform};
use serde_json::{Value, json};
use store::Store;

use super::forge::{Image, files, load, load_file, lower, put, references, sample, store, upper};

const GZIP: Encoding = Encoding::Gzip { level: 6 };
const ZSTD: Encoding = Encoding::Zstd { level: 3 };

fn options() -> ShipOptions {
    ShipOptions {
        names: references(&["sample:v1", "other/name"]),
        encoding: Encoding::Uncompressed,
        threads: 2,
        media_types: MediaTypes::Oci,
        annotations: Annotations::default(),
        is_index: false,
        for_docker: false,
    }
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

/// An image whose layers are in the store, and it itself is not.
fn shipped(store: &Store, image: &Image, on: &str) -> ShippedImage {
    // The layers come with an image of the same layers.
    put(store, &Image::new("only for its layers", image.layers.clone()), &[]);
    let config = serde_json::from_slice(&image.config).unwrap();
    ShippedImage { config, config_bytes: image.config.clone(), platform: platform(on) }
}

fn tar(store: &Store, images: &[ShippedImage], options: &ShipOptions) -> (Shipped, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.tar");
    let file = File::create(&path).unwrap();
    let shipped = archive::ship(store, images, options, Target::Tar(&file)).unwrap();
    (shipped, fs::read(path).unwrap())
}

fn every_option() -> Vec<ShipOptions> {
    let mut all = Vec::new();
    for encoding in [Encoding::Uncompressed, GZIP, ZSTD] {
        for media_types in [MediaTypes::Oci, MediaTypes::Docker] {
            for for_docker in [false, true] {
                all.push(ShipOptions { encoding, media_types, for_docker, ..options() });
            }
        }
    }
    all
}

#[test]
fn b051_b052_every_form_comes_back_as_the_same_image() {
    let (folder, first) = store();
    let image = shipped(&first, &sample(), "linux/amd64");
    let saved = put(&first, &sample(), &[]);
    for options in every_option() {
        let (_, bytes) = tar(&first, std::slice::from_ref(&image), &options);
        for read in [load, load_file] {
            let (_folder, second) = store();
            let loaded = read(&second, &bytes).unwrap();
            assert_eq!(loaded[0].id, sample().id(), "{options:?}");
            let names: Vec<_> = loaded.iter().flat_map(|loaded| loaded.references.clone()).collect();
            assert_eq!(names, options.names, "{options:?}");
            assert_eq!(files(&second, loaded[0].id), files(&first, saved));
        }
        let path = folder.path().join("archive.tar");
        fs::write(&path, bytes).unwrap();
        let checked = testkit::checker::check_archive(&path).unwrap();
        assert_eq!(checked[0].id, sample().id().to_string(), "{options:?}");
    }
}

#[test]
fn b051_the_bytes_depend_on_nothing_but_images_and_options() {
    let (_one, first) = store();
    let (_two, second) = store();
    for options in every_option() {
        let image = |store| [shipped(store, &sample(), "linux/amd64")];
        let once = tar(&first, &image(&first), &options);
        let again = tar(&second, &image(&second), &ShipOptions { threads: 7, ..options.clone() });
        assert!(once == again, "{options:?}");
    }
}

fn json_of(bytes: &[u8], member: &str) -> Value {
    let (_folder, path) = (tempfile::tempdir().unwrap(), member);
    let mut at = 0;
    loop {
        let header = &bytes[at..at + 512];
        let text = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(header[range].split(|byte| *byte == 0).next().unwrap()).into_owned()
        };
        assert_ne!(text(0..100), "", "{path} is not in the archive");
        let size = usize::from_str_radix(&text(124..135), 8).unwrap();
        if text(0..100) == path {
            return serde_json::from_slice(&bytes[at + 512..at + 512 + size]).unwrap();
        }
        at += 512 + size.div_ceil(512) * 512;
    }
}

fn blob_of(bytes: &[u8], descriptor: &Value) -> Value {
    json_of(bytes, &format!("blobs/sha256/{}", descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:")))
}

#[test]
fn b052_documents_and_layers_have_the_names_of_their_kind() {
    let (_folder, store) = store();
    let image = [shipped(&store, &sample(), "linux/amd64")];
    for (media_types, encoding, manifest, config, layer) in [
        (
            MediaTypes::Oci,
            Encoding::Uncompressed,
            "oci.image.manifest.v1+json",
            "oci.image.config.v1+json",
            "oci.image.layer.v1.tar",
        ),
        (
            MediaTypes::Oci,
            GZIP,
            "oci.image.manifest.v1+json",
            "oci.image.config.v1+json",
            "oci.image.layer.v1.tar+gzip",
        ),
        (
            MediaTypes::Oci,
            ZSTD,
            "oci.image.manifest.v1+json",
            "oci.image.config.v1+json",
            "oci.image.layer.v1.tar+zstd",
        ),
        (
            MediaTypes::Docker,
            GZIP,
            "docker.distribution.manifest.v2+json",
            "docker.container.image.v1+json",
            "docker.image.rootfs.diff.tar.gzip",
        ),
        (
            MediaTypes::Docker,
            ZSTD,
            "docker.distribution.manifest.v2+json",
            "docker.container.image.v1+json",
            "docker.image.rootfs.diff.tar.zstd",
        ),
    ] {
        let (shipped, bytes) = tar(&store, &image, &ShipOptions { media_types, encoding, ..options() });
        let kind = |value: &Value| value["mediaType"].as_str().unwrap().replace("application/vnd.", "");
        let index = json_of(&bytes, "index.json");
        assert_eq!(index["manifests"].as_array().unwrap().len(), 2, "one for each name");
        let document = blob_of(&bytes, &index["manifests"][0]);
        assert_eq!(index["manifests"][0]["digest"], shipped.descriptor.digest.to_string());
        assert_eq!(
            [kind(&index["manifests"][0]), kind(&document), kind(&document["config"]), kind(&document["layers"][1])],
            [manifest, manifest, config, layer]
        );
    }
}

fn annotation(target: AnnotationTarget, on: Option<&str>, key: &str, value: &str) -> Annotation {
    Annotation { target, platform: on.map(platform), key: key.to_owned(), value: value.to_owned() }
}

#[test]
fn b012_b060_annotations_go_where_they_are_meant_to() {
    use AnnotationTarget::{Index, IndexDescriptor, Manifest, ManifestDescriptor};
    let (_folder, store) = store();
    let all = Annotations(vec![
        annotation(Manifest, None, "who", "all"),
        annotation(Manifest, Some("linux/arm64"), "who", "arm"),
        annotation(Manifest, None, "a", "first of two"),
        annotation(Manifest, None, "a", "second of two"),
        annotation(ManifestDescriptor, Some("linux/amd64"), "where", "descriptor"),
        annotation(Index, None, "index", "yes"),
        annotation(IndexDescriptor, None, "top", "yes"),
    ]);
    let both = [
        shipped(&store, &sample(), "linux/amd64"),
        shipped(&store, &Image::new("other", vec![lower()]), "linux/arm64"),
    ];
    let options = ShipOptions { annotations: all, is_index: true, names: references(&["x"]), ..options() };
    let (_, bytes) = tar(&store, &both, &options);
    let top = &json_of(&bytes, "index.json")["manifests"][0];
    assert_eq!(
        top["annotations"],
        json!({
            "io.containerd.image.name": "docker.io/library/x:latest",
            "org.opencontainers.image.ref.name": "latest",
            "top": "yes",
        })
    );
    let index = blob_of(&bytes, top);
    assert_eq!(index["annotations"], json!({"index": "yes"}));
    assert_eq!(index["manifests"][0]["annotations"], json!({"where": "descriptor"}));
    assert_eq!(index["manifests"][1]["annotations"], Value::Null);
    let manifests = [0, 1].map(|number| blob_of(&bytes, &index["manifests"][number]));
    assert_eq!(manifests[0]["annotations"], json!({"a": "second of two", "who": "all"}));
    assert_eq!(manifests[1]["annotations"], json!({"a": "second of two", "who": "arm"}));
    // Alone, its descriptor is the one that the layout lists.
    let (_, bytes) = tar(&store, &both[..1], &ShipOptions { is_index: false, ..options });
    assert_eq!(json_of(&bytes, "index.json")["manifests"][0]["annotations"]["where"], "descriptor");
}

#[test]
fn b013_images_of_several_platforms_become_one_index() {
    let (_folder, first) = store();
    let arm = Image::new("arm", vec![lower(), upper()]);
    let both = [shipped(&first, &sample(), "linux/amd64"), shipped(&first, &arm, "linux/arm/v7")];
    let (shipped, bytes) = tar(&first, &both, &ShipOptions { is_index: true, encoding: GZIP, ..options() });
    let top = json_of(&bytes, "index.json");
    assert_eq!(top["manifests"][0]["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(top["manifests"][0]["digest"], shipped.descriptor.digest.to_string());
    let index = blob_of(&bytes, &top["manifests"][0]);
    assert_eq!(index["manifests"][0]["platform"], json!({"architecture": "amd64", "os": "linux"}));
    assert_eq!(index["manifests"][1]["platform"], json!({"architecture": "arm", "os": "linux", "variant": "v7"}));
    // Layers that both have are there once.
    let count = bytes.windows(13).filter(|window| window == b"blobs/sha256/").count();
    assert_eq!(count, 1 + 1 + 2 + 2 + 2, "folder, index, manifests, configs, layers");
    // Loading takes the one for this machine.
    let (_folder, second) = store();
    let loaded = load(&second, &bytes).unwrap();
    assert_eq!(loaded.len(), 1);
    let expected = if Platform::host().architecture == "amd64" { sample().id() } else { loaded[0].id };
    assert_eq!(loaded[0].id, expected);
}

fn listed(folder: &Path) -> Vec<String> {
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let name = |entry: &Value| entry["annotations"]["io.containerd.image.name"].as_str().unwrap_or("none").to_owned();
    index["manifests"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn b055_a_folder_is_a_layout_that_other_images_may_be_in() {
    let (folder, first) = store();
    let image = shipped(&first, &sample(), "linux/amd64");
    let target = folder.path().join("deep/er/layout");
    let write = |image: &ShippedImage, names: &[&str], encoding| {
        let options = ShipOptions { names: references(names), encoding, ..options() };
        archive::ship(&first, std::slice::from_ref(image), &options, Target::Folder(&target)).unwrap()
    };
    write(&image, &["one", "two"], GZIP);
    let other = shipped(&first, &Image::new("other", vec![upper()]), "linux/amd64");
    write(&other, &["two"], GZIP);
    write(&other, &[], GZIP);
    write(&other, &[], GZIP);
    assert_eq!(listed(&target), ["docker.io/library/one:latest", "docker.io/library/two:latest", "none"]);
    assert_eq!(fs::read_to_string(target.join("oci-layout")).unwrap(), r#"{"imageLayoutVersion":"1.0.0"}"#);
    // As a tar it is an archive like others, and everything in it has its digest.
    let tar = folder.path().join("layout.tar");
    let packed = std::process::Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(&target).arg(".").status();
    assert!(packed.unwrap().success());
    let checked = testkit::checker::check_archive(&tar).unwrap();
    assert_eq!(checked.len(), 3);
    assert_eq!(ids(&fs::read(&tar).unwrap()), [sample().id(), Image::new("other", vec![upper()]).id()]);
}

fn ids(bytes: &[u8]) -> Vec<ImageId> {
    let (_folder, store) = store();
    load(&store, bytes).unwrap().iter().map(|loaded| loaded.id).collect()
}

#[test]
fn b055_a_folder_that_holds_something_else_is_left_alone() {
    let (folder, first) = store();
    let image = [shipped(&first, &sample(), "linux/amd64")];
    fs::write(folder.path().join("index.json"), "{\"my\": \"file\"}").unwrap();
    let error = archive::ship(&first, &image, &options(), Target::Folder(folder.path())).unwrap_err();
    assert!(matches!(error, SaveError::NotALayout { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(folder.path().join("index.json")).unwrap(), "{\"my\": \"file\"}");
    assert!(!folder.path().join("blobs").exists());
}

#[test]
fn a_layer_that_is_not_there_is_an_error() {
    let (_one, first) = store();
    let (_two, second) = store();
    let image = [shipped(&first, &sample(), "linux/amd64")];
    for encoding in [Encoding::Uncompressed, GZIP] {
        let file = tempfile::tempfile().unwrap();
        let options = ShipOptions { encoding, ..options() };
        let error = archive::ship(&second, &image, &options, Target::Tar(&file)).unwrap_err();
        assert!(matches!(error, SaveError::Store(store::StoreError::LayerMissing(_))), "{error:?}");
    }
}
