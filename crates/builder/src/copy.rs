//! COPY and ADD: selected files become a layer, without a mount and without running anything.
//!
//! Only the index of the base is read: to follow links in the destination, to keep the metadata of folders that are
//! there already, and to refuse what the kernel would refuse (a folder over a file).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use layer::{Entry, EntryKind, LayerWriter, Metadata, Resolved, Timestamp, Tree, TreeError};
use oci::{Digest, Hasher};

use crate::context::{Context, ContextError};
use crate::order;
use crate::path::{join, lossy, parent};
use crate::source::{Content, Selection, SourceEntry};

/// Why files cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The context cannot give them.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// No file of the stage or image has that name.
    #[error("`{path}` is not in {origin}")]
    NotFound {
        /// As written.
        path: String,
        /// `stage build`, `image node:18`.
        origin: String,
    },
    /// A wildcard that matches nothing.
    #[error("no source files match `{patterns}`")]
    NoMatch {
        /// The sources, as written.
        patterns: String,
    },
    /// A wildcard that is not one.
    #[error("`{pattern}` is not a valid pattern")]
    Pattern {
        /// As written.
        pattern: String,
    },
    /// There is no room for a folder.
    #[error("`/{path}` in the image is not a folder")]
    NotFolder {
        /// Path in the image.
        path: String,
    },
    /// There is no room for a file.
    #[error("`/{path}` in the image is a folder")]
    IsFolder {
        /// Path in the image.
        path: String,
    },
    /// Symbolic links of the image that lead in a circle.
    #[error("too many symbolic links in `/{path}`")]
    TooManyLinks {
        /// The destination.
        path: String,
    },
    /// The layers of the base or the source cannot be read.
    #[error("cannot read the layers below")]
    Tree(#[from] TreeError),
    /// The layer cannot be written.
    #[error(transparent)]
    Write(#[from] layer::WriteError),
    /// `--chown` or USER names nobody.
    #[error(transparent)]
    User(#[from] image::users::UserError),
    /// An archive that ADD unpacks is broken.
    #[error("cannot unpack `{path}`")]
    Archive {
        /// The archive, as written.
        path: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Where copied files go and what they become.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    /// Path in the image, in normal form.
    pub(crate) destination: Vec<u8>,
    /// It was written with a slash at its end, or there are several sources.
    pub(crate) into_folder: bool,
    /// `--chown`.
    pub(crate) owner: Option<(u32, u32)>,
    /// `--chmod`.
    pub(crate) mode: Option<u32>,
    /// For folders that have to be made.
    pub(crate) now: Timestamp,
}

/// All that reaches the image of some selections, as one digest: names, kinds, modes, owners, links, content. No times.
pub(crate) fn files_digest(selections: &[Arc<Selection>]) -> Digest {
    let mut hasher = Hasher::new();
    let mut text = Vec::with_capacity(256);
    let number = |text: &mut Vec<u8>, number: u64| text.extend_from_slice(&number.to_le_bytes());
    for selection in selections {
        // Of a folder only the content is copied, not its name or mode.
        let is_folder = selection.is_folder();
        hasher.update(if is_folder { b"D" } else { b"F" });
        if !is_folder {
            hasher.update(&Digest::of(&selection.name).as_bytes()[..]);
        }
        let mut names: HashMap<(u64, u64), usize> = HashMap::new();
        for (place, entry) in selection.entries.iter().enumerate().skip(usize::from(is_folder)) {
            text.clear();
            text.push(b'E');
            number(&mut text, entry.path.len() as u64);
            text.extend_from_slice(&entry.path);
            for part in [entry.metadata.mode, entry.metadata.uid, entry.metadata.gid] {
                text.extend_from_slice(&part.to_le_bytes());
            }
            for xattr in &entry.metadata.xattrs {
                text.push(b'x');
                for part in [&xattr.name, &xattr.value] {
                    number(&mut text, part.len() as u64);
                    text.extend_from_slice(part);
                }
            }
            match &entry.kind {
                EntryKind::Directory => text.push(b'd'),
                EntryKind::File { size } => {
                    text.push(b'f');
                    number(&mut text, *size);
                    text.extend_from_slice(entry.digest.unwrap_or(Digest::from_bytes([0; 32])).as_bytes());
                }
                EntryKind::Symlink { target } | EntryKind::HardLink { target } => {
                    text.push(b'l');
                    number(&mut text, target.len() as u64);
                    text.extend_from_slice(target);
                }
                EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
                    text.push(if matches!(entry.kind, EntryKind::CharDevice { .. }) { b'c' } else { b'b' });
                    number(&mut text, u64::from(*major) << 32 | u64::from(*minor));
                }
                EntryKind::Fifo => text.push(b'p'),
                EntryKind::Whiteout | EntryKind::Opaque => text.push(b'w'),
            }
            if let Some(identity) = entry.identity {
                let first = *names.entry(identity).or_insert(place);
                number(&mut text, first as u64);
            }
            hasher.update(&text);
        }
    }
    hasher.finish()
}

/// Writes selections into a layer on top of `base`.
pub(crate) fn write(
    selections: &[Arc<Selection>],
    placement: &Placement,
    base: &Tree,
    writer: &mut LayerWriter,
) -> Result<(), CopyError> {
    let mut layout = Layout { base, placement, placed: Vec::new(), in_base: HashSet::new() };
    layout.place_all(selections)?;
    // A hard link is one within its source, as with `cp -a`.
    let mut first_names: HashMap<(usize, (u64, u64)), Vec<u8>> = HashMap::new();
    for file in layout.in_order()? {
        let Placed { path, kind, metadata, source } = file;
        let Some((number, source)) = source else {
            writer.append(&Entry { path, kind, metadata }, &mut std::io::empty())?;
            continue;
        };
        if let Some(identity) = source.identity {
            if let Some(first) = first_names.get(&(number, identity)) {
                let kind = EntryKind::HardLink { target: first.clone() };
                writer.append(&Entry { path, kind, metadata }, &mut std::io::empty())?;
                continue;
            }
            first_names.insert((number, identity), path.clone());
        }
        let entry = Entry { path, kind, metadata };
        match &source.content {
            Content::None => writer.append(&entry, &mut std::io::empty())?,
            Content::Context(stamp) => {
                let selection = &selections[number];
                let context = selection.context.as_ref().expect("files of a context come with it");
                let path = selection.path_of(source);
                let file = context.open_file(&path)?;
                writer.append_file(&entry, &file)?;
                Context::check_unchanged(&file, &path, *stamp)?;
            }
            Content::Tree { tree, node } => writer.append(&entry, &mut tree.open(node)?)?,
        }
    }
    Ok(())
}

/// A file at its place in the image.
struct Placed<'s> {
    path: Vec<u8>,
    kind: EntryKind,
    metadata: Metadata,
    /// Number of the selection that it comes from, and its entry there; `None` for folders on the way.
    source: Option<(usize, &'s SourceEntry)>,
}

/// Decides the path of every file.
struct Layout<'copy> {
    base: &'copy Tree,
    placement: &'copy Placement,
    placed: Vec<Placed<'copy>>,
    /// Folders of the destination that are in the base.
    in_base: HashSet<Vec<u8>>,
}

impl<'copy> Layout<'copy> {
    fn place_all(&mut self, selections: &'copy [Arc<Selection>]) -> Result<(), CopyError> {
        let destination = resolve(self.base, &self.placement.destination)?;
        let exists = destination.node.map(|node| node.is_directory());
        let folders = selections.iter().any(|selection| selection.is_folder());
        let into_folder = exists == Some(true) || self.placement.into_folder || folders;
        if exists == Some(false) && into_folder {
            return Err(CopyError::NotFolder { path: lossy(&destination.path) });
        }
        let path = destination.path;
        self.folders(if into_folder { &path } else { parent(&path) })?;
        for (number, selection) in selections.iter().enumerate() {
            if selection.is_folder() {
                // The folder itself gives nothing, neither a name nor a mode: `COPY dir /new` makes `/new` anew.
                for entry in &selection.entries[1..] {
                    self.place(join(&path, &entry.path), number, selection, entry)?;
                }
            } else {
                let target = if into_folder { join(&path, &selection.name) } else { path.clone() };
                for entry in &selection.entries {
                    self.place(target.clone(), number, selection, entry)?;
                }
            }
        }
        Ok(())
    }

    /// The destination's folder and those above it: as they are in the base, or new.
    fn folders(&mut self, path: &[u8]) -> Result<(), CopyError> {
        let mut end = 0;
        while end < path.len() {
            end = path[end + 1..].iter().position(|byte| *byte == b'/').map_or(path.len(), |place| end + 1 + place);
            let folder = &path[..end];
            let metadata = match self.base.lookup(folder)? {
                Some(node) if !node.is_directory() => return Err(CopyError::NotFolder { path: lossy(folder) }),
                Some(node) => {
                    self.in_base.insert(folder.to_vec());
                    self.base.entry(&node, folder)?.metadata
                }
                None => new_folder(self.placement.owner, self.placement.now),
            };
            self.placed.push(Placed { path: folder.to_vec(), kind: EntryKind::Directory, metadata, source: None });
        }
        self.in_base.insert(Vec::new());
        Ok(())
    }

    fn place(
        &mut self,
        path: Vec<u8>,
        number: usize,
        selection: &Selection,
        entry: &'copy SourceEntry,
    ) -> Result<(), CopyError> {
        let mut metadata = entry.metadata.clone();
        if let Some((uid, gid)) = self.placement.owner {
            (metadata.uid, metadata.gid) = (uid, gid);
        }
        if let Some(mode) = self.placement.mode
            && !matches!(entry.kind, EntryKind::Symlink { .. })
            && !selection.is_unpacked
        {
            metadata.mode = mode;
        }
        if self.in_base.contains(parent(&path))
            && let Some(node) = self.base.lookup(&path)?
        {
            match (entry.kind == EntryKind::Directory, node.is_directory()) {
                (true, true) => {
                    self.in_base.insert(path.clone());
                }
                (false, false) => {}
                _ if selection.is_unpacked => {}
                (true, false) => return Err(CopyError::NotFolder { path: lossy(&path) }),
                (false, true) => return Err(CopyError::IsFolder { path: lossy(&path) }),
            }
        }
        let kind = entry.kind.clone();
        self.placed.push(Placed { path, kind, metadata, source: Some((number, entry)) });
        Ok(())
    }

    /// Each path once: of two sources with the same destination the later one wins.
    fn in_order(self) -> Result<Vec<Placed<'copy>>, CopyError> {
        let mut placed = self.placed;
        // Stable, so that the later one stays the later one.
        placed.sort_by(|one, other| order::compare(&one.path, &other.path));
        let mut kept: Vec<Placed<'copy>> = Vec::with_capacity(placed.len());
        for file in placed {
            match kept.last_mut().filter(|last| last.path == file.path) {
                None => kept.push(file),
                Some(last) => {
                    match (last.kind == EntryKind::Directory, file.kind == EntryKind::Directory) {
                        (true, false) => return Err(CopyError::IsFolder { path: lossy(&file.path) }),
                        (false, true) => return Err(CopyError::NotFolder { path: lossy(&file.path) }),
                        _ => {}
                    }
                    *last = file;
                }
            }
        }
        Ok(kept)
    }
}

