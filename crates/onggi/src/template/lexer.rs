//! Splits a template into text, the marks of its actions, and the words within them.

use std::ops::Range;

use super::TemplateError;

/// A word, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// Text outside of actions.
    Text(String),
    /// `{{`.
    Open,
    /// `}}`.
    Close,
    /// A word: keyword, function, `true`, `nil`.
    Word(String),
    /// `.Name`; `glued` when nothing separates it from the word before, so that it is a field of that.
    Field {
        name: String,
        glued: bool,
    },
    /// A lone `.`.
    Dot,
    /// `$name`, without the `$`.
    Variable(String),
    Quoted(String),
    Integer(i64),
    Float(f64),
    Pipe,
    Declare,
    Assign,
    Comma,
    OpenParen,
    CloseParen,
}

/// Splits all of it.
pub(crate) fn lex(text: &str) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut trims = false;
    while at < text.len() {
        let rest = &text[at..];
        let Some(open) = rest.find("{{") else {
            push_text(&mut tokens, rest, at, trims, false);
            break;
        };
        let inner = at + open + 2;
        let trims_left = text[inner..].starts_with("- ") || text[inner..].starts_with("-\n");
        push_text(&mut tokens, &rest[..open], at, trims, trims_left);
        let mut lexer = Lexer { text, at: inner + usize::from(trims_left), open: at + open, tokens: &mut tokens };
        trims = lexer.action()?;
        at = lexer.at;
    }
    Ok(tokens)
}

fn push_text(tokens: &mut Vec<Token>, text: &str, at: usize, trims_start: bool, trims_end: bool) {
    let shown = if trims_start { text.trim_start() } else { text };
    let shown = if trims_end { shown.trim_end() } else { shown };
    if !shown.is_empty() {
        tokens.push(Token { kind: TokenKind::Text(shown.to_owned()), span: at..at + text.len() });
    }
}

/// Within one action.
struct Lexer<'a> {
    text: &'a str,
    at: usize,
    open: usize,
    tokens: &'a mut Vec<Token>,
}

impl Lexer<'_> {
    /// Reads up to and with `}}`; tells whether that trims the text behind it.
    fn action(&mut self) -> Result<bool, TemplateError> {
        if self.rest().trim_start().starts_with("/*") {
            return self.comment();
        }
        self.push(TokenKind::Open, self.open);
        loop {
            let spaced = self.skip_space();
            let start = self.at;
            if spaced && self.rest().starts_with("-}}") {
                self.at += 3;
                self.push(TokenKind::Close, start);
                return Ok(true);
            }
            if self.rest().starts_with("}}") {
                self.at += 2;
                self.push(TokenKind::Close, start);
                return Ok(false);
            }
            let Some(first) = self.rest().chars().next() else {
                return Err(TemplateError::new("`{{` is never closed by `}}`", self.open..self.open + 2));
            };
            let kind = self.word(first, spaced)?;
            self.push(kind, start);
        }
    }

    fn comment(&mut self) -> Result<bool, TemplateError> {
        let unclosed = || TemplateError::new("comment is never closed by `*/}}`", self.open..self.open + 2);
        let end = self.rest().find("*/").ok_or_else(unclosed)?;
        let behind = &self.rest()[end + 2..];
        let trims = behind.starts_with(" -}}");
        let length = if trims { 4 } else { 2 };
        if !trims && !behind.starts_with("}}") {
            return Err(unclosed());
        }
        self.at += end + 2 + length;
        Ok(trims)
    }

    fn word(&mut self, first: char, spaced: bool) -> Result<TokenKind, TemplateError> {
        let start = self.at;
        match first {
            '"' => self.quoted().map(TokenKind::Quoted),
            '`' => self.raw().map(TokenKind::Quoted),
            '.' => {
                self.at += 1;
                let glued = !spaced && self.follows_value();
                Ok(match self.name() {
                    name if name.is_empty() => TokenKind::Dot,
                    name => TokenKind::Field { name, glued },
                })
            }
            '$' => {
                self.at += 1;
                Ok(TokenKind::Variable(self.name()))
            }
            '0'..='9' | '-' | '+' => self.number(),
            '|' | ',' | '(' | ')' | '=' => {
                self.at += 1;
                Ok(match first {
                    '|' => TokenKind::Pipe,
                    ',' => TokenKind::Comma,
                    '(' => TokenKind::OpenParen,
                    ')' => TokenKind::CloseParen,
                    _ => TokenKind::Assign,
                })
            }
            ':' if self.rest().starts_with(":=") => {
                self.at += 2;
                Ok(TokenKind::Declare)
            }
            letter if letter.is_alphabetic() || letter == '_' => Ok(TokenKind::Word(self.name())),
            other => {
                let message = format!("unexpected character `{}`", crate::ui::printable::printable(&other.to_string()));
                Err(TemplateError::new(message, start..start + other.len_utf8()))
            }
        }
    }

    /// Whether the word just before can have fields: `.a.b`, `$x.b`, `(…).b`.
    fn follows_value(&self) -> bool {
        self.tokens.last().is_some_and(|token| {
            token.span.end + 1 == self.at
                && matches!(token.kind, TokenKind::Field { .. } | TokenKind::Variable(_) | TokenKind::CloseParen)
        })
    }

    fn name(&mut self) -> String {
        let name: String =
            self.rest().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
        self.at += name.len();
        name
    }

    fn number(&mut self) -> Result<TokenKind, TemplateError> {
        let start = self.at;
        let word: String = self
            .rest()
            .chars()
            .enumerate()
            .take_while(|(place, character)| {
                character.is_ascii_alphanumeric()
                    || matches!(character, '.' | '_')
                    || (*place == 0 && "+-".contains(*character))
            })
            .map(|(_, character)| character)
            .collect();
        self.at += word.len();
        let plain = word.replace('_', "");
        let integer = match plain.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None => plain.parse().ok(),
        };
        let float = || plain.parse::<f64>().ok().filter(|number| number.is_finite());
        integer
            .map(TokenKind::Integer)
            .or_else(|| float().map(TokenKind::Float))
            .ok_or_else(|| TemplateError::new(format!("`{word}` is not a number"), start..self.at))
    }

    fn raw(&mut self) -> Result<String, TemplateError> {
        let Some(length) = self.rest()[1..].find('`') else { return Err(self.unterminated()) };
        let text = self.rest()[1..=length].to_owned();
        self.at += length + 2;
        Ok(text)
    }

    fn quoted(&mut self) -> Result<String, TemplateError> {
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((place, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += place + 1;
                    return Ok(text);
                }
                '\n' => break,
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, quoted @ ('"' | '\\'))) => text.push(quoted),
                    _ => {
                        let start = self.at + place;
                        return Err(TemplateError::new("unknown escape in a quoted text", start..start + 1)
                            .with_hint("use `\\n`, `\\t`, `\\\"` or `\\\\`, or write the text in backticks"));
                    }
                },
                plain => text.push(plain),
            }
        }
        Err(self.unterminated())
    }

    fn unterminated(&self) -> TemplateError {
        TemplateError::new("text is never closed by a quote", self.at..self.at + 1)
    }

    fn skip_space(&mut self) -> bool {
        let before = self.at;
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.at > before
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token { kind, span: start..self.at });
    }
}
