//! Which checks run: the value of `# check=`, of `BUILDKIT_DOCKERFILE_CHECK`, and of comments above an instruction.
//!
//! `skip=A,B;error=true;experimental=C` (Dockerfile reference, "check"). Names of rules are case-sensitive, and names
//! that no rule has are nothing to complain of: a Dockerfile may be older or newer than the rules.

use crate::instruction::Comment;

/// Choice of the checks that run, and what comes of their findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    /// `skip=all`: none but the experimental ones that are asked for.
    pub skip_all: bool,
    /// Names of the checks to skip.
    pub skip: Vec<String>,
    /// `error=true`: a warning fails the build.
    pub warnings_are_errors: bool,
    /// `experimental=all`.
    pub experimental_all: bool,
    /// Names of experimental checks to run; asked for here, `skip` does not hold them back.
    pub experimental: Vec<String>,
}

/// A part of the value that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid check option `{0}`")]
pub struct ChecksError(pub String);

impl Checks {
    /// Reads `skip=A,B;error=true;experimental=C`.
    ///
    /// # Errors
    /// The first part that is none of the three.
    pub fn parse(value: &str) -> Result<Checks, ChecksError> {
        let mut checks = Checks::default();
        for part in value.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || ChecksError(part.to_owned());
            let (key, list) = part.split_once('=').ok_or_else(wrong)?;
            let list = list.trim();
            let names = || list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
            match key.trim() {
                "skip" if list == "all" => checks.skip_all = true,
                "skip" => checks.skip.extend(names()),
                "experimental" if list == "all" => checks.experimental_all = true,
                "experimental" => checks.experimental.extend(names()),
                "error" => checks.warnings_are_errors = truth(list).ok_or_else(wrong)?,
                _ => return Err(wrong()),
            }
        }
        Ok(checks)
    }

    /// What `# check=skip=…` among the comment lines above an instruction leaves out there.
    pub(crate) fn of_comment(comment: &Comment) -> Checks {
        let mut all = Checks::default();
        for line in &comment.lines {
            let value = line.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("check"));
            let Some(Ok(checks)) = value.map(|(_, value)| Checks::parse(value)) else { continue };
            all.skip_all |= checks.skip_all;
            all.skip.extend(checks.skip);
        }
        all
    }

    /// Whether a rule of this name runs.
    pub(crate) fn runs(&self, name: &str, is_experimental: bool) -> bool {
        let has = |list: &[String]| list.iter().any(|known| known == name);
        match is_experimental {
            true => self.experimental_all || has(&self.experimental),
            false => !self.skips(name),
        }
    }

    /// Whether a rule of this name is left out.
    pub(crate) fn skips(&self, name: &str) -> bool {
        self.skip_all || self.skip.iter().any(|known| known == name)
    }
}

/// What Go takes for a truth value.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
