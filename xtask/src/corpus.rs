//! Every Dockerfile in this repository: files of that name, and the texts in the sources of the tests.
//!
//! They are what the fuzzer begins with, and a test reads them all: what is built somewhere has to be understood
//! everywhere.

use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

use crate::machine;

/// A Dockerfile, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Path from the root of the repository, with the line for a text within a source.
    pub(crate) origin: String,
    /// Its text.
    pub(crate) text: String,
}

/// All of them, in the order of their paths.
pub(crate) fn dockerfiles() -> Vec<Found> {
    let root = machine::repository();
    let mut found = Vec::new();
    for folder in ["crates", "examples"] {
        for path in files(&root.join(folder)) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let origin = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
            if is_dockerfile(&path) {
                found.push(Found { origin, text });
            } else if origin.ends_with(".rs") && origin.contains("tests") {
                let texts = literals(&text).into_iter().filter(|(_, text)| has_from(text));
                found.extend(texts.map(|(line, text)| Found { origin: format!("{origin}:{line}"), text }));
            }
        }
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn is_dockerfile(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "Dockerfile" || name.ends_with(".dockerfile")
}

/// Whether it reads like a whole Dockerfile: comments, ARG, then FROM, and more than one line.
fn has_from(text: &str) -> bool {
    let is_before =
        |line: &str| line.is_empty() || line.starts_with('#') || line.to_ascii_uppercase().starts_with("ARG ");
    let mut lines = text.trim_end().lines().map(str::trim);
    let first = lines.find(|line| !is_before(line));
    let is_from = |line: &str| line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("FROM "));
    first.is_some_and(is_from) && text.trim_end().contains('\n')
}

/// The texts in a Rust source, each with the number of its line.
fn literals(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut rest = Source { chars: source.chars().peekable(), line: 1 };
    let mut before = ' ';
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.chars.peek() == Some(&'/') => while rest.next().is_some_and(|c| c != '\n') {},
            '\'' => rest.skip_character(),
            '"' => {
                let line = rest.line;
                found.push((line, rest.text()));
            }
            'r' if !before.is_alphanumeric() && matches!(rest.chars.peek(), Some('"' | '#')) => {
                let line = rest.line;
                found.extend(rest.raw_text().map(|text| (line, text)));
            }
            _ => {}
        }
        before = c;
    }
    found
}

/// What is left of a source.
struct Source<'s> {
    chars: Peekable<Chars<'s>>,
    line: usize,
}

impl Source<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// Behind a `'`: a character, or the name of a lifetime.
    fn skip_character(&mut self) {
        let mut ahead = self.chars.clone();
        match (ahead.next(), ahead.next()) {
            (Some('\\'), Some(_)) => {
                self.next();
                self.next();
                while self.next().is_some_and(|c| c != '\'') {}
            }
            (Some(_), Some('\'')) => {
                self.next();
                self.next();
            }
            _ => {}
        }
    }

    /// Behind the first quote of a text: the text as the compiler reads it.
    fn text(&mut self) -> String {
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                '"' => break,
                '\\' => text.extend(self.escape()),
                plain => text.push(plain),
            }
        }
        text
    }

    fn escape(&mut self) -> Option<char> {
        match self.next()? {
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            '0' => Some('\0'),
            'x' => self.number(2),
            'u' => {
                let digits: String = std::iter::from_fn(|| self.next().filter(|c| *c != '}')).skip(1).collect();
                u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
            }
            '\n' => {
                while self.chars.peek().is_some_and(|c| c.is_whitespace()) {
                    self.next();
                }
                None
            }
            itself => Some(itself),
        }
    }

    fn number(&mut self, digits: usize) -> Option<char> {
        let digits: String = std::iter::from_fn(|| self.next()).take(digits).collect();
        u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
    }

    /// Behind the `r` of `r#"…"#`.
    fn raw_text(&mut self) -> Option<String> {
        let mut hashes = 0;
        while self.chars.peek() == Some(&'#') {
            self.next();
            hashes += 1;
        }
        if self.next() != Some('"') {
            return None;
        }
        let mut text = String::new();
        loop {
            let c = self.next()?;
            let closes = c == '"' && self.chars.clone().take(hashes).filter(|c| *c == '#').count() == hashes;
            if closes {
                for _ in 0..hashes {
                    self.next();
                }
                return Some(text);
            }
            text.push(c);
        }
    }
}

#[cfg(test)]
mod tests;
