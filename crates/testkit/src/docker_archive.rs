//! An image in the form of `docker save`, written by hand from the tar of its files: what other tools read too.

use sha2::{Digest as _, Sha256};

use crate::TarWriter;

/// The archive of an image with one layer and this name. Both digests are computed here.
#[must_use]
pub fn docker_archive(name: &str, layer: &[u8]) -> Vec<u8> {
    let config = serde_json::json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": { "Cmd": ["sh"] },
        "created": "2020-01-01T00:00:00Z",
        "history": [{ "created": "2020-01-01T00:00:00Z", "created_by": "by hand" }],
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(layer))] },
    });
    let config = config.to_string().into_bytes();
    let config_name = format!("{}.json", hex(&config));
    let manifest = serde_json::json!([{ "Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"] }]);
    let mut tar = TarWriter::default();
    tar.file("layer.tar", 0o644, layer).file(&config_name, 0o644, &config);
    tar.file("manifest.json", 0o644, manifest.to_string().as_bytes());
    tar.finish()
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
