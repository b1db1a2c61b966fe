//! `container inspect`: all there is to know of a container, in Docker's shape.

mod shape;

use serde_json::{Map, Value, json};

use super::container::Container;
use super::list::container_size;
use super::log::Driver;
use super::record::{ContainerRecord, ContainerState};
use crate::network::NetworkState;
use crate::{Engine, Error};

/// A container in Docker's shape; `with_size` measures what it has written.
///
/// # Errors
/// When it is not there, or the store cannot be read.
pub fn inspect_container(engine: &Engine, name: &str, with_size: bool) -> Result<Value, Error> {
    let container = Container::find(engine, name)?;
    let record = &container.record;
    let mut words = record.entrypoint.iter().chain(&record.cmd).cloned();
    let (path, args) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
    let state = container.state()?;
    let file = |name: &str| container.folder.path().join(name).display().to_string();
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    put("Id", json!(record.id));
    put("Created", json!(record.created));
    put("Path", json!(path));
    put("Args", json!(args));
    put("State", described_state(&state));
    put("Image", json!(record.image.to_string()));
    put("ResolvConfPath", json!(file("resolv.conf")));
    put("HostnamePath", json!(file("hostname")));
    put("HostsPath", json!(file("hosts")));
    put("LogPath", json!(log_path(&container)));
    put("Name", json!(format!("/{}", record.name)));
    put("RestartCount", json!(state.restarts));
    put("Driver", json!("overlay2"));
    put("Platform", json!("linux"));
    put("MountLabel", json!(""));
    put("ProcessLabel", json!(""));
    put("AppArmorProfile", json!(""));
    put("ExecIDs", Value::Null);
    put("HostConfig", host_config(record));
    put("GraphDriver", json!({"Data": {"UpperDir": file("upper"), "WorkDir": file("work")}, "Name": "overlay2"}));
    if with_size {
        let size = container_size(engine, record, &container.folder)?;
        put("SizeRw", json!(size.written));
        put("SizeRootFs", json!(size.whole));
    }
    put("Mounts", record.mounts.describe_points(engine));
    put("Config", config(record));
    put("NetworkSettings", NetworkState::inspect(&container)?);
    Ok(Value::Object(object))
}

fn described_state(state: &ContainerState) -> Value {
    let mut object = shape::state();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    let is_running = state.is_active();
    put("Status", json!(state.status().word()));
    put("Running", json!(is_running));
    put("Paused", json!(state.paused));
    put("OOMKilled", json!(state.oom_killed));
    put("Restarting", json!(state.is_restarting));
    put("Pid", json!(state.process.filter(|_| is_running).map_or(0, |(pid, _)| pid)));
    put("ExitCode", json!(state.exit_code.unwrap_or_default()));
    put("Error", json!(state.error));
    for (name, time) in [("StartedAt", &state.started), ("FinishedAt", &state.finished)] {
        if !time.is_empty() {
            put(name, json!(time));
        }
    }
    if let Some(health) = &state.health {
        object.insert("Health".to_owned(), json!(health));
    }
    Value::Object(object)
}

/// What other tools read the output from.
fn log_path(container: &Container) -> String {
    match container.record.log.driver() {
        Driver::JsonFile => container.folder.path().join(super::log::NAME).display().to_string(),
        Driver::Local | Driver::None => String::new(),
    }
}

fn config(record: &ContainerRecord) -> Value {
    let list = |words: &[String]| if words.is_empty() { Value::Null } else { json!(words) };
    let mut object = shape::config();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    put("Hostname", json!(record.hostname));
    put("User", json!(record.user));
    put("ExposedPorts", record.network.describe_exposed());
    put("Tty", json!(record.tty));
    put("OpenStdin", json!(record.interactive));
    put("Env", json!(record.env));
    put("Cmd", list(&record.cmd));
    put("Image", json!(record.image_name));
    put("Volumes", record.mounts.describe_volumes());
    put("WorkingDir", json!(record.working_dir));
    put("Entrypoint", list(&record.entrypoint));
    put("Labels", json!(record.labels));
    put("Healthcheck", record.health.describe().unwrap_or_default());
    record.streams.describe(&mut object);
    // As Docker: fields that are about nothing are not there.
    for name in ["ExposedPorts", "Healthcheck"] {
        if object.get(name).is_some_and(|value| value.is_null() || *value == json!({})) {
            object.shift_remove(name);
        }
    }
    Value::Object(object)
}

fn host_config(record: &ContainerRecord) -> Value {
    let mut object = shape::host_config();
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
