//! Whatever the bytes: no panic, every place within the text, and what is read does not depend on line ends.

#[path = "invariants/dockerfile.rs"]
mod dockerfiles;
#[path = "invariants/ignore_file.rs"]
mod ignore_files;

use dockerfile::{Expander, parse};
use proptest::prelude::*;

use dockerfiles::{check_dockerfile, check_trigger};
use ignore_files::{check_ignore_file, check_path_pattern};

/// Pieces that make texts which get far into the parser.
fn dockerfile_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("FROM alpine AS a\n"),
        Just("FROM --platform=x b\n"),
        Just("RUN "),
        Just("COPY --from=a "),
        Just("ADD "),
        Just("ENV "),
        Just("LABEL "),
        Just("ARG "),
        Just("ONBUILD "),
        Just("HEALTHCHECK --interval=5s CMD "),
        Just("EXPOSE "),
        Just("SHELL "),
        Just("--mount=type=cache,target="),
        Just("<<EOF "),
        Just("<<-'X' "),
        Just("EOF\n"),
        Just("\\\n"),
        Just("\\"),
        Just("\r\n"),
        Just("\n"),
        Just("# c\n"),
        Just("# escape=`\n"),
        Just("`\n"),
        Just("[\"a\", "),
        Just("\"]\n"),
        Just("['"),
        Just("\""),
        Just("'"),
        Just("${v:-"),
        Just("${v//a/"),
        Just("}"),
        Just("$"),
        Just("k=v "),
        Just("="),
        Just("옹기"),
        Just("\u{a0}"),
        Just("\u{feff}"),
        Just("  "),
        Just("\t"),
        Just("a/b "),
        Just("80-90/tcp "),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_dockerfile(&bytes);
    }

    #[test]
    fn nearly_dockerfiles(text in dockerfile_like()) {
        check_dockerfile(text.as_bytes());
        check_dockerfile(format!("FROM alpine\n{text}").as_bytes());
    }

    #[test]
    fn triggers(text in dockerfile_like()) {
        check_trigger(&text);
    }

    #[test]
    fn words_expand_or_are_refused(word in "[a$v{}:#%/?*+\"'\\\\ -]{0,30}", value in "[a/*]{0,10}") {
        let lookup = |name: &str| (name == "v").then_some(value.as_str());
        let expander = Expander::new('\\');
        let expanded = expander.expand(&word, &lookup);
        if let Err(error) = &expanded {
            prop_assert!(error.offset <= word.len());
        }
        // What parses without values parses with them.
        prop_assert!(expander.check(&word).is_ok() || expanded.is_err());
        let _display = Expander::for_display('`').expand(&word, &lookup);
        let _words = expander.expand_words(&word, &lookup);
    }

    #[test]
    fn line_ends_do_not_matter(text in "(FROM a\n|RUN a \\\\\n|  b\n|# c\n|ENV a=b\n|\n){0,12}") {
        let unix = parse(text.as_bytes());
        let dos = parse(text.replace('\n', "\r\n").as_bytes());
        let texts = |parsed: &dockerfile::Parsed| -> Vec<String> {
            parsed.dockerfile.stages.iter().flat_map(|stage| &stage.instructions).map(|one| one.text.clone()).collect()
        };
        prop_assert_eq!(texts(&unix), texts(&dos));
        prop_assert_eq!(unix.diagnostics.len(), dos.diagnostics.len());
    }

    #[test]
    fn ignore_files(text in "([!#*?/.a\\[\\]\\^\\\\-]{0,8}\n){0,6}", path in "[a./*]{1,12}") {
        check_ignore_file(text.as_bytes(), path.as_bytes());
    }

    #[test]
    fn ignore_files_of_names(lines in proptest::collection::vec(ignore_line(), 0..6), path in "(a|b|ab|\\.a)(/(a|b|ab)){0,4}") {
        prop_assert!(check_ignore_file(lines.join("\n").as_bytes(), path.as_bytes()));
    }

    #[test]
    fn ignore_files_of_any_bytes(text in proptest::collection::vec(any::<u8>(), 0..40), path in proptest::collection::vec(any::<u8>(), 0..20)) {
        check_ignore_file(&text, &path);
    }

    #[test]
    fn patterns(pattern in "[*?\\[\\]a^\\\\/-]{0,12}", path in "[a*/]{0,12}") {
        check_path_pattern(&pattern, path.as_bytes());
    }
}

/// A line that people could write.
fn ignore_line() -> impl Strategy<Value = String> {
    let name =
        prop_oneof![Just("a"), Just("b"), Just("*"), Just("**"), Just("?"), Just("a*"), Just("[ab]"), Just("*.a")];
    let path = proptest::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    (prop_oneof![Just(""), Just("!"), Just("/"), Just("# ")], path).prop_map(|(before, path)| format!("{before}{path}"))
}
