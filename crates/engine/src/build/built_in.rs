//! Build arguments that have a meaning of their own (D036) and concern what is around a build: its context, the name of its
//! sandbox. What the builder itself asks of them (`BUILDKIT_SYNTAX` and others) is read there.

use builder::{BuildContext, Remote};

use crate::network::check_hostname;
use crate::{Error, ErrorKind};

/// `BUILDKIT_SANDBOX_HOSTNAME`: what the machine is called in RUN. Empty is as if it were not given, as in BuildKit.
pub(super) fn hostname(build_args: &[(String, String)]) -> Result<Option<String>, Error> {
    const NAME: &str = "BUILDKIT_SANDBOX_HOSTNAME";
    let given = build_args.iter().rev().find(|(name, _)| name == NAME).map(|(_, value)| value.as_str());
    let Some(name) = given.filter(|name| !name.is_empty()) else { return Ok(None) };
    check_hostname(name).map_err(|error| {
        error.with_exit_code(1).with_hint(format!("write for example `--build-arg {NAME}=builder`"))
    })?;
    Ok(Some(name.to_owned()))
}

/// Whether a repository's `.git` is wanted as well, by its URL or by the build argument (D036, D091).
pub(super) fn keeps_git_dir(remote: &Remote, build_args: &[(String, String)]) -> bool {
    let asked = build_args.iter().rev().find(|(name, _)| name == "BUILDKIT_CONTEXT_KEEP_GIT_DIR");
    let by_argument =
        asked.is_some_and(|(_, value)| matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"));
    match remote {
        Remote::Git(source) => source.keep_git_dir.unwrap_or(by_argument),
        Remote::Http(_) => false,
    }
}

/// `SOURCE_DATE_EPOCH=context` is the time of the commit, or the one that the server gave (D035, B095).
pub(super) fn with_time_of_context(
    build_args: &[(String, String)],
    context: Option<&BuildContext>,
) -> Result<Vec<(String, String)>, Error> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    let time = match context {
        Some(BuildContext::Tree(tree)) => tree.time(),
        _ => None,
    };
    let replaced = build_args.iter().map(|(name, value)| match (name == NAME && value == "context", time) {
        (false, _) => Ok((name.clone(), value.clone())),
        (true, Some(time)) => Ok((name.clone(), time.to_string())),
        (true, None) => Err(Error::new(ErrorKind::InvalidInput, "the build context has no time of its own")
            .with_hint("give seconds since 1970, as in `--build-arg SOURCE_DATE_EPOCH=$(git log -1 --pretty=%ct)`")),
    });
    replaced.collect()
}
