//! What a source word of COPY or ADD asks for: a path, or a pattern; with `--parents` also the folders on its way.

use std::sync::Arc;

use crate::copy::CopyError;
use crate::filter::Filter;
use crate::path::{inside, join, lossy};
use crate::pattern::{self, Name};
use crate::plan::CopyOp;
use crate::source::Selection;

/// Where sources are looked for: the context, a stage, an image.
pub(crate) trait Origin {
    /// Lists a folder; nothing where there is none.
    fn names_in(&self, folder: &[u8]) -> Result<Vec<Name>, CopyError>;

    /// The files of a path in normal form, with their digests. Links on the way and at its end are followed.
    fn select(&mut self, path: Vec<u8>, filter: &Filter) -> Result<Arc<Selection>, CopyError>;

    /// Where a path leads, links followed; an error where there is nothing.
    fn leads_to(&self, path: &[u8]) -> Result<Vec<u8>, CopyError>;
}

/// What was found for a word.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Without sources of which `--exclude` left nothing.
    pub(crate) selections: Vec<Arc<Selection>>,
    /// Nothing matches the word, whatever `--exclude` says.
    pub(crate) is_nothing: bool,
}

/// Finds all that a source word of `op` stands for. Sources are taken from the root, however they are written (D073).
pub(crate) fn choose(op: &CopyOp, word: &str, origin: &mut dyn Origin) -> Result<Chosen, CopyError> {
    if op.parents { with_parents(op, word, origin) } else { without_parents(op, word, origin) }
}

fn without_parents(op: &CopyOp, word: &str, origin: &mut dyn Origin) -> Result<Chosen, CopyError> {
    let filter = Filter::new(None, &op.excludes)?;
    let found = roots(word, &filter, origin)?;
    let is_nothing = found.is_empty();
    Ok(Chosen { selections: found.into_iter().filter(|selection| !selection.entries.is_empty()).collect(), is_nothing })
}

/// `a/./b/*.c` takes `b` and below from `a` (D083).
fn with_parents(op: &CopyOp, word: &str, origin: &mut dyn Origin) -> Result<Chosen, CopyError> {
    let (root, rest) = word.split_once("/./").unwrap_or(("", word));
    let rest = lossy(&inside("/", rest));
    let filter = Filter::new(Some(rest.as_str()).filter(|rest| !rest.is_empty()), &op.excludes)?;
    let found = roots(root, &filter, origin)?;
    let has_wildcard = pattern::has_wildcard(root) || pattern::has_wildcard(&rest);
    let holds_any = |selection: &Arc<Selection>| selection.is_folder() && selection.entries.len() > 1;
    let selections: Vec<Arc<Selection>> = found.into_iter().filter(holds_any).collect();
    let is_nothing = selections.is_empty() && op.excludes.is_empty() && !rest.is_empty();
    if selections.is_empty() && !has_wildcard && !rest.is_empty() {
        let path = join(&inside("/", root), rest.as_bytes());
        let leads_to = origin.leads_to(&path)?;
        if leads_to != path && op.excludes.is_empty() {
            return Err(CopyError::LinkOnWay { path: lossy(&path), leads_to: lossy(&leads_to) });
        }
    }
    Ok(Chosen { selections, is_nothing })
}

/// The sources that a path or pattern stands for. What a pattern promises need not be there.
fn roots(word: &str, filter: &Filter, origin: &mut dyn Origin) -> Result<Vec<Arc<Selection>>, CopyError> {
    if !pattern::has_wildcard(word) {
        return Ok(vec![origin.select(inside("/", word), filter)?]);
    }
    let paths = pattern::expand(word, &|folder| origin.names_in(folder))?;
    let selected = paths.into_iter().map(|path| origin.select(path, filter));
    selected.filter(|selected| !selected.as_ref().is_err_and(CopyError::is_not_found)).collect()
}
