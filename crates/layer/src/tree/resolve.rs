//! Follows symbolic links inside a tree, as the kernel does below a root (openat2(2), `RESOLVE_IN_ROOT`).

use crate::entry::{LONGEST_COMPONENT, PathError, Shown};

use super::{Node, Tree, TreeError};

/// Most symbolic links on one way (`MAXSYMLINKS`).
const MOST_LINKS: u32 = 40;

/// Where a path leads when symbolic links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The path without symbolic links, in normal form. Where something is missing, the rest of the path stands behind
    /// it as it was given.
    pub path: Vec<u8>,
    /// What is there; `None` if it or a folder on the way does not exist.
    pub node: Option<Node>,
}

/// The way so far: names with what is there, from below the root.
#[derive(Default)]
struct Way {
    steps: Vec<(Vec<u8>, Node)>,
    /// Names behind something that does not exist.
    missing: Vec<Vec<u8>>,
}

impl Tree {
    /// Where a path leads, with symbolic links followed inside the root as `RESOLVE_IN_ROOT` does: absolute targets
    /// begin at the root, and `..` does not leave it. A `/` at the end follows the last link whatever `follow_last`.
    ///
    /// # Errors
    /// When an index is damaged, or the path passes more than 40 links or something that is no folder.
    pub fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Resolved, TreeError> {
        let shown = || Shown(path).to_string();
        let Some(root) = self.root()? else { return Ok(Resolved { path: lexical(path)?, node: None }) };
        let mut way = Way::default();
        // Components still to go, the next one last.
        let mut ahead = components(path);
        let must_follow = follow_last || path.ends_with(b"/");
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            let here = way.steps.last().map_or(&root, |(_, node)| node);
            match &name[..] {
                b"" | b"." => continue,
                b".." if way.missing.pop().is_some() => continue,
                b".." => {
                    if !here.is_directory() {
                        return Err(TreeError::NotDirectory { path: Shown(&way.path()).to_string() });
                    }
                    way.steps.pop();
                    continue;
                }
                _ => check(path, &name)?,
            }
            if !way.missing.is_empty() {
                way.missing.push(name);
                continue;
            }
            if !here.is_directory() {
                return Err(TreeError::NotDirectory { path: Shown(&way.path()).to_string() });
            }
            match self.child(here, &name)? {
                None => way.missing.push(name),
                Some(node) if node.is_symlink() && (must_follow || !ahead.iter().all(|name| name.is_empty())) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(TreeError::TooManyLinks { path: shown() });
                    }
                    let target = self.read_link(&node)?;
                    if target.starts_with(b"/") {
                        way.steps.clear();
                    }
                    ahead.extend(components(&target));
                }
                Some(node) => way.steps.push((name, node)),
            }
        }
        let path = way.path();
        let node = match way.steps.pop() {
            _ if !way.missing.is_empty() => None,
            Some((_, node)) => Some(node),
            None => Some(root),
        };
        Ok(Resolved { path, node })
    }
}

impl Way {
    fn path(&self) -> Vec<u8> {
        let names = self.steps.iter().map(|(name, _)| &name[..]).chain(self.missing.iter().map(|name| &name[..]));
        names.collect::<Vec<_>>().join(&b'/')
    }
}

/// Components, the first one last.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
}

fn check(path: &[u8], name: &[u8]) -> Result<(), TreeError> {
    let wrong = |source| Err(TreeError::Path { path: Shown(path).to_string(), source });
    if name.len() > LONGEST_COMPONENT {
        return wrong(PathError::Component);
    }
    if name.contains(&0) { wrong(PathError::Zero) } else { Ok(()) }
}

/// What a path means where nothing exists.
fn lexical(path: &[u8]) -> Result<Vec<u8>, TreeError> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => {
                check(path, name)?;
                names.push(name);
            }
        }
    }
    Ok(names.join(&b'/'))
}
