//! A cache's folder is hostile: whatever is in it, the image is what the Dockerfile says, and the store stays whole (B073).

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};

use builder::{CacheImport, CacheMode};
use oci::Digest;
use serde_json::{Value, json};

use crate::cache_folder::{elsewhere, export, from, outcomes, to};
use crate::kitchen::Kitchen;

const DOCKERFILE: &str = "FROM base\nCOPY a /a\nRUN write /b 1\nRUN write /c 1\n";

/// The documents of a cache, for changing them and putting them back with digests that are right.
struct Documents {
    folder: PathBuf,
    manifest: Value,
    document: Value,
}

impl Documents {
    fn read(folder: &Path) -> Self {
        let json = |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let index = json(folder.join("index.json"));
        let manifest = json(blob(folder, &index["manifests"][0]["digest"]));
        let document = json(blob(folder, &manifest["config"]["digest"]));
        Self { folder: folder.to_owned(), manifest, document }
    }

    fn put(&self, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(self.folder.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": "x", "digest": digest.to_string(), "size": bytes.len()})
    }

    fn write(mut self) {
        let document = self.put(self.document.to_string().as_bytes());
        self.manifest["config"]["digest"] = document["digest"].clone();
        self.manifest["config"]["size"] = document["size"].clone();
        let mut manifest = self.put(self.manifest.to_string().as_bytes());
        manifest["mediaType"] = json!("application/vnd.oci.image.manifest.v1+json");
        manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        fs::write(self.folder.join("index.json"), index.to_string()).unwrap();
    }

    fn layer_entry(&mut self) -> &mut Value {
        let place = self.place();
        &mut self.document["layers"][place]
    }

    /// The blob of the step that wrote `/b`.
    fn layer(&self) -> PathBuf {
        blob(&self.folder, &self.document["layers"][self.place()]["blob"]["digest"])
    }

    /// Where that layer stands: its step is the second one.
    fn place(&self) -> usize {
        let layers = self.document["layers"].as_array().unwrap();
        layers.iter().position(|layer| layer["diffId"] == json!(SECOND.with(|second| second.borrow().clone()))).unwrap()
    }
}

thread_local! {
    static SECOND: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

fn blob(folder: &Path, digest: &Value) -> PathBuf {
    folder.join("blobs/sha256").join(digest.as_str().unwrap().trim_start_matches("sha256:"))
}

/// Changes the documents.
fn edit(folder: &Path, change: impl FnOnce(&mut Documents)) {
    let mut documents = Documents::read(folder);
    change(&mut documents);
    documents.write();
}

/// What is done to the folder, what is said of it, and what is found then.
type Damage = (&'static str, fn(&Path), &'static str, &'static str);

fn index(folder: &Path) -> PathBuf {
    folder.join("index.json")
}

fn to_the_folder() -> Vec<Damage> {
    vec![
        ("nothing in it", |f| fs::remove_file(index(f)).unwrap(), "no cache called `latest`", "miss miss miss"),
        ("index cut off", |f| fs::write(index(f), "{\"schema").unwrap(), "index.json: EOF", "miss miss miss"),
        ("index of nothing", |f| fs::write(index(f), "[]").unwrap(), "index.json: ", "miss miss miss"),
        (
            "index is a link",
            |f| {
                fs::rename(index(f), f.with_extension("index")).unwrap();
                symlink(f.with_extension("index"), index(f)).unwrap();
            },
            "index.json is a link",
            "miss miss miss",
        ),
        (
            "index is a pipe",
            |f| {
                fs::remove_file(index(f)).unwrap();
                rustix::fs::mknodat(rustix::fs::CWD, index(f), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
                    .unwrap();
            },
            "index.json is not a regular file",
            "miss miss miss",
        ),
        (
            "index without end",
            |f| fs::File::create(index(f)).unwrap().set_len(1 << 40).unwrap(),
            "index.json is longer than",
            "miss miss miss",
        ),
        (
            "blobs are a link",
            |f| {
                fs::rename(f.join("blobs"), f.with_extension("blobs")).unwrap();
                symlink(f.with_extension("blobs"), f.join("blobs")).unwrap();
            },
            "is a link, or behind one",
            "miss miss miss",
        ),
        (
            "digest that is a path",
            |f| {
                let text = fs::read_to_string(index(f)).unwrap();
                let digest = Documents::read(f).put(b"")["digest"].clone();
                let old: Value = serde_json::from_str(&text).unwrap();
                let old = old["manifests"][0]["digest"].as_str().unwrap().to_owned();
                assert!(digest.is_string());
                fs::write(index(f), text.replace(&old, "sha256:../../../../etc/passwd")).unwrap();
            },
            "index.json: ",
            "miss miss miss",
        ),
    ]
}

fn manifest(folder: &Path) -> PathBuf {
    let index: Value = serde_json::from_slice(&fs::read(index(folder)).unwrap()).unwrap();
    blob(folder, &index["manifests"][0]["digest"])
}

fn config(folder: &Path) -> PathBuf {
    blob(folder, &Documents::read(folder).manifest["config"]["digest"])
}

fn flip(path: &Path) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let place = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 1], place).unwrap();
}

fn cut(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
}

fn to_the_documents() -> Vec<Damage> {
    vec![
        ("no manifest", |f| fs::remove_file(manifest(f)).unwrap(), "No such file", "miss miss miss"),
        ("manifest flipped", |f| flip(&manifest(f)), "is damaged: its content has another digest", "miss miss miss"),
        ("manifest cut off", |f| cut(&manifest(f)), "is damaged", "miss miss miss"),
        ("document flipped", |f| flip(&config(f)), "is damaged", "miss miss miss"),
        ("document cut off", |f| cut(&config(f)), "is damaged", "miss miss miss"),
        (
            "document without end",
            |f| fs::File::create(config(f)).unwrap().set_len(1 << 40).unwrap(),
            "is longer than",
            "miss miss miss",
        ),
        (
            "BuildKit's",
            |f| edit(f, |d| d.manifest["config"]["mediaType"] = json!("application/vnd.buildkit.cacheconfig.v0")),
            "BuildKit wrote it",
            "miss miss miss",
        ),
        (
            "an image",
            |f| edit(f, |d| d.manifest["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json")),
            "is no cache of this program",
            "miss miss miss",
        ),
        (
            "an index",
            |f| edit(f, |d| d.manifest["mediaType"] = json!("application/vnd.oci.image.index.v1+json")),
            "is no cache of this program",
            "miss miss miss",
        ),
        ("more than is known", |f| edit(f, |d| d.document["new"] = json!(1)), "unknown field", "miss miss miss"),
        (
            "time that is none",
            |f| edit(f, |d| d.document["steps"][0]["created"] = json!("yesterday\n")),
            "is not a time",
            "miss miss miss",
        ),
        (
            "blob without end",
            |f| edit(f, |d| d.layer_entry()["blob"]["size"] = json!(1u64 << 40)),
            "is longer than its tar",
            "miss miss miss",
        ),
        (
            "step twice",
            |f| {
                edit(f, |d| {
                    let step = d.document["steps"][0].clone();
                    d.document["steps"].as_array_mut().unwrap().push(step);
                });
            },
            "is in it twice",
            "miss miss miss",
        ),
    ]
}

/// A layer is looked at when it is needed, and its step runs if it is not what it should be.
fn to_a_layer() -> Vec<Damage> {
    vec![
        ("no layer", |f| fs::remove_file(Documents::read(f).layer()).unwrap(), "No such file", "hit miss hit"),
        ("layer cut off", |f| cut(&Documents::read(f).layer()), "bytes, not", "hit miss hit"),
        ("layer flipped", |f| flip(&Documents::read(f).layer()), "cannot give a layer", "hit miss hit"),
        (
            "layer is a link",
            |f| {
                let layer = Documents::read(f).layer();
                fs::rename(&layer, f.with_extension("layer")).unwrap();
                symlink(f.with_extension("layer"), layer).unwrap();
            },
            "is a link",
            "hit miss hit",
        ),
        (
            "another layer in its place",
            |f| {
                edit(f, |d| {
                    let place = d.place();
                    let other = d.document["layers"][(place + 1) % 3]["blob"].clone();
                    d.document["layers"][place]["blob"] = other;
                });
            },
            "digest",
            "hit miss hit",
        ),
        (
            "tar shorter than it is said to be",
            |f| edit(f, |d| d.layer_entry()["size"] = json!(1u64 << 50)),
            "has no room here",
            "hit miss hit",
        ),
        (
            "tar longer than it is said to be",
            |f| edit(f, |d| d.layer_entry()["size"] = json!(512)),
            "cannot give a layer",
            "hit miss hit",
        ),
        (
            "a small blob of very many zeros",
            |f| {
                edit(f, |d| {
                    let zeros = tempfile::tempfile().unwrap();
                    zeros.set_len(64 << 20).unwrap();
                    let mut bomb = Vec::new();
                    layer::encode(&zeros, 64 << 20, layer::Encoding::Gzip { level: 9 }, 1, &mut bomb).unwrap();
                    let blob = d.put(&bomb);
                    d.layer_entry()["blob"] = blob;
                });
            },
            "digest",
            "hit miss hit",
        ),
        (
            "a blob that is no tar",
            |f| {
                edit(f, |d| {
                    d.layer_entry()["blob"] = d.put(b"#!/bin/sh\nrm -rf /\n");
                });
            },
            "cannot give a layer",
            "hit miss hit",
        ),
        (
            "a layer that nothing holds",
            |f| edit(f, |d| d.layer_entry()["blob"]["digest"] = json!(format!("sha256:{}", "0".repeat(64)))),
            "No such file",
            "hit miss hit",
        ),
    ]
}

/// Every tar has the digest that it is called by, and nothing is left in between.
fn is_whole(kitchen: &Kitchen) {
    for entry in fs::read_dir(kitchen.store.path().join("layers")).unwrap() {
        let path = entry.unwrap().path();
        if let Some(hex) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".tar") {
            assert_eq!(Digest::of(&fs::read(&path).unwrap()).hex(), hex);
            assert!(path.with_extension("erofs").exists(), "{}", path.display());
        }
    }
    for folder in ["ingest", "leases"] {
        assert_eq!(fs::read_dir(kitchen.store.path().join(folder)).unwrap().count(), 0, "{folder}");
    }
}

