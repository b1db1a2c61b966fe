//! Engines with images and containers in them.

use std::fs::File;
use std::io::Write;

use engine::{ContainerRecord, ContainerState, Engine};
use jiff::Timestamp;
use oci::{DiffId, Digest, ImageId, Reference};
use serde_json::{Map, Value, json};
use store::ProcessIdentity;
use tempfile::TempDir;
use testkit::TarWriter;

/// The time that all tests have: 2026-11-21 07:00 UTC.
pub(crate) fn clock() -> Timestamp {
    "2026-11-21T07:00:00Z".parse().unwrap()
}

pub(crate) fn engine() -> (TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(&folder.path().join("store"), clock).unwrap();
    (folder, engine)
}

/// A layer with one file of this size.
pub(crate) fn layer(name: &str, size: usize) -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.file(name, 0o644, &vec![b'x'; size]);
    tar.finish()
}

/// An image to be put into a store.
pub(crate) struct Image<'a> {
    pub(crate) layers: &'a [Vec<u8>],
    pub(crate) created: &'a str,
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) history: Value,
    pub(crate) parent: Option<ImageId>,
    pub(crate) names: &'a [&'a str],
}

impl Default for Image<'_> {
    fn default() -> Self {
        Self {
            layers: &[],
            created: "2026-11-21T06:00:00Z",
            labels: &[],
            history: Value::Null,
            parent: None,
            names: &[],
        }
    }
}

impl Image<'_> {
    pub(crate) fn put(&self, engine: &Engine) -> ImageId {
        let store = engine.store();
        for tar in self.layers {
            let sink = store.layer_sink().unwrap();
            let finished = ::layer::ingest(&tar[..], sink.file().unwrap(), None).unwrap();
            store.add_layer(finished.diff_id, sink, &finished.index, None).unwrap();
        }
        let diff_ids: Vec<DiffId> = self.layers.iter().map(|tar| DiffId(Digest::of(tar))).collect();
        let labels: Map<String, Value> =
            self.labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let config = json!({
            "architecture": "amd64",
            "config": { "Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": labels },
            "created": self.created,
            "history": self.history,
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let id = store.publish_image(config.to_string().as_bytes(), self.parent).unwrap();
        for name in self.names {
            store.set_reference(&name.parse::<Reference>().unwrap().with_default_tag(), id).unwrap();
        }
        id
    }
}

/// Three images, each committed from the one before, with one layer more; only the last one and the first have names.
pub(crate) fn family(engine: &Engine) -> [ImageId; 3] {
    let rows = |count: usize| {
        let row = |number| json!({ "created": "2026-11-20T07:00:00Z", "created_by": format!("step {number}") });
        Value::Array((0..count).map(row).collect())
    };
    let layers = [layer("a", 1000), layer("b", 200), layer("c", 30)];
    let base = Image { layers: &layers[..1], history: rows(1), names: &["base:v1"], ..Image::default() }.put(engine);
    let middle = Image { layers: &layers[..2], history: rows(2), parent: Some(base), ..Image::default() }.put(engine);
    let top = Image { layers: &layers, history: rows(3), parent: Some(middle), names: &["top:v1"], ..Image::default() }
        .put(engine);
    [base, middle, top]
}

/// A container of an image; a running one has the process of this test.
pub(crate) fn container(engine: &Engine, image: ImageId, digit: char, is_running: bool) -> String {
    let id: String = std::iter::repeat_n(digit, 64).collect();
    let name = format!("container-{digit}");
    let record = ContainerRecord {
        id: id.clone(),
        name: name.clone(),
        created: "2026-11-21T06:30:00Z".to_owned(),
        image,
        image_name: "any".to_owned(),
        entrypoint: Vec::new(),
        cmd: Vec::new(),
        env: Vec::new(),
        working_dir: "/".to_owned(),
        user: String::new(),
        hostname: "host".to_owned(),
        tty: false,
        interactive: false,
        runtime: None,
        labels: Map::new(),
        lifetime: Default::default(),
        mounts: Default::default(),
        network: Default::default(),
        streams: Default::default(),
        log: Default::default(),
        limits: Default::default(),
        security: Default::default(),
        health: Default::default(),
    };
    let record = serde_json::to_vec(&record).unwrap();
    let folder = engine.store().create_container(&id, &name, image, &record).unwrap();
    let own = ProcessIdentity::own().unwrap();
    let state = ContainerState {
        started: "2026-11-21T06:30:01Z".to_owned(),
        process: is_running.then_some((own.pid, own.start)),
        ..ContainerState::default()
    };
    folder.write("state.json", &serde_json::to_vec(&state).unwrap()).unwrap();
    id
}

pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
