//! Variables as people give them: `NAME=VALUE`, `NAME` for the value that it has here, and files of such lines.

use std::path::Path;

/// What is wrong with a variable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EnvError {
    /// `=value`, or nothing.
    NoName { text: String },
    /// A space in the name.
    Space { file: String, line: usize, name: String },
    /// A line that is not UTF-8.
    NotText { file: String, line: usize },
}

impl std::fmt::Display for EnvError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoName { text } => write!(formatter, "variable `{text}` has no name"),
            Self::Space { file, line, name } => {
                write!(formatter, "line {line} of `{file}`: variable `{name}` has a space in its name")
            }
            Self::NotText { file, line } => write!(formatter, "line {line} of `{file}` is not UTF-8"),
        }
    }
}

/// `NAME=VALUE` as it is, `NAME` with the value that `lookup` gives, left out when there is none.
pub(crate) fn variable(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<(String, String)>, EnvError> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, lookup(text)),
    };
    match name.is_empty() {
        true => Err(EnvError::NoName { text: text.to_owned() }),
        false => Ok(value.map(|value| (name.to_owned(), value))),
    }
}

/// The lines of an `--env-file`: spaces before a line, empty lines and `#` comments do not count; quotes do.
pub(crate) fn file(
    path: &Path,
    bytes: &[u8],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, EnvError> {
    let file = path.display().to_string();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut variables = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let not_text = |_| EnvError::NotText { file: file.clone(), line: number + 1 };
        let line = std::str::from_utf8(line).map_err(not_text)?.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or(line);
        if name.contains(char::is_whitespace) {
            return Err(EnvError::Space { file, line: number + 1, name: name.to_owned() });
        }
        variables.extend(variable(line, lookup)?);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests;
