//! The tar format, in the dialects that occur in images: v7, ustar, GNU and PAX.
//!
//! Reading is one strict state machine without I/O ([`Reader`]); writing makes one deterministic form ([`encode`]).
//! The `tar-core` crate was tried first: it reads times before 1970 as errors, drops fractions of seconds, loses the
//! member boundary of a PAX 1.0 sparse file that also has a PAX `size`, and parses a chain of headers again for each
//! piece of input. Where parsers are known to disagree (field-notes 2.7), this one refuses instead of guessing.

pub(crate) mod encode;
#[cfg(test)]
pub(crate) mod forge;
mod header;
mod member;
mod pax;
mod reader;
mod sparse;

use crate::entry::{PathError, Shown};

pub(crate) use reader::{Event, Member, Reader};
pub(crate) use sparse::Segment;

/// Everything in a tar is counted in blocks of this size.
pub(crate) const BLOCK: usize = 512;

/// Prefix of names that remove something from the layers below (image-spec, layer.md, "Whiteouts").
pub(crate) const WHITEOUT: &[u8] = b".wh.";
/// Prefix of names that aufs kept for itself.
pub(crate) const AUFS: &[u8] = b".wh..wh.";
/// Name of the marker that hides all that the layers below have in a folder.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Why bytes are not a well-formed tar. Offsets count from the beginning of the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    /// The stream ended in the middle of something.
    #[error("tar ends at byte {offset}, within {within} of `{name}`")]
    Truncated {
        /// Length of the stream.
        offset: u64,
        /// The member last seen.
        name: String,
        /// What is incomplete.
        within: &'static str,
    },
    /// The checksum of a header does not fit its bytes.
    #[error("no tar header at byte {offset}, behind `{after}`: checksum is wrong")]
    Checksum {
        /// Where the block begins.
        offset: u64,
        /// The member before.
        after: String,
    },
    /// A single block of zeros inside the archive, where some readers stop and others go on.
    #[error("block of zeros inside tar at byte {offset}, behind `{after}`")]
    LoneZeroBlock {
        /// Where the block is.
        offset: u64,
        /// The member before.
        after: String,
    },
    /// A field of a header is malformed.
    #[error("field `{field}` is malformed in tar header of `{name}` at byte {offset}")]
    Field {
        /// Where the header begins.
        offset: u64,
        /// The member.
        name: String,
        /// Name of the field or of the PAX record.
        field: &'static str,
    },
    /// Two headers of one member contradict each other, so that two readers would see two archives.
    #[error("headers contradict each other about `{field}` of `{name}` at byte {offset}")]
    Conflict {
        /// Where the member's own header begins.
        offset: u64,
        /// The member.
        name: String,
        /// What it is about.
        field: &'static str,
    },
    /// Something is larger than a reader should hold in memory.
    #[error("{what} of `{name}` at byte {offset} is larger than {limit}")]
    Limit {
        /// Where the header begins.
        offset: u64,
        /// The member.
        name: String,
        /// What is too large.
        what: &'static str,
        /// The largest that is taken.
        limit: u64,
    },
    /// A member's name leads outside or is too long.
    #[error("cannot take member `{name}` at byte {offset}")]
    Name {
        /// Where the header begins.
        offset: u64,
        /// The name as it stands in the tar.
        name: String,
        /// What is wrong with it.
        #[source]
        source: PathError,
    },
    /// The name of a whiteout names nothing, or the folder itself.
    #[error("whiteout `{name}` at byte {offset} names nothing to remove")]
    Whiteout {
        /// Where the header begins.
        offset: u64,
        /// The whiteout's path.
        name: String,
    },
    /// A type of member that no image has.
    #[error("`{name}` at byte {offset} has tar type `{flag}`, which is not supported")]
    Type {
        /// Where the header begins.
        offset: u64,
        /// The member.
        name: String,
        /// Its type.
        flag: char,
    },
    /// The map of a sparse file does not describe a file.
    #[error("sparse file `{name}` at byte {offset} is malformed: {reason}")]
    Sparse {
        /// Where the header begins.
        offset: u64,
        /// The file.
        name: String,
        /// What does not fit.
        reason: &'static str,
    },
}

/// Whether a block is the header of some member: whether its checksum is right.
pub(crate) fn is_header(block: &[u8; BLOCK]) -> bool {
    header::Header::new(block).is_some()
}

/// A name for a message.
pub(crate) fn shown(name: &[u8]) -> String {
    Shown(name).to_string()
}

/// Bytes from a length to the next block.
pub(crate) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}
