//! Variables into words: `$v`, `${v}`, the POSIX forms and BuildKit's pattern forms, quotes and escapes.
//!
//! Values come from a closure, so that one instruction sees one state of the world (D058: `ENV a=bye b=$a` uses the
//! old `a` when the closure reads the variables as they were before the line). Follows BuildKit's `shell.Lex`.

mod shell_pattern;

use shell_pattern::ShellPattern;

/// Where the values come from.
pub type Lookup<'f, 'v> = &'f dyn Fn(&str) -> Option<&'v str>;

/// Nesting of `${a:-${b:-…}}` beyond which a text is refused instead of exhausting the stack.
const MAX_DEPTH: usize = 64;

/// Longest value that an expansion may produce: `ENV a=$a$a$a…` repeated would otherwise double without end.
const MAX_LENGTH: usize = 16 << 20;

/// A word with its values put in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expanded {
    /// The result.
    pub text: String,
    /// Variables that were asked for and have no value, each once, in order. For those with a default this is
    /// nothing to warn of, and they are not in here.
    pub unset: Vec<String>,
    /// As `unset`, with those that have a default: BuildKit's check for undefined variables speaks of them too.
    pub undefined: Vec<String>,
    /// Variables that were asked for and have one, each once, in order.
    pub used: Vec<String>,
}

/// Why a word cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandErrorKind {
    /// A quote without its partner.
    #[error("the closing quote `{0}` is missing")]
    OpenQuote(char),
    /// `${` without `}`.
    #[error("the closing `}}` is missing")]
    OpenBrace,
    /// `${v/pattern` without a second slash.
    #[error("the second `/` is missing")]
    OpenSlash,
    /// `${}`, `${:-x}`, `${{x}`.
    #[error("the variable's name is missing")]
    NameMissing,
    /// `${v^^}` and the like.
    #[error("unsupported modifier `{0}`")]
    Modifier(String),
    /// A pattern with an escape before a character that needs none.
    #[error("invalid escape in the pattern `{0}`")]
    Pattern(String),
    /// `${v:?message}` with `v` unset or empty.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The text behind `?`.
        message: String,
    },
    /// Nested too deeply.
    #[error("it is nested too deeply")]
    Depth,
    /// Longer than any value may be.
    #[error("the value is longer than 16 MiB")]
    Length,
}

/// An error with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ExpandError {
    /// What is wrong.
    pub kind: ExpandErrorKind,
    /// Byte offset within the word.
    pub offset: usize,
}

/// Expands words of one Dockerfile.
#[derive(Debug, Clone, Copy)]
pub struct Expander {
    escape: char,
    keep_quotes: bool,
    keep_unset: bool,
    quotes_are_text: bool,
}

impl Expander {
    /// With the Dockerfile's escape character.
    pub fn new(escape: char) -> Expander {
        Expander { escape, keep_quotes: false, keep_unset: false, quotes_are_text: false }
    }

    /// For showing a whole instruction: values are put in, quotes stay, variables without value stay as written.
    /// This is how BuildKit makes the name of a step.
    pub fn for_display(escape: char) -> Expander {
        Expander { keep_quotes: true, keep_unset: true, ..Expander::new(escape) }
    }

    /// For here-document bodies: quotes are ordinary characters.
    pub fn for_heredoc(escape: char) -> Expander {
        Expander { quotes_are_text: true, ..Expander::new(escape) }
    }

    /// Puts the values into a word and takes the quotes away.
    ///
    /// # Errors
    /// When the word does not parse, or a `${v:?}` is not satisfied.
    pub fn expand(&self, word: &str, lookup: Lookup<'_, '_>) -> Result<Expanded, ExpandError> {
        // Most words hold neither variable nor quote.
        if !word.contains(['$', '"', '\'', self.escape]) {
            return Ok(Expanded { text: word.to_owned(), ..Expanded::default() });
        }
        self.run(word, lookup, false).map(|(_, expanded)| expanded)
    }

