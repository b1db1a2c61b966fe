//! `--mount` of RUN: options with their values put in, defaults filled in, sources found.

use dockerfile::{Mount, MountKind, MountOption, Span, Word, check_mount, parse_bool};
use serde::{Deserialize, Serialize};

use super::steps::StagePlanner;
use super::{CopyFrom, Problem};
use crate::memory_size::parse_memory_size;
use crate::path::inside;

/// A mount of a RUN step, every value final.
#[derive(Debug)]
pub(crate) struct MountOp {
    /// Absolute, in normal form: `/src`.
    pub(crate) target: String,
    pub(crate) read_only: bool,
    pub(crate) kind: MountOpKind,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum MountOpKind {
    Bind(MountTree),
    Cache(CacheOp),
    Tmpfs {
        /// Bytes; half of memory if absent.
        size: Option<u64>,
    },
    Secret {
        id: String,
        access: Access,
        is_required: bool,
    },
    Agent {
        id: String,
        access: Access,
        is_required: bool,
    },
}

impl MountOp {
    /// The files that it begins with.
    pub(crate) fn tree(&self) -> Option<&MountTree> {
        match &self.kind {
            MountOpKind::Bind(tree) => Some(tree),
            MountOpKind::Cache(cache) => cache.initial.as_ref(),
            _ => None,
        }
    }
}

/// Files of the context, a stage or an image.
#[derive(Debug)]
pub(crate) struct MountTree {
    pub(crate) from: CopyFrom,
    /// Normal form, from the root of what it is taken from.
    pub(crate) source: Vec<u8>,
}

/// A folder that stays between builds.
#[derive(Debug)]
pub(crate) struct CacheOp {
    /// With its namespace; hostile text.
    pub(crate) id: String,
    pub(crate) sharing: Sharing,
    /// What a new one holds.
    pub(crate) initial: Option<MountTree>,
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
}

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sharing {
    /// All who do not mind each other.
    Shared,
    /// Each has one of its own.
    Private,
    /// One after the other.
    Locked,
}

/// Who may read a file that is made for the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A secret in a variable.
#[derive(Debug)]
pub(crate) struct SecretVariable {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) is_required: bool,
    pub(crate) span: Span,
}

/// All that the mounts of one RUN bring.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    /// Parents before what is below them.
    pub(crate) mounts: Vec<MountOp>,
    pub(crate) variables: Vec<SecretVariable>,
    /// `SSH_AUTH_SOCK`, unless the environment has one.
    pub(crate) agent_socket: Option<String>,
}

impl StagePlanner<'_, '_> {
    /// Understands all mounts of an instruction; mistakes are noted.
    pub(super) fn mounts(&mut self, mounts: &[Mount]) -> Mounts {
        let mut found = Mounts::default();
        for mount in mounts {
            if let Some(options) = self.options(mount) {
                self.mount(&options, &mut found);
            }
        }
        found.mounts.sort_by(|one, other| one.target.cmp(&other.target));
        for pair in found.mounts.windows(2) {
            if pair[0].target == pair[1].target {
                let problem =
                    Problem::error(pair[1].span, format!("two mounts of this RUN are on `{}`", pair[1].target));
                self.problem(problem.with_help("give one of them another target"));
            }
        }
        found
    }

    /// The options with values put in (D060), checked once more.
    fn options(&mut self, mount: &Mount) -> Option<Options> {
        let span = mount.text.span;
        let mut options = Vec::new();
        for MountOption { key, value } in &mount.options {
            let value = match value {
                Some(value) => Some(self.expand(&Word::new(value.as_str(), span))?),
                None => None,
            };
            options.push(MountOption { key: key.clone(), value });
        }
        match check_mount(&options) {
            Ok(kind) => Some(Options { kind, options, span }),
            Err(wrong) => {
                self.problem(Problem::error(span, wrong.message).with_help(wrong.help));
                None
            }
        }
    }

    fn mount(&mut self, options: &Options, found: &mut Mounts) {
        let read_only = options.read_only();
        let span = self.place(options.span);
        let (target, kind) = match options.kind {
            MountKind::Bind => {
                let (Some(target), Some(tree)) = (self.target(options), self.tree(options)) else { return };
                (target, MountOpKind::Bind(tree))
            }
            MountKind::Cache => {
                let (Some(target), Some(cache)) = (self.target(options), self.cache(options)) else { return };
                (target, MountOpKind::Cache(cache))
            }
            MountKind::Tmpfs => {
                let (Some(target), Some(size)) = (self.target(options), self.size(options)) else { return };
                (target, MountOpKind::Tmpfs { size })
            }
            MountKind::Secret => {
                let Some((target, id)) = self.secret(options, found) else { return };
                (target, MountOpKind::Secret { id, access: options.access(0o400), is_required: options.is_required() })
            }
            MountKind::Ssh => {
                let Some((target, id)) = self.agent(options, found) else { return };
                (target, MountOpKind::Agent { id, access: options.access(0o600), is_required: options.is_required() })
            }
        };
        found.mounts.push(MountOp { target, read_only, kind, span });
    }

    /// Relative targets are below the working directory (D107).
    fn target(&mut self, options: &Options) -> Option<String> {
        self.checked_target(options.get("target").unwrap_or_default(), options.span)
    }

    fn checked_target(&mut self, path: &str, span: Span) -> Option<String> {
        let place = format!("/{}", String::from_utf8_lossy(&inside(self.working_dir(), path)));
        let message = match place.as_str() {
            "/" => "a mount cannot take the place of the whole root".to_owned(),
            "/proc" | "/sys" | "/dev" => format!("a mount cannot take the place of `{place}`"),
            _ if place.starts_with("/proc/") => "a mount cannot be below `/proc`".to_owned(),
            _ if place.contains('\0') => "the mount's target has a NUL byte in it".to_owned(),
            _ => return Some(place),
        };
        self.problem(Problem::error(span, message).with_help("choose another place, as in `target=/src`"));
        None
    }

