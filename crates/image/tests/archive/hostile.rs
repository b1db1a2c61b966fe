//! Archives that are damaged, or made to do harm. Each is refused with an error that names the place, as a stream and
//! as a file, and leaves nothing listed behind.

use std::collections::BTreeMap;
use std::slice;

use oci::Digest;
use serde_json::json;
use testkit::TarWriter;

use super::forge::{
    self, INDEX_TYPE, Image, MANIFEST_TYPE, blob, descriptor, docker_classic, gzip, load, load_file, lower, manifest,
    oci_archive, oci_layout, oci_layout_stored, oci_manifest, podman, sample, store, upper,
};

struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    /// Part of the error's chain.
    expected: &'static str,
}

fn case(name: &'static str, bytes: Vec<u8>, expected: &'static str) -> Case {
    Case { name, bytes, expected }
}

#[test]
fn is_refused_and_leaves_nothing() {
    let all = [tars(), links(), documents(), digests(), layouts()].concat_cases();
    assert!(all.len() >= 40, "only {} cases", all.len());
    let mut wrong = BTreeMap::new();
    for case in &all {
        for (way, read) in [("stream", load as fn(&_, &_) -> _), ("file", load_file)] {
            let (folder, store) = store();
            let seen = match read(&store, &case.bytes) {
                Ok(loaded) => format!("loaded {loaded:?}"),
                Err(error) => chain(&error),
            };
            if !seen.contains(case.expected) {
                wrong.insert(format!("{} as {way}", case.name), format!("{seen}\n   not: {}", case.expected));
            }
            assert!(store.image_ids().unwrap().is_empty(), "{}: an image is listed", case.name);
            assert!(store.references().unwrap().is_empty(), "{}: a name is listed", case.name);
            assert_eq!(forge::stored(folder.path(), "ingest"), [""; 0], "{}: something is left", case.name);
            assert_eq!(forge::stored(folder.path(), "leases"), [""; 0], "{}: a lease is left", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// One name that stood for an image before stands for it after a failure, too.
#[test]
fn a_failed_load_moves_no_name() {
    let (_folder, store) = store();
    let id = forge::put(&store, &Image::new("old", vec![lower()]), &["sample:latest"]);
    let mut bytes = podman(&sample(), &["sample:latest"]);
    let place = bytes.windows(6).position(|bytes| bytes == b"upper\n").unwrap();
    bytes[place] ^= 1;
    for read in [load, load_file] {
        read(&store, &bytes).unwrap_err();
        assert_eq!(store.reference(&forge::references(&["sample"])[0]).unwrap(), Some(id));
        assert_eq!(store.image_ids().unwrap(), [id]);
    }
}

/// Every archive that is cut off anywhere is refused.
#[test]
fn no_beginning_of_an_archive_is_an_archive() {
    for whole in [docker_classic(&sample(), &["a:1"]), oci_layout(&sample(), &["a:1"]), gzip(&podman(&sample(), &[]))] {
        // The blocks of zeros at the end are not needed, nor is what a compressor writes for them.
        let is_compressed = whole.starts_with(&[0x1f]);
        let end = whole.len() - if is_compressed { 20 } else { 1024 + 512 };
        for length in (0..end).step_by(whole.len() / 60).chain([end]) {
            let (_folder, store) = store();
            assert!(load(&store, &whole[..length]).is_err(), "{length} of {} bytes", whole.len());
            assert!(load_file(&store, &whole[..length]).is_err(), "{length} of {} bytes", whole.len());
            assert!(store.image_ids().unwrap().is_empty());
        }
    }
}

/// A changed byte in a layer or a config is always noticed.
#[test]
fn no_changed_byte_is_accepted_as_the_same_image() {
    let whole = oci_layout(&sample(), &["a:1"]);
    for place in (0..whole.len()).step_by(1493) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x41;
        for read in [load, load_file] {
            let (_folder, store) = store();
            // What is not hashed (padding, times in headers) may differ; the image is then still the same.
            if let Ok(loaded) = read(&store, &bytes) {
                assert!(loaded.iter().all(|loaded| loaded.id == sample().id()), "at {place}");
                assert_eq!(forge::files(&store, sample().id()).len(), 4, "at {place}");
            }
        }
    }
}

trait Concat {
    fn concat_cases(self) -> Vec<Case>;
}

impl<const N: usize> Concat for [Vec<Case>; N] {
    fn concat_cases(self) -> Vec<Case> {
        self.into_iter().flatten().collect()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Changes a header of a tar and mends its checksum.
fn with_header(mut tar: Vec<u8>, block: usize, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let header = &mut tar[block * 512..block * 512 + 512];
    change(header);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar
}

fn one_file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.file(name, 0o644, content);
    tar.finish()
}

/// The tar itself.
fn tars() -> Vec<Case> {
    let good = podman(&sample(), &[]);
    let typed = |flag: u8| with_header(one_file("x", b""), 0, |header| header[156] = flag);
    let named = |name: &[u8]| with_header(one_file("x", b""), 0, |header| header[..name.len()].copy_from_slice(name));
    let sized = |size: &[u8; 12]| with_header(one_file("x", b""), 0, |header| header[124..136].copy_from_slice(size));
    let mut lone = good.clone();
    lone.splice(0..0, [0; 512]);
    let mut broken = good.clone();
    let last = broken.len() - 1024 - 1024;
    broken[last..last + 512].fill(b'?');
    let mut pax = one_file("PaxHeaders.0/x", b"19 size=0000000000\n21 path=../../escape\n");
    pax = with_header(pax, 0, |header| header[156] = b'x');
    let global = with_header(one_file("g", b"15 path=hidden\n"), 0, |header| header[156] = b'g');
    let malformed = with_header(one_file("p", b"99 path=hidden\n"), 0, |header| header[156] = b'x');
    let sparse = with_header(one_file("p", b"22 GNU.sparse.major=1\n"), 0, |header| header[156] = b'x');
    let long = with_header(one_file("l", &[b'n'; 70_000]), 0, |header| header[156] = b'L');
    let with_size = with_header(one_file("folder", b"12345"), 0, |header| header[156] = b'5');
    let mut many = TarWriter::default();
    for number in 0..70_000 {
        many.folder(&number.to_string(), 0o755);
    }
    vec![
        case("nothing", Vec::new(), "not an image archive"),
        case("zeros", vec![0; 1024], "not an image archive"),
        case("text", b"hello\n".to_vec(), "not a tar archive"),
        case("long text", b"hello\n".repeat(1000), "not a tar archive"),
        case("compressed text", gzip(&b"hello\n".repeat(1000)), "not a tar archive"),
        case("a block of zeros inside", lone, "block of zeros inside archive"),
        case("a header that is none", broken, "checksum is wrong"),
        case("a character device", typed(b'3'), "has type `3`"),
        case("a block device", typed(b'4'), "has type `4`"),
        case("a fifo", typed(b'6'), "has type `6`"),
        case("a sparse file of GNU", typed(b'S'), "has type `S`"),
        case("a name upwards", named(b"../../etc/passwd"), "name of member `../../etc/passwd` is not allowed"),
        case("a name upwards inside", named(b"a/../../b"), "is not allowed"),
        case("an absolute name", named(b"/etc/passwd"), "it begins with a slash"),
        case("a name that is no text", named(b"\xff\xfe"), "it is not UTF-8"),
        case("a PAX name upwards", [&pax[..1024], &one_file("x", b"")].concat(), "../../escape"),
        case("a global PAX name", [&global[..1024], &good].concat(), "global PAX header"),
        case("a malformed PAX header", [&malformed[..1024], &good].concat(), "PAX record"),
        case("a sparse file of PAX", [&sparse[..1024], &good].concat(), "GNU.sparse"),
        case("an endless name", long, "long name"),
        case("a size that is no number", sized(b"notanumber!\0"), "field `size`"),
        case("a size below zero", sized(&[0xff; 12]), "field `size`"),
        case("a size beyond all", sized(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), "field `size`"),
        case("a size beyond the end", sized(b"77777777777\0"), "ends at byte"),
        case("a folder with content", with_size, "field `size`"),
        case("a great many members", many.finish(), "more than 65536 members"),
    ]
}

/// A docker-archive of one image whose layers are added by `add`.
fn docker(layers: &[&str], add: impl FnOnce(&mut TarWriter) -> &mut TarWriter) -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.file("config.json", 0o644, &Image::new("links", vec![lower()]).config);
    add(&mut tar);
    let layers = layers.iter().map(|&layer| layer.to_owned()).collect();
    tar.file("manifest.json", 0o644, &manifest(&[("config.json".to_owned(), &[], layers)]));
    tar.finish()
}

fn links() -> Vec<Case> {
    vec![
        case("a link to itself", docker(&["a"], |tar| tar.symlink("a", "a")), "link `a` leads to too many"),
        case(
            "links in a circle",
            docker(&["a"], |tar| tar.symlink("a", "b").symlink("b", "a")),
            "link `a` leads to too many",
        ),
        case(
            "a hard link in a circle",
            docker(&["a"], |tar| tar.hard_link("a", "b").hard_link("b", "a")),
            "link `a` leads to too many",
        ),
        case("a link outside", docker(&["a"], |tar| tar.symlink("a", "../../etc/passwd")), "leads out of"),
        case("an absolute link", docker(&["a"], |tar| tar.symlink("a", "/etc/passwd")), "leads out of"),
        case("a hard link outside", docker(&["a"], |tar| tar.hard_link("a", "../x")), "is not allowed"),
        case("a link to nothing", docker(&["a"], |tar| tar.symlink("a", "b")), "archive has no `b`"),
        case("an empty link", docker(&["a"], |tar| tar.symlink("a", "")), "leads out of"),
        case(
            "a link in the place of a folder",
            docker(&["a/layer.tar"], |tar| tar.symlink("a", "b").file("b/layer.tar", 0o644, &lower())),
            "archive has no `a/layer.tar`",
        ),
        case(
            "a file twice",
            docker(&["a"], |tar| tar.file("a", 0o644, &lower()).file("a", 0o644, &upper())),
            "two members `a`",
        ),
        case(
            "a file and a link",
            docker(&["a"], |tar| tar.file("a", 0o644, &lower()).symlink("a", "b")),
            "two members `a`",
        ),
        case(
            "a file twice in other words",
            docker(&["a"], |tar| tar.file("a", 0o644, &lower()).file("./a", 0o644, &lower())),
            "two members `a`",
        ),
        case("a layer with a name upwards", docker(&["../a"], |tar| tar), "name of member `../a` is not allowed"),
    ]
}

fn documents() -> Vec<Case> {
    let with_manifest = |manifest: &[u8]| {
        let mut tar = TarWriter::default();
        tar.file("config.json", 0o644, &sample().config).file("a", 0o644, &lower());
        tar.file("large", 0o644, &[b'x'; 5 << 20]).file("manifest.json", 0o644, manifest);
        tar.finish()
    };
    let one = |config: &str, layers: &[&str], tags: &[&str]| {
        with_manifest(&manifest(&[(config.to_owned(), tags, layers.iter().map(|&layer| layer.to_owned()).collect())]))
    };
    let config = |config: serde_json::Value| {
        let mut tar = TarWriter::default();
        tar.file("config.json", 0o644, config.to_string().as_bytes());
        tar.file("manifest.json", 0o644, &manifest(&[("config.json".to_owned(), &[], Vec::new())]));
        tar.finish()
    };
    let many: Vec<_> = (0..5000).map(|_| json!(Digest::of(b""))).collect();
    let mut old = TarWriter::default();
    old.file("abc/VERSION", 0o644, b"1.0").file("abc/json", 0o644, b"{}").file("abc/layer.tar", 0o644, &lower());
    let mut heavy = TarWriter::default();
    for number in 0..17 {
        heavy.file(&number.to_string(), 0o644, &vec![b'x'; (4 << 20) - 1]);
    }
    vec![
        case("files only", lower(), "neither `manifest.json` nor `index.json`"),
        case("Docker before 1.10", old.finish(), "Docker before 1.10"),
        case("no JSON", with_manifest(b"{"), "`manifest.json` cannot be read"),
        case("another JSON", with_manifest(br#"{"Config":1}"#), "`manifest.json` cannot be read"),
        case("JSON without end", with_manifest(&vec![b'['; 100_000]), "`manifest.json` cannot be read"),
        case("a manifest that is a layer", with_manifest(&lower()), "`manifest.json` is no document"),
        case("a config that is missing", one("none.json", &[], &[]), "archive has no `none.json`"),
        case("a config that is a layer", one("a", &[], &[]), "`a` is no document"),
        case("a config that is too large", one("large", &[], &[]), "`large` is no document"),
        case("too few layers", one("config.json", &["a"], &[]), "lists 1 layers, but its config has 2"),
        case("too many layers", one("config.json", &["a", "a", "a"], &[]), "lists 3 layers, but its config has 2"),
        case("a layer that is missing", one("config.json", &["a", "b"], &[]), "archive has no `b`"),
        case("a layer that is no tar", one("config.json", &["config.json", "a"], &[]), "`config.json` is not a layer"),
        case("a name with upper case", one("config.json", &["a", "a"], &["Sample:1"]), "gives an image a name"),
        case("a name upwards", one("config.json", &["a", "a"], &["../x:1"]), "gives an image a name"),
        case("config of another type", config(json!({ "rootfs": { "type": "zfs" } })), "`rootfs.type` is `zfs`"),
        case(
            "a digest of another kind",
            config(json!({ "rootfs": { "type": "layers", "diff_ids": ["sha512:00"] } })),
            "`config.json` cannot be read",
        ),
        case(
            "a digest that is a path",
            config(json!({ "rootfs": { "type": "layers", "diff_ids": ["sha256:../../../etc/passwd"] } })),
            "`config.json` cannot be read",
        ),
        case(
            "layers without end",
            config(json!({ "rootfs": { "type": "layers", "diff_ids": many } })),
            "more than 4096 layers",
        ),
        case("more documents than memory", heavy.finish(), "bytes of documents"),
    ]
}

fn digests() -> Vec<Case> {
    let changed = |mut bytes: Vec<u8>, text: &[u8]| {
        let place = bytes.windows(text.len()).position(|bytes| bytes == text).unwrap();
        bytes[place] ^= 1;
        bytes
    };
    let swapped = Image { layers: vec![upper(), lower()], ..sample() };
    let short = gzip(&lower());
    let cut = oci_layout_stored(&sample(), &[], vec![short[..short.len() / 2].to_vec(), upper()]);
    let damaged = {
        let mut bytes = short.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        bytes
    };
    let named = |content: &[u8]| {
        let mut tar = TarWriter::default();
        tar.file(&blob(b"something else"), 0o644, content);
        tar.finish()
    };
    vec![
        case("a changed layer in a blob", changed(oci_layout(&sample(), &[]), b"upper\n"), "its digest is"),
        case("a changed layer by DiffID", changed(podman(&sample(), &[]), b"upper\n"), "its digest is"),
        case("a changed layer by folder", changed(docker_classic(&sample(), &[]), b"upper\n"), "its digest is"),
        case("a changed config in a blob", changed(oci_layout(&sample(), &[]), b"remark"), "its digest is"),
        case("a changed config by name", changed(podman(&sample(), &[]), b"remark"), "its digest is"),
        case("layers in another order", docker_classic(&swapped, &[]), "its digest is"),
        case("a compressed layer that is cut", cut, "gzip stream ends early"),
        case("a compressed layer that is damaged", oci_layout_stored(&sample(), &[], vec![damaged, upper()]), "sha256"),
        case("another document in a blob", named(b"{}"), "its digest is"),
    ]
}

/// Indexes, each of which holds the one before; the descriptor of the last one.
fn nested(manifest: &[u8]) -> (serde_json::Value, Vec<Vec<u8>>) {
    let mut inner = descriptor(MANIFEST_TYPE, manifest);
    let mut all = Vec::new();
    for _ in 0..6 {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [inner] });
        let index = index.to_string().into_bytes();
        inner = descriptor(INDEX_TYPE, &index);
        all.push(index);
    }
    (inner, all)
}

fn layouts() -> Vec<Case> {
    let image = sample();
    let plain = oci_manifest(&image, &image.layers);
    let archive = |manifests: serde_json::Value, more: &[Vec<u8>]| {
        let mut blobs = image.layers.clone();
        blobs.extend([image.config.clone(), plain.clone()]);
        blobs.extend_from_slice(more);
        oci_archive(&blobs, json!({ "schemaVersion": 2, "manifests": manifests }).to_string().as_bytes())
    };
    let resized = |mut entry: serde_json::Value, size: u64| {
        entry["size"] = json!(size);
        entry
    };
    let typed = descriptor("application/vnd.example", &plain);
    let arm = {
        let mut entry = descriptor(MANIFEST_TYPE, &plain);
        entry["platform"] = json!({ "os": "plan9", "architecture": "mips" });
        json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry, entry] }).to_string().into_bytes()
    };
    let (inner, deep) = nested(&plain);
    let confused = json!({ "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "manifests": [],
        "config": descriptor("x", &image.config), "layers": [] })
    .to_string()
    .into_bytes();
    let mut large = serde_json::from_slice::<serde_json::Value>(&plain).unwrap();
    large["layers"][0]["size"] = json!(12);
    let large = large.to_string().into_bytes();
    let mut version = TarWriter::default();
    version.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"9.0.0"}"#);
    version.file("index.json", 0o644, br#"{"schemaVersion":2,"manifests":[]}"#);
    vec![
        case("a layout of the future", version.finish(), "layout version `9.0.0`"),
        case("a manifest that is missing", archive(json!([descriptor(MANIFEST_TYPE, b"x")]), &[]), "archive has no"),
        case(
            "a manifest of another size",
            archive(json!([resized(descriptor(MANIFEST_TYPE, &plain), 3)]), &[]),
            "bytes, not 3",
        ),
        case("a type of something else", archive(json!([typed]), &[]), "`application/vnd.example` is no image"),
        case(
            "a layer of another size",
            archive(json!([descriptor(MANIFEST_TYPE, &large)]), slice::from_ref(&large)),
            "bytes, not 12",
        ),
        case(
            "nothing for this machine",
            archive(json!([descriptor(INDEX_TYPE, &arm)]), slice::from_ref(&arm)),
            "has no image for",
        ),
        case("indexes without end", archive(json!([inner]), &deep), "is no image, and no index"),
        case(
            "an index and a manifest at once",
            archive(json!([descriptor(MANIFEST_TYPE, &confused)]), slice::from_ref(&confused)),
            "is no image, and no index",
        ),
        case(
            "a name that is none",
            archive(
                json!([{ "mediaType": MANIFEST_TYPE, "digest": Digest::of(&plain), "size": plain.len(),
                    "annotations": { "io.containerd.image.name": "../../x" } }]),
                &[],
            ),
            "gives an image a name",
        ),
    ]
}
