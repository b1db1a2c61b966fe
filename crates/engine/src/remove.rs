//! `rmi`: takes names away, then images that have none left, then parents that only they needed (S280-S288).
//!
//! The rules and their order are Docker's: a name that is not the last one is only taken away; the last one takes the
//! image with it unless an image or a container still stands on it.

use oci::{ChainId, ImageId, Platform, Reference};

use crate::containers::container::Container;
use crate::{Engine, Error, ErrorKind, platform};

/// What `rmi` was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveOptions<'a> {
    /// Even what stopped containers use, and all names at once.
    pub force: bool,
    /// Keep parents that have no name.
    pub no_prune: bool,
    /// Only images that are for one of these, where there are any.
    pub platforms: &'a [Platform],
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// A name was taken away; as people write it.
    Untagged(String),
    /// An image, or a layer by its chain ID, was deleted.
    Deleted(String),
}

/// What was removed, and what could not be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemovedImages {
    /// In the order in which it happened.
    pub removals: Vec<Removal>,
    /// One for each name that could not be removed; the others are gone all the same.
    pub errors: Vec<Error>,
}

/// Removes images by name or ID.
///
/// # Errors
/// When the store fails. What cannot be removed is in [`RemovedImages::errors`].
pub fn remove_images(engine: &Engine, names: &[String], options: RemoveOptions<'_>) -> Result<RemovedImages, Error> {
    let mut removed = RemovedImages::default();
    for name in names {
        let mut remover = Remover { engine, options, removals: &mut removed.removals };
        if let Err(error) = remover.remove(name) {
            let is_ours = matches!(error.kind, ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::InvalidInput);
            if !is_ours {
                return Err(error);
            }
            // `-f` of what is not there is no failure.
            if !(options.force && error.kind == ErrorKind::NotFound && options.platforms.is_empty()) {
                removed.errors.push(error);
            }
        }
    }
    Ok(removed)
}

struct Remover<'a> {
    engine: &'a Engine,
    options: RemoveOptions<'a>,
    removals: &'a mut Vec<Removal>,
}

/// Why an image has to stay.
#[derive(Debug)]
struct Obstacle {
    message: String,
    /// Not even `-f` helps.
    is_hard: bool,
    /// A container uses it.
    is_used: bool,
}

/// Which reasons count.
#[derive(Debug, Clone, Copy)]
struct Respect {
    names: bool,
    stopped: bool,
}

