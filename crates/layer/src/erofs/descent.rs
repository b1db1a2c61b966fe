//! The way to a folder of a layer under construction, through the symbolic links that are in it already.
//!
//! Whoever unpacks such a tar writes through the link (Docker and GNU tar do), so the index has the file there too.
//! Links are followed inside the layer only, as below a root; what a link means in the layers below does not count.

use crate::entry::{LONGEST_COMPONENT, LONGEST_PATH, Shown};

use super::inodes::{Id, IndexingError, Inodes, Kind, ROOT};

/// Most symbolic links on one way (`MAXSYMLINKS`).
const MOST_LINKS: u32 = 40;

/// How far a path leads.
pub(super) struct Descent {
    /// Folders on the way, from the root.
    pub(super) folders: Vec<Id>,
    /// What is not there, or is no folder, and the names behind it.
    pub(super) missing: Vec<Vec<u8>>,
}

impl Inodes {
    /// Goes as far as there are folders.
    pub(super) fn descend(&self, path: &[u8]) -> Result<Descent, IndexingError> {
        let mut descent = Descent { folders: vec![ROOT], missing: Vec::new() };
        // Names still to go, the next one last.
        let mut ahead: Vec<&[u8]> = path.rsplit(|byte| *byte == b'/').collect();
        let too_many = || IndexingError::TooManyLinks { path: Shown(path).to_string() };
        let mut links = 0;
        let mut steps = 0;
        while let Some(name) = ahead.pop() {
            steps += 1;
            match name {
                b"" | b"." => continue,
                b".." => {
                    if descent.missing.pop().is_none() && descent.folders.len() > 1 {
                        descent.folders.pop();
                    }
                    continue;
                }
                _ if name.len() > LONGEST_COMPONENT => {
                    return Err(IndexingError::Range { path: Shown(path).to_string(), what: "link target" });
                }
                _ if steps > LONGEST_PATH => return Err(too_many()),
                _ => {}
            }
            let here = descent.folders.last().copied().unwrap_or(ROOT);
            let child = if descent.missing.is_empty() { self.child(here, name) } else { None };
            match child.map(|child| (child, &self.all[child as usize].kind)) {
                Some((child, Kind::Directory(_))) => descent.folders.push(child),
                Some((_, Kind::Symlink(target))) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(too_many());
                    }
                    if target.starts_with(b"/") {
                        descent.folders.truncate(1);
                    }
                    ahead.extend(target.rsplit(|byte| *byte == b'/'));
                }
                _ => descent.missing.push(name.to_vec()),
            }
        }
        Ok(descent)
    }
}
