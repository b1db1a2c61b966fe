//! Forges tars by hand for tests, well-formed and malformed ones.

use super::{BLOCK, padding};

/// A header block under construction.
#[derive(Clone)]
pub(crate) struct Forged(pub(crate) [u8; BLOCK]);

impl Forged {
    /// A ustar header with mode 644, owner 0 and time 0.
    pub(crate) fn new(name: &[u8], flag: u8, size: u64) -> Self {
        let mut block = [0; BLOCK];
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(b"0000644\0");
        block[108..116].copy_from_slice(b"0000000\0");
        block[116..124].copy_from_slice(b"0000000\0");
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[136..148].copy_from_slice(b"00000000000\0");
        block[156] = flag;
        block[257..265].copy_from_slice(b"ustar\x0000");
        Self(block)
    }

    pub(crate) fn set(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn gnu(self) -> Self {
        self.set(257, b"ustar  \0")
    }

    pub(crate) fn link(self, target: &[u8]) -> Self {
        self.set(157, target)
    }

    fn sealed(&self) -> [u8; BLOCK] {
        let mut block = self.0;
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }
}

/// A tar under construction.
#[derive(Default, Clone)]
pub(crate) struct Tarball(pub(crate) Vec<u8>);

impl Tarball {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn header(mut self, header: &Forged) -> Self {
        self.0.extend_from_slice(&header.sealed());
        self
    }

    /// Content and its padding.
    pub(crate) fn data(mut self, data: &[u8]) -> Self {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len() + padding(data.len() as u64) as usize, 0);
        self
    }

    pub(crate) fn file(self, name: &[u8], data: &[u8]) -> Self {
        self.header(&Forged::new(name, b'0', data.len() as u64)).data(data)
    }

    pub(crate) fn directory(self, name: &[u8]) -> Self {
        self.header(&Forged::new(name, b'5', 0).set(100, b"0000755\0"))
    }

    pub(crate) fn link(self, name: &[u8], target: &[u8]) -> Self {
        self.header(&Forged::new(name, b'1', 0).link(target))
    }

    pub(crate) fn symlink(self, name: &[u8], target: &[u8]) -> Self {
        self.header(&Forged::new(name, b'2', 0).link(target))
    }

    /// A PAX header of the given kind (`x` or `g`).
    pub(crate) fn pax(self, flag: u8, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..).find(|length| rest + length.to_string().len() == *length).unwrap();
            text.extend_from_slice(format!("{length} {key}=").as_bytes());
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        self.raw_pax(flag, &text)
    }

    pub(crate) fn raw_pax(self, flag: u8, text: &[u8]) -> Self {
        self.header(&Forged::new(b"PaxHeaders/x", flag, text.len() as u64)).data(text)
    }

    /// GNU's long name (`L`) or long link (`K`).
    pub(crate) fn long(self, flag: u8, name: &[u8]) -> Self {
        let header = Forged::new(b"././@LongLink", flag, name.len() as u64 + 1).gnu();
        self.header(&header).data(&[name, b"\0"].concat())
    }

    /// Both blocks of zeros.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }
}
