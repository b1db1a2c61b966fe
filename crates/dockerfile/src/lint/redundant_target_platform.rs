//! FROM with the platform that it has anyway.

use crate::scope::find;

use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "RedundantTargetPlatform",
    description: "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    page: "redundant-target-platform",
    is_experimental: false,
    why: "A stage is built for the target platform unless FROM says otherwise, so `--platform=$TARGETPLATFORM` \
     says nothing. The flag is for stages that run on the machine that builds: `--platform=$BUILDPLATFORM`.",
    bad: "FROM --platform=$TARGETPLATFORM alpine AS builder\n",
    good: "FROM alpine AS builder\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    const NAME: &str = "TARGETPLATFORM";
    for walked in view.stages() {
        let (Some(word), Some(platform)) = (&walked.stage.platform, &walked.platform) else { continue };
        let is_alone = platform.used.len() == 1 && platform.undefined.is_empty() && platform.used[0] == NAME;
        if is_alone && find(&view.walk.globals.values, NAME) == Some(&platform.text) {
            let message = format!(
                "Setting platform to predefined {} in FROM is redundant as this is the default behavior",
                word.text
            );
            findings.add(walked.stage, message, "leave `--platform` out".to_owned());
        }
    }
}
