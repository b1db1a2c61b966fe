//! `tag`: another name for an image.

use oci::Reference;

use crate::{Engine, Error, ErrorKind};

/// Gives an image one more name; a name that stood for another image moves.
///
/// # Errors
/// When there is no such image, or the new name is not a name.
pub fn tag(engine: &Engine, source: &str, target: &str) -> Result<(), Error> {
    let target = new_name(target)?;
    let id = image::find(engine.store(), source)?.ok_or_else(|| Error::no_such_image(source))?;
    Ok(engine.store().set_reference(&target.with_default_tag(), id)?)
}

/// A name that an image may be given: one with a digest says already what it names.
pub(crate) fn new_name(text: &str) -> Result<Reference, Error> {
    let name: Reference = text.parse()?;
    if name.digest().is_none() {
        return Ok(name);
    }
    let message = format!("`{}` cannot be given to an image: a digest belongs to one content", name.familiar());
    Err(Error::new(ErrorKind::InvalidInput, message).with_hint("leave out the part behind `@`"))
}
