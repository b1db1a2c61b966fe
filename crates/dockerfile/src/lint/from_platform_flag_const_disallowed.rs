//! FROM for one fixed platform.

use super::platform::Platform;
use super::quote::quoted;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "FromPlatformFlagConstDisallowed",
    description: "FROM --platform flag should not use a constant value",
    page: "from-platform-flag-const-disallowed",
    is_experimental: false,
    why: "A fixed platform in FROM makes the stage the same whatever `--platform` of the build says, so an image \
     for several platforms would hold the wrong programs. Leave the flag out, use `$BUILDPLATFORM` for a \
     stage that only builds, or an ARG. Where a stage is for one platform on purpose, its name may say so \
     (`AS build_amd64`), and it is not warned about.",
    bad: "FROM --platform=linux/amd64 alpine AS base\nRUN apk add --no-cache git\n",
    good: "FROM --platform=$BUILDPLATFORM alpine AS base\nRUN apk add --no-cache git\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for walked in view.stages() {
        let Some(platform) = &walked.platform else { continue };
        if !platform.used.is_empty() || !platform.undefined.is_empty() {
            continue;
        }
        let Some(parsed) = Platform::parse(&platform.text, view) else { continue };
        let name = walked.stage.name.as_ref().map_or("", |name| name.text.as_str());
        if name.contains(&parsed.os) || name.contains(&parsed.architecture) {
            continue;
        }
        let message = format!("FROM --platform flag should not use constant value {}", quoted(&platform.text));
        findings.add(walked.stage, message, "leave `--platform` out, and give it to the build".to_owned());
    }
}
