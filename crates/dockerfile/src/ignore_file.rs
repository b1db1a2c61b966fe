//! `.dockerignore`: which paths of the build context are left out.
//!
//! The rules are Docker's (`moby/patternmatcher`; Dockerfile reference, ".dockerignore file"): the last pattern that
//! matches a path or a folder above it decides, `!` takes back in. Patterns are compiled once; a walker hands its
//! folder's [`Folder`] down, so that each file costs only its own name's matching.

use crate::diagnostic::{Code, Diagnostic};
use crate::pattern::{self, Glob, PatternError, Token};
use crate::source::Span;

/// Longest ignore file that is read.
const MAX_LENGTH: usize = 4 << 20;

/// A compiled ignore file.
#[derive(Debug, Clone, Default)]
pub struct IgnoreFile {
    rules: Vec<CompiledRule>,
    has_exceptions: bool,
}

/// What is to be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to the context.
    Included,
    /// It does not; but of a folder something further down may (`!`).
    Ignored,
    /// A folder that does not, with nothing below it that could: the walk need not enter it.
    Skipped,
}

/// What is known of a folder when its content is looked at: which patterns it, or a folder above it, matches.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    matched: Vec<bool>,
}

/// One line of an ignore file, for telling why a path is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The pattern as it is matched, without `!`.
    pub pattern: String,
    /// Whether it began with `!`.
    pub exception: bool,
    /// Line, from 1.
    pub line: usize,
}

#[derive(Debug, Clone)]
struct CompiledRule {
    rule: Rule,
    matcher: Matcher,
}

/// The shapes that nearly all patterns have need no search.
#[derive(Debug, Clone)]
enum Matcher {
    /// `node_modules`
    Exact(String),
    /// `build/**`
    Prefix(String),
    /// `**/.git`: the name alone, or at the end behind a `/`. `**log`: anywhere at the end.
    Suffix(String),
    /// Everything else.
    Glob(Glob),
}

impl IgnoreFile {
    /// Reads an ignore file.
    ///
    /// # Errors
    /// One diagnostic for each line that Docker would refuse.
    pub fn parse(bytes: &[u8]) -> Result<IgnoreFile, Vec<Diagnostic>> {
        if bytes.len() > MAX_LENGTH {
            let message = format!("the ignore file is {} bytes long, the limit is {MAX_LENGTH}", bytes.len());
            return Err(vec![Diagnostic::error(Code::FileTooLarge, Span::new(0, 0), message)]);
        }
        let mut file = IgnoreFile::default();
        let mut problems = Vec::new();
        let mut start = 0;
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let span = Span::new(start, start + line.trim_ascii_end().len());
            start += line.len();
            let line = if index == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
            match std::str::from_utf8(line) {
                Ok(line) => {
                    if let Err(error) = file.add(line, index + 1) {
                        problems.push(malformed(&error, span));
                    }
                }
                Err(_) => problems.push(
                    Diagnostic::error(Code::InvalidText, span, "the line holds text that is not UTF-8")
                        .with_help("save the file as UTF-8 text"),
                ),
            }
        }
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }

    /// Compiles patterns that come from elsewhere, such as `COPY --exclude`. Lines are counted from 1.
    ///
    /// # Errors
    /// On the first malformed one.
    pub fn from_patterns<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<IgnoreFile, PatternError> {
        let mut file = IgnoreFile::default();
        for (index, pattern) in patterns.into_iter().enumerate() {
            file.add_pattern(pattern.trim(), index + 1)?;
        }
        Ok(file)
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The patterns in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|rule| &rule.rule)
    }

    fn add(&mut self, line: &str, number: usize) -> Result<(), PatternError> {
        // A comment begins in the first column; `#` further in is a name.
        if line.starts_with('#') {
            return Ok(());
        }
        self.add_pattern(line.trim(), number)
    }

    fn add_pattern(&mut self, text: &str, line: usize) -> Result<(), PatternError> {
        if text.is_empty() {
            return Ok(());
        }
        let (exception, pattern) = match text.strip_prefix('!') {
            Some(pattern) => (true, pattern.trim()),
            None => (false, text),
        };
        if pattern.is_empty() {
            return Err(pattern::error(text, "an exception needs a pattern behind `!`"));
        }
        let cleaned = clean(pattern);
        let relative = if cleaned.len() > 1 { cleaned.strip_prefix('/').unwrap_or(&cleaned) } else { &cleaned };
        // A second `!` is a name, not a second exception. `.` has always been ignored.
        let matcher = compile(relative).map_err(|reason| pattern::error(text, reason))?;
        self.has_exceptions |= exception;
        let rule = Rule { pattern: relative.to_owned(), exception, line };
        self.rules.push(CompiledRule { rule, matcher });
        Ok(())
    }

    /// The root of the context, where a walk begins.
    pub fn root(&self) -> Folder {
        Folder { matched: vec![false; self.rules.len()] }
    }

    /// Looks at an entry of `folder`. `path` is relative to the context, without `/` at either end.
    pub fn check(&self, folder: &Folder, path: &[u8], is_folder: bool) -> Verdict {
        let Some(last) = self.decisive(folder, path) else { return Verdict::Included };
        if self.rules[last].rule.exception {
            return Verdict::Included;
        }
        if is_folder && !self.may_be_taken_back(last, path) { Verdict::Skipped } else { Verdict::Ignored }
    }

    /// Goes down into a folder that lies in `parent`.
    pub fn enter(&self, parent: &Folder, path: &[u8]) -> Folder {
        let matched = self
            .rules
            .iter()
            .enumerate()
            .map(|(index, rule)| parent.matched.get(index).copied().unwrap_or(false) || rule.matcher.matches(path));
        Folder { matched: matched.collect() }
    }

    /// Looks at one path without a walk: the folders above it are looked at too.
    pub fn matches(&self, path: &[u8], is_folder: bool) -> Verdict {
        self.check(&self.above(path), path, is_folder)
    }

    /// Whether a path is left out.
    pub fn ignores(&self, path: &[u8]) -> bool {
        self.matches(path, false) != Verdict::Included
    }

    /// The line that decides over a path, if any does.
    pub fn explain(&self, path: &[u8]) -> Option<&Rule> {
        self.decisive(&self.above(path), path).map(|index| &self.rules[index].rule)
    }

    fn above(&self, path: &[u8]) -> Folder {
        let mut folder = self.root();
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            folder = self.enter(&folder, &path[..at]);
        }
        folder
    }

    /// The last rule that matches the path or a folder above it.
    fn decisive(&self, folder: &Folder, path: &[u8]) -> Option<usize> {
        // Without exceptions any match decides, so what the folder already knows is asked first.
        if !self.has_exceptions
            && let Some(known) = folder.matched.iter().rposition(|matched| *matched)
        {
            return Some(known);
        }
        (0..self.rules.len()).rev().find(|index| {
            folder.matched.get(*index).copied().unwrap_or(false) || self.rules[*index].matcher.matches(path)
        })
    }

    /// Whether something below a folder may match a pattern; for patterns that say what is wanted.
    pub fn may_match_below(&self, folder: &[u8]) -> bool {
        self.rules.iter().any(|rule| !rule.rule.exception && rule.matcher.may_match_below(folder))
    }

    /// Whether an exception behind rule `last` can match something below a folder.
    fn may_be_taken_back(&self, last: usize, path: &[u8]) -> bool {
        self.has_exceptions
            && self.rules[last + 1..].iter().any(|rule| rule.rule.exception && rule.matcher.may_match_below(path))
    }
}

