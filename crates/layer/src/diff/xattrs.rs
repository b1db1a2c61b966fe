//! Reads extended attributes of an upper folder's entries and tells overlayfs' own marks from the user's.
//!
//! Overlayfs keeps its marks in `trusted.overlay.*`, or `user.overlay.*` when it was mounted with `userxattr`. Both
//! families stay out of layers, whichever was in use: in a layer they would be obeyed by whoever mounts it extracted.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;

use oci::OwnerMark;
use rustix::io::Errno;

use crate::entry::Xattr;
use crate::mount::descriptor_path;

const TRUSTED: &[u8] = b"trusted.overlay.";
const USER: &[u8] = b"user.overlay.";
/// Label of this host's policy; on another host it would be wrong, so no builder records it.
const HOST_LABEL: &[u8] = b"security.selinux";

/// What overlayfs says about an entry of the upper folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    /// The folder hides what is below it.
    pub(crate) opaque: bool,
    /// The file stands for a removed name.
    pub(crate) whiteout: bool,
    /// The entry is not whole without the layers below: content or name are elsewhere.
    pub(crate) partial: bool,
    /// The entry was in a layer below and was copied up; never set on what overlayfs cannot mark (links, devices).
    pub(crate) copied_up: bool,
}

/// Attributes of one entry.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) marks: Marks,
    /// Whose it is, where the kernel could not keep that.
    pub(crate) owner: Option<OwnerMark>,
    /// All others, sorted by name.
    pub(crate) xattrs: Vec<Xattr>,
}

/// What to read them from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// An open file or folder.
    Open(BorrowedFd<'a>),
    /// A name in an open folder, for what cannot be opened: links, devices, pipes.
    Name(BorrowedFd<'a>, &'a CStr),
}

/// Reads attributes into buffers that live as long as the walk.
#[derive(Debug)]
pub(crate) struct XattrReader {
    own_marks: &'static [u8],
    names: Vec<u8>,
    value: Vec<u8>,
}

impl XattrReader {
    /// `user_xattrs`: the overlay was mounted with `userxattr`.
    pub(crate) fn new(user_xattrs: bool) -> Self {
        // The kernel's limits: XATTR_LIST_MAX and XATTR_SIZE_MAX.
        const LONGEST: usize = 65536;
        let own_marks = if user_xattrs { USER } else { TRUSTED };
        Self { own_marks, names: vec![0; LONGEST], value: vec![0; LONGEST] }
    }

    pub(crate) fn read(&mut self, source: Source<'_>) -> Result<Attributes, Errno> {
        let mut found = Attributes::default();
        let length = match source {
            Source::Open(file) => rustix::fs::flistxattr(file, &mut self.names[..]),
            Source::Name(folder, name) => rustix::fs::llistxattr(name_path(folder, name), &mut self.names[..]),
        };
        let length = match length {
            Ok(length) => length,
            // A file system without extended attributes.
            Err(Errno::OPNOTSUPP) => 0,
            Err(error) => return Err(error),
        };
        for name in self.names[..length].split_inclusive(|byte| *byte == 0) {
            let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
            let bytes = name.to_bytes();
            if bytes == HOST_LABEL {
                continue;
            }
            let mark = bytes.strip_prefix(self.own_marks);
            if mark.is_none() && (bytes.starts_with(TRUSTED) || bytes.starts_with(USER)) {
                continue;
            }
            let length = match source {
                Source::Open(file) => rustix::fs::fgetxattr(file, name, &mut self.value[..]),
                Source::Name(folder, entry) => {
                    rustix::fs::lgetxattr(name_path(folder, entry), name, &mut self.value[..])
                }
            }?;
            let value = &self.value[..length];
            match mark {
                // `x` says only that the folder holds whiteouts in attribute form (Linux 6.7).
                Some(b"opaque") => found.marks.opaque = value == b"y",
                Some(b"whiteout") => found.marks.whiteout = true,
                Some(b"origin") => found.marks.copied_up = true,
                Some(b"metacopy" | b"redirect") => found.marks.partial = true,
                Some(_) => {}
                None if name == OwnerMark::ATTRIBUTE => found.owner = OwnerMark::parse(value),
                None => found.xattrs.push(Xattr { name: bytes.to_vec(), value: value.to_vec() }),
            }
        }
        found.xattrs.sort_unstable();
        Ok(found)
    }
}

/// Names an entry for the calls that know no descriptors: the folder by its magic link, then one plain name, which
/// those calls do not follow.
fn name_path(folder: BorrowedFd<'_>, name: &CStr) -> CString {
    let mut path = descriptor_path(folder).into_bytes();
    path.push(b'/');
    path.extend_from_slice(name.to_bytes());
    // Neither part holds a zero byte, so this takes the path as it is.
    CString::new(path).unwrap_or_default()
}
