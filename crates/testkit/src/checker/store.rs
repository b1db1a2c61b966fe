//! A store's files, read as docs/dev/store.md describes them and checked from the outside: no lock, no lease.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::archive::Hashed;
use super::tree::{Tree, apply_layer};
use super::{CheckedImage, Problem, chain_ids, diff_ids, digest, expect_digest, json, name_of, tar_reader};

/// Reads a store that nobody writes to at the moment, and recomputes everything that has a digest.
///
/// Checked: each image has its name's digest and only layers that are there; each reference and each container's name
/// leads somewhere; each volume is whole, and there where a container names it; each layer's tar can be read and has its name's digest, and each layer that an image or a kept failure
/// uses has an index or an extracted folder beside its tar; a kept failure is whole; each cache of RUN has the digest of
/// what it is known by, and nothing but its folders; each build's log has an index that names all files beside it, with
/// their sizes once the build is over; each blob has its name's digest, and each list of a layer's blobs is well formed.
///
/// # Errors
/// The first thing that is not so.
pub fn check_store(root: &Path) -> Result<(), Problem> {
    images(root).map(drop)
}

/// The images of a store, checked as [`check_store`] does, with the file trees that their containers see.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn store_images(root: &Path) -> Result<Vec<CheckedImage>, Problem> {
    let mut images = images(root)?;
    for image in &mut images {
        image.tree = tree(root, &image.diff_ids)?;
    }
    Ok(images)
}

/// Trees are left empty: reading every layer once more for each image takes its time.
fn images(root: &Path) -> Result<Vec<CheckedImage>, Problem> {
    if !root.join("version").exists() {
        // The version file is written last: before it, there is no store.
        return Ok(Vec::new());
    }
    let layers = check_layers(root)?;
    let mut names = references(root)?;
    let mut images = Vec::new();
    for hex in listing(root, "images")? {
        let bytes = read(&root.join("images").join(&hex))?;
        let id = digest(&bytes);
        expect_digest(&format!("images/{hex}"), &format!("sha256:{hex}"), &id)?;
        let config = json(&id, &bytes)?;
        let diff_ids = diff_ids(&config, &id)?;
        let chain_ids = chain_ids(&diff_ids);
        check_stack(root, &format!("image {id}"), &diff_ids, &layers)?;
        let names = names.remove(&hex).unwrap_or_default();
        images.push(CheckedImage { id, names, diff_ids, chain_ids, config, tree: Tree::new() });
    }
    if let Some((id, names)) = names.pop_first() {
        return Err(Problem::new(format!("references/{names:?}: image {id} is not there")));
    }
    check_remotes(root, &layers)?;
    check_blobs(root)?;
    build_logs(root)?;
    for (name, content) in texts(root, "names")? {
        if !root.join("containers").join(content.trim()).is_dir() {
            return Err(Problem::new(format!("names/{name}: container {} is not there", content.trim())));
        }
    }
    check_volumes(root)?;
    check_failures(root, &layers)?;
    check_caches(root)?;
    Ok(images)
}

/// What servers gave: each record names a layer that is there.
fn check_remotes(root: &Path, layers: &BTreeSet<String>) -> Result<(), Problem> {
    for (name, content) in texts(root, "remotes")? {
        let name = format!("remotes/{name}");
        let record = json(&name, content.as_bytes())?;
        let layer = record["layer"].as_str().unwrap_or_default();
        check_presence(root, &name, layer, None, layers)?;
    }
    Ok(())
}

