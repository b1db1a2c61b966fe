//! What a stage begins with: an image of the store, an earlier stage, nothing; and the triggers that come with it.

use dockerfile::{Instruction, Lookup, Span, Stage, StageReference, Word};
use oci::{ImageConfig, Platform, Reference};

use super::named::Given;
use super::{Base, BaseImage, Planner, Problem, expansion_problem};
use crate::variables::{Arguments, DEFAULT_PATH};

/// What a stage begins with.
pub(super) struct Found {
    pub(super) base: Base,
    /// Text of the FROM step.
    pub(super) shown: String,
    /// A context whose files come first.
    pub(super) files: Option<usize>,
}

impl Found {
    fn new(base: Base, shown: String) -> Self {
        Self { base, shown, files: None }
    }
}

impl Planner<'_> {
    /// Resolves FROM; gives the base and the text of its step.
    pub(super) fn base(
        &self,
        (index, platform): (usize, &Platform),
        stage: &Stage,
        arguments: &Arguments,
        problems: &mut Vec<Problem>,
    ) -> Option<Found> {
        let expander = self.expander();
        let lookup = |name: &str| arguments.global.get(name).map(String::as_str);
        let expanded = match expander.expand(&stage.base.text, &lookup) {
            Ok(expanded) => expanded,
            Err(error) => {
                problems.push(expansion_problem(&stage.base, &error));
                return None;
            }
        };
        let word = expanded.text;
        if word.is_empty() {
            let unset = expanded.unset.first().map_or_else(String::new, |name| format!(": `{name}` has no value"));
            let name = expanded.unset.first().map_or("NAME", String::as_str);
            let problem = Problem::error(stage.base.span, format!("the base image is empty{unset}"));
            problems
                .push(problem.with_help(format!("give it with `--build-arg {name}=…` or a default: `ARG {name}=…`")));
            return None;
        }
        if word == "scratch" {
            return Some(Found::new(Base::Scratch, "FROM scratch".to_owned()));
        }
        if let Some(number) = self.named(&word) {
            return self.given_base(number, (index, platform), stage.base.span, problems);
        }
        if let StageReference::Stage(parent) = self.dockerfile.base(index, &word) {
            return Some(Found::new(Base::Stage(parent), format!("FROM {word}")));
        }
        let (image, name) = self.image(&word, platform, stage.base.span, problems)?;
        let shown = format!("FROM {}", image.with_digest(&name));
        Some(Found::new(Base::Image { image: Box::new(image), name }, shown))
    }

    /// What a context with a name is as a base.
    pub(super) fn given_base(
        &self,
        number: usize,
        (index, platform): (usize, &Platform),
        span: Span,
        problems: &mut Vec<Problem>,
    ) -> Option<Found> {
        let shown = format!("FROM {}", self.named[number].name);
        Some(match self.given(number, (index, platform), span, problems)? {
            Given::Stage(stage) => Found::new(Base::Stage(stage), shown),
            Given::Nothing => Found::new(Base::Scratch, shown),
            Given::Image { image, name } => {
                let shown = format!("FROM {}", image.with_digest(&name));
                Found::new(Base::Image { image, name }, shown)
            }
            Given::Files(number) => Found { files: Some(number), ..Found::new(Base::Scratch, shown) },
        })
    }

    /// What a stage is for: that of the build, unless FROM says so.
    pub(super) fn stage_platform(
        &self,
        stage: &Stage,
        arguments: &Arguments,
        problems: &mut Vec<Problem>,
    ) -> Option<Platform> {
        let lookup = |name: &str| arguments.global.get(name).map(String::as_str);
        match &stage.platform {
            Some(word) => self.platform_of(word, &lookup).map_err(|problem| problems.push(problem)).ok(),
            None => Some(self.platform.clone()),
        }
    }

    /// `--platform` of a FROM.
    fn platform_of(&self, word: &Word, lookup: Lookup<'_, '_>) -> Result<Platform, Problem> {
        let expanded = self.expander().expand(&word.text, lookup).map_err(|error| expansion_problem(word, &error))?;
        let text = expanded.text;
        if let (true, Some(name)) = (text.is_empty(), expanded.unset.first()) {
            let problem = Problem::error(word.span, format!("the platform is empty: `{name}` has no value"));
            return Err(problem.with_help(format!("give it with `--build-arg {name}=…` or a default: `ARG {name}=…`")));
        }
        text.parse::<Platform>().map_err(|error| {
            let problem = Problem::error(word.span, error.to_string());
            match dockerfile::nearest(error.word(), error.candidates()) {
                Some(near) => problem.with_help(format!("did you mean `{}`?", text.replace(error.word(), near))),
                None => problem.with_help(format!("write for example `--platform={}`", self.platform)),
            }
        })
    }

    /// An image by name or ID; with its name as shown in steps: canonical, the tag as typed (S113).
    pub(super) fn image(
        &self,
        word: &str,
        platform: &Platform,
        span: Span,
        problems: &mut Vec<Problem>,
    ) -> Option<(BaseImage, String)> {
        let name = match word.parse::<Reference>() {
            Ok(reference) => reference.to_string(),
            Err(oci::ReferenceError::LooksLikeId(_)) => word.to_owned(),
            Err(error) => {
                problems.push(Problem { help: error.hint(), ..Problem::error(span, error.to_string()) });
                return None;
            }
        };
        match (self.find_image)(word, platform) {
            Ok(Some(image)) => Some((image, name)),
            Ok(None) => {
                let problem =
                    Problem::error(span, format!("image `{name}` is not in the store")).with_label("not found locally");
                let help = self.similar(word).unwrap_or_else(|| {
                    if name == word && word.parse::<Reference>().is_err() {
                        return "see the IDs that there are with `onggi images --no-trunc`".to_owned();
                    }
                    format!(
                        "bring it in with `onggi load -i IMAGE.tar`, or make it from a root file system with \
                         `onggi import ROOTFS.tar {word}`"
                    )
                });
                problems.push(problem.with_help(help));
                None
            }
            Err(failure) => {
                let help = self.similar(word).or(failure.help);
                problems.push(Problem { help, ..Problem::error(span, failure.message) });
                None
            }
        }
    }

    /// What may have been meant by a name that is not there.
    fn similar(&self, word: &str) -> Option<String> {
        let stage = self.dockerfile.target(Some(word)).err().and_then(|unknown| unknown.suggestion);
        match (stage, (self.similar_image)(word)) {
            (Some(stage), _) => Some(format!("a stage has a similar name: `{stage}`")),
            (None, Some(image)) => Some(format!("an image has a similar name: `{image}`")),
            (None, None) => None,
        }
    }

    /// ONBUILD instructions of the base, which run first and are not handed on (D138).
    pub(super) fn triggers(
        &self,
        stage: &Stage,
        config: &ImageConfig,
        problems: &mut Vec<Problem>,
    ) -> Vec<Instruction> {
        let mut triggers = Vec::new();
        for text in &config.config.on_build {
            match dockerfile::parse_trigger(text) {
                Ok(mut instruction) => {
                    instruction.span = stage.span;
                    instruction.first_line = stage.first_line;
                    triggers.push(instruction);
                }
                Err(found) => problems.extend(found.into_iter().map(|diagnostic| {
                    let mut problem = Problem::from(diagnostic);
                    problem.span = stage.span;
                    problem.message =
                        format!("the base image has an ONBUILD that cannot be used, `{text}`: {}", problem.message);
                    problem
                })),
            }
        }
        triggers
    }
}

/// What `FROM scratch` begins with: nothing but what every image has.
pub(super) fn scratch(platform: &Platform) -> ImageConfig {
    let mut config = inherit(&ImageConfig::scratch(platform));
    "/".clone_into(&mut config.config.working_dir);
    config
}

/// A base image's config as a starting point: its history and layers are kept, its triggers were taken out by then.
pub(super) fn inherit(config: &ImageConfig) -> ImageConfig {
    let mut config = config.clone();
    if !config.config.env.iter().any(|pair| pair.starts_with("PATH=")) {
        config.config.env.push(format!("PATH={DEFAULT_PATH}"));
    }
    config
}
