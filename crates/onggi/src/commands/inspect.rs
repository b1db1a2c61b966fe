//! `inspect`.

use engine::{Engine, Error, ErrorKind};
use serde_json::Value;

use crate::cli::image::{InspectArgs, ObjectType};
use crate::failure::Failure;
use crate::render::inspect;
use crate::session::Session;

/// Shows what is there, and then tells what is not (C051).
pub(super) fn run(args: &InspectArgs, session: &Session) -> Result<u8, Failure> {
    let engine = session.engine()?;
    let mut objects = Vec::new();
    let mut errors = Vec::new();
    for name in &args.names {
        match find(&engine, name, args.object_type) {
            Ok(found) => objects.extend(found),
            Err(error) => errors.push(error),
        }
    }
    let format = args.format.as_deref();
    let text = inspect::render(format, &objects).map_err(|error| Failure::in_format(error, format))?;
    session.print(&text)?;
    super::all_or_failure(errors)
}

/// Containers before images before volumes, as Docker looks (S230).
fn find(engine: &Engine, name: &str, object_type: Option<ObjectType>) -> Result<Vec<Value>, Error> {
    match object_type {
        Some(ObjectType::Image) => image(engine, name),
        Some(ObjectType::Container) => container(engine, name),
        Some(ObjectType::Volume) => volume(engine, name),
        None => {
            for look in [container, image, volume] {
                match look(engine, name) {
                    Err(error) if error.kind == ErrorKind::NotFound => {}
                    found => return found,
                }
            }
            let missing = Error::new(ErrorKind::NotFound, format!("no such object: {name}"));
            Err(missing.with_hint("`onggi images`, `onggi ps -a` and `onggi volume ls` list what is there"))
        }
    }
}

fn volume(engine: &Engine, name: &str) -> Result<Vec<Value>, Error> {
    engine::inspect_volume(engine, name).map(|object| vec![object])
}

fn image(engine: &Engine, name: &str) -> Result<Vec<Value>, Error> {
    let mut inspected = engine::inspect_images(engine, &[name.to_owned()])?;
    match inspected.errors.pop() {
        Some(error) => Err(error),
        None => Ok(inspected.objects),
    }
}

fn container(engine: &Engine, name: &str) -> Result<Vec<Value>, Error> {
    match engine::inspect_containers(engine, &[name.to_owned()])? {
        Value::Array(objects) => Ok(objects),
        object => Ok(vec![object]),
    }
}