/// Each blob has its name's digest, each beginning of one the name of a digest, and what is known of a layer's blobs is well
/// formed. A store of an older version has no folders for them.
fn check_blobs(root: &Path) -> Result<(), Problem> {
    let names = |folder: &str| if root.join(folder).exists() { listing(root, folder) } else { Ok(Vec::new()) };
    let is_hex = |name: &str| name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    for hex in names("blobs")? {
        let mut hashed = Hashed { inner: open(&root.join("blobs").join(&hex))?, hash: Sha256::new() };
        std::io::copy(&mut hashed, &mut std::io::sink())
            .map_err(|error| Problem::new(format!("blobs/{hex}: {error}")))?;
        expect_digest(&format!("blobs/{hex}"), &format!("sha256:{hex}"), &name_of(&hashed.hash.finalize()))?;
    }
    if let Some(name) = names("partial")?.iter().find(|name| !is_hex(name)) {
        return Err(Problem::new(format!("partial/{name} is not named by a digest")));
    }
    for hex in names("transports")? {
        let name = format!("transports/{hex}");
        let record = json(&name, &read(&root.join(&name))?)?;
        let is_whole = |blob: &serde_json::Value| {
            blob["mediaType"].is_string()
                && blob["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).is_some_and(is_hex)
                && blob["size"].is_u64()
                && blob["repositories"].as_array().is_some_and(|all| all.iter().all(serde_json::Value::is_string))
        };
        if !is_hex(&hex) || !record.as_array().is_some_and(|blobs| blobs.iter().all(is_whole)) {
            return Err(Problem::new(format!("{name} is not a list of a layer's blobs")));
        }
    }
    Ok(())
}

fn build_logs(root: &Path) -> Result<(), Problem> {
    for id in listing(root, "logs")? {
        let folder = format!("logs/{id}");
        let index = json(&folder, &read(&root.join(&folder).join("index.json"))?)?;
        if index["id"] != id.as_str() {
            return Err(Problem::new(format!("{folder}: the index is that of build {}", index["id"])));
        }
        for name in listing(root, &folder)?.iter().filter(|name| *name != "index.json") {
            let number: Option<u64> = name.strip_suffix(".log").and_then(|number| number.parse().ok());
            let steps = index["steps"].as_array().into_iter().flatten();
            let step = steps.into_iter().find(|step| number.is_some() && step["number"].as_u64() == number);
            let Some(step) = step else { return Err(Problem::new(format!("{folder}/{name}: no step of that number"))) };
            let size = fs::metadata(root.join(&folder).join(name)).map_or(0, |file| file.len());
            if index["result"] != "running" && step["log_bytes"] != size {
                return Err(Problem::new(format!(
                    "{folder}/{name}: {size} bytes, the index says {}",
                    step["log_bytes"]
                )));
            }
        }
    }
    Ok(())
}

/// Each volume is whole, and each that a container names is there. A store of an older version has no folder for them.
fn check_volumes(root: &Path) -> Result<(), Problem> {
    let volumes = if root.join("volumes").exists() { listing(root, "volumes")? } else { Vec::new() };
    for name in &volumes {
        let folder = root.join("volumes").join(name);
        json(&format!("volumes/{name}"), &read(&folder.join("volume.json"))?)?;
        // What a killed process has left in `arriving` is finished by whoever opens the volume next.
        if !folder.join("_data").is_dir() {
            return Err(Problem::new(format!("volumes/{name} is not whole")));
        }
    }
    for id in listing(root, "containers")? {
        let names = fs::read_to_string(root.join("containers").join(&id).join("volumes")).unwrap_or_default();
        if let Some(name) = names.lines().find(|name| !volumes.iter().any(|volume| volume == name)) {
            return Err(Problem::new(format!("containers/{id}: volume {name} is not there")));
        }
    }
    Ok(())
}

/// A store of an older version has no folder for them.
fn check_failures(root: &Path, layers: &BTreeSet<String>) -> Result<(), Problem> {
    let kept = if root.join("failures").exists() { listing(root, "failures")? } else { Vec::new() };
    for id in kept {
        let folder = root.join("failures").join(&id);
        let name = format!("failures/{id}");
        json(&name, &read(&folder.join("record.json"))?)?;
        let order = String::from_utf8_lossy(&read(&folder.join("order"))?).into_owned();
        if order.parse::<i128>().is_err() || !folder.join("upper").is_dir() {
            return Err(Problem::new(format!("{name} is not whole")));
        }
        let text = String::from_utf8_lossy(&read(&folder.join("layers"))?).into_owned();
        for stack in text.split("\n\n") {
            let diff_ids: Vec<String> = stack.lines().map(str::to_owned).collect();
            check_stack(root, &name, &diff_ids, layers)?;
        }
    }
    Ok(())
}

/// Caches of RUN: what a cache holds is its commands' business, what is around it is not. A store of an older version
/// has no folder for them.
fn check_caches(root: &Path) -> Result<(), Problem> {
    let caches = if root.join("caches").exists() { listing(root, "caches")? } else { Vec::new() };
    for hex in caches {
        let cache = format!("caches/{hex}");
        let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        for name in listing(root, &cache)? {
            let path = root.join(&cache).join(&name);
            let wrong = |what: &str| Err(Problem::new(format!("{cache}/{name} {what}")));
            if name == "id" {
                expect_digest(&format!("{cache}/id"), &format!("sha256:{hex}"), &digest(&read(&path)?))?;
            } else if name.parse::<u32>().is_err() || !is_folder(&path) {
                return wrong("is not a folder with a number");
            } else if listing(root, &format!("{cache}/{name}"))? != ["data"] || !is_folder(&path.join("data")) {
                return wrong("holds something else than one folder `data`");
            } else if !root.join(&cache).join("id").exists() {
                return wrong("is there, and no `id` that says which cache it is");
            }
        }
    }
    Ok(())
}

/// Image IDs, as hex, with the references that lead to them.
fn references(root: &Path) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, content) in texts(root, "references")? {
        names.entry(trimmed_id(&content)).or_default().push(file.replace('+', "/"));
    }
    Ok(names)
}

