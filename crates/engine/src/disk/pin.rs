//! `image pin` and `image unpin`: an image that no prune removes, whatever it is called (N036).

use oci::ImageId;

use crate::{Engine, Error};

/// Pins an image. Gives its ID.
///
/// # Errors
/// When there is no such image, or the pin cannot be made.
pub fn pin_image(engine: &Engine, name: &str) -> Result<ImageId, Error> {
    let id = find(engine, name)?;
    engine.store().pin(id)?;
    Ok(id)
}

/// Takes the pin away. Gives the image's ID; one that was not pinned stays as it is.
///
/// # Errors
/// When there is no such image, or the pin cannot be removed.
pub fn unpin_image(engine: &Engine, name: &str) -> Result<ImageId, Error> {
    let id = find(engine, name)?;
    engine.store().unpin(id)?;
    Ok(id)
}

fn find(engine: &Engine, name: &str) -> Result<ImageId, Error> {
    image::find(engine.store(), name)?.ok_or_else(|| Error::no_such_image(name))
}
