//! What is sent, what is not, and what manifest an image has there.

use std::collections::HashMap;
use std::sync::Mutex;

use image::transfer::{PushEvent, SentState};
use oci::{Digest, ImageManifest, media_type};
use serde_json::{Value, json};

use crate::repository::{Checked, Image, Repository, config, layer, lock, reference, text};

fn tars() -> Vec<Vec<u8>> {
    vec![layer("one", 60_000), layer("two", 40_000), layer("three", 20_000)]
}

/// An image that was made here: nothing of it is known of any registry.
fn local(checked: &Checked, name: &str) -> Image {
    let image = Image { config: config("local", &tars(), "amd64"), blobs: Vec::new() };
    checked.load(&image, &tars(), name);
    image
}

fn manifest(repository: &Repository, digest: Digest) -> ImageManifest {
    serde_json::from_slice(&lock(&repository.manifests)[&digest].bytes).unwrap()
}

fn kinds(requests: &[String]) -> Vec<&str> {
    requests.iter().filter_map(|text| text.split(' ').next()).collect()
}

#[test]
fn s264_layers_go_first_then_the_config_then_the_manifest() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = local(&checked, "registry.example/app:v1");
    let events = Mutex::new(Vec::new());
    let pushed = checked.push_with(&repository, "registry.example/app:v1", &|event| lock(&events).push(event)).unwrap();
    let requests = repository.take_requests();
    assert_eq!(kinds(&requests), ["UPLOAD", "UPLOAD", "UPLOAD", "UPLOAD", "PUT"]);
    assert_eq!(requests[3], format!("UPLOAD {}", image.id()));
    let written = manifest(&repository, pushed.digest);
    assert_eq!(written.media_type.as_deref(), Some(media_type::DOCKER_MANIFEST));
    assert_eq!(written.config.digest, image.id().0);
    assert_eq!(pushed.size, lock(&repository.manifests)[&pushed.digest].bytes.len() as u64);
    for (blob, tar) in written.layers.iter().zip(tars()) {
        let mut content = Vec::new();
        let sent = lock(&repository.blobs)[&blob.digest].clone();
        std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&sent[..]), &mut content).unwrap();
        assert_eq!((content, blob.media_type.as_str()), (tar, media_type::DOCKER_LAYER_GZIP));
    }
    let events = events.into_inner().unwrap();
    assert_eq!(events[0], PushEvent::Layers(tars().iter().map(|tar| oci::DiffId(Digest::of(tar))).collect()));
    let preparing = |number| PushEvent::Layer { number, state: SentState::Preparing };
    assert_eq!(events[1..4], [preparing(2), preparing(1), preparing(0)], "the uppermost first");
    for number in 0..3 {
        assert!(events.contains(&PushEvent::Layer { number, state: SentState::Pushed }));
    }
    let digest = reference("registry.example/app").with_only_digest(pushed.digest);
    assert_eq!(checked.store.reference(&digest).unwrap(), Some(image.id()));
    // What is there is the same image for everybody.
    let other = Checked::new();
    assert_eq!(other.pull(&repository, "registry.example/app:v1").unwrap().id, image.id());
}

#[test]
fn an_unchanged_push_is_one_question() {
    let (checked, repository) = (Checked::new(), Repository::default());
    local(&checked, "app");
    let first = checked.push(&repository, "app").unwrap();
    repository.take_requests();
    assert_eq!(checked.push(&repository, "app").unwrap(), first);
    assert_eq!(repository.take_requests(), ["HEAD latest"]);
}

#[test]
fn another_tag_of_what_is_there_is_one_manifest() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = local(&checked, "app");
    let first = checked.push(&repository, "app").unwrap();
    checked.store.set_reference(&reference("app:v2"), image.id()).unwrap();
    repository.take_requests();
    assert_eq!(checked.push(&repository, "app:v2").unwrap(), first);
    assert_eq!(repository.take_requests(), ["HEAD v2", "PUT v2"]);
}

