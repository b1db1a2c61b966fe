//! What is fetched, what is not, and what becomes of it.

use std::sync::Mutex;

use image::transfer::{LayerState, PullEvent, PullRequest, pull};
use oci::{Descriptor, Digest, Platform, media_type};
use serde_json::{Value, json};
use testkit::TarWriter;

use crate::repository::{Checked, Fault, Image, Repository, config, gzip, layer, lock, manifest, reference, text};

fn three() -> Image {
    Image::new("three", &[layer("one", 90_000), layer("two", 60_000), layer("three", 30_000)])
}

#[test]
fn s024_an_image_comes_with_its_tag_and_its_digest() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), three());
    let digest = repository.put_image(Some("v1"), &image);
    let pulled = checked.pull(&repository, "registry.example/app:v1").unwrap();
    assert_eq!((pulled.id, pulled.digest, pulled.is_new), (image.id(), digest, true));
    let names: Vec<String> = checked.store.references().unwrap().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["registry.example/app:v1".to_owned(), format!("registry.example/app@{digest}")]);
    assert_eq!(checked.store.document(digest).unwrap().unwrap(), image.manifest());
    // Compressed layers are kept as they came; of an uncompressed one the layer itself is that.
    let mut blobs: Vec<Digest> = checked.store.blobs().unwrap().into_iter().map(|(digest, _)| digest).collect();
    let mut expected = vec![digest, image.blob(0), image.blob(1)];
    blobs.sort();
    expected.sort();
    assert_eq!(blobs, expected);
    assert_eq!(checked.store.partial_blobs().unwrap(), []);
    let record =
        std::fs::read(checked.path().join("transports").join(Digest::of(&layer("one", 90_000)).hex())).unwrap();
    let size = image.blobs[0].0.len();
    let expected = json!([{ "mediaType": media_type::OCI_LAYER_GZIP, "digest": image.blob(0), "size": size,
        "repositories": ["registry.example/app"] }]);
    assert_eq!(serde_json::from_slice::<Value>(&record).unwrap(), expected);
}

#[test]
fn s025_an_unchanged_image_costs_one_request_and_no_write() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), three());
    repository.put_image(Some("latest"), &image);
    checked.pull(&repository, "app").unwrap();
    repository.take_requests();
    let before = times(&checked);
    assert!(!checked.pull(&repository, "app").unwrap().is_new);
    assert_eq!(repository.take_requests(), ["HEAD latest"]);
    assert_eq!(times(&checked), before);
}

/// Every file and folder of a store with the time of its last change.
fn times(checked: &Checked) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    let mut all = Vec::new();
    let mut waiting = vec![checked.path()];
    while let Some(path) = waiting.pop() {
        let found = path.metadata().unwrap();
        all.push((path.clone(), found.modified().unwrap()));
        if found.is_dir() {
            waiting.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    all.sort();
    all
}

#[test]
fn s025_a_tag_that_moved_is_newer_and_the_old_image_keeps_its_digest() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let old = repository.put_image(Some("latest"), &three());
    let first = checked.pull(&repository, "app").unwrap();
    let next = Image::new("next", &[layer("one", 90_000), layer("other", 10_000)]);
    repository.put_image(Some("latest"), &next);
    repository.take_requests();
    let second = checked.pull(&repository, "app").unwrap();
    assert!(second.is_new && second.id == next.id());
    let digest = reference("app").with_only_digest(old);
    assert_eq!(checked.store.reference(&digest).unwrap(), Some(first.id));
    let requests = repository.take_requests();
    assert!(!requests.iter().any(|request| request.contains(&next.blob(0).hex())), "S027: {requests:?}");
}

