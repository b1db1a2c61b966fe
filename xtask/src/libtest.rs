//! Reads what `cargo test` prints, line by line, and counts: which tests passed, failed, or did not run and why.
//!
//! Only the stable, human form is read, since the JSON form of libtest needs a nightly compiler.

use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// What became of all tests so far.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
    skipped: BTreeMap<String, String>,
}

/// What a line means for the person who watches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Worth showing as it is: compiler output, the text of a failure.
    AsIs,
    /// Not worth a line.
    Nothing,
    /// The end of one test program.
    Finished(String),
}

/// Reads the lines of one call of `cargo test`.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    program: String,
    /// Who the tests are run for, where that is not us.
    user: Option<&'static str>,
    started: (usize, usize, usize),
    in_failures: bool,
    in_output: bool,
}

impl Reader {
    /// Reads tests that are run for another user, and counts them as others than ours.
    pub(crate) fn of_user(user: &'static str) -> Self {
        Self { user: Some(user), ..Self::default() }
    }

    /// Takes one line into account.
    pub(crate) fn line(&mut self, line: &str, summary: &mut Summary) -> Shown {
        let words = line.trim();
        if let Some(what) = words.strip_prefix("Running ").or_else(|| words.strip_prefix("Doc-tests ")) {
            self.program = program_name(what, words.starts_with("Doc-tests"));
            if let Some(user) = self.user {
                self.program = format!("{} as {user}", self.program);
            }
            self.started = summary.counts();
            (self.in_failures, self.in_output) = (false, false);
            return Shown::Nothing;
        }
        if let Some(reason) = words.strip_prefix("skipped: ") {
            summary.note_skip(&self.program, reason);
            return Shown::Nothing;
        }
        if words.starts_with("test result: ") {
            (self.in_failures, self.in_output) = (false, false);
            return self.finished(words, summary);
        }
        if let Some(test) = words.strip_prefix("test ")
            && !self.in_failures
            && !self.in_output
            && let Some((name, outcome)) = test.rsplit_once(" ... ")
        {
            summary.note(&self.program, name, outcome);
            return Shown::Nothing;
        }
        match words {
            "failures:" => (self.in_failures, self.in_output) = (true, false),
            "successes:" => (self.in_failures, self.in_output) = (false, true),
            _ => {}
        }
        let quiet = self.in_output || words.is_empty() || words.starts_with("running ") && words.contains(" test");
        if quiet && !self.in_failures { Shown::Nothing } else { Shown::AsIs }
    }

    fn finished(&self, result: &str, summary: &Summary) -> Shown {
        let (passed, failed, skipped) = summary.counts();
        let (old_passed, old_failed, old_skipped) = self.started;
        let counts = (passed - old_passed, failed - old_failed, skipped.saturating_sub(old_skipped));
        if counts == (0, 0, 0) {
            return Shown::Nothing;
        }
        let time = result.rsplit_once("finished in ").map_or("", |(_, time)| time);
        let (passed, failed, skipped) = counts;
        Shown::Finished(format!(
            "    {:40} {passed:4} passed {failed:3} failed {skipped:3} skipped  {time}",
            self.program
        ))
    }
}

/// `unittests src/lib.rs (target/debug/deps/layer-0123456789abcdef)` is `layer`, `tests/run.rs (…)` is `onggi run`.
fn program_name(what: &str, is_documentation: bool) -> String {
    if is_documentation {
        return format!("{what} (documentation)");
    }
    let (source, path) = what.split_once(" (").unwrap_or((what, ""));
    let file = path.trim_end_matches(')').rsplit('/').next().unwrap_or_default();
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    match source.strip_prefix("unittests ") {
        Some(_) => name.to_owned(),
        None => source.trim_end_matches(".rs").to_owned(),
    }
}

impl Summary {
    fn note(&mut self, program: &str, name: &str, outcome: &str) {
        let test = format!("{program}: {name}");
        match outcome.split_once(',').unwrap_or((outcome, "")) {
            ("ignored", reason) => drop(self.skipped.insert(test, reason.trim().to_owned())),
            ("ok", _) => self.pass(test),
            _ => {
                self.skipped.remove(&test);
                self.failed.insert(test);
            }
        }
    }

    /// A test that found at run time that it cannot run has said so, and libtest calls it passed.
    fn note_skip(&mut self, program: &str, text: &str) {
        let (reason, name) = text.rsplit_once(": ").unwrap_or((text, "unnamed"));
        let test = format!("{program}: {name}");
        self.passed.remove(&test);
        self.skipped.insert(test, reason.to_owned());
    }

    /// A test passes in its second run although it was ignored in the first, unless it said itself that it skipped.
    fn pass(&mut self, test: String) {
        self.skipped.remove(&test);
        self.passed.insert(test);
    }

    fn counts(&self) -> (usize, usize, usize) {
        (self.passed.len(), self.failed.len(), self.skipped.len())
    }

    /// How many tests failed.
    pub(crate) fn failed(&self) -> usize {
        self.failed.len()
    }

    /// How many tests were skipped.
    pub(crate) fn skipped(&self) -> usize {
        self.skipped.len()
    }

    /// Prints the tests that did not run, those that failed, and the three numbers.
    pub(crate) fn print(&self) {
        for (test, reason) in &self.skipped {
            let reason = if reason.is_empty() { "no reason given" } else { reason };
            crate::say::line(&format!("skipped  {test}: {reason}"));
        }
        for test in &self.failed {
            crate::say::line(&format!("failed   {test}"));
        }
        let (passed, failed, skipped) = self.counts();
        crate::say::line(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
    }

    /// An error if a test failed or none ran.
    pub(crate) fn verdict(&self) -> crate::Result<()> {
        match self.counts() {
            (0, 0, _) => Err("no test ran".to_owned()),
            (_, 0, _) => Ok(()),
            (_, failed, _) => Err(format!("{failed} tests failed")),
        }
    }
}
