//! From the name of an image to its [`Route`], by the files that docker and podman share with us, each part with the
//! place that it came from.
//!
//! The environment comes in as [`Settings`]; files are read when something in them is wanted, and only written by
//! [`store`] and [`erase`]. Nothing here speaks to a registry. `docs/reference/registries.md` says what goes before what.

mod auth_file;
mod authority;
mod certificates;
mod credentials;
mod edit;
mod error;
mod files;
mod helper;
mod host_file;
mod login;
mod origin;
mod proxies;
mod registries_conf;
mod resolve;
mod settings;

#[cfg(test)]
mod tests;

pub use authority::{Authority, HUB_HOST};
pub use error::ConfigError;
pub use helper::HelperError;
pub use login::{Erased, Login, Stored, erase, store};
pub use origin::Origin;
pub use resolve::{EndpointOrigins, Explained, Purpose, authority, route, server};
pub use settings::{Proxies, Settings, Variable};

#[cfg(doc)]
use crate::Route;
