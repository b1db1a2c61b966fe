//! Annotations as they are typed: `--annotation index:KEY=VALUE`, and `annotation-index.KEY=VALUE` in an output.

use engine::{Annotation, AnnotationTarget, Annotations, Platform};

use crate::cli::options::{Options, one_of};
use crate::failure::Failure;
use crate::render::problem::Problem;

const TARGETS: [(&str, AnnotationTarget); 4] = [
    ("manifest", AnnotationTarget::Manifest),
    ("manifest-descriptor", AnnotationTarget::ManifestDescriptor),
    ("index", AnnotationTarget::Index),
    ("index-descriptor", AnnotationTarget::IndexDescriptor),
];

/// Values of `--annotation`: `[TYPE[[PLATFORM]][,…]:]KEY=VALUE`.
pub(super) fn of_flags(flags: &[String]) -> Result<Annotations, Failure> {
    let mut annotations = Vec::new();
    for typed in flags {
        let Some((left, value)) = typed.split_once('=') else {
            let problem = Problem::error(format!("`--annotation {typed}` has no value"));
            return Err(Failure::new(problem.with_hint("write `--annotation KEY=VALUE`")));
        };
        let (places, key) = match left.split_once(':') {
            Some((places, key)) => (places, key),
            None => ("manifest", left),
        };
        if key.is_empty() {
            let problem = Problem::error(format!("`--annotation {typed}` has no key"));
            return Err(Failure::new(problem.with_hint("write `--annotation KEY=VALUE`")));
        }
        for place in places.split(',') {
            let (target, platform) = self::place(place)?;
            annotations.push(Annotation { target, platform, key: key.to_owned(), value: value.to_owned() });
        }
    }
    Ok(Annotations(annotations))
}

/// Takes `annotation[-TYPE][[PLATFORM]].KEY` out of the options of an output.
pub(super) fn of_options(options: &mut Options) -> Result<Vec<Annotation>, Failure> {
    options.take_all(|name, value| {
        let (place, key) = name.strip_prefix("annotation")?.split_once('.').filter(|(_, key)| !key.is_empty())?;
        let place = match place.strip_prefix('-') {
            Some(place) => place.to_owned(),
            None if place.is_empty() || place.starts_with('[') => format!("manifest{place}"),
            None => return None,
        };
        let annotation =
            |(target, platform)| Annotation { target, platform, key: key.to_owned(), value: value.to_owned() };
        Some(self::place(&place).map(annotation))
    })
}

/// `manifest`, or `manifest[linux/amd64]`.
fn place(text: &str) -> Result<(AnnotationTarget, Option<Platform>), Failure> {
    let (name, platform) = match text.split_once('[') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(']').unwrap_or(rest))),
        None => (text, None),
    };
    let names = TARGETS.map(|(name, _)| name);
    let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        let problem = Problem::error(format!("`{name}` is not a kind of annotation"));
        let hint = match engine::nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use {}, or nothing before the key", one_of(&names)),
        };
        return Err(Failure::new(problem.with_hint(hint)));
    };
    let platform = platform.map(super::super::platforms::platform).transpose()?;
    Ok((*target, platform))
}
