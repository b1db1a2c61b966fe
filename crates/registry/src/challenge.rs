//! `WWW-Authenticate` (RFC 9110, 11.6.1): what a registry wants to be told before it answers.
//!
//! Read strictly: a header that does not follow the grammar is no challenge at all, and no credential is sent.

use ureq::http::HeaderMap;

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Name and password with each request (RFC 7617).
    Basic,
    /// A token of a service (distribution-spec's token authentication).
    Bearer {
        /// URL of the service.
        realm: String,
        /// What the registry calls itself there.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
        /// Why the token that was sent is not enough, as `insufficient_scope`.
        error: Option<String>,
    },
}

/// The challenges of an answer, Bearer first.
pub(crate) fn challenges_of(headers: &HeaderMap) -> Vec<Challenge> {
    challenges(headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok()))
}

/// All challenges of all such headers of an answer that we can meet, Bearer first.
fn challenges<'h>(headers: impl IntoIterator<Item = &'h str>) -> Vec<Challenge> {
    let mut found: Vec<_> = headers.into_iter().filter_map(parse).flatten().collect();
    found.sort_by_key(|challenge| matches!(challenge, Challenge::Basic));
    found
}

/// The challenges of one header; `None` if it breaks the grammar anywhere.
fn parse(header: &str) -> Option<Vec<Challenge>> {
    if header.len() > 8192 {
        return None;
    }
    let mut rest = Rest(header);
    let mut challenges = Vec::new();
    rest.separators();
    while !rest.0.is_empty() {
        let scheme = rest.token()?.to_ascii_lowercase();
        let had_space = rest.space();
        let mut parameters: Vec<(String, String)> = Vec::new();
        // A list of parameters, or (for schemes that are not ours) one token68.
        while let Some((name, value)) = if had_space { rest.parameter()? } else { None } {
            if parameters.iter().any(|(known, _)| *known == name) {
                return None;
            }
            parameters.push((name, value));
        }
        let mut take = |wanted: &str| {
            let at = parameters.iter().position(|(name, _)| name == wanted)?;
            Some(parameters.swap_remove(at).1)
        };
        match scheme.as_str() {
            "basic" => challenges.push(Challenge::Basic),
            "bearer" => challenges.push(Challenge::Bearer {
                realm: take("realm")?,
                service: take("service"),
                scope: take("scope"),
                error: take("error"),
            }),
            _ => {}
        }
        if !rest.0.is_empty() && !rest.separators() {
            return None;
        }
    }
    Some(challenges)
}

struct Rest<'h>(&'h str);

impl<'h> Rest<'h> {
    /// Skips spaces; whether there were any.
    fn space(&mut self) -> bool {
        let trimmed = self.0.trim_start_matches([' ', '\t']);
        let had = trimmed.len() < self.0.len();
        self.0 = trimmed;
        had
    }

    /// Skips commas and spaces; whether there was a comma, or nothing is left.
    fn separators(&mut self) -> bool {
        let trimmed = self.0.trim_start_matches([' ', '\t', ',']);
        let had = self.0[..self.0.len() - trimmed.len()].contains(',');
        self.0 = trimmed;
        had || trimmed.is_empty()
    }

    fn token(&mut self) -> Option<&'h str> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let end = self.0.bytes().position(|byte| !is_token(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// The next `name=value`, with the comma before it; `Some(None)` where the next challenge or the end is.
    #[expect(clippy::option_option, reason = "wrong, none, one")]
    fn parameter(&mut self) -> Option<Option<(String, String)>> {
        let mut ahead = Rest(self.0);
        ahead.separators();
        if ahead.0.is_empty() {
            *self = ahead;
            return Some(None);
        }
        let name = ahead.token()?.to_ascii_lowercase();
        ahead.space();
        let Some(after) = ahead.0.strip_prefix('=') else { return Some(None) };
        // A token68 of a scheme that is not ours: `Negotiate abc==`.
        if after.is_empty() || after.starts_with(['=', ',']) {
            self.0 = after.trim_start_matches('=');
            return Some(None);
        }
        ahead.0 = after;
        ahead.space();
        let value = match ahead.0.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut characters = quoted.char_indices();
                loop {
                    match characters.next()? {
                        (at, '"') => {
                            ahead.0 = &quoted[at + 1..];
                            break value;
                        }
                        (_, '\\') => value.push(characters.next()?.1),
                        (_, character) if character.is_control() && character != '\t' => return None,
                        (_, character) => value.push(character),
                    }
                }
            }
            None => ahead.token()?.to_owned(),
        };
        ahead.space();
        if !ahead.0.is_empty() && !ahead.0.starts_with(',') {
            return None;
        }
        *self = ahead;
        Some(Some((name, value)))
    }
}

#[cfg(test)]
mod tests;