    /// Puts the values into a word and splits the result at blanks that were not quoted. `unset` and `used` as in
    /// [`Expander::expand`].
    ///
    /// # Errors
    /// As [`Expander::expand`].
    pub fn expand_words(&self, word: &str, lookup: Lookup<'_, '_>) -> Result<(Vec<String>, Expanded), ExpandError> {
        self.run(word, lookup, false)
    }

    /// Only looks whether the word parses, whatever the values.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, word: &str) -> Result<(), ExpandError> {
        if !word.contains(['$', '"', '\'', self.escape]) {
            return Ok(());
        }
        self.run(word, &|_| None, true).map(|_| ())
    }

    fn run(
        &self,
        word: &str,
        lookup: Lookup<'_, '_>,
        check_only: bool,
    ) -> Result<(Vec<String>, Expanded), ExpandError> {
        let mut run = Run {
            source: word,
            at: 0,
            options: *self,
            raw_escapes: false,
            lookup,
            check_only,
            depth: 0,
            found: Expanded::default(),
        };
        let (text, words) = run.until(None)?;
        Ok((words, Expanded { text, ..run.found }))
    }
}

/// One word on its way.
struct Run<'a, 'v> {
    source: &'a str,
    at: usize,
    options: Expander,
    raw_escapes: bool,
    lookup: Lookup<'a, 'v>,
    check_only: bool,
    depth: usize,
    /// Which variables were asked for.
    found: Expanded,
}

impl Run<'_, '_> {
    fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn error(&self, kind: ExpandErrorKind, offset: usize) -> ExpandError {
        ExpandError { kind, offset }
    }

