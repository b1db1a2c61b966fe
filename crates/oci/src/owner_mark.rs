//! The owner of a file, written beside it where the kernel cannot keep it.
//!
//! In a user namespace a file can only be given to those whose IDs the namespace has. Where it has not the one that a layer names,
//! the file belongs to root there, and this mark says whose it is. It never becomes an attribute in a layer.

use std::ffi::CStr;
use std::fmt;

/// Owner and group of a file that belongs to root as far as the kernel knows.
///
/// Its text is `UID:GID` in decimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerMark {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl OwnerMark {
    /// The extended attribute of the file that holds it.
    pub const ATTRIBUTE: &CStr = c"user.onggi.owner";

    /// Reads an attribute's value; `None` for what this program has not written: anybody who may write to the file can.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (uid, gid) = std::str::from_utf8(value).ok()?.split_once(':')?;
        let number = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|id| is_plain && *id != u32::MAX)
        };
        Some(Self { uid: number(uid)?, gid: number(gid)? })
    }
}

impl fmt::Display for OwnerMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

#[cfg(test)]
mod tests {
    use super::OwnerMark;

    #[test]
    fn only_two_numbers_are_a_mark() {
        let mark = OwnerMark { uid: 1000, gid: 4_294_967_294 };
        assert_eq!(OwnerMark::parse(mark.to_string().as_bytes()), Some(mark));
        for text in ["", ":", "1", "1:", ":1", "1:2:3", "+1:2", "-1:2", "1: 2", "1:4294967295", "4294967296:1", "a:b"] {
            assert_eq!(OwnerMark::parse(text.as_bytes()), None, "{text}");
        }
    }
}
