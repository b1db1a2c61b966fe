//! Several layers as one: what they change together, on the layers below them (`build --squash`).
//!
//! The merged tree is walked once beside the tree of the layers below. What comes from a layer above the base is
//! written as it is there; a name that the base has and the merged tree has not becomes a whiteout.

use crate::entry::{Entry, EntryKind, Metadata};
use crate::flatten::HardLinks;
use crate::tree::{Node, Tree, TreeError, Visit, Walk};
use crate::writer::{LayerWriter, WriteError};

/// Why layers cannot be made one.
#[derive(Debug, thiserror::Error)]
pub enum SquashError {
    /// They cannot be read.
    #[error("cannot read the layers")]
    Tree(#[from] TreeError),
    /// The new one cannot be written.
    #[error("cannot write the squashed layer")]
    Write(#[from] WriteError),
}

/// Writes what all layers of `tree` but the lowest `kept` change.
///
/// # Errors
/// When the layers cannot be read or the layer cannot be written.
pub fn squash(tree: &Tree, kept: usize, writer: &mut LayerWriter) -> Result<(), SquashError> {
    let base = Tree::new(tree.layers()[..kept.min(tree.layers().len())].to_vec());
    let mut squash = Squash { tree, base: &base, kept, links: HardLinks::default(), writer };
    squash.root()?;
    let mut walk = Walk::new(tree)?;
    let root = base.root()?;
    // What the base has at the folder that the walk is in, and the names there that are still to be met.
    let mut levels = vec![Level::new(&base, root, Vec::new())?];
    loop {
        match walk.next_visit()? {
            Some(Visit::Name { path, node }) => {
                let Some(level) = levels.last_mut() else { break };
                let name = crate::entry::split(&path).1.to_vec();
                squash.gone_before(level, Some(&name))?;
                let below = level.take(&name);
                squash.name(&path, &node)?;
                if node.is_directory() {
                    levels.push(Level::new(&base, below, path)?);
                }
            }
            Some(Visit::Left) => squash.leave(&mut levels)?,
            None => break,
        }
    }
    while !levels.is_empty() {
        squash.leave(&mut levels)?;
    }
    Ok(())
}

/// A folder beside the one that the walk is in.
struct Level {
    path: Vec<u8>,
    /// Names of the base that were not met yet, the last one first.
    names: Vec<(Vec<u8>, Node)>,
}

impl Level {
    fn new(base: &Tree, folder: Option<Node>, path: Vec<u8>) -> Result<Self, TreeError> {
        let mut names = match folder.filter(Node::is_directory) {
            Some(folder) => base.read_dir(&folder)?,
            None => Vec::new(),
        };
        names.reverse();
        Ok(Self { path, names })
    }

    /// What the base has by this name, if it is the next one.
    fn take(&mut self, name: &[u8]) -> Option<Node> {
        self.names.pop_if(|(next, _)| next == name).map(|(_, node)| node)
    }
}

struct Squash<'a> {
    tree: &'a Tree,
    base: &'a Tree,
    kept: usize,
    links: HardLinks,
    writer: &'a mut LayerWriter,
}

impl Squash<'_> {
    /// The root is written when mode, owner, attributes or time are other ones now.
    fn root(&mut self) -> Result<(), SquashError> {
        let metadata = |tree: &Tree| -> Result<Option<Metadata>, TreeError> {
            tree.root()?.map(|root| Ok(tree.entry(&root, b"")?.metadata)).transpose()
        };
        let (now, before) = (metadata(self.tree)?, metadata(self.base)?);
        if let Some(metadata) = now
            && before.as_ref() != Some(&metadata)
            && self.tree.layers()[self.kept..].iter().any(|layer| layer.index.lists_root())
        {
            self.append(&Entry { path: Vec::new(), kind: EntryKind::Directory, metadata }, None)?;
        }
        Ok(())
    }

    fn name(&mut self, path: &[u8], node: &Node) -> Result<(), SquashError> {
        if (node.identity().layer as usize) < self.kept {
            return Ok(());
        }
        let mut entry = self.tree.entry(node, path)?;
        if let Some(first) = self.links.first_name(self.tree, node, path)? {
            entry.kind = EntryKind::HardLink { target: first.to_vec() };
        }
        let content = matches!(entry.kind, EntryKind::File { .. }).then_some(node);
        self.append(&entry, content)
    }

    fn append(&mut self, entry: &Entry, content: Option<&Node>) -> Result<(), SquashError> {
        match content {
            Some(node) => self.writer.append(entry, &mut self.tree.open(node)?)?,
            None => self.writer.append(entry, &mut std::io::empty())?,
        }
        Ok(())
    }

    /// Whiteouts for names of the base that come before `name`, or for all that are left.
    fn gone_before(&mut self, level: &mut Level, name: Option<&[u8]>) -> Result<(), SquashError> {
        while let Some((gone, _)) = level.names.pop_if(|(next, _)| name.is_none_or(|name| next.as_slice() < name)) {
            let separator: &[u8] = if level.path.is_empty() { b"" } else { b"/" };
            let path = [&level.path[..], separator, &gone].concat();
            self.append(&Entry { path, kind: EntryKind::Whiteout, metadata: Metadata::default() }, None)?;
        }
        Ok(())
    }

    fn leave(&mut self, levels: &mut Vec<Level>) -> Result<(), SquashError> {
        levels.pop().map_or(Ok(()), |mut level| self.gone_before(&mut level, None))
    }
}

#[cfg(test)]
mod tests;
