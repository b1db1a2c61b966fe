//! Any bytes as a Dockerfile: parsed, checked, expanded, outlined, and once more as a trigger.

#![no_main]

#[path = "../../crates/dockerfile/tests/invariants/dockerfile.rs"]
mod invariants;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    invariants::check_dockerfile(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        invariants::check_trigger(text);
    }
});
