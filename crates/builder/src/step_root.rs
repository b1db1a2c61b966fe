//! The folders that a RUN step's root is made of, and a copied root on its way from one step to the next.
//!
//! Where overlayfs is not to be had, a root is a copy of all layers ([`image::RootfsOptions`]); the next step of the
//! stage, if it is on exactly this step's layer, goes on in it.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};

use image::{Captured, Changes, Stack};
use layer::Timestamp;
use oci::DiffId;
use rustix::fs::{Mode, OFlags};
use store::{Store, WorkFolder};

use crate::build::BuildError;
use crate::failure::internal;

/// Where a step writes.
#[derive(Debug)]
pub(crate) struct StepRoot<'a> {
    pub(crate) folder: WorkFolder<'a>,
    pub(crate) upper: OwnedFd,
    pub(crate) work: OwnedFd,
}

/// A copied root after its step, and the layers that it has now.
#[derive(Debug)]
pub(crate) struct Passed<'a> {
    store: &'a Store,
    root: RefCell<Option<(WorkFolder<'a>, Vec<DiffId>)>>,
}

impl<'a> Passed<'a> {
    /// Nothing so far.
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, root: RefCell::new(None) }
    }
}

impl<'a> StepRoot<'a> {
    /// Makes the folders, or takes over those of the step before.
    pub(crate) fn begin(stack: &Stack, root_mode: u32, passed: &Passed<'a>) -> Result<Self, BuildError> {
        let folder = passed.store.work_folder()?;
        if let Some((older, layers)) = passed.root.take()
            && layers == stack.diff_ids()
        {
            let take = |name| {
                rustix::fs::renameat(&older, name, &folder, name)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                rustix::fs::openat(&folder, name, flags, Mode::empty())
            };
            let failed = |errno| internal("go on in the root of the step before", &std::io::Error::from(errno));
            let (upper, work) = (take("upper").map_err(failed)?, take("work").map_err(failed)?);
            return Ok(Self { folder, upper, work });
        }
        let (upper, work) = (folder.subfolder("upper", root_mode)?, folder.subfolder("work", 0o700)?);
        Ok(Self { folder, upper, work })
    }

    /// Reads what the step has changed.
    pub(crate) fn capture(
        &self,
        store: &Store,
        stack: &Stack,
        user: &str,
        ceiling: Option<Timestamp>,
    ) -> Result<Captured, image::CaptureError> {
        let changes = Changes { upper: self.upper.as_fd(), work: Some(self.work.as_fd()) };
        image::capture(store, stack, changes, user, ceiling)
    }

    /// Hands a copied root on to the next step, which is on `layer`.
    pub(crate) fn pass(self, mut stack: Stack, layer: DiffId, passed: &Passed<'a>) {
        // Whatever is wrong, the next step can make a copy of its own.
        let renewed = stack.push(passed.store, layer).is_ok()
            && image::renew_copy(&stack, self.upper.as_fd(), self.work.as_fd()).unwrap_or(false);
        if renewed {
            passed.root.replace(Some((self.folder, stack.diff_ids().to_vec())));
        }
    }

    /// Makes what a failed step has written something to look at later: changes on top of the layers that come back. Of a copied
    /// root it is one more layer, and nothing on top.
    pub(crate) fn settle(&self, store: &Store, stack: &Stack, user: &str) -> Result<Vec<DiffId>, image::CaptureError> {
        let mut layers = stack.diff_ids().to_vec();
        if image::is_copied(self.work.as_fd()) {
            layers.push(self.capture(store, stack, user, None)?.keep(store)?);
            let renamed = rustix::fs::renameat(&self.folder, "upper", &self.folder, "copied");
            renamed.map_err(|errno| image::CaptureError::Open(errno.into()))?;
            let upper = self.folder.subfolder("upper", 0o755)?;
            let root = image::root_metadata(stack)?;
            layer::prepare_upper(upper.as_fd(), &root)
                .map_err(|error| image::CaptureError::Open(std::io::Error::other(error)))?;
        }
        Ok(layers)
    }
}
