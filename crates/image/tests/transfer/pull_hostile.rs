//! Sources that lie: nothing wrong is ever listed, nothing wrong is kept, and the error says what is wrong.

use image::transfer::TransferError;
use oci::{Descriptor, Digest, media_type};
use serde_json::{Value, json};

use crate::repository::{Checked, Fault, Image, Repository, config, gzip, layer, lock, manifest, text};

/// Pulls what must be refused; the whole text of the error.
fn refused(repository: &Repository, name: &str) -> String {
    let checked = Checked::new();
    let error = checked.pull(repository, name).unwrap_err();
    checked.expect_nothing();
    text(&error)
}

fn one() -> Image {
    Image::new("one", &[layer("one", 50_000)])
}

#[test]
fn a_blob_of_another_digest_leaves_nothing() {
    // The last eight bytes of gzip are its checksum and length: the flipped one before shows in the digest alone.
    let image = one();
    let length = image.blobs[0].0.len();
    for (fault, expected) in [
        (Fault::Flip(4), "its digest is"),
        (Fault::Flip(length / 2), ""),
        (Fault::Flip(length - 1), ""),
        (Fault::Long(1), "has more than the"),
        (Fault::Long(1 << 20), "has more than the"),
        (Fault::Short(length - 1), "bytes came"),
        (Fault::Short(0), "0 of"),
    ] {
        let (checked, repository) = (Checked::new(), Repository::default());
        repository.put_image(Some("latest"), &image);
        repository.misbehave(image.blob(0), &[fault]);
        let error = checked.pull(&repository, "app").unwrap_err();
        assert!(text(&error).contains(expected), "{fault:?}: {}", text(&error));
        checked.expect_nothing();
        if !matches!(fault, Fault::Short(1..)) {
            assert_eq!(checked.store.partial_blobs().unwrap(), [], "{fault:?}");
        }
        checked.pull(&repository, "app").unwrap();
    }
}

#[test]
fn a_wrong_beginning_is_not_gone_on_with() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), one());
    repository.put_image(Some("latest"), &image);
    std::fs::write(checked.path().join("partial").join(image.blob(0).hex()), &image.blobs[0].0[..9_000]).unwrap();
    // The rest is wrong too, and so is the second attempt: the third is right.
    repository.misbehave(image.blob(0), &[Fault::Flip(9_100), Fault::Flip(9_100)]);
    checked.pull(&repository, "app").unwrap_err();
    checked.expect_nothing();
    assert_eq!(checked.store.partial_blobs().unwrap(), []);
    checked.pull(&repository, "app").unwrap();
}

#[test]
fn a_layer_that_is_not_the_configs_is_refused() {
    let (checked, repository, mut image) = (Checked::new(), Repository::default(), one());
    image.config = config("lie", &[layer("other", 10)], "amd64");
    repository.put_image(Some("latest"), &image);
    let error = checked.pull(&repository, "app").unwrap_err();
    assert!(text(&error).contains("its digest is"), "{error:?}");
    checked.expect_nothing();
    assert_eq!(checked.store.partial_blobs().unwrap(), []);
    let tar = Digest::of(&layer("one", 50_000)).hex();
    assert!(!checked.path().join("layers").join(format!("{tar}.tar")).exists());
}

#[test]
fn what_is_no_tar_or_damaged_inside_is_refused() {
    let halved = gzip(&layer("half", 50_000)[..20_000]);
    let truncated = gzip(&layer("cut", 50_000))[..9_000].to_vec();
    for (name, blob) in [("text", gzip(b"hello")), ("half", halved), ("cut", truncated), ("raw", b"plain".to_vec())] {
        let repository = Repository::default();
        let tars = [layer("whatever", 10)];
        let image = Image { config: config(name, &tars, "amd64"), blobs: vec![(blob, media_type::OCI_LAYER_GZIP)] };
        repository.put_image(Some("latest"), &image);
        let error = refused(&repository, "app");
        assert!(error.contains(&image.blob(0).to_string()), "{name}: {error}");
    }
}

/// A few kilobytes that become a quarter of a gigabyte: they are no layer of this config, and nothing of them stays.
#[test]
fn a_bomb_is_refused() {
    let repository = Repository::default();
    let zeros = vec![0; 1 << 20];
    let mut member = layer("bomb", 1);
    member.truncate(member.len() - 1024);
    let mut blob = gzip(&member);
    let piece = gzip(&zeros);
    (0..256).for_each(|_| blob.extend_from_slice(&piece));
    let tars = [layer("whatever", 10)];
    let image = Image { config: config("bomb", &tars, "amd64"), blobs: vec![(blob, media_type::OCI_LAYER_GZIP)] };
    repository.put_image(Some("latest"), &image);
    refused(&repository, "app");
}

