//! The settings of Docker's command line that hold here too: `config.json` in `$DOCKER_CONFIG` or `~/.docker`.

use std::path::PathBuf;

/// A text of the configuration; none where there is no such file, or something else in it.
pub(crate) fn text(name: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name: &str| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")))?;
    let content = std::fs::read(folder.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&content).ok()?;
    Some(config.get(name)?.as_str()?.to_owned())
}
