//! RUN where nothing can be mounted and no namespace be made: in a folder that is a copy of the layers.
//!
//! What is mounted elsewhere is put in its place for the time of the command, and what the image has there is put aside;
//! afterwards both go back, with the times of the folders that they are in, so that no layer sees any of it. Network and
//! host name are those of the surroundings.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use builder::{CannotRun, ExecutorError, RunMountSource, RunRequest};
use image::{RootfsOptions, Writable};
use runtime::ContainerSpec;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, makedev};
use rustix::io::Errno;

use super::{BuildExecutor, mounts};
use crate::doctor::remedies::DOCTOR;
use crate::network::NetworkMode;

/// Names and numbers of the devices that are made where `CAP_MKNOD` is there.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Folders that are the kernel's elsewhere: what is written there is of no layer.
const KERNEL: [&str; 3] = ["dev", "proc", "sys"];

/// What has been put into a root.
#[derive(Debug)]
pub(super) struct Placed {
    scratch: PathBuf,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    /// The folder that it is in, and its name there.
    parent: OwnedFd,
    name: CString,
    /// Where what the image has is meanwhile, if it has something.
    aside: Option<PathBuf>,
    /// Where what was put there goes.
    back: PathBuf,
    /// When the folder was changed before this, and by this.
    before: Timestamps,
    after: (i64, i64),
}

impl BuildExecutor<'_> {
    /// Prepares a folder and the command in it.
    pub(super) fn folder_spec(&self, request: &RunRequest<'_>) -> Result<(ContainerSpec, Placed), ExecutorError> {
        request.platform.map_or(Ok(()), crate::emulation::check)?;
        let writable = Writable { upper: request.upper, work: request.work, below: request.written, volatile: true };
        let points = mounts::points(request)?;
        let points = points.as_ref().map(AsFd::as_fd);
        let options = RootfsOptions { writable: Some(writable), points, with_stubs: true, rung: None };
        image::copy_root(self.engine.store(), request.stack, writable, &options)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let rootfs = rustix::fs::openat(request.upper, c".", flags, Mode::empty())?;
        let mut placed = Placed { scratch: request.scratch.to_owned(), places: Vec::new() };
        let filled = self.fill(request, &rootfs, &mut placed);
        if let Err(error) = filled {
            placed.take_out()?;
            return Err(error);
        }
        let spec = self.bare_spec(request, rootfs)?;
        Ok((spec, placed))
    }

    fn fill(&self, request: &RunRequest<'_>, root: &OwnedFd, placed: &mut Placed) -> Result<(), ExecutorError> {
        for name in KERNEL {
            let folder = placed.new_path();
            std::fs::create_dir(&folder)?;
            if name == "dev" {
                make_devices(&folder)?;
            }
            rustix::fs::chmodat(CWD, &folder, Mode::from_raw_mode(0o755), AtFlags::empty())?;
            placed.put(root, Path::new(name), &folder)?;
        }
        let mode = NetworkMode::Host;
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let added: Vec<_> = self.added_hosts(request, Some(std::net::Ipv4Addr::LOCALHOST));
        let files = [
            ("etc/hosts", self.host().hosts(&mode, &hostname, None, &added)),
            ("etc/resolv.conf", self.host().resolv_conf(self.engine, &mode)),
        ];
        for (name, text) in files {
            placed.put_file(root, Path::new(name), text.as_bytes(), (0o644, 0, 0))?;
        }
        for mount in request.mounts {
            let target = Path::new(mount.target.trim_start_matches('/'));
            match &mount.source {
                RunMountSource::File { content, mode, uid, gid, .. } => {
                    placed.put_file(root, target, content.expose(), (*mode, *uid, *gid))?;
                }
                RunMountSource::Cache(folder) if !mount.read_only => {
                    let path =
                        std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(folder)))?;
                    placed.put(root, target, &path)?;
                }
                RunMountSource::Tmpfs { .. } => {
                    let folder = placed.new_path();
                    std::fs::create_dir(&folder)?;
                    rustix::fs::chmodat(CWD, &folder, Mode::from_raw_mode(0o1777), AtFlags::empty())?;
                    placed.put(root, target, &folder)?;
                }
                RunMountSource::Bind(_) | RunMountSource::Agent { .. } | RunMountSource::Cache(_) => {
                    return Err(cannot_mount(mount.target).into());
                }
            }
        }
        Ok(())
    }
}

fn cannot_mount(target: &str) -> CannotRun {
    CannotRun {
        message: format!(
            "nothing can be mounted here, and what is to be on `{target}` cannot be put there in another way \
             (CAP_SYS_ADMIN is missing, and no user namespace may be made)"
        ),
        hint: DOCTOR.to_owned(),
    }
}