impl Remover<'_> {
    fn remove(&mut self, name: &str) -> Result<(), Error> {
        let store = self.engine.store();
        let id = image::find(store, name)?.ok_or_else(|| Error::no_such_image(name))?;
        platform::require(self.engine, id, name, self.options.platforms)?;
        let names = self.names(id)?;
        let is_single = is_single(&names);
        let force = self.options.force;
        let named = self.named(name, id, &names);
        let is_last = named.as_ref().is_none_or(|reference| without(&names, reference).is_empty());
        if is_last && store.is_pinned(id)? {
            let message = format!("conflict: unable to delete {} (cannot be forced) - image is pinned", id.0.short());
            let hint = format!("let it go first: `onggi image unpin {name}`");
            return Err(Error::new(ErrorKind::Conflict, message).with_hint(hint));
        }
        let Some(reference) = named else {
            if is_single {
                let respect = Respect { names: false, stopped: !force };
                if let Some(obstacle) = self.obstacle(id, respect)? {
                    return Err(conflict(id, &obstacle));
                }
                self.untag_all(&names)?;
            }
            return self.delete(id, force, false);
        };
        if is_single
            && !force
            && let Some((container, _)) = self.users(id)?.into_iter().next()
        {
            let message = format!(
                "conflict: unable to remove repository reference \"{name}\" (must force) - container {} is using its referenced image {}",
                short(&container),
                id.0.short()
            );
            return Err(Error::new(ErrorKind::Conflict, message)
                .with_hint(format!("remove the container first: `onggi rm {}`", short(&container))));
        }
        self.untag(&reference)?;
        let names = self.names(id)?;
        let left = without(&names, &reference);
        for other in names.iter().filter(|other| !left.contains(other)) {
            self.untag(other)?;
        }
        if left.is_empty() { self.delete(id, force, true) } else { Ok(()) }
    }

    /// The name that is to be taken away; `None` when an ID, or the beginning of one, was given.
    fn named(&self, text: &str, id: ImageId, names: &[Reference]) -> Option<Reference> {
        let asked: Reference = text.parse().ok()?;
        let tagged = asked.clone().with_default_tag();
        if names.contains(&tagged) {
            return Some(tagged);
        }
        // `name:tag@digest` was found by its digest; what is kept is the name.
        let same = |name: &&Reference| {
            name.registry() == asked.registry()
                && name.repository() == asked.repository()
                && asked.tag().is_none_or(|tag| name.tag() == Some(tag))
        };
        let is_prefix = id.0.hex().starts_with(text.strip_prefix("sha256:").unwrap_or(text));
        asked.digest().filter(|_| !is_prefix).and_then(|_| names.iter().find(same).cloned())
    }

    /// Deletes an image. In `quiet` mode, an image that must stay is not an error unless it is dangling.
    fn delete(&mut self, id: ImageId, force: bool, quiet: bool) -> Result<(), Error> {
        let mut next = Some((id, force, quiet));
        while let Some((id, force, quiet)) = next.take() {
            let respect = Respect { names: !force, stopped: !force };
            if let Some(obstacle) = self.obstacle(id, respect)? {
                let is_dangling = self.names(id)?.is_empty() && !self.has_children(id)?;
                return if quiet && (!is_dangling || obstacle.is_used) { Ok(()) } else { Err(conflict(id, &obstacle)) };
            }
            let parent = self.engine.store().parent(id)?;
            self.untag_all(&self.names(id)?)?;
            self.delete_now(id)?;
            if let Some(parent) = parent.filter(|_| !self.options.no_prune)
                && self.engine.store().has_image(parent)?
            {
                next = Some((parent, false, true));
            }
        }
        Ok(())
    }

    /// Layers are reported by their chain IDs, the uppermost first (S281, S282).
    fn delete_now(&mut self, id: ImageId) -> Result<(), Error> {
        let store = self.engine.store();
        let stack = store.image(id)?.rootfs.diff_ids;
        let removed = store.remove_image(id)?;
        // It may have been named again, or removed, a moment before.
        self.removals.extend(removed.images.iter().map(|id| Removal::Deleted(id.to_string())));
        for height in (1..=stack.len()).rev() {
            if removed.layers.contains(&stack[height - 1]) {
                let chain = ChainId::of(&stack[..height]);
                self.removals.extend(chain.map(|chain| Removal::Deleted(chain.to_string())));
            }
        }
        Ok(())
    }

    fn untag_all(&mut self, names: &[Reference]) -> Result<(), Error> {
        names.iter().try_for_each(|name| self.untag(name))
    }

    fn untag(&mut self, name: &Reference) -> Result<(), Error> {
        if self.engine.store().remove_reference(name)? {
            self.removals.push(Removal::Untagged(name.familiar()));
        }
        Ok(())
    }

    fn names(&self, id: ImageId) -> Result<Vec<Reference>, Error> {
        let all = self.engine.store().references()?;
        Ok(all.into_iter().filter(|(_, named)| *named == id).map(|(name, _)| name).collect())
    }

    fn has_children(&self, id: ImageId) -> Result<bool, Error> {
        let store = self.engine.store();
        for other in store.image_ids()? {
            if store.parent(other)? == Some(id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Containers of an image, and whether each runs; those that run first.
    fn users(&self, id: ImageId) -> Result<Vec<(String, bool)>, Error> {
        let mut users = Vec::new();
        for (container, image) in self.engine.store().images_of_containers()? {
            if image == id {
                let state = Container::open(self.engine, &container)?.map(|container| container.state()).transpose()?;
                let is_running = state.is_some_and(|state| state.is_running());
                users.push((container, is_running));
            }
        }
        users.sort_by_key(|(_, is_running)| !is_running);
        Ok(users)
    }

    fn obstacle(&self, id: ImageId, respect: Respect) -> Result<Option<Obstacle>, Error> {
        if self.engine.store().is_pinned(id)? {
            let message = "image is pinned".to_owned();
            return Ok(Some(Obstacle { message, is_hard: true, is_used: true }));
        }
        if self.has_children(id)? {
            let message = "image has dependent child images".to_owned();
            return Ok(Some(Obstacle { message, is_hard: true, is_used: false }));
        }
        let users = self.users(id)?;
        if let Some((container, _)) = users.iter().find(|(_, is_running)| *is_running) {
            let message = format!("image is being used by running container {}", short(container));
            return Ok(Some(Obstacle { message, is_hard: true, is_used: true }));
        }
        if respect.names && !self.names(id)?.is_empty() {
            let message = "image is referenced in multiple repositories".to_owned();
            return Ok(Some(Obstacle { message, is_hard: false, is_used: false }));
        }
        if respect.stopped
            && let Some((container, _)) = users.first()
        {
            let message = format!("image is being used by stopped container {}", short(container));
            return Ok(Some(Obstacle { message, is_hard: false, is_used: true }));
        }
        Ok(None)
    }
}

/// The names that stay when one goes: those by digest go with the last tag of their repository (S288).
fn without<'a>(names: &'a [Reference], going: &Reference) -> Vec<&'a Reference> {
    let same = |other: &Reference| other.registry() == going.registry() && other.repository() == going.repository();
    let has_tag = names.iter().any(|other| other != going && same(other) && other.tag().is_some());
    names.iter().filter(|other| *other != going && (has_tag || !same(other))).collect()
}

fn conflict(id: ImageId, obstacle: &Obstacle) -> Error {
    let force = if obstacle.is_hard { "cannot be forced" } else { "must be forced" };
    let message = format!("conflict: unable to delete {} ({force}) - {}", id.0.short(), obstacle.message);
    let error = Error::new(ErrorKind::Conflict, message);
    match (obstacle.is_hard, obstacle.is_used) {
        (false, _) => error.with_hint("`onggi rmi -f` removes it all the same"),
        (true, true) => error.with_hint("stop the container first: `onggi stop CONTAINER`, then `onggi rm CONTAINER`"),
        (true, false) => error.with_hint("remove the images that were made of it first: `onggi images -a` lists them"),
    }
}

/// One tag at most, and all names in one repository: then an ID means the name as well.
fn is_single(names: &[Reference]) -> bool {
    let tags = names.iter().filter(|name| name.tag().is_some()).count();
    let repository = |name: &Reference| (name.registry().to_owned(), name.repository().to_owned());
    tags <= 1 && names.windows(2).all(|pair| repository(&pair[0]) == repository(&pair[1]))
}

fn short(container: &str) -> String {
    container.chars().take(12).collect()
}
