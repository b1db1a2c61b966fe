//! The tar that archives are written as: documents and layers, with no time, owner or user in it.

use std::fs::File;
use std::io::{self, Write};

use oci::{Descriptor, Digest};
use store::Store;

use super::error::SaveError;
use super::member::BLOCK;
use super::members::padding;
use super::names;

/// The member of a blob.
pub(super) fn blob(digest: Digest) -> String {
    format!("{}{}", names::BLOBS, digest.hex())
}

/// The tar being written. Headers and documents wait, so that they go out with one system call up to the next layer.
pub(super) struct Tar<'a, W: ?Sized> {
    out: &'a mut W,
    waiting: Vec<u8>,
}

impl<'a, W: Write + ?Sized> Tar<'a, W> {
    pub(super) fn new(out: &'a mut W) -> Self {
        Self { out, waiting: Vec::new() }
    }

    pub(super) fn folder(&mut self, path: &str) -> Result<(), SaveError> {
        self.header(path, 0o755, 0, b'5');
        self.flush_when_large()
    }

    pub(super) fn document(&mut self, path: &str, content: &[u8]) -> Result<(), SaveError> {
        self.header(path, 0o644, content.len() as u64, b'0');
        self.waiting.extend_from_slice(content);
        self.pad(content.len() as u64);
        self.flush_when_large()
    }

    pub(super) fn layer(&mut self, store: &Store, descriptor: &Descriptor) -> Result<(), SaveError> {
        let layer = oci::DiffId(descriptor.digest);
        let file = store.layer_tar(layer)?.ok_or(store::StoreError::LayerMissing(layer))?;
        self.file(file, descriptor)
    }

    /// A blob that is a file, read from where it stands.
    pub(super) fn file(&mut self, mut file: File, descriptor: &Descriptor) -> Result<(), SaveError> {
        let layer = descriptor.digest;
        self.header(&blob(layer), 0o644, descriptor.size, b'0');
        self.flush()?;
        // Between two files, `io::copy` lets the kernel do it: copy_file_range, sendfile or splice.
        let found = io::copy(&mut file, self.out).map_err(|source| SaveError::Write { source })?;
        if found != descriptor.size {
            return Err(SaveError::Layer { layer, expected: descriptor.size, found });
        }
        self.pad(descriptor.size);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), SaveError> {
        self.waiting.resize(self.waiting.len() + 2 * BLOCK, 0);
        self.flush()?;
        self.out.flush().map_err(|source| SaveError::Write { source })
    }

    fn pad(&mut self, size: u64) {
        self.waiting.resize(self.waiting.len() + padding(size) as usize, 0);
    }

    fn flush_when_large(&mut self) -> Result<(), SaveError> {
        if self.waiting.len() < 1 << 20 { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), SaveError> {
        self.out.write_all(&self.waiting).map_err(|source| SaveError::Write { source })?;
        self.waiting.clear();
        Ok(())
    }

    /// Our names are short and ASCII; only a layer's size may need more than ustar has (POSIX, pax, "size").
    fn header(&mut self, path: &str, mode: u64, size: u64, flag: u8) {
        const MOST: u64 = 0o77_777_777_777;
        if size > MOST {
            let record = |length: usize| format!("{length} size={size}\n");
            let length = (0..).find(|length| record(*length).len() == *length).unwrap_or_default();
            let record = record(length);
            self.block("PaxHeaders.0", 0o644, record.len() as u64, b'x');
            self.waiting.extend_from_slice(record.as_bytes());
            self.pad(record.len() as u64);
        }
        self.block(path, mode, if size > MOST { 0 } else { size }, flag);
    }

    fn block(&mut self, path: &str, mode: u64, size: u64, flag: u8) {
        let mut block = [0; BLOCK];
        block[..path.len()].copy_from_slice(path.as_bytes());
        octal(&mut block[100..107], mode);
        octal(&mut block[108..115], 0);
        octal(&mut block[116..123], 0);
        octal(&mut block[124..135], size);
        octal(&mut block[136..147], 0);
        block[148..156].fill(b' ');
        block[156] = flag;
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum = block.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut block[148..154], sum);
        block[154] = 0;
        self.waiting.extend_from_slice(&block);
    }
}

fn octal(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (number & 7) as u8;
        number >>= 3;
    }
}
