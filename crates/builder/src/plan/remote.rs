//! Sources of ADD that servers have, and the flags that are about them (D085 to D091).

use dockerfile::Word;
use oci::Digest;

use super::steps::StagePlanner;
use super::{CopySource, Problem, RemoteOp};
use crate::remote::{self, Remote, RemoteError};

/// Flags of ADD.
pub(super) struct RemoteFlags<'i> {
    pub(super) checksum: Option<&'i Word>,
    pub(super) keep_git_dir: Option<bool>,
    /// Archives of servers are unpacked, too.
    pub(super) unpack: bool,
}

impl StagePlanner<'_, '_> {
    /// Tells what is fetched from what is of the context. `words` are the typed ones with values put in.
    pub(super) fn sources(
        &mut self,
        typed: &[Word],
        words: Vec<String>,
        flags: Option<&RemoteFlags<'_>>,
        names_file: bool,
    ) -> Option<Vec<CopySource>> {
        let count = words.len();
        let checksum = match flags.and_then(|flags| flags.checksum) {
            Some(word) => Some((word, self.expand(word)?)),
            None => None,
        };
        if let Some((word, _)) = checksum.as_ref().filter(|_| count > 1) {
            let problem = Problem::error(word.span, "`--checksum` is for one source, and there are several");
            self.problem(problem.with_help("write an ADD for each of them"));
            return None;
        }
        let mut sources = Vec::with_capacity(count);
        for (typed, word) in typed.iter().zip(words) {
            let span = self.place(typed.span);
            if !Remote::is_meant(&word) {
                if let Some((word, _)) = &checksum {
                    let problem =
                        Problem::error(word.span, "`--checksum` is for what a server has, not for the context");
                    self.problem(
                        problem.with_help("leave it out: files of the context are told apart by their content"),
                    );
                    return None;
                }
                sources.push(CopySource { word, span, remote: None });
                continue;
            }
            let Some(flags) = flags else {
                let problem = Problem::error(typed.span, "COPY takes files of the context, not of a server");
                self.problem(problem.with_help("use ADD"));
                return None;
            };
            let checksum = checksum.as_ref().map(|(word, text)| (*word, text.as_str()));
            let op = self.remote(typed, &word, flags, checksum, names_file)?;
            sources.push(CopySource { word: op.remote.shown(), span, remote: Some(op) });
        }
        Some(sources)
    }

    fn remote(
        &mut self,
        typed: &Word,
        word: &str,
        flags: &RemoteFlags<'_>,
        checksum: Option<(&Word, &str)>,
        names_file: bool,
    ) -> Option<RemoteOp> {
        let mut remote = match Remote::parse(word) {
            Ok(remote) => remote,
            Err(error) => {
                self.remote_problem(typed, error);
                return None;
            }
        };
        let mut digest = None;
        let mut keep_git_dir = false;
        match (&mut remote, checksum) {
            (Remote::Http(_), Some((word, text))) => digest = Some(self.digest(word, text)?),
            (Remote::Http(_), None) => {}
            (Remote::Git(source), checksum) => {
                if let Some((word, text)) = checksum {
                    let commit = remote::checked_commit(text).map_err(|error| self.remote_problem(word, error)).ok()?;
                    let agreed = source.checksum.as_ref().is_none_or(|other| *other == commit);
                    if !agreed {
                        let message = "`--checksum` and the source name two commits";
                        let problem = Problem::error(word.span, message);
                        self.problem(problem.with_help("name the commit once, by the flag or behind `?`"));
                        return None;
                    }
                    source.checksum = Some(commit);
                }
                if let (Some(flag), Some(query)) = (flags.keep_git_dir, source.keep_git_dir)
                    && flag != query
                {
                    let message = "`--keep-git-dir` and the source contradict each other";
                    self.problem(
                        Problem::error(typed.span, message).with_help("say it once, by the flag or behind `?`"),
                    );
                    return None;
                }
                keep_git_dir = flags.keep_git_dir.or(source.keep_git_dir).unwrap_or(false);
            }
        }
        Some(RemoteOp { remote, checksum: digest, keep_git_dir, names_file, unpack: flags.unpack })
    }

    fn digest(&mut self, word: &Word, text: &str) -> Option<Digest> {
        match text.parse::<Digest>() {
            Ok(digest) => Some(digest),
            Err(_) => {
                let problem = Problem::error(word.span, format!("`{text}` is not the digest of a file"));
                self.problem(
                    problem.with_help("write `--checksum=sha256:` and the 64 digits that `sha256sum FILE` gives"),
                );
                None
            }
        }
    }

    fn remote_problem(&mut self, word: &Word, error: RemoteError) {
        self.problem(Problem::error(word.span, error.message).with_help(error.hint));
    }
}
