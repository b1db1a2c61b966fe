//! The verbs: build, run, images, history, save … Options in, plain data out, progress as events.
//!
//! Reading order: [`build()`] is the picture of the whole program on one screen. Nothing here prints, parses
//! arguments or reads the environment; what the host has to say (time, folders) comes in through [`Engine`].

mod build;
mod build_log;
pub mod calls;
mod changes;
mod check;
mod containers;
mod context_list;
mod debug;
mod detach_keys;
pub(crate) mod disk;
mod doctor;
mod emulation;
mod error;
mod executor;
mod fetcher;
mod front;
mod history;
mod host_config;
mod images;
mod import;
mod info;
mod inspect;
mod load;
mod moment;
mod network;
mod platform;
pub mod progress;
mod pull;
mod push;
pub mod registries;
mod remote;
mod remove;
mod reset;
mod runtimes;
mod save;
mod signals;
mod standing;
mod streams;
mod tag;
mod terminal;
pub mod terminal_holder;
mod volumes;

use std::path::Path;

pub use dockerfile::{DurationError, nearest, parse_duration};
pub use image::archive::{Annotation, AnnotationTarget, Annotations, MediaTypes};
use jiff::Timestamp;
pub use layer::Encoding;
pub use oci::Platform;
use store::Store;

pub use build::{
    ArchiveDestination, ArchiveOutput, BuildOptions, BuildOutcome, CacheExport, CacheImport, CacheMode, ContextSource,
    DEFAULT_CACHE_TAG, Destination, DockerfileSource, FolderOutput, HostAddress, ImageOutput, LARGEST_SECRET,
    NamedContext, Output, RunLimits, RunResources, Secret, SecretSource, StepOptions, Surroundings, TarOutput,
    TimeOptions, Ulimit, build, is_remote, parse_memory_size,
};
pub use build_log::{BuildRecord, BuildResult, RecordedOutcome, RecordedStep, build_log, build_logs, step_log};
pub use check::{CheckOptions, StoreCheck, StoreProblem, check_store};
pub use containers::*;
pub use context_list::{
    ContextEntry, ContextEntryKind, ContextOptions, ContextReason, Rule, explain_in_context, list_context,
};
pub use debug::{COMMAND_VARIABLE, DebugEvent, DebugOptions, FailedStep, debug};
pub use detach_keys::DetachKeys;
pub use disk::*;
pub use doctor::{DoctorOptions, Point as DoctorPoint, PointState, Remedy, Report as DoctorReport, doctor};
pub use error::{Error, ErrorKind, Problem, SourceText};
pub use history::{HistoryEntry, history};
pub use images::{ImageFilter, ImageKey, ImageOrder, ImageSummary, ImagesOptions, images};
pub use import::{ImportOptions, import, import_url};
pub use info::{Backend, Info, Version, info, version};
pub use inspect::{Inspected, inspect_image, inspect_images};
pub use load::{Loaded, load};
pub use moment::parse_moment;
pub use network::{
    ContainerPort, EndpointSettings, EndpointState, ExposeSpec, HOLD_NETWORK, NetworkFilters, NetworkMode,
    NetworkOptions, NetworkRecord, NetworkSettings, NetworkState, NetworkSummary, PortBinding, PortSpec, PublishedPort,
    connect_network, create_network, disconnect_network, hold_network, inspect_network, networks, ports_column,
    prune_networks, published_ports, remove_network,
};
pub use pull::{LayerState, PullOptions, PullProgress, PulledImages, pull};
pub use push::{PushOptions, PushProgress, SentState, push};
pub use remote::RegistryAccess;
pub use remove::{Removal, RemoveOptions, RemovedImages, remove_images};
pub use reset::{ResetStore, is_store, reset, store_contents};
pub use runtimes::Runtime;
pub use save::save;
pub use tag::tag;
pub use volumes::{
    CreateVolumeOptions, PrunedVolumes, VolumeFilter, VolumeSummary, create_volume, inspect_volume, prune_volumes,
    remove_volume, volumes,
};

/// What every verb works on.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    clock: fn() -> Timestamp,
    config: std::path::PathBuf,
    grounds: network::Grounds,
    /// Who has only the right that a user namespace gives.
    caller: Option<standing::Caller>,
    /// Why no namespace can be made, where commands can be run without any.
    no_namespaces: Option<String>,
    /// Root, but of a container only, that has entered a user namespace.
    is_nested: bool,
}

impl Engine {
    /// Opens the store at `root`; `clock` gives the time for what is made.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(root: &Path, clock: fn() -> Timestamp) -> Result<Self, Error> {
        let (store, config) = (open_store(root, clock)?, host_config::DEFAULT_PATH.into());
        Ok(Self {
            store,
            clock,
            config,
            grounds: network::Grounds::default(),
            caller: None,
            no_namespaces: None,
            is_nested: false,
        })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

fn open_store(root: &Path, clock: fn() -> Timestamp) -> Result<Store, Error> {
    Ok(Store::open(root)?.with_admission(move |store, bytes| disk::admit(store, clock(), bytes)))
}
