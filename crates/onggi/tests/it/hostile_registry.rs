//! Registries that mean harm (field notes 2, rows 15 to 24): each answer that is not what it should be ends in one clear
//! line, within the memory and the time that any pull has, and nothing of it stays.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::checker::digest;
use testkit::{Command, HttpServer, RegistryOptions, Request, Response, TarWriter, TestAuthority};

use crate::bad_network::{left, nothing_is_listed, one_clear_line};
use crate::build_project::Project;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// As images call the processor of this machine.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// What a pull may take: writable memory of the process, in KiB, and its time.
const MEMORY: u64 = 256 << 10;
const TIME: Duration = Duration::from_secs(120);

/// Documents with their types, and blobs, by digest; the documents by tag too.
#[derive(Clone, Default)]
struct Served {
    documents: BTreeMap<String, (String, Vec<u8>)>,
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Served {
    fn document(&mut self, media_type: &str, document: &Value) -> Value {
        self.raw(media_type, document.to_string().into_bytes())
    }

    fn raw(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let (name, size) = (digest(&bytes), bytes.len());
        self.documents.insert(name.clone(), (media_type.to_owned(), bytes));
        json!({ "mediaType": media_type, "digest": name, "size": size })
    }

    fn tag(&mut self, media_type: &str, document: &Value) {
        self.tag_raw(media_type, document.to_string().into_bytes());
    }

    fn tag_raw(&mut self, media_type: &str, bytes: Vec<u8>) {
        self.raw(media_type, bytes.clone());
        self.documents.insert("latest".to_owned(), (media_type.to_owned(), bytes));
    }

    fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let (name, size) = (digest(&bytes), bytes.len());
        self.blobs.insert(name.clone(), bytes);
        json!({ "mediaType": media_type, "digest": name, "size": size })
    }

    fn answer(&self, request: &Request) -> Response {
        let path = request.path.split('?').next().unwrap();
        if path == "/v2/" {
            return Response::ok("{}");
        }
        let Some(path) = path.strip_prefix("/v2/app/") else { return Response::status(404) };
        if let Some((media_type, bytes)) = path.strip_prefix("manifests/").and_then(|name| self.documents.get(name)) {
            let answer = Response::ok(bytes.clone()).header("Content-Type", media_type);
            return answer.header("Docker-Content-Digest", &digest(bytes));
        }
        let blob = path.strip_prefix("blobs/").and_then(|name| self.blobs.get(name));
        blob.map_or_else(|| Response::status(404), |bytes| Response::ok(bytes.clone()))
    }

    fn start(self) -> HttpServer {
        HttpServer::serving(move |request| self.answer(request))
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar() -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.file("hello", 0o644, b"hello");
    tar.finish()
}

/// An image of one layer, and what a case makes of its parts before they are served.
struct Image {
    served: Served,
    config: Value,
    manifest: Value,
}

impl Image {
    fn new() -> Self {
        let mut served = Served::default();
        let tar = tar();
        let layer = served.blob(OCI_LAYER, gzip(&tar));
        let config = json!({
            "architecture": ARCHITECTURE, "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": [digest(&tar)] },
        });
        let manifest = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": null, "layers": [layer] });
        Self { served, config, manifest }
    }

    /// With another layer, which the config claims to be that tar.
    fn with_layer(media_type: &str, blob: Vec<u8>, diff_id: &str) -> Self {
        let mut image = Self::new();
        image.manifest["layers"] = json!([image.served.blob(media_type, blob)]);
        image.config["rootfs"]["diff_ids"] = json!([diff_id]);
        image
    }

    fn finish(mut self) -> Served {
        if self.manifest["config"].is_null() {
            self.manifest["config"] = self.served.blob(OCI_CONFIG, self.config.to_string().into_bytes());
        }
        self.served.tag(OCI_MANIFEST, &self.manifest);
        self.served
    }
}

fn changed(change: impl FnOnce(&mut Image)) -> Served {
    let mut image = Image::new();
    change(&mut image);
    image.finish()
}

/// `onggi pull HOST/app` that may take so much memory and time and no more.
fn pull(project: &Project, port: u16) -> Command {
    let name = format!("127.0.0.1:{port}/app");
    let limited = format!("ulimit -d {MEMORY}; exec \"$@\"");
    project.onggi(["pull", "-q", &name]).wrapped("/bin/sh", ["-c", &limited, "sh"]).limit(TIME)
}

/// Memory that is not there would end a good pull too.
#[test]
fn r21_an_honest_registry_of_this_kind_is_pulled_from_within_these_bounds() {
    // With its own type, and with none that says anything.
    for served in [Image::new().finish(), sent_as("application/json"), sent_as("text/plain; charset=utf-8")] {
        let server = served.start();
        let project = Project::without_base();
        pull(&project, server.port()).run().success();
        assert_eq!(project.ask(&["images", "-q"]).lines().count(), 1);
    }
}

