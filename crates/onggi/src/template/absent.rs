//! What Docker's objects have although their JSON leaves it out, and how Go prints it when it is not set.
//!
//! Docker fills templates in from structures, where an image without ports still has `.Config.ExposedPorts`, an empty
//! map. JSON knows only that nothing is there.

use serde_json::{Map, Value};

/// Fields of a container's configuration, and how they print when they are not set.
const CONFIG: [(&str, &str); 11] = [
    ("Cmd", "[]"),
    ("Entrypoint", "[]"),
    ("Env", "[]"),
    ("ExposedPorts", "map[]"),
    ("Healthcheck", "<nil>"),
    ("Labels", "map[]"),
    ("OnBuild", "[]"),
    ("Shell", "[]"),
    ("StopSignal", ""),
    ("StopTimeout", "<nil>"),
    ("Volumes", "map[]"),
];

/// The same of an image, and of a container's state.
const IMAGE: [(&str, &str); 2] = [("OsVersion", ""), ("Variant", "")];
const STATE: [(&str, &str); 1] = [("Health", "<nil>")];

/// Whether an object has the field, though not in its JSON. What an object is shows by a field that it always has.
pub(super) fn is_known(object: &Map<String, Value>, name: &str) -> bool {
    let has = |sign: &str, fields: &[(&str, &str)]| {
        object.contains_key(sign) && fields.iter().any(|(known, _)| *known == name)
    };
    has("Entrypoint", &CONFIG) || has("RootFS", &IMAGE) || has("ExitCode", &STATE)
}

/// How an unset field prints; `None` for fields that are nothing special.
pub(super) fn print(name: &str) -> Option<&'static str> {
    let mut fields = CONFIG.iter().chain(&IMAGE).chain(&STATE);
    fields.find(|(known, _)| *known == name).map(|(_, text)| *text)
}
