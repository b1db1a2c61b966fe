//! `commit`: what a container has written becomes one more layer, and the container an image (S240 to S246).
//!
//! What is mounted in the container (volumes, binds) is not in its writable folder, and so not in the image.

use std::os::fd::AsFd;

use image::{CaptureError, Changes, Stack};
use oci::{ContainerConfig, History, ImageId, Reference, StringOrList};
use serde_json::Value;

use super::container::Container;
use super::events;
use super::pause::hold_still;
use super::record::ContainerRecord;
use crate::changes::apply_changes;
use crate::{Engine, Error, ErrorKind};

/// What `commit` was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitOptions {
    /// Container by name or ID.
    pub container: String,
    /// Name of the image; none otherwise.
    pub name: Option<String>,
    /// Who made it.
    pub author: String,
    /// Remark for its history.
    pub message: String,
    /// Dockerfile instructions for its config.
    pub changes: Vec<String>,
    /// Pause it while its files are read, if it runs.
    pub pause: bool,
}

/// An image of a container.
#[derive(Debug)]
pub struct Committed {
    /// Its ID.
    pub id: ImageId,
    /// Why the container could not be paused meanwhile, where it should have been.
    pub unrest: Option<Error>,
}

/// Makes an image of a container; its parent is the container's image.
///
/// # Errors
/// When there is no such container, a change or the name is wrong, or its files cannot be read. Nothing is listed then.
pub fn commit(engine: &Engine, options: &CommitOptions) -> Result<Committed, Error> {
    let name = options.name.as_deref().map(image_name).transpose()?;
    let store = engine.store();
    let container = Container::find(engine, &options.container)?;
    // From here on it cannot be removed.
    let _reader = container.keep()?;
    let record = &container.record;
    let mut image = store.image(record.image)?;
    image.config = config_of(record, &image.config);
    apply_changes(&mut image.config, &options.changes)?;

    let lease = store.lease()?;
    let stack = Stack::open(store, &image.rootfs.diff_ids)?;
    let (upper, work) = (container.folder.subfolder("upper")?, container.folder.subfolder("work")?);
    let changes = Changes { upper: upper.as_fd(), work: Some(work.as_fd()) };
    // Without control groups nobody can be paused; then the image is what a copy of files in use is.
    let (stillness, unrest) = match options.pause.then(|| hold_still(&container)).transpose() {
        Err(error) if store.is_of_ordinary_user() => (None, Some(error)),
        stillness => (stillness?, None),
    };
    let captured = image::capture(store, &stack, changes, &record.user, None);
    let captured = captured.map_err(|error| unread(record, error))?;
    drop(stillness);
    lease.hold(captured.diff_id().0)?;
    let layer = captured.keep(store).map_err(|error| unread(record, error))?;

    let created = engine.now().to_string();
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    image.rootfs.diff_ids.push(layer);
    image.author = text(&options.author);
    image.created = Some(created.clone());
    image.extra.remove("comment");
    if let Some(comment) = text(&options.message) {
        image.extra.insert("comment".to_owned(), comment.into());
    }
    image.history.push(History {
        created: Some(created),
        created_by: text(&record.cmd.join(" ")),
        author: text(&options.author),
        comment: text(&options.message),
        ..History::default()
    });
    let id = store.publish_image(&image.to_bytes(), Some(record.image))?;
    if let Some(name) = name {
        store.set_reference(&name, id)?;
    }
    let reference = options.name.clone().unwrap_or_default();
    let more = [("comment", options.message.as_str()), ("imageID", &id.to_string()), ("imageRef", &reference)];
    events::note(engine, &container, "commit", &more);
    Ok(Committed { id, unrest })
}

/// `REPOSITORY[:TAG]`.
fn image_name(text: &str) -> Result<Reference, Error> {
    let name: Reference = text.parse()?;
    if name.digest().is_some() {
        let message = format!("cannot commit as `{}`: a name with a digest cannot be given", name.familiar());
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint("leave out the part behind `@`"));
    }
    Ok(name.with_default_tag())
}

/// The image's config with what the container was told. HEALTHCHECK, ONBUILD and SHELL stay (N043).
fn config_of(record: &ContainerRecord, image: &ContainerConfig) -> ContainerConfig {
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    let words = |words: &[String]| (!words.is_empty()).then(|| StringOrList(words.to_vec()));
    ContainerConfig {
        user: record.user.clone(),
        env: record.env.clone(),
        exposed_ports: object(record.network.describe_exposed()),
        healthcheck: record.health.describe().and_then(|check| serde_json::from_value(check).ok()),
        volumes: object(record.mounts.describe_volumes()),
        entrypoint: words(&record.entrypoint),
        cmd: words(&record.cmd),
        // `/` is where a container starts whose image does not say.
        working_dir: if record.working_dir == "/" && image.working_dir.is_empty() {
            image.working_dir.clone()
        } else {
            record.working_dir.clone()
        },
        labels: record.labels.clone(),
        stop_signal: record.lifetime.stop_signal.clone(),
        ..image.clone()
    }
}

pub(super) fn unread(record: &ContainerRecord, error: CaptureError) -> Error {
    match error {
        CaptureError::Store(error) => error.into(),
        error => Error::new(ErrorKind::Internal, format!("cannot read what container {} has written", record.name))
            .because(&error),
    }
}
