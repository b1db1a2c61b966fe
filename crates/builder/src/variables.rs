//! Which variables an instruction sees: the image's environment and the build arguments in scope.

use std::collections::BTreeMap;

use oci::Platform;

/// Build arguments that need no ARG, and stay out of history and of cache keys unless declared
/// (Dockerfile reference, "Predefined ARGs").
const PREDEFINED: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// PATH of images that have none, as Docker sets it.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What was given on the command line, and the arguments before the first FROM.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arguments {
    /// `--build-arg`, later ones win.
    pub(crate) given: BTreeMap<String, String>,
    /// ARG before the first FROM, with the platform's own arguments.
    pub(crate) global: BTreeMap<String, String>,
}

impl Arguments {
    /// Arguments of a build for one platform on another.
    pub(crate) fn new(given: &[(String, String)], target: &Platform, build: &Platform) -> Self {
        let mut global = BTreeMap::new();
        for (kind, platform) in [("TARGET", target), ("BUILD", build)] {
            let variant = platform.variant.clone().unwrap_or_default();
            global.insert(format!("{kind}PLATFORM"), platform.to_string());
            global.insert(format!("{kind}OS"), platform.os.clone());
            global.insert(format!("{kind}ARCH"), platform.architecture.clone());
            global.insert(format!("{kind}VARIANT"), variant);
        }
        Self { given: given.iter().cloned().collect(), global }
    }

    /// Whether it needs no declaration.
    pub(crate) fn is_predefined(name: &str) -> bool {
        PREDEFINED.contains(&name)
    }

    /// Proxy settings that were given: they reach RUN without being declared.
    pub(crate) fn predefined(&self) -> Vec<(String, String)> {
        self.given
            .iter()
            .filter(|(name, _)| Self::is_predefined(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// Variables in scope within a stage. The environment always wins over arguments (S147).
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// `KEY=VALUE` of the image, in order.
    pub(crate) env: Vec<String>,
    /// Declared arguments, in order; `None` for one without a value.
    pub(crate) args: Vec<(String, Option<String>)>,
}

impl Scope {
    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.env_value(name).or_else(|| self.arg(name))
    }

    fn env_value(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    fn arg(&self, name: &str) -> Option<&str> {
        self.args.iter().rev().find(|(known, _)| known == name)?.1.as_deref()
    }

    /// ENV: replaces a variable in its place, or adds it.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        let pair = format!("{name}={value}");
        let place = self.env.iter().position(|known| known.split('=').next() == Some(name));
        match place {
            Some(place) => self.env[place] = pair,
            None => self.env.push(pair),
        }
    }

    /// ARG: declares an argument, or gives one that is declared another value.
    pub(crate) fn declare(&mut self, name: &str, value: Option<String>) {
        match self.args.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.or_else(|| known.take()),
            None => self.args.push((name.to_owned(), value)),
        }
    }

    /// Arguments as history and RUN see them: with the environment's value where both have the name.
    pub(crate) fn arguments_for_run(&self) -> Vec<(String, String)> {
        let value = |(name, value): &(String, Option<String>)| {
            let value = self.env_value(name).map(str::to_owned).or_else(|| value.clone()).unwrap_or_default();
            (name.clone(), value)
        };
        self.args.iter().map(value).collect()
    }

    /// The environment of a RUN step: the image's, and the arguments that it does not override.
    pub(crate) fn environment_for_run(&self, predefined: &[(String, String)]) -> Vec<String> {
        let mut env = self.env.clone();
        let has = |env: &[String], name: &str| env.iter().any(|pair| pair.split('=').next() == Some(name));
        let declared = self.args.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (name, value) in declared.chain(predefined.iter().map(|(name, value)| (name, value))) {
            if !has(&env, name) {
                env.push(format!("{name}={value}"));
            }
        }
        env
    }
}

#[cfg(test)]
mod tests;
