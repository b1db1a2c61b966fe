//! Values of secrets do not reach the output that is shown and kept, even when a command prints them.
//!
//! Of a secret with several lines, such as a key, each line counts. What a command changes before it prints it (in
//! base64, one letter at a time) is not known again: this is a net for accidents, not a wall.

use crate::Stream;
use crate::executor::{RunMountSource, RunRequest};

/// Shorter pieces would be found everywhere.
const SHORTEST: usize = 4;

/// What is shown in place of a value.
const MASK: &[u8] = b"****";

/// Reads along with one command's output.
#[derive(Debug)]
pub(crate) struct SecretFilter {
    /// Longest first, so that a whole secret is found before a line of it.
    secrets: Vec<Vec<u8>>,
    /// The end of what was read of each stream, while it may be the beginning of a secret.
    held: [Vec<u8>; 2],
}

impl SecretFilter {
    /// Knows the secrets that a command is given.
    pub(crate) fn of(request: &RunRequest<'_>) -> Self {
        let variables = request.secret_env.iter().map(|(_, secret)| secret.expose());
        let files = request.mounts.iter().filter_map(|mount| match &mount.source {
            RunMountSource::File { content, executable: false, .. } => Some(content.expose()),
            _ => None,
        });
        Self::new(variables.chain(files))
    }

    fn new<'s>(values: impl Iterator<Item = &'s [u8]>) -> Self {
        let mut secrets: Vec<Vec<u8>> = Vec::new();
        for value in values {
            let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let pieces = std::iter::once(value.trim_ascii()).chain(lines);
            secrets.extend(pieces.filter(|piece| piece.len() >= SHORTEST).map(<[u8]>::to_vec));
        }
        secrets.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        secrets.dedup();
        Self { secrets, held: [Vec::new(), Vec::new()] }
    }

    /// Hands on what may be shown; what may be the beginning of a secret is held until more comes.
    pub(crate) fn pass(&mut self, stream: Stream, data: &[u8], on: &mut dyn FnMut(Stream, &[u8])) {
        if self.secrets.is_empty() {
            return on(stream, data);
        }
        let held = &mut self.held[place(stream)];
        held.extend_from_slice(data);
        let (shown, read) = masked(&self.secrets, held, false);
        held.drain(..read);
        if !shown.is_empty() {
            on(stream, &shown);
        }
    }

    /// The command is over: what is held is no beginning of more.
    pub(crate) fn finish(self, on: &mut dyn FnMut(Stream, &[u8])) {
        for (stream, held) in [Stream::Stdout, Stream::Stderr].into_iter().zip(&self.held) {
            if !held.is_empty() {
                on(stream, &masked(&self.secrets, held, true).0);
            }
        }
    }
}

/// What may be shown of some output, and how much of it that is.
fn masked(secrets: &[Vec<u8>], output: &[u8], is_over: bool) -> (Vec<u8>, usize) {
    let mut shown = Vec::with_capacity(output.len());
    let mut at = 0;
    'output: while at < output.len() {
        let rest = &output[at..];
        for secret in secrets {
            if rest.starts_with(secret) {
                shown.extend_from_slice(MASK);
                at += secret.len();
                continue 'output;
            }
            if !is_over && secret.starts_with(rest) {
                break 'output;
            }
        }
        shown.push(output[at]);
        at += 1;
    }
    (shown, at)
}

fn place(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

#[cfg(test)]
mod tests;
