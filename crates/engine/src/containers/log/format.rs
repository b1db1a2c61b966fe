//! Rows of log files: Docker's `json-file`, one JSON object in a line, and Docker's `local`, protocol buffers.
//!
//! Written byte for byte as Docker 28 does, so that whatever reads its files reads ours. JSON is text: a byte that is not
//! UTF-8 is kept as U+FFFD there; `local` keeps it as it is.

use jiff::Timestamp;

use crate::streams::OutputStream;

/// One row, to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) stream: OutputStream,
    /// Without its line break.
    pub(super) text: &'a [u8],
    pub(super) time: Timestamp,
    /// The line goes on in the next row.
    pub(super) is_partial: bool,
}

/// One row that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::containers) struct ReadRow {
    pub(in crate::containers) stream: OutputStream,
    /// With its line break, if it has one.
    pub(in crate::containers) text: Vec<u8>,
    pub(in crate::containers) time: Timestamp,
    /// What `--details` shows.
    pub(in crate::containers) attributes: Vec<(String, String)>,
}

fn name(stream: OutputStream) -> &'static str {
    match stream {
        OutputStream::Stdout => "stdout",
        OutputStream::Stderr => "stderr",
    }
}

fn stream_of(name: &[u8]) -> OutputStream {
    if name == b"stderr" { OutputStream::Stderr } else { OutputStream::Stdout }
}

/// `{"log":"…\n","stream":"stdout","attrs":{…},"time":"…"}`.
pub(super) fn add_json(to: &mut Vec<u8>, row: &Row<'_>, attributes: &[(String, String)]) {
    to.extend_from_slice(b"{\"log\":\"");
    escape(to, row.text);
    to.extend_from_slice(if row.is_partial { b"\",\"stream\":\"" } else { b"\\n\",\"stream\":\"" });
    to.extend_from_slice(name(row.stream).as_bytes());
    to.push(b'"');
    for (place, (key, value)) in attributes.iter().enumerate() {
        to.extend_from_slice(if place == 0 { b",\"attrs\":{\"" } else { b",\"" });
        escape(to, key.as_bytes());
        to.extend_from_slice(b"\":\"");
        escape(to, value.as_bytes());
        to.push(b'"');
    }
    if !attributes.is_empty() {
        to.push(b'}');
    }
    to.extend_from_slice(format!(",\"time\":\"{}\"}}\n", row.time).as_bytes());
}

/// As Go's encoder does, with what HTML would take for markup escaped too.
fn escape(to: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        let mut start = 0;
        for (place, byte) in valid.bytes().enumerate() {
            let escaped = match byte {
                b'"' => "\\\"".to_owned(),
                b'\\' => "\\\\".to_owned(),
                b'\n' => "\\n".to_owned(),
                b'\r' => "\\r".to_owned(),
                0..0x20 | b'<' | b'>' | b'&' => format!("\\u00{byte:02x}"),
                // U+2028 and U+2029, which end a line in JavaScript.
                0xe2 if valid[place..].starts_with(['\u{2028}', '\u{2029}']) => {
                    let last = valid.as_bytes()[place + 2] - 0xa0;
                    to.extend_from_slice(&valid.as_bytes()[start..place]);
                    to.extend_from_slice(format!("\\u202{last:x}").as_bytes());
                    start = place + 3;
                    continue;
                }
                _ => continue,
            };
            to.extend_from_slice(&valid.as_bytes()[start..place]);
            to.extend_from_slice(escaped.as_bytes());
            start = place + 1;
        }
        to.extend_from_slice(&valid.as_bytes()[start..]);
        chunk.invalid().iter().for_each(|_| to.extend_from_slice(b"\\ufffd"));
    }
}

/// A row of `json-file`; nothing where it is none.
pub(super) fn read_json(line: &[u8]) -> Option<ReadRow> {
    let row: serde_json::Value = serde_json::from_slice(line).ok()?;
    let text = |key: &str| row.get(key)?.as_str();
    let attributes = row.get("attrs").and_then(|attributes| attributes.as_object()).into_iter().flatten();
    Some(ReadRow {
        stream: stream_of(text("stream")?.as_bytes()),
        text: text("log")?.as_bytes().to_vec(),
        time: text("time")?.parse().ok()?,
        attributes: attributes
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
    })
}

/// `message LogEntry { string source = 1; int64 time_nano = 2; bytes line = 3; bool partial = 4; … }` between its length
/// and its length again, four bytes each, big endian.
pub(super) fn add_local(to: &mut Vec<u8>, row: &Row<'_>) {
    let mut entry = vec![0x0a];
    add_bytes(&mut entry, name(row.stream).as_bytes());
    entry.push(0x10);
    let nanoseconds = i64::try_from(row.time.as_nanosecond()).unwrap_or_default();
    add_number(&mut entry, nanoseconds.cast_unsigned());
    entry.push(0x1a);
    add_bytes(&mut entry, row.text);
    if row.is_partial {
        entry.extend_from_slice(&[0x20, 1]);
    }
    let length = u32::try_from(entry.len()).unwrap_or_default().to_be_bytes();
    to.extend_from_slice(&length);
    to.append(&mut entry);
    to.extend_from_slice(&length);
}

fn add_number(to: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push((number & 0x7f) as u8);
}

fn add_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    add_number(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

/// An entry of `local`, without the lengths around it.
pub(super) fn read_local(mut entry: &[u8]) -> Option<ReadRow> {
    let mut row =
        ReadRow { stream: OutputStream::Stdout, text: Vec::new(), time: Timestamp::UNIX_EPOCH, attributes: Vec::new() };
    let mut is_partial = false;
    while !entry.is_empty() {
        let key = take_number(&mut entry)?;
        match key & 7 {
            0 => {
                let number = take_number(&mut entry)?;
                match key >> 3 {
                    2 => row.time = Timestamp::from_nanosecond(number.cast_signed().into()).ok()?,
                    4 => is_partial = number != 0,
                    _ => {}
                }
            }
            2 => {
                let length = usize::try_from(take_number(&mut entry)?).ok()?;
                let (bytes, rest) = entry.split_at_checked(length)?;
                entry = rest;
                match key >> 3 {
                    1 => row.stream = stream_of(bytes),
                    3 => row.text = bytes.to_vec(),
                    _ => {}
                }
            }
            _ => return None,
        }
    }
    if !is_partial {
        row.text.push(b'\n');
    }
    Some(row)
}

fn take_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
