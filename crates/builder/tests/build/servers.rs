//! Plays the part of all servers: files by URL, repositories by theirs. What was asked is noted.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use builder::{Fetch, FetchError, GitCommit, GitRequest, GitTree, HttpHead, HttpRequest, ImageRequest};

/// A file of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServedFile {
    pub(crate) body: Vec<u8>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) content_disposition: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Servers {
    files: Mutex<HashMap<String, ServedFile>>,
    /// Commits of each repository, the newest last: digest, and files in words: `a=text`, `run*=text`, `link->target`.
    commits: Mutex<HashMap<String, Vec<(String, String)>>>,
    asked: Mutex<Vec<String>>,
}

impl Servers {
    pub(crate) fn file(&self, url: &str, body: impl Into<Vec<u8>>) {
        self.serve(url, ServedFile { body: body.into(), ..ServedFile::default() });
    }

    pub(crate) fn serve(&self, url: &str, file: ServedFile) {
        self.files.lock().unwrap().insert(url.to_owned(), file);
    }

    /// Adds a commit; its digest is 40 times `letter`.
    pub(crate) fn commit(&self, remote: &str, letter: char, files: &str) {
        let commit = (letter.to_string().repeat(40), files.to_owned());
        self.commits.lock().unwrap().entry(remote.to_owned()).or_default().push(commit);
    }

    /// What was asked since this was asked last, one a line.
    pub(crate) fn asked(&self) -> String {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked.join("\n")
    }

    fn note(&self, what: String, authorization: Option<&str>) {
        let who = authorization.map_or_else(String::new, |value| format!(" as {value}"));
        self.asked.lock().unwrap().push(what + &who);
    }
}

fn missing(what: &str) -> FetchError {
    FetchError::new(format!("`{what}` is not served"), Some("serve it".to_owned()))
}

impl Fetch for Servers {
    fn image(&self, request: &ImageRequest<'_>) -> Result<bool, FetchError> {
        let _ = request;
        Ok(false)
    }

    fn http(&self, request: &HttpRequest<'_>, body: &mut dyn Write) -> Result<Option<HttpHead>, FetchError> {
        let condition =
            request.etag.or(request.last_modified).map_or_else(String::new, |known| format!(" unless {known}"));
        self.note(format!("GET {}{condition}", request.url), request.authorization);
        let file = self.files.lock().unwrap().get(request.url).cloned().ok_or_else(|| missing(request.url))?;
        let is_known = request.etag.is_some() && request.etag == file.etag.as_deref()
            || request.etag.is_none()
                && request.last_modified.is_some()
                && request.last_modified == file.last_modified.as_deref();
        if is_known {
            return Ok(None);
        }
        body.write_all(&file.body).unwrap();
        let ServedFile { etag, last_modified, content_disposition, .. } = file;
        Ok(Some(HttpHead { etag, last_modified, content_disposition }))
    }

    fn git_commit(
        &self,
        request: &GitRequest<'_>,
        scratch: &dyn Fn() -> Result<PathBuf, FetchError>,
    ) -> Result<GitCommit, FetchError> {
        let source = request.source;
        let wanted = source.reference.as_deref().unwrap_or("HEAD");
        self.note(format!("ls-remote {} {wanted}", source.remote), request.authorization);
        let commits = self.commits.lock().unwrap();
        let commits = commits.get(&source.remote).ok_or_else(|| missing(&source.remote))?;
        if wanted.len() < 40 && wanted.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            assert!(fs::read_dir(scratch()?).unwrap().next().is_none());
            let found = commits.iter().find(|(digest, _)| digest.starts_with(wanted));
            return found
                .map(|(digest, _)| GitCommit { digest: digest.clone(), reference: None })
                .ok_or_else(|| missing(wanted));
        }
        let (digest, _) = commits.last().unwrap();
        Ok(GitCommit { digest: digest.clone(), reference: Some("refs/heads/main".to_owned()) })
    }

    fn git_tree(
        &self,
        request: &GitRequest<'_>,
        commit: &GitCommit,
        keep_git_dir: bool,
        folder: &Path,
    ) -> Result<GitTree, FetchError> {
        let source = request.source;
        self.note(format!("checkout {} {}", source.remote, &commit.digest[..4]), request.authorization);
        let commits = self.commits.lock().unwrap();
        let commits = commits.get(&source.remote).ok_or_else(|| missing(&source.remote))?;
        let (_, files) =
            commits.iter().find(|(digest, _)| *digest == commit.digest).ok_or_else(|| missing("commit"))?;
        let tree = folder.join("tree");
        fs::create_dir(&tree).unwrap();
        for word in files.split_whitespace() {
            let (name, text) = word.split_once("->").or_else(|| word.split_once('=')).unwrap();
            let path = tree.join(name.trim_end_matches('*'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if word.contains("->") {
                symlink(text, &path).unwrap();
                continue;
            }
            fs::write(&path, text).unwrap();
            // As with a umask that git was not meant to have.
            let mode = if name.ends_with('*') { 0o700 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        if source.submodules != Some(false) {
            fs::create_dir_all(tree.join("sub")).unwrap();
            fs::write(tree.join("sub/.git"), "gitdir: /somewhere").unwrap();
            fs::write(tree.join("sub/s"), "s").unwrap();
        }
        if keep_git_dir {
            fs::create_dir(tree.join(".git")).unwrap();
            fs::write(tree.join(".git/HEAD"), &commit.digest).unwrap();
        }
        Ok(GitTree { folder: tree, time: 1_700_000_000 })
    }
}
