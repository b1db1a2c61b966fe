//! `logs`: what was kept, read again.

use super::NAME;
use super::format::{ReadRow, read_json, read_local};
use super::settings::Driver;
use crate::containers::container::Container;
use crate::streams::OutputStream;
use crate::{Engine, Error, ErrorKind};

/// One line of a container's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whether it came from standard error.
    pub is_stderr: bool,
    /// The text, usually with its line break.
    pub text: Vec<u8>,
}

/// All output of a container so far (S070).
///
/// # Errors
/// When there is no such container or its log cannot be read.
pub fn logs(engine: &Engine, name: &str) -> Result<Vec<LogLine>, Error> {
    let container = Container::find(engine, name)?;
    let driver = container.record.log.driver();
    if driver == Driver::None {
        let message = "configured logging driver does not support reading";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let mut lines = Vec::new();
    for number in (0..older_files(&container)?).rev() {
        let name = if number == 0 { NAME.to_owned() } else { format!("{NAME}.{number}") };
        let content = container.folder.read(&name)?.unwrap_or_default();
        lines.extend(
            rows(driver, &content).map(|row| LogLine { is_stderr: row.stream == OutputStream::Stderr, text: row.text }),
        );
    }
    Ok(lines)
}

fn older_files(container: &Container) -> Result<u32, Error> {
    let mut number = 1;
    while container.folder.path().join(format!("{NAME}.{number}")).exists() {
        number += 1;
    }
    Ok(number)
}

fn rows(driver: Driver, content: &[u8]) -> Box<dyn Iterator<Item = ReadRow> + '_> {
    match driver {
        Driver::Local => Box::new(entries(content).filter_map(read_local)),
        Driver::JsonFile | Driver::None => {
            Box::new(content.split_inclusive(|byte| *byte == b'\n').filter_map(read_json))
        }
    }
}

/// What is between two equal lengths.
fn entries(mut content: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = content.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (entry, rest) = rest.split_at_checked(length)?;
        content = rest.get(4..)?;
        Some(entry)
    })
}
