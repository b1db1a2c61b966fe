//! ADD of a local archive: its content takes its place (D086: decided by what is in the file, not by its name).

use std::io::{Read, Seek};
use std::sync::Arc;

use layer::{Decoder, Index, Layer, Tree};
use store::Store;

use crate::context::Context;
use crate::copy::CopyError;
use crate::filter::Filter;
use crate::source::{Content, Selection};
use crate::tree_source;

/// Puts the content of archives in the place of the archives. Other files stay as they are.
pub(crate) fn unpack_archives(selections: &[Arc<Selection>], store: &Store) -> Result<Vec<Arc<Selection>>, CopyError> {
    let unpacked = selections
        .iter()
        .map(|selection| Ok(unpack(selection, store)?.map_or_else(|| Arc::clone(selection), Arc::new)));
    unpacked.collect()
}

/// What is in an archive; `None` for what is none.
fn unpack(selection: &Selection, store: &Store) -> Result<Option<Selection>, CopyError> {
    let Some(entry) = selection.entries.first() else { return Ok(None) };
    let path = selection.path_of(entry);
    let name = String::from_utf8_lossy(&path).into_owned();
    match (&entry.content, &selection.context) {
        (Content::Context(stamp), Some(context)) => {
            let mut file = context.open_file(&path)?;
            if !is_archive(&file) {
                return Ok(None);
            }
            file.rewind().map_err(|error| broken(&name, error))?;
            let unpacked = take_in(&file, &name, store)?;
            Context::check_unchanged(&file, &path, *stamp)?;
            Ok(Some(unpacked))
        }
        (Content::Tree { tree, node }, _) if is_archive(tree.open(node)?) => {
            take_in(tree.open(node)?, &name, store).map(Some)
        }
        _ => Ok(None),
    }
}

/// What cannot be decoded is no archive: it is copied as it is, as Docker does.
fn is_archive(file: impl Read) -> bool {
    let mut first = [0; 512];
    let length = Decoder::new(file).and_then(|mut decoder| read_full(&mut decoder, &mut first));
    matches!(length, Ok(512)) && layer::is_tar(&first)
}

fn take_in(archive: impl Read, name: &str, store: &Store) -> Result<Selection, CopyError> {
    let sink = store.layer_sink().map_err(|error| broken(name, error))?;
    let copy = sink.file().map_err(|error| broken(name, error))?;
    let decoder = Decoder::new(archive).map_err(|error| broken(name, error))?;
    let finished = layer::ingest(decoder, copy, None).map_err(|error| broken(name, error))?;
    let index = Index::from_bytes(finished.index).map_err(|error| broken(name, error))?;
    let tar = sink.file().map_err(|error| broken(name, error))?;
    let tree = Tree::new(vec![Layer { index: Arc::new(index), tar: Arc::new(tar) }]);
    let root = tree.root()?.expect("a tree of one layer has a root");
    let unpacked = tree_source::select(&tree, &root, b"", &Filter::default())?;
    Ok(Selection { is_unpacked: true, ..unpacked })
}

fn broken(name: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CopyError {
    CopyError::Archive { path: name.to_owned(), source: error.into() }
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
