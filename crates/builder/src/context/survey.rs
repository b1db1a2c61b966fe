//! What a command would see of a folder of the context if the folder itself were mounted: what has to be hidden from it,
//! and whether anything would look different from what a copy holds.

use std::sync::Arc;

use dockerfile::Verdict;
use rustix::fs::{AtFlags, FileType, OFlags, Stat};
use rustix::io::Errno;

use super::walk::{kind_of, list};
use super::{Context, ContextError, read_error};
use crate::filter::Filter;
use crate::path::join;
use crate::source::{Content, Selection, SourceEntry};

/// A folder of the context, looked at once more.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Sorted paths below the folder that are not part of the context: of a hidden folder only its own.
    pub(crate) hidden: Vec<Vec<u8>>,
    /// All that is not hidden belongs to root, is on one file system, and is a file, a folder or a link: mounted as it
    /// is, it looks like a copy. Pipes and devices would lead to the host, and owners would tell machines apart.
    pub(crate) is_faithful: bool,
}

struct Surveyor<'c> {
    context: &'c Context,
    /// How much of a path is that of the folder itself.
    prefix: usize,
    device: u64,
    survey: Survey,
}

impl Context {
    /// Looks at a folder, links in whose path were resolved.
    pub(crate) fn survey(&self, root: &[u8]) -> Result<Survey, ContextError> {
        let opened = self.open_below(root, OFlags::DIRECTORY)?;
        let stat = rustix::fs::fstat(&opened).map_err(|errno| read_error(root, errno.into()))?;
        let mut surveyor = Surveyor {
            context: self,
            prefix: if root.is_empty() { 0 } else { root.len() + 1 },
            device: stat.st_dev,
            survey: Survey { hidden: Vec::new(), is_faithful: true },
        };
        surveyor.look_at(&stat);
        let matched = super::matched(&self.ignore, root);
        surveyor.folder(root, &matched)?;
        let mut survey = surveyor.survey;
        survey.hidden.sort_unstable();
        Ok(survey)
    }

    /// Whether all files of a selection are as they were when they were hashed.
    pub(crate) fn is_unchanged(self: &Arc<Self>, selection: &Selection) -> bool {
        let Ok(now) = self.select(&selection.root, &Filter::default()) else { return false };
        let is_same = |(now, then): (&SourceEntry, &SourceEntry)| {
            let content = match (&now.content, &then.content) {
                (Content::Context(now), Content::Context(then)) => now == then,
                (Content::None, Content::None) => true,
                _ => false,
            };
            content && now.path == then.path && now.kind == then.kind && now.metadata.mode == then.metadata.mode
        };
        now.entries.len() == selection.entries.len() && now.entries.iter().zip(&selection.entries).all(is_same)
    }
}

impl Surveyor<'_> {
    fn look_at(&mut self, stat: &Stat) {
        let is_plain = matches!(kind_of(stat), FileType::RegularFile | FileType::Directory | FileType::Symlink);
        self.survey.is_faithful &= is_plain && stat.st_uid == 0 && stat.st_gid == 0 && stat.st_dev == self.device;
    }

    /// Looks at what is in a folder; whether any of it belongs to the context.
    fn folder(&mut self, path: &[u8], matched: &dockerfile::Folder) -> Result<bool, ContextError> {
        let failed = |errno: Errno| read_error(path, errno.into());
        let folder = self.context.open_below(path, OFlags::DIRECTORY)?;
        let mut any = false;
        for (name, kind) in list(&folder).map_err(failed)? {
            if !self.survey.is_faithful {
                break;
            }
            let inner = join(path, &name);
            let is_folder = kind == FileType::Directory;
            let verdict = self.context.ignore.check(matched, &inner, is_folder);
            let mut is_hidden =
                kind == FileType::Socket || verdict == Verdict::Skipped || verdict == Verdict::Ignored && !is_folder;
            if !is_hidden {
                let stat = match rustix::fs::statat(&folder, &*name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => stat,
                    // As if it had never been there.
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(failed(errno)),
                };
                self.look_at(&stat);
                if kind_of(&stat) == FileType::Directory {
                    let known = self.survey.hidden.len();
                    let matched = self.context.ignore.enter(matched, &inner);
                    if !self.folder(&inner, &matched)? && verdict == Verdict::Ignored {
                        self.survey.hidden.truncate(known);
                        is_hidden = true;
                    }
                }
            }
            if is_hidden {
                self.survey.hidden.push(inner[self.prefix..].to_vec());
            } else {
                any = true;
            }
        }
        Ok(any)
    }
}
