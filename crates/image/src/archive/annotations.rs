//! Annotations of the documents around an image (image-spec, annotations.md), and where each goes.

use oci::Platform;
use serde_json::{Map, Value};

/// Which document an annotation is written into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnnotationTarget {
    /// The image's manifest.
    Manifest,
    /// The manifest's descriptor, in the index that lists it.
    ManifestDescriptor,
    /// The index of several platforms.
    Index,
    /// That index's descriptor.
    IndexDescriptor,
}

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Where it goes.
    pub target: AnnotationTarget,
    /// Of one platform only.
    pub platform: Option<Platform>,
    /// Its name.
    pub key: String,
    /// Its text.
    pub value: String,
}

/// All annotations of one output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Annotations(pub Vec<Annotation>);

impl Annotations {
    /// What goes into a document, sorted by name; what is said of one platform wins over what is said of all.
    pub(super) fn of(&self, target: AnnotationTarget, platform: Option<&Platform>) -> Map<String, Value> {
        let fits = |annotation: &&Annotation| {
            let own = annotation.platform.as_ref();
            annotation.target == target && own.is_none_or(|own| Some(own) == platform)
        };
        let mut fitting: Vec<&Annotation> = self.0.iter().filter(fits).collect();
        // Stable: of two that say the same thing about the same name, the later one.
        fitting.sort_by_key(|annotation| (&annotation.key, annotation.platform.is_some()));
        fitting.into_iter().map(|annotation| (annotation.key.clone(), Value::from(annotation.value.as_str()))).collect()
    }
}
