//! The streams of the process that a container runs in front of: its first client, without a socket between.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::containers::record::ContainerRecord;
use crate::streams::{Output, OutputStream};

/// Our own streams, those that were asked for.
#[derive(Debug)]
pub(in crate::containers) struct Console {
    has_input: bool,
    stdout: Option<Output>,
    stderr: Option<Output>,
}

/// Nobody reads that stream any more.
#[derive(Debug)]
pub(super) struct Broken;

impl Console {
    pub(in crate::containers) fn new(record: &ContainerRecord) -> Self {
        let streams = &record.streams;
        Self {
            has_input: streams.stdin,
            stdout: streams.stdout.then(|| Output::new(OutputStream::Stdout)),
            stderr: streams.stderr.then(|| Output::new(OutputStream::Stderr)),
        }
    }

    pub(super) fn has_input(&self) -> bool {
        self.has_input
    }

    fn all(&self) -> impl Iterator<Item = &Output> {
        self.stdout.iter().chain(&self.stderr)
    }

    pub(super) fn is_full(&self) -> bool {
        self.all().any(Output::is_full)
    }

    /// Something is not written yet.
    pub(super) fn has_more(&self) -> bool {
        self.outputs().next().is_some()
    }

    /// To be looked at until they can be written to.
    pub(super) fn outputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.all().filter_map(Output::waits_for)
    }

    pub(super) fn deliver(&mut self, stream: OutputStream, bytes: &[u8]) -> Result<(), Broken> {
        let output = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        match output {
            Some(output) => {
                output.push(bytes);
                if output.is_broken() { Err(Broken) } else { Ok(()) }
            }
            None => Ok(()),
        }
    }

    /// Writes what can be written now; gives those that cannot be written to any more.
    pub(super) fn flush(&mut self) -> Vec<OutputStream> {
        let mut broken = Vec::new();
        for (stream, output) in [(OutputStream::Stdout, &mut self.stdout), (OutputStream::Stderr, &mut self.stderr)] {
            if let Some(output) = output {
                output.flush();
                if output.is_broken() {
                    broken.push(stream);
                }
            }
        }
        broken
    }

    /// Reads once; 0 at the end, once. Called when there is something, so it does not wait.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match rustix::io::read(rustix::stdio::stdin(), buffer) {
            Err(Errno::INTR | Errno::AGAIN) => None,
            // A folder, or a terminal that is gone.
            Ok(0) | Err(_) => {
                self.has_input = false;
                Some(0)
            }
            Ok(count) => Some(count),
        }
    }
}
