//! What git could not do, told apart by what it says.

use super::Repository;

/// Why a tree was not got.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no program of that name.
    #[error("git is not installed")]
    Missing,
    /// It cannot be started.
    #[error("cannot run git")]
    Start {
        /// Why not.
        source: std::io::Error,
    },
    /// The repository has no such ref.
    #[error("`{remote}` has no branch, tag or commit `{reference}`")]
    NoReference {
        /// The repository.
        remote: String,
        /// What was looked for.
        reference: String,
    },
    /// The repository has nothing in it.
    #[error("`{remote}` has no default branch")]
    NoDefault {
        /// The repository.
        remote: String,
    },
    /// It wants to know who asks.
    #[error("`{remote}` cannot be read without credentials")]
    Unauthorized {
        /// The repository.
        remote: String,
        /// What git said.
        said: String,
    },
    /// There is no such repository.
    #[error("repository `{remote}` was not found")]
    NotFound {
        /// The repository.
        remote: String,
        /// What git said.
        said: String,
    },
    /// A submodule is reached in a way that is not allowed, such as by a path of this machine.
    #[error("a submodule of `{remote}` is not on a server")]
    Transport {
        /// The repository.
        remote: String,
        /// What git said.
        said: String,
    },
    /// Something else.
    #[error("git could not {doing} `{remote}`")]
    Failed {
        /// What it was to do.
        doing: &'static str,
        /// The repository.
        remote: String,
        /// What git said.
        said: String,
    },
    /// Nobody waits any longer.
    #[error("cancelled")]
    Cancelled,
}

/// What git says, told apart as far as something can be done about it.
pub(super) fn explain(repository: &Repository<'_>, doing: &'static str, errors: &[u8]) -> GitError {
    let remote = repository.remote.to_owned();
    let text = String::from_utf8_lossy(&errors[..errors.len().min(16 << 10)]).into_owned();
    let has = |part: &str| text.contains(part);
    let said = said(&text);
    if has("could not read Username")
        || has("could not read Password")
        || has("Authentication failed")
        || has("Permission denied (")
        || has("returned error: 401")
        || has("returned error: 403")
    {
        return GitError::Unauthorized { remote, said };
    }
    if has("transport '") && has("not allowed") {
        return GitError::Transport { remote, said };
    }
    if has("not found") && has("repository")
        || has("returned error: 404")
        || has("does not appear to be a git repository")
    {
        return GitError::NotFound { remote, said };
    }
    GitError::Failed { doing, remote, said }
}

/// The line that says why: the first one that git calls fatal.
fn said(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().find(|line| line.starts_with("fatal:")).or_else(|| lines().next()).unwrap_or("nothing");
    line.strip_prefix("fatal: ").unwrap_or(line).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn what_git_says_in_one_line() {
        assert_eq!(said("warning: x\nfatal: no such thing\nmore"), "no such thing");
        assert_eq!(said("odd\n"), "odd");
        assert_eq!(said(""), "nothing");
    }
}
