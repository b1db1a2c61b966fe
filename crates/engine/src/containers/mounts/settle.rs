//! From what was asked for to what is mounted where, once, when a container is made.
//!
//! The order is Docker's: what comes from other containers is overridden by what is asked for here, and the image's own
//! VOLUMEs give way to everything. Volumes that are not there yet are made, and new or empty ones get what the image has
//! at their place.

use std::collections::BTreeMap;
use std::path::Path;

use oci::ImageConfig;
use store::VolumesHeld;

use super::bind_text::{self, BindText, clean_target, invalid};
use super::fill::Filling;
use super::{MountKind, MountPoint, MountRequest, MountSettings, Recursion, tmpfs};
use crate::containers::container::Container;
use crate::containers::random_id;
use crate::volumes::{VolumeRecord, check_driver, check_name};
use crate::{Engine, Error, ErrorKind};

/// What a new container mounts. Unless it is kept, the volumes that were made for it alone go again.
#[derive(Debug)]
pub(crate) struct Settled<'e> {
    pub(crate) settings: MountSettings,
    engine: &'e Engine,
    /// No volume is removed before its container is there.
    held: Option<VolumesHeld>,
    is_kept: bool,
}

impl Settled<'_> {
    /// The container is there.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Settled<'_> {
    fn drop(&mut self) {
        self.held = None;
        if !self.is_kept {
            for name in self.settings.anonymous_volumes() {
                // What stays is dangling, and `volume prune` takes it.
                self.engine.store().remove_volume(name).ok();
            }
        }
    }
}

/// A point with what its volume is to be.
#[derive(Debug, Default)]
struct Wanted {
    point: MountPoint,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
    copies: bool,
}

impl MountSettings {
    /// Refuses what cannot be understood, before anything is made.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut targets = BTreeMap::new();
        for (target, options) in &self.tmpfs {
            if !target.starts_with('/') {
                return Err(invalid(format!("invalid mount path: '{target}' mount path must be absolute")));
            }
            tmpfs::parse(options)?;
            targets.insert(clean_target(MountKind::Tmpfs, target)?, None);
        }
        let mut take =
            |target: &str, text: Option<&str>| match targets.insert(target.to_owned(), text.map(str::to_owned)) {
                // The same twice is once.
                Some(known) if known.is_none() || known.as_deref() != text => {
                    Err(invalid(format!("Duplicate mount point: {target}")))
                }
                _ => Ok(()),
            };
        for text in &self.binds {
            let parsed = bind_text::parse(text)?;
            // Without a source it gives way to others.
            if parsed.point.kind == MountKind::Bind || !parsed.point.name.is_empty() {
                take(&parsed.point.target, Some(text))?;
            }
        }
        for request in &self.mounts {
            take(&wanted(request)?.point.target, None)?;
        }
        for text in &self.volumes_from {
            volumes_from(text)?;
        }
        check_driver("", &self.driver)
    }
}

/// Settles what a new container of an image mounts.
pub(crate) fn settle<'e>(engine: &'e Engine, asked: &MountSettings, image: &ImageConfig) -> Result<Settled<'e>, Error> {
    let mut settings = asked.clone();
    let mut points: BTreeMap<String, Wanted> = BTreeMap::new();
    let put = |points: &mut BTreeMap<String, Wanted>, wanted: Wanted| {
        points.insert(wanted.point.target.clone(), wanted);
    };
    for text in &asked.volumes_from {
        for point in of_container(engine, text)? {
            put(&mut points, Wanted { point, ..Wanted::default() });
        }
    }
    settings.binds.clear();
    let mut volumes: Vec<String> = image.config.volumes.keys().cloned().collect();
    for text in &asked.binds {
        let BindText { point, no_copy } = bind_text::parse(text)?;
        if point.kind == MountKind::Volume && point.name.is_empty() {
            volumes.push(text.clone());
            continue;
        }
        settings.binds.push(typed_absolutely(text, &point));
        let copies = point.kind == MountKind::Volume && !no_copy;
        put(&mut points, Wanted { point, copies, ..Wanted::default() });
    }
    for request in &asked.mounts {
        let mut wanted = wanted(request)?;
        if wanted.point.kind == MountKind::Image {
            wanted.point.image = Some(find_image(engine, &wanted.point.name)?);
        }
        put(&mut points, wanted);
    }
    for target in &volumes {
        // An image can say anything: what is not absolute counts from the root.
        let target = clean_target(MountKind::Volume, &format!("/{target}"))?;
        if !points.contains_key(&target) && !asked.tmpfs.keys().any(|other| bind_text::clean(other) == target) {
            let point = MountPoint { target, ..MountPoint::default() };
            put(&mut points, Wanted { point, copies: true, ..Wanted::default() });
        }
    }
    volumes.sort();
    volumes.dedup();
    settings.volumes = volumes;
    let mut wanted: Vec<Wanted> = points.into_values().collect();
    wanted.sort_by_key(|wanted| Path::new(&wanted.point.target).components().count());
    make_volumes(engine, settings, wanted, image)
}

