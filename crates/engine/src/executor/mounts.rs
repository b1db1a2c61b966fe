//! What a RUN step has mounted, as mounts of the runtime.
//!
//! Places to mount on that are missing are made where they leave no trace: in the image's tree by a layer under the
//! changes ([`image::make_mount_points`]), in another mount before that one is made read-only.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use builder::{ExecutorError, RunMount, RunMountSource, RunRequest};
use image::MountPoint;
use runtime::{BindMount, BindSource, FileMount, Mount, TmpfsMount};
use rustix::fs::{Mode, OFlags};

use super::agent::AgentProxy;

/// The mounts of one step, and what must live as long as they do.
#[derive(Debug, Default)]
pub(super) struct StepMounts {
    pub(super) mounts: Vec<Mount>,
    /// Dropped, they end.
    pub(super) agents: Vec<AgentProxy>,
}

/// Places that are always tmpfs or procfs of the container's own.
const OWN: [&str; 3] = ["/dev/", "/proc/", "/sys/"];

/// A folder of places to mount on, if the image lacks any: to lie over its layers.
pub(super) fn points(request: &RunRequest<'_>) -> Result<Option<OwnedFd>, ExecutorError> {
    let is_in_image = |mount: &&RunMount<'_>| {
        !OWN.iter().any(|own| mount.target.starts_with(own)) && enclosing(request.mounts, mount.target).is_none()
    };
    let points: Vec<MountPoint> = request.mounts.iter().filter(is_in_image).map(point).collect();
    if points.is_empty() {
        return Ok(None);
    }
    let path = request.scratch.join("points");
    rustix::fs::mkdir(&path, Mode::RWXU)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(&path, flags, Mode::empty())?;
    let made = image::make_mount_points(&request.stack.tree(), folder.as_fd(), &points)?;
    Ok(made.then_some(folder))
}

fn point(mount: &RunMount<'_>) -> MountPoint {
    MountPoint { path: mount.target.trim_start_matches('/').as_bytes().to_vec(), is_folder: is_folder(mount) }
}

fn is_folder(mount: &RunMount<'_>) -> bool {
    match &mount.source {
        RunMountSource::Bind(tree) => tree.is_folder(),
        RunMountSource::Cache(_) | RunMountSource::Tmpfs { .. } => true,
        RunMountSource::File { .. } | RunMountSource::Agent { .. } => false,
    }
}

/// The innermost other mount that a target lies in, and the rest of the path.
fn enclosing<'m, 'a>(mounts: &'m [RunMount<'a>], target: &'m str) -> Option<(&'m RunMount<'a>, &'m str)> {
    let inside = |mount: &'m RunMount<'a>| Some((mount, target.strip_prefix(mount.target)?.strip_prefix('/')?));
    mounts.iter().filter_map(inside).max_by_key(|(mount, _)| mount.target.len())
}

/// All mounts of a step, in its order.
pub(super) fn mounts(request: &RunRequest<'_>) -> Result<StepMounts, ExecutorError> {
    let mut made = StepMounts::default();
    for (number, mount) in request.mounts.iter().enumerate() {
        let inner = inner_points(request.mounts, mount);
        let target = PathBuf::from(mount.target);
        let read_only = mount.read_only;
        let bind = |source| Mount::Bind(BindMount { source, target: target.clone(), read_only, recursive: false });
        made.mounts.push(match &mount.source {
            RunMountSource::Bind(tree) => {
                let bound = tree.mount(!read_only || !inner.is_empty())?;
                make_points(mount, bound.mount.as_fd(), &bound.path, &inner)?;
                bind(BindSource::Within { mount: bound.mount, path: bound.path })
            }
            RunMountSource::Cache(folder) => {
                make_points(mount, folder.as_fd(), Path::new("/"), &inner)?;
                bind(BindSource::File(folder.try_clone_to_owned()?))
            }
            RunMountSource::Tmpfs { size } => {
                Mount::Tmpfs(TmpfsMount { target, size: *size, mode: 0o1777, no_exec: false, read_only })
            }
            RunMountSource::File { content, mode, uid, gid, executable } => Mount::File(FileMount {
                target,
                content: content.expose().to_vec(),
                mode: *mode,
                uid: *uid,
                gid: *gid,
                executable: *executable,
            }),
            RunMountSource::Agent { socket, mode, uid, gid } => {
                let name = format!("agent-{number}");
                let proxy = AgentProxy::start(request.scratch, &name, socket, (*mode, *uid, *gid))?;
                made.agents.push(proxy);
                bind(BindSource::Path(request.scratch.join(name)))
            }
        });
    }
    Ok(made)
}

/// A place within another mount: the path from its root, and whether a folder goes there.
type InnerPoint<'m> = (&'m str, bool);

fn inner_points<'m>(mounts: &'m [RunMount<'_>], outer: &RunMount<'_>) -> Vec<InnerPoint<'m>> {
    let inside = |mount: &'m RunMount<'_>| {
        let (around, rest) = enclosing(mounts, mount.target)?;
        (around.target == outer.target).then_some((rest, is_folder(mount)))
    };
    mounts.iter().filter_map(inside).collect()
}

/// Makes the places for other mounts. No link of the files is followed: it would lead to where the mount is not.
fn make_points(
    mount: &RunMount<'_>,
    root: BorrowedFd<'_>,
    path: &Path,
    points: &[InnerPoint<'_>],
) -> Result<(), ExecutorError> {
    for (rest, is_folder) in points {
        runtime::make_mount_point(root, &path.join(rest), *is_folder)
            .map_err(|error| format!("cannot mount on {}/{rest}: {error}", mount.target))?;
    }
    Ok(())
}
