//! Bytes of an index file, fetched in pages when they are first touched.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use super::{IndexError, damaged};

/// Size of a page: what a single look-up costs. Larger ones help only those who read everything, and not much.
const PAGE: u64 = 4 << 10;

pub(super) enum Pages {
    Memory(Vec<u8>),
    File { file: File, length: u64, pages: Box<[OnceLock<Box<[u8]>>]> },
}

impl Pages {
    pub(super) fn memory(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes)
    }

    pub(super) fn open(file: File) -> Result<Self, IndexError> {
        let length = file.metadata().map_err(|source| IndexError::Read { source })?.len();
        let count = usize::try_from(length.div_ceil(PAGE)).map_err(|_| damaged("longer than memory"))?;
        let pages = (0..count).map(|_| OnceLock::new()).collect();
        Ok(Self::File { file, length, pages })
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// Bytes in a range; borrowed unless they lie on two pages.
    pub(super) fn read(&self, offset: u64, length: u64) -> Result<Cow<'_, [u8]>, IndexError> {
        let end = offset.checked_add(length).filter(|end| *end <= self.length());
        let end = end.ok_or(damaged("points behind its own end"))?;
        if let Self::Memory(bytes) = self {
            return Ok(Cow::Borrowed(&bytes[offset as usize..end as usize]));
        }
        if length == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let (first, last) = (offset / PAGE, (end - 1) / PAGE);
        if first == last {
            let page = self.page(first)?;
            let piece = page.get((offset % PAGE) as usize..(end - first * PAGE) as usize);
            return piece.map(Cow::Borrowed).ok_or(damaged("file became shorter"));
        }
        let mut bytes = Vec::with_capacity(length as usize);
        for number in first..=last {
            let page = self.page(number)?;
            let from = if number == first { offset % PAGE } else { 0 };
            let to = if number == last { end - last * PAGE } else { PAGE };
            bytes.extend_from_slice(page.get(from as usize..to as usize).ok_or(damaged("file became shorter"))?);
        }
        Ok(Cow::Owned(bytes))
    }

    fn page(&self, number: u64) -> Result<&[u8], IndexError> {
        let Self::File { file, length, pages } = self else { return Ok(&[]) };
        let page = pages.get(number as usize).ok_or(damaged("points behind its own end"))?;
        if let Some(bytes) = page.get() {
            return Ok(bytes);
        }
        let size = PAGE.min(length - number * PAGE);
        let mut bytes = vec![0; size as usize].into_boxed_slice();
        file.read_exact_at(&mut bytes, number * PAGE).map_err(|source| IndexError::Read { source })?;
        // Another thread may have been faster; both have read the same.
        Ok(page.get_or_init(|| bytes))
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.length())
    }
}
