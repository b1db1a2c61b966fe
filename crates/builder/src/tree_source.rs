//! The files of a stage, an image or an archive, found by the indexes of its layers alone.

use std::collections::HashMap;

use dockerfile::{Folder, IgnoreFile, Verdict};
use layer::{Entry, EntryKind, Node, Tree, TreeError};
use oci::{Digest, Hasher};

use crate::copy::CopyError;
use crate::path::{inside, join, lossy, name};
use crate::pattern::{self, Name};
use crate::source::{Content, Selection, SourceEntry};

/// All that a source word stands for, without digests. `origin` is where it is looked for, as shown.
pub(crate) fn select_all(tree: &Tree, word: &str, origin: &str) -> Result<Vec<Selection>, CopyError> {
    if !pattern::has_wildcard(word) {
        return Ok(vec![select(tree, &inside("/", word), origin)?]);
    }
    let paths = pattern::expand(word, &|folder| names_in(tree, folder))?;
    let selected = paths.iter().map(|path| select(tree, path, origin));
    selected.filter(|selection| !matches!(selection, Err(CopyError::NotFound { .. }))).collect()
}

/// The files of a stage or an image below a path, with their digests left out.
pub(crate) fn select(tree: &Tree, path: &[u8], origin: &str) -> Result<Selection, CopyError> {
    let missing = || CopyError::NotFound { path: format!("/{}", lossy(path)), origin: origin.to_owned() };
    let node = match tree.resolve(path, true) {
        Ok(found) => found.node.ok_or_else(missing)?,
        Err(TreeError::NotDirectory { .. }) => return Err(missing()),
        Err(error) => return Err(error.into()),
    };
    let name = name(path).to_vec();
    let mut entries = Vec::new();
    collect(tree, Vec::new(), &node, None, &mut entries)?;
    Ok(Selection { context: None, name, root: Vec::new(), is_unpacked: false, entries })
}

/// What an ignore file says of the folder that is being collected.
#[derive(Debug, Clone)]
pub(crate) struct Rules<'r> {
    pub(crate) ignore: &'r IgnoreFile,
    /// Path in the context of what the collection began with.
    pub(crate) root: &'r [u8],
    /// What is known of the folder itself.
    pub(crate) folder: Folder,
}

/// Adds a node and all that is below it, depth first, less what the rules leave out. A folder that is left out counts
/// only for what is taken back in below it.
pub(crate) fn collect(
    tree: &Tree,
    path: Vec<u8>,
    node: &Node,
    rules: Option<&Rules<'_>>,
    entries: &mut Vec<SourceEntry>,
) -> Result<(), TreeError> {
    let Entry { kind, metadata, .. } = tree.entry(node, &path)?;
    let is_file = matches!(kind, EntryKind::File { .. });
    let identity = node.identity();
    entries.push(SourceEntry {
        path: path.clone(),
        kind,
        metadata,
        digest: None,
        identity: is_file.then_some((u64::from(identity.layer), identity.inode)),
        content: if is_file { Content::Tree { tree: tree.clone(), node: node.clone() } } else { Content::None },
    });
    if !node.is_directory() {
        return Ok(());
    }
    for (name, child) in tree.read_dir(node)? {
        let path = join(&path, &name);
        let Some(rules) = rules else {
            collect(tree, path, &child, None, entries)?;
            continue;
        };
        let place = join(rules.root, &path);
        let verdict = rules.ignore.check(&rules.folder, &place, child.is_directory());
        if verdict == Verdict::Skipped || verdict == Verdict::Ignored && !child.is_directory() {
            continue;
        }
        let below = Rules { folder: rules.ignore.enter(&rules.folder, &place), ..rules.clone() };
        let own = entries.len();
        collect(tree, path, &child, Some(&below), entries)?;
        if verdict == Verdict::Ignored && entries.len() == own + 1 {
            entries.truncate(own);
        }
    }
    Ok(())
}

/// Names in a folder of a stage or image, and whether each is a folder.
fn names_in(tree: &Tree, folder: &[u8]) -> Result<Vec<Name>, CopyError> {
    let node = match tree.resolve(folder, true) {
        Ok(found) => found.node,
        Err(TreeError::NotDirectory { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(node) = node.filter(Node::is_directory) else { return Ok(Vec::new()) };
    Ok(tree.read_dir(&node)?.into_iter().map(|(name, child)| (name, child.is_directory())).collect())
}

/// Fills in the digests of files that come from layers, by reading them.
pub(crate) fn digest(entries: &mut [SourceEntry]) -> Result<(), CopyError> {
    let mut buffer = vec![0; 1 << 17];
    let mut known: HashMap<(u64, u64), Digest> = HashMap::new();
    for entry in entries {
        let Content::Tree { tree, node } = &entry.content else { continue };
        if let Some(digest) = entry.identity.and_then(|identity| known.get(&identity)) {
            entry.digest = Some(*digest);
            continue;
        }
        let mut reader = tree.open(node)?;
        let mut hasher = Hasher::new();
        loop {
            let count = std::io::Read::read(&mut reader, &mut buffer)
                .map_err(|source| layer::WriteError::Read { path: lossy(&entry.path), source })?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
        }
        let digest = hasher.finish();
        entry.digest = Some(digest);
        if let Some(identity) = entry.identity {
            known.insert(identity, digest);
        }
    }
    Ok(())
}