#[test]
fn s023_s027_layers_are_reported_in_their_order_and_what_is_there_is_not_fetched() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let base = Image::new("base", &[layer("one", 90_000)]);
    repository.put_image(Some("base"), &base);
    checked.pull(&repository, "app:base").unwrap();
    let image = three();
    repository.put_image(Some("latest"), &image);
    let events = Mutex::new(Vec::new());
    checked.pull_with(&repository, "app", &|event| lock(&events).push(event)).unwrap();
    let events = events.into_inner().unwrap();
    assert_eq!(events[0], PullEvent::Found);
    assert_eq!(events[1], PullEvent::Layers((0..3).map(|number| image.blob(number)).collect()));
    let of = |wanted: usize| -> Vec<LayerState> {
        let states = events.iter().filter_map(|event| match event {
            PullEvent::Layer { number, state } if *number == wanted => Some(*state),
            _ => None,
        });
        states
            .filter(|state| !matches!(state, LayerState::Downloading { .. } | LayerState::Extracting { .. }))
            .collect()
    };
    assert_eq!(of(0), [LayerState::AlreadyExists]);
    for number in [1, 2] {
        let usual = [LayerState::Queued, LayerState::Verifying, LayerState::Downloaded, LayerState::Complete];
        assert_eq!(of(number), usual);
    }
    let complete: Vec<usize> = events
        .iter()
        .filter_map(|event| match event {
            PullEvent::Layer { number, state: LayerState::Complete } => Some(*number),
            _ => None,
        })
        .collect();
    assert_eq!(complete, [1, 2]);
    assert!(
        !repository
            .take_requests()
            .iter()
            .filter(|text| text.starts_with("BLOB"))
            .skip(2)
            .any(|text| text.contains(&image.blob(0).hex()))
    );
}

/// Layers that need those below them: a folder that is not listed, and a link into the layer below.
#[test]
fn layers_that_need_those_below_come_at_the_same_time() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let mut lower = TarWriter::default();
    lower.folder("etc", 0o700).file("etc/name", 0o644, b"lower\n").file("large", 0o644, &[7; 40_000]);
    let mut implying = TarWriter::default();
    implying.file("etc/other", 0o600, b"upper\n");
    let mut linking = TarWriter::default();
    linking.hard_link("again", "large").file("after", 0o644, &[9; 3000]);
    let image = Image::new("based", &[lower.finish(), implying.finish(), linking.finish()]);
    repository.put_image(Some("latest"), &image);
    let id = checked.pull(&repository, "app").unwrap().id;
    let config = checked.store.image(id).unwrap();
    let tree = image::Stack::open(&checked.store, &config.rootfs.diff_ids).unwrap().tree();
    let folder = tree.lookup(b"etc").unwrap().unwrap();
    assert_eq!(tree.entry(&folder, b"etc").unwrap().metadata.mode & 0o777, 0o700);
    let mut content = Vec::new();
    let linked = tree.lookup(b"again").unwrap().unwrap();
    std::io::Read::read_to_end(&mut tree.open(&linked).unwrap(), &mut content).unwrap();
    assert_eq!(content, [7; 40_000]);
    // The same tars below others are indexed for those.
    let other = Image::new("other", &[layer("one", 100), layer("two", 100)]);
    repository.put_image(Some("other"), &other);
    checked.pull(&repository, "app:other").unwrap();
}

#[test]
fn one_layer_many_times_is_fetched_once() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let tar = layer("same", 20_000);
    let blob = (gzip(&tar), media_type::OCI_LAYER_GZIP);
    let tars = vec![tar; 6];
    let image = Image { config: config("same", &tars, "amd64"), blobs: vec![blob; 6] };
    repository.put_image(Some("latest"), &image);
    checked.pull(&repository, "app").unwrap();
    let requests = repository.take_requests();
    assert_eq!(requests.iter().filter(|text| text.contains(&image.blob(0).hex())).count(), 1, "{requests:?}");
}

#[test]
fn c011_n041_a_cut_pull_goes_on_where_it_ended() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), three());
    repository.put_image(Some("latest"), &image);
    repository.misbehave(image.blob(0), &[Fault::Cut(10_000), Fault::Cut(7_000)]);
    for there in [10_000, 17_000] {
        let error = checked.pull(&repository, "app").unwrap_err();
        assert!(text(&error).contains(&format!("{there} of {} bytes came", image.blobs[0].0.len())), "{error:?}");
        assert_eq!(checked.store.image_ids().unwrap(), []);
        assert_eq!(
            checked.store.partial_blobs().unwrap().iter().find(|(digest, _)| *digest == image.blob(0)).unwrap().1,
            there
        );
    }
    repository.take_requests();
    checked.pull(&repository, "app").unwrap();
    assert!(repository.take_requests().contains(&format!("BLOB {} 17000", image.blob(0))));
    let total: usize = image.blobs.iter().map(|(bytes, _)| bytes.len()).sum();
    let documents = 3 * image.config.len();
    assert!(*lock(&repository.sent) <= (total + documents) as u64, "not a byte twice");
    assert_eq!(checked.store.partial_blobs().unwrap(), []);
}

