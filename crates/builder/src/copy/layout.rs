//! Where copied files go: the destination's folders, every file's path, owner and mode.
//!
//! Only the index of the base is read: to follow links in the destination, to keep the metadata of folders that are
//! there already, and to refuse what the kernel would refuse (a folder over a file).

use std::collections::HashSet;
use std::sync::Arc;

use layer::{Entry, EntryKind, LayerWriter, Metadata, Resolved, Timestamp, Tree, TreeError};

use super::{CopyError, Placement};
use crate::order;
use crate::path::{join, lossy, parent};
use crate::source::{Content, Selection, SourceEntry};

/// A file at its place in the image.
pub(super) struct Placed<'s> {
    pub(super) path: Vec<u8>,
    pub(super) kind: EntryKind,
    pub(super) metadata: Metadata,
    /// Number of the selection that it comes from, and its entry there; `None` for folders on the way.
    pub(super) source: Option<(usize, &'s SourceEntry)>,
}

/// Decides the path of every file.
pub(super) struct Layout<'copy> {
    base: &'copy Tree,
    placement: &'copy Placement<'copy>,
    placed: Vec<Placed<'copy>>,
    /// Folders of the destination that are in the base.
    in_base: HashSet<Vec<u8>>,
    /// Of what is made here and was nowhere before.
    time: Timestamp,
}

impl<'copy> Layout<'copy> {
    pub(super) fn new(base: &'copy Tree, placement: &'copy Placement<'copy>) -> Self {
        Self { base, placement, placed: Vec::new(), in_base: HashSet::new(), time: Timestamp::default() }
    }

    /// All files at their places, each path once, in the order of a layer.
    pub(super) fn place_all(mut self, selections: &'copy [Arc<Selection>]) -> Result<Vec<Placed<'copy>>, CopyError> {
        let destination = resolve(self.base, &self.placement.destination)?;
        self.time = match self.placement.epoch.or_else(|| newest(selections)) {
            Some(time) => time,
            None => time_above(self.base, &destination.path)?,
        };
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
        self.in_order()
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
                None => new_folder(self.placement.owner, self.time),
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
        if let Some(epoch) = self.placement.epoch.filter(|_| selection.context.is_some()) {
            metadata.mtime = epoch;
        } else if matches!(entry.content, Content::Text(_)) {
            metadata.mtime = self.time;
        }
        if let Some((uid, gid)) = self.placement.owner {
            (metadata.uid, metadata.gid) = (uid, gid);
        }
        if let Some(mode) = self.placement.mode
            && !matches!(entry.kind, EntryKind::Symlink { .. })
            && !selection.is_unpacked
        {
            metadata.mode = mode.apply(metadata.mode, entry.kind == EntryKind::Directory);
        }
        if self.in_base.contains(parent(&path))
            && let Some(node) = self.base.lookup(&path)?
        {
            match (entry.kind == EntryKind::Directory, node.is_directory()) {
                (true, true) => {
                    self.in_base.insert(path.clone());
                    if entry.is_way {
                        metadata = Metadata { mode: entry.metadata.mode, ..self.base.entry(&node, &path)?.metadata };
                    }
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
    base: &Tree,
    writer: &mut LayerWriter,
) -> Result<(), CopyError> {
    let resolved = resolve(base, path)?;
    if let Some(node) = &resolved.node {
        return if node.is_directory() { Ok(()) } else { Err(CopyError::NotFolder { path: lossy(&resolved.path) }) };
    }
    let time = time_above(base, &resolved.path)?;
    let placement = Placement { destination: resolved.path, into_folder: true, owner, mode: None, epoch: None };
    let mut layout = Layout { time, ..Layout::new(base, &placement) };
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

/// When the newest of the copied files changed. Of a folder that gives nothing but itself, when that changed.
fn newest(selections: &[Arc<Selection>]) -> Option<Timestamp> {
    let copied = |selection: &'_ Arc<Selection>| {
        let first = usize::from(selection.is_folder() && selection.entries.len() > 1);
        let dated = selection.entries[first..].iter().filter(|entry| !matches!(entry.content, Content::Text(_)));
        dated.map(|entry| entry.metadata.mtime).max()
    };
    selections.iter().filter_map(copied).max()
}

/// When the nearest folder above a path changed, among those that are in the base.
fn time_above(base: &Tree, path: &[u8]) -> Result<Timestamp, CopyError> {
    let mut folder = parent(path);
    loop {
        if let Some(node) = base.lookup(folder)? {
            return Ok(base.entry(&node, folder)?.metadata.mtime);
        }
        if folder.is_empty() {
            return Ok(Timestamp::default());
        }
        folder = parent(folder);
    }
}

fn new_folder(owner: Option<(u32, u32)>, time: Timestamp) -> Metadata {
    let (uid, gid) = owner.unwrap_or((0, 0));
    Metadata { mode: 0o755, uid, gid, mtime: time, xattrs: Vec::new() }
}
