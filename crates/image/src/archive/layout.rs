//! An OCI layout as a folder (image-spec, image-layout.md): blobs are added, `index.json` is replaced last.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use oci::{Descriptor, Digest, ImageIndex};

use super::documents::{IMAGE_NAME, OciLayout, REF_NAME, annotation, oci_index};
use super::error::SaveError;
use super::save::bytes;
use super::{limits, names};

/// A folder that is a layout, or will be one.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    folder: &'a Path,
}

impl<'a> Layout<'a> {
    /// Makes the folders that are missing. One that holds something else is refused before anything is written.
    pub(crate) fn open(folder: &'a Path) -> Result<Self, SaveError> {
        let layout = Self { folder };
        layout.index()?;
        let blobs = folder.join(names::BLOBS);
        fs::create_dir_all(&blobs).map_err(|source| SaveError::Layout { path: blobs, source })?;
        layout.put(names::OCI_LAYOUT, &mut bytes(&OciLayout::default()).as_slice())?;
        Ok(layout)
    }

    /// What the layout lists.
    fn index(&self) -> Result<Vec<Descriptor>, SaveError> {
        let path = self.folder.join(names::OCI_INDEX);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(SaveError::Layout { path, source }),
        };
        let mut content = Vec::new();
        let read = file.take(limits::DOCUMENT).read_to_end(&mut content);
        read.map_err(|source| SaveError::Layout { path: path.clone(), source })?;
        let index: ImageIndex = serde_json::from_slice(&content).map_err(|_| SaveError::NotALayout { path })?;
        Ok(index.manifests)
    }

    /// Adds a blob, unless it is there: a file of its name and length appeared by rename.
    pub(crate) fn add_blob(&self, digest: Digest, size: u64, content: &mut dyn Read) -> Result<(), SaveError> {
        let name = format!("{}{}", names::BLOBS, digest.hex());
        let found = fs::symlink_metadata(self.folder.join(&name));
        let is_there = found.is_ok_and(|found| found.is_file() && found.len() == size);
        if is_there { Ok(()) } else { self.put(&name, content) }
    }

    /// Lists images in place of those that had their names, or were the same without a name.
    pub(crate) fn list(&self, named: &[Descriptor]) -> Result<(), SaveError> {
        let name = |descriptor: &Descriptor| {
            let whole = annotation(descriptor, IMAGE_NAME).or_else(|| annotation(descriptor, REF_NAME));
            whole.map(str::to_owned)
        };
        let is_replaced = |old: &Descriptor| {
            named.iter().any(|new| name(old) == name(new) && (name(old).is_some() || old.digest == new.digest))
        };
        let mut all = self.index()?;
        all.retain(|old| !is_replaced(old));
        all.extend_from_slice(named);
        self.put(names::OCI_INDEX, &mut bytes(&oci_index(all)).as_slice())
    }

    /// Writes a file that appears by rename.
    fn put(&self, name: &str, content: &mut dyn Read) -> Result<(), SaveError> {
        let path = self.folder.join(name);
        let unfinished = unfinished(&path);
        let written = fs::File::create(&unfinished)
            .and_then(|mut file| io::copy(content, &mut file))
            .and_then(|_| fs::rename(&unfinished, &path));
        written.map_err(|source| {
            drop(fs::remove_file(&unfinished));
            SaveError::Layout { path, source }
        })
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}
