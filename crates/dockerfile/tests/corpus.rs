//! Dockerfiles as people write them: read without a problem, and the checks have nothing to say.

use std::fs;
use std::path::Path;

use dockerfile::{BaseFacts, Checks, LintInput, Surroundings, lint, parse};

/// What the checks say, as `line Name`; base images have a `PATH` and nothing else.
fn found(bytes: &[u8], checks: Option<Checks>) -> Vec<String> {
    let parsed = parse(bytes);
    let platform = |name: &str| (name.to_owned(), "linux/amd64".to_owned());
    let platform_args = ["TARGETPLATFORM", "BUILDPLATFORM", "TARGETOS", "TARGETARCH"].map(platform);
    let facts = |_: usize, _: &str| {
        let env = vec!["PATH=/bin".to_owned()];
        Some(BaseFacts { env, platform: "linux/amd64".to_owned(), ..BaseFacts::default() })
    };
    let input = LintInput {
        dockerfile: &parsed.dockerfile,
        stages: None,
        around: Surroundings { build_args: &[], platform_args: &platform_args, bases: &facts },
        target_platform: "linux/amd64",
        ignore_file: None,
        is_image_name: &|name| !name.is_empty(),
        has_errors: parsed.has_errors(),
    };
    let checks = checks.or(parsed.dockerfile.directives.check.clone()).unwrap_or_default();
    lint(&input, &checks).iter().map(|found| format!("{} {}", found.location.first_line, found.rule.name)).collect()
}

#[test]
fn files_as_people_write_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the folder of this test") {
        let path = entry.expect("a file").path();
        let bytes = fs::read(&path).expect("a file that can be read");
        let parsed = parse(&bytes);
        assert_eq!(parsed.diagnostics, [], "{}", path.display());
        assert!(!parsed.dockerfile.stages.is_empty());
        assert_eq!(found(&bytes, None), Vec::<String>::new(), "{}", path.display());
        // Line ends of Windows change nothing.
        let windows = String::from_utf8(bytes).expect("text").replace('\n', "\r\n");
        let shape = |text: &[u8]| {
            let file = parse(text).dockerfile;
            let names = |stage: &dockerfile::Stage| (stage.text.clone(), stage.instructions.len());
            file.stages.iter().map(names).collect::<Vec<_>>()
        };
        assert_eq!(shape(windows.as_bytes()), shape(windows.replace("\r\n", "\n").as_bytes()), "{}", path.display());
        count += 1;
    }
    assert!(count >= 16, "{count}");
}

#[test]
fn what_is_switched_off_there_is_there() {
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/comments.dockerfile"));
    assert_eq!(found(&bytes.expect("a file of this test"), Some(Checks::default())), ["21 JSONArgsRecommended"]);
}
