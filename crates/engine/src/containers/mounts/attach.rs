//! From settled points to mounts of the runtime, each time that a container starts or its files are put together.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use image::{RootfsOptions, Stack};
use runtime::{BindMount, BindOptions, BindSource, ContainerSpec, Mount, Propagation, StartError};
use rustix::fs::{AtFlags, StatxFlags};
use rustix::mount::OpenTreeFlags;

use super::bind_text::invalid;
use super::{MountKind, MountPoint, MountSettings, Recursion, tmpfs};
use crate::containers::container::Container;
use crate::containers::files;
use crate::volumes::{VolumeContent, VolumeRecord};
use crate::{Engine, Error, ErrorKind};

impl MountSettings {
    /// Adds them to what is mounted, outer targets before inner ones.
    pub(crate) fn add(&self, engine: &Engine, stack: &Stack, spec: &mut ContainerSpec) -> Result<(), Error> {
        spec.readonly_rootfs = self.read_only;
        let size = self.shm_size.filter(|size| *size > 0);
        for mount in &mut spec.mounts {
            if let (Mount::Tmpfs(shm), Some(size)) = (mount, size)
                && shm.target == Path::new("/dev/shm")
            {
                shm.size = Some(size);
            }
        }
        for (target, options) in &self.tmpfs {
            spec.mounts.push(Mount::Bind(memory(stack, target, options)?));
        }
        for point in &self.points {
            spec.mounts.push(Mount::Bind(match point.kind {
                MountKind::Tmpfs => memory(stack, &point.target, &point.tmpfs)?,
                _ => mount(engine, point)?,
            }));
        }
        // What every container has comes first: kernel file systems. Everything else may lie within each other.
        let first = spec.mounts.iter().position(|mount| matches!(mount, Mount::Bind(_))).unwrap_or(spec.mounts.len());
        if let Some(own) = spec.mounts.get_mut(first..) {
            own.sort_by_key(|mount| mount.target().components().count());
        }
        Ok(())
    }
}

/// What of the settings is there while the container does not run: not what is in memory.
pub(crate) fn bind_mounts(engine: &Engine, settings: &MountSettings) -> Result<Vec<BindMount>, Error> {
    let points = settings.points.iter().filter(|point| point.kind != MountKind::Tmpfs);
    points.map(|point| mount(engine, point)).collect()
}

fn mount(engine: &Engine, point: &MountPoint) -> Result<BindMount, Error> {
    let source = match point.kind {
        MountKind::Bind => host(point)?,
        MountKind::Volume => volume(engine, point)?,
        MountKind::Image => image(engine, point)?,
        MountKind::Tmpfs => prepared(runtime::prepare_tmpfs(&tmpfs::parse(&point.tmpfs)?))?,
    };
    Ok(BindMount { source, target: PathBuf::from(&point.target), read_only: point.read_only, recursive: true })
}

/// A folder or file of this machine.
fn host(point: &MountPoint) -> Result<BindSource, Error> {
    let path = Path::new(&point.source);
    if !path.exists() {
        if !point.makes_source {
            let message =
                format!("invalid mount config for type \"bind\": bind source path does not exist: {}", point.source);
            return Err(invalid(message).with_hint(format!("make the folder first: `mkdir -p {}`", point.source)));
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(|error| {
            let message = format!("error while creating mount source path '{}'", point.source);
            Error::new(ErrorKind::Internal, message).because(&error).with_exit_code(125)
        })?;
    }
    let propagation = match point.propagation.trim_start_matches('r') {
        "slave" => Propagation::Slave,
        "shared" => Propagation::Shared,
        _ => Propagation::Private,
    };
    check_propagation(path, propagation)?;
    let options = BindOptions {
        read_only: point.read_only,
        writable_below: point.recursion == Recursion::Writable,
        recursive: point.recursion != Recursion::Disabled,
        propagation,
        propagates_below: point.propagation.starts_with('r'),
    };
    let tree = runtime::prepare_bind(path, options).map_err(|error| cannot(point, &error))?;
    Ok(BindSource::Prepared { tree, propagation })
}

fn volume(engine: &Engine, point: &MountPoint) -> Result<BindSource, Error> {
    let missing = || {
        let error = Error::new(ErrorKind::NotFound, format!("get {}: no such volume", point.name));
        error.with_exit_code(125)
    };
    let volume = engine.store().volume(&point.name)?.ok_or_else(missing)?;
    let read_only = point.read_only;
    let whole = BindOptions {
        read_only,
        writable_below: false,
        recursive: true,
        propagation: Propagation::Private,
        propagates_below: true,
    };
    match VolumeRecord::read(&volume)?.content(&point.name)? {
        VolumeContent::Own if point.subpath.is_empty() => Ok(BindSource::File(volume.data()?)),
        VolumeContent::Own => within(point, volume.data()?),
        VolumeContent::Folder(device) => {
            let tree = runtime::prepare_bind(&device, whole).map_err(|error| {
                let message = format!("error while mounting volume '{}'", volume.data_path().display());
                Error::new(ErrorKind::NotFound, message).because(&error).with_exit_code(125)
            })?;
            if point.subpath.is_empty() {
                return Ok(BindSource::Prepared { tree, propagation: Propagation::Private });
            }
            Ok(BindSource::Within { mount: tree, path: Path::new("/").join(&point.subpath) })
        }
        VolumeContent::Memory(options) => {
            if let Some(tree) = shared_memory(engine, point)? {
                return Ok(BindSource::Prepared { tree, propagation: Propagation::Private });
            }
            let mut options = tmpfs::parse_volume(&options)?;
            options.read_only |= read_only;
            prepared(runtime::prepare_tmpfs(&options))
        }
    }
}

/// A volume in memory is what the containers that run have mounted of it, and is new when none does.
fn shared_memory(engine: &Engine, point: &MountPoint) -> Result<Option<OwnedFd>, Error> {
    for id in engine.store().users_of_volumes()?.remove(&point.name).unwrap_or_default() {
        let Some(container) = Container::open(engine, &id)? else { continue };
        let Some(process) = files::process(&container)? else { continue };
        let points = &container.record.mounts.points;
        let Some(other) = points.iter().find(|other| other.kind == MountKind::Volume && other.name == point.name)
        else {
            continue;
        };
        let (is_alive, target) = (|| process.is_alive(), Path::new(&other.target));
        let shared = runtime::tmpfs_of_process(process.pid, is_alive, target, point.read_only);
        if let Some(shared) = shared.map_err(|error| cannot(point, &error))? {
            return Ok(Some(shared));
        }
    }
    Ok(None)
}

/// A part of a volume: links in it lead nowhere else.
fn within(point: &MountPoint, data: OwnedFd) -> Result<BindSource, Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = rustix::mount::open_tree(&data, "", flags).map_err(|errno| cannot(point, &errno))?;
    Ok(BindSource::Within { mount, path: Path::new("/").join(&point.subpath) })
}

