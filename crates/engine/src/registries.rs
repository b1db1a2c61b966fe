//! Where names lead to and who we are there.

use registry::config::ConfigError;

pub use registry::config::Settings;

use crate::{Error, ErrorKind};

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        let kind = match &error {
            ConfigError::Read { source, .. } | ConfigError::Write { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => ErrorKind::Forbidden,
                std::io::ErrorKind::StorageFull => ErrorKind::Unavailable,
                _ => ErrorKind::Internal,
            },
            ConfigError::Blocked { .. } => ErrorKind::Forbidden,
            ConfigError::Helper { .. } => ErrorKind::Unavailable,
            _ => ErrorKind::InvalidInput,
        };
        let hint = error.hint();
        let made = Self::from_source(kind, &error);
        match hint {
            Some(hint) => made.with_hint(hint),
            None => made,
        }
    }
}
