//! Contexts with names: `--build-context NAME=VALUE` puts something else in the place of a stage or an image (D159).
//!
//! A name in FROM, `COPY --from` or a mount's `from=` is looked for here first, then among the stages, then among the
//! images; a stage of such a name is not built at all.

use std::path::{Path, PathBuf};

use dockerfile::{Code, Diagnostic, Parsed};
use image::archive::{LayoutContent, LayoutError, LayoutImage};
use oci::{Platform, Reference};
use store::Store;

use crate::StepOutcome;
use crate::build::BuildRequest;
use crate::failure::causes;
use crate::plan::{BaseImage, Problem};
use crate::remote::{Remote, RemoteError};
use crate::report::Reporter;

/// `--build-context`.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedContext {
    /// As names are compared: without the default registry and tag, in lower case.
    pub name: String,
    /// Only for this platform (`NAME::PLATFORM`).
    pub platform: Option<Platform>,
    /// What it stands for.
    pub source: NamedSource,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum NamedSource {
    /// Files of a folder.
    Folder(PathBuf),
    /// A repository, or what is behind a URL.
    Remote(Remote),
    /// `docker-image://REFERENCE`
    Image(String),
    /// `oci-layout://FOLDER[:TAG|@DIGEST]`
    Layout {
        /// The layout's folder.
        folder: PathBuf,
        /// Which of its images.
        image: LayoutImage,
    },
    /// `target:STAGE`
    Stage(String),
}

impl NamedContext {
    /// Reads `NAME=VALUE`.
    ///
    /// # Errors
    /// When the name cannot be one, or the value is none of the kinds there are.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        let (written, value) = text.split_once('=').filter(|(_, value)| !value.is_empty()).ok_or_else(|| {
            RemoteError::new(
                format!("`{text}` is not a context with a name"),
                "write `--build-context NAME=VALUE`, as in `--build-context docs=./docs`",
            )
        })?;
        let (name, platform) = match written.split_once("::") {
            None => (written, None),
            Some((name, platform)) => {
                let wrong = |error: oci::PlatformError| {
                    let message = format!("`{platform}` in `{written}` is not a platform: {error}");
                    RemoteError::new(message, format!("write it as in `{name}::linux/amd64`"))
                };
                (name, Some(platform.parse::<Platform>().map_err(wrong)?))
            }
        };
        let canonical = canonical(name).filter(|_| !matches!(name, "context" | "dockerfile" | "scratch"));
        let Some(canonical) = canonical else {
            return Err(RemoteError::new(
                format!("`{name}` cannot be the name of a context"),
                "take a name that a stage or an image could have, such as `docs` or `alpine:3`",
            ));
        };
        Ok(Self { name: canonical, platform, source: source(name, value)? })
    }
}

fn source(name: &str, value: &str) -> Result<NamedSource, RemoteError> {
    let empty = |kind: &str, example: &str| {
        let message = format!("`{kind}` in the context `{name}` names nothing");
        RemoteError::new(message, format!("write it as in `--build-context {name}={example}`"))
    };
    if let Some(reference) = value.strip_prefix("docker-image:") {
        let reference = reference.trim_start_matches("//");
        if reference.is_empty() {
            return Err(empty("docker-image://", "docker-image://alpine:3"));
        }
        return Ok(NamedSource::Image(reference.to_owned()));
    }
    if let Some(place) = value.strip_prefix("oci-layout:") {
        let place = place.strip_prefix("//").unwrap_or(place);
        return layout(place).ok_or_else(|| empty("oci-layout://", "oci-layout://./layout:latest"));
    }
    if let Some(stage) = value.strip_prefix("target:") {
        return match stage {
            "" => Err(empty("target:", "target:base")),
            stage => Ok(NamedSource::Stage(stage.to_owned())),
        };
    }
    match Remote::is_meant_as_context(value) {
        true => Remote::parse_context(value).map(NamedSource::Remote),
        false => Ok(NamedSource::Folder(PathBuf::from(value))),
    }
}

