//! Who may read a remote source: secrets of the build whose names say for which host they are (D092).
//!
//! `HTTP_AUTH_HEADER_<host>` and `HTTP_AUTH_TOKEN_<host>` for files, `GIT_AUTH_HEADER[.<host>]` and
//! `GIT_AUTH_TOKEN[.<host>]` for repositories, and `user:password@` of the URL itself where there is no secret. Values go into
//! one header for one host, and nowhere else.

use crate::fetch::FetchError;
use crate::remote::{GitSource, Url};

/// Gives the value of a secret by its ID; `None` for one that was not given.
pub type SecretLookup<'a> = &'a (dyn Fn(&str) -> Result<Option<Vec<u8>>, FetchError> + Sync);

/// Value of `Authorization` for a file.
pub(crate) fn of_url(url: &Url, secrets: SecretLookup<'_>) -> Result<Option<String>, FetchError> {
    let host = url.host();
    if let Some(header) = text(secrets, &format!("HTTP_AUTH_HEADER_{host}"))? {
        return Ok(Some(header));
    }
    if let Some(token) = text(secrets, &format!("HTTP_AUTH_TOKEN_{host}"))? {
        return Ok(Some(format!("Bearer {token}")));
    }
    Ok(url.authorization())
}

impl Url {
    /// Value of `Authorization` for the user and password in the URL itself.
    pub fn authorization(&self) -> Option<String> {
        self.credentials().map(basic)
    }
}

/// Value of `Authorization` for a repository. The secret for its host comes before the one for all hosts.
pub(crate) fn of_repository(source: &GitSource, secrets: SecretLookup<'_>) -> Result<Option<String>, FetchError> {
    if !source.remote.starts_with("https://") && !source.remote.starts_with("http://") {
        return Ok(None);
    }
    for suffix in [format!(".{}", source.host), String::new()] {
        if let Some(header) = text(secrets, &format!("GIT_AUTH_HEADER{suffix}"))? {
            return Ok(Some(header));
        }
        if let Some(token) = text(secrets, &format!("GIT_AUTH_TOKEN{suffix}"))? {
            // Servers take a token as the password of this user.
            return Ok(Some(basic(&format!("x-access-token:{token}"))));
        }
    }
    Ok(source.credentials().map(basic))
}

/// A secret as the value of a header: one line, without the line break that files end with.
fn text(secrets: SecretLookup<'_>, id: &str) -> Result<Option<String>, FetchError> {
    let Some(value) = secrets(id)? else { return Ok(None) };
    let value = String::from_utf8(value).ok().map(|value| value.trim_end_matches(['\r', '\n']).to_owned());
    let value = value.filter(|value| !value.is_empty() && !value.contains(|letter: char| letter.is_control()));
    let wrong = || {
        let hint = "check what it holds: it must be one line of text".to_owned();
        FetchError::new(format!("the secret `{id}` cannot be sent to a server"), Some(hint))
    };
    value.ok_or_else(wrong).map(Some)
}

/// RFC 7617; `user:password`, or a token alone in the place of the user.
fn basic(credentials: &str) -> String {
    let pair = if credentials.contains(':') { credentials.to_owned() } else { format!("{credentials}:") };
    format!("Basic {}", base64(pair.as_bytes()))
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{base64, of_repository, of_url};
    use crate::remote::Remote;

    #[test]
    fn rfc_4648_test_vectors() {
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, expected) in expected.into_iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..length]), expected);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn d092_secrets_are_chosen_by_host() {
        let of = |text: &str, secrets: &[(&str, &str)]| {
            let lookup = |id: &str| {
                let found = secrets.iter().find(|(known, _)| *known == id);
                Ok(found.map(|(_, value)| value.as_bytes().to_vec()))
            };
            let found = match Remote::parse(text).unwrap() {
                Remote::Http(url) => of_url(&url, &lookup),
                Remote::Git(source) => of_repository(&source, &lookup),
            };
            found.unwrap_or_else(|error| Some(format!("error: {error}")))
        };
        let file = "https://x.com:8443/f";
        assert_eq!(of(file, &[]), None);
        assert_eq!(of(file, &[("HTTP_AUTH_TOKEN_x.com", "t\n")]).as_deref(), Some("Bearer t"));
        let both = [("HTTP_AUTH_TOKEN_x.com", "t"), ("HTTP_AUTH_HEADER_x.com", "Digest d")];
        assert_eq!(of(file, &both).as_deref(), Some("Digest d"));
        assert_eq!(of(file, &[("HTTP_AUTH_TOKEN_y.com", "t"), ("GIT_AUTH_TOKEN", "g")]), None);
        assert_eq!(of("https://u:p@x.com/f", &[]).as_deref(), Some("Basic dTpw"));
        assert_eq!(of("https://u:p@x.com/f", &both).as_deref(), Some("Digest d"));
        let repository = "https://x.com/r.git";
        assert_eq!(of(repository, &[("GIT_AUTH_TOKEN", "t")]).as_deref(), Some("Basic eC1hY2Nlc3MtdG9rZW46dA=="));
        let several = [("GIT_AUTH_TOKEN", "t"), ("GIT_AUTH_HEADER.x.com", "h")];
        assert_eq!(of(repository, &several).as_deref(), Some("h"));
        assert_eq!(of(repository, &[("GIT_AUTH_TOKEN.y.com", "t")]), None);
        assert_eq!(of("git@x.com:r", &[("GIT_AUTH_TOKEN", "t")]), None);
        for wrong in ["a\nb", "", "\n"] {
            let error = of(file, &[("HTTP_AUTH_TOKEN_x.com", wrong)]).unwrap();
            assert_eq!(error, "error: the secret `HTTP_AUTH_TOKEN_x.com` cannot be sent to a server");
        }
    }
}
