//! Patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*` and `?`, no brackets.

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    /// This character.
    Char(char),
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct ShellPattern(Vec<Token>);

impl ShellPattern {
    /// Compiles a pattern. A backslash protects `*`, `?`, `\`, and `}` and `/`, which would otherwise end the
    /// pattern; before other characters it is an error.
    pub(super) fn new(pattern: &str) -> Option<ShellPattern> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' if tokens.last() == Some(&Token::Any) => continue,
                '*' => Token::Any,
                '?' => Token::One,
                '\\' => Token::Char(chars.next().filter(|c| matches!(c, '*' | '?' | '\\' | '}' | '/'))?),
                other => Token::Char(other),
            });
        }
        Some(ShellPattern(tokens))
    }

    /// Takes a matching beginning away, the shortest or the longest.
    pub(super) fn trim_start<'v>(&self, value: &'v str, longest: bool) -> &'v str {
        let chars: Vec<char> = value.chars().collect();
        match match_length(&self.0, &chars, longest) {
            Some(length) => &value[chars[..length].iter().map(|c| c.len_utf8()).sum()..],
            None => value,
        }
    }

    /// Takes a matching end away: the same search with both turned round.
    pub(super) fn trim_end<'v>(&self, value: &'v str, longest: bool) -> &'v str {
        let tokens: Vec<Token> = self.0.iter().rev().copied().collect();
        let chars: Vec<char> = value.chars().rev().collect();
        match match_length(&tokens, &chars, longest) {
            Some(length) => &value[..value.len() - chars[..length].iter().map(|c| c.len_utf8()).sum::<usize>()],
            None => value,
        }
    }

    /// Replaces the first or every match, each as long as possible. An empty pattern matches before every character
    /// and at the end.
    pub(super) fn replace(&self, value: &str, replacement: &str, all: bool) -> String {
        let chars: Vec<char> = value.chars().collect();
        let mut out = String::new();
        let mut at = 0;
        let mut after_match = false;
        while at <= chars.len() {
            let found = match_length(&self.0, &chars[at..], true).filter(|length| *length > 0 || !after_match);
            // A star that found no end from here finds none from further on: this keeps the time linear.
            if found.is_none() && self.reaches_star(&chars[at..]) {
                break;
            }
            if let Some(length) = found {
                out.push_str(replacement);
                at += length;
                if !all {
                    break;
                }
                if length > 0 {
                    after_match = true;
                    continue;
                }
            }
            after_match = false;
            out.extend(chars.get(at));
            at += 1;
        }
        out.extend(chars.get(at..).unwrap_or_default());
        out
    }

    /// Whether what stands before the first star matches here.
    fn reaches_star(&self, chars: &[char]) -> bool {
        let Some(star) = self.0.iter().position(|token| *token == Token::Any) else { return false };
        star <= chars.len()
            && self.0[..star].iter().zip(chars).all(|(token, c)| match token {
                Token::Char(expected) => expected == c,
                Token::One | Token::Any => true,
            })
    }
}

/// Number of characters, from the beginning, that the tokens match; the smallest or largest such number.
///
/// Keeps the set of tokens that may come next, so the time is the product of both lengths and no pattern of many
/// stars can make it explode.
fn match_length(tokens: &[Token], chars: &[char], longest: bool) -> Option<usize> {
    let mut states = vec![false; tokens.len() + 1];
    states[0] = true;
    let mut best = None;
    for at in 0..=chars.len() {
        // `*` may match nothing.
        for index in 0..tokens.len() {
            if states[index] && tokens[index] == Token::Any {
                states[index + 1] = true;
            }
        }
        if states[tokens.len()] {
            best = Some(at);
            if !longest {
                return best;
            }
        }
        let Some(c) = chars.get(at) else { break };
        let mut next = vec![false; tokens.len() + 1];
        for (index, token) in tokens.iter().enumerate() {
            if states[index] {
                match token {
                    Token::Any => next[index] = true,
                    Token::One => next[index + 1] = true,
                    Token::Char(expected) if expected == c => next[index + 1] = true,
                    Token::Char(_) => {}
                }
            }
        }
        if next.iter().all(|state| !state) {
            break;
        }
        states = next;
    }
    best
}