/// `FOLDER`, `FOLDER:TAG`, `FOLDER@DIGEST`
fn layout(place: &str) -> Option<NamedSource> {
    let (folder, image) = match place.split_once('@') {
        Some((folder, digest)) => (folder, LayoutImage::Digest(digest.parse().ok()?)),
        None => match place.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((folder, tag)) => (folder, LayoutImage::Tag(Some(tag).filter(|tag| !tag.is_empty())?.to_owned())),
            None => (place, LayoutImage::Default),
        },
    };
    (!folder.is_empty()).then(|| NamedSource::Layout { folder: PathBuf::from(folder), image })
}

/// A name as names are compared; `None` for what can be none.
fn canonical(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let reference = lower.parse::<Reference>().ok()?;
    let familiar = reference.familiar();
    Some(familiar.strip_suffix(":latest").unwrap_or(&familiar).to_owned())
}

/// The context that a word of the Dockerfile names: one for the platform before one for all.
pub(crate) fn find(contexts: &[NamedContext], word: &str, platform: &Platform) -> Option<usize> {
    if contexts.is_empty() {
        return None;
    }
    let name = canonical(word)?;
    // Of several with one name the last one counts, as with other flags.
    let position = |of: Option<&Platform>| {
        contexts.iter().rposition(|context| context.name == name && context.platform.as_ref() == of)
    };
    position(Some(platform)).or_else(|| position(None))
}

/// Parses the Dockerfile of a build: a name that is given from outside is no slip of the keys.
pub(crate) fn parse(request: &BuildRequest) -> Parsed {
    let mut parsed = dockerfile::parse(&request.dockerfile);
    if !request.named_contexts.is_empty() {
        let is_slip = |found: &Diagnostic| !is_explained(&request.named_contexts, &request.dockerfile, found);
        parsed.diagnostics.retain(is_slip);
    }
    parsed
}

/// Whether a mistake is that a stage is not there, or comes later, whose name is that of a context.
fn is_explained(contexts: &[NamedContext], text: &[u8], found: &Diagnostic) -> bool {
    found.code == Code::InvalidStageReference
        && text.get(found.span.range()).and_then(|word| std::str::from_utf8(word).ok()).is_some_and(|word| {
            let word = word.strip_prefix("--from=").unwrap_or(word);
            find(contexts, word, &Platform::host()).is_some()
        })
}

/// An image of an OCI layout, whose layers are brought into the store.
pub(crate) fn find_layout(
    store: &Store,
    reporter: &Reporter<'_>,
    name: &str,
    folder: &Path,
    image: &LayoutImage,
) -> Result<BaseImage, Problem> {
    let step = reporter.start(format!("[context {name}] OCI load from {}", folder.display()));
    let found = image::archive::load_layout(store, folder, image);
    step.finish(found.as_ref().map_or_else(|error| StepOutcome::Failed(error.to_string()), |_| StepOutcome::Done));
    let LayoutContent { id, config, manifest } = found.map_err(|error| {
        let chain = std::iter::once(error.to_string()).chain(causes(&error));
        let problem = Problem::error(dockerfile::Span::default(), chain.collect::<Vec<_>>().join(": "));
        problem.with_help(match &error {
            LayoutError::NoImage { known, .. } if known.is_empty() => "put an image into it first".to_owned(),
            LayoutError::NoImage { known, .. } => {
                let place = folder.display();
                format!("name one of those in it, as in `--build-context {name}=oci-layout://{place}:{}`", known[0])
            }
            LayoutError::NotALayout { .. } => "give a folder with the files `oci-layout` and `index.json`".to_owned(),
            LayoutError::Load(_) => "make the layout again".to_owned(),
        })
    })?;
    Ok(BaseImage { id, config, manifest })
}

#[cfg(test)]
mod tests {
    use image::archive::LayoutImage;
    use oci::Platform;

    use super::{NamedContext, NamedSource, find};

