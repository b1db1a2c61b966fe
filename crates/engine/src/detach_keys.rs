//! The keys that leave a container alone: `ctrl-p,ctrl-q`.

use std::str::FromStr;

use crate::{Error, ErrorKind};

/// Keys to be typed one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys {
    keys: Vec<u8>,
}

impl Default for DetachKeys {
    fn default() -> Self {
        Self { keys: vec![0x10, 0x11] }
    }
}

impl FromStr for DetachKeys {
    type Err = Error;

    /// A list with commas of letters and of `ctrl-` with a letter or one of `@ [ \ ] ^ _`; empty for the usual ones.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let keys = text.split(',').map(key).collect::<Option<_>>();
        keys.map(|keys| Self { keys }).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, format!("invalid detach keys ({text})"))
                .with_hint("write them as in `--detach-keys ctrl-p,ctrl-q`, or `--detach-keys ctrl-]`")
        })
    }
}

fn key(word: &str) -> Option<u8> {
    if let [letter] = word.as_bytes() {
        return Some(*letter);
    }
    match word.strip_prefix("ctrl-")?.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
        [b'@'] => Some(0),
        [letter @ (b'[' | b'\\' | b']' | b'^' | b'_')] => Some(letter - b'[' + 27),
        _ => None,
    }
}

/// Looks for the keys in what is typed.
#[derive(Debug)]
pub(crate) struct DetachWatch {
    keys: Vec<u8>,
    typed: usize,
}

impl DetachWatch {
    pub(crate) fn new(keys: &DetachKeys) -> Self {
        Self { keys: keys.keys.clone(), typed: 0 }
    }

    /// What of these bytes is for the container, and whether the keys are complete: what comes behind them is dropped.
    ///
    /// Keys that could be the beginning are held back until it is known.
    pub(crate) fn sift(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.keys.get(self.typed) != Some(byte) {
                passed.extend_from_slice(&self.keys[..self.typed]);
                self.typed = 0;
            }
            if self.keys.get(self.typed) == Some(byte) {
                self.typed += 1;
                if self.typed == self.keys.len() {
                    return (passed, true);
                }
            } else {
                passed.push(*byte);
            }
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests;
