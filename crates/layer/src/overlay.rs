//! Stacks layers with overlayfs into one root filesystem, attached nowhere.
//!
//! Layers come and the result goes as descriptors. Linux 6.15 takes them as they are; older kernels want layers
//! attached somewhere, or named by text, or even an attached overlay (see [`OverlayOptions::attach`]). The kernel's
//! answer to the best form decides about the next one; kernel versions are never compared.
//!
//! Options that hold always: `redirect_dir=nofollow` (renaming a folder of a lower layer gives EXDEV, which tools handle
//! by copying, and redirects that an image brings along are not obeyed), `metacopy=off` and `index=off` (an upper folder
//! holds whole files only, and can be moved and read without the layers below).

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};

use crate::descent::FOLDER;
use crate::entry::Metadata;
use crate::extract::metadata;
use crate::mount::{MountContext, MountError, descriptor_path, mount_empty};

/// The most layers that overlayfs stacks (`OVL_MAX_STACK` in the kernel).
pub const MOST_LAYERS: usize = 500;

/// What to stack, and how.
#[derive(Debug, Clone, Copy)]
pub struct OverlayOptions<'a> {
    /// Layers, the top one first: [`crate::mount_erofs`] mounts or open folders. May be empty.
    pub lower: &'a [BorrowedFd<'a>],
    /// Where changes go; without it the result is read-only.
    pub upper: Option<Upper<'a>>,
    /// Makes device nodes inert. Devices of a container are mounted over it, so true unless a user asks otherwise.
    pub nodev: bool,
    /// Shows one device number for everything, as a single file system does, so that `du -x` and `find -xdev` work.
    /// Inode numbers then pass 32 bits: false for images of 32-bit programs, whose `stat` fails on them.
    pub xino: bool,
    /// Keeps overlayfs' marks in `user.overlay.*`, as a mount inside a user namespace has to.
    pub user_xattrs: bool,
    /// A folder in a mount namespace of the caller's own, whose mounts nobody else sees. Layers are attached below it
    /// on kernels that take no detached ones (before 6.15), for as long as the namespace lives. Its use is not
    /// thread-safe; unused where it is not needed.
    pub attach: Option<BorrowedFd<'a>>,
}

/// Where an overlay's changes go.
#[derive(Debug, Clone, Copy)]
pub struct Upper<'a> {
    /// The folder that [`crate::diff`] reads later.
    pub folder: BorrowedFd<'a>,
    /// An empty folder on the same mount, for overlayfs itself.
    pub work: BorrowedFd<'a>,
    /// Ignores `sync`: for what is read back or thrown away in the same boot. The kernel then refuses to mount the same
    /// `work` folder again until the `incompat` folder in it is removed.
    pub volatile: bool,
}

impl<'a> OverlayOptions<'a> {
    /// A read-only stack with the usual choices.
    pub fn new(lower: &'a [BorrowedFd<'a>]) -> Self {
        Self { lower, upper: None, nodev: true, xino: true, user_xattrs: false, attach: None }
    }
}

/// Mounts the stack. The descriptor is a mount attached nowhere, to be moved into a container's mount namespace.
///
/// # Errors
/// When the kernel lacks overlayfs or what this stack needs of it, or a folder is not fit to be a layer.
pub fn mount_overlay(options: &OverlayOptions<'_>) -> Result<OwnedFd, MountError> {
    if options.lower.len() > MOST_LAYERS {
        return Err(MountError::TooManyLayers { count: options.lower.len(), most: MOST_LAYERS });
    }
    // Overlayfs wants one layer below an upper folder, and two where there is none. One layer alone must not be handed
    // out bare either: its whiteouts would show as devices.
    let needed = if options.upper.is_some() { 1 } else { 2 };
    if options.lower.len() >= needed {
        return mount_stack(options);
    }
    let empty: Vec<OwnedFd> = (options.lower.len()..needed).map(|_| mount_empty()).collect::<Result<_, _>>()?;
    let lower: Vec<BorrowedFd<'_>> = options.lower.iter().copied().chain(empty.iter().map(AsFd::as_fd)).collect();
    mount_stack(&OverlayOptions { lower: &lower, ..*options })
}

/// Gives an upper folder the metadata of the root below it, before its first mount: the root of an overlay shows its
/// upper folder's.
///
/// # Errors
/// When something cannot be set.
pub fn prepare_upper(folder: BorrowedFd<'_>, root: &Metadata) -> Result<(), MountError> {
    let failed = |(doing, source)| MountError::Prepare { doing, source };
    let folder = rustix::fs::openat(folder, c".", FOLDER, Mode::empty())
        .map_err(|source| failed(("opening the upper folder", source)))?;
    metadata::set_on(folder.as_fd(), root, false).map(|_left_out| ()).map_err(failed)
}

/// How folders are named to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As descriptors: Linux 6.13.
    Descriptors,
    /// As text, one layer by option: Linux 6.7.
    Texts,
    /// As one text of at most a page for `mount`: any Linux; needs a folder to attach the result to for a moment.
    Classic,
}

/// Mounts two or more layers in the best form that this kernel takes.
fn mount_stack(options: &OverlayOptions<'_>) -> Result<OwnedFd, MountError> {
    let refusal = match mount_as(options, Form::Descriptors) {
        Err(refusal) if is_matter_of_form(&refusal) => refusal,
        other => return other,
    };
    if let Ok(mount) = mount_as(options, Form::Texts) {
        return Ok(mount);
    }
    if options.attach.is_none() {
        return Err(refusal);
    }
    attach_layers(options)?;
    for form in [Form::Descriptors, Form::Texts] {
        if let Ok(mount) = mount_as(options, form) {
            return Ok(mount);
        }
    }
    match mount_as(options, Form::Classic) {
        // The kernel gives its reasons only in the other forms.
        Err(error) if error.errno() == Some(Errno::INVAL) => Err(refusal),
        other => other,
    }
}