    fn shown(source: &NamedSource) -> String {
        match source {
            NamedSource::Folder(path) => path.display().to_string(),
            NamedSource::Remote(remote) => remote.shown(),
            NamedSource::Image(reference) => format!("docker-image://{reference}"),
            NamedSource::Layout { folder, image } => match image {
                LayoutImage::Default => format!("oci-layout://{}", folder.display()),
                LayoutImage::Tag(tag) => format!("oci-layout://{}:{tag}", folder.display()),
                LayoutImage::Digest(digest) => format!("oci-layout://{}@{digest}", folder.display()),
            },
            NamedSource::Stage(stage) => format!("target:{stage}"),
        }
    }

    fn read(text: &str) -> String {
        match NamedContext::parse(text) {
            Ok(NamedContext { name, platform, source }) => {
                let platform = platform.map_or_else(String::new, |platform| format!(" for {platform}"));
                format!("{name}{platform}: {}", shown(&source))
            }
            Err(error) => format!("{error}; {}", error.hint),
        }
    }

    #[test]
    fn d159_b016_names_and_values() {
        for (text, expected) in [
            ("docs=./docs", "docs: ./docs"),
            ("docs=docs=x", "docs: docs=x"),
            ("Docs=/d", "docs: /d"),
            ("alpine=docker-image://alpine:3.21", "alpine: docker-image://alpine:3.21"),
            ("docker.io/library/alpine:latest=docker-image:x", "alpine: docker-image://x"),
            ("alpine:3=target:base", "alpine:3: target:base"),
            ("a::linux/arm64=x", "a for linux/arm64: x"),
            ("l=oci-layout://x/y:tag", "l: oci-layout://x/y:tag"),
            ("l=oci-layout://./x", "l: oci-layout://./x"),
            ("l=oci-layout:///a:b/c", "l: oci-layout:///a:b/c"),
            ("g=https://x/r.git#a", "g: https://x/r.git#a"),
            ("g=https://u:p@x/f.tar", "g: https://u:xxxxx@x/f.tar"),
            ("g=git@x:r", "g: git@x:r"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn b016_wrong_ones_say_what_to_write() {
        for (text, expected) in [
            ("docs", "`docs` is not a context with a name; write `--build-context NAME=VALUE`"),
            ("docs=", "is not a context with a name"),
            ("=x", "`` cannot be the name of a context; take a name"),
            ("a b=x", "`a b` cannot be the name of a context"),
            ("context=x", "`context` cannot be the name of a context"),
            ("scratch=x", "`scratch` cannot be the name of a context"),
            ("a::b/c/d/e=x", "is not a platform"),
            ("a=docker-image://", "`docker-image://` in the context `a` names nothing; write it as in"),
            ("a=target:", "`target:` in the context `a` names nothing"),
            ("a=oci-layout://", "`oci-layout://` in the context `a` names nothing"),
            ("a=oci-layout://x@sha256:1", "`oci-layout://` in the context `a` names nothing"),
            ("a=ftp://x", "`ftp://` is not a kind of source"),
        ] {
            assert!(read(text).contains(expected), "{text}: {}", read(text));
        }
    }

    #[test]
    fn d159_a_word_is_found_as_it_is_written_and_by_platform() {
        let contexts: Vec<_> = ["alpine=1", "alpine:3=2", "build=3", "build::linux/arm64=4", "build=5"]
            .iter()
            .map(|text| NamedContext::parse(text).unwrap())
            .collect();
        let host: Platform = "linux/amd64".parse().unwrap();
        let found = |word: &str| find(&contexts, word, &host);
        for (word, expected) in [
            ("alpine", Some(0)),
            ("alpine:latest", Some(0)),
            ("docker.io/library/alpine", Some(0)),
            ("alpine:3", Some(1)),
            ("alpine:4", None),
            ("BUILD", Some(4)),
            ("0", None),
        ] {
            assert_eq!(found(word), expected, "{word}");
        }
        assert_eq!(find(&contexts, "build", &"linux/arm64".parse().unwrap()), Some(3));
    }
}
