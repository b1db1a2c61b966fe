//! Whatever the bytes: no panic, every place within the text, and what is read does not depend on line ends.

use dockerfile::{
    Expander, IgnoreFile, Instruction, InstructionKind, PathPattern, SourceMap, Span, parse, parse_trigger,
};
use proptest::prelude::*;

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

fn within(span: Span, text: &[u8]) {
    assert!(span.start <= span.end && span.end <= text.len(), "{span:?} in {}", text.len());
}

fn check_instruction(instruction: &Instruction, bytes: &[u8]) {
    within(instruction.span, bytes);
    assert!(instruction.first_line >= 1 && instruction.first_line <= instruction.last_line);
    assert!(instruction.last_line <= SourceMap::new(bytes).line_count());
    let words = match &instruction.kind {
        InstructionKind::Copy(copy) => [copy.sources.as_slice(), std::slice::from_ref(&copy.destination)].concat(),
        InstructionKind::Add(add) => [add.sources.as_slice(), std::slice::from_ref(&add.destination)].concat(),
        InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => {
            pairs.iter().flat_map(|pair| [pair.key.clone(), pair.value.clone()]).collect()
        }
        InstructionKind::Expose(words) | InstructionKind::Volume(words) => words.clone(),
        InstructionKind::OnBuild(trigger) => {
            check_instruction(&trigger.instruction, bytes);
            Vec::new()
        }
        InstructionKind::Run(run) => {
            for heredoc in &run.heredocs {
                within(heredoc.span, bytes);
                within(heredoc.body.span, bytes);
            }
            run.mounts.iter().map(|mount| mount.text.clone()).collect()
        }
        _ => Vec::new(),
    };
    for word in words {
        within(word.span, bytes);
    }
}

fn check(bytes: &[u8]) {
    let parsed = parse(bytes);
    let map = SourceMap::new(bytes);
    for problem in &parsed.diagnostics {
        within(problem.span, bytes);
        assert!(!problem.message.is_empty());
        let place = map.line_column(problem.span.start);
        assert!(place.line >= 1 && place.column >= 1);
    }
    assert!(parsed.has_errors() || !parsed.dockerfile.stages.is_empty());
    for stage in &parsed.dockerfile.stages {
        within(stage.span, bytes);
        within(stage.base.span, bytes);
    }
    let stages = parsed.dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
    for instruction in parsed.dockerfile.global_args.iter().chain(stages) {
        check_instruction(instruction, bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn nearly_dockerfiles(text in dockerfile_like()) {
        check(text.as_bytes());
        check(format!("FROM alpine\n{text}").as_bytes());
    }

    #[test]
    fn triggers(text in dockerfile_like()) {
        if let Ok(instruction) = parse_trigger(&text) {
            check_instruction(&instruction, text.as_bytes());
        }
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
        if let Ok(file) = IgnoreFile::parse(text.as_bytes()) {
            let path = path.trim_matches('/');
            let mut folder = file.root();
            let mut skipped = false;
            for (at, _) in path.match_indices('/') {
                skipped |= file.check(&folder, &path.as_bytes()[..at], true) == dockerfile::Verdict::Skipped;
                folder = file.enter(&folder, &path.as_bytes()[..at]);
            }
            // A folder that may be skipped holds nothing that belongs to the context.
            prop_assert!(!skipped || file.ignores(path.as_bytes()));
        }
    }

    #[test]
    fn patterns(pattern in "[*?\\[\\]a^\\\\/-]{0,12}", path in "[a*/]{0,12}") {
        if let Ok(compiled) = PathPattern::new(&pattern) {
            let matches = compiled.matches(path.as_bytes());
            if let Some(literal) = compiled.literal() {
                prop_assert_eq!(matches, PathPattern::new(&path).is_ok() && normal(&path) == normal_bytes(&literal));
            }
        }
    }
}

fn normal(path: &str) -> Vec<Vec<u8>> {
    normal_bytes(path.as_bytes())
}

fn normal_bytes(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}