fn is_matter_of_form(refusal: &MountError) -> bool {
    matches!(refusal, MountError::NoMountApi) || matches!(refusal.errno(), Some(Errno::INVAL | Errno::BADF))
}

fn mount_as(options: &OverlayOptions<'_>, form: Form) -> Result<OwnedFd, MountError> {
    if form == Form::Classic {
        return mount_classic(options);
    }
    let context = MountContext::open("overlay")?;
    let folder = |option, folder: BorrowedFd<'_>| match form {
        Form::Descriptors => context.descriptor(option, folder),
        _ => context.text(option, &descriptor_path(folder)),
    };
    context.text("source", "overlay")?;
    for layer in options.lower {
        folder("lowerdir+", *layer)?;
    }
    if let Some(upper) = &options.upper {
        folder("upperdir", upper.folder)?;
        folder("workdir", upper.work)?;
    }
    for (option, value) in choices(options) {
        match value {
            Some(value) => context.text(option, value)?,
            None => context.flag(option)?,
        }
    }
    context.create()?;
    let mut attributes = MountAttrFlags::empty();
    attributes.set(MountAttrFlags::MOUNT_ATTR_NODEV, options.nodev);
    attributes.set(MountAttrFlags::MOUNT_ATTR_RDONLY, options.upper.is_none());
    context.mount(attributes)
}

/// The options that do not name folders.
fn choices(options: &OverlayOptions<'_>) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    let always = [
        ("redirect_dir", Some("nofollow")),
        ("metacopy", Some("off")),
        ("index", Some("off")),
        ("xino", Some(if options.xino { "auto" } else { "off" })),
    ];
    let volatile = options.upper.is_some_and(|upper| upper.volatile).then_some(("volatile", None));
    let user_xattrs = options.user_xattrs.then_some(("userxattr", None));
    always.into_iter().chain(volatile).chain(user_xattrs)
}

/// Moves detached layers below the private folder, one over the other: only their descriptors are used, never the
/// place. Layers that are attached already, or are plain folders, stay where they are.
fn attach_layers(options: &OverlayOptions<'_>) -> Result<(), MountError> {
    const PLACE: &str = "layers";
    let Some(attach) = options.attach else { return Ok(()) };
    make_folder(attach, PLACE)?;
    for (layer, descriptor) in options.lower.iter().enumerate() {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        match rustix::mount::move_mount(descriptor, c"", attach, PLACE, flags) {
            // Not the root of a mount, or a mount that is attached already (LOOP: below the place itself).
            Ok(()) | Err(Errno::INVAL | Errno::LOOP) => {}
            Err(source) => return Err(MountError::Attach { layer, source }),
        }
    }
    Ok(())
}

/// Mounts with the classic call below the private folder and detaches the result from there.
fn mount_classic(options: &OverlayOptions<'_>) -> Result<OwnedFd, MountError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let failed = |doing| move |source| MountError::Prepare { doing, source };
    let Some(attach) = options.attach else { return Err(MountError::NoMountApi) };
    let data = classic_options(options)?;
    let place = format!("overlay-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    make_folder(attach, &place)?;
    let below = rustix::fs::openat(attach, &place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("opening a private mount point"))?;
    let mut flags = MountFlags::empty();
    flags.set(MountFlags::NODEV, options.nodev);
    flags.set(MountFlags::RDONLY, options.upper.is_none());
    rustix::mount::mount(c"overlay", descriptor_path(below.as_fd()), c"overlay", flags, Some(data.as_c_str()))
        .map_err(|source| MountError::Refused { file_system: "overlay", said: String::new(), source })?;
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = rustix::mount::open_tree(attach, &place, clone).map_err(failed("detaching an overlay"));
    // From here on the place is of no use, and a leftover does no harm: it goes with its namespace.
    if let Ok(attached) = rustix::fs::openat(attach, &place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        let gone = rustix::mount::unmount(descriptor_path(attached.as_fd()), UnmountFlags::DETACH);
        let _leftover = gone.and_then(|()| rustix::fs::unlinkat(attach, &place, AtFlags::REMOVEDIR));
    }
    mount
}

/// All options as one text, of at most a page.
fn classic_options(options: &OverlayOptions<'_>) -> Result<CString, MountError> {
    const PAGE: usize = 4096;
    let layers: Vec<String> = options.lower.iter().map(|layer| descriptor_path(*layer)).collect();
    let mut text = format!("lowerdir={}", layers.join(":"));
    if let Some(upper) = &options.upper {
        text += &format!(",upperdir={},workdir={}", descriptor_path(upper.folder), descriptor_path(upper.work));
    }
    for (option, value) in choices(options) {
        text += &value.map_or(format!(",{option}"), |value| format!(",{option}={value}"));
    }
    let (count, longest) = (layers.len(), layers.iter().map(String::len).max().unwrap_or(1) + 1);
    if text.len() >= PAGE {
        let most = count.saturating_sub((text.len() - PAGE) / longest + 1);
        return Err(MountError::TooManyLayers { count, most });
    }
    CString::new(text).map_err(|_| MountError::Prepare { doing: "writing mount options", source: Errno::INVAL })
}

fn make_folder(parent: BorrowedFd<'_>, name: &str) -> Result<(), MountError> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(source) => Err(MountError::Prepare { doing: "making a private mount point", source }),
    }
}

#[cfg(test)]
mod tests;