#[track_caller]
fn is_refused(title: &str, served: Served, expected: &str) {
    let server = served.start();
    let project = Project::without_base();
    let failed = pull(&project, server.port()).run();
    assert!(failed.code == 1 && failed.stderr.contains(expected), "{title}: {}", failed.snapshot());
    one_clear_line(&failed);
    nothing_is_listed(&project);
    assert_eq!(left(&project, "partial"), [""; 0], "{title}: {}", failed.stderr);
}

type Case = (&'static str, Served, &'static str);

/// With this in the place of the manifest.
fn tagged(media_type: &str, bytes: &[u8]) -> Served {
    let mut served = Image::new().finish();
    served.tag_raw(media_type, bytes.to_vec());
    served
}

/// So many indexes, each with the next in it, and a good image in the last.
fn nested(levels: usize) -> Served {
    let mut served = Image::new().finish();
    let (media_type, bytes) = served.documents["latest"].clone();
    let mut below = served.raw(&media_type, bytes);
    for _ in 0..levels {
        below["platform"] = json!({ "architecture": ARCHITECTURE, "os": "linux" });
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [below] });
        served.tag(OCI_INDEX, &index);
        below = served.document(OCI_INDEX, &index);
    }
    served
}

/// An index that is all that the registry has, whatever digest is asked for.
fn endless_index() -> Served {
    let (first, mut served) = (digest(b"first"), Served::default());
    let below = json!({ "mediaType": OCI_INDEX, "digest": first, "size": 300,
        "platform": { "architecture": ARCHITECTURE, "os": "linux" } });
    served.tag(OCI_INDEX, &json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [below] }));
    served.documents.insert(first, served.documents["latest"].clone());
    served
}

/// A good manifest that is sent as something else.
fn sent_as(media_type: &str) -> Served {
    let mut served = Image::new().finish();
    served.documents.get_mut("latest").unwrap().0 = media_type.to_owned();
    served
}

