//! An independent reader of images: recomputes every digest from the bytes and refuses what does not match.
//!
//! It knows the formats from their specifications only (image-spec: manifest, config, layer; Docker's archive) and
//! shares no code with the crates under test. [`check_archive`] reads what `save` of any tool has written,
//! [`check_store`] the files of a store, and both hand out the file tree that a container would see, so that the
//! images of two tools can be compared entry by entry.

mod archive;
mod store;
mod tar_reader;
mod tree;

use std::fmt;
use std::io::Read;

use sha2::{Digest as _, Sha256};

pub use archive::check_archive;
pub use store::{check_store, store_images};
pub use tree::{Kind, Node, Tree, differences};

/// What is wrong, with the name of the thing that it is wrong with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(String);

impl Problem {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

/// An image whose digests have all been recomputed.
#[derive(Debug)]
pub struct CheckedImage {
    /// Digest of the config: Docker's image ID, `sha256:…`.
    pub id: String,
    /// The names that the archive gives to it.
    pub names: Vec<String>,
    /// Digests of the uncompressed layers, bottom first.
    pub diff_ids: Vec<String>,
    /// Chain IDs, bottom first (image-spec, config.md, "Layer ChainID").
    pub chain_ids: Vec<String>,
    /// The config as JSON.
    pub config: serde_json::Value,
    /// The merged file tree.
    pub tree: Tree,
}

/// Digest of some bytes in the form of the image-spec.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    name_of(&Sha256::digest(bytes))
}

/// Length and digest of everything that a stream has left.
fn digest_of(mut stream: impl Read) -> std::io::Result<(u64, String)> {
    let (mut hash, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok((length, name_of(&hash.finalize()))),
            read => {
                hash.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}

fn name_of(hash: &[u8]) -> String {
    let mut name = String::from("sha256:");
    for byte in hash {
        name.push_str(&format!("{byte:02x}"));
    }
    name
}

/// image-spec, config.md: ChainID(L0) = DiffID(L0); ChainID(Ln) = Digest(ChainID(Ln-1) + " " + DiffID(Ln)).
#[must_use]
pub fn chain_ids(diff_ids: &[String]) -> Vec<String> {
    let mut chain: Vec<String> = Vec::new();
    for diff_id in diff_ids {
        let next = match chain.last() {
            None => diff_id.clone(),
            Some(below) => digest(format!("{below} {diff_id}").as_bytes()),
        };
        chain.push(next);
    }
    chain
}

/// The `rootfs.diff_ids` of a config, with the checks that the image-spec asks for.
fn diff_ids(config: &serde_json::Value, id: &str) -> Result<Vec<String>, Problem> {
    if config["rootfs"]["type"] != "layers" {
        return Err(Problem::new(format!("config {id}: rootfs.type is {}, not \"layers\"", config["rootfs"]["type"])));
    }
    for field in ["architecture", "os"] {
        if config[field].as_str().is_none_or(|value| value.is_empty()) {
            return Err(Problem::new(format!("config {id}: {field} is missing")));
        }
    }
    let empty = Vec::new();
    let list = config["rootfs"]["diff_ids"].as_array().unwrap_or(&empty);
    let ids: Option<Vec<String>> = list.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    let ids = ids.ok_or_else(|| Problem::new(format!("config {id}: a DiffID is not a string")))?;
    if let Some(history) = config["history"].as_array() {
        let layers = history.iter().filter(|entry| entry["empty_layer"] != true).count();
        if layers != ids.len() {
            let count = ids.len();
            return Err(Problem::new(format!("config {id}: history tells of {layers} layers, rootfs has {count}")));
        }
    }
    Ok(ids)
}

fn expect_digest(what: &str, expected: &str, actual: &str) -> Result<(), Problem> {
    if expected == actual {
        Ok(())
    } else {
        Err(Problem::new(format!("{what}: digest is {actual}, expected {expected}")))
    }
}

fn json(what: &str, bytes: &[u8]) -> Result<serde_json::Value, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::new(format!("{what}: {error}")))
}

#[cfg(test)]
mod tests;
