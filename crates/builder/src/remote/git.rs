//! URLs of git repositories, with what is wanted of them behind `#` or `?` (buildx reference, "Git repositories").

use super::RemoteError;
use super::url::{Credentials, Pieces, decode, host_of, is_authority, redacted, scheme};

/// The short form of a context on GitHub.
pub(super) const GITHUB: &str = "github.com/";

/// A git repository, and which of its files are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GitSource {
    /// What git is told, without credentials and without what stands behind `?` and `#`.
    pub remote: String,
    /// The host, as credentials are named after it.
    pub host: String,
    /// Branch, tag, `refs/…` or commit; the default branch otherwise.
    pub reference: Option<String>,
    /// The commit must begin with this.
    pub checksum: Option<String>,
    /// Only what is in this folder, without slashes at the ends.
    pub subdir: Option<String>,
    /// Whether `.git` is wanted too, if that was said.
    pub keep_git_dir: Option<bool>,
    /// Whether submodules are wanted: they are, if nothing was said.
    pub submodules: Option<bool>,
    /// Which times files get.
    pub mtime: Option<Mtime>,
    /// Ask the server for the commit itself, whatever refs it has.
    pub fetch_by_commit: bool,
    pub(super) shown: String,
    credentials: Option<Credentials>,
}

/// Times of files of a git repository, which keeps none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mtime {
    /// When they were checked out.
    Checkout,
    /// When they were committed.
    Commit,
}

/// `user@host:path`, and no URL or path.
pub(super) fn is_scp_style(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    let is_user = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let Some((host, _)) = rest.split_once(':') else { return false };
    !user.is_empty() && user.bytes().all(is_user) && !user.starts_with('-') && !host.contains('/') && is_authority(host)
}

/// An `http` URL is one of a repository if its path ends in `.git`.
pub(super) fn ends_as_repository(text: &str) -> bool {
    text.split(['?', '#']).next().unwrap_or(text).ends_with(".git")
}

impl GitSource {
    /// Reads the URL of a repository.
    ///
    /// # Errors
    /// When it contradicts itself, or names what git must not be told.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        let wrong = || {
            RemoteError::new(
                format!("`{}` is not a valid URL of a git repository", redacted(text)),
                "write it as `https://HOST/REPOSITORY.git`, with `#REF:FOLDER` behind it where needed",
            )
        };
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(wrong());
        }
        let (remote, host, credentials, query, fragment) = match scheme(text) {
            Some("http" | "https" | "git" | "ssh") => {
                let pieces = Pieces::of(text).ok_or_else(wrong)?;
                if !is_authority(pieces.authority) || pieces.path.len() < 2 {
                    return Err(wrong());
                }
                // The user of ssh is no secret, but the account to log in to.
                let is_account = pieces.scheme == "ssh" || pieces.scheme == "git";
                let account = pieces.credentials.filter(|_| is_account);
                if account.is_some_and(|account| account.starts_with('-') || account.contains(':')) {
                    return Err(wrong());
                }
                let account = account.map_or_else(String::new, |account| format!("{account}@"));
                let remote = format!("{}://{account}{}{}", pieces.scheme, pieces.authority, pieces.path);
                let credentials = pieces.credentials.filter(|_| !is_account).map(|text| Credentials(decode(text)));
                (remote, host_of(pieces.authority).to_owned(), credentials, pieces.query, pieces.fragment)
            }
            None if is_scp_style(text) => {
                let (rest, fragment) = text.split_once('#').map_or((text, None), |(rest, tail)| (rest, Some(tail)));
                let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, tail)| (rest, Some(tail)));
                let host = rest.split(['@', ':']).nth(1).unwrap_or_default().to_owned();
                if rest.ends_with(':') {
                    return Err(wrong());
                }
                (rest.to_owned(), host, None, query, fragment)
            }
            _ => return Err(wrong()),
        };
        let mut source = Self {
            remote,
            host,
            reference: None,
            checksum: None,
            subdir: None,
            keep_git_dir: None,
            submodules: None,
            mtime: None,
            fetch_by_commit: false,
            shown: redacted(text),
            credentials,
        };
        source.fragment(fragment.unwrap_or_default());
        source.query(query.unwrap_or_default())?;
        source.check()?;
        Ok(source)
    }

    /// As it was written, without a password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// `user:password` of the URL, decoded.
    pub(crate) fn credentials(&self) -> Option<&str> {
        self.credentials.as_ref().map(|Credentials(text)| text.as_str())
    }

    /// `#REF:FOLDER`
    fn fragment(&mut self, fragment: &str) {
        let fragment = decode(fragment);
        let (reference, subdir) = fragment.split_once(':').unwrap_or((&fragment, ""));
        self.reference = Some(reference.to_owned()).filter(|text| !text.is_empty());
        self.subdir = Some(subdir.to_owned()).filter(|text| !text.is_empty());
    }

    fn query(&mut self, query: &str) -> Result<(), RemoteError> {
        let mut seen: Vec<String> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(key), decode(value));
            let name = if key == "commit" { "checksum".to_owned() } else { key.clone() };
            if seen.contains(&name) {
                let hint = format!("write `{key}=` once");
                return Err(RemoteError::new(format!("`{key}` is given more than once in `{}`", self.shown), hint));
            }
            seen.push(name);
            self.set(&key, value)?;
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: String) -> Result<(), RemoteError> {
        let is_switch = matches!(key, "submodules" | "keep-git-dir" | "fetch-by-commit");
        if value.is_empty() && !is_switch && KEYS.contains(&key) {
            let hint = format!("write `{key}=VALUE`, or leave it out");
            return Err(RemoteError::new(format!("`{key}` has no value in `{}`", self.shown), hint));
        }
        match key {
            "ref" => self.set_reference(value)?,
            "tag" => self.set_reference(full_name("refs/tags/", &value))?,
            "branch" => self.set_reference(full_name("refs/heads/", &value))?,
            "subdir" => {
                self.subdir = Some(agreed("folder", self.subdir.take(), value, &self.shown)?);
            }
            "checksum" | "commit" => self.checksum = Some(value),
            "keep-git-dir" => self.keep_git_dir = Some(self.switch(key, &value)?),
            "submodules" => self.submodules = Some(self.switch(key, &value)?),
            "fetch-by-commit" => self.fetch_by_commit = self.switch(key, &value)?,
            "mtime" => {
                self.mtime = Some(match value.as_str() {
                    "checkout" => Mtime::Checkout,
                    "commit" => Mtime::Commit,
                    _ => {
                        let message = format!("`{value}` is not a value of `mtime` in `{}`", self.shown);
                        return Err(RemoteError::new(message, "use `mtime=checkout` or `mtime=commit`"));
                    }
                });
            }
            _ => {
                let hint = match dockerfile::nearest(key, KEYS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("use one of {}", KEYS.map(|key| format!("`{key}`")).join(", ")),
                };
                return Err(RemoteError::new(format!("`{key}` in `{}` is not known", self.shown), hint));
            }
        }
        Ok(())
    }

    fn set_reference(&mut self, value: String) -> Result<(), RemoteError> {
        self.reference = Some(agreed("ref", self.reference.take(), value, &self.shown)?);
        Ok(())
    }

    /// `true`, `1`, nothing at all; as Go's `strconv.ParseBool` reads it.
    fn switch(&self, key: &str, value: &str) -> Result<bool, RemoteError> {
        match value {
            "" | "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => {
                let message = format!("`{value}` is not a value of `{key}` in `{}`", self.shown);
                Err(RemoteError::new(message, format!("use `{key}=true` or `{key}=false`")))
            }
        }
    }

    fn check(&mut self) -> Result<(), RemoteError> {
        if let Some(reference) = &self.reference
            && !is_reference(reference)
        {
            let message = format!("`{reference}` is not a name of a branch, tag or commit");
            return Err(RemoteError::new(message, "see `git help check-ref-format` for what such names may hold"));
        }
        if let Some(checksum) = &mut self.checksum {
            *checksum = checked_commit(checksum)?;
        }
        if self.reference.is_none() {
            self.reference.clone_from(&self.checksum);
        }
        if let Some(subdir) = self.subdir.take() {
            self.subdir = checked_folder(&subdir)?;
        }
        Ok(())
    }
}

