//! The file tree that a stack of layers makes (image-spec, layer.md), as plain data that can be compared.

use std::collections::BTreeMap;
use std::io::Read;

use super::tar_reader::{self, Header};
use super::{Problem, digest_of};

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with the digest of its content.
    File {
        /// Length in bytes.
        size: u64,
        /// `sha256:…` of the content.
        digest: String,
    },
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink(String),
    /// A device, as `c 1:3` or `b 8:0`.
    Device(String),
    /// A named pipe.
    Fifo,
}

/// One path of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-user-ID, set-group-ID and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// Of hard links that one layer brings: the first of their names.
    pub link: Option<String>,
}

/// All paths, relative, without a leading slash; the root itself is left out.
pub type Tree = BTreeMap<String, Node>;

/// Lays one uncompressed layer over the tree.
pub(super) fn apply_layer(tree: &mut Tree, layer: impl Read) -> Result<(), Problem> {
    // Whiteouts hide what lies below, never what the same layer brings, in whatever order both come.
    let mut removed: Vec<(String, bool)> = Vec::new();
    let mut added = Tree::new();
    let mut links: Vec<(String, String)> = Vec::new();
    tar_reader::read(layer, |header, content| {
        let path = normal(&header.path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if path.is_empty() {
            return Ok(());
        }
        if name == ".wh..wh..opq" {
            removed.push((folder.to_owned(), true));
        } else if let Some(name) = name.strip_prefix(".wh.") {
            removed.push((if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }, false));
        } else if header.kind == b'1' {
            links.push((path, normal(&header.target)));
        } else {
            let node = node(&header, content)?;
            added.insert(path, node);
        }
        Ok(())
    })?;
    for (path, opaque) in removed {
        remove(tree, &path, !opaque);
    }
    for (path, target) in &links {
        let node = added.get(target).or_else(|| tree.get(target)).cloned();
        let node =
            node.ok_or_else(|| Problem::new(format!("layer: hard link {path} to {target}, which is not there")))?;
        added.insert(path.clone(), node);
    }
    name_groups(&links, &mut added);
    for (path, node) in added {
        let replaces = tree.get(&path).is_some_and(|old| old.kind == Kind::Directory) && node.kind != Kind::Directory;
        if replaces {
            remove(tree, &path, true);
        }
        tree.insert(path, node);
    }
    Ok(())
}

/// Which of the names is the file and which are links to it is a matter of order, and differs between tools.
fn name_groups(links: &[(String, String)], added: &mut Tree) {
    let mut groups: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    for (path, target) in links {
        groups.entry(target).or_insert_with(|| vec![target]).push(path);
    }
    for names in groups.into_values() {
        let first = names.iter().min().map(|name| (*name).clone());
        for name in names {
            if let Some(node) = added.get_mut(name) {
                node.link.clone_from(&first);
            }
        }
    }
}

fn remove(tree: &mut Tree, path: &str, itself: bool) {
    let below = format!("{path}/");
    tree.retain(|name, _| !(name.starts_with(&below) || path.is_empty() || itself && name == path));
}

fn normal(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

fn node(header: &Header, content: &mut dyn Read) -> Result<Node, Problem> {
    let kind = match header.kind {
        b'0' | 0 | b'7' => {
            let (size, digest) = digest_of(content).map_err(|error| Problem::new(format!("tar: {error}")))?;
            Kind::File { size, digest }
        }
        b'2' => Kind::Symlink(String::from_utf8_lossy(&header.target).into_owned()),
        b'3' => Kind::Device(format!("c {}:{}", header.device.0, header.device.1)),
        b'4' => Kind::Device(format!("b {}:{}", header.device.0, header.device.1)),
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => return Err(Problem::new(format!("layer: entry of unknown kind {:?}", char::from(other)))),
    };
    Ok(Node { kind, mode: header.mode, uid: header.uid, gid: header.gid, xattrs: header.xattrs.clone(), link: None })
}

/// The paths in which two trees differ, with both sides; at most `limit` of them.
#[must_use]
pub fn differences(left: &Tree, right: &Tree, limit: usize) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    names
        .into_iter()
        .filter(|&name| left.get(name) != right.get(name))
        .take(limit)
        .map(|name| format!("{name}: {:?} / {:?}", left.get(name), right.get(name)))
        .collect()
}
