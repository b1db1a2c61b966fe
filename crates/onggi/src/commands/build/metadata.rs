//! `--metadata-file`: what a finished build gave, under buildx's names (B010).

use engine::BuildOutcome;
use serde_json::{Map, Value, json};

use super::BUILDER;

/// The file's text.
pub(super) fn json(built: &BuildOutcome) -> String {
    let mut fields = Map::new();
    if let Some(log) = &built.log {
        fields.insert("buildx.build.ref".to_owned(), json!(format!("{}/{log}", BUILDER.replace(':', "/"))));
    }
    fields.insert("containerimage.config.digest".to_owned(), json!(built.image.to_string()));
    if let Some(descriptor) = &built.descriptor {
        fields.insert("containerimage.descriptor".to_owned(), json!(descriptor));
        fields.insert("containerimage.digest".to_owned(), json!(descriptor.digest.to_string()));
    }
    if !built.names.is_empty() {
        let names: Vec<String> = built.names.iter().map(ToString::to_string).collect();
        fields.insert("image.name".to_owned(), json!(names.join(",")));
    }
    let text = serde_json::to_string_pretty(&Value::Object(fields));
    text.expect("all keys are text, so it is always JSON") + "\n"
}