fn make_volumes<'e>(
    engine: &'e Engine,
    settings: MountSettings,
    wanted: Vec<Wanted>,
    image: &ImageConfig,
) -> Result<Settled<'e>, Error> {
    let mut settled = Settled { settings, engine, held: None, is_kept: false };
    if wanted.iter().any(|wanted| wanted.point.kind == MountKind::Volume) {
        settled.held = Some(engine.store().hold_volumes()?);
    }
    let mut filling = Filling::new(engine, &image.rootfs.diff_ids);
    for Wanted { mut point, labels, options, copies } in wanted {
        if point.kind != MountKind::Volume {
            settled.settings.points.push(point);
            continue;
        }
        let mut record = VolumeRecord::new(engine, labels, options);
        if point.name.is_empty() {
            point.name = random_id()?;
            point.anonymous = true;
            record.mark_anonymous();
        }
        let copies = copies && point.subpath.is_empty();
        let (name, target) = (point.name.clone(), point.target.clone());
        settled.settings.points.push(point);
        filling.ensure(&name, &record, copies.then_some(target.as_str()))?;
    }
    Ok(settled)
}

/// A `--mount`, checked as Docker checks it.
fn wanted(request: &MountRequest) -> Result<Wanted, Error> {
    let wrong = |reason: &str| invalid(format!("invalid mount config for type \"{}\": {reason}", request.kind.name()));
    let target = clean_target(request.kind, &request.target)?;
    let mut point = MountPoint {
        kind: request.kind,
        target,
        read_only: request.read_only,
        recursion: request.recursion,
        subpath: request.subpath.clone(),
        ..MountPoint::default()
    };
    match request.kind {
        MountKind::Bind => {
            if request.source.is_empty() {
                return Err(wrong("field Source must not be empty"));
            }
            if !request.source.starts_with('/') {
                return Err(wrong(&format!("invalid mount path: '{}' mount path must be absolute", request.source)));
            }
            if !request.propagation.is_empty() && !bind_text::PROPAGATION.contains(&request.propagation.as_str()) {
                return Err(wrong(&format!("invalid propagation mode: {}", request.propagation)));
            }
            if !Path::new(&request.source).exists() {
                let problem = wrong(&format!("bind source path does not exist: {}", request.source));
                return Err(problem.with_hint(format!("make the folder first: `mkdir -p {}`", request.source)));
            }
            point.source = bind_text::absolute(&request.source)?;
            point.propagation = request.propagation.clone();
            if point.propagation.is_empty() {
                "rprivate".clone_into(&mut point.propagation);
            }
        }
        MountKind::Volume => {
            check_driver(&request.source, &request.driver)?;
            if !request.source.is_empty() {
                check_name(&request.source)?;
                "z".clone_into(&mut point.mode);
            }
            request.source.clone_into(&mut point.name);
        }
        MountKind::Tmpfs => {
            if !request.source.is_empty() {
                return Err(wrong("field Source must not be specified"));
            }
            point.tmpfs = tmpfs::of_request(request);
        }
        MountKind::Image => {
            if request.source.is_empty() {
                return Err(wrong("field Source must not be empty"));
            }
            request.source.clone_into(&mut point.name);
            "rprivate".clone_into(&mut point.propagation);
            point.read_only = true;
        }
    }
    if request.recursion == Recursion::Readonly && !request.read_only {
        return Err(wrong("mount must be set \"ReadOnly\" when using \"ReadOnlyForceRecursive\""));
    }
    let copies = request.kind == MountKind::Volume && !request.no_copy;
    Ok(Wanted { point, labels: request.labels.clone(), options: request.options.clone(), copies })
}

/// `CONTAINER[:ro|:rw]`.
fn volumes_from(text: &str) -> Result<(&str, Option<bool>), Error> {
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((name, "ro")) => Ok((name, Some(true))),
        Some((name, "rw" | "z" | "Z")) => Ok((name, None)),
        Some((_, mode)) => Err(invalid(format!("invalid mode: {mode}"))),
    }
}

/// What another container mounts.
fn of_container(engine: &Engine, text: &str) -> Result<Vec<MountPoint>, Error> {
    let (name, read_only) = volumes_from(text)?;
    let container = Container::find(engine, name).map_err(|error| error.with_exit_code(125))?;
    let points = container.record.mounts.points.into_iter();
    let with_mode = |point: MountPoint| MountPoint { read_only: point.read_only || read_only == Some(true), ..point };
    Ok(points.map(with_mode).collect())
}

fn find_image(engine: &Engine, name: &str) -> Result<oci::ImageId, Error> {
    let found = image::find(engine.store(), name)?;
    found.ok_or_else(|| Error { kind: ErrorKind::NotFound, ..Error::no_such_image(name) }.with_exit_code(125))
}

/// The text with the source as it is meant in every folder.
fn typed_absolutely(text: &str, point: &MountPoint) -> String {
    match text.split_once(':') {
        Some((source, rest)) if point.kind == MountKind::Bind && !source.starts_with('/') => {
            format!("{}:{rest}", point.source)
        }
        _ => text.to_owned(),
    }
}
