//! URLs, as far as fetching needs to understand them (RFC 3986): the host that may be told a secret, the name of the
//! file, and the password that must not be shown.

use std::fmt;

use super::RemoteError;

/// An `http` or `https` URL. Shown, compared and hashed without its password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    scheme: String,
    /// With the port, if one was written.
    authority: String,
    /// Path and query, escaped as a request needs them.
    target: String,
    credentials: Option<Credentials>,
}

/// `user:password` of a URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Credentials(pub(super) String);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("xxxxx")
    }
}

/// A URL in pieces, each as it was written.
pub(super) struct Pieces<'t> {
    pub(super) scheme: &'t str,
    pub(super) credentials: Option<&'t str>,
    pub(super) authority: &'t str,
    /// From the first `/` on.
    pub(super) path: &'t str,
    pub(super) query: Option<&'t str>,
    pub(super) fragment: Option<&'t str>,
}

/// The scheme of `scheme://…`.
pub(super) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme.then_some(scheme)
}

impl<'t> Pieces<'t> {
    /// Takes a URL apart; `None` for what is none.
    pub(super) fn of(text: &'t str) -> Option<Self> {
        let scheme = scheme(text)?;
        let rest = &text[scheme.len() + 3..];
        let (rest, fragment) = split(rest, '#');
        let (rest, query) = split(rest, '?');
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (credentials, authority) =
            authority.rsplit_once('@').map_or((None, authority), |(credentials, host)| (Some(credentials), host));
        Some(Self { scheme, credentials, authority, path, query, fragment })
    }
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

/// A text with URLs in it, without the passwords in them. A user is shown; a name alone may be a token.
pub(crate) fn redacted(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut end = 0;
    for (credentials, secret) in secrets(text.as_bytes()) {
        redacted.push_str(&text[end..secret.start.max(credentials.start)]);
        redacted.push_str("xxxxx");
        end = secret.end;
    }
    redacted + &text[end..]
}

/// The same in place, so that everything stands where it stood.
pub fn hide_passwords(text: &mut [u8]) {
    for (_, secret) in secrets(text) {
        text[secret].fill(b'x');
    }
}

/// Where credentials stand in a text, and which part of them is secret.
fn secrets(text: &[u8]) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(mark) = text[from..].windows(3).position(|window| window == b"://") {
        let begin = from + mark + 3;
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>".contains(byte);
        let length = text[begin..].iter().position(is_end).unwrap_or(text.len() - begin);
        from = begin;
        if let Some(at) = text[begin..begin + length].iter().rposition(|byte| *byte == b'@') {
            let colon = text[begin..begin + at].iter().position(|byte| *byte == b':');
            let secret = colon.map_or(begin, |colon| begin + colon + 1)..begin + at;
            // Of ssh the name alone is the account to log in to.
            let is_account =
                colon.is_none() && (text[..begin].ends_with(b"ssh://") || text[..begin].ends_with(b"git://"));
            if !secret.is_empty() && !is_account {
                found.push((begin..begin + at, secret));
            }
            from = begin + at;
        }
    }
    found
}

/// Checks `host`, `host:port`, `[address]:port`.
pub(super) fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => (address, port),
        Some(_) => return false,
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let is_host = !host.is_empty()
        && !host.starts_with('-')
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':') || byte > 127);
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
}

impl Url {
    /// Reads an `http` or `https` URL; what stands behind `#` is not sent to servers and left out.
    ///
    /// # Errors
    /// When there is no host in it, or the port is no number.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        let wrong = || {
            RemoteError::new(
                format!("`{}` is not a valid URL", redacted(text)),
                "write it as `https://HOST[:PORT]/PATH`",
            )
        };
        let pieces = Pieces::of(text).filter(|pieces| is_authority(pieces.authority)).ok_or_else(wrong)?;
        if text.bytes().any(|byte| byte.is_ascii_control()) || !matches!(pieces.scheme, "http" | "https") {
            return Err(wrong());
        }
        let path = if pieces.path.is_empty() { "/" } else { pieces.path };
        let query = pieces.query.map_or_else(String::new, |query| format!("?{query}"));
        Ok(Self {
            scheme: pieces.scheme.to_owned(),
            authority: pieces.authority.to_ascii_lowercase(),
            target: escape(&format!("{path}{query}")),
            credentials: pieces.credentials.map(|text| Credentials(decode(text))),
        })
    }

    /// The host without the port, as credentials are named after it.
    pub fn host(&self) -> &str {
        host_of(&self.authority)
    }

    /// What a request is sent to: without credentials.
    pub fn bare(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.target)
    }

    /// `user:password`, decoded.
    pub(crate) fn credentials(&self) -> Option<&str> {
        self.credentials.as_ref().map(|Credentials(text)| text.as_str())
    }

    /// The last component of the path, decoded; `None` if that gives no name for a file.
    pub(crate) fn file_name(&self) -> Option<String> {
        let path = self.target.split('?').next().unwrap_or_default();
        let name = decode(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
        is_file_name(&name).then_some(name)
    }
}

/// Whether a name from elsewhere may become the name of a file.
pub(crate) fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(['/', '\0'])
}

/// The host of `host:port`.
pub(super) fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or(authority),
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = match &self.credentials {
            None => String::new(),
            Some(Credentials(text)) => match text.split_once(':') {
                Some((user, _)) => format!("{user}:xxxxx@"),
                None => "xxxxx@".to_owned(),
            },
        };
        write!(f, "{}://{credentials}{}{}", self.scheme, self.authority, self.target)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Puts `%20` and the like for what may not stand in a request as it is.
fn escape(text: &str) -> String {
    let is_plain = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match is_plain(byte) {
            true => escaped.push(char::from(byte)),
            false => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// Undoes `%20` and the like; what is none is left as it is.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(byte) = bytes.get(place) {
        let hex = (*byte == b'%').then(|| text.get(place + 1..place + 3)).flatten();
        match hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            Some(hex) => {
                decoded.push(u8::from_str_radix(hex, 16).unwrap_or(b'%'));
                place += 3;
            }
            None => {
                decoded.push(*byte);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
