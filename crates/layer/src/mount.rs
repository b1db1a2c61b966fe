//! Mounts made with Linux's mount API (`fsopen` … `fsmount`, Linux 5.2) that are attached nowhere: a descriptor is all
//! there is of them, so nothing shows in the host's mount table and nothing has to be unmounted.
//!
//! Here is the EROFS mount of a layer's index with the layer's tar as its second device, and what all such mounts
//! share. Stacking them is [`mod@crate::overlay`]'s work. Nothing here knows where layers are kept.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::writer::LayerWriter;

/// Why something could not be mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The mount API itself is missing.
    #[error("kernel has no mount API (`fsopen`, Linux 5.2), or a seccomp filter hides it")]
    NoMountApi,
    /// The kernel was built without the file system, or its module is not there.
    #[error("kernel has no file system `{file_system}`")]
    NoFileSystem {
        /// Name of the file system.
        file_system: &'static str,
    },
    /// The caller may not mount it, at all or in its user namespace.
    #[error("not permitted to mount `{file_system}` in this user namespace")]
    NotPermitted {
        /// Name of the file system.
        file_system: &'static str,
    },
    /// EROFS cannot take its data from a file that lies where the layer lies.
    #[error(
        "kernel cannot mount EROFS from a file here (Linux 6.12 with `EROFS_FS_BACKED_BY_FILE`, and a folder that is \
         neither tmpfs nor overlayfs)"
    )]
    NotFileBacked,
    /// The kernel does not take one of the options.
    #[error("kernel refuses option `{option}` of `{file_system}`{}", Said(.said))]
    Option {
        /// Name of the file system.
        file_system: &'static str,
        /// The option.
        option: &'static str,
        /// What the kernel wrote to the mount's log.
        said: String,
        /// What the call returned.
        #[source]
        source: Errno,
    },
    /// The kernel took the options but not the whole.
    #[error("kernel refuses to mount `{file_system}`{}", Said(.said))]
    Refused {
        /// Name of the file system.
        file_system: &'static str,
        /// What the kernel wrote to the mount's log.
        said: String,
        /// What the call returned.
        #[source]
        source: Errno,
    },
    /// More layers than one mount takes, and no other way on this kernel.
    #[error("{count} layers are too many for one overlay mount on this kernel (at most {most})")]
    TooManyLayers {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A layer could not be attached below the private folder, which kernels before 6.15 need.
    #[error("cannot attach layer {layer} to the private folder for mounts")]
    Attach {
        /// Number of the layer, 0 on top.
        layer: usize,
        /// What the call returned.
        #[source]
        source: Errno,
    },
    /// A file that a mount needs could not be made or read.
    #[error("cannot prepare mount: {doing}")]
    Prepare {
        /// What was being done.
        doing: &'static str,
        /// What the call returned.
        #[source]
        source: Errno,
    },
}

impl MountError {
    /// Number of the kernel's error, where there is one.
    pub(crate) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Option { source, .. } | Self::Refused { source, .. } => Some(*source),
            Self::Attach { source, .. } | Self::Prepare { source, .. } => Some(*source),
            _ => None,
        }
    }
}

/// Shows the kernel's own words, when there are any.
struct Said<'a>(&'a str);

impl std::fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " ({})", self.0) }
    }
}

/// Mounts a layer's index, with the layer's tar as the device that holds the content: read-only, without devices,
/// with set-user-ID, attached nowhere.
///
/// Two mounts of one layer are two file systems for the kernel, so the caller keeps the descriptor as long as it is of
/// use. The mount lives on in every overlay made of it after the descriptor is closed.
///
/// # Errors
/// [`MountError::NoFileSystem`], [`MountError::NotPermitted`] and [`MountError::NotFileBacked`] say that this machine
/// needs the other backend ([`crate::extract`]); all others are a damaged index or an exhausted machine.
pub fn mount_erofs(index: BorrowedFd<'_>, tar: BorrowedFd<'_>) -> Result<OwnedFd, MountError> {
    let context = MountContext::open("erofs")?;
    context.flag("ro")?;
    // The kernel reopens both paths itself while it creates the superblock; `fsconfig` has no descriptor form of them.
    context.text("source", &descriptor_path(index))?;
    context.text("device", &descriptor_path(tar))?;
    match context.create() {
        Err(MountError::Refused { source: Errno::NOTBLK, .. }) => Err(MountError::NotFileBacked),
        other => other,
    }?;
    context.mount(MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV)
}