fn documents() -> Vec<Case> {
    let elsewhere = json!({ "mediaType": OCI_MANIFEST, "digest": digest(b"x"), "size": 7,
        "platform": { "architecture": "riscv64", "os": "plan9" } });
    let index = |manifests: Value| json!({ "schemaVersion": 2, "manifests": manifests }).to_string();
    let wide = tagged(OCI_INDEX, index(json!(vec![elsewhere; 20_000])).as_bytes());
    let long = tagged(OCI_INDEX, index(json!(vec![0; 1 << 19])).as_bytes());
    let schema_one = "application/vnd.docker.distribution.manifest.v1+json";
    vec![
        ("no JSON", tagged(OCI_MANIFEST, b"<html>"), "cannot be read"),
        ("half of a document", tagged(OCI_MANIFEST, br#"{"schemaVersion":2,"layers":["#), "EOF while parsing"),
        ("deep JSON", tagged(OCI_MANIFEST, &[b'['; 1 << 20]), "cannot be read"),
        ("a manifest of 5 MB", tagged(OCI_MANIFEST, &vec![b' '; 5 << 20]), "larger than 4194304 bytes"),
        ("an empty manifest", tagged(OCI_MANIFEST, b""), "cannot be read"),
        ("schema 1", tagged(schema_one, br#"{"schemaVersion":1}"#), "schema 1"),
        ("another type", tagged("text/html", b"{\"schemaVersion\":2}"), "`text/html`"),
        ("both lists", changed(|image| image.manifest["manifests"] = json!([])), "it is not an image"),
        ("no config", changed(|image| image.manifest["config"] = json!({})), "missing field"),
        ("a manifest that is sent as an index", sent_as(OCI_INDEX), "what calls itself"),
        ("an index that is its own part", endless_index(), "digest"),
        ("indexes for ever", nested(12), "too deep"),
        ("an index of everything else", wide, "entries\nhint: choose with `--platform` one of: plan9/riscv64\n"),
        ("a long list", long, "cannot be read"),
        ("a config of 5 MB", changed(|image| image.config["x"] = json!("x".repeat(5 << 20))), "sha256:"),
    ]
}

/// A manifest whose layer has this instead.
fn layer_with(key: &str, value: Value) -> Served {
    changed(|image| image.manifest["layers"][0][key] = value)
}

fn descriptors() -> Vec<Case> {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let digest_of = |digest: String| layer_with("digest", json!(digest));
    let shorter = changed(|image| {
        let size = image.manifest["layers"][0]["size"].as_u64().unwrap();
        image.manifest["layers"][0]["size"] = json!(size - 1);
    });
    let many = changed(|image| image.manifest["layers"] = json!(vec![image.manifest["layers"][0].clone(); 20_000]));
    vec![
        ("a layer of another type", layer_with("mediaType", json!("text/plain")), "`text/plain`"),
        ("a foreign layer", layer_with("mediaType", json!(foreign)), "foreign"),
        ("a negative size", layer_with("size", json!(-1)), "`-1`"),
        ("a size that is none", layer_with("size", json!(1e30)), "`1e+30`"),
        ("an absurd size", layer_with("size", json!(u64::MAX)), "has no room here"),
        ("a large size", layer_with("size", json!(1_u64 << 62)), "has no room here"),
        ("a size that is one too small", shorter, "bytes"),
        ("a path as a digest", digest_of("sha256:../../../etc/passwd".to_owned()), "hexadecimal digits"),
        ("a short digest", digest_of(format!("sha256:{}", "a".repeat(63))), "hexadecimal digits"),
        ("capital letters", digest_of(format!("sha256:{}", "A".repeat(64))), "hexadecimal digits"),
        ("another algorithm", digest_of(format!("md5:{}", "a".repeat(32))), "md5"),
        ("a million layers", changed(|image| image.manifest["layers"] = json!(vec![0; 1 << 20])), "cannot be read"),
        ("20,000 layers", many, "20000 layers"),
    ]
}

#[test]
fn r20_r21_r22_documents_that_mean_harm() {
    for (title, served, expected) in documents().into_iter().chain(descriptors()) {
        is_refused(title, served, expected);
    }
}

fn configs_and_layers() -> Vec<Case> {
    let other = digest(b"another tar");
    let good = tar();
    let (good_id, packed) = (digest(&good), gzip(&good));
    let claims = |diff_ids: Value| changed(|image| image.config["rootfs"]["diff_ids"] = diff_ids);
    let bomb = bomb(1 << 29);
    let members = gzip(b"").repeat(100_000);
    let mut torn = packed.clone();
    torn.truncate(packed.len() - 12);
    vec![
        ("a config that claims another layer", claims(json!([other])), "its digest is"),
        ("one layer more than the manifest", claims(json!([good_id, other])), "1 layers, but its config has 2"),
        ("no layer", claims(json!([])), "1 layers, but its config has 0"),
        ("a DiffID that is none", claims(json!(["sha256:../x"])), "hexadecimal digits"),
        ("no file systems", changed(|image| image.config["rootfs"] = json!({})), "missing field"),
        ("a config that is no object", changed(|image| image.config = json!([1])), "cannot be read"),
        ("no gzip", Image::with_layer(OCI_LAYER, b"\x1f\x8b\x08 nothing".to_vec(), &good_id).finish(), "gzip"),
        ("torn gzip", Image::with_layer(OCI_LAYER, torn, &good_id).finish(), "gzip stream ends early"),
        ("no tar", Image::with_layer(OCI_LAYER, gzip(&[7; 4096]), &digest(&[7; 4096])).finish(), "no tar header"),
        ("zeros behind the end of the tar", Image::with_layer(OCI_LAYER, bomb, &other).finish(), "its digest is"),
        ("100,000 empty members", Image::with_layer(OCI_LAYER, members, &other).finish(), "its digest is"),
    ]
}

/// A tar that ends, and so many zeros behind it; the zeros are members of their own, so that it is soon made.
fn bomb(zeros: usize) -> Vec<u8> {
    let million = gzip(&vec![0; 64 << 20]);
    let mut bytes = gzip(&tar());
    (0..zeros >> 26).for_each(|_| bytes.extend_from_slice(&million));
    bytes
}

#[test]
fn r20_r21_r22_configs_and_layers_that_mean_harm() {
    for (title, served, expected) in configs_and_layers() {
        is_refused(title, served, expected);
    }
}

/// What a config asks for of the host is not heeded, and what it says is not shown to the terminal as it is.
#[test]
fn r15_r29_a_config_of_ill_will_is_only_data() {
    let odd = "\u{1b}]52;c;aGVsbG8=\u{7}\u{202e}x\nSuccessfully tagged y";
    let served = changed(|image| {
        image.config["config"] =
            json!({ "Env": ["PATH", "*", "A=b"], "Labels": { "a": odd }, "Volumes": { "/../../x": {} } });
        image.config["author"] = json!(odd);
        image.config["history"] = json!([{ "created_by": odd }]);
    });
    let server = served.start();
    let project = Project::without_base();
    pull(&project, server.port()).run().success();
    let name = format!("127.0.0.1:{}/app", server.port());
    for words in [&["history", "--no-trunc", &name][..], &["images"], &["inspect", &name]] {
        let shown = project.ask(words);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{words:?}: {shown:?}");
    }
}

/// `urls` of a layer are nobody's business: they are not asked, whatever the registry itself has.
#[test]
fn r23_urls_of_layers_are_not_asked() {
    let away = HttpServer::start();
    let url = away.url("/layer");
    let served = changed(|image| image.manifest["layers"][0]["urls"] = json!([url]));
    let mut without = served.clone();
    without.blobs.clear();
    let project = Project::without_base();
    let config = served.blobs.iter().find(|(_, bytes)| bytes.starts_with(b"{")).unwrap();
    without.blobs.insert(config.0.clone(), config.1.clone());
    let lost = without.start();
    one_clear_line(&pull(&project, lost.port()).run());
    nothing_is_listed(&project);
    let server = served.start();
    pull(&project, server.port()).run().success();
    assert_eq!(away.seen(), []);
}

/// What a server says of an error is shown on one line, in plain characters, and not for ever.
#[test]
fn r29_what_a_server_says_cannot_move_the_cursor() {
    let odd = "\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}evil\r\nerror: forged\u{9b}31m";
    let long = "x".repeat(1 << 20);
    for (status, code, message) in [(404, "MANIFEST_UNKNOWN", odd), (403, odd, odd), (400, odd, odd), (400, "X", &long)]
    {
        let body = json!({ "errors": [{ "code": code, "message": message, "detail": odd }] }).to_string();
        let server = HttpServer::serving(move |request| match request.path.as_str() {
            "/v2/" => Response::ok("{}"),
            _ => Response { status, ..Response::ok(body.clone()) }.header("Content-Type", "application/json"),
        });
        let project = Project::without_base();
        let failed = pull(&project, server.port()).run();
        one_clear_line(&failed);
        assert!(failed.stderr.len() < 2000, "{}", failed.stderr.len());
        assert!(!failed.stderr.lines().any(|line| line.starts_with("error: forged")), "{}", failed.stderr);
    }
}

/// A server whose answers never end, to a path that has this in it; everything else is answered as given.
fn endless(at: &'static str, served: Served) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = Arc::new(served);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let served = Arc::clone(&served);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(&stream);
                let (mut first, mut line) = (String::new(), String::new());
                reader.read_line(&mut first).ok()?;
                while reader.read_line(&mut line).ok()? > 2 {
                    line.clear();
                }
                let path = first.split(' ').nth(1)?.to_owned();
                let mut stream = &stream;
                if path.contains(at) {
                    let media_type = if at.contains("manifests") { OCI_MANIFEST } else { "application/octet-stream" };
                    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {media_type}\r\n\r\n");
                    stream.write_all(head.as_bytes()).ok()?;
                    while stream.write_all(&[b' '; 64 << 10]).is_ok() {}
                    return Some(());
                }
                let answer = served.answer(&Request { path, ..Request::default() });
                let mut head = format!("HTTP/1.1 {} Answer\r\nConnection: close\r\n", answer.status);
                for (name, value) in &answer.headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str(&format!("Content-Length: {}\r\n\r\n", answer.body.len()));
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer.body)).ok()
            });
        }
    });
    port
}

