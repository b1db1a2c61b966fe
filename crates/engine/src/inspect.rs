//! `image inspect`: all there is to know of an image, in Docker's shape and field order.

use image::Sizes;
use oci::{ContainerConfig, ImageId, Platform, Reference};
use serde_json::{Map, Value, json};

use crate::{Engine, Error, platform};

/// What was found, and what was not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inspected {
    /// The images, in the order asked for.
    pub objects: Vec<Value>,
    /// One for each name that stands for nothing; the others are shown all the same.
    pub errors: Vec<Error>,
}

/// Describes images, which must be for `platform` where one is given.
///
/// # Errors
/// When the store cannot be read. Names that are not there are in [`Inspected::errors`].
pub fn inspect_images(engine: &Engine, names: &[String], platform: Option<&Platform>) -> Result<Inspected, Error> {
    let mut inspected = Inspected::default();
    for name in names {
        match image::find(engine.store(), name) {
            Ok(Some(id)) => match platform::require(engine, id, name, platform.cloned().as_slice()) {
                Ok(()) => inspected.objects.push(inspect_image(engine, id)?),
                Err(error) => inspected.errors.push(error),
            },
            Ok(None) => inspected.errors.push(Error::no_such_image(name)),
            Err(error) => inspected.errors.push(error.into()),
        }
    }
    Ok(inspected)
}

/// Describes one image.
///
/// # Errors
/// When it is not there, or a layer of it is damaged.
pub fn inspect_image(engine: &Engine, id: ImageId) -> Result<Value, Error> {
    let store = engine.store();
    let config = store.image(id)?;
    let size = Sizes::new(store).image(&config)?;
    let parent = store.parent(id)?.map_or_else(String::new, |parent| parent.to_string());
    let names: Vec<Reference> =
        store.references()?.into_iter().filter(|(_, named)| *named == id).map(|(name, _)| name).collect();
    let tags: Vec<String> = names.iter().filter(|name| name.digest().is_none()).map(Reference::familiar).collect();
    let digests: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{}@{}", name.familiar_name(), name.digest()?))).collect();
    let extra = |key: &str| config.extra.get(key).and_then(Value::as_str).map(str::to_owned);
    let comment = extra("comment").or_else(|| config.history.last()?.comment.clone()).unwrap_or_default();
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("Id", json!(id));
    put("RepoTags", json!(tags));
    put("RepoDigests", json!(digests));
    put("Parent", json!(parent));
    put("Comment", json!(comment));
    put("Created", json!(config.created.as_deref().unwrap_or("0001-01-01T00:00:00Z")));
    put("DockerVersion", json!(extra("docker_version").unwrap_or_default()));
    put("Author", json!(config.author.as_deref().unwrap_or_default()));
    put("Config", container_config(&config.config));
    put("Architecture", json!(config.architecture));
    if let Some(variant) = &config.variant {
        put("Variant", json!(variant));
    }
    put("Os", json!(config.os));
    if let Some(version) = extra("os.version") {
        put("OsVersion", json!(version));
    }
    put("Size", json!(size));
    put("GraphDriver", json!({ "Data": null, "Name": "onggi" }));
    put("RootFS", json!({ "Type": config.rootfs.kind, "Layers": config.rootfs.diff_ids }));
    put("Metadata", json!({ "LastTagTime": "0001-01-01T00:00:00Z" }));
    Ok(Value::Object(object))
}

/// With the fields that templates ask for always there: Docker prints an empty value for those, not an error.
fn container_config(config: &ContainerConfig) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    let or_null = |is_empty: bool, value: Value| if is_empty { Value::Null } else { value };
    put("User", json!(config.user));
    if !config.exposed_ports.is_empty() {
        put("ExposedPorts", json!(config.exposed_ports));
    }
    put("Env", or_null(config.env.is_empty(), json!(config.env)));
    put("Cmd", json!(config.cmd));
    if let Some(check) = &config.healthcheck {
        put("Healthcheck", json!(check));
    }
    if config.args_escaped {
        put("ArgsEscaped", json!(true));
    }
    put("Volumes", or_null(config.volumes.is_empty(), json!(config.volumes)));
    put("WorkingDir", json!(config.working_dir));
    put("Entrypoint", json!(config.entrypoint));
    put("OnBuild", or_null(config.on_build.is_empty(), json!(config.on_build)));
    put("Labels", or_null(config.labels.is_empty(), json!(config.labels)));
    if let Some(signal) = &config.stop_signal {
        put("StopSignal", json!(signal));
    }
    if !config.shell.is_empty() {
        put("Shell", json!(config.shell));
    }
    Value::Object(object)
}
