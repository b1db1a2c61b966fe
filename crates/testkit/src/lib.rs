//! What the tests stand on: a hermetic home and store, base images made without a network, and an independent check.
//!
//! A test makes a [`Sandbox`], runs the real binary in it with [`Sandbox::onggi`], and looks at the [`Output`]. When
//! the sandbox is dropped, [`checker`] reads the whole store again with code of its own and recomputes every digest.
//!
//! Nothing here uses the crates that it tests: a mistake in `layer` or `image` must not be able to hide itself by
//! being made twice. Everything here may panic, because a panic is how a test says that its surroundings are wrong.

mod base_image;
mod certificates;
pub mod checker;
mod command;
mod docker_archive;
mod dockerd;
mod faults;
mod git_server;
mod http_server;
mod normalise;
pub mod peers;
mod registry;
mod sandbox;
mod signals;
mod tar_writer;
mod terminal;
mod test_user;
mod trace;

pub use base_image::{Debian, busybox_binary, busybox_root_tar, debian_root_tar, debian_root_tar_in, is_static};
pub use certificates::{Certified, TestAuthority};
pub use command::{Command, Output};
pub use docker_archive::docker_archive;
pub use dockerd::{Dockerd, HOST_NETWORK, NEWER_DOCKER, NewerDocker};
pub use faults::{Fault, FaultProxy};
pub use git_server::GitServer;
pub use http_server::{HttpServer, Request, Response};
pub use normalise::{Normaliser, normalise};
pub use registry::{Registry, RegistryOptions};
pub use sandbox::{Sandbox, binary};
pub use tar_writer::TarWriter;
pub use terminal::Terminal;
pub use test_user::TestUser;
pub use trace::{SystemCall, written_paths};
