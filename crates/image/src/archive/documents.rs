//! The documents of archives as they are written and read.

use oci::{Descriptor, ImageId, ImageIndex, media_type};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Annotation with an image's whole name.
pub(super) const IMAGE_NAME: &str = "io.containerd.image.name";
/// Annotation with an image's tag; some writers put the whole name here (image-spec, annotations.md).
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation of what is about an image and not one itself (BuildKit, attestation storage).
pub(super) const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// One image of `manifest.json` (Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerImage {
    /// Member with the config.
    pub(super) config: String,
    /// Its names.
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    /// Members with the layers, bottom first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) layers: Vec<String>,
    /// The image that it was committed from, where that is in the archive, too.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "empty_is_none")]
    pub(super) parent: Option<ImageId>,
    /// DiffID to descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) layer_sources: Option<Map<String, Value>>,
}

/// `oci-layout` (image-spec, image-layout.md).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OciLayout {
    pub(super) image_layout_version: String,
}

impl Default for OciLayout {
    fn default() -> Self {
        Self { image_layout_version: "1.0.0".to_owned() }
    }
}

/// `index.json`.
pub(super) fn oci_index(manifests: Vec<Descriptor>) -> ImageIndex {
    ImageIndex { schema_version: 2, media_type: Some(media_type::OCI_INDEX.to_owned()), manifests, extra: Map::new() }
}

/// The field of a manifest or index that holds its annotations; no field for none.
pub(super) fn annotations(annotations: Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    if !annotations.is_empty() {
        fields.insert("annotations".to_owned(), Value::Object(annotations));
    }
    fields
}

/// What is looked at of a document whose kind is not known.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unknown {
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    pub(crate) manifests: Option<Value>,
}

/// Text of an annotation.
pub(super) fn annotation<'a>(descriptor: &'a Descriptor, key: &str) -> Option<&'a str> {
    descriptor.annotations.get(key)?.as_str()
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ImageId>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.filter(|text| !text.is_empty()).map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}
