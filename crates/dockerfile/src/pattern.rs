//! Go's `filepath.Match`, for the sources of COPY and ADD, and the matching engine that ignore files share.
//!
//! `*` and `?` stop at `/`; `[a-z]` and `[^a-z]` are classes; a backslash takes the next character's meaning. A
//! character is a code point, not a byte; a byte that is no UTF-8 counts as one.

/// A malformed pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed pattern `{pattern}`: {reason}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A pattern for one name, or for a whole path in Go's sense.
#[derive(Debug, Clone)]
pub struct Pattern {
    glob: Glob,
    literal: Option<Vec<u8>>,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When Go would call it malformed: a class that is empty, not closed, or has a range without end; a backslash
    /// at the end.
    pub fn new(pattern: &str) -> Result<Pattern, PatternError> {
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some(c) = rest.chars().next() {
            rest = match c {
                '*' => {
                    // Two stars mean the same as one in Go.
                    if tokens.last() != Some(&Token::Star) {
                        tokens.push(Token::Star);
                    }
                    &rest[1..]
                }
                _ => read_token(rest, &mut tokens).map_err(|reason| error(pattern, reason))?,
            };
        }
        let literal = literal(&tokens);
        Ok(Pattern { glob: Glob::new(tokens), literal })
    }

    /// Whether a name matches as a whole.
    pub fn matches(&self, name: &[u8]) -> bool {
        match &self.literal {
            Some(literal) => literal == name,
            None => self.glob.matches(name),
        }
    }

    /// The one name that matches, if the pattern has no wildcard; backslashes are resolved.
    pub fn literal(&self) -> Option<&[u8]> {
        self.literal.as_deref()
    }
}

/// A source of COPY or ADD: one pattern for each component of the path.
#[derive(Debug, Clone)]
pub struct PathPattern {
    components: Vec<Pattern>,
}

impl PathPattern {
    /// Compiles a path. Empty components and `.` are left out; `..` takes the component before it away and never
    /// leaves the root (D073: a leading `/` or `../` is the context's root).
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub fn new(path: &str) -> Result<PathPattern, PatternError> {
        let mut components = Vec::new();
        for component in path.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    components.pop();
                }
                _ => components.push(Pattern::new(component)?),
            }
        }
        Ok(PathPattern { components })
    }

    /// The components, outermost first; none for the root itself.
    pub fn components(&self) -> &[Pattern] {
        &self.components
    }

    /// Whether the path is the name of one file: no wildcard anywhere.
    pub fn is_literal(&self) -> bool {
        self.components.iter().all(|component| component.literal.is_some())
    }

    /// The path, if it is the name of one file.
    pub fn literal(&self) -> Option<Vec<u8>> {
        let parts: Option<Vec<&[u8]>> = self.components.iter().map(Pattern::literal).collect();
        Some(parts?.join(&b'/'))
    }

    /// Whether a path (components joined by `/`) matches.
    pub fn matches(&self, path: &[u8]) -> bool {
        let mut names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        self.components.iter().all(|component| names.next().is_some_and(|name| component.matches(name)))
            && names.next().is_none()
    }
}

/// One step of a compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// `?`: any character but `/`.
    One,
    /// `*`: any number of characters but `/`.
    Star,
    /// `**` within a pattern: nothing, or anything that ends in `/`. Always followed by [`Token::InFolders`].
    Folders,
    /// The same once it has begun to take characters.
    InFolders,
    /// `**` at the end: anything.
    Anything,
    /// `[…]`
    Class {
        /// `[^…]`
        negated: bool,
        /// Both ends inclusive.
        ranges: Vec<(char, char)>,
    },
}

pub(crate) fn error(pattern: &str, reason: &'static str) -> PatternError {
    PatternError { pattern: pattern.to_owned(), reason }
}

/// Reads everything but stars; returns what follows.
pub(crate) fn read_token<'p>(text: &'p str, tokens: &mut Vec<Token>) -> Result<&'p str, &'static str> {
    let mut chars = text.chars();
    match chars.next() {
        Some('?') => tokens.push(Token::One),
        Some('[') => return read_class(chars.as_str(), tokens),
        Some('\\') => tokens.push(Token::Char(chars.next().ok_or("a backslash at the end protects nothing")?)),
        Some(c) => tokens.push(Token::Char(c)),
        None => {}
    }
    Ok(chars.as_str())
}

fn read_class<'p>(text: &'p str, tokens: &mut Vec<Token>) -> Result<&'p str, &'static str> {
    let (negated, mut rest) = match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(']')
            && !ranges.is_empty()
        {
            tokens.push(Token::Class { negated, ranges });
            return Ok(after);
        }
        let low;
        (low, rest) = class_char(rest)?;
        let mut high = low;
        if let Some(after) = rest.strip_prefix('-') {
            (high, rest) = class_char(after)?;
        }
        ranges.push((low, high));
    }
}

/// One end of a range. Something must follow it, if only the bracket.
fn class_char(text: &str) -> Result<(char, &str), &'static str> {
    let mut chars = text.chars();
    let c = match chars.next() {
        None => return Err("`[` is never closed"),
        Some(']') => return Err("the class is empty, or a range in it has no end"),
        Some('-') => return Err("a range in the class has no beginning"),
        Some('\\') => chars.next().ok_or("`[` is never closed")?,
        Some(c) => c,
    };
    if chars.as_str().is_empty() {
        return Err("`[` is never closed");
    }
    Ok((c, chars.as_str()))
}