/// Nodes, as far as they may be made, and what else programs expect.
fn make_devices(folder: &Path) -> Result<(), ExecutorError> {
    for (name, major, minor) in DEVICES {
        let mode = Mode::from_raw_mode(0o666);
        let path = folder.join(name);
        match rustix::fs::mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(major, minor)) {
            Ok(()) if is_alive(&path) => {}
            // Without the right to make it, or on a mount that knows no devices. What is written to an empty file is
            // gone with it: better than nothing, which nearly every script would fail on.
            Ok(()) | Err(Errno::PERM) => {
                std::fs::remove_file(&path).or_else(|error| match error.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })?;
                if name != "null" {
                    continue;
                }
                std::fs::File::create(&path)?;
            }
            Err(errno) => return Err(errno.into()),
        }
        // Whatever our umask is.
        rustix::fs::chmodat(CWD, &path, mode, AtFlags::empty())?;
    }
    let shm = folder.join("shm");
    std::fs::create_dir(&shm)?;
    rustix::fs::chmodat(CWD, &shm, Mode::from_raw_mode(0o1777), AtFlags::empty())?;
    Ok(())
}

/// Whether a device can be opened. There may be no terminal behind `tty`, which is no fault of the node.
fn is_alive(node: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    !matches!(rustix::fs::open(node, flags, Mode::empty()), Err(Errno::ACCESS | Errno::PERM))
}

impl Placed {
    fn new_path(&self) -> PathBuf {
        self.scratch.join(format!("placed-{}", self.places.len()))
    }

    fn put_file(
        &mut self,
        root: &OwnedFd,
        target: &Path,
        content: &[u8],
        (mode, uid, gid): (u32, u32, u32),
    ) -> Result<(), ExecutorError> {
        let path = self.new_path();
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, new, Mode::RUSR | Mode::WUSR)?;
        io::Write::write_all(&mut std::fs::File::from(file.try_clone()?), content)?;
        rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
        drop(file);
        self.put(root, target, &path)
    }

    /// Moves what is at `path` to `target`, whose folder is there. Links on the way lead to where they lead in the root;
    /// one at the place itself is put aside.
    fn put(&mut self, root: &OwnedFd, target: &Path, path: &Path) -> Result<(), ExecutorError> {
        let failed = |doing: &str, errno: Errno| -> ExecutorError {
            format!("cannot {doing} /{}: {}", target.display(), io::Error::from(errno)).into()
        };
        let (folder, name) = (target.parent().unwrap_or(Path::new("")), target.file_name().unwrap_or_default());
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let parent = rustix::fs::openat2(root, folder, flags, Mode::empty(), inside)
            .map_err(|errno| failed("find the folder of", errno))?;
        let name = CString::new(name.as_bytes())?;
        let before = times_of(&parent)?;
        let aside = self.scratch.join(format!("aside-{}", self.places.len()));
        let aside = match rustix::fs::renameat(&parent, &name, CWD, &aside) {
            Ok(()) => Some(aside),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(failed("put aside", errno)),
        };
        let moved = rustix::fs::renameat(CWD, path, &parent, &name);
        let after = modified(&parent)?;
        self.places.push(Place { parent, name, aside, back: path.to_owned(), before, after });
        moved.map_err(|errno| failed("put something on", errno))
    }

    /// Puts everything back, the last first. Of what the command did with its place nothing is left.
    pub(super) fn take_out(self) -> Result<(), ExecutorError> {
        for place in self.places.into_iter().rev() {
            let now = times_of(&place.parent)?;
            let is_ours = modified(&place.parent)? == place.after;
            match rustix::fs::renameat(&place.parent, &place.name, CWD, &place.back) {
                // The command may have removed it.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
            if let Some(aside) = &place.aside {
                rustix::fs::renameat(CWD, aside, &place.parent, &place.name)?;
            }
            rustix::fs::futimens(&place.parent, if is_ours { &place.before } else { &now })?;
        }
        Ok(())
    }
}

fn times_of(folder: &OwnedFd) -> Result<Timestamps, Errno> {
    let stat = rustix::fs::fstat(folder)?;
    let time = |secs, nanos: u64| Timespec { tv_sec: secs, tv_nsec: nanos.try_into().unwrap_or_default() };
    Ok(Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    })
}

fn modified(folder: &OwnedFd) -> Result<(i64, i64), Errno> {
    let times = times_of(folder)?;
    Ok((times.last_modification.tv_sec, times.last_modification.tv_nsec))
}
