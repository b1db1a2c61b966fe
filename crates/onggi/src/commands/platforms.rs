//! Platforms as they are typed: `--platform linux/amd64,linux/arm64`.

use engine::Platform;

use crate::failure::Failure;
use crate::render::problem::Problem;

/// This machine's.
const LOCAL: &str = "local";

/// All values of `--platform`, each platform once.
pub(super) fn platforms(flags: &[String]) -> Result<Vec<Platform>, Failure> {
    let mut platforms = Vec::new();
    for typed in flags.iter().flat_map(|flag| flag.split(',')) {
        let platform = match typed.trim() {
            LOCAL => Platform::host(),
            typed => platform(typed)?,
        };
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

/// One platform, where one was typed.
pub(super) fn optional(typed: Option<&str>) -> Result<Option<Platform>, Failure> {
    typed.map(|typed| if typed == LOCAL { Ok(Platform::host()) } else { platform(typed) }).transpose()
}

/// One platform: `linux/arm64`.
pub(super) fn platform(typed: &str) -> Result<Platform, Failure> {
    typed.parse().map_err(|error: oci::PlatformError| {
        let problem = Problem::error(error.to_string());
        Failure::new(match engine::nearest(error.word(), error.candidates()) {
            Some(near) => problem.with_hint(format!("did you mean `{}`?", typed.replace(error.word(), near))),
            None => problem.with_hint(format!("write for example `{}`", Platform::host())),
        })
    })
}
