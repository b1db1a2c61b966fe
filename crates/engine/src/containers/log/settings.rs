//! `--log-driver` and `--log-opt`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::build::parse_memory_size;
use crate::containers::record::ContainerRecord;
use crate::{Error, ErrorKind};

/// How a container's output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSettings {
    /// Name of the driver; `json-file` otherwise.
    pub driver: Option<String>,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

/// Who keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::containers) enum Driver {
    JsonFile,
    Local,
    None,
}

/// How much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of one file; without end otherwise.
    pub(super) size: Option<u64>,
    /// Files, the one that is written to included.
    pub(super) files: u32,
}

/// Docker's `local` has these, and its `json-file` has none, which fills disks (N054).
const USUAL: Limits = Limits { size: Some(20 << 20), files: 5 };

/// Docker's drivers that send logs elsewhere.
const NOT_YET: [&str; 8] = ["awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog"];

impl LogSettings {
    /// Refuses what cannot be understood.
    pub(in crate::containers) fn check(&self) -> Result<(), Error> {
        let name = self.driver.as_deref().unwrap_or("json-file");
        let wrong = |message: String| Error::new(ErrorKind::InvalidInput, message).with_exit_code(125);
        if NOT_YET.contains(&name) {
            return Err(wrong(format!("the log driver `{name}` is not there yet"))
                .with_hint("use `json-file`, `local` or `none`"));
        }
        let known: &[&str] = match name {
            "json-file" => &["max-size", "max-file", "compress", "labels", "env"],
            "local" => &["max-size", "max-file", "compress"],
            "none" => return Ok(()),
            _ => {
                return Err(wrong(format!("logger: no log driver named '{name}' is registered"))
                    .with_hint("use `json-file`, `local` or `none`"));
            }
        };
        for (key, value) in &self.options {
            match key.as_str() {
                _ if !known.contains(&key.as_str()) => {
                    let names: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                    return Err(wrong(format!("unknown log opt '{key}' for {name} log driver"))
                        .with_hint(format!("it has {}", names.join(", "))));
                }
                "max-size" if parse_size(value).is_none() => {
                    return Err(wrong(format!("invalid value for max-size: `{value}`"))
                        .with_hint("write a size such as `10m`, or `-1` for no limit"));
                }
                "max-file" if !value.parse().is_ok_and(|count: u32| count > 0) => {
                    return Err(wrong(format!("invalid value for max-file: `{value}`: it must be 1 or more")));
                }
                "compress" if !matches!(value.as_str(), "false" | "0" | "f" | "F" | "FALSE" | "False") => {
                    return Err(wrong("compressed logs are not there yet".to_owned())
                        .with_hint("leave `--log-opt compress` out"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(in crate::containers) fn driver(&self) -> Driver {
        match self.driver.as_deref() {
            Some("none") => Driver::None,
            Some("local") => Driver::Local,
            _ => Driver::JsonFile,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let files = self.options.get("max-file").and_then(|text| text.parse().ok());
        match self.options.get("max-size").and_then(|text| parse_size(text)) {
            // As with Docker's json-file, whoever chooses a size gets one file, or says how many.
            Some(size) if self.driver() == Driver::JsonFile => Limits { size, files: files.unwrap_or(1) },
            Some(size) => Limits { size, files: files.unwrap_or(USUAL.files) },
            None => Limits { files: files.unwrap_or(USUAL.files), ..USUAL },
        }
    }

    /// What is kept with each row: labels and variables by name.
    pub(super) fn attributes(&self, record: &ContainerRecord) -> Vec<(String, String)> {
        let names = |key: &str| self.options.get(key).into_iter().flat_map(|list| list.split(','));
        let labels = names("labels").filter_map(|name| {
            Some((name.to_owned(), record.labels.get(name)?.as_str().unwrap_or_default().to_owned()))
        });
        let variables = names("env").filter_map(|name| {
            let found = record.env.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            Some((name.to_owned(), found?.to_owned()))
        });
        let sorted: BTreeMap<_, _> = labels.chain(variables).collect();
        sorted.into_iter().collect()
    }

    /// Its part of `HostConfig`.
    pub(in crate::containers) fn describe(&self, host_config: &mut Map<String, Value>) {
        let name = self.driver.as_deref().unwrap_or("json-file");
        host_config.insert("LogConfig".to_owned(), json!({"Type": name, "Config": self.options}));
    }
}

/// A size such as `10m`; none for `-1`, which is no limit.
fn parse_size(text: &str) -> Option<Option<u64>> {
    if text == "-1" {
        return Some(None);
    }
    parse_memory_size(text).filter(|size| *size > 0).map(Some)
}