impl Matcher {
    fn matches(&self, path: &[u8]) -> bool {
        match self {
            Matcher::Exact(name) => path == name.as_bytes(),
            Matcher::Prefix(prefix) => path.starts_with(prefix.as_bytes()),
            Matcher::Suffix(suffix) => {
                path.ends_with(suffix.as_bytes())
                    || suffix.strip_prefix('/').is_some_and(|name| path == name.as_bytes())
            }
            Matcher::Glob(glob) => glob.matches(path),
        }
    }

    fn may_match_below(&self, folder: &[u8]) -> bool {
        let starts_below = |text: &str| {
            let text = text.as_bytes();
            text.len() > folder.len() && text.starts_with(folder) && text[folder.len()] == b'/'
        };
        match self {
            Matcher::Exact(name) => starts_below(name),
            Matcher::Prefix(prefix) => {
                starts_below(prefix) || folder.starts_with(prefix.as_bytes()) || {
                    let below = [folder, b"/"].concat();
                    below.starts_with(prefix.as_bytes())
                }
            }
            Matcher::Suffix(_) => true,
            Matcher::Glob(glob) => glob.can_continue(&[folder, b"/"].concat()),
        }
    }
}

/// Compiles a cleaned pattern.
fn compile(text: &str) -> Result<Matcher, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**") {
            // `**/` is `**`: the slash is part of what it takes.
            rest = after.strip_prefix('/').unwrap_or(after);
            if rest.is_empty() {
                tokens.push(Token::Anything);
            } else {
                tokens.extend([Token::Folders, Token::InFolders]);
            }
        } else if c == '*' {
            tokens.push(Token::Star);
            rest = &rest[1..];
        } else {
            rest = pattern::read_token(rest, &mut tokens)?;
        }
    }
    if tokens.iter().any(reversed) {
        return Err("a range in the class ends before it begins");
    }
    Ok(shape(text, tokens))
}

/// Go's regexp, on which Docker relies here, refuses `[z-a]`, which `filepath.Match` accepts and never matches.
fn reversed(token: &Token) -> bool {
    matches!(token, Token::Class { ranges, .. } if ranges.iter().any(|(low, high)| high < low))
}

fn shape(text: &str, tokens: Vec<Token>) -> Matcher {
    let plain = |tokens: &[Token]| pattern::literal(tokens).and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(name) = plain(&tokens) {
        return Matcher::Exact(name);
    }
    if let [before @ .., Token::Anything] = tokens.as_slice()
        && let Some(prefix) = plain(before)
    {
        return Matcher::Prefix(prefix);
    }
    // `**name` matches any path that ends in `name`, unlike `a**name`: so moby's suffix match does, and so it is
    // tested there.
    if let [Token::Folders, Token::InFolders, after @ ..] = tokens.as_slice()
        && let Some(name) = plain(after)
        && !text.contains('\\')
    {
        let slash = if text.starts_with("**/") { "/" } else { "" };
        return Matcher::Suffix(format!("{slash}{name}"));
    }
    Matcher::Glob(Glob::new(tokens))
}

/// Go's `filepath.Clean`: the shortest equal path by text alone.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(last) if *last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

fn malformed(error: &PatternError, span: Span) -> Diagnostic {
    Diagnostic::error(Code::InvalidPattern, span, error.to_string())
        .with_help("write a backslash before `[`, `*`, `?` and `\\` where the character itself is meant")
}

#[cfg(test)]
mod tests;
