//! A base image for another platform.

use super::platform::Platform;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "InvalidBaseImagePlatform",
    description: "Base image platform does not match expected target platform",
    page: "",
    is_experimental: false,
    why: "The image that a stage begins with was made for another operating system or processor than the build is \
     for. Its programs run under emulation, or not at all. Take an image that exists for this platform, or \
     say with `--platform` which one is meant.",
    bad: "FROM --platform=$BUILDPLATFORM image-for-another-platform\n",
    good: "FROM --platform=$BUILDPLATFORM image-for-this-platform\n",
    needs_values: true,
    check,
};

fn check(view: &View<'_>, findings: &mut Findings) {
    for walked in view.checked_stages() {
        let (Some(base), Some(facts)) = (&walked.base, &walked.facts) else { continue };
        let asked = walked.platform.as_ref().map(|platform| platform.text.as_str());
        let expected = asked.unwrap_or(view.input.target_platform);
        let (Some(expected), Some(actual)) = (Platform::parse(expected, view), Platform::parse(&facts.platform, view))
        else {
            continue;
        };
        if (&expected.os, &expected.architecture) != (&actual.os, &actual.architecture) {
            let message = format!(
                "Base image {} was pulled with platform \"{}\", expected \"{}\" for current build",
                base.text,
                actual.shown(),
                expected.shown()
            );
            findings.add(walked.stage, message, None);
        }
    }
}
