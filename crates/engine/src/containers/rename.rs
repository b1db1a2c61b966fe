//! `rename`: another name for a container.

use super::container::Container;
use super::create::check_name;
use super::events;
use crate::{Engine, Error, ErrorKind};

/// Gives a container another name.
///
/// # Errors
/// When the name is taken, or cannot be one.
pub fn rename(engine: &Engine, name: &str, new: &str) -> Result<(), Error> {
    let container = Container::find(engine, name)?;
    let new = new.trim_start_matches('/');
    check_name(new).map_err(|error| error.with_exit_code(1))?;
    if new == container.record.name {
        let message = "renaming a container with the same name as its current name";
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    container.rename(engine, new)?;
    let old = format!("/{}", container.record.name);
    events::note(engine, &container, "rename", &[("oldName", &old), ("name", new)]);
    Ok(())
}
