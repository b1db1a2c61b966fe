//! `--platform` of images that are here: each is for one platform, which must be one of those that were asked for.

use oci::{ImageId, Platform};

use crate::{Engine, Error, ErrorKind};

/// Refuses an image that is for none of these platforms; with none of them every image will do.
///
/// # Errors
/// When it is for another platform, in Docker's words, or is not there.
pub(crate) fn require(engine: &Engine, id: ImageId, name: &str, wanted: &[Platform]) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let is = engine.store().image(id)?.platform();
    if wanted.iter().any(|wanted| is.is_like(wanted)) {
        return Ok(());
    }
    let shown: Vec<_> = wanted.iter().map(Platform::to_string).collect();
    let message = format!(
        "image with reference {name} was found but does not provide the specified platform ({})",
        shown.join(", ")
    );
    Err(Error::new(ErrorKind::NotFound, message).with_hint(format!("it is for {is}")))
}