/// The text that tokens stand for, if they are plain characters only.
pub(crate) fn literal(tokens: &[Token]) -> Option<Vec<u8>> {
    let mut text = String::new();
    for token in tokens {
        let Token::Char(c) = token else { return None };
        text.push(*c);
    }
    Some(text.into_bytes())
}

/// Compiled tokens.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
    /// Plain characters at both ends, and the longest run of them anywhere: nearly every path is told apart by
    /// them alone.
    prefix: String,
    suffix: String,
    needle: String,
}

/// Words of a state set that fit on the stack: patterns of up to 127 tokens.
const SMALL: usize = 2;

impl Glob {
    pub(crate) fn new(tokens: Vec<Token>) -> Glob {
        let plain = |token: &Token| if let Token::Char(c) = token { Some(*c) } else { None };
        let prefix = tokens.iter().map_while(plain).collect();
        let suffix: Vec<char> = tokens.iter().rev().map_while(plain).collect();
        let runs = tokens.split(|token| plain(token).is_none());
        let needle = runs.max_by_key(|run| run.len()).unwrap_or_default().iter().filter_map(plain).collect();
        Glob { prefix, suffix: suffix.into_iter().rev().collect(), needle, tokens }
    }

    /// Whether a whole path matches.
    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        // U+FFFD also stands for bytes that are no UTF-8, so a pattern that holds it takes the long way.
        let plain = |text: &str| !text.contains(char::REPLACEMENT_CHARACTER);
        if plain(&self.prefix) && !path.starts_with(self.prefix.as_bytes())
            || plain(&self.suffix) && !path.ends_with(self.suffix.as_bytes())
            || plain(&self.needle) && !contains(path, self.needle.as_bytes())
        {
            return false;
        }
        self.run(path, |states| has(states, self.tokens.len()))
    }

    /// Whether some path that begins with these bytes can match.
    pub(crate) fn can_continue(&self, beginning: &[u8]) -> bool {
        self.run(beginning, |states| states.iter().any(|word| *word != 0))
    }

    /// Keeps the set of tokens that may come next, so that the time is bounded by the product of both lengths
    /// whatever the pattern.
    fn run(&self, path: &[u8], verdict: impl Fn(&[u64]) -> bool) -> bool {
        let words = self.tokens.len() / 64 + 1;
        if words <= SMALL {
            let (mut now, mut next) = ([0; SMALL], [0; SMALL]);
            self.simulate(path, &mut now, &mut next);
            verdict(&now)
        } else {
            let (mut now, mut next) = (vec![0; words], vec![0; words]);
            self.simulate(path, &mut now, &mut next);
            verdict(&now)
        }
    }

    fn simulate(&self, path: &[u8], now: &mut [u64], next: &mut [u64]) {
        now[0] = 1;
        self.skip_optional(now);
        let mut rest = path;
        while let Some((c, length)) = first_char(rest) {
            rest = &rest[length..];
            next.fill(0);
            for (word, bits) in now.iter().enumerate() {
                let mut bits = *bits;
                while bits != 0 {
                    let index = word * 64 + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    if let Some(token) = self.tokens.get(index) {
                        advance(token, index, c, next);
                    }
                }
            }
            now.copy_from_slice(next);
            if now.iter().all(|word| *word == 0) {
                return;
            }
            self.skip_optional(now);
        }
    }

    /// Tokens that may match nothing are passed at once. They only ever lead forwards, so one pass does.
    fn skip_optional(&self, states: &mut [u64]) {
        for (index, token) in self.tokens.iter().enumerate() {
            if !has(states, index) {
                continue;
            }
            match token {
                Token::Star | Token::Anything => set(states, index + 1),
                Token::Folders => {
                    set(states, index + 1);
                    set(states, index + 2);
                }
                _ => {}
            }
        }
    }
}

fn advance(token: &Token, index: usize, c: char, next: &mut [u64]) {
    match token {
        Token::Char(expected) if *expected == c => set(next, index + 1),
        Token::One if c != '/' => set(next, index + 1),
        Token::Star if c != '/' => set(next, index),
        Token::Anything => set(next, index),
        Token::InFolders => {
            set(next, index);
            if c == '/' {
                set(next, index + 1);
            }
        }
        Token::Class { negated, ranges } => {
            if ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated {
                set(next, index + 1);
            }
        }
        Token::Char(_) | Token::One | Token::Star | Token::Folders => {}
    }
}

fn has(states: &[u64], index: usize) -> bool {
    states[index / 64] & (1 << (index % 64)) != 0
}

fn set(states: &mut [u64], index: usize) {
    states[index / 64] |= 1 << (index % 64);
}

fn contains(path: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || path.windows(needle.len()).any(|window| window == needle)
}

/// The first character and its length; a byte that is no UTF-8 is one character, as in Go.
fn first_char(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((char::REPLACEMENT_CHARACTER, 1)),
    };
    let c = bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    Some(c.map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, length)))
}

#[cfg(test)]
mod tests;
