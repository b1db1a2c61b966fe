//! COPY and ADD: selected files become a layer, without a mount and without running anything.
//!
//! Only the index of the base is read: to follow links in the destination, to keep the metadata of folders that are
//! there already, and to refuse what the kernel would refuse (a folder over a file).

use std::collections::{HashMap, HashSet};

use layer::{Entry, EntryKind, LayerWriter, Metadata, Node, Timestamp, Tree, TreeError};
use oci::{Digest, Hasher};

use crate::context::{Context, ContextError};
use crate::order;
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
    /// Something in the base is in the way.
    #[error("cannot copy a folder to `/{path}`, which is not a folder")]
    NotFolder {
        /// Path in the image.
        path: String,
    },
    /// Something in the base is in the way.
    #[error("cannot copy a file to `/{path}`, which is a folder")]
    IsFolder {
        /// Path in the image.
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
pub(crate) fn files_digest(selections: &[Selection]) -> Digest {
    let mut hasher = Hasher::new();
    let mut text = Vec::with_capacity(256);
    let number = |text: &mut Vec<u8>, number: u64| text.extend_from_slice(&number.to_le_bytes());
    for selection in selections {
        hasher.update(&[b'S']);
        hasher.update(&Digest::of(&selection.name).as_bytes()[..]);
        let mut names: HashMap<(u64, u64), usize> = HashMap::new();
        for (place, entry) in selection.entries.iter().enumerate() {
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

/// Source paths that a pattern stands for, sorted; `names_in` lists a folder (name, is a folder).
pub(crate) fn expand_pattern(
    pattern: &str,
    names_in: &dyn Fn(&[u8]) -> Result<Vec<(Vec<u8>, bool)>, CopyError>,
) -> Result<Vec<Vec<u8>>, CopyError> {
    let mut paths = vec![Vec::new()];
    let mut components = pattern.split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(component) = components.next() {
        let is_last = components.peek().is_none();
        let matcher =
            dockerfile::Pattern::new(component).map_err(|_| CopyError::Pattern { pattern: pattern.to_owned() })?;
        let mut next = Vec::new();
        for folder in &paths {
            if !has_wildcard(component) {
                next.push(join(folder, component.as_bytes()));
                continue;
            }
            for (name, is_folder) in names_in(folder)? {
                if (is_last || is_folder) && matcher.matches(&name) {
                    next.push(join(folder, &name));
                }
            }
        }
        paths = next;
    }
    Ok(paths)
}

/// Whether a source word needs matching.
pub(crate) fn has_wildcard(word: &str) -> bool {
    word.contains(['*', '?', '[', '\\'])
}

/// The files of a stage or an image below a path, with their digests left out.
pub(crate) fn select_from_tree(tree: &Tree, path: &[u8], origin: &str) -> Result<Selection, CopyError> {
    let missing = || CopyError::NotFound { path: format!("/{}", lossy(path)), origin: origin.to_owned() };
    let node = tree.resolve(path, true)?.node.ok_or_else(missing)?;
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
    let mut entries = Vec::new();
    collect(tree, Vec::new(), &node, &mut entries)?;
    Ok(Selection { name, entries })
}

fn collect(tree: &Tree, path: Vec<u8>, node: &Node, entries: &mut Vec<SourceEntry>) -> Result<(), TreeError> {
    let Entry { path, kind, metadata } = {
        let mut entry = tree.entry(node, &path)?;
        entry.path = path;
        entry
    };
    let is_folder = kind == EntryKind::Directory;
    let is_file = matches!(kind, EntryKind::File { .. });
    let identity = node.identity();
    entries.push(SourceEntry {
        path: path.clone(),
        kind,
        metadata,
        digest: None,
        identity: is_file.then_some((u64::from(identity.layer), identity.inode)),
        stamp: None,
        content: if is_file { Content::Tree { tree: tree.clone(), node: node.clone() } } else { Content::None },
    });
    if is_folder {
        for (name, child) in tree.read_dir(node)? {
            collect(tree, join(&path, &name), &child, entries)?;
        }
    }
    Ok(())
}

/// Names in a folder of a stage or image, and whether each is a folder.
pub(crate) fn names_in_tree(tree: &Tree, folder: &[u8]) -> Result<Vec<(Vec<u8>, bool)>, CopyError> {
    let Some(node) = tree.resolve(folder, true)?.node else { return Ok(Vec::new()) };
    if tree.entry(&node, b"")?.kind != EntryKind::Directory {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for (name, child) in tree.read_dir(&node)? {
        let is_folder = tree.entry(&child, b"")?.kind == EntryKind::Directory;
        names.push((name, is_folder));
    }
    Ok(names)
}

/// Fills in the digests of files that come from layers, by reading them.
pub(crate) fn digest_from_tree(entries: &mut [SourceEntry]) -> Result<(), CopyError> {
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

/// Writes selections into a layer on top of `base`.
pub(crate) fn write(
    selections: Vec<Selection>,
    placement: &Placement,
    base: &Tree,
    context: Option<&Context>,
    writer: &mut LayerWriter,
) -> Result<(), CopyError> {
    let mut layout = Layout { base, placement, placed: Vec::new(), in_base: HashSet::new() };
    layout.place_all(selections)?;
    let mut placed = layout.placed;
    // Stable: of two sources with the same destination the later one wins.
    placed.sort_by(|one, other| order::compare(&one.0, &other.0));
    placed.reverse();
    placed.dedup_by(|one, other| one.0 == other.0);
    placed.reverse();
    let mut first_names: HashMap<(u64, u64), Vec<u8>> = HashMap::new();
    for (path, source) in placed {
        let first = source.identity.and_then(|identity| first_names.get(&identity).cloned());
        if let Some(target) = first {
            let entry = Entry { path, kind: EntryKind::HardLink { target }, metadata: source.metadata };
            writer.append(&entry, &mut std::io::empty())?;
            continue;
        }
        if let Some(identity) = source.identity {
            first_names.insert(identity, path.clone());
        }
        let entry = Entry { path, kind: source.kind, metadata: source.metadata };
        match source.content {
            Content::None => writer.append(&entry, &mut std::io::empty())?,
            Content::Context(path) => {
                let context = context.expect("files of the context come with the context");
                let file = context.open_file(&path)?;
                writer.append_file(&entry, &file)?;
                context.check_unchanged(&file, &path, source.stamp)?;
            }
            Content::Tree { tree, node } => writer.append(&entry, &mut tree.open(&node)?)?,
        }
    }
    Ok(())
}

/// Decides the path of every file.
struct Layout<'copy> {
    base: &'copy Tree,
    placement: &'copy Placement,
    placed: Vec<(Vec<u8>, SourceEntry)>,
    /// Folders of the destination that are in the base.
    in_base: HashSet<Vec<u8>>,
}

impl Layout<'_> {
    fn place_all(&mut self, selections: Vec<Selection>) -> Result<(), CopyError> {
        let destination = self.base.resolve(&self.placement.destination, true)?;
        let exists = match &destination.node {
            Some(node) => Some(self.base.entry(node, b"")?.kind == EntryKind::Directory),
            None => None,
        };
        let folders = selections.iter().any(Selection::is_folder);
        let into_folder = exists == Some(true) || self.placement.into_folder || folders;
        if exists == Some(false) && into_folder {
            return Err(CopyError::NotFolder { path: lossy(&destination.path) });
        }
        let path = destination.path;
        let own_folder = if into_folder { path.clone() } else { parent(&path).to_vec() };
        self.folders(&own_folder)?;
        for selection in selections {
            if selection.is_folder() {
                self.folder_content(selection, &path, exists.is_some())?;
            } else {
                let target = if into_folder { join(&path, &selection.name) } else { path.clone() };
                for entry in selection.entries {
                    self.place(target.clone(), entry)?;
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
                Some(node) => {
                    let entry = self.base.entry(&node, folder)?;
                    if entry.kind != EntryKind::Directory {
                        return Err(CopyError::NotFolder { path: lossy(folder) });
                    }
                    self.in_base.insert(folder.to_vec());
                    entry.metadata
                }
                None => new_folder(self.placement.owner, self.placement.now),
            };
            self.placed.push((folder.to_vec(), folder_entry(metadata)));
        }
        self.in_base.insert(Vec::new());
        Ok(())
    }

    fn folder_content(&mut self, selection: Selection, path: &[u8], exists: bool) -> Result<(), CopyError> {
        for mut entry in selection.entries {
            if entry.path.is_empty() {
                // A folder that is there keeps its metadata; a new one takes the source's.
                if !exists && !path.is_empty() && entry.kind == EntryKind::Directory && !selection.name.is_empty() {
                    self.place(path.to_vec(), entry)?;
                }
                continue;
            }
            let target = join(path, &std::mem::take(&mut entry.path));
            self.place(target, entry)?;
        }
        Ok(())
    }

    fn place(&mut self, path: Vec<u8>, mut entry: SourceEntry) -> Result<(), CopyError> {
        if let Some((uid, gid)) = self.placement.owner {
            (entry.metadata.uid, entry.metadata.gid) = (uid, gid);
        }
        if let Some(mode) = self.placement.mode
            && !matches!(entry.kind, EntryKind::Symlink { .. })
        {
            entry.metadata.mode = mode;
        }
        if self.in_base.contains(parent(&path))
            && let Some(node) = self.base.lookup(&path)?
        {
            let there = self.base.entry(&node, &path)?.kind == EntryKind::Directory;
            match (entry.kind == EntryKind::Directory, there) {
                (true, true) => {
                    self.in_base.insert(path.clone());
                }
                (true, false) => return Err(CopyError::NotFolder { path: lossy(&path) }),
                (false, true) => return Err(CopyError::IsFolder { path: lossy(&path) }),
                (false, false) => {}
            }
        }
        self.placed.push((path, entry));
        Ok(())
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
    let resolved = base.resolve(path, true)?;
    if let Some(node) = &resolved.node {
        return match base.entry(node, b"")?.kind {
            EntryKind::Directory => Ok(()),
            _ => Err(CopyError::NotFolder { path: lossy(&resolved.path) }),
        };
    }
    let placement = Placement { destination: resolved.path.clone(), into_folder: true, owner, mode: None, now };
    let mut layout = Layout { base, placement: &placement, placed: Vec::new(), in_base: HashSet::new() };
    layout.folders(&resolved.path)?;
    for (path, folder) in layout.placed {
        let entry = Entry { path, kind: folder.kind, metadata: folder.metadata };
        writer.append(&entry, &mut std::io::empty())?;
    }
    Ok(())
}

fn new_folder(owner: Option<(u32, u32)>, now: Timestamp) -> Metadata {
    let (uid, gid) = owner.unwrap_or((0, 0));
    Metadata { mode: 0o755, uid, gid, mtime: now, xattrs: Vec::new() }
}

fn folder_entry(metadata: Metadata) -> SourceEntry {
    SourceEntry {
        path: Vec::new(),
        kind: EntryKind::Directory,
        metadata,
        digest: None,
        identity: None,
        stamp: None,
        content: Content::None,
    }
}

fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |slash| &path[..slash])
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