#[test]
fn n041_finished_layers_outlive_a_failed_pull() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), three());
    repository.put_image(Some("latest"), &image);
    repository.misbehave(image.blob(2), &[Fault::Cut(0); 3]);
    // One of the three fails at once; the others may have been stopped at any point.
    checked.pull(&repository, "app").unwrap_err();
    checked.pull(&repository, "app").unwrap_err();
    checked.pull(&repository, "app").unwrap_err();
    checked.pull(&repository, "app").unwrap();
    let total: usize = image.blobs.iter().map(|(bytes, _)| bytes.len()).sum();
    assert!(*lock(&repository.sent) <= (total + 4 * image.config.len()) as u64, "not a byte twice");
}

#[test]
fn n041_a_torn_beginning_is_fetched_again() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), three());
    repository.put_image(Some("latest"), &image);
    for (number, torn) in [(0, vec![0; 5_000]), (1, vec![1; 500_000])] {
        std::fs::write(checked.path().join("partial").join(image.blob(number).hex()), torn).unwrap();
    }
    std::fs::write(checked.path().join("blobs").join(image.blob(2).hex()), "torn").unwrap();
    checked.pull(&repository, "app").unwrap();
    assert_eq!(checked.store.partial_blobs().unwrap(), []);
}

#[test]
fn a_whole_blob_is_not_fetched_again() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), three());
    repository.put_image(Some("latest"), &image);
    for number in 0..3 {
        std::fs::write(checked.path().join("blobs").join(image.blob(number).hex()), &image.blobs[number].0).unwrap();
    }
    checked.pull(&repository, "app").unwrap();
    assert_eq!(*lock(&repository.sent), image.config.len() as u64);
}

#[test]
fn two_pulls_at_once_fetch_each_blob_once() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), three());
    repository.put_image(Some("latest"), &image);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Each with its own descriptors, as processes have.
                let store = store::Store::open(&checked.path()).unwrap();
                let request = PullRequest { reference: reference("app"), platform: None };
                pull(&store, &repository, &request, &|_| {}).unwrap();
            });
        }
    });
    let requests = repository.take_requests();
    for number in 0..3 {
        let count = requests.iter().filter(|text| text.contains(&image.blob(number).hex())).count();
        assert_eq!(count, 1, "{requests:?}");
    }
}

/// An index of images for several platforms, with an attestation.
fn index(repository: &Repository) -> (Digest, Vec<(Image, &'static str)>) {
    let mut entries =
        vec![json!({ "mediaType": media_type::OCI_MANIFEST, "digest": Digest::of(b"attestation"), "size": 11,
        "platform": { "os": "unknown", "architecture": "unknown" },
        "annotations": { "vnd.docker.reference.type": "attestation-manifest" } })];
    let mut images = Vec::new();
    for (architecture, variant) in [("arm64", None), ("amd64", None), ("arm", Some("v6")), ("arm", Some("v7"))] {
        let name = format!("{architecture}{}", variant.unwrap_or_default());
        let tars = [layer(&name, 2_000)];
        let mut image = Image::new(&name, &tars);
        image.config = config(&name, &tars, architecture);
        let digest = repository.put_image(None, &image);
        let mut platform = json!({ "os": "linux", "architecture": architecture });
        if let Some(variant) = variant {
            platform["variant"] = json!(variant);
        }
        let size = image.manifest().len();
        entries.push(
            json!({ "mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": size, "platform": platform }),
        );
        images.push((image, architecture));
    }
    let bytes = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries }).to_string();
    (repository.put_document(Some("latest"), media_type::OCI_INDEX, bytes.into_bytes()), images)
}

