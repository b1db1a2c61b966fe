//! The network of containers: what can be asked for, what is there, and how one leads to the other.
//!
//! [`NetworkSettings`] is what the command line fills and the container's record keeps; [`NetworkState`] what came of it
//! when the container was started; [`connection`] the way from one to the other, and what lives as long as the container.
//! [`definition`] are the networks that users make, [`membership`] who joins and leaves them.

mod connection;
mod definition;
mod files;
mod forwards;
mod ground;
mod listing;
mod membership;
mod ports;
mod published;
mod settings;
mod state;

use crate::{Error, ErrorKind};

pub(crate) use connection::{Connection, Prepared, connect};
pub(crate) use definition::all_networks;
pub use definition::{NetworkOptions, NetworkRecord, create_network, prune_networks, remove_network};
pub(crate) use files::HostFiles;
pub(crate) use ground::Grounds;
pub use ground::{COMMAND as HOLD_NETWORK, hold as hold_network};
pub use listing::{NetworkFilters, NetworkSummary, inspect_network, networks};
pub use membership::{connect_network, disconnect_network};
pub use ports::{ContainerPort, ExposeSpec, PortBinding, PortSpec};
pub use published::{PublishedPort, ports_column, published_ports};
pub use settings::{EndpointSettings, NetworkMode, NetworkSettings};
pub use state::{EndpointState, NetworkState};

/// It goes into `/etc/hosts`, where a line break would be more than a name; the kernel takes 64 bytes.
pub(crate) fn check_hostname(name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_valid = (1..=64).contains(&name.len()) && !name.starts_with(['-', '.']) && name.bytes().all(word);
    if is_valid {
        return Ok(());
    }
    let message = format!("invalid hostname `{name}`: letters, digits, `.` and `-` are allowed, 64 at most");
    Err(Error::new(ErrorKind::InvalidInput, message).with_exit_code(125))
}
