//! Containers: a folder each, and names that are taken once.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci::ImageId;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::lock::Lock;
use crate::{Store, StoreError, file};

/// A container's folder, open.
#[derive(Debug)]
pub struct ContainerFolder {
    /// 64 hexadecimal digits.
    pub id: String,
    path: PathBuf,
    folder: OwnedFd,
}

/// What a name, ID or prefix of an ID names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerLookup {
    /// Exactly one container.
    Found(String),
    /// None.
    NotFound,
    /// More than one.
    Ambiguous,
}

/// A container's file with the name that it was given later.
const NAME: &str = "name";
/// Lock for changing which container a name belongs to.
const NAMES: &str = "names";

impl Store {
    /// Makes a container of an image: takes its name and makes its folder with `upper/`, `work/` and `config.json`, which
    /// holds `record`, in it. All of it appears at once.
    ///
    /// # Errors
    /// When the name is taken, the image is gone, or a file cannot be made.
    pub fn create_container(
        &self,
        id: &str,
        name: &str,
        image: ImageId,
        record: &[u8],
    ) -> Result<ContainerFolder, StoreError> {
        self.create_container_with_volumes(id, name, image, record, &[])
    }

    /// The same, for a container that mounts volumes. Whoever makes it holds them ([`Store::hold_volumes`]) until this is
    /// done; from then on they stay for as long as the container does.
    ///
    /// # Errors
    /// As [`Store::create_container`].
    pub fn create_container_with_volumes(
        &self,
        id: &str,
        name: &str,
        image: ImageId,
        record: &[u8],
        volumes: &[String],
    ) -> Result<ContainerFolder, StoreError> {
        let _shared = Lock::shared(self, "gc")?;
        if !self.has_image(image)? {
            return Err(StoreError::ImageMissing(image));
        }
        let staged = file::temporary_name()?;
        let made = self.stage_container_folder(&staged, image, record, volumes).and_then(|()| {
            // Held from taking the name until its container is there: to others, a name without one is up for grabs.
            let _names = Lock::exclusive(self, NAMES)?;
            self.take_name(name, id)?;
            let renamed = rustix::fs::renameat(&self.root, &staged, &self.root, format!("containers/{id}"));
            if renamed.is_err() {
                file::remove(self, &format!("names/{name}"))?;
            }
            renamed.map_err(|errno| StoreError::io("create folder", file::full(self, "containers"), errno))
        });
        if let Err(error) = made {
            file::remove_tree(self, &staged).ok();
            return Err(error);
        }
        self.container(id)?.ok_or_else(|| StoreError::io("open", file::full(self, "containers"), Errno::NOENT))
    }

    fn stage_container_folder(
        &self,
        folder: &str,
        image: ImageId,
        record: &[u8],
        volumes: &[String],
    ) -> Result<(), StoreError> {
        let failed = |errno| StoreError::io("create folder", file::full(self, folder), errno);
        rustix::fs::mkdirat(&self.root, folder, Mode::RWXU).map_err(failed)?;
        for inner in ["upper", "work"] {
            rustix::fs::mkdirat(&self.root, format!("{folder}/{inner}"), Mode::RWXU).map_err(failed)?;
        }
        file::replace_lazily(self, &format!("{folder}/image"), image.to_string().as_bytes())?;
        if !volumes.is_empty() {
            let names: String = volumes.iter().map(|name| format!("{name}\n")).collect();
            file::replace_lazily(self, &format!("{folder}/volumes"), names.as_bytes())?;
        }
        file::replace_lazily(self, &format!("{folder}/config.json"), record)
    }

    /// A name is a file made with its content in one step, by linking. The caller holds the lock of names.
    fn take_name(&self, name: &str, id: &str) -> Result<(), StoreError> {
        let target = format!("names/{name}");
        let temporary = file::stage(self, &target, id.as_bytes(), false)?;
        let linked = rustix::fs::linkat(&self.root, &temporary, &self.root, &target, AtFlags::empty());
        file::remove(self, &temporary)?;
        match linked {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => {
                let holder = self.named(name)?.unwrap_or_default();
                if !holder.is_empty() && file::exists(self, &format!("containers/{holder}"))? {
                    return Err(StoreError::NameTaken { name: name.to_owned(), id: holder });
                }
                // Its container is gone: a process died between the two removals. Take it over.
                file::remove(self, &target)?;
                self.take_name(name, id)
            }
            Err(errno) => Err(StoreError::io("take name", file::full(self, &target), errno)),
        }
    }

    fn named(&self, name: &str) -> Result<Option<String>, StoreError> {
        let content = file::read(self, &format!("names/{name}"))?;
        Ok(content.map(|id| String::from_utf8_lossy(&id).trim_end().to_owned()))
    }