#[test]
fn s024_the_digest_is_that_of_the_index_and_the_image_the_one_for_this_machine() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let (digest, images) = index(&repository);
    let pulled = checked.pull(&repository, "app").unwrap();
    assert_eq!(pulled.digest, digest);
    let host = Platform::host().architecture;
    let (expected, _) = images.iter().find(|(_, architecture)| *architecture == host).unwrap();
    assert_eq!(pulled.id, expected.id());
    assert!(checked.store.document(digest).unwrap().is_some());
    assert!(checked.store.document(Digest::of(&expected.manifest())).unwrap().is_some());
    repository.take_requests();
    assert!(!checked.pull(&repository, "app").unwrap().is_new);
    assert_eq!(repository.take_requests().len(), 1);
}

#[test]
fn c011_another_platform_is_pulled_when_asked_for() {
    let (checked, repository) = (Checked::new(), Repository::default());
    let (digest, images) = index(&repository);
    checked.pull(&repository, "app").unwrap();
    for (number, platform) in [(0, "linux/arm64"), (2, "linux/arm/v6"), (3, "linux/arm/v7"), (1, "linux/amd64")] {
        let request = PullRequest { reference: reference("app"), platform: Some(platform.parse().unwrap()) };
        let pulled = pull(&checked.store, &repository, &request, &|_| {}).unwrap();
        assert_eq!((pulled.id, pulled.digest), (images[number].0.id(), digest), "{platform}");
    }
    let request = PullRequest { reference: reference("app"), platform: Some("linux/s390x".parse().unwrap()) };
    let error = pull(&checked.store, &repository, &request, &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), "no matching manifest for linux/s390x in the manifest list entries");
    // One image alone is what it is.
    repository.put_image(Some("one"), &three());
    let request = PullRequest { reference: reference("app:one"), platform: Some("linux/s390x".parse().unwrap()) };
    let pulled = pull(&checked.store, &repository, &request, &|_| {}).unwrap();
    assert_eq!(pulled.other_platform.unwrap().to_string(), "linux/amd64");
}

#[test]
fn c010_by_digest_it_has_that_name_alone() {
    let (checked, repository, image) = (Checked::new(), Repository::default(), three());
    let digest = repository.put_image(None, &image);
    let name = format!("app:ignored@{digest}");
    assert!(checked.pull(&repository, &name).unwrap().is_new);
    let names: Vec<String> = checked.store.references().unwrap().iter().map(|(name, _)| name.familiar()).collect();
    assert_eq!(names, [format!("app@{digest}")]);
    repository.take_requests();
    assert!(!checked.pull(&repository, &name).unwrap().is_new);
    assert!(repository.take_requests().is_empty(), "what a digest stands for cannot change");
}

#[test]
fn dockers_media_types_and_documents_without_one_are_read() {
    let (checked, repository) = (Checked::new(), Repository::default());
    for (tag, own, config_type, layer_type) in [
        ("docker", media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG, media_type::DOCKER_LAYER_GZIP),
        ("octets", media_type::DOCKER_MANIFEST, "application/octet-stream", media_type::DOCKER_LAYER_GZIP),
        ("silent", "", media_type::OCI_CONFIG, media_type::OCI_LAYER_GZIP),
    ] {
        let image = Image::new(tag, &[layer(tag, 3_000)]);
        repository.put_image(None, &image);
        let layers = [json!(Descriptor::of(layer_type, &image.blobs[0].0))];
        let bytes = manifest(&Descriptor::of(config_type, &image.config), &layers);
        let mut document: Value = serde_json::from_slice(&bytes).unwrap();
        match own {
            "" => drop(document.as_object_mut().unwrap().remove("mediaType")),
            own => document["mediaType"] = json!(own),
        }
        let sent_as = if own.is_empty() { "application/vnd.oci.image.manifest.v1+json; charset=utf-8" } else { own };
        repository.put_document(Some(tag), sent_as, document.to_string().into_bytes());
        assert_eq!(checked.pull(&repository, &format!("app:{tag}")).unwrap().id, image.id());
    }
}
