//! One block of a tar header, seen as fields (POSIX.1-2017, pax, "ustar Interchange Format").

use super::BLOCK;

/// A header block whose checksum is right.
#[derive(Clone, Copy)]
pub(super) struct Header<'a>(&'a [u8; BLOCK]);

/// Which extension of v7 the header's magic announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    V7,
    Ustar,
    Gnu,
}

impl<'a> Header<'a> {
    /// Checks the sum; some old writers added the bytes as signed numbers.
    pub(super) fn new(block: &'a [u8; BLOCK]) -> Option<Self> {
        let announced = number(&block[148..156])?;
        let around = block[..148].iter().chain(&block[156..]);
        let unsigned = around.clone().map(|byte| i64::from(*byte)).sum::<i64>() + 8 * 32;
        if announced == unsigned {
            return Some(Self(block));
        }
        let signed = around.map(|byte| i64::from(byte.cast_signed())).sum::<i64>() + 8 * 32;
        (announced == signed).then_some(Self(block))
    }

    pub(super) fn dialect(self) -> Dialect {
        match &self.0[257..265] {
            b"ustar  \0" => Dialect::Gnu,
            magic if magic.starts_with(b"ustar\0") => Dialect::Ustar,
            _ => Dialect::V7,
        }
    }

    pub(super) fn flag(self) -> u8 {
        self.0[156]
    }

    /// The name with its ustar prefix.
    pub(super) fn name(self) -> Vec<u8> {
        let name = until_zero(&self.0[..100]);
        let prefix = until_zero(&self.0[345..500]);
        if self.dialect() != Dialect::Ustar || prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(super) fn link(self) -> &'a [u8] {
        until_zero(&self.0[157..257])
    }

    pub(super) fn mode(self) -> Option<i64> {
        number(&self.0[100..108])
    }

    pub(super) fn uid(self) -> Option<i64> {
        number(&self.0[108..116])
    }

    pub(super) fn gid(self) -> Option<i64> {
        number(&self.0[116..124])
    }

    pub(super) fn size(self) -> Option<i64> {
        number(&self.0[124..136])
    }

    pub(super) fn mtime(self) -> Option<i64> {
        number(&self.0[136..148])
    }

    pub(super) fn device(self) -> Option<(i64, i64)> {
        Some((number(&self.0[329..337])?, number(&self.0[337..345])?))
    }

    /// The four segments of an old GNU sparse header, whether more blocks follow, and the file's size.
    pub(super) fn gnu_sparse(self) -> (&'a [u8], bool, Option<i64>) {
        (&self.0[386..482], self.0[482] != 0, number(&self.0[483..495]))
    }
}

fn until_zero(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// Reads an octal field, or GNU's base-256 form where the first bit is set; blank is zero.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        return base256(*first, rest);
    }
    let is_blank = |byte: &u8| *byte == b' ' || *byte == 0;
    let start = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(is_blank).unwrap_or(digits.len());
    digits[..end].iter().try_fold(0i64, |sum, digit| match digit {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Two's complement, big end first, in the seven bits of `first` and all of `rest`.
fn base256(first: u8, rest: &[u8]) -> Option<i64> {
    let negative = first & 0x40 != 0;
    let top = if negative { i64::from(first) - 0x100 } else { i64::from(first & 0x3f) };
    rest.iter().try_fold(top, |sum, byte| sum.checked_mul(256)?.checked_add(i64::from(*byte)))
}

#[cfg(test)]
mod tests;