/// An image's files, read-only.
fn image(engine: &Engine, point: &MountPoint) -> Result<BindSource, Error> {
    let missing = || Error::no_such_image(&point.name).with_exit_code(125);
    let id = point.image.ok_or_else(missing)?;
    let config = engine.store().image(id).map_err(|error| Error::from(error).with_exit_code(125))?;
    let stack = Stack::open(engine.store(), &config.rootfs.diff_ids)?;
    let mount =
        image::mount_stack(engine.store(), &stack, RootfsOptions::default()).map_err(|error| cannot(point, &error))?;
    Ok(BindSource::Within { mount, path: Path::new("/").join(&point.subpath) })
}

/// A tmpfs, with the mode of the image's folder that it covers where nothing else is said.
fn memory(stack: &Stack, target: &str, options: &str) -> Result<BindMount, Error> {
    let mut parsed = tmpfs::parse(options)?;
    let read_only = parsed.read_only;
    if !parsed.options.iter().any(|(name, _)| name == "mode") {
        let tree = stack.tree();
        let folder = tree.resolve(target.as_bytes(), true).ok().and_then(|resolved| resolved.node);
        let entry = folder.filter(layer::Node::is_directory).and_then(|node| tree.entry(&node, b"").ok());
        let mode = entry.map_or(0o1777, |entry| entry.metadata.mode);
        parsed.options.push(("mode".to_owned(), Some(format!("{mode:o}"))));
    }
    let source = prepared(runtime::prepare_tmpfs(&parsed))?;
    Ok(BindMount { source, target: PathBuf::from(target), read_only, recursive: false })
}

fn prepared(tree: Result<OwnedFd, StartError>) -> Result<BindSource, Error> {
    let tree = tree.map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "cannot mount a folder in memory").because(&error).with_exit_code(125)
    })?;
    Ok(BindSource::Prepared { tree, propagation: Propagation::Private })
}

fn cannot(point: &MountPoint, error: &(dyn std::error::Error + 'static)) -> Error {
    let message = format!("cannot mount on {}", point.target);
    Error::new(ErrorKind::InvalidInput, message).because(error).with_exit_code(125)
}

/// What is to be passed on must be passed on to us.
fn check_propagation(path: &Path, wanted: Propagation) -> Result<(), Error> {
    if wanted == Propagation::Private {
        return Ok(());
    }
    let Some((place, fields)) = mount_of(path) else { return Ok(()) };
    let is_shared = fields.iter().any(|field| field.starts_with("shared:"));
    let is_slave = fields.iter().any(|field| field.starts_with("master:"));
    let (is_fine, kind) = match wanted {
        Propagation::Shared => (is_shared, "a shared"),
        _ => (is_shared || is_slave, "a shared or slave"),
    };
    if is_fine {
        return Ok(());
    }
    let message = format!("path {} is mounted on {place} but it is not {kind} mount", path.display());
    Err(invalid(message).with_hint(format!("`mount --make-shared {place}` makes it one")))
}

/// Where the mount that a path is in is attached, and its optional fields (proc(5), `mountinfo`).
fn mount_of(path: &Path) -> Option<(String, Vec<String>)> {
    let file =
        rustix::fs::open(path, rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty());
    let stat = rustix::fs::statx(file.ok()?.as_fd(), c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
    let id = stat.stx_mnt_id.to_string();
    let text = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = text.lines().find(|line| line.split(' ').next() == Some(&id))?;
    let mut fields = line.split(' ').skip(4);
    let place = fields.next()?.to_owned();
    Some((place, fields.skip(1).take_while(|field| *field != "-").map(str::to_owned).collect()))
}