/// WORKDIR: makes a folder and those above it, where they are missing; writes nothing when all are there.
pub(crate) fn make_folder(
    path: &[u8],
    owner: Option<(u32, u32)>,
    now: Timestamp,
    base: &Tree,
    writer: &mut LayerWriter,
) -> Result<(), CopyError> {
    let resolved = resolve(base, path)?;
    if let Some(node) = &resolved.node {
        return if node.is_directory() { Ok(()) } else { Err(CopyError::NotFolder { path: lossy(&resolved.path) }) };
    }
    let placement = Placement { destination: resolved.path, into_folder: true, owner, mode: None, now };
    let mut layout = Layout { base, placement: &placement, placed: Vec::new(), in_base: HashSet::new() };
    layout.folders(&placement.destination)?;
    for Placed { path, kind, metadata, .. } in layout.placed {
        writer.append(&Entry { path, kind, metadata }, &mut std::io::empty())?;
    }
    Ok(())
}

/// Where a path of the image leads, links followed inside the image.
fn resolve(base: &Tree, path: &[u8]) -> Result<Resolved, CopyError> {
    base.resolve(path, true).map_err(|error| match error {
        TreeError::NotDirectory { path } => CopyError::NotFolder { path },
        TreeError::TooManyLinks { path } => CopyError::TooManyLinks { path },
        error => error.into(),
    })
}

fn new_folder(owner: Option<(u32, u32)>, now: Timestamp) -> Metadata {
    let (uid, gid) = owner.unwrap_or((0, 0));
    Metadata { mode: 0o755, uid, gid, mtime: now, xattrs: Vec::new() }
}
