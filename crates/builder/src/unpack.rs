//! ADD of a local archive: its content takes its place (D086: decided by what is in the file, not by its name).

use std::io::{Read, Seek};
use std::sync::Arc;

use layer::{Decoder, EntryKind, Index, Layer, Tree};
use store::Store;

use crate::context::Context;
use crate::copy::{self, CopyError};
use crate::source::{Content, Selection};

/// Puts the content of archives in the place of the archives. Other files stay as they are.
pub(crate) fn unpack_archives(
    selections: Vec<Selection>,
    context: Option<&Context>,
    store: &Store,
) -> Result<Vec<Selection>, CopyError> {
    let Some(context) = context else { return Ok(selections) };
    selections.into_iter().map(|selection| unpack(selection, context, store)).collect()
}

fn unpack(selection: Selection, context: &Context, store: &Store) -> Result<Selection, CopyError> {
    let Some(Content::Context(path)) = selection.entries.first().map(|entry| &entry.content) else {
        return Ok(selection);
    };
    let name = String::from_utf8_lossy(path).into_owned();
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| CopyError::Archive { path: name.clone(), source };
    let mut file = context.open_file(path)?;
    let mut first = [0; 512];
    let length = Decoder::new(&file).and_then(|mut decoder| read_full(&mut decoder, &mut first));
    // What cannot be decoded is no archive: it is copied as it is, as Docker does.
    if !matches!(length, Ok(512)) || !layer::is_tar(&first) {
        return Ok(selection);
    }
    file.rewind().map_err(|error| broken(error.into()))?;
    let sink = store.layer_sink().map_err(|error| broken(error.into()))?;
    let copy = sink.file().map_err(|error| broken(error.into()))?;
    let decoder = Decoder::new(&file).map_err(|error| broken(error.into()))?;
    let finished = layer::ingest(decoder, copy, None).map_err(|error| broken(error.into()))?;
    let index = Index::from_bytes(finished.index).map_err(|error| broken(error.into()))?;
    let tar = sink.file().map_err(|error| broken(error.into()))?;
    let tree = Tree::new(vec![Layer { index: Arc::new(index), tar: Arc::new(tar) }]);
    let mut unpacked = copy::select_from_tree(&tree, b"", &name)?;
    // The archive's own root says nothing about the folder that it is unpacked into.
    unpacked.name.clear();
    debug_assert!(unpacked.entries.first().is_some_and(|root| root.kind == EntryKind::Directory));
    Ok(unpacked)
}

fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}
