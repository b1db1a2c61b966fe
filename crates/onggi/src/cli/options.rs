//! Values of flags that are lists of options: `type=local,dest=out`, fields as in CSV (RFC 4180), as buildx takes them.

use crate::cli::fields::fields;
use crate::cli::switches;
use crate::failure::Failure;
use crate::render::problem::Problem;

/// What a flag was given, option by option.
#[derive(Debug)]
pub(crate) struct Options {
    /// The flag, for messages: `--output`.
    flag: &'static str,
    /// All that was typed, for messages.
    typed: String,
    pairs: Vec<(String, String)>,
}

impl Options {
    /// Takes a value apart.
    pub(crate) fn parse(flag: &'static str, typed: &str) -> Result<Self, Failure> {
        let mut options = Self { flag, typed: typed.to_owned(), pairs: Vec::new() };
        for field in fields(typed).map_err(|_| options.quote_problem())? {
            let Some((name, value)) = field.split_once('=') else {
                let problem = Problem::error(format!("`{field}` in `{flag} {typed}` has no value"));
                return Err(Failure::new(problem.with_hint("write each option as `NAME=VALUE`, with commas between")));
            };
            // Names of annotations are case-sensitive, those of options are not.
            let name = name.trim();
            let name = if name.starts_with("annotation") { name.to_owned() } else { name.to_ascii_lowercase() };
            options.pairs.push((name, value.to_owned()));
        }
        Ok(options)
    }

    fn quote_problem(&self) -> Failure {
        let problem = Problem::error(format!("`{} {}` has a quote that does not end", self.flag, self.typed));
        Failure::new(problem.with_hint("put a value with a comma into double quotes, name and all: `\"dest=a,b\"`"))
    }

    /// Takes an option out; of several the last one counts.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let mut taken = None;
        self.pairs.retain_mut(|(known, value)| {
            let is_it = known == name;
            if is_it {
                taken = Some(std::mem::take(value));
            }
            !is_it
        });
        taken
    }

    /// Takes a switch out.
    pub(crate) fn take_switch(&mut self, name: &str) -> Result<Option<bool>, Failure> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let wrong = || self.wrong(name, &value, &["true", "false"]);
        switches::parse(&value).ok_or_else(wrong).map(Some)
    }

    /// All that was typed.
    pub(crate) fn typed(&self) -> &str {
        &self.typed
    }

    /// Takes out all options for which `pick` gives something, in order.
    pub(crate) fn take_all<T>(
        &mut self,
        mut pick: impl FnMut(&str, &str) -> Option<Result<T, Failure>>,
    ) -> Result<Vec<T>, Failure> {
        let mut taken = Vec::new();
        let mut left = Vec::new();
        for (name, value) in std::mem::take(&mut self.pairs) {
            match pick(&name, &value) {
                Some(found) => taken.push(found?),
                None => left.push((name, value)),
            }
        }
        self.pairs = left;
        Ok(taken)
    }

    /// A value that is none of those.
    pub(crate) fn wrong(&self, name: &str, value: &str, values: &[&str]) -> Failure {
        let problem = Problem::error(format!("`{value}` is not a value of `{name}` in `{} {}`", self.flag, self.typed));
        let hint = match engine::nearest(value, values.iter().copied()) {
            Some(near) => format!("did you mean `{name}={near}`?"),
            None => format!("use {}", one_of(values)),
        };
        Failure::new(problem.with_hint(hint))
    }

    /// Something else that is wrong with all of it.
    pub(crate) fn problem(&self, message: &str, hint: impl Into<String>) -> Failure {
        Failure::new(Problem::error(format!("`{} {}` {message}", self.flag, self.typed)).with_hint(hint))
    }

    /// Refuses what is left. `of` says what has no such option, `known` which ones it has.
    pub(crate) fn finish(self, of: &str, known: &[&str]) -> Result<(), Failure> {
        let Some((name, _)) = self.pairs.first() else { return Ok(()) };
        let problem = Problem::error(format!("`{of}` has no option `{name}`"));
        let hint = match engine::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}=…`?"),
            None => format!("it has {}", one_of(known)),
        };
        Err(Failure::new(problem.with_hint(hint)))
    }
}

/// `a`, `b` or `c`.
pub(crate) fn one_of(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
