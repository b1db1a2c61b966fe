//! Makes the volumes of a new container, and copies into new and empty ones what the image has at their place.
//!
//! The content comes from the image's layers by their indexes, where links mean what they mean inside the image and no
//! path of this machine is followed (CVE-2022-23648). It is copied beside the volume, which then gets all of it at once.

use layer::{PopulateOptions, Tree};
use oci::DiffId;

use crate::volumes::VolumeRecord;
use crate::{Engine, Error, ErrorKind};

/// The source of copies: the image's files, opened when they are first needed.
#[derive(Debug)]
pub(super) struct Filling<'e> {
    engine: &'e Engine,
    layers: &'e [DiffId],
    tree: Option<Tree>,
}

const FOLDER: &str = "data";

impl<'e> Filling<'e> {
    pub(super) fn new(engine: &'e Engine, layers: &'e [DiffId]) -> Self {
        Self { engine, layers, tree: None }
    }

    /// Makes a volume that is not there. One that is empty gets what the image has at `target`.
    pub(super) fn ensure(&mut self, name: &str, record: &VolumeRecord, target: Option<&str>) -> Result<(), Error> {
        let store = self.engine.store();
        // What is mounted in place of the volume's own folder is not the image's to fill.
        let target = target.filter(|_| record.options().is_empty());
        loop {
            let existing = store.volume(name)?;
            if let Some(volume) = &existing
                && (target.is_none() || !VolumeRecord::read(volume)?.options().is_empty() || !volume.is_empty()?)
            {
                return Ok(());
            }
            let work = store.work_folder()?;
            let folder = work.subfolder(FOLDER, 0o755)?;
            let is_filled = match target {
                Some(target) => self.fill(name, target, &folder)?,
                None => false,
            };
            drop(folder);
            match existing {
                Some(_) if !is_filled => return Ok(()),
                Some(volume) => return Ok(volume.receive(&work, FOLDER).map(drop)?),
                None if store.add_volume(name, &record.to_json(), &work, FOLDER, false)? => return Ok(()),
                // Another process made it the moment before.
                None => {}
            }
        }
    }

    /// Whether the image has a folder there.
    fn fill(&mut self, name: &str, target: &str, folder: &impl std::os::fd::AsFd) -> Result<bool, Error> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            let message = format!("cannot copy {target} of the image into volume {name}");
            Error::new(ErrorKind::Internal, message).because(error).with_exit_code(125)
        };
        let tree = self.tree()?;
        let node = tree.resolve(target.as_bytes(), true).map_err(|error| failed(&error))?.node;
        let Some(node) = node.filter(layer::Node::is_directory) else { return Ok(false) };
        let options = PopulateOptions { keeps_owners: true, removes_others: false, leaves_out: false };
        layer::populate_from(tree, &node, folder.as_fd(), options).map_err(|error| failed(&error))?;
        Ok(true)
    }

    fn tree(&mut self) -> Result<&Tree, Error> {
        if self.tree.is_none() {
            self.tree = Some(image::Stack::open(self.engine.store(), self.layers)?.tree());
        }
        let missing = || Error::new(ErrorKind::Internal, "the image's layers were not opened");
        self.tree.as_ref().ok_or_else(missing)
    }
}