    /// `from` and `source`.
    fn tree(&mut self, options: &Options) -> Option<MountTree> {
        let from = match options.get("from") {
            None => CopyFrom::Context,
            Some(from) => self.copy_from(&Word::new(from, options.span))?,
        };
        Some(MountTree { from, source: inside("/", options.get("source").unwrap_or_default()) })
    }

    fn cache(&mut self, options: &Options) -> Option<CacheOp> {
        let initial = match options.get("from") {
            None => None,
            Some(_) => Some(self.tree(options)?),
        };
        let target = options.get("target").unwrap_or_default();
        // Without an ID it is the target as it was written, and not where that is.
        let id = options.get("id").filter(|id| !id.is_empty()).map_or_else(|| clean(target), str::to_owned);
        let namespace = self.arguments.given.get("BUILDKIT_CACHE_MOUNT_NS").map_or("", String::as_str);
        let sharing = match options.get("sharing").unwrap_or_default().to_ascii_lowercase().as_str() {
            "private" => Sharing::Private,
            "locked" => Sharing::Locked,
            _ => Sharing::Shared,
        };
        Some(CacheOp {
            id: format!("{namespace}/{id}"),
            sharing,
            initial,
            mode: options.octal("mode"),
            uid: options.number("uid"),
            gid: options.number("gid"),
        })
    }

    #[expect(clippy::option_option, reason = "no size is no mistake")]
    fn size(&mut self, options: &Options) -> Option<Option<u64>> {
        let Some(text) = options.get("size") else { return Some(None) };
        let Some(size) = parse_memory_size(text) else {
            let problem = Problem::error(options.span, format!("`{text}` is not a size"));
            self.problem(problem.with_help("write for example `size=64m`"));
            return None;
        };
        // No limit, as the kernel has it.
        Some(Some(size).filter(|size| *size > 0))
    }

    /// A secret in a variable, a file, or both; without `env` always a file.
    fn secret(&mut self, options: &Options, found: &mut Mounts) -> Option<(String, String)> {
        let target = options.get("target").filter(|target| !target.is_empty());
        let base = |path: &str| path.rsplit('/').find(|name| !name.is_empty()).unwrap_or_default().to_owned();
        let named = options.get("id").or_else(|| options.get("source")).filter(|id| !id.is_empty());
        let id = named.map_or_else(|| base(target.unwrap_or_default()), str::to_owned);
        let span = options.span;
        if id.is_empty() {
            self.problem(Problem::error(span, "the secret mount names no secret").with_help("add `id=name`"));
            return None;
        }
        let variable = options.get("env");
        if let Some(name) = variable {
            let (name, id, is_required) = (name.to_owned(), id.clone(), options.is_required());
            found.variables.push(SecretVariable { name, id, is_required, span: self.place(span) });
        }
        let target = match (target, variable) {
            (None, Some(_)) => return None,
            (None, None) => format!("/run/secrets/{}", base(&id)),
            (Some(target), _) => target.to_owned(),
        };
        Some((self.checked_target(&target, span)?, id))
    }

    fn agent(&mut self, options: &Options, found: &mut Mounts) -> Option<(String, String)> {
        let id = options.get("id").filter(|id| !id.is_empty()).unwrap_or("default").to_owned();
        let span = options.span;
        let number = found.mounts.iter().filter(|mount| matches!(mount.kind, MountOpKind::Agent { .. })).count();
        let target = match options.get("target").filter(|target| !target.is_empty()) {
            Some(target) => target.to_owned(),
            None => format!("/run/buildkit/ssh_agent.{number}"),
        };
        let target = self.checked_target(&target, span)?;
        if number == 0 && self.planner.run.is_some_and(|run| run.agents.contains_key(&id)) {
            found.agent_socket = Some(target.clone());
        }
        Some((target, id))
    }
}

/// The checked options of one mount.
struct Options {
    kind: MountKind,
    options: Vec<MountOption>,
    span: Span,
}

impl Options {
    fn option(&self, key: &str) -> Option<&MountOption> {
        self.options.iter().find(|option| option.key == key)
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.option(key)?.value.as_deref()
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.option(key).map(|option| option.value.as_deref().is_none_or(|value| parse_bool(value).unwrap_or(true)))
    }

    fn is_required(&self) -> bool {
        self.flag("required").unwrap_or(false)
    }

    /// Caches and memory are there to be written to, all else is not.
    fn read_only(&self) -> bool {
        let usual = !matches!(self.kind, MountKind::Cache | MountKind::Tmpfs);
        self.flag("readonly").or_else(|| self.flag("readwrite").map(|writable| !writable)).unwrap_or(usual)
    }

    fn octal(&self, key: &str) -> Option<u32> {
        u32::from_str_radix(self.get(key)?, 8).ok()
    }

    fn number(&self, key: &str) -> Option<u32> {
        self.get(key)?.parse().ok()
    }

    fn access(&self, mode: u32) -> Access {
        Access {
            mode: self.octal("mode").unwrap_or(mode),
            uid: self.number("uid").unwrap_or(0),
            gid: self.number("gid").unwrap_or(0),
        }
    }
}

/// A path without `.`, `..` and double slashes, relative if it was: the ID of a cache that has none of its own.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let is_absolute = path.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    format!("{}{}", if is_absolute { "/" } else { "" }, parts.join("/"))
}
