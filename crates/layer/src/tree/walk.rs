//! Every name of a tree in the order of a layer: a folder, then what is in it, names by their bytes.

use super::{Node, Tree, TreeError};

/// What comes next in a [`Walk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    /// A name. If it is a folder, what is in it follows, and then [`Visit::Left`].
    Name {
        /// Its path, in normal form; never the root.
        path: Vec<u8>,
        /// What it is.
        node: Node,
    },
    /// All of the innermost folder was seen.
    Left,
}

/// A walk through a tree below its root.
#[derive(Debug)]
pub struct Walk<'t> {
    tree: &'t Tree,
    path: Vec<u8>,
    levels: Vec<Level>,
}

/// A folder that the walk is in.
#[derive(Debug)]
struct Level {
    /// Still to be seen, the last one first.
    names: Vec<(Vec<u8>, Node)>,
    path_length: usize,
}

impl<'t> Walk<'t> {
    /// Begins at the root.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn new(tree: &'t Tree) -> Result<Self, TreeError> {
        let mut walk = Self { tree, path: Vec::new(), levels: Vec::new() };
        if let Some(root) = tree.root()? {
            walk.enter(&root)?;
        }
        Ok(walk)
    }

    /// Begins at a folder, from which all paths count.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn below(tree: &'t Tree, folder: &Node) -> Result<Self, TreeError> {
        let mut walk = Self { tree, path: Vec::new(), levels: Vec::new() };
        walk.enter(folder)?;
        Ok(walk)
    }

    /// The next name, or the end of a folder; `None` when the root's is reached.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn next_visit(&mut self) -> Result<Option<Visit>, TreeError> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        self.path.truncate(level.path_length);
        let Some((name, node)) = level.names.pop() else {
            self.levels.pop();
            return Ok((!self.levels.is_empty()).then_some(Visit::Left));
        };
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(&name);
        if node.is_directory() {
            self.enter(&node)?;
        }
        Ok(Some(Visit::Name { path: self.path.clone(), node }))
    }

    fn enter(&mut self, folder: &Node) -> Result<(), TreeError> {
        let mut names = self.tree.read_dir(folder)?;
        names.reverse();
        self.levels.push(Level { names, path_length: self.path.len() });
        Ok(())
    }
}
