//! A stack of layers as one tar without whiteouts: what `build --output type=tar` gives.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use crate::entry::{Entry, EntryKind, Shown};
use crate::tar::{self, encode, padding};
use crate::tree::{Identity, Node, Tree, TreeError, Visit, Walk};

/// Why a tree cannot be written out.
#[derive(Debug, thiserror::Error)]
pub enum FlattenError {
    /// The layers cannot be read.
    #[error("cannot read the layers")]
    Tree(#[from] TreeError),
    /// A file's content cannot be read.
    #[error("cannot read `/{}`", Shown(.path))]
    Read {
        /// Path in the tree.
        path: Vec<u8>,
        /// What the kernel said.
        source: io::Error,
    },
    /// The tar cannot be written.
    #[error("cannot write the tar")]
    Write(#[source] io::Error),
}

/// Further names of files: the first name of each that has more than one.
#[derive(Debug, Default)]
pub(crate) struct HardLinks {
    first: HashMap<Identity, Vec<u8>>,
}

impl HardLinks {
    /// The first name of the file at `path`, if that is another one.
    pub(crate) fn first_name(&mut self, tree: &Tree, node: &Node, path: &[u8]) -> Result<Option<&[u8]>, TreeError> {
        if node.is_directory() || tree.links(node)? < 2 {
            return Ok(None);
        }
        let first = self.first.entry(node.identity()).or_insert_with(|| path.to_vec());
        Ok((*first != path).then_some(first))
    }
}

/// Writes everything below the root, each path behind `prefix` (in normal form; empty for none). The end of the tar is
/// left to [`finish_tar`], so that several trees fit into one. Gives the bytes of all files.
///
/// # Errors
/// When the layers cannot be read or the tar cannot be written.
pub fn write_tar(tree: &Tree, prefix: &[u8], out: &mut dyn Write) -> Result<u64, FlattenError> {
    let place = |path: &[u8]| match (prefix, path) {
        (b"", path) => path.to_vec(),
        (prefix, b"") => prefix.to_vec(),
        (prefix, path) => [prefix, b"/", path].concat(),
    };
    let mut header = Vec::new();
    let mut links = HardLinks::default();
    let mut bytes = 0;
    if let (Some(root), false) = (tree.root()?, prefix.is_empty()) {
        encode::header(&tree.entry(&root, prefix)?, &mut header);
        out.write_all(&header).map_err(FlattenError::Write)?;
    }
    let mut walk = Walk::new(tree)?;
    while let Some(visit) = walk.next_visit()? {
        let Visit::Name { path, node } = visit else { continue };
        let mut entry = tree.entry(&node, &place(&path))?;
        if let Some(first) = links.first_name(tree, &node, &path)? {
            entry.kind = EntryKind::HardLink { target: place(first) };
        }
        header.clear();
        encode::header(&entry, &mut header);
        out.write_all(&header).map_err(FlattenError::Write)?;
        if let Entry { kind: EntryKind::File { size }, .. } = entry {
            copy(&mut tree.open(&node)?, size, &path, out)?;
            bytes += size;
        }
    }
    Ok(bytes)
}

/// Ends a tar.
///
/// # Errors
/// When it cannot be written.
pub fn finish_tar(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * tar::BLOCK])?;
    out.flush()
}

fn copy(file: &mut impl Read, size: u64, path: &[u8], out: &mut dyn Write) -> Result<(), FlattenError> {
    let mut buffer = vec![0; 1 << 17];
    let mut left = size;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = |source| FlattenError::Read { path: path.to_vec(), source };
        match file.read(&mut buffer[..most]) {
            Ok(0) => return Err(read(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                out.write_all(&buffer[..count]).map_err(FlattenError::Write)?;
                left -= count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read(error)),
        }
    }
    out.write_all(&[0; tar::BLOCK][..padding(size) as usize]).map_err(FlattenError::Write)
}

#[cfg(test)]
pub(crate) mod tests;
