//! Which files below a source COPY and ADD take: `--parents` names them by a pattern, `--exclude` leaves some out.
//!
//! Both match as an ignore file does (`**`, `!`; a folder that matches takes all below it along), with paths that begin
//! at the source. A file that is a source by itself is matched by its name.

use dockerfile::{Folder, IgnoreFile, Verdict};

use crate::copy::CopyError;

/// What is taken; everything, if nothing was said.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// With `--parents`: what is wanted.
    wanted: Option<IgnoreFile>,
    /// `--exclude`
    left_out: IgnoreFile,
}

/// What is known of a folder when its content is looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matched {
    wanted: Folder,
    left_out: Folder,
}

/// What becomes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Taken,
    /// A folder that counts only for what may be taken below it.
    Way,
    Left,
}

impl Filter {
    /// `wanted` is a pattern; of the excluded patterns nobody doubts that they are some.
    pub(crate) fn new(wanted: Option<&str>, excludes: &[String]) -> Result<Self, CopyError> {
        let wrong = |pattern: &str| CopyError::Pattern { pattern: pattern.to_owned() };
        let wanted = match wanted {
            // A name may begin so; an exception from nothing makes no sense.
            Some(pattern) if pattern.starts_with('!') => Some(format!("[!]{}", &pattern[1..])),
            pattern => pattern.map(str::to_owned),
        };
        let wanted = match &wanted {
            Some(pattern) => Some(IgnoreFile::from_patterns([pattern.as_str()]).map_err(|_| wrong(pattern))?),
            None => None,
        };
        let left_out = IgnoreFile::from_patterns(excludes.iter().map(String::as_str))
            .map_err(|error| CopyError::Pattern { pattern: error.pattern })?;
        Ok(Self { wanted, left_out })
    }

    /// Whether nothing is left out.
    pub(crate) fn takes_all(&self) -> bool {
        self.wanted.is_none() && self.left_out.is_empty()
    }

    /// Where a walk begins.
    pub(crate) fn root(&self) -> Matched {
        Matched {
            wanted: self.wanted.as_ref().map_or_else(Folder::default, IgnoreFile::root),
            left_out: self.left_out.root(),
        }
    }

    /// Looks at what is in a folder; `path` begins at the source.
    pub(crate) fn choose(&self, folder: &Matched, path: &[u8], is_folder: bool) -> Choice {
        let may_stay = match self.left_out.check(&folder.left_out, path, is_folder) {
            Verdict::Included => Choice::Taken,
            Verdict::Ignored if is_folder => Choice::Way,
            Verdict::Ignored | Verdict::Skipped => return Choice::Left,
        };
        let Some(wanted) = &self.wanted else { return may_stay };
        match wanted.check(&folder.wanted, path, is_folder) {
            Verdict::Ignored | Verdict::Skipped => may_stay,
            Verdict::Included if is_folder && wanted.may_match_below(path) => Choice::Way,
            Verdict::Included => Choice::Left,
        }
    }

    /// Goes down into a folder.
    pub(crate) fn enter(&self, folder: &Matched, path: &[u8]) -> Matched {
        Matched {
            wanted: self.wanted.as_ref().map_or_else(Folder::default, |wanted| wanted.enter(&folder.wanted, path)),
            left_out: self.left_out.enter(&folder.left_out, path),
        }
    }

    /// Whether a file that is a source by itself stays, by its name.
    pub(crate) fn takes_file(&self, name: &[u8]) -> bool {
        self.choose(&self.root(), name, false) == Choice::Taken
    }
}

#[cfg(test)]
mod tests;
