//! Any bytes as a path, and what is behind the first line end as the ignore file over it.

#![no_main]

#[path = "../../crates/dockerfile/tests/invariants/ignore_file.rs"]
mod invariants;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (path, text) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    invariants::check_ignore_file(text, path);
    if let Ok(pattern) = std::str::from_utf8(text) {
        invariants::check_path_pattern(pattern.trim_end(), path);
    }
});
