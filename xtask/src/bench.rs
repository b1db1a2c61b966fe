//! `cargo xtask bench`.
use crate::Result;
pub(crate) fn run(_arguments: &[String]) -> Result<()> {
    Err("not yet".into())
}
