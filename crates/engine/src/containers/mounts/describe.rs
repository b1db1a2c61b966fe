//! Mounts in Docker's shape: parts of `HostConfig`, and `Mounts`.

use serde_json::{Map, Value, json};

use super::{MountKind, MountPoint, MountRequest, MountSettings, Recursion};
use crate::Engine;

/// `/dev/shm` when nothing else is said.
const SHM_SIZE: u64 = 64 << 20;

impl MountSettings {
    /// Their part of `HostConfig`.
    pub(crate) fn describe(&self, host_config: &mut Map<String, Value>) {
        let or_null = |is_empty: bool, value: Value| if is_empty { Value::Null } else { value };
        // Docker's list has only those with a source; the others are in `Config.Volumes`.
        let binds: Vec<&String> = self.binds.iter().filter(|bind| bind.contains(':')).collect();
        let mounts: Vec<Value> = self.mounts.iter().map(request).collect();
        for (name, value) in [
            ("Binds", or_null(binds.is_empty(), json!(binds))),
            ("ReadonlyRootfs", json!(self.read_only)),
            ("ShmSize", json!(self.shm_size.filter(|size| *size > 0).unwrap_or(SHM_SIZE))),
            ("VolumeDriver", json!(self.driver)),
            ("VolumesFrom", or_null(self.volumes_from.is_empty(), json!(self.volumes_from))),
        ] {
            host_config.insert(name.to_owned(), value);
        }
        if !mounts.is_empty() {
            host_config.insert("Mounts".to_owned(), Value::Array(mounts));
        }
        if !self.tmpfs.is_empty() {
            host_config.insert("Tmpfs".to_owned(), json!(self.tmpfs));
        }
    }

    /// `Mounts`.
    pub(crate) fn describe_points(&self, engine: &Engine) -> Value {
        self.points.iter().map(|point| described(engine, point)).collect()
    }

    /// `Config.Volumes`.
    pub(crate) fn describe_volumes(&self) -> Value {
        match self.volumes.is_empty() {
            true => Value::Null,
            false => self.volumes.iter().map(|target| (target.clone(), json!({}))).collect::<Map<_, _>>().into(),
        }
    }
}

fn described(engine: &Engine, point: &MountPoint) -> Value {
    let source = match point.kind {
        MountKind::Volume => {
            engine.store().path().join("volumes").join(&point.name).join("_data").display().to_string()
        }
        _ => point.source.clone(),
    };
    let mut entry = Map::new();
    entry.insert("Type".to_owned(), json!(point.kind.name()));
    if !point.name.is_empty() {
        entry.insert("Name".to_owned(), json!(point.name));
    }
    entry.insert("Source".to_owned(), json!(source));
    entry.insert("Destination".to_owned(), json!(point.target));
    if point.kind == MountKind::Volume {
        entry.insert("Driver".to_owned(), json!("local"));
    }
    entry.insert("Mode".to_owned(), json!(point.mode));
    entry.insert("RW".to_owned(), json!(!point.read_only));
    entry.insert("Propagation".to_owned(), json!(point.propagation));
    Value::Object(entry)
}

fn request(request: &MountRequest) -> Value {
    let mut entry = Map::new();
    let mut put = |name: &str, value: Value, is_set: bool| {
        if is_set {
            entry.insert(name.to_owned(), value);
        }
    };
    put("Type", json!(request.kind.name()), true);
    put("Source", json!(request.source), !request.source.is_empty());
    put("Target", json!(request.target), true);
    put("ReadOnly", json!(true), request.read_only);
    let bind = [
        ("Propagation", json!(request.propagation), !request.propagation.is_empty()),
        ("NonRecursive", json!(true), request.recursion == Recursion::Disabled),
        ("ReadOnlyNonRecursive", json!(true), request.recursion == Recursion::Writable),
        ("ReadOnlyForceRecursive", json!(true), request.recursion == Recursion::Readonly),
    ];
    let driver = [
        ("Name", json!(request.driver), !request.driver.is_empty()),
        ("Options", json!(request.options), !request.options.is_empty()),
    ];
    let volume = [
        ("NoCopy", json!(true), request.no_copy),
        ("Labels", json!(request.labels), !request.labels.is_empty()),
        ("Subpath", json!(request.subpath), !request.subpath.is_empty()),
        ("DriverConfig", object(driver.clone()), driver.iter().any(|(_, _, is_set)| *is_set)),
    ];
    let tmpfs = [
        ("SizeBytes", json!(request.tmpfs_size), request.tmpfs_size.is_some()),
        ("Mode", json!(request.tmpfs_mode), request.tmpfs_mode.is_some()),
    ];
    let image = [("Subpath", json!(request.subpath), !request.subpath.is_empty())];
    match request.kind {
        MountKind::Bind => put("BindOptions", object(bind.clone()), bind.iter().any(|(_, _, is_set)| *is_set)),
        MountKind::Volume => put("VolumeOptions", object(volume.clone()), volume.iter().any(|(_, _, is_set)| *is_set)),
        MountKind::Tmpfs => put("TmpfsOptions", object(tmpfs.clone()), tmpfs.iter().any(|(_, _, is_set)| *is_set)),
        MountKind::Image => put("ImageOptions", object(image.clone()), image.iter().any(|(_, _, is_set)| *is_set)),
    }
    Value::Object(entry)
}

fn object<const COUNT: usize>(fields: [(&str, Value, bool); COUNT]) -> Value {
    let set = fields.into_iter().filter(|(_, _, is_set)| *is_set);
    Value::Object(set.map(|(name, value, _)| (name.to_owned(), value)).collect())
}
