//! An image archive: Docker's (`manifest.json`), an OCI layout (`index.json`), or both at once as Docker 25 writes it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::tree::{Tree, apply_layer};
use super::{CheckedImage, Problem, chain_ids, diff_ids, digest, digest_of, expect_digest, json, name_of, tar_reader};

/// Reads an archive and recomputes everything in it.
///
/// # Errors
/// If any digest, name or document is not what it should be.
pub fn check_archive(path: &Path) -> Result<Vec<CheckedImage>, Problem> {
    let archive = Archive::open(path)?;
    archive.check_blobs()?;
    let by_index = if archive.members.contains_key("index.json") { archive.images_by_index()? } else { Vec::new() };
    if !archive.members.contains_key("manifest.json") {
        return if by_index.is_empty() { Err(Problem::new("archive: no image in it")) } else { Ok(by_index) };
    }
    let by_manifest = archive.images_by_manifest()?;
    // Both descriptions must speak of the same images.
    for image in &by_manifest {
        if !by_index.is_empty() && !by_index.iter().any(|other| other.id == image.id) {
            return Err(Problem::new(format!("archive: {} is in manifest.json and not in index.json", image.id)));
        }
    }
    Ok(by_manifest)
}

/// Where the members of an archive lie in its file.
struct Archive {
    file: File,
    members: BTreeMap<String, Member>,
    /// Trees of stacks of layers that were recomputed, by the members and the DiffIDs that these had to have: images share
    /// stacks, and both descriptions speak of the same ones.
    stacks: RefCell<HashMap<Vec<(String, String)>, Tree>>,
}

enum Member {
    At(u64, u64),
    Link(String),
}

