//! `tag`: another name for an image.

use oci::Reference;

use crate::{Engine, Error, ErrorKind};

/// Gives an image one more name; a name that stood for another image moves.
///
/// # Errors
/// When there is no such image, or the new name is not a name.
pub fn tag(engine: &Engine, source: &str, target: &str) -> Result<(), Error> {
    let target: Reference = target.parse()?;
    if target.digest().is_some() {
        let message = format!("cannot tag `{source}` as `{}`: a name with a digest cannot be given", target.familiar());
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint("leave out the part behind `@`"));
    }
    let id = image::find(engine.store(), source)?.ok_or_else(|| Error::no_such_image(source))?;
    Ok(engine.store().set_reference(&target.with_default_tag(), id)?)
}
