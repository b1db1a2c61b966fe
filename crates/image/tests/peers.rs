//! Archives from and to the tools that people have: skopeo, podman and Docker. Each has a store of its own here.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "made for the tests of archives, which use the rest")]
#[path = "archive/forge.rs"]
mod forge;

use std::fs::File;
use std::path::Path;
use std::process::Command;

use forge::{Image, files, lower, put, references, sample, store};
use image::archive::{self, Annotations, MediaTypes, ShipOptions, ShippedImage, Target};
use layer::Encoding;
use oci::{Digest, ImageId, Platform};
use store::Store;
use testkit::{Dockerd, peers};

/// Two images that share a layer, one with two names and one with none.
fn saved(store: &Store, path: &Path) -> (ImageId, ImageId) {
    let one = put(store, &sample(), &[]);
    let two = put(store, &Image::new("two", vec![lower()]), &[]);
    let images = [(one, references(&["localhost/sample:v1", "localhost/again:latest"])), (two, Vec::new())];
    archive::save(store, &images, &mut File::create(path).unwrap()).unwrap();
    (one, two)
}

fn saved_alone(store: &Store, path: &Path) -> ImageId {
    let id = put(store, &sample(), &[]);
    archive::save(store, &[(id, references(&["localhost/sample:v1"]))], &mut File::create(path).unwrap()).unwrap();
    id
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    output.stdout
}

/// The ID of an archive's image as skopeo sees it.
fn config_digest(source: &str) -> ImageId {
    ImageId(Digest::of(&run(Command::new("skopeo").args(["inspect", "--raw", "--config", source]))))
}

fn text(command: &mut Command) -> String {
    String::from_utf8(run(command)).unwrap()
}

/// Loads an archive into a fresh store, as a file and as a pipe would give it; the images must have these files.
fn load_both_ways(path: &Path, expected: &[ImageId], like: &Store) {
    for is_stream in [false, true] {
        let (_folder, store) = store();
        let file = File::open(path).unwrap();
        let loaded =
            if is_stream { archive::load(&store, file, None) } else { archive::load_file(&store, file, None) }.unwrap();
        // `docker save` writes images in an order of its own, another one each time.
        let mut ids: Vec<ImageId> = loaded.iter().map(|loaded| loaded.id).collect();
        let mut expected = expected.to_vec();
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected, "{} as a stream: {is_stream}", path.display());
        for id in ids {
            assert_eq!(files(&store, id), files(like, id));
        }
    }
}

#[test]
#[ignore = "requires skopeo"]
fn skopeo_reads_and_writes_the_same_images() {
    let (folder, store) = store();
    let path = folder.path().join("saved.tar");
    let id = saved_alone(&store, &path);
    let path = path.to_str().unwrap();
    for source in [format!("docker-archive:{path}:localhost/sample:v1"), format!("oci-archive:{path}")] {
        assert_eq!(config_digest(&source), id, "{source}");
        let described: serde_json::Value =
            serde_json::from_slice(&run(Command::new("skopeo").args(["inspect", &source]))).unwrap();
        assert_eq!(described["Layers"].as_array().unwrap().len(), 2, "{source}: {described}");
        // Reading every blob is what copying adds.
        let target = folder.path().join("copied");
        run(Command::new("skopeo").args(["copy", "-q", &source, &format!("dir:{}", target.display())]));
    }
    let docker = folder.path().join("docker.tar");
    let oci = folder.path().join("oci.tar");
    let source = format!("docker-archive:{path}");
    let copy = |target: String| run(Command::new("skopeo").args(["copy", "-q", &source, &target]));
    copy(format!("docker-archive:{}:localhost/sample:v1", docker.display()));
    load_both_ways(&docker, &[id], &store);
    let source = format!("oci-archive:{path}");
    run(Command::new("skopeo").args([
        "copy",
        "-q",
        &source,
        &format!("oci-archive:{}:localhost/sample:v1", oci.display()),
    ]));
    load_both_ways(&oci, &[id], &store);
}

#[test]
#[ignore = "requires podman"]
fn podman_loads_and_saves_the_same_images() {
    let (folder, store) = store();
    let path = folder.path().join("saved.tar");
    let (one, two) = saved(&store, &path);
    let home = folder.path().join("podman");
    let podman = || peers::podman(&home).unwrap();
    let said = text(podman().arg("load").arg("-i").arg(&path));
    assert!(said.contains("localhost/sample:v1"), "{said}");
    let listed = text(podman().args(["images", "--all", "--no-trunc", "-q"]));
    for id in [one, two] {
        assert!(listed.contains(&id.to_string()), "{id} is not in {listed}");
    }
    for format in ["docker-archive", "oci-archive"] {
        let back = folder.path().join(format);
        run(podman().args(["save", "-q", "--format", format, "-o"]).arg(&back).arg("localhost/sample:v1"));
        // podman itself rewrites configs for OCI; what counts is that we read the same out of its archive as skopeo.
        let expected = config_digest(&format!("{format}:{}", back.display()));
        assert!(format == "oci-archive" || expected == one, "{expected}");
        let (_folder, fresh) = forge::store();
        let loaded = archive::load_file(&fresh, File::open(&back).unwrap(), None).unwrap();
        assert_eq!(loaded[0].id, expected);
        assert_eq!(files(&fresh, expected), files(&store, one), "{format}");
        assert_eq!(loaded[0].references, references(&["localhost/sample:v1"]), "{format}");
    }
    let several = folder.path().join("several");
    run(podman().args(["save", "-q", "-m", "-o"]).arg(&several).args(["localhost/sample:v1", &two.to_string()]));
    load_both_ways(&several, &[one, two], &store);
    peers::release_storage(&home);
}

