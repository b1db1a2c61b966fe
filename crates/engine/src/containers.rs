//! Containers: made, run, watched over, listed, ended, removed.
//!
//! [`record`] says what is written down of one, [`container`] who may do what with its folder, [`launch`] how it comes to
//! life. Each group of settings ([`lifetime`], [`mounts`], `network`) is one struct that the command line fills, the record
//! keeps, `launch` obeys and `inspect` shows.

mod attach;
mod commit;
pub(crate) mod container;
mod copy;
mod create;
pub(crate) mod events;
pub(crate) mod exec;
mod files;
mod health;
mod inspect;
mod launch;
mod lifetime;
mod limits;
mod list;
mod log;
pub mod monitor;
mod mounts;
mod names;
pub(crate) mod pause;
mod prune;
pub(crate) mod record;
mod remove;
mod rename;
mod restart_policy;
mod run;
mod security;
mod start;
mod statistics;
mod stop;
mod streams;
mod supervise;
mod top;
mod update;
mod wire;
mod written;

pub(crate) use create::random_id;

pub use attach::{AttachOptions, Attached, attach};
pub use commit::{CommitOptions, Committed, commit};
pub use copy::{CopyOptions, copy_from_container, copy_to_container, pack_from_container, unpack_to_container};
pub use create::{CreateOptions, NeededImage, Pull, create_container, lacking_user, needed_image};
pub use events::{EventFilter, EventsOptions, events};
pub use exec::{ExecOptions, ExecOutcome, exec};
pub use health::{Health, HealthProbe, HealthSettings};
pub use inspect::inspect_container;
pub use lifetime::Lifetime;
pub use limits::Limits;
pub use list::{ContainerFilter, ContainerSize, ContainerSummary, ContainersOptions, containers};
pub use log::LogSettings;
pub use log::read::{LogLine, LogOptions, logs};
pub use mounts::{MountKind, MountPoint, MountRequest, MountSettings, Recursion};
pub use pause::{pause, unpause};
pub use prune::{PruneFilter, PrunedContainers, prune_containers};
pub use record::{ContainerRecord, ContainerState, ContainerStatus};
pub use remove::remove_container;
pub use rename::rename;
pub use restart_policy::RestartPolicy;
pub use run::{RunOptions, RunOutcome, run};
pub use security::Security;
pub use start::{StartOptions, restart, start};
pub use statistics::{Sample, memory_of_this_machine, usage};
pub use stop::{StopOptions, kill, stop, wait};
pub use streams::StreamSettings;
pub use top::{ProcessTable, top};
pub use update::{UpdateOptions, update};
pub use written::{Change, ChangeKind, container_changes, export_container};
