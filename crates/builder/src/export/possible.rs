//! Outputs that contradict what is built: told before anything is.

use std::collections::HashMap;

use image::archive::AnnotationTarget;
use layer::{Tree, Visit, Walk};

use super::unwritten;
use crate::build::{BuildError, BuildRequest};
use crate::output::Output;
use crate::report::Reporter;

/// The argument that asks for an index, also of one platform.
const MULTI_PLATFORM: &str = "BUILDKIT_MULTI_PLATFORM";

/// Whether images are listed by platform.
pub(super) fn is_index(request: &BuildRequest) -> bool {
    let asked = request.build_args.iter().rev().find(|(name, _)| name == MULTI_PLATFORM);
    request.platforms.len() > 1 || asked.is_some_and(|(_, value)| matches!(value.as_str(), "1" | "true"))
}

/// Looks at everything that was asked for together.
pub(crate) fn check(request: &BuildRequest, reporter: &Reporter<'_>) -> Result<(), BuildError> {
    let refuse = |message: &str, hint: &str| {
        let hint = Some(hint.to_owned());
        Err(BuildError::Output { message: message.to_owned(), causes: Vec::new(), hint })
    };
    let are_several = request.platforms.len() > 1;
    if are_several && request.classic.is_some() {
        return refuse(
            "the classic way of building has one platform",
            "use `--progress plain`, or give one `--platform`",
        );
    }
    let is_image = |output: &Output| matches!(output, Output::Image(_));
    for output in &request.outputs {
        let Output::Archive(archive) = output else { continue };
        if archive.is_docker && is_index(request) {
            return refuse(
                "an archive for `docker load` holds one platform, and several are built",
                "use `type=oci`, or give one `--platform`",
            );
        }
        let of_index = |target| matches!(target, AnnotationTarget::Index | AnnotationTarget::IndexDescriptor);
        if !is_index(request) && archive.annotations.0.iter().any(|annotation| of_index(annotation.target)) {
            return refuse(
                "an index is annotated, and one platform makes none",
                "annotate the manifest: `--annotation KEY=VALUE`, or build with `--build-arg BUILDKIT_MULTI_PLATFORM=1`",
            );
        }
    }
    if are_several && (request.outputs.is_empty() || request.outputs.iter().any(is_image)) {
        let host = oci::Platform::host();
        let kept = request.platforms.iter().find(|platform| platform.is_like(&host)).unwrap_or(&request.platforms[0]);
        reporter.warning(
            format!("the store keeps the image for {kept}; `-o type=oci,dest=FILE` writes those of all platforms"),
            None,
        );
    }
    Ok(())
}

/// Files of several platforms that are to be in one folder must not meet.
pub(super) fn check_apart(trees: &[(String, Tree)]) -> Result<(), BuildError> {
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    for (number, (_, tree)) in trees.iter().enumerate() {
        let failed = |error| unwritten(&layer::FlattenError::Tree(error), None);
        let mut walk = Walk::new(tree).map_err(failed)?;
        while let Some(visit) = walk.next_visit().map_err(failed)? {
            let Visit::Name { path, node } = visit else { continue };
            if node.is_directory() {
                continue;
            }
            let shown = String::from_utf8_lossy(&path).into_owned();
            if known.insert(path, number).is_some_and(|other| other != number) {
                return Err(BuildError::Output {
                    message: format!("`/{shown}` is in the results for several platforms"),
                    causes: Vec::new(),
                    hint: Some("leave out `platform-split=false`, so that each has a folder of its own".to_owned()),
                });
            }
        }
    }
    Ok(())
}