#[test]
#[ignore = "requires docker"]
fn docker_loads_and_saves_the_same_images() {
    let (folder, store) = store();
    let path = folder.path().join("saved.tar");
    let (one, two) = saved(&store, &path);
    let daemon = Dockerd::start(&folder.path().join("docker")).unwrap().unwrap();
    let said = text(daemon.docker().arg("load").arg("-i").arg(&path));
    assert!(said.contains("Loaded image: localhost/sample:v1"), "{said}");
    assert!(said.contains("Loaded image: localhost/again:latest"), "{said}");
    assert!(said.contains(&format!("Loaded image ID: {two}")), "{said}");
    let listed = text(daemon.docker().args(["images", "--no-trunc", "-q"]));
    assert!(listed.contains(&one.to_string()), "{one} is not in {listed}");
    let back = folder.path().join("back.tar");
    run(daemon.docker().args(["save", "-o"]).arg(&back).args(["localhost/sample:v1", &two.to_string()]));
    load_both_ways(&back, &[one, two], &store);
    let imported = folder.path().join("files.tar");
    std::fs::write(&imported, lower()).unwrap();
    let id = text(daemon.docker().arg("import").arg(&imported));
    let back = folder.path().join("imported.tar");
    run(daemon.docker().args(["save", "-o"]).arg(&back).arg(id.trim()));
    let (_folder, fresh) = forge::store();
    assert_eq!(archive::load_file(&fresh, File::open(&back).unwrap(), None).unwrap()[0].id.to_string(), id.trim());
}

/// Every form of archive that a build writes.
fn shipped(store: &Store, folder: &Path) -> Vec<(String, std::path::PathBuf)> {
    let image = sample();
    put(store, &Image::new("only for its layers", image.layers.clone()), &[]);
    let config = serde_json::from_slice(&image.config).unwrap();
    let image = ShippedImage { config, config_bytes: image.config, platform: Platform::host() };
    let mut all = Vec::new();
    for (name, encoding) in [
        ("plain", Encoding::Uncompressed),
        ("gzip", Encoding::Gzip { level: 6 }),
        ("zstd", Encoding::Zstd { level: 3 }),
    ] {
        for (kind, media_types, for_docker) in
            [("oci", MediaTypes::Oci, false), ("docker", MediaTypes::Docker, true), ("both", MediaTypes::Oci, true)]
        {
            let options = ShipOptions {
                names: references(&["localhost/sample:v1"]),
                encoding,
                threads: 2,
                media_types,
                annotations: Annotations::default(),
                is_index: false,
                for_docker,
            };
            let path = folder.join(format!("{kind}-{name}.tar"));
            let file = File::create(&path).unwrap();
            archive::ship(store, std::slice::from_ref(&image), &options, Target::Tar(&file)).unwrap();
            all.push((format!("{kind}-{name}"), path));
        }
    }
    all
}

#[test]
#[ignore = "requires skopeo"]
fn b054_b055_skopeo_reads_archives_of_builds() {
    let (folder, store) = store();
    // Docker's schema 2 says nothing of zstd.
    for (name, path) in shipped(&store, folder.path()).into_iter().filter(|(name, _)| name != "docker-zstd") {
        let path = path.to_str().unwrap();
        let mut sources = vec![format!("oci-archive:{path}")];
        // The older form of archive knows layers that are plain or gzip only.
        if !name.starts_with("oci") && !name.ends_with("zstd") {
            sources.push(format!("docker-archive:{path}"));
        }
        for source in sources {
            assert_eq!(config_digest(&source), sample().id(), "{source}");
            let target = folder.path().join("copied");
            run(Command::new("skopeo").args(["copy", "-q", &source, &format!("dir:{}", target.display())]));
        }
    }
}

#[test]
#[ignore = "requires docker"]
fn b054_b055_docker_loads_archives_of_builds() {
    let (folder, store) = store();
    let daemon = Dockerd::start(&folder.path().join("docker")).unwrap().unwrap();
    // Docker 20.10, which Debian 12 has, knows no zstd and nothing of OCI layouts.
    let is_old = |name: &str| name.ends_with("zstd") || name.starts_with("oci");
    for (name, path) in shipped(&store, folder.path()).into_iter().filter(|(name, _)| !is_old(name)) {
        let loaded = daemon.docker().arg("load").arg("-i").arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&[loaded.stdout, loaded.stderr].concat()).into_owned();
        assert!(said.contains("Loaded image: localhost/sample:v1"), "{name}: {said}");
        let id = text(daemon.docker().args(["images", "--no-trunc", "-q", "localhost/sample:v1"]));
        assert_eq!(id.trim(), sample().id().to_string(), "{name}");
        run(daemon.docker().args(["rmi", "localhost/sample:v1"]));
    }
}