impl Archive {
    fn open(path: &Path) -> Result<Self, Problem> {
        let problem = |error| Problem::new(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(problem)?;
        let mut members = BTreeMap::new();
        let position = std::cell::Cell::new(0u64);
        let counted = Counted { inner: BufReader::with_capacity(1 << 16, &file), position: &position };
        tar_reader::read(counted, |header, _| {
            let name = String::from_utf8_lossy(&header.path).trim_start_matches("./").trim_end_matches('/').to_owned();
            match header.kind {
                b'0' | 0 => drop(members.insert(name, Member::At(position.get(), header.size))),
                b'1' | b'2' => {
                    let target = link_target(&name, &String::from_utf8_lossy(&header.target), header.kind == b'2');
                    members.insert(name, Member::Link(target));
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self { file, members, stacks: RefCell::default() })
    }

    fn member(&self, name: &str) -> Result<impl Read + '_, Problem> {
        let mut name = name;
        for _ in 0..3 {
            match self.members.get(name) {
                Some(Member::Link(target)) => name = target,
                Some(&Member::At(offset, size)) => {
                    let mut file = &self.file;
                    file.seek(SeekFrom::Start(offset)).map_err(|error| Problem::new(format!("{name}: {error}")))?;
                    return Ok(BufReader::with_capacity(1 << 16, file).take(size));
                }
                None => break,
            }
        }
        Err(Problem::new(format!("archive: {name} is missing")))
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        self.member(name)?.read_to_end(&mut bytes).map_err(|error| Problem::new(format!("{name}: {error}")))?;
        Ok(bytes)
    }

    /// A file below `blobs/sha256` has its digest as its name.
    fn check_blobs(&self) -> Result<(), Problem> {
        for name in self.members.keys() {
            if let Some(hex) = name.strip_prefix("blobs/sha256/") {
                let (_, digest) =
                    digest_of(self.member(name)?).map_err(|error| Problem::new(format!("{name}: {error}")))?;
                expect_digest(name, &format!("sha256:{hex}"), &digest)?;
            }
        }
        Ok(())
    }

    fn images_by_manifest(&self) -> Result<Vec<CheckedImage>, Problem> {
        let list = json("manifest.json", &self.bytes("manifest.json")?)?;
        let mut images = Vec::new();
        for entry in list.as_array().ok_or_else(|| Problem::new("manifest.json: not a list"))? {
            let config = entry["Config"].as_str().ok_or_else(|| Problem::new("manifest.json: no Config"))?;
            let layers = strings(&entry["Layers"]);
            images.push(self.image(config, &layers, strings(&entry["RepoTags"]))?);
        }
        Ok(images)
    }

    fn images_by_index(&self) -> Result<Vec<CheckedImage>, Problem> {
        let index = json("index.json", &self.bytes("index.json")?)?;
        let mut images = Vec::new();
        for descriptor in index["manifests"].as_array().into_iter().flatten() {
            let name = descriptor["annotations"]["org.opencontainers.image.ref.name"].as_str();
            let manifest = json("manifest", &self.descriptor(descriptor)?)?;
            if manifest["layers"].is_null() {
                continue;
            }
            self.descriptor(&manifest["config"])?;
            let mut layers = Vec::new();
            for layer in manifest["layers"].as_array().into_iter().flatten() {
                layers.push(self.blob_of(layer)?);
            }
            let names = name.map(str::to_owned).into_iter().collect();
            images.push(self.image(&self.blob_of(&manifest["config"])?, &layers, names)?);
        }
        Ok(images)
    }

    /// The name of a descriptor's blob, whose size must be the one that the descriptor gives.
    fn blob_of(&self, descriptor: &serde_json::Value) -> Result<String, Problem> {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        let name = format!("blobs/{}", digest.replacen(':', "/", 1));
        match self.members.get(&name) {
            Some(&Member::At(_, size)) if descriptor["size"].as_u64() == Some(size) => Ok(name),
            Some(&Member::At(_, size)) => {
                Err(Problem::new(format!("{digest}: is {size} bytes long, its descriptor says {}", descriptor["size"])))
            }
            _ => Err(Problem::new(format!("archive: {name} is missing"))),
        }
    }

    fn descriptor(&self, descriptor: &serde_json::Value) -> Result<Vec<u8>, Problem> {
        let name = self.blob_of(descriptor)?;
        let bytes = self.bytes(&name)?;
        expect_digest(&name, descriptor["digest"].as_str().unwrap_or_default(), &digest(&bytes))?;
        Ok(bytes)
    }

    fn image(&self, config_name: &str, layers: &[String], names: Vec<String>) -> Result<CheckedImage, Problem> {
        let bytes = self.bytes(config_name)?;
        let id = digest(&bytes);
        // Docker's older archives name the config `<id>.json`.
        if let Some(hex) = config_name.strip_suffix(".json") {
            expect_digest(config_name, &format!("sha256:{hex}"), &id)?;
        }
        let config = json(config_name, &bytes)?;
        let diff_ids = diff_ids(&config, &id)?;
        if diff_ids.len() != layers.len() {
            let (ids, count) = (diff_ids.len(), layers.len());
            return Err(Problem::new(format!("{id}: config has {ids} DiffIDs, the archive {count} layers")));
        }
        let tree = self.tree(layers, &diff_ids)?;
        Ok(CheckedImage { chain_ids: chain_ids(&diff_ids), id, names, diff_ids, config, tree })
    }
}

impl Archive {
    /// The tree of a stack of layers, each with the DiffID that it must have. What was recomputed of it goes for once.
    fn tree(&self, layers: &[String], diff_ids: &[String]) -> Result<Tree, Problem> {
        let names = layers.iter().map(|layer| self.target(layer).to_owned());
        let stack: Vec<(String, String)> = names.zip(diff_ids.iter().cloned()).collect();
        let mut stacks = self.stacks.borrow_mut();
        let known = (0..=stack.len()).rev().find(|height| *height == 0 || stacks.contains_key(&stack[..*height]));
        let height = known.unwrap_or(0);
        let mut tree = stacks.get(&stack[..height]).cloned().unwrap_or_else(Tree::new);
        for (number, (layer, diff_id)) in stack.iter().enumerate().skip(height) {
            let mut hashed = Hashed { inner: uncompressed(self.member(layer)?)?, hash: Sha256::new() };
            apply_layer(&mut tree, &mut hashed)?;
            expect_digest(layer, diff_id, &name_of(&hashed.hash.finalize()))?;
            stacks.insert(stack[..=number].to_vec(), tree.clone());
        }
        Ok(tree)
    }

    /// The member that a name leads to.
    fn target<'a>(&'a self, name: &'a str) -> &'a str {
        let mut name = name;
        for _ in 0..3 {
            if let Some(Member::Link(target)) = self.members.get(name) {
                name = target;
            }
        }
        name
    }
}

fn strings(value: &serde_json::Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A symbolic link starts at its own folder, a hard link at the root of the archive.
fn link_target(name: &str, target: &str, symbolic: bool) -> String {
    let mut parts: Vec<&str> = if symbolic { name.split('/').collect() } else { Vec::new() };
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Looks at the first bytes: gzip, zstd or a plain tar.
pub(super) fn uncompressed<'a>(source: impl Read + 'a) -> Result<Box<dyn Read + 'a>, Problem> {
    let mut source = BufReader::new(source);
    let start = std::io::BufRead::fill_buf(&mut source).map_err(|error| Problem::new(format!("layer: {error}")))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(source)));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = zstd::Decoder::with_buffer(source).map_err(|error| Problem::new(format!("layer: {error}")))?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(source))
}

/// Hashes what passes through.
pub(super) struct Hashed<R> {
    pub(super) inner: R,
    pub(super) hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

/// Knows how many bytes have passed through, which is where the current member begins.
struct Counted<'a, R> {
    inner: R,
    position: &'a std::cell::Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.position.set(self.position.get() + length as u64);
        Ok(length)
    }
}
