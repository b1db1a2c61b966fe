//! From an image and options to a container that can be started.

use std::path::{Path, PathBuf};

use image::Stack;
use oci::{ContainerConfig, ImageId, Platform, Reference};

use super::container::Container;
use super::events;
use super::health::HealthSettings;
use super::lifetime::Lifetime;
use super::limits::Limits;
use super::log::LogSettings;
use super::mounts::{MountSettings, settle};
use super::names::random_name;
use super::record::ContainerRecord;
use super::security::Security;
use super::streams::StreamSettings;
use crate::network::NetworkSettings;
use crate::{Engine, Error, ErrorKind};

/// What a new container should be.
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    /// Image by name or ID.
    pub image: String,
    /// Words after the image; replace CMD.
    pub command: Vec<String>,
    /// Keep standard input open.
    pub interactive: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// Its name; a random one otherwise.
    pub name: Option<String>,
    /// `KEY=VALUE`, or `KEY` to take a variable of the image away; later ones win.
    pub env: Vec<String>,
    /// Replaces WORKDIR.
    pub working_dir: Option<String>,
    /// Replaces USER.
    pub user: Option<String>,
    /// Replaces ENTRYPOINT; empty for none.
    pub entrypoint: Option<String>,
    /// Runtime; our own otherwise.
    pub runtime: Option<String>,
    /// When it ends, and what comes then.
    pub lifetime: Lifetime,
    /// What is mounted in it.
    pub mounts: MountSettings,
    /// Its connection to the world.
    pub network: NetworkSettings,
    /// What it may use.
    pub limits: Limits,
    /// What keeps it apart from the host.
    pub security: Security,
    /// How its health is looked after.
    pub health: HealthSettings,
    /// What whoever starts it is attached to.
    pub streams: StreamSettings,
    /// How its output is kept.
    pub log: LogSettings,
    /// Added to the image's labels.
    pub labels: Vec<(String, String)>,
    /// A file that is made, for the ID.
    pub id_file: Option<PathBuf>,
    /// The image must be for this one.
    pub platform: Option<Platform>,
    /// When the image is fetched.
    pub pull: Pull,
}

/// When an image is fetched from a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pull {
    /// When it is not there.
    #[default]
    Missing,
    /// Each time.
    Always,
    /// Not at all.
    Never,
}

impl CreateOptions {
    /// Refuses what cannot be, before anything is made.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.mounts.check()?;
        self.lifetime.check()?;
        self.log.check()?;
        self.limits.check()?;
        self.health.check()?;
        self.security.check(&self.network.mode)?;
        if self.network.hostname.is_some() && self.security.uts.as_deref() == Some("host") {
            let message = "conflicting options: hostname and the UTS mode";
            return Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125));
        }
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        self.network.check()?;
        if let Some(folder) =
            self.working_dir.as_deref().filter(|folder| !folder.is_empty() && !folder.starts_with('/'))
        {
            let message = format!("the working directory `{folder}` is invalid, it needs to be an absolute path");
            let error = Error::new(ErrorKind::InvalidInput, message).with_hint(format!("use `-w /{folder}`"));
            return Err(error.with_exit_code(125));
        }
        Ok(())
    }
}

/// `create`: makes a container, and gives its ID.
///
/// # Errors
/// When there is no such image, or something that was asked for cannot be.
pub fn create_container(engine: &Engine, options: &CreateOptions) -> Result<String, Error> {
    options.check()?;
    Ok(create(engine, options)?.record.id)
}

