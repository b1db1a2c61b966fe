//! Small pieces of text that people read: sizes, durations, shortened and harmless text, tables.
//!
//! All of it is pure: text and numbers in, text out. What is written where is the business of the callers. Only `prompt`
//! speaks to the terminal itself.

pub(crate) mod base64;
pub(crate) mod duration;
pub(crate) mod printable;
pub(crate) mod prompt;
pub(crate) mod size;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod time;
pub(crate) mod width;
