//! Image archives that no build of ours would make, written by hand.

use serde_json::{Value, json};
use testkit::{TarWriter, checker};

use crate::build_project::Project;

/// An archive of one image with one layer, as `docker save` writes it; its path. `overrides` are keys of its config.
pub(crate) fn forge(project: &Project, name: &str, layer: TarWriter, overrides: &Value) -> String {
    let layer = layer.finish();
    let mut config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "created": "2020-01-01T00:00:00Z",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [checker::digest(&layer)]},
    });
    for (key, value) in overrides.as_object().unwrap() {
        config[key] = value.clone();
    }
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    let mut archive = TarWriter::default();
    archive.file("config.json", 0o644, config.to_string().as_bytes()).file("layer.tar", 0o644, &layer);
    archive.file("manifest.json", 0o644, manifest.to_string().as_bytes());
    project.sandbox.write("forged.tar", archive.finish()).display().to_string()
}
