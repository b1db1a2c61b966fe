//! `inspect`.

use engine::{Engine, Error, ErrorKind, Platform};
use serde_json::Value;

use crate::cli::image::{InspectArgs, ObjectType};
use crate::failure::Failure;
use crate::render::inspect;
use crate::session::Session;

/// Shows what is there, and then tells what is not (C051).
pub(super) fn run(args: &InspectArgs, session: &Session) -> Result<u8, Failure> {
    let platform = super::platforms::optional(args.platform.as_deref())?;
    let engine = session.engine()?;
    let mut objects = Vec::new();
    let mut errors = Vec::new();
    for name in &args.names {
        match find(&engine, name, args, platform.as_ref()) {
            Ok(found) => objects.push(found),
            Err(error) => errors.push(error),
        }
    }
    let format = args.format.as_deref();
    let text = inspect::render(format, &objects).map_err(|error| Failure::in_format(error, format))?;
    session.print(&text)?;
    super::all_or_failure(errors)
}

/// Containers before images before volumes, as Docker looks (S230).
fn find(engine: &Engine, name: &str, args: &InspectArgs, platform: Option<&Platform>) -> Result<Value, Error> {
    if let Some(object_type) = args.object_type {
        return find_as(object_type, engine, name, args, platform);
    }
    for object_type in [ObjectType::Container, ObjectType::Image, ObjectType::Network, ObjectType::Volume] {
        match find_as(object_type, engine, name, args, platform) {
            Err(error) if error.kind == ErrorKind::NotFound => {}
            found => return found,
        }
    }
    let missing = Error::new(ErrorKind::NotFound, format!("no such object: {name}"));
    Err(missing.with_hint("`onggi images`, `onggi ps -a` and `onggi volume ls` list what is there"))
}

fn find_as(
    object_type: ObjectType,
    engine: &Engine,
    name: &str,
    args: &InspectArgs,
    platform: Option<&Platform>,
) -> Result<Value, Error> {
    match object_type {
        ObjectType::Container => engine::inspect_container(engine, name, args.size),
        ObjectType::Image => image(engine, name, platform),
        ObjectType::Network => engine::inspect_network(engine, name),
        ObjectType::Volume => engine::inspect_volume(engine, name),
    }
}

fn image(engine: &Engine, name: &str, platform: Option<&Platform>) -> Result<Value, Error> {
    let mut inspected = engine::inspect_images(engine, &[name.to_owned()], platform)?;
    match (inspected.objects.pop(), inspected.errors.pop()) {
        (Some(object), None) => Ok(object),
        (_, Some(error)) => Err(error),
        (None, None) => Err(Error::no_such_image(name)),
    }
}
