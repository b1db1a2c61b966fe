//! Containers: made, run, watched over, listed, ended, removed.
//!
//! [`record`] says what is written down of one, [`container`] who may do what with its folder, [`launch`] how it comes to
//! life. Each group of settings ([`lifetime`], [`mounts`], `network`) is one struct that the command line fills, the record
//! keeps, `launch` obeys and `inspect` shows.

mod commit;
pub(crate) mod container;
mod create;
pub(crate) mod exec;
mod files;
mod inspect;
mod launch;
mod lifetime;
mod list;
pub mod monitor;
mod mounts;
mod names;
pub(crate) mod pause;
pub(crate) mod record;
mod remove;
mod run;
mod stop;
mod written;

pub(crate) use create::random_id;

pub use commit::{CommitOptions, commit};
pub use create::CreateOptions;
pub use exec::{ExecOptions, exec};
pub use inspect::inspect_containers;
pub use lifetime::Lifetime;
pub use list::{ContainerFilter, ContainerSize, ContainerSummary, ContainersOptions, containers};
pub use mounts::{MountKind, MountPoint, MountRequest, MountSettings, Recursion};
pub use pause::{pause, unpause};
pub use record::{ContainerRecord, ContainerState, ContainerStatus};
pub use remove::remove_container;
pub use run::{RunOptions, RunOutcome, run};
pub use stop::{kill, stop, wait};
pub use written::{Change, ChangeKind, container_changes, export_container};