/// Whether [`mount_erofs`] works for layers below `folder`: mounts an empty layer kept there in nameless files.
///
/// Costs about as much as three small files; the answer holds for the folder's file system until the next boot.
///
/// # Errors
/// What is missing.
pub fn erofs_supported(folder: BorrowedFd<'_>) -> Result<(), MountError> {
    let failed = |doing| move |source| MountError::Prepare { doing, source };
    let nameless = || -> Result<File, Errno> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(folder, c".", flags, Mode::RUSR | Mode::WUSR)?))
    };
    let tar = nameless().map_err(failed("making a nameless file"))?;
    let index = nameless().map_err(failed("making a nameless file"))?;
    let failed = failed("writing an empty layer");
    let writer = LayerWriter::new(tar.try_clone().map_err(|error| failed(errno_of(&error)))?);
    let layer = writer.finish().map_err(|_| failed(Errno::IO))?;
    (&index).write_all(&layer.index).map_err(|error| failed(errno_of(&error)))?;
    mount_erofs(index.as_fd(), tar.as_fd()).map(drop)
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// An empty, read-only folder, attached nowhere: stands in where overlayfs wants one more layer than there is.
pub(crate) fn mount_empty() -> Result<OwnedFd, MountError> {
    let context = MountContext::open("tmpfs")?;
    context.text("source", "empty")?;
    context.text("mode", "0755")?;
    context.create()?;
    context.mount(MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV)
}

/// A file system in memory, attached nowhere: it vanishes with its last descriptor and mount.
///
/// # Errors
/// When the kernel refuses.
pub fn mount_memory() -> Result<OwnedFd, MountError> {
    let context = MountContext::open("tmpfs")?;
    context.text("source", "copied")?;
    context.text("mode", "0755")?;
    context.create()?;
    context.mount(MountAttrFlags::MOUNT_ATTR_NODEV)
}

/// The text form of a descriptor, for calls that take only text.
///
/// The kernel resolves it by the magic link to exactly what the descriptor holds; no folder on the way can be swapped.
pub(crate) fn descriptor_path(descriptor: BorrowedFd<'_>) -> String {
    let mut path = String::with_capacity(24);
    // Writing to a string cannot fail.
    let _infallible = write!(path, "/proc/self/fd/{}", descriptor.as_raw_fd());
    path
}

/// A file system being configured, before it is mounted.
#[derive(Debug)]
pub(crate) struct MountContext {
    file_system: &'static str,
    descriptor: OwnedFd,
}

impl MountContext {
    pub(crate) fn open(file_system: &'static str) -> Result<Self, MountError> {
        match mount::fsopen(file_system, FsOpenFlags::FSOPEN_CLOEXEC) {
            Ok(descriptor) => Ok(Self { file_system, descriptor }),
            Err(Errno::NOSYS) => Err(MountError::NoMountApi),
            Err(Errno::NODEV) => Err(MountError::NoFileSystem { file_system }),
            Err(Errno::PERM) => Err(MountError::NotPermitted { file_system }),
            Err(source) => Err(MountError::Refused { file_system, said: String::new(), source }),
        }
    }

    pub(crate) fn flag(&self, option: &'static str) -> Result<(), MountError> {
        mount::fsconfig_set_flag(&self.descriptor, option).map_err(|source| self.option_error(option, source))
    }

    pub(crate) fn text(&self, option: &'static str, value: &str) -> Result<(), MountError> {
        mount::fsconfig_set_string(&self.descriptor, option, value).map_err(|source| self.option_error(option, source))
    }

    pub(crate) fn descriptor(&self, option: &'static str, value: BorrowedFd<'_>) -> Result<(), MountError> {
        mount::fsconfig_set_fd(&self.descriptor, option, value.as_fd())
            .map_err(|source| self.option_error(option, source))
    }

    pub(crate) fn create(&self) -> Result<(), MountError> {
        mount::fsconfig_create(&self.descriptor).map_err(|source| self.refused(source))
    }

    pub(crate) fn mount(self, attributes: MountAttrFlags) -> Result<OwnedFd, MountError> {
        mount::fsmount(&self.descriptor, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .map_err(|source| self.refused(source))
    }

    fn option_error(&self, option: &'static str, source: Errno) -> MountError {
        MountError::Option { file_system: self.file_system, option, said: self.said(), source }
    }

    fn refused(&self, source: Errno) -> MountError {
        match source {
            Errno::PERM => MountError::NotPermitted { file_system: self.file_system },
            source => MountError::Refused { file_system: self.file_system, said: self.said(), source },
        }
    }

    /// Reads the messages that the kernel keeps with the descriptor, one by read.
    fn said(&self) -> String {
        const LONGEST: usize = 1024;
        let mut said = String::new();
        let mut message = [0; LONGEST];
        while let Ok(length @ 1..) = rustix::io::read(&self.descriptor, &mut message) {
            if said.len() > LONGEST {
                break;
            }
            let text = String::from_utf8_lossy(&message[..length]);
            // Each begins with its severity: `e `, `w ` or `i `.
            let text = text.trim_end().get(2..).unwrap_or_default().to_owned();
            if !said.is_empty() {
                said.push_str("; ");
            }
            said.push_str(&text);
        }
        said
    }
}

#[cfg(test)]
mod tests;
