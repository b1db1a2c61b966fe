//! Reading: files that may be missing, and never more of them than a configuration has.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value};

use super::error::ConfigError;

const LARGEST: u64 = 4 << 20;

/// The content; `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    match read_bounded(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }),
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {LARGEST} bytes")));
    }
    Ok(content)
}

/// A JSON object; an empty file is an empty one.
pub(crate) fn object(path: &Path, content: &[u8]) -> Result<Map<String, Value>, ConfigError> {
    let wrong = |line: usize, reason: String| ConfigError::Syntax { path: path.to_owned(), line: line.max(1), reason };
    if content.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(content) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(wrong(1, "not a JSON object".to_owned())),
        Err(error) => Err(wrong(error.line(), format!("not JSON: {error}"))),
    }
}