#[test]
fn documents_that_are_not_what_was_asked_for_are_refused() {
    let repository = Repository::default();
    let image = one();
    let digest = repository.put_image(Some("latest"), &image);
    let other = Image::new("other", &[layer("other", 10)]).manifest();
    lock(&repository.manifests).get_mut(&digest).unwrap().bytes = other.clone();
    let error = refused(&repository, &format!("app@{digest}"));
    assert_eq!(error, format!("the source sent something else than {digest}: its digest is {}", Digest::of(&other)));
    // The config, of another digest, too long and too short.
    let id = image.id().0;
    for fault in [Fault::Flip(10), Fault::Long(3), Fault::Short(5), Fault::Cut(5)] {
        let repository = Repository::default();
        repository.put_image(Some("latest"), &image);
        repository.misbehave(id, &[fault]);
        assert!(refused(&repository, "app").contains(&id.to_string()), "{fault:?}");
    }
}

/// A manifest with one thing changed.
fn changed(change: impl Fn(&mut Value)) -> Repository {
    let repository = Repository::default();
    let image = one();
    repository.put_image(None, &image);
    let mut document: Value = serde_json::from_slice(&image.manifest()).unwrap();
    change(&mut document);
    let media_type = document["mediaType"].as_str().unwrap_or_default().to_owned();
    repository.put_document(Some("latest"), &media_type, document.to_string().into_bytes());
    repository
}

#[test]
fn what_is_not_an_image_of_today_is_refused_by_its_name() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 9] = [
        ("schema 1", |document| {
            *document =
                json!({ "schemaVersion": 1, "mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws" });
        }),
        ("it is not an image: the manifest is of type `application/json`", |document| {
            document["mediaType"] = json!("application/json");
        }),
        ("it is not an image: its config is of type `application/vnd.cncf.helm.config.v1+json`", |document| {
            document["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
        }),
        ("it is not an image: a layer is of type `text/plain`", |document| {
            document["layers"][0]["mediaType"] = json!("text/plain");
        }),
        ("is a foreign one", |document| {
            document["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        }),
        ("lists 0 layers, but its config has 1", |document| document["layers"] = json!([])),
        ("lists 5000 layers, but its config has 1", |document| {
            let layer = document["layers"][0].clone();
            document["layers"] = json!(vec![layer; 5000]);
        }),
        ("is no document of at most 4 MiB", |document| document["config"]["size"] = json!(1_u64 << 40)),
        ("cannot be read", |document| document["layers"] = json!("none")),
    ];
    for (expected, change) in cases {
        let error = refused(&changed(change), "app");
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn too_many_layers_and_too_large_ones_are_refused() {
    let tar = layer("many", 10);
    let image = Image {
        config: config("many", &vec![tar.clone(); 4097], "amd64"),
        blobs: vec![(gzip(&tar), media_type::OCI_LAYER_GZIP); 4097],
    };
    let repository = Repository::default();
    repository.put_image(Some("latest"), &image);
    assert_eq!(refused(&repository, "app"), "there are more than 4096 layers in one image");
    let huge = changed(|document| document["layers"][0]["size"] = json!(1_u64 << 60));
    assert!(refused(&huge, "app").contains("has no room"));
}

#[test]
fn indexes_that_lead_nowhere_are_refused() {
    let repository = Repository::default();
    let mut below = Digest::of(&one().manifest());
    repository.put_image(None, &one());
    for _ in 0..6 {
        let entry = json!({ "mediaType": media_type::OCI_INDEX, "digest": below, "size": 1 });
        let bytes = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [entry] }).to_string();
        below = repository.put_document(Some("latest"), media_type::OCI_INDEX, bytes.into_bytes());
    }
    assert_eq!(refused(&repository, "app"), "indexes within indexes are too deep");
    let empty = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] }).to_string();
    repository.put_document(Some("empty"), media_type::OCI_INDEX, empty.into_bytes());
    assert!(refused(&repository, "app:empty").starts_with("no matching manifest for "));
    assert!(refused(&repository, "app:none").contains("manifest unknown"));
}

#[test]
fn a_blob_that_is_two_layers_is_one_of_them_at_most() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let tars = [layer("one", 10), layer("two", 10)];
    let blob = (gzip(&tars[0]), media_type::OCI_LAYER_GZIP);
    let image = Image { config: config("two", &tars, "amd64"), blobs: vec![blob.clone(), blob] };
    repository.put_image(None, &image);
    let layers: Vec<Value> = image.layers();
    let document = manifest(&Descriptor::of(media_type::OCI_CONFIG, &image.config), &layers);
    repository.put_document(Some("latest"), media_type::OCI_MANIFEST, document);
    let error = checked.pull(&repository, "app").unwrap_err();
    assert!(matches!(error, TransferError::Content(_)), "{error:?}");
    assert_eq!(checked.store.image_ids().unwrap(), []);
}
