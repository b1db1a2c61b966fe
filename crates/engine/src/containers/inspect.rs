//! `container inspect`: all there is to know of a container, in Docker's shape.

use serde_json::{Map, Value, json};

use super::container::Container;
use super::log::Driver;
use super::record::ContainerRecord;
use crate::network::NetworkState;
use crate::{Engine, Error};

/// Containers in Docker's shape.
///
/// # Errors
/// When one of them is not there.
pub fn inspect_containers(engine: &Engine, names: &[String]) -> Result<Value, Error> {
    names.iter().map(|name| inspect(engine, name)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn inspect(engine: &Engine, name: &str) -> Result<Value, Error> {
    let container = Container::find(engine, name)?;
    let state = container.state()?;
    let record = &container.record;
    let status = state.status().word();
    let never = "0001-01-01T00:00:00Z";
    let or_never = |time: &str| if time.is_empty() { never.to_owned() } else { time.to_owned() };
    let mut words = record.entrypoint.iter().chain(&record.cmd).cloned();
    let (path, args) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
    let running = state.is_active();
    let mut inspected = json!({
        "Id": record.id,
        "Created": record.created,
        "Path": path,
        "Args": args,
        "State": {
            "Status": status,
            "Running": running,
            "Paused": state.paused,
            "Restarting": state.is_restarting,
            "OOMKilled": state.oom_killed,
            "Dead": false,
            "Pid": if running { state.process.map_or(0, |(pid, _)| pid) } else { 0 },
            "ExitCode": state.exit_code.unwrap_or_default(),
            "Error": state.error,
            "StartedAt": or_never(&state.started),
            "FinishedAt": or_never(&state.finished),
        },
        "Image": record.image.to_string(),
        "RestartCount": state.restarts,
        "LogPath": log_path(&container),
        "Name": format!("/{}", record.name),
        "HostConfig": host_config(record),
        "Mounts": record.mounts.describe_points(engine),
        "Config": config(record),
        "NetworkSettings": NetworkState::inspect(&container)?,
    });
    if let Some(health) = &state.health {
        inspected["State"]["Health"] = json!(health);
    }
    Ok(inspected)
}

/// What other tools read the output from.
fn log_path(container: &Container) -> String {
    match container.record.log.driver() {
        Driver::JsonFile => container.folder.path().join(super::log::NAME).display().to_string(),
        Driver::Local | Driver::None => String::new(),
    }
}

fn config(record: &ContainerRecord) -> Value {
    let mut object = Map::new();
    let mut insert = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    insert("Hostname", json!(record.hostname));
    insert("ExposedPorts", json!(record.network.describe_exposed()));
    insert("User", json!(record.user));
    insert("Tty", json!(record.tty));
    insert("OpenStdin", json!(record.interactive));
    insert("Env", json!(record.env));
    insert("Cmd", json!(record.cmd));
    insert("Image", json!(record.image_name));
    insert("Volumes", json!(record.mounts.describe_volumes()));
    insert("WorkingDir", json!(record.working_dir));
    insert("Entrypoint", json!(record.entrypoint));
    insert("Labels", json!(record.labels));
    if let Some(health) = record.health.describe() {
        insert("Healthcheck", health);
    }
    record.streams.describe(&mut object);
    Value::Object(object)
}

fn host_config(record: &ContainerRecord) -> Value {
    let mut object = Map::new();
    record.mounts.describe(&mut object);
    record.network.describe(&mut object);
    record.limits.describe(&mut object);
    record.security.describe(&mut object);
    record.lifetime.describe(&mut object);
    record.log.describe(&mut object);
    let runtime = record.runtime.clone().unwrap_or_else(|| "onggi".to_owned());
    object.insert("Runtime".to_owned(), json!(runtime));
    Value::Object(object)
}