#[test]
fn what_is_compressed_once_is_kept() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = local(&checked, "app");
    let first = checked.push(&repository, "app").unwrap();
    let before = checked.store.blobs().unwrap();
    // To a registry that knows nothing of it.
    checked.store.set_reference(&reference("other.example/app:latest"), image.id()).unwrap();
    let other = Repository::default();
    assert_eq!(checked.push(&other, "other.example/app").unwrap(), first);
    assert_eq!(checked.store.blobs().unwrap(), before);
    let transport = std::fs::read(checked.path().join("transports").join(Digest::of(&tars()[0]).hex())).unwrap();
    let known: Value = serde_json::from_slice(&transport).unwrap();
    assert_eq!(known[0]["repositories"], json!(["docker.io/library/app", "other.example/app"]));
    assert_eq!(known.as_array().unwrap().len(), 1);
}

#[test]
fn c020_a_layer_of_another_repository_is_mounted() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = local(&checked, "registry.example/one:latest");
    let first = checked.push(&repository, "registry.example/one").unwrap();
    checked.store.set_reference(&reference("registry.example/two:latest"), image.id()).unwrap();
    for has_blobs in [true, false] {
        if !has_blobs {
            // What can be had by mounting alone need not be kept.
            for (digest, _) in checked.store.blobs().unwrap().iter().filter(|(digest, _)| *digest != first.digest) {
                checked.store.remove_blob(*digest).unwrap();
            }
            std::fs::remove_file(
                checked.path().join("references").join(format!("registry.example+two@{}", first.digest)),
            )
            .unwrap();
            for tar in tars() {
                let path = checked.path().join("transports").join(Digest::of(&tar).hex());
                let text = std::fs::read_to_string(&path).unwrap().replace(",\"registry.example/two\"", "");
                std::fs::write(path, text).unwrap();
            }
        }
        let second = Repository::default();
        lock(&second.others).insert("one".to_owned(), lock(&repository.blobs).clone());
        let events = Mutex::new(Vec::new());
        let pushed = checked.push_with(&second, "registry.example/two", &|event| lock(&events).push(event)).unwrap();
        assert_eq!(pushed, first);
        assert_eq!(kinds(&second.take_requests()), ["HEAD", "MOUNT", "MOUNT", "MOUNT", "UPLOAD", "PUT"]);
        let mounted = SentState::MountedFrom("one".to_owned());
        assert!(events.into_inner().unwrap().contains(&PushEvent::Layer { number: 0, state: mounted }));
    }
}

#[test]
fn a_layer_that_can_no_longer_be_mounted_is_made_again() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = local(&checked, "registry.example/one:latest");
    checked.push(&repository, "registry.example/one").unwrap();
    checked.store.set_reference(&reference("registry.example/two:latest"), image.id()).unwrap();
    for (digest, size) in checked.store.blobs().unwrap() {
        if size > 2000 {
            checked.store.remove_blob(digest).unwrap();
        }
    }
    let second = Repository::default();
    checked.push(&second, "registry.example/two").unwrap();
    let other = Checked::new();
    assert_eq!(other.pull(&second, "registry.example/two").unwrap().id, image.id());
}

#[test]
fn a_pulled_image_keeps_its_manifest_wherever_it_goes() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = Image::new("pulled", &tars());
    let below = repository.put_image(None, &image);
    let platform = oci::Platform::host();
    let entry = json!({ "mediaType": media_type::OCI_MANIFEST, "digest": below, "size": image.manifest().len(), "platform": platform });
    let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [entry] }).to_string();
    repository.put_document(Some("latest"), media_type::OCI_INDEX, index.into_bytes());
    let id = checked.pull(&repository, "app").unwrap().id;
    checked.store.set_reference(&reference("other.example/copy:v1"), id).unwrap();
    let other = Repository::default();
    assert_eq!(checked.push(&other, "other.example/copy:v1").unwrap().digest, below);
    assert_eq!(lock(&other.manifests)[&below].bytes, image.manifest());
    assert_eq!(lock(&other.manifests)[&below].media_type, media_type::OCI_MANIFEST);
}