/// The DiffIDs, as hex, of all layers whose tar is whole.
fn check_layers(root: &Path) -> Result<BTreeSet<String>, Problem> {
    let mut layers = BTreeSet::new();
    for name in listing(root, "layers")? {
        let Some(hex) = name.strip_suffix(".tar") else { continue };
        let mut hashed = Hashed { inner: open(&root.join("layers").join(&name))?, hash: Sha256::new() };
        tar_reader::read(&mut hashed, |_, _| Ok(()))
            .map_err(|problem| Problem::new(format!("layers/{name}: {problem}")))?;
        expect_digest(&format!("layers/{name}"), &format!("sha256:{hex}"), &name_of(&hashed.hash.finalize()))?;
        layers.insert(hex.to_owned());
    }
    Ok(layers)
}

/// Layers on top of each other, the bottom one first.
fn check_stack(root: &Path, user: &str, diff_ids: &[String], layers: &BTreeSet<String>) -> Result<(), Problem> {
    let chain_ids = chain_ids(diff_ids);
    let below = std::iter::once(None).chain(chain_ids.iter().map(Some));
    diff_ids
        .iter()
        .zip(below)
        .try_for_each(|(diff_id, below)| check_presence(root, user, diff_id, below.map(String::as_str), layers))
}

/// `below` is the chain of the layers under this one.
fn check_presence(
    root: &Path,
    user: &str,
    diff_id: &str,
    below: Option<&str>,
    layers: &BTreeSet<String>,
) -> Result<(), Problem> {
    let (diff, below) = (diff_id.trim_start_matches("sha256:"), below.unwrap_or("base").trim_start_matches("sha256:"));
    if !layers.contains(diff) {
        return Err(Problem::new(format!("{user}: layers/{diff}.tar is missing")));
    }
    let forms =
        [format!("layers/{diff}.erofs"), format!("layers/{diff}-{below}.erofs"), format!("extracted/{diff}-{below}")];
    if forms.iter().any(|form| root.join(form).exists()) {
        return Ok(());
    }
    Err(Problem::new(format!("{user}: layer {diff} has neither an index nor an extracted folder")))
}

fn tree(root: &Path, diff_ids: &[String]) -> Result<Tree, Problem> {
    let mut tree = Tree::new();
    for diff_id in diff_ids {
        let name = format!("{}.tar", diff_id.trim_start_matches("sha256:"));
        apply_layer(&mut tree, open(&root.join("layers").join(name))?)?;
    }
    Ok(tree)
}

fn trimmed_id(content: &str) -> String {
    content.trim().trim_start_matches("sha256:").to_owned()
}

fn listing(root: &Path, folder: &str) -> Result<Vec<String>, Problem> {
    let entries = fs::read_dir(root.join(folder)).map_err(|error| Problem::new(format!("{folder}: {error}")))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn texts(root: &Path, folder: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut texts = Vec::new();
    for name in listing(root, folder)? {
        let bytes = read(&root.join(folder).join(&name))?;
        texts.push((name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(texts)
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(|error| Problem::new(format!("{}: {error}", path.display())))
}

fn open(path: &Path) -> Result<impl std::io::Read + use<>, Problem> {
    let file = File::open(path).map_err(|error| Problem::new(format!("{}: {error}", path.display())))?;
    Ok(std::io::BufReader::with_capacity(1 << 16, file))
}
