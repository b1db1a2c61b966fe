//! The settings of Docker's command line that hold here too: `config.json` in `$DOCKER_CONFIG` or `~/.docker`.
//!
//! What is about registries is read by `registry::config`, which says what is wrong with the file. Here it is only looked
//! into, and a broken one has no settings.

use engine::registries::Settings;
use serde_json::Value;

/// Keys of `proxies.default`, and the variables that they are.
const PROXIES: [(&str, &str); 5] = [
    ("httpProxy", "HTTP_PROXY"),
    ("httpsProxy", "HTTPS_PROXY"),
    ("noProxy", "NO_PROXY"),
    ("ftpProxy", "FTP_PROXY"),
    ("allProxy", "ALL_PROXY"),
];

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The file; nothing where there is none.
fn read(lookup: Lookup<'_>) -> Option<Value> {
    // The user's number is of no account for this file.
    let content = std::fs::read(Settings::from_variables(lookup, 0).docker_config_file()?).ok()?;
    serde_json::from_slice(&content).ok()
}

/// A text of the configuration.
pub(crate) fn text(name: &str, lookup: Lookup<'_>) -> Option<String> {
    Some(read(lookup)?.get(name)?.as_str()?.to_owned())
}

/// The format of a list: as typed, else as configured (`psFormat`, `imagesFormat` …), which `--quiet` does without.
pub(crate) fn format(name: &str, typed: Option<&str>, is_quiet: bool, lookup: Lookup<'_>) -> Option<String> {
    match typed {
        Some(format) if !format.is_empty() => Some(format.to_owned()),
        _ if is_quiet => None,
        _ => text(name, lookup).filter(|format| !format.is_empty()),
    }
}

/// Variables for the proxies of containers and builds, in upper and lower case, but for those that `names` has.
pub(crate) fn proxies(names: &[&str], lookup: Lookup<'_>) -> Vec<(String, String)> {
    let Some(config) = read(lookup) else { return Vec::new() };
    let value = |key: &str| config.get("proxies")?.get("default")?.get(key)?.as_str().filter(|value| !value.is_empty());
    let set = PROXIES.iter().filter_map(|(key, name)| Some((*name, value(key)?)));
    let both = set.flat_map(|(name, value)| [(name.to_owned(), value), (name.to_ascii_lowercase(), value)]);
    both.filter(|(name, _)| !names.contains(&name.as_str())).map(|(name, value)| (name, value.to_owned())).collect()
}

#[cfg(test)]
mod tests;