/// Makes the container, without starting it.
pub(crate) fn create(engine: &Engine, options: &CreateOptions) -> Result<Container, Error> {
    let id_file = options.id_file.as_deref().map(IdFile::reserve).transpose()?;
    let image = find_image(engine, options)?;
    let document = engine.store().image(image)?;
    let config = &document.config;
    engine.check_rights()?;
    let id = random_id()?;
    let (entrypoint, cmd) = command_line(config, options)?;
    let network = options.network.clone().or_image(config).resolved(engine)?;
    let shares_hosts_name = options.security.uts.as_deref() == Some("host");
    let hostname = network.own_hostname(&id, shares_hosts_name);
    let working_dir = options.working_dir.clone().filter(|folder| !folder.is_empty());
    let working_dir = working_dir.unwrap_or_else(|| config.working_dir.clone());
    let mounts = settle(engine, &options.mounts, &document)?;
    let record = ContainerRecord {
        name: options.name.clone().unwrap_or_else(|| random_name(&id)),
        created: engine.now().to_string(),
        image,
        image_name: options.image.clone(),
        entrypoint,
        cmd,
        env: environment(config, options),
        working_dir: if working_dir.is_empty() { "/".to_owned() } else { working_dir },
        user: options.user.clone().unwrap_or_else(|| config.user.clone()),
        hostname,
        tty: options.tty,
        interactive: options.interactive,
        runtime: options.runtime.clone(),
        labels: labels(config, options),
        lifetime: options.lifetime.clone().or_image(config),
        mounts: mounts.settings.clone(),
        network,
        streams: options.streams,
        log: options.log.clone(),
        limits: options.limits.clone(),
        security: options.security.clone(),
        health: options.health.clone().or_image(config),
        id,
    };
    let container = Container::create(engine, record)?;
    mounts.keep();
    events::note(engine, &container, "create", &[]);
    id_file.map_or(Ok(()), |file| file.write(&container.record.id))?;
    Ok(container)
}

/// The image that was asked for, of the platform that was asked for.
fn find_image(engine: &Engine, options: &CreateOptions) -> Result<ImageId, Error> {
    let Some(image) = image::find(engine.store(), &options.image)? else {
        let shown = options.image.parse::<Reference>().map(|name| name.with_default_tag().familiar())?;
        let hint = format!("`onggi pull {shown}` fetches it from its registry");
        return Err(Error::new(ErrorKind::NotFound, format!("no such image: {shown}")).with_hint(hint));
    };
    crate::platform::require(engine, image, &options.image, options.platform.as_slice())?;
    Ok(image)
}

/// What to tell before a container is made whose user this process cannot take on: a warning, and what mends it.
///
/// # Errors
/// When the image cannot be read, or no IDs can be had at all.
pub fn lacking_user(engine: &Engine, options: &CreateOptions) -> Result<Option<(String, Option<String>)>, Error> {
    // Where all users can be had, none is looked for; an image that is not there is told by whoever makes the container.
    let Some(image) = engine.caller.as_ref().and_then(|_| find_image(engine, options).ok()) else { return Ok(None) };
    let document = engine.store().image(image)?;
    let user = options.user.as_ref().unwrap_or(&document.config.user);
    if user.is_empty() {
        return Ok(None);
    }
    let stack = Stack::open(engine.store(), &document.rootfs.diff_ids)?;
    // Who is not there is told by whoever starts the container.
    let Ok(user) = image::users::resolve(&stack.tree(), user) else { return Ok(None) };
    if engine.has_ids(user.uid, user.gid)? {
        return Ok(None);
    }
    let (uid, gid) = (user.uid, user.gid);
    let warning =
        format!("no user {uid}:{gid} can be had here: root runs the program in its place, without capabilities");
    Ok(Some((warning, engine.lacking_ids().map(|remedy| remedy.to_string()))))
}

/// The image that has to be pulled before a container is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededImage {
    /// Its name, as people write it.
    pub name: String,
    /// What it must be for.
    pub platform: Option<Platform>,
    /// There is none of that name.
    pub is_missing: bool,
}

/// Which image has to be pulled first, if any.
///
/// # Errors
/// When it is no name, or the store cannot be read.
pub fn needed_image(engine: &Engine, options: &CreateOptions) -> Result<Option<NeededImage>, Error> {
    let is_missing = match options.pull {
        Pull::Never => return Ok(None),
        _ => image::find(engine.store(), &options.image)?.is_none(),
    };
    if !is_missing && options.pull == Pull::Missing {
        return Ok(None);
    }
    let name = options.image.parse::<Reference>()?.with_default_tag().familiar();
    Ok(Some(NeededImage { name, platform: options.platform.clone(), is_missing }))
}

