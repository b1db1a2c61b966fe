//! The files of the result, without layers: in a folder, or as one tar.

use std::fs;
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use image::{Stack, StackError};
use layer::{PopulateError, PopulateOptions, Tree};
use rustix::fs::{Mode, OFlags};

use super::{Export, Exported, Made, possible, unwritten};
use crate::build::{BuildError, bytes};
use crate::output::{FolderOutput, TarOutput};
use crate::report::Step;

impl Export<'_> {
    /// Root's files have the owners that they have in the image, everybody else's are their own.
    fn keeps_owners(&self) -> Result<bool, BuildError> {
        // Before that, not even our own ID has a name here.
        self.tools.store.want_identities()?;
        Ok(rustix::process::geteuid().is_root() && !self.tools.store.is_of_ordinary_user())
    }

    pub(super) fn folder(&self, output: &FolderOutput, step: Step<'_, '_>) -> Result<Exported, BuildError> {
        let _held = self.hold_layers()?;
        let options = PopulateOptions {
            keeps_owners: self.keeps_owners()?,
            removes_others: output.removes_others,
            leaves_out: false,
        };
        let (mut written, mut left_out) = (0, 0);
        let trees = self.trees(output.splits_platforms)?;
        let folder = open_folder(&output.path)?;
        if output.removes_others && trees.iter().any(|(name, _)| !name.is_empty()) {
            self.remove_other_platforms(&trees, &output.path)?;
        }
        for (number, (name, tree)) in trees.into_iter().enumerate() {
            let below;
            let target = if name.is_empty() {
                &folder
            } else {
                below = open_folder(&output.path.join(&name))?;
                &below
            };
            // In one folder for all, the second must not remove the first.
            let removes_others = options.removes_others && (number == 0 || !name.is_empty());
            let populated = layer::populate(&tree, target.as_fd(), PopulateOptions { removes_others, ..options });
            let populated = populated.map_err(|error| unpopulated(&error, &output.path))?;
            written += populated.bytes;
            left_out += populated.left_out;
        }
        step.status(format!("copying files {}", bytes(written)));
        if left_out > 0 {
            let what = "devices or attributes of files were left out, which only root can make";
            self.reporter.warning(format!("{left_out} {what}: `{}`", output.path.display()), None);
        }
        Ok(Exported::default())
    }

    pub(super) fn tar(&self, output: &TarOutput, step: Step<'_, '_>) -> Result<Exported, BuildError> {
        let _held = self.hold_layers()?;
        let trees = self.trees(output.splits_platforms)?;
        output.destination.write(|file| {
            let mut out = BufWriter::with_capacity(1 << 20, file);
            for (name, tree) in &trees {
                let written = layer::write_tar(tree, name.as_bytes(), &mut out);
                written.map_err(|error| unwritten(&error, None))?;
            }
            let finished = layer::finish_tar(&mut out).and_then(|()| out.flush());
            finished.map_err(|error| unwritten(&layer::FlattenError::Write(error), None))
        })?;
        step.status("sending tarball");
        Ok(Exported::default())
    }

    /// The merged files of each image, with the folder that they go into; empty for none.
    fn trees(&self, splits_platforms: bool) -> Result<Vec<(String, Tree)>, BuildError> {
        let is_split = splits_platforms && self.images.len() > 1;
        let tree = |made: &Made| {
            let stack = Stack::open(self.tools.store, &made.config.rootfs.diff_ids).map_err(|error| match error {
                StackError::Store(error) => error.into(),
                error => unwritten(&error, None),
            })?;
            let name = if is_split { made.platform.to_string().replace('/', "_") } else { String::new() };
            Ok((name, stack.tree()))
        };
        let trees: Vec<(String, Tree)> = self.images.iter().map(tree).collect::<Result<_, BuildError>>()?;
        if !is_split && trees.len() > 1 {
            possible::check_apart(&trees)?;
        }
        Ok(trees)
    }

    /// With a folder for each platform, what else is beside them goes as well.
    fn remove_other_platforms(&self, trees: &[(String, Tree)], path: &Path) -> Result<(), BuildError> {
        let failed = |error: std::io::Error| unwritable(path, &error);
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if trees.iter().any(|(name, _)| entry.file_name() == name.as_str()) {
                continue;
            }
            let is_folder = entry.file_type().map_err(failed)?.is_dir();
            let removed = if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
            removed.map_err(failed)?;
        }
        Ok(())
    }
}

/// Opens a folder, which is made where it is missing.
fn open_folder(path: &Path) -> Result<OwnedFd, BuildError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = fs::create_dir_all(path).and_then(|()| Ok(rustix::fs::open(path, flags, Mode::empty())?));
    opened.map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> BuildError {
    let hint = path.is_file().then(|| "it is a file: name a folder, or write a tar with `type=tar`".to_owned());
    let message = format!("cannot write to the folder `{}`", path.display());
    BuildError::Output { message, causes: vec![error.to_string()], hint }
}

fn unpopulated(error: &PopulateError, folder: &Path) -> BuildError {
    let hint = match error {
        PopulateError::IsFolder { path } => {
            let path = folder.join(String::from_utf8_lossy(path).as_ref());
            Some(format!("move it away, or remove it: `rm -r {}`", path.display()))
        }
        _ => None,
    };
    unwritten(error, hint)
}
