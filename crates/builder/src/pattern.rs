//! Wildcards in the sources of COPY and ADD: Go's `filepath.Match`, one component at a time (D071).

use crate::copy::CopyError;
use crate::path::{inside, join};

/// A name in a folder, and whether it is a folder itself.
pub(crate) type Name = (Vec<u8>, bool);

/// Lists a folder.
pub(crate) type NamesIn<'f> = &'f dyn Fn(&[u8]) -> Result<Vec<Name>, CopyError>;

/// Whether a source word needs matching.
pub(crate) fn has_wildcard(word: &str) -> bool {
    word.contains(['*', '?', '[', '\\'])
}

/// Source paths that a pattern may stand for, sorted; `names_in` lists a folder. Behind a wildcard the rest of the
/// path need not exist.
pub(crate) fn expand(pattern: &str, names_in: NamesIn<'_>) -> Result<Vec<Vec<u8>>, CopyError> {
    let mut paths = vec![Vec::new()];
    let normal = String::from_utf8(inside("/", pattern)).unwrap_or_default();
    let mut components = normal.split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(component) = components.next() {
        let is_last = components.peek().is_none();
        let matcher =
            dockerfile::Pattern::new(component).map_err(|_| CopyError::Pattern { pattern: pattern.to_owned() })?;
        let mut next = Vec::new();
        for folder in &paths {
            if !has_wildcard(component) {
                next.push(join(folder, component.as_bytes()));
                continue;
            }
            for (name, is_folder) in names_in(folder)? {
                if (is_last || is_folder) && matcher.matches(&name) {
                    next.push(join(folder, &name));
                }
            }
        }
        paths = next;
    }
    Ok(paths)
}

#[cfg(test)]
mod tests;
