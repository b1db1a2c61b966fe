//! Where views write to.

use std::io::Write;

/// Takes bytes in order. That nothing can be shown any more, as on a terminal that went away, stops nobody.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Collects what a view writes until somebody says [`Target::flush`], or until it is much: output of a step that is read
/// again from its log may be larger than memory.
#[derive(Debug)]
pub(crate) struct Target<W> {
    to: W,
    waiting: Vec<u8>,
}

const MUCH: usize = 64 << 10;

impl<W: Write> Target<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, waiting: Vec::new() }
    }

    /// In one piece, so that a frame does not flicker.
    pub(crate) fn flush(&mut self) {
        if !self.waiting.is_empty() {
            drop(self.to.write_all(&self.waiting).and_then(|()| self.to.flush()));
            self.waiting.clear();
        }
    }
}

impl<W: Write> Sink for Target<W> {
    fn put(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= MUCH {
            self.flush();
        }
    }
}