/// `--cidfile`: made before the container, so that nothing is made when it cannot be.
#[derive(Debug)]
struct IdFile<'a> {
    path: &'a Path,
    is_written: bool,
}

impl<'a> IdFile<'a> {
    fn reserve(path: &'a Path) -> Result<Self, Error> {
        match std::fs::File::create_new(path) {
            Ok(_) => Ok(Self { path, is_written: false }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let path = path.display();
                let message =
                    format!("container ID file found, make sure the other container isn't running or delete {path}");
                Err(Error::new(ErrorKind::AlreadyExists, message).with_hint(format!("`rm {path}` removes it")))
            }
            Err(error) => Err(Self::failed(path, &error)),
        }
    }

    fn write(mut self, id: &str) -> Result<(), Error> {
        self.is_written = true;
        std::fs::write(self.path, id).map_err(|error| Self::failed(self.path, &error))
    }

    fn failed(path: &Path, error: &std::io::Error) -> Error {
        let message = format!("failed to create the container ID file {}", path.display());
        Error::new(ErrorKind::InvalidInput, message).because(error)
    }
}

impl Drop for IdFile<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            std::fs::remove_file(self.path).ok();
        }
    }
}

/// The image's, and those that were asked for.
fn labels(config: &ContainerConfig, options: &CreateOptions) -> serde_json::Map<String, serde_json::Value> {
    let mut labels = config.labels.clone();
    labels.extend(options.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())));
    labels
}

/// Docker's rule: two characters or more of letters, digits, `_`, `.` and `-`, the first a letter or digit.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let valid = name.len() > 1 && name.as_bytes()[0].is_ascii_alphanumeric() && name.bytes().all(word);
    if valid {
        return Ok(());
    }
    let message = format!("invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125))
}

/// ENTRYPOINT and CMD with what replaces them (S054, S055): a new entrypoint drops the image's CMD.
fn command_line(config: &ContainerConfig, options: &CreateOptions) -> Result<(Vec<String>, Vec<String>), Error> {
    let list = |words: &Option<oci::StringOrList>| words.clone().map(|words| words.0).unwrap_or_default();
    let (entrypoint, mut cmd) = match &options.entrypoint {
        Some(program) if program.is_empty() => (Vec::new(), Vec::new()),
        Some(program) => (vec![program.clone()], Vec::new()),
        None => (list(&config.entrypoint), list(&config.cmd)),
    };
    if !options.command.is_empty() {
        cmd.clone_from(&options.command);
    }
    if entrypoint.is_empty() && cmd.is_empty() {
        let message = "no command specified: the image has neither CMD nor ENTRYPOINT";
        return Err(Error::new(ErrorKind::InvalidInput, message)
            .with_hint(format!("give one behind the image: `onggi run {} COMMAND`", options.image)));
    }
    Ok((entrypoint, cmd))
}

/// The user's variables, then those of the image that the user did not touch, as Docker has them. A name alone says that
/// the container does not get that variable.
fn environment(config: &ContainerConfig, options: &CreateOptions) -> Vec<String> {
    let name_of = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let mut env: Vec<String> = Vec::new();
    for pair in &options.env {
        match env.iter().position(|known| name_of(known) == name_of(pair)) {
            Some(place) => env[place].clone_from(pair),
            None => env.push(pair.clone()),
        }
    }
    // An image's entry without `=` names no value; it must not become one of the host's (CVE-2026-57231).
    for pair in config.env.iter().filter(|pair| pair.find('=').is_some_and(|place| place > 0)) {
        if !env.iter().any(|known| name_of(known) == name_of(pair)) {
            env.push(pair.clone());
        }
    }
    env
}

/// 32 random bytes as hexadecimal digits.
pub(crate) fn random_id() -> Result<String, Error> {
    let mut bytes = [0; 32];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::new(ErrorKind::Internal, "cannot get random bytes").because(&errno))?;
    Ok(oci::Digest::from_bytes(bytes).hex())
}