    /// Gives a container another name: at once to those who look for it, and in its file `name`.
    ///
    /// # Errors
    /// When the name is taken, or a file cannot be written.
    pub fn rename_container(&self, id: &str, new: &str) -> Result<(), StoreError> {
        let names = Lock::exclusive(self, NAMES)?;
        let old: Vec<String> = file::list(self, "names")?;
        self.take_name(new, id)?;
        file::replace_lazily(self, &format!("containers/{id}/{NAME}"), new.as_bytes())?;
        for name in old.iter().filter(|name| *name != new) {
            if self.named(name)?.as_deref() == Some(id) {
                file::remove(self, &format!("names/{name}"))?;
            }
        }
        drop(names);
        Ok(())
    }

    /// Opens a container's folder.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn container(&self, id: &str) -> Result<Option<ContainerFolder>, StoreError> {
        let name = format!("containers/{id}");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.root, &name, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(ContainerFolder { id: id.to_owned(), path: file::full(self, &name), folder })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(StoreError::io("open", file::full(self, &name), errno)),
        }
    }

    /// IDs of all containers, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn container_ids(&self) -> Result<Vec<String>, StoreError> {
        file::list(self, "containers")
    }

    /// Finds a container by name, ID or the first digits of its ID.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn find_container(&self, text: &str) -> Result<ContainerLookup, StoreError> {
        if text.is_empty() || text.contains('/') {
            return Ok(ContainerLookup::NotFound);
        }
        let ids = self.container_ids()?;
        if ids.iter().any(|id| id == text) {
            return Ok(ContainerLookup::Found(text.to_owned()));
        }
        if let Some(id) = self.named(text)?
            && ids.contains(&id)
        {
            return Ok(ContainerLookup::Found(id));
        }
        let mut matching = ids.iter().filter(|id| id.starts_with(text));
        Ok(match (matching.next(), matching.next()) {
            (None, _) => ContainerLookup::NotFound,
            (Some(id), None) => ContainerLookup::Found(id.clone()),
            (Some(_), Some(_)) => ContainerLookup::Ambiguous,
        })
    }

    /// Removes a container's folder and its name.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove_container(&self, id: &str, name: &str) -> Result<(), StoreError> {
        // Out of sight first, so that nobody sees half a container.
        let hidden = file::temporary_name()?;
        let names = Lock::exclusive(self, NAMES)?;
        // Whoever removes it may know it by the name that it had before.
        let renamed = file::read(self, &format!("containers/{id}/{NAME}"))?;
        let name = renamed.map_or_else(|| name.to_owned(), |name| String::from_utf8_lossy(&name).into_owned());
        // The name goes first: who is killed in between leaves no name that leads nowhere.
        if self.named(&name)?.as_deref() == Some(id) {
            file::remove(self, &format!("names/{name}"))?;
        }
        match rustix::fs::renameat(&self.root, format!("containers/{id}"), &self.root, &hidden) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(StoreError::io("remove", file::full(self, &format!("containers/{id}")), errno)),
        }
        drop(names);
        file::remove_tree(self, &hidden)?;
        Ok(())
    }

    /// Which image each container is of.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn images_of_containers(&self) -> Result<Vec<(String, ImageId)>, StoreError> {
        let mut all = Vec::new();
        for id in self.container_ids()? {
            let content = file::read(self, &format!("containers/{id}/image"))?;
            if let Some(image) = content.and_then(|text| std::str::from_utf8(&text).ok()?.trim_end().parse().ok()) {
                all.push((id, image));
            }
        }
        Ok(all)
    }
}

impl ContainerFolder {
    /// The name that it was given later, if it was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn later_name(&self) -> Result<Option<String>, StoreError> {
        Ok(self.read(NAME)?.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Reads one of its files; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match std::fs::read(self.path.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", self.path.join(name), error)),
        }
    }

    /// Writes one of its files, whole, in place of an older one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let temporary = format!(".{name}.{}", std::process::id());
        let failed = |error| StoreError::io("write", self.path.join(name), error);
        std::fs::write(self.path.join(&temporary), content).map_err(failed)?;
        rustix::fs::renameat(&self.folder, &temporary, &self.folder, name).map_err(|errno| failed(errno.into()))
    }

    /// Opens one of its folders.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn subfolder(&self, name: &str) -> Result<OwnedFd, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::openat(&self.folder, name, flags, Mode::empty())
            .map_err(|errno| StoreError::io("open", self.path.join(name), errno))
    }

    /// Where it is, valid while the container is not removed.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for ContainerFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}