#[test]
fn b073_whatever_is_in_the_folder_the_build_is_right() {
    let kitchen = Kitchen::with("a=1");
    let here = kitchen.build(DOCKERFILE);
    let (tree, layers) = (here.tree(), here.layers());
    let (folder, id) = export(&kitchen, DOCKERFILE, CacheMode::Max);
    SECOND.with(|second| *second.borrow_mut() = layers[2].to_string());
    for (what, damage, said, found) in [to_the_folder(), to_the_documents(), to_a_layer()].into_iter().flatten() {
        let place = tempfile::tempdir().unwrap();
        let damaged = place.path().join("cache");
        copy_folder(&folder, &damaged);
        damage(&damaged);
        let other = elsewhere(&kitchen);
        let outcome = other.build_from(DOCKERFILE, &damaged);
        assert_eq!(outcome.tree(), tree, "{what}");
        assert_eq!(outcome.layers(), layers, "{what}");
        let text = outcome.text();
        let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("warning: the cache at ")).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(said), "{what}: {warnings:#?}");
        // Where the plan was run again, its last run counts.
        let last = outcomes(&outcome);
        assert!(last == found || is_second(&last, found), "{what}: {last}");
        is_whole(&other.kitchen);
        // What was written over it is whole again.
        other.build_as(DOCKERFILE, |request| {
            request.cache_from = vec![from(&damaged)];
            request.cache_to = vec![builder::CacheExport { ignores_errors: true, ..to(&damaged, CacheMode::Max) }];
        });
        let healed = elsewhere(&kitchen);
        let healed = healed.build_from(DOCKERFILE, &damaged);
        assert_eq!(healed.layers(), layers, "{what}");
    }
    // Undamaged, all of it is found.
    let other = elsewhere(&kitchen);
    assert_eq!(other.build_from(DOCKERFILE, &folder).id(), id);
}