#[test]
fn layers_of_the_base_go_as_they_came() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let base = Image::new("base", &tars()[..2]);
    repository.put_image(Some("latest"), &base);
    checked.pull(&repository, "base").unwrap();
    let derived = Image { config: config("derived", &tars(), "amd64"), blobs: Vec::new() };
    checked.load(&derived, &tars()[2..], "other.example/derived:latest");
    let other = Repository::default();
    let pushed = checked.push(&other, "other.example/derived").unwrap();
    let written = manifest(&other, pushed.digest);
    assert_eq!([written.layers[0].digest, written.layers[1].digest], [base.blob(0), base.blob(1)]);
    let types: Vec<&str> = written.layers.iter().map(|layer| layer.media_type.as_str()).collect();
    let oci = [media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER_ZSTD, media_type::OCI_LAYER_GZIP];
    assert_eq!(types, oci, "with a layer of zstd it speaks OCI");
    assert_eq!(written.media_type.as_deref(), Some(media_type::OCI_MANIFEST));
    assert_eq!(checked.push(&other, "other.example/derived").unwrap(), pushed);
}

#[test]
fn what_a_registry_has_lost_is_sent_again() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = local(&checked, "app");
    let first = checked.push(&repository, "app").unwrap();
    lock(&repository.blobs).clear();
    lock(&repository.tags).clear();
    assert_eq!(checked.push(&repository, "app").unwrap(), first);
    assert_eq!(lock(&repository.blobs).len(), 4);
    // The same when the blobs are no longer kept here either.
    lock(&repository.blobs).clear();
    lock(&repository.tags).clear();
    for (digest, _) in checked.store.blobs().unwrap() {
        checked.store.remove_blob(digest).unwrap();
    }
    checked.push(&repository, "app").unwrap();
    let other = Checked::new();
    assert_eq!(other.pull(&repository, "app").unwrap().id, image.id());
}

#[test]
fn a_torn_blob_is_made_again() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = local(&checked, "app");
    let first = checked.push(&repository, "app").unwrap();
    let torn = manifest(&repository, first.digest).layers[1].digest;
    let path = checked.path().join("blobs").join(torn.hex());
    let size = path.metadata().unwrap().len();
    std::fs::write(&path, vec![0; usize::try_from(size).unwrap()]).unwrap();
    checked.store.set_reference(&reference("other.example/app:latest"), image.id()).unwrap();
    let other = Repository::default();
    assert_eq!(checked.push(&other, "other.example/app").unwrap(), first, "the same bytes come of it");
}

#[test]
fn one_layer_many_times_is_sent_once() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let tars = vec![layer("same", 10_000); 8];
    let image = Image { config: config("same", &tars, "amd64"), blobs: Vec::new() };
    checked.load(&image, &tars[..1], "app:latest");
    let pushed = checked.push(&repository, "app").unwrap();
    assert_eq!(manifest(&repository, pushed.digest).layers.len(), 8);
    assert_eq!(kinds(&repository.take_requests()), ["UPLOAD", "UPLOAD", "PUT"]);
}

#[test]
fn an_image_without_layers_goes_too() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let image = Image { config: config("empty", &[], "amd64"), blobs: Vec::new() };
    checked.load(&image, &[], "app:latest");
    checked.push(&repository, "app").unwrap();
    assert_eq!(Checked::new().pull(&repository, "app").unwrap().id, image.id());
}

#[test]
fn what_is_refused_leaves_no_name() {
    let (checked, repository) = (Checked::new(), Repository::default());
    local(&checked, "app");
    *lock(&repository.is_closed) = true;
    let error = checked.push(&repository, "app").unwrap_err();
    assert_eq!(text(&error), "cannot write the manifest of tag `latest`: denied");
    let names: HashMap<_, _> = checked.store.references().unwrap().into_iter().collect();
    assert!(names.keys().all(|name| name.digest().is_none()));
}
