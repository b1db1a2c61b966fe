//! The files of a stage, an image or an archive, found by the indexes of its layers alone.

use std::collections::HashMap;
use std::sync::Arc;

use dockerfile::{Folder, IgnoreFile, Verdict};
use layer::{Entry, EntryKind, Node, Resolved, Tree, TreeError};
use oci::{Digest, Hasher};

use crate::copy::CopyError;
use crate::filter::{Choice, Filter, Matched};
use crate::path::{join, lossy, name};
use crate::pattern::Name;
use crate::source::{Content, Selection, SourceEntry};
use crate::wanted::Origin;

/// A stage or an image, as the place where sources are looked for.
#[derive(Debug)]
pub(crate) struct TreeOrigin<'t> {
    pub(crate) tree: &'t Tree,
    /// As shown: `stage build`, `image node:18`.
    pub(crate) name: &'t str,
}

impl TreeOrigin<'_> {
    /// What a path leads to, links followed.
    fn resolve(&self, path: &[u8]) -> Result<(Vec<u8>, Node), CopyError> {
        let missing = || CopyError::NotFound { path: format!("/{}", lossy(path)), origin: self.name.to_owned() };
        match self.tree.resolve(path, true) {
            Ok(Resolved { path, node: Some(node) }) => Ok((path, node)),
            Ok(_) | Err(TreeError::NotDirectory { .. }) => Err(missing()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Origin for TreeOrigin<'_> {
    fn names_in(&self, folder: &[u8]) -> Result<Vec<Name>, CopyError> {
        names_in(self.tree, folder)
    }

    fn select(&mut self, path: Vec<u8>, filter: &Filter) -> Result<Arc<Selection>, CopyError> {
        let (_, node) = self.resolve(&path)?;
        let mut selection = select(self.tree, &node, name(&path), filter)?;
        digest(&mut selection.entries)?;
        Ok(Arc::new(selection))
    }

    fn leads_to(&self, path: &[u8]) -> Result<Vec<u8>, CopyError> {
        self.resolve(path).map(|(path, _)| path)
    }
}

/// A file of that name, or a folder with all that is below it, with digests left out.
pub(crate) fn select(tree: &Tree, node: &Node, name: &[u8], filter: &Filter) -> Result<Selection, CopyError> {
    let entries = match node.is_directory() || filter.takes_file(name) {
        true => Collector { tree, rules: None, filter }.collect(node)?,
        false => Vec::new(),
    };
    Ok(Selection { context: None, name: name.to_vec(), root: Vec::new(), is_unpacked: false, entries })
}

/// What an ignore file says of the folder that a collection begins with.
#[derive(Debug)]
pub(crate) struct Rules<'r> {
    pub(crate) ignore: &'r IgnoreFile,
    /// Its path in the context.
    pub(crate) root: &'r [u8],
    /// What is known of it.
    pub(crate) folder: Folder,
}

/// Collects what is below a folder of a tree.
#[derive(Debug)]
pub(crate) struct Collector<'c> {
    pub(crate) tree: &'c Tree,
    pub(crate) rules: Option<Rules<'c>>,
    pub(crate) filter: &'c Filter,
}

/// What is known of a folder by the rules and by the filter.
struct Known {
    folder: Folder,
    matched: Matched,
}

impl Collector<'_> {
    /// A node and all that is below it, depth first, less what is left out. A folder that is left out counts only for
    /// what is taken back in below it.
    pub(crate) fn collect(&self, node: &Node) -> Result<Vec<SourceEntry>, TreeError> {
        let folder = self.rules.as_ref().map_or_else(Folder::default, |rules| rules.folder.clone());
        let mut entries = Vec::new();
        self.add(node, Vec::new(), &Known { folder, matched: self.filter.root() }, &mut entries)?;
        Ok(entries)
    }

    fn add(&self, node: &Node, path: Vec<u8>, known: &Known, entries: &mut Vec<SourceEntry>) -> Result<(), TreeError> {
        let below = match node.is_directory() {
            true => self.tree.read_dir(node)?,
            false => Vec::new(),
        };
        entries.push(source_entry(self.tree, node, path.clone())?);
        for (name, child) in below {
            let path = join(&path, &name);
            let is_folder = child.is_directory();
            let mut known_below = Known { folder: Folder::default(), matched: Matched::default() };
            let mut is_ignored = false;
            if let Some(rules) = &self.rules {
                let place = join(rules.root, &path);
                let verdict = rules.ignore.check(&known.folder, &place, is_folder);
                if verdict == Verdict::Skipped || verdict == Verdict::Ignored && !is_folder {
                    continue;
                }
                is_ignored = verdict == Verdict::Ignored;
                known_below.folder = rules.ignore.enter(&known.folder, &place);
            }
            let mut choice = Choice::Taken;
            if !self.filter.takes_all() {
                choice = self.filter.choose(&known.matched, &path, is_folder);
                if choice == Choice::Left {
                    continue;
                }
                known_below.matched = self.filter.enter(&known.matched, &path);
            }
            let own = entries.len();
            self.add(&child, path, &known_below, entries)?;
            entries[own].is_way = choice == Choice::Way;
            if (is_ignored || choice == Choice::Way) && entries.len() == own + 1 {
                entries.truncate(own);
            }
        }
        Ok(())
    }
}

/// One file of a tree.
pub(crate) fn source_entry(tree: &Tree, node: &Node, path: Vec<u8>) -> Result<SourceEntry, TreeError> {
    let Entry { kind, metadata, path } = tree.entry(node, &path)?;
    let is_file = matches!(kind, EntryKind::File { .. });
    let identity = node.identity();
    Ok(SourceEntry {
        path,
        kind,
        metadata,
        digest: None,
        identity: is_file.then_some((u64::from(identity.layer), identity.inode)),
        content: if is_file { Content::Tree { tree: tree.clone(), node: node.clone() } } else { Content::None },
        is_way: false,
    })
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