#[test]
fn r21_answers_that_never_end() {
    let served = Image::new().finish();
    let layer: Value = serde_json::from_slice(&served.documents["latest"].1).unwrap();
    let layer = layer["layers"][0]["digest"].as_str().unwrap().to_owned().leak();
    for (at, expected) in [("/manifests/latest", "larger than"), (&*layer, ""), ("/blobs/", "")] {
        let port = endless(at, served.clone());
        let project = Project::without_base();
        let failed = pull(&project, port).run();
        one_clear_line(&failed);
        assert!(failed.stderr.contains(expected), "{at}: {}", failed.stderr);
        nothing_is_listed(&project);
        assert_eq!(left(&project, "partial"), [""; 0], "{at}: {}", failed.stderr);
    }
}

/// A certificate by another authority than the one that is given ends it, in one line; plain HTTP is no way out.
#[test]
fn r24_a_certificate_that_nobody_vouches_for() {
    let options = RegistryOptions { with_tls: true, ..RegistryOptions::default() };
    let Some(registry) = crate::pull::registry("r24_a_certificate_that_nobody_vouches_for", &options) else { return };
    let project = Project::with("FROM scratch\nCOPY Dockerfile /\n");
    let name = format!("{}/app", registry.host());
    project.build(&["-q", "-t", &name]).run().success();
    let folder = project.sandbox.home().join(".config/containers/certs.d").join(registry.host());
    std::fs::create_dir_all(&folder).unwrap();
    let trust = |authority: &TestAuthority| std::fs::write(folder.join("ca.crt"), authority.certificate()).unwrap();
    trust(&TestAuthority::new().unwrap());
    for words in [["pull", "-q", &format!("{name}:other")], ["push", "-q", &name]] {
        let failed = project.onggi(words).run();
        one_clear_line(&failed);
        assert!(failed.stderr.contains("no secure connection"), "{}", failed.stderr);
    }
    trust(registry.authority().unwrap());
    project.ask(&["push", "-q", &name]);
}
