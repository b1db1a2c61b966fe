//! What was written to a root file system, as a layer: for RUN, `commit` and `export`.

use std::io::{self, Seek, Write};
use std::os::fd::BorrowedFd;

use layer::{
    Change, DiffError, DiffOptions, EntryKind, FinishedLayer, LayerWriter, Metadata, Owners, Selection, Timestamp,
    Tree, TreeError, WriteError,
};
use oci::DiffId;
use store::{LayerSink, Store, StoreError};

use crate::{CopyError, Stack, StackError, users};

/// A layer that is written, and not in the store yet; it vanishes when this is dropped.
#[derive(Debug)]
pub struct Captured {
    sink: LayerSink,
    finished: FinishedLayer,
}

/// Why what was written cannot become a layer.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The folder cannot be read.
    #[error(transparent)]
    Changes(#[from] DiffError),
    /// What a copied root was like cannot be read.
    #[error(transparent)]
    Copy(#[from] Box<CopyError>),
    /// The layers below cannot be read.
    #[error("cannot read the layers below")]
    Below(#[from] TreeError),
    /// The layer cannot be ended.
    #[error("cannot write the layer")]
    Write(#[from] WriteError),
    /// The layer's file cannot be used.
    #[error("cannot open the new layer")]
    Open(#[source] io::Error),
    /// The layer that was just written cannot be read.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where something was written on top of a stack.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// What overlayfs wrote to, or a copy of the whole root.
    pub upper: BorrowedFd<'a>,
    /// The folder beside it, which says what it is; without it there are only changes in `upper`.
    pub work: Option<BorrowedFd<'a>>,
}

impl Changes<'_> {
    /// What was changed, if the folder is a copy of the whole root.
    fn selection(&self, tree: &Tree) -> Result<Option<Selection>, CaptureError> {
        let Some(snapshot) = self.work.map(crate::copied::snapshot).transpose().map_err(Box::new)?.flatten() else {
            return Ok(None);
        };
        Ok(Some(layer::select(self.upper, &snapshot, tree)?))
    }
}

/// Reads the writable folder of a root on top of `stack`, in which processes ran as `user` (as USER says it). No file will be
/// later than `ceiling`.
///
/// The folder should be quiet: a file that vanishes under the reader's hands is an error.
///
/// # Errors
/// When something cannot be read or written; the store is as before then.
pub fn capture(
    store: &Store,
    stack: &Stack,
    changes: Changes<'_>,
    user: &str,
    ceiling: Option<Timestamp>,
) -> Result<Captured, CaptureError> {
    store.want_identities()?;
    let tree = stack.tree();
    let selection = changes.selection(&tree)?;
    let owners = owners(store, &tree, user)?;
    let root = root_metadata(stack)?;
    let sink = store.layer_sink()?;
    let mut writer = LayerWriter::new(sink.file().map_err(CaptureError::Open)?).with_ceiling(ceiling);
    let options = DiffOptions {
        base: Some(&tree),
        root: Some(&root),
        skip: None,
        user_xattrs: store.user_xattrs(),
        owners,
        selection: selection.as_ref(),
    };
    layer::diff(changes.upper, &options, &mut writer)?;
    Ok(Captured { sink, finished: writer.finish()? })
}

/// Everything that is not as the layers have it, ordered by path.
///
/// # Errors
/// When something cannot be read.
pub fn changes(store: &Store, stack: &Stack, changes: Changes<'_>) -> Result<Vec<Change>, CaptureError> {
    store.want_identities()?;
    let tree = stack.tree();
    let selection = changes.selection(&tree)?;
    Ok(layer::changes(changes.upper, &tree, selection.as_ref(), store.user_xattrs())?)
}

/// Whom files may belong to that the kernel says are root's: nobody else where all IDs can be given to files.
fn owners(store: &Store, tree: &Tree, user: &str) -> Result<Option<Owners>, CaptureError> {
    store.want_identities()?;
    let Some(mapped) = store.mapped_ids() else { return Ok(None) };
    // A user who is not in the image has run nothing.
    let author = users::resolve(tree, user).ok().map(|user| (user.uid, user.gid));
    let author = author.filter(|(uid, gid)| *uid >= mapped || *gid >= mapped);
    Ok(Some(Owners { mapped, author }))
}

/// Mode, owner and attributes of `/` as the layers have it; the usual ones where they do not say.
///
/// # Errors
/// When the layers cannot be read.
pub fn root_metadata(stack: &Stack) -> Result<Metadata, TreeError> {
    let tree = stack.tree();
    let root = tree.lookup(b"")?.map(|node| tree.entry(&node, b"")).transpose()?;
    let default = Metadata { mode: 0o755, uid: 0, gid: 0, mtime: Timestamp { secs: 0, nanos: 0 }, xattrs: Vec::new() };
    Ok(root.filter(|root| root.kind == EntryKind::Directory).map_or(default, |root| root.metadata))
}

impl Captured {
    /// Its DiffID.
    pub fn diff_id(&self) -> DiffId {
        self.finished.diff_id
    }

    /// Puts it into the store.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(self, store: &Store) -> Result<DiffId, CaptureError> {
        store.add_layer(self.finished.diff_id, self.sink, &self.finished.index, None)?;
        Ok(self.finished.diff_id)
    }

    /// Puts it on top of the layers that it is of, for reading, without keeping it.
    ///
    /// # Errors
    /// When its files cannot be read again.
    pub fn push_onto(self, stack: &mut Stack, store: &Store) -> Result<(), CaptureError> {
        let tar = self.sink.file().map_err(CaptureError::Open)?;
        let mut index = store.layer_sink()?.file().map_err(CaptureError::Open)?;
        index.write_all(&self.finished.index).and_then(|()| index.rewind()).map_err(CaptureError::Open)?;
        Ok(stack.push_files(store, self.finished.diff_id, tar, index)?)
    }
}
