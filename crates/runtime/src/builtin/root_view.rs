//! A container's files, as somebody outside looks at them: by one descriptor, below which the kernel resolves all paths.
//!
//! What a running container sees is in its mount namespace, and is reached by entering it for the moment in which its root
//! is opened; no path of the host is followed, and what its first process did to its own root does not count. What a
//! stopped one would see is put together in a namespace that nobody else is in. Namespaces belong to threads: a thread
//! of our own enters and ends, and the namespace stays for as long as its descriptor does.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags};
use rustix::thread::LinkNameSpaceType;

use super::child::{attach, is_proc};
use super::mount_plan::{MountConditions, PlannedMount, clone_tree, plan, setup};
use super::root_path::{RootPath, Symlinks};
use crate::spec::Mount;
use crate::sys::{self, MountAttributes, mount_setattr};
use crate::{BindMount, StartError};

/// The root of a container's files, with all that is mounted below it.
#[derive(Debug)]
pub struct RootView {
    root: OwnedFd,
    /// Keeps what is mounted below the root where it is, also when the container ends meanwhile.
    _namespace: OwnedFd,
}

impl AsFd for RootView {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

impl RootView {
    /// What a running container sees; `None` when it has ended. `is_alive` tells whether the process of this number is
    /// still the one that is meant.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn of_process(pid: u32, is_alive: impl Fn() -> bool) -> io::Result<Option<Self>> {
        let Some(namespace) = open_namespace(&format!("/proc/{pid}/ns/mnt"), is_alive)? else { return Ok(None) };
        let root = in_namespace(&namespace, || open_root(OFlags::PATH | OFlags::DIRECTORY))?;
        Ok(Some(Self { root, _namespace: namespace }))
    }

    /// The content of a regular file, at most `limit` bytes of it; `None` where there is none. Nothing else is opened for
    /// reading: not a device, nor a pipe that might never end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_file(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let path = RootPath::new(path).ok_or(Errno::INVAL)?;
        let file = match path.open(self.root.as_fd(), Symlinks::Follow) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            file => file?,
        };
        if !FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode).is_file() {
            return Ok(None);
        }
        let mut content = Vec::new();
        let file = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        file.take(limit).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// A root file system with mounts on it. Whatever a mount needs and the root does not have is made there, before the
    /// root becomes `read_only`.
    ///
    /// # Errors
    /// When something cannot be mounted.
    pub fn assemble(rootfs: OwnedFd, mounts: Vec<BindMount>, read_only: bool) -> Result<Self, StartError> {
        let words: Vec<_> = mounts.iter().map(|mount| mount.target.clone()).collect();
        let conditions = MountConditions {
            cgroup_folders: Vec::new(),
            has_cgroup_v2: false,
            no_devices: true,
            is_network_foreign: false,
            is_pid_foreign: false,
            is_ipc_foreign: false,
        };
        let mounts = plan(mounts.into_iter().map(Mount::Bind).collect(), conditions)?;
        let namespace = in_thread(|| {
            sys::unshare(libc::CLONE_NEWNS)?;
            // Unmounts of the host still reach us, so that we hold nothing back; ours never reach the host.
            let follow = MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM;
            rustix::mount::mount_change(c"/", follow)?;
            let namespace =
                rustix::fs::open(c"/proc/thread-self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            cover_root(rootfs.as_fd())?;
            let attached = attach_all(rootfs.as_fd(), &mounts);
            if read_only {
                make_read_only(rootfs.as_fd())?;
            }
            Ok((namespace, attached))
        });
        let action = "put the container's files together".to_owned();
        let (namespace, attached) = namespace.map_err(|source| StartError::Setup { action, source })?;
        attached.map_err(|(index, errno)| {
            setup(
                format!("mount {}", words.get(index).map(|path| path.display().to_string()).unwrap_or_default()),
                errno,
            )
        })?;
        Ok(Self { root: rootfs, _namespace: namespace })
    }
}

/// The root file system of a running container alone, without what is mounted on it: a copy of the mount, read-only and
/// attached nowhere. `None` when the container has ended.
///
/// # Errors
/// When the kernel refuses.
pub fn root_of_process(pid: u32, is_alive: impl Fn() -> bool) -> io::Result<Option<OwnedFd>> {
    let Some(namespace) = open_namespace(&format!("/proc/{pid}/ns/mnt"), is_alive)? else { return Ok(None) };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let root = in_namespace(&namespace, || Ok(rustix::mount::open_tree(CWD, c"/", flags)?))?;
    make_read_only(root.as_fd())?;
    Ok(Some(root))
}

