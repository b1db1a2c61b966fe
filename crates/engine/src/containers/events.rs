//! What happens to containers is written down, a line each, for whoever wants to follow it.
//!
//! A line is a JSON object in the shape that Docker's `events --format json` has.

mod read;

use serde_json::{Map, json};

use super::container::Container;
use crate::Engine;

pub use read::{EventFilter, EventsOptions, events};

/// Notes that something happened: `create`, `start`, `die`, `kill`, `stop`, `restart`, `rename`, `attach`, `destroy`, …
///
/// That it cannot be written down changes nothing for the container.
pub(crate) fn note(engine: &Engine, container: &Container, action: &str, more: &[(&str, &str)]) {
    let record = &container.record;
    let mut attributes: Map<_, _> = record.labels.clone();
    attributes.insert("image".to_owned(), json!(record.image_name));
    attributes.insert("name".to_owned(), json!(record.name));
    attributes.extend(more.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    let now = engine.now();
    let event = json!({
        "status": action,
        "id": record.id,
        "from": record.image_name,
        "Type": "container",
        "Action": action,
        "Actor": {"ID": record.id, "Attributes": attributes},
        "scope": "local",
        "time": now.as_second(),
        "timeNano": i64::try_from(now.as_nanosecond()).unwrap_or_default(),
    });
    engine.store().add_event(format!("{event}\n").as_bytes()).ok();
}

/// The same for its end.
pub(super) fn note_end(engine: &Engine, container: &Container, code: u8) {
    note(engine, container, "die", &[("exitCode", &code.to_string())]);
}