/// The steps of both runs stand in the order of their names.
fn is_second(both: &str, found: &str) -> bool {
    let words: Vec<&str> = both.split(' ').collect();
    let second: Vec<&str> = words.iter().skip(1).step_by(2).copied().collect();
    words.len() == 6 && second.join(" ") == found
}

#[test]
fn b073_all_that_is_damaged_is_seen_at_once() {
    let kitchen = Kitchen::with("a=1");
    let (folder, id) = export(&kitchen, DOCKERFILE, CacheMode::Max);
    for layer in Documents::read(&folder).document["layers"].as_array().unwrap() {
        flip(&blob(&folder, &layer["blob"]["digest"]));
    }
    let other = elsewhere(&kitchen);
    let built = other.build_from(DOCKERFILE, &folder);
    assert_eq!(built.layers(), kitchen.store.image(id).unwrap().rootfs.diff_ids);
    assert_eq!(built.text().matches("cannot give a layer").count(), 3, "{}", built.text());
    // Found, then found out, then made: two runs of the plan.
    assert_eq!(outcomes(&built), "hit miss hit miss hit miss", "{}", built.text());
}

#[test]
fn b073_a_damaged_blob_is_written_again_by_who_finds_it() {
    let kitchen = Kitchen::with("a=1");
    let (folder, id) = export(&kitchen, DOCKERFILE, CacheMode::Max);
    let layers = kitchen.store.image(id).unwrap().rootfs.diff_ids;
    SECOND.with(|second| *second.borrow_mut() = layers[2].to_string());
    flip(&Documents::read(&folder).layer());
    let other = elsewhere(&kitchen);
    let mended = other.build_as(DOCKERFILE, |request| {
        request.cache_from = vec![from(&folder)];
        request.cache_to = vec![to(&folder, CacheMode::Max)];
    });
    assert!(mended.text().contains("cannot give a layer"), "{}", mended.text());
    let third = elsewhere(&kitchen);
    let found = third.build_from(DOCKERFILE, &folder);
    assert!(!found.text().contains("cannot give"), "{}", found.text());
    assert_eq!((outcomes(&found).as_str(), found.layers()), ("hit hit hit", layers));
}