/// What may stand behind `?`.
const KEYS: [&str; 10] =
    ["ref", "tag", "branch", "subdir", "commit", "checksum", "submodules", "keep-git-dir", "mtime", "fetch-by-commit"];

fn full_name(prefix: &str, name: &str) -> String {
    if name.starts_with(prefix) { name.to_owned() } else { format!("{prefix}{name}") }
}

/// Said twice, it must be the same.
fn agreed(what: &str, before: Option<String>, value: String, shown: &str) -> Result<String, RemoteError> {
    match before {
        Some(before) if before != value => Err(RemoteError::new(
            format!("`{shown}` names two values for the {what}: `{before}` and `{value}`"),
            format!("name the {what} once, behind `#` or behind `?`"),
        )),
        _ => Ok(value),
    }
}

/// A commit's digest or the beginning of one.
pub(crate) fn checked_commit(text: &str) -> Result<String, RemoteError> {
    let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_hex || !(4..=64).contains(&text.len()) {
        let message = format!("`{text}` is not the digest of a commit");
        return Err(RemoteError::new(message, "write its 40 hexadecimal digits, or the first of them: see `git log`"));
    }
    Ok(text.to_ascii_lowercase())
}

/// The rules of git-check-ref-format(1), and nothing that could be taken for an option.
fn is_reference(name: &str) -> bool {
    let is_bad = |letter: char| letter.is_ascii_control() || " ~^:?*[\\\u{7f}".contains(letter);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !name.starts_with('-')
        && name != "@"
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(is_bad)
        && name.split('/').all(is_part)
}

/// A folder within the repository; the root is none.
fn checked_folder(text: &str) -> Result<Option<String>, RemoteError> {
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let is_outside = parts.contains(&"..") || text.contains('\0');
    // Of `.git` nobody but git knows what is in it.
    let is_git = parts.first().is_some_and(|part| part.eq_ignore_ascii_case(".git"));
    if is_outside || is_git {
        let message = format!("`{text}` is not a folder of the repository");
        return Err(RemoteError::new(message, "write its path from the root of the repository, as in `#main:docker`"));
    }
    Ok((!parts.is_empty()).then(|| parts.join("/")))
}
