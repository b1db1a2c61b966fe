//! COPY and ADD: selected files become a layer, without a mount and without running anything.
//!
//! `layout` decides which file stands where, with which metadata; here that becomes the entries of a layer. Nothing
//! that is written depends on the clock (decision 0011).

mod layout;

use std::collections::HashMap;
use std::sync::Arc;

use dockerfile::FileMode;
use layer::{Entry, EntryKind, LayerWriter, Timestamp, Tree, TreeError};
use oci::{Digest, Hasher};

use crate::context::{Context, ContextError};
use crate::plan::CopyOp;
use crate::source::{Content, Selection, SourceEntry};
use layout::{Layout, Placed};

pub(crate) use layout::make_folder;

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
    /// `--parents` with a path that a symbolic link is part of.
    #[error("`{path}` leads through a symbolic link, which --parents does not follow")]
    LinkOnWay {
        /// As written.
        path: String,
        /// The path without the link.
        leads_to: String,
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

impl CopyError {
    /// No source of a step is there.
    pub(crate) fn no_match(op: &CopyOp) -> Self {
        let patterns: Vec<&str> = op.sources.iter().map(|source| source.word.as_str()).collect();
        Self::NoMatch { patterns: patterns.join(" ") }
    }

    /// Whether a source is not there, or left out by the ignore file.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. } | Self::Context(ContextError::NotFound { .. } | ContextError::Ignored { .. })
        )
    }
}

/// Where copied files go and what they become.
#[derive(Debug, Clone)]
pub(crate) struct Placement<'op> {
    /// Path in the image, in normal form.
    pub(crate) destination: Vec<u8>,
    /// It was written with a slash at its end, or there are several sources.
    pub(crate) into_folder: bool,
    /// `--chown`.
    pub(crate) owner: Option<(u32, u32)>,
    /// `--chmod`.
    pub(crate) mode: Option<&'op FileMode>,
    /// What files of the context get in place of their times, which say when they were checked out.
    pub(crate) epoch: Option<Timestamp>,
}

/// All that reaches the image of some selections, as one digest: names, kinds, modes, owners, links, content. No times.
pub(crate) fn files_digest(selections: &[Arc<Selection>], copied: Option<&CopyOp>) -> Digest {
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
            let (mode, uid, gid) = copied.map_or_else(|| plain(entry), |op| flagged(entry, op));
            for part in [mode, uid, gid] {
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
            if entry.is_way {
                // A folder that the image has takes this mode, whatever `--chmod` says.
                text.push(b'W');
                text.extend_from_slice(&entry.metadata.mode.to_le_bytes());
            }
            if let Some(identity) = entry.identity {
                let first = *names.entry(identity).or_insert(place);
                // Further names of the file elsewhere do not reach the image.
                if first != place {
                    number(&mut text, first as u64);
                }
            }
            hasher.update(&text);
        }
    }
    hasher.finish()
}

/// Mode and owner as they are.
pub(crate) fn plain(entry: &SourceEntry) -> (u32, u32, u32) {
    (entry.metadata.mode, entry.metadata.uid, entry.metadata.gid)
}

/// Mode and owner as they come out of `--chmod` and `--chown`: what a flag replaces does not count.
pub(crate) fn flagged(entry: &SourceEntry, op: &CopyOp) -> (u32, u32, u32) {
    let (mode, uid, gid) = plain(entry);
    let mode = match &op.chmod {
        Some(chmod) if !matches!(entry.kind, EntryKind::Symlink { .. }) => {
            chmod.mode.apply(mode, entry.kind == EntryKind::Directory)
        }
        _ => mode,
    };
    if op.chown.is_some() { (mode, 0, 0) } else { (mode, uid, gid) }
}

/// Writes one selection as all that there is: a folder as the root, unlike COPY with its own owner, mode and time, or a
/// file with this name.
pub(crate) fn write_alone(
    selection: &Arc<Selection>,
    file_name: &[u8],
    writer: &mut LayerWriter,
) -> Result<(), CopyError> {
    let is_folder = selection.is_folder();
    if let Some(root) = selection.entries.first().filter(|_| is_folder) {
        let entry = Entry { path: Vec::new(), kind: EntryKind::Directory, metadata: root.metadata.clone() };
        writer.append(&entry, &mut std::io::empty())?;
    }
    let destination = if is_folder { Vec::new() } else { file_name.to_vec() };
    let placement = Placement { destination, into_folder: is_folder, owner: None, mode: None, epoch: None };
    write(std::slice::from_ref(selection), &placement, &Tree::default(), writer)
}

/// Writes selections into a layer on top of `base`.
pub(crate) fn write(
    selections: &[Arc<Selection>],
    placement: &Placement<'_>,
    base: &Tree,
    writer: &mut LayerWriter,
) -> Result<(), CopyError> {
    let placed = Layout::new(base, placement).place_all(selections)?;
    // A hard link is one within its source, as with `cp -a`.
    let mut first_names: HashMap<(usize, (u64, u64)), Vec<u8>> = HashMap::new();
    for file in placed {
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
            Content::Text(text) => writer.append(&entry, &mut text.as_slice())?,
        }
    }
    Ok(())
}