/// Nobody can see whether a layer is what a step of that key gives: whoever writes a folder that is named is believed. What
/// cannot be done is to give a layer another content than it says.
#[test]
fn b073_a_writer_is_believed_about_keys_alone() {
    let kitchen = Kitchen::with("a=1");
    let (folder, _) = export(&kitchen, DOCKERFILE, CacheMode::Max);
    let last = kitchen.build(DOCKERFILE).layers()[3].to_string();
    edit(&folder, |d| {
        for step in d.document["steps"].as_array_mut().unwrap() {
            step["layer"] = json!(last);
        }
    });
    let other = elsewhere(&kitchen);
    let built = other.build_from("FROM base\nCOPY a /a\n", &folder);
    assert_eq!(built.changes(), "/c 644 \"1\"");
    // `--no-cache` makes the result anew, for later builds as well.
    let anew = other.build_as("FROM base\nCOPY a /a\n", |request| {
        request.no_cache = true;
        request.cache_from = vec![from(&folder)];
    });
    assert_eq!(anew.changes(), "/a 644 \"1\"");
    assert_eq!(other.build_as("FROM base\nCOPY a /a\n", |_| {}).changes(), "/a 644 \"1\"");
}

#[test]
fn b073_a_digest_that_is_not_there_is_worth_a_warning() {
    let kitchen = Kitchen::with("a=1");
    let (folder, _) = export(&kitchen, DOCKERFILE, CacheMode::Max);
    let import = CacheImport { digest: Some(Digest::of(b"nothing")), ..from(&folder) };
    let other = elsewhere(&kitchen);
    let built = other.build_as(DOCKERFILE, |request| request.cache_from = vec![import]);
    assert_eq!(outcomes(&built), "miss miss miss");
    assert!(built.text().contains("No such file"), "{}", built.text());
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