/// A copy of the folder in memory that a running container has mounted at a path: the same files, attached nowhere. `None`
/// when the container has ended, or has something else there.
///
/// # Errors
/// When the kernel refuses.
pub fn tmpfs_of_process(
    pid: u32,
    is_alive: impl Fn() -> bool,
    target: &Path,
    read_only: bool,
) -> io::Result<Option<OwnedFd>> {
    const TMPFS_MAGIC: i64 = 0x0102_1994;
    let Some(target) = RootPath::new(target) else { return Ok(None) };
    let Some(namespace) = open_namespace(&format!("/proc/{pid}/ns/mnt"), is_alive)? else { return Ok(None) };
    let copy = in_namespace(&namespace, || {
        let root = open_root(OFlags::PATH | OFlags::DIRECTORY)?;
        let folder = match target.open(root.as_fd(), Symlinks::Follow) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let status = rustix::fs::statx(&folder, c"", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
        let is_mount = status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        if !is_mount || rustix::fs::fstatfs(&folder)?.f_type != TMPFS_MAGIC {
            return Ok(None);
        }
        Ok(Some(clone_tree(folder.as_fd(), false)?))
    })?;
    if let Some(copy) = &copy {
        let (set, clear) = if read_only { (MountAttributes::READ_ONLY, 0) } else { (0, MountAttributes::READ_ONLY) };
        let attributes = MountAttributes { set, clear, propagation: libc::MS_PRIVATE, ..MountAttributes::default() };
        mount_setattr(copy.as_fd(), &attributes, false)?;
    }
    Ok(copy)
}

fn make_read_only(mount: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = MountAttributes { set: MountAttributes::READ_ONLY, ..MountAttributes::default() };
    Ok(mount_setattr(mount, &attributes, false)?)
}

/// A mount of a running container, attached nowhere; `None` when the container has ended or nothing is there.
///
/// # Errors
/// When the kernel refuses.
pub fn mount_of_process(pid: u32, path: &Path, is_alive: impl Fn() -> bool) -> io::Result<Option<OwnedFd>> {
    let Some(namespace) = open_namespace(&format!("/proc/{pid}/ns/mnt"), is_alive)? else { return Ok(None) };
    let path = RootPath::new(path).ok_or(Errno::INVAL)?;
    let mount = in_namespace(&namespace, || {
        let root = open_root(OFlags::PATH | OFlags::DIRECTORY)?;
        Ok(path.open(root.as_fd(), Symlinks::Refuse).and_then(|place| clone_tree(place.as_fd(), false))?)
    });
    match mount {
        Ok(mount) => Ok(Some(mount)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The number may have become another process's before its namespace was opened, but not after it was found alive.
fn open_namespace(path: &str, is_alive: impl Fn() -> bool) -> io::Result<Option<OwnedFd>> {
    match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(namespace) => Ok(is_alive().then_some(namespace)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn open_root(flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(c"/", flags | OFlags::CLOEXEC, Mode::empty())?)
}

/// Does something in another mount namespace, whose `/` is its root and not that of a process in it.
fn in_namespace<T: Send>(namespace: &OwnedFd, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    in_thread(|| {
        sys::unshare(libc::CLONE_FS)?;
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
        act()
    })
}

fn in_thread<T: Send>(act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, act)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread in another namespace has failed")))
    })
}

/// Stacks a mount on the root of this thread's namespace.
fn cover_root(mount: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::mount::move_mount(mount, c"", CWD, c"/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Attaches trees below the root; of the first that cannot be, its number and why.
fn attach_all(root: BorrowedFd<'_>, mounts: &[PlannedMount]) -> Result<(), (usize, rustix::io::Errno)> {
    for (index, mount) in mounts.iter().enumerate() {
        let PlannedMount::Tree { target, tree, missing, within, .. } = mount else { continue };
        let attached = target.open_or_create(root, Symlinks::Follow, *missing).and_then(|target| {
            if is_proc(target.as_fd())? {
                return Err(rustix::io::Errno::PERM);
            }
            let Some(path) = within else { return attach(tree.as_fd(), target.as_fd()) };
            // Only what is attached somewhere can be copied in part (before Linux 6.15).
            cover_root(tree.as_fd()).map_err(|_| rustix::io::Errno::INVAL)?;
            let part = path.open(tree.as_fd(), Symlinks::Follow)?;
            attach(clone_tree(part.as_fd(), false)?.as_fd(), target.as_fd())
        });
        attached.map_err(|errno| (index, errno))?;
    }
    Ok(())
}
