//! Platforms as they are typed.

use engine::Platform;

use crate::failure::Failure;
use crate::render::problem::Problem;

/// One platform: `linux/arm64`.
pub(super) fn platform(typed: &str) -> Result<Platform, Failure> {
    typed.parse().map_err(|error: oci::PlatformError| {
        let problem = Problem::error(error.to_string());
        Failure::new(problem.with_hint(format!("write for example `{}`", Platform::host())))
    })
}
