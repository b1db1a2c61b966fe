//! `.dockerignore` of a context, wherever its files are. That it leaves itself out does not matter (D163).

use dockerfile::IgnoreFile;

use crate::build::{BuildError, BuildRequest, Document};
use crate::context::ContextError;
use crate::context_files::BuildContext;
use crate::plan::Problem;

/// How it is called.
pub(crate) const NAME: &str = ".dockerignore";

/// `<Dockerfile>.dockerignore` beside the Dockerfile if there is one, else the context's own file.
pub(crate) fn find(request: &BuildRequest) -> Result<Document, ContextError> {
    match (&request.ignore_file, &request.context) {
        (Some(own), _) => Ok(own.clone()),
        (None, Some(context)) => read(context),
        (None, None) => Ok(Document { name: NAME.to_owned(), bytes: Vec::new() }),
    }
}

/// The file at the root of a context; empty where there is none.
pub(crate) fn read(context: &BuildContext) -> Result<Document, ContextError> {
    let bytes = match context {
        BuildContext::Folder(folder) => match std::fs::read(folder.join(NAME)) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                Vec::new()
            }
            Err(source) => return Err(ContextError::Read { path: NAME.to_owned(), source }),
        },
        BuildContext::Tree(tree) => tree.read(NAME)?.unwrap_or_default(),
    };
    Ok(Document { name: NAME.to_owned(), bytes })
}

/// Its rules; all mistakes in one go.
pub(crate) fn parse(document: Document) -> Result<IgnoreFile, BuildError> {
    IgnoreFile::parse(&document.bytes).map_err(|problems| {
        let problems = problems.into_iter().map(Problem::from).collect();
        BuildError::IgnoreFile { file: document.name, text: document.bytes, problems }
    })
}