    /// Text up to a stop character, which is eaten, or to the end.
    fn until(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), ExpandError> {
        let mut out = String::new();
        let mut words = Words::default();
        let start = self.at;
        while let Some(c) = self.peek() {
            if stop == Some(c) {
                self.at += c.len_utf8();
                return Ok((out, words.finish()));
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    words.push_str(&value);
                    out.push_str(&value);
                }
                '"' | '\'' if !self.options.quotes_are_text => {
                    let value = if c == '"' { self.double_quoted()? } else { self.single_quoted()? };
                    words.push_quoted(&value);
                    out.push_str(&value);
                }
                _ => {
                    self.at += c.len_utf8();
                    self.plain(c, &mut out, &mut words);
                }
            }
            if out.len() > MAX_LENGTH {
                return Err(self.error(ExpandErrorKind::Length, start));
            }
        }
        match stop {
            None => Ok((out, words.finish())),
            Some('/') => Err(self.error(ExpandErrorKind::OpenSlash, start)),
            Some(_) => Err(self.error(ExpandErrorKind::OpenBrace, start)),
        }
    }

    /// A character without meaning, or the escape character, which protects the next one and vanishes.
    fn plain(&mut self, c: char, out: &mut String, words: &mut Words) {
        if c != self.options.escape {
            words.push(c);
            out.push(c);
            return;
        }
        if self.raw_escapes {
            words.push_quoted(c.encode_utf8(&mut [0; 4]));
            out.push(c);
        }
        if let Some(next) = self.next() {
            words.push_quoted(next.encode_utf8(&mut [0; 4]));
            out.push(next);
        }
    }

    /// Everything up to the next single quote; nothing can be escaped.
    fn single_quoted(&mut self) -> Result<String, ExpandError> {
        let open = self.at;
        self.at += 1;
        let rest = &self.source[self.at..];
        let Some(length) = rest.find('\'') else {
            return Err(self.error(ExpandErrorKind::OpenQuote('\''), open));
        };
        self.at += length + 1;
        let text = &rest[..length];
        Ok(if self.options.keep_quotes { format!("'{text}'") } else { text.to_owned() })
    }

    /// Variables are put in; the escape character protects only itself, `"` and `$`, and stays before others.
    fn double_quoted(&mut self) -> Result<String, ExpandError> {
        let open = self.at;
        self.at += 1;
        let mut out = String::new();
        if self.options.keep_quotes {
            out.push('"');
        }
        loop {
            match self.peek() {
                None => return Err(self.error(ExpandErrorKind::OpenQuote('"'), open)),
                Some('"') => {
                    self.at += 1;
                    if self.options.keep_quotes {
                        out.push('"');
                    }
                    return Ok(out);
                }
                Some('$') => out.push_str(&self.dollar()?),
                Some(c) => {
                    self.at += c.len_utf8();
                    if c != self.options.escape {
                        out.push(c);
                        continue;
                    }
                    match self.peek() {
                        None => {}
                        Some(next) if next == '"' || next == '$' || next == c => {
                            if self.raw_escapes {
                                out.push(c);
                            }
                            self.at += next.len_utf8();
                            out.push(next);
                        }
                        Some(_) => out.push(c),
                    }
                }
            }
            if out.len() > MAX_LENGTH {
                return Err(self.error(ExpandErrorKind::Length, open));
            }
        }
    }

    /// `$v` or `${…}`.
    fn dollar(&mut self) -> Result<String, ExpandError> {
        let start = self.at;
        self.at += 1;
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            let value = self.value(&name);
            self.note(&name, value.is_some());
            return Ok(match value {
                None if self.options.keep_unset => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(ExpandErrorKind::Depth, start));
        }
        self.at += 1;
        let result = self.braced(start);
        self.depth -= 1;
        result
    }

    /// After `${`.
    fn braced(&mut self, start: usize) -> Result<String, ExpandError> {
        let name = self.name();
        if name.is_empty() {
            let kind = if self.peek().is_none() { ExpandErrorKind::OpenBrace } else { ExpandErrorKind::NameMissing };
            return Err(self.error(kind, start));
        }
        let modifier_start = self.at;
        let Some(first) = self.next() else {
            return Err(self.error(ExpandErrorKind::OpenBrace, start));
        };
        let (colon, operator) = match first {
            ':' => (true, self.next().ok_or(ExpandError { kind: ExpandErrorKind::OpenBrace, offset: start })?),
            other => (false, other),
        };
        match operator {
            '}' if !colon => {
                let value = self.value(&name);
                self.note(&name, value.is_some());
                Ok(match value {
                    None if self.options.keep_unset => format!("${{{name}}}"),
                    value => value.unwrap_or_default(),
                })
            }
            '-' | '+' | '?' => self.default_form(&name, colon, operator, start),
            '#' | '%' if !colon => self.trim_form(&name, operator, start),
            '/' if !colon => self.replace_form(&name, start),
            // In a here-document the line may end here.
            '\n' => Err(self.error(ExpandErrorKind::OpenBrace, start)),
            _ => {
                let modifier = self.source[modifier_start..self.at].to_owned();
                Err(self.error(ExpandErrorKind::Modifier(modifier), modifier_start))
            }
        }
    }

    /// `${v:-x}`, `${v-x}`, `${v:+x}`, `${v+x}`, `${v:?x}`, `${v?x}`.
    fn default_form(&mut self, name: &str, colon: bool, operator: char, start: usize) -> Result<String, ExpandError> {
        let (word, _) = self.raw(false, Some('}')).map_err(|error| self.missing_brace(error, start))?;
        let value = self.value(name);
        let colon_text = if colon { ":" } else { "" };
        if self.options.keep_unset && value.is_none() {
            return Ok(format!("${{{name}{colon_text}{operator}{word}}}"));
        }
        match value {
            Some(_) => self.note(name, true),
            None => add(&mut self.found.undefined, name),
        }
        let counts = value.filter(|value| !(colon && value.is_empty()));
        match (operator, counts) {
            ('-', value) => Ok(value.unwrap_or(word)),
            ('+', Some(_)) => Ok(word),
            ('+', None) => Ok(String::new()),
            (_, Some(value)) => Ok(value),
            (_, None) if self.check_only => Ok(String::new()),
            (_, None) => {
                let reason = if colon { "is not allowed to be unset or empty" } else { "is not allowed to be unset" };
                let message = if word.is_empty() { reason.to_owned() } else { word };
                Err(self.error(ExpandErrorKind::Required { name: name.to_owned(), message }, start))
            }
        }
    }

    /// `${v#p}`, `${v##p}`, `${v%p}`, `${v%%p}`.
    fn trim_form(&mut self, name: &str, operator: char, start: usize) -> Result<String, ExpandError> {
        let (word, _) = self.raw(true, Some('}')).map_err(|error| self.missing_brace(error, start))?;
        let (longest, pattern) = match word.strip_prefix(operator) {
            Some(pattern) => (true, pattern),
            None => (false, word.as_str()),
        };
        let compiled = self.pattern(pattern, start)?;
        let value = self.value(name);
        self.note(name, value.is_some());
        let Some(value) = value else {
            return Ok(if self.options.keep_unset { format!("${{{name}{operator}{word}}}") } else { String::new() });
        };
        Ok(match operator {
            '#' => compiled.trim_start(&value, longest).to_owned(),
            _ => compiled.trim_end(&value, longest).to_owned(),
        })
    }

    /// `${v/p/r}`, `${v//p/r}`.
    fn replace_form(&mut self, name: &str, start: usize) -> Result<String, ExpandError> {
        let all = self.peek() == Some('/');
        if all {
            self.at += 1;
        }
        let (pattern, _) = self.raw(true, Some('/')).map_err(|error| match error.kind {
            ExpandErrorKind::OpenSlash => ExpandError { offset: start, ..error },
            _ => error,
        })?;
        let (replacement, _) = self.raw(true, Some('}')).map_err(|error| self.missing_brace(error, start))?;
        let compiled = self.pattern(&pattern, start)?;
        let value = self.value(name);
        self.note(name, value.is_some());
        let Some(value) = value else {
            let slash = if all { "//" } else { "/" };
            let kept = format!("${{{name}{slash}{pattern}/{replacement}}}");
            return Ok(if self.options.keep_unset { kept } else { String::new() });
        };
        let longest = MAX_LENGTH.saturating_sub(value.len()) / (value.len() + 1);
        if replacement.len() > longest {
            return Err(self.error(ExpandErrorKind::Length, start));
        }
        Ok(compiled.replace(&value, &replacement, all))
    }

    /// [`Run::until`] with or without escapes kept.
    fn raw(&mut self, keep_escapes: bool, stop: Option<char>) -> Result<(String, Vec<String>), ExpandError> {
        let before = std::mem::replace(&mut self.raw_escapes, keep_escapes);
        let result = self.until(stop);
        self.raw_escapes = before;
        result
    }

    fn missing_brace(&self, error: ExpandError, start: usize) -> ExpandError {
        match error.kind {
            ExpandErrorKind::OpenBrace => ExpandError { offset: start, ..error },
            _ => error,
        }
    }

    fn pattern(&self, pattern: &str, start: usize) -> Result<ShellPattern, ExpandError> {
        ShellPattern::new(pattern).ok_or_else(|| self.error(ExpandErrorKind::Pattern(pattern.to_owned()), start))
    }

    /// A variable's name: letters, digits and `_`; or digits alone; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let rest = &self.source[self.at..];
        let Some(first) = rest.chars().next() else { return String::new() };
        let length = if first.is_ascii_digit() {
            rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
        } else if matches!(first, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
            1
        } else {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
        };
        self.at += length;
        rest[..length].to_owned()
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(str::to_owned)
    }

    fn note(&mut self, name: &str, found: bool) {
        if found {
            add(&mut self.found.used, name);
        } else {
            add(&mut self.found.unset, name);
            add(&mut self.found.undefined, name);
        }
    }
}

/// Adds a name unless it is there.
fn add(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}

/// The result split at blanks that were not quoted.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    current: String,
    in_word: bool,
}

impl Words {
    fn push(&mut self, c: char) {
        if !c.is_whitespace() {
            self.current.push(c);
            self.in_word = true;
        } else if self.in_word && !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
            self.in_word = false;
        }
    }

    fn push_str(&mut self, text: &str) {
        text.chars().for_each(|c| self.push(c));
    }

    fn push_quoted(&mut self, text: &str) {
        self.current.push_str(text);
        self.in_word = true;
    }

    fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

#[cfg(test)]
mod tests;
