//! Placeholder header, replaced with the crate's first real file.
