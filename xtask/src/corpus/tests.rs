use super::{dockerfiles, has_from, literals};
use crate::machine;

/// Sources that are full of mistakes on purpose: those about mistakes, and the language's own.
fn is_about_mistakes(origin: &str) -> bool {
    origin.contains("/broken")
        || origin.contains("/refused.rs")
        || origin.starts_with("crates/dockerfile/src")
        || origin.starts_with("crates/dockerfile/tests/")
}

/// Texts that only look like a Dockerfile.
const NONE: [(&str, &str); 3] = [
    ("\n- ", "rows of a history that have no layer"),
    ("FROM scratch: none\n2/2 COPY", "what a view shows"),
    ("RUN_OR_NOT", "a part that is filled in before it is used"),
];

/// Issue 3: every Dockerfile in the tests parses. One with a mistake is meant to have it, and then its test says what
/// is told of it.
#[test]
fn every_dockerfile_of_the_tests_parses() {
    let root = machine::repository();
    let mut good = 0;
    for found in dockerfiles() {
        let parsed = dockerfile::parse(found.text.as_bytes());
        let is_template = found.text.replace("${", "").contains('{');
        if is_about_mistakes(&found.origin) || is_template || NONE.iter().any(|(part, _)| found.text.contains(part)) {
            continue;
        }
        let source = std::fs::read_to_string(root.join(found.origin.split(':').next().unwrap_or_default()))
            .expect("it was read before");
        // A context with a name may stand for a stage that is not there.
        let is_mistake = |problem: &&dockerfile::Diagnostic| {
            problem.is_error() && problem.code != dockerfile::Code::InvalidStageReference
        };
        for problem in parsed.diagnostics.iter().filter(is_mistake) {
            let beginning: String = problem.message.chars().take(24).collect();
            let is_meant = source.contains(&beginning);
            assert!(is_meant, "{} has a mistake: {}\n{}", found.origin, problem.message, found.text);
        }
        good += usize::from(!parsed.has_errors());
    }
    assert!(good > 400, "{good}: the Dockerfiles of the tests were found");
}

#[test]
fn texts_of_a_source() {
    let source = r####"
        // "not this"
        fn f<'a>(x: &'a str) -> char { '"' }
        let a = "one \"two\" \u{1f600}\x41\t"; let b = '\'';
        let c = r#"raw "text" \n"#;
        let d = "joined \
                 line";
        r"x"
    "####;
    let found = literals(source);
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["one \"two\" \u{1f600}A\t", "raw \"text\" \\n", "joined line", "x"]);
    assert_eq!(found[0].0, 4);
    assert_eq!(found[3].0, 8);
}

#[test]
fn texts_that_are_dockerfiles() {
    for text in ["FROM a\nRUN b", "# c\n\nARG A\nfrom a\nrun b\n", "# syntax=x\nFROM a AS b\n"] {
        assert!(has_from(text), "{text}");
    }
    for text in ["", "FROM a", "from the image\n", "RUN a\nFROM b", "a FROM b\nc", "FROMAGE x\ny"] {
        assert!(!has_from(text), "{text}");
    }
}
