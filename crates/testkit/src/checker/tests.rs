//! The checker finds what is wrong and leaves alone what is right.

use super::*;
use crate::TarWriter;

fn layer() -> Vec<u8> {
    let mut tar = TarWriter::default();
    tar.folder("etc", 0o755).file("etc/name", 0o644, b"onggi\n").symlink("link", "etc/name");
    tar.hard_link("etc/same", "etc/name");
    tar.finish()
}

fn config(diff_ids: &[String]) -> Vec<u8> {
    let history = vec![serde_json::json!({}); diff_ids.len()];
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "history": history,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    config.to_string().into_bytes()
}

fn docker_archive(layers: &[Vec<u8>], config: &[u8], config_name: &str) -> tempfile::NamedTempFile {
    let mut tar = TarWriter::default();
    let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    for (name, layer) in names.iter().zip(layers) {
        tar.file(name, 0o644, layer);
    }
    tar.file(config_name, 0o644, config);
    let manifest = serde_json::json!([{ "Config": config_name, "RepoTags": ["x:1"], "Layers": names }]);
    tar.file("manifest.json", 0o644, manifest.to_string().as_bytes());
    let file = tempfile::NamedTempFile::new().expect("the temporary folder is writable");
    std::fs::write(file.path(), tar.finish()).expect("the temporary folder is writable");
    file
}

#[test]
fn a_whole_archive_is_read() {
    let mut upper = TarWriter::default();
    upper.file("etc/.wh.name", 0o644, b"").file("etc/new", 0o600, b"2");
    let layers = [layer(), upper.finish()];
    let ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    let config = config(&ids);
    let name = format!("{}.json", digest(&config).trim_start_matches("sha256:"));
    let images = check_archive(docker_archive(&layers, &config, &name).path()).expect("nothing is wrong with it");
    assert_eq!(images[0].names, ["x:1"]);
    assert_eq!(images[0].diff_ids, ids);
    assert_eq!(images[0].chain_ids[1], digest(format!("{} {}", ids[0], ids[1]).as_bytes()));
    let paths: Vec<&str> = images[0].tree.keys().map(String::as_str).collect();
    assert_eq!(paths, ["etc", "etc/new", "etc/same", "link"]);
}

#[test]
fn what_is_wrong_is_named() {
    let good = layer();
    let id = digest(&good);
    let mut flipped = good.clone();
    flipped[1024 + 3] ^= 1;
    let fits = |config: &[u8]| format!("{}.json", digest(config).trim_start_matches("sha256:"));
    let right = config(std::slice::from_ref(&id));
    let cases: [(&str, tempfile::NamedTempFile, &str); 4] = [
        ("layer changed", docker_archive(&[flipped], &right, &fits(&right)), "0/layer.tar: digest is"),
        (
            "config renamed",
            docker_archive(std::slice::from_ref(&good), &right, &format!("{}.json", "0".repeat(64))),
            "digest is",
        ),
        ("layer left out", docker_archive(&[], &right, &fits(&right)), "1 DiffIDs, the archive 0 layers"),
        ("layer too many", docker_archive(&[good.clone(), good.clone()], &right, &fits(&right)), "2 layers"),
    ];
    for (name, archive, expected) in cases {
        let problem = check_archive(archive.path()).expect_err(name).to_string();
        assert!(problem.contains(expected), "{name}: {problem}");
    }
}

#[test]
fn a_store_is_checked_file_by_file() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let root = folder.path();
    let write = |name: &str, content: &[u8]| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a parent")).expect("writable");
        std::fs::write(path, content).expect("writable");
    };
    for name in ["images", "references", "layers", "extracted", "remotes", "logs", "failures", "names", "containers"] {
        std::fs::create_dir_all(root.join(name)).expect("writable");
    }
    write("version", b"onggi store 1\n");
    check_store(root).expect("an empty store is whole");

    let tar = layer();
    let diff_id = digest(&tar);
    let hex = diff_id.trim_start_matches("sha256:").to_owned();
    let config = config(std::slice::from_ref(&diff_id));
    let image = digest(&config).trim_start_matches("sha256:").to_owned();
    write(&format!("images/{image}"), &config);
    assert!(check_store(root).expect_err("no layer").to_string().contains("is missing"));
    write(&format!("layers/{hex}.tar"), &tar);
    assert!(check_store(root).expect_err("no index").to_string().contains("neither an index"));
    write(&format!("layers/{hex}.erofs"), b"");
    write("references/docker.io+library+x:1", image.as_bytes());
    check_store(root).expect("the store is whole");
    let images = store_images(root).expect("the store is whole");
    assert_eq!(images[0].tree.len(), 4);
    assert_eq!(images[0].names, ["docker.io/library/x:1"]);
    write("references/docker.io+library+y:1", "0".repeat(64).as_bytes());
    assert!(check_store(root).expect_err("dangling reference").to_string().contains("y:1"));
}

#[test]
fn caches_of_commands_are_checked() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let root = folder.path();
    for name in ["images", "references", "layers", "extracted", "remotes", "logs", "names", "containers"] {
        std::fs::create_dir_all(root.join(name)).expect("writable");
    }
    std::fs::write(root.join("version"), "onggi store 1\n").expect("writable");
    let hex = digest(b"what it is").trim_start_matches("sha256:").to_owned();
    let cache = root.join("caches").join(&hex);
    std::fs::create_dir_all(cache.join("0/data/anything")).expect("writable");
    let fails = |expected: &str| {
        let problem = check_store(root).expect_err(expected).to_string();
        assert!(problem.contains(expected), "{expected}: {problem}");
    };
    fails("no `id`");
    std::fs::write(cache.join("id"), "what it is").expect("writable");
    check_store(root).expect("the store is whole");
    std::fs::create_dir(cache.join("0/more")).expect("writable");
    fails("one folder `data`");
    std::fs::remove_dir(cache.join("0/more")).expect("writable");
    std::fs::create_dir(cache.join("x")).expect("writable");
    fails("a folder with a number");
    std::fs::remove_dir(cache.join("x")).expect("writable");
    std::fs::write(cache.join("id"), "something else").expect("writable");
    fails("digest is");
}
