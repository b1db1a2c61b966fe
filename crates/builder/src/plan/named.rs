//! What stands in the place of stages and images by `--build-context` (D159).

use dockerfile::{Instead, Span, StageReference};
use oci::Platform;

use super::{BaseImage, CopyFrom, CopyOp, CopySource, Op, Planner, Problem};
use crate::named::{self, NamedSource};

/// What a name from outside stands for.
pub(super) enum Given {
    Stage(usize),
    Image {
        image: Box<BaseImage>,
        name: String,
    },
    /// `docker-image://scratch`
    Nothing,
    /// The files of a context, by its number.
    Files(usize),
}

impl Planner<'_> {
    /// The context that a word of the Dockerfile names.
    pub(super) fn named(&self, word: &str) -> Option<usize> {
        named::find(self.named, word, self.platform)
    }

    /// The same, for finding out which stages are needed.
    pub(super) fn instead(&self, word: &str) -> Option<Instead> {
        let number = self.named(word)?;
        Some(match &self.named[number].source {
            NamedSource::Stage(stage) => Instead::Stage(stage.clone()),
            _ => Instead::Elsewhere,
        })
    }

    /// What a context is, seen from stage `index`, which is for `platform`.
    pub(super) fn given(
        &self,
        number: usize,
        (index, platform): (usize, &Platform),
        span: Span,
        problems: &mut Vec<Problem>,
    ) -> Option<Given> {
        let context = &self.named[number];
        let name = &context.name;
        match &context.source {
            NamedSource::Folder(_) | NamedSource::Remote(_) => Some(Given::Files(number)),
            NamedSource::Image(reference) if reference == "scratch" => Some(Given::Nothing),
            NamedSource::Image(reference) => {
                let (image, name) = self.image(reference, platform, span, problems)?;
                Some(Given::Image { image: Box::new(image), name })
            }
            NamedSource::Layout { folder, image } => match (self.find_layout)(name, folder, image) {
                Ok(image) => Some(Given::Image { image: Box::new(image), name: name.clone() }),
                Err(problem) => {
                    problems.push(Problem { span, ..problem });
                    None
                }
            },
            NamedSource::Stage(stage) => match self.dockerfile.from(index, stage) {
                StageReference::Stage(stage) => Some(Given::Stage(stage)),
                StageReference::Other(_) => {
                    let message = format!("the context `{name}` is stage `{stage}`, which is not above this one");
                    let help = format!("name a stage that comes before: `--build-context {name}=target:STAGE`");
                    problems.push(Problem::error(span, message).with_help(help));
                    None
                }
            },
        }
    }
}

/// A step that takes all files of a context, as they are in it.
pub(super) fn all_files(number: usize, span: Span) -> Op {
    Op::Copy(CopyOp {
        sources: vec![CopySource { word: "/".to_owned(), span, remote: None }],
        documents: Vec::new(),
        from: CopyFrom::Named(number),
        destination: Vec::new(),
        into_folder: true,
        chown: None,
        chmod: None,
        unpack: false,
        link: false,
        parents: false,
        excludes: Vec::new(),
    })
}
