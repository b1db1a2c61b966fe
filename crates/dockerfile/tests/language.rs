//! The language, row by row of the feature map, through the public API: what a file says, not how it is read.
//!
//! Details of single instructions are tested beside the parser; what a build makes of them in `builder`.

use dockerfile::{Command, Dockerfile, InstructionKind, parse};

/// Reads what must be free of mistakes and of oddities.
#[track_caller]
fn good(text: &str) -> Dockerfile {
    let parsed = parse(text.as_bytes());
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed.dockerfile
}

/// Every instruction, FROM included, with its continuations joined.
#[track_caller]
fn texts(text: &str) -> Vec<String> {
    let file = good(text);
    let mut all: Vec<String> = file.global_args.iter().map(|instruction| instruction.text.clone()).collect();
    for stage in &file.stages {
        all.push(stage.text.clone());
        all.extend(stage.instructions.iter().map(|instruction| instruction.text.clone()));
    }
    all
}

/// `line: message` of everything that is told.
fn told(text: &str) -> Vec<String> {
    let line = |place: usize| text[..place].matches('\n').count() + 1;
    let parsed = parse(text.as_bytes());
    parsed.diagnostics.iter().map(|problem| format!("{}: {}", line(problem.span.start), problem.message)).collect()
}

/// The kind of the only instruction of the only stage.
#[track_caller]
fn only(text: &str) -> InstructionKind {
    let mut file = good(text);
    assert_eq!((file.stages.len(), file.stages[0].instructions.len()), (1, 1), "{text}");
    file.stages[0].instructions.remove(0).kind
}

/// Attack row 18: a front end is never fetched or run, whatever it is called.
#[test]
fn d001_the_grammar_is_the_built_in_one_whatever_front_end_is_named() {
    for image in [
        "docker/dockerfile",
        "docker/dockerfile:1",
        "docker/dockerfile:1.7-labs",
        "docker.io/docker/dockerfile:1@sha256:0000",
        "docker/dockerfile-upstream:master",
        "mirror.example.com:5000/hub/docker/dockerfile:1",
    ] {
        let file = good(&format!("# syntax={image}\nFROM a\n"));
        assert_eq!(file.directives.syntax.map(|word| word.text).as_deref(), Some(image));
        assert_eq!(file.stages.len(), 1);
    }
    for image in ["attacker/x", "attacker/dockerfilex:1", "dockerfile.example.com/x", "../../etc", "x; rm -rf /"] {
        let text = format!("# syntax={image}\nFROM a\nRUN b\n");
        assert_eq!(told(&text), [format!("1: the front end `{image}` is not run; the file is read as a Dockerfile")]);
        assert_eq!(parse(text.as_bytes()).dockerfile.stages[0].instructions.len(), 1);
    }
}

#[test]
fn d001_a_file_in_another_language_is_one_mistake() {
    for text in [
        "// syntax=attacker/x\npackage main\n",
        "//syntax = attacker/x with words\nFROM a\n",
        "\u{feff}// SYNTAX=attacker/x\r\nx\r\n",
        "{\"syntax\": \"attacker/x\", \"steps\": []}\n",
        "\n {\n  \"steps\": [],\n  \"syntax\" : \"attacker/x\"\n}\n",
    ] {
        let told = told(text);
        let [only] = told.as_slice() else { panic!("{text}: {told:?}") };
        assert!(only.ends_with("the file is written for the front end `attacker/x`, not as a Dockerfile"), "{only}");
        let span = parse(text.as_bytes()).diagnostics[0].span;
        assert_eq!(&text[span.range()], "attacker/x");
    }
    for text in ["// comment\nFROM a\n", "{\"steps\": []}\n", "/ syntax=x\nFROM a\n"] {
        assert!(told(text).iter().all(|line| !line.contains("front end")), "{text}");
    }
}

#[test]
fn d002_the_escape_character_counts_at_line_ends_in_words_and_in_variables() {
    let file = "# escape=`\nFROM a\nCOPY C:\\x `\n D:\\\nENV A=b` c D=\"e`\"f\" G=`$H\nRUN dir C:\\ `\n && echo `\"\nADD [\"a\", \"C:\\\\\"]\n\
                LABEL x=\"`\n y\"\nWORKDIR C:\\Users`\n\\me\nONBUILD RUN a `\n  b\nHEALTHCHECK CMD a `\n b\n";
    assert_eq!(
        texts(file),
        [
            "FROM a",
            "COPY C:\\x  D:\\",
            "ENV A=b` c D=\"e`\"f\" G=`$H",
            "RUN dir C:\\  && echo `\"",
            "ADD [\"a\", \"C:\\\\\"]",
            "LABEL x=\" y\"",
            "WORKDIR C:\\Users\\me",
            "ONBUILD RUN a   b",
            "HEALTHCHECK CMD a  b",
        ]
    );
    // A backslash is a letter then; with the backslash as escape character the backtick is one.
    let InstructionKind::Env(pairs) = only("# escape=`\nFROM a\nENV A=\\ B=\\x\n") else { panic!("ENV") };
    assert_eq!(pairs.iter().map(|pair| pair.value.text.as_str()).collect::<Vec<_>>(), ["\\", "\\x"]);
    assert_eq!(texts("FROM a\nRUN a `\nRUN b\n"), ["FROM a", "RUN a `", "RUN b"]);
    // Of two at the end of a line the second is no continuation, nor is one with something behind it.
    assert_eq!(texts("FROM a\nRUN a \\\\\nRUN b \\ x\n"), ["FROM a", "RUN a \\\\", "RUN b \\ x"]);
    // Markers of here-documents follow the rules of a shell's words, with the escape character of the file.
    assert_eq!(texts("# escape=`\nFROM a\nRUN cat `<<EOF\nRUN b\n"), ["FROM a", "RUN cat `<<EOF", "RUN b"]);
}

#[test]
fn d004_directives_end_at_the_first_line_that_is_none() {
    let escape = |text: &str| parse(text.as_bytes()).dockerfile.directives.escape;
    for (text, expected) in [
        ("# ESCAPE=`\nFROM a", '`'),
        ("#escape = `\nFROM a", '`'),
        ("# syntax=docker/dockerfile:1\n# check=skip=all\n# escape=`\nFROM a", '`'),
        ("\n# escape=`\nFROM a", '\\'),
        ("#\n# escape=`\nFROM a", '\\'),
        ("# words\n# escape=`\nFROM a", '\\'),
        ("# key=value\n# escape=`\nFROM a", '\\'),
        ("FROM a\n# escape=`\n", '\\'),
    ] {
        assert_eq!(escape(text), expected, "{text}");
    }
    assert_eq!(told("# escape=`\n# Escape=\\\nFROM a\n"), ["2: `escape` is set twice"]);
    assert_eq!(told("# syntax=docker/dockerfile\n# syntax=docker/dockerfile\nFROM a\n"), ["2: `syntax` is set twice"]);
    assert_eq!(told("# check=skip=all\n# check=error=true\nFROM a\n"), ["2: `check` is set twice"]);
}

#[test]
fn d005_comments_are_lines_of_their_own() {
    let file =
        "# one\nFROM a\n   # two\nRUN a \\\n# three\n   # four\n b # five\n\t#six\nRUN [\"#\"]\nENV A=# B=c#d\n#seven";
    assert_eq!(texts(file), ["FROM a", "RUN a  b # five", "RUN [\"#\"]", "ENV A=# B=c#d"]);
    // Also between the lines of JSON, and where nothing follows.
    assert_eq!(texts("FROM a\nCMD [\"a\", \\\n# b\n\"c\"]\n"), ["FROM a", "CMD [\"a\", \"c\"]"]);
    assert_eq!(texts("FROM a\nRUN b \\\n# the end\n"), ["FROM a", "RUN b"]);
}

/// The warning is the check NoEmptyContinuation.
#[test]
fn d006_empty_lines_do_not_end_an_instruction() {
    let file = "FROM a\nRUN b \\\n\n   \n\t\n  c\nRUN d\n";
    assert_eq!(texts(file), ["FROM a", "RUN b   c", "RUN d"]);
    let empty = &good(file).stages[0].instructions[0].empty_lines;
    assert_eq!((empty.lines.as_slice(), empty.last_line), ([3, 4, 5].as_slice(), 6));
}

#[test]
fn d007_a_byte_order_mark_and_a_first_line_for_a_shell_are_skipped() {
    for text in [
        "\u{feff}FROM a\nRUN b\n",
        "#!/usr/bin/env -S onggi build -f\nFROM a\nRUN b\n",
        "\u{feff}#!/x\nFROM a\nRUN b\n",
        "#!/x\n\nFROM a\r\nRUN b\r\n",
    ] {
        assert_eq!(texts(text), ["FROM a", "RUN b"], "{text:?}");
    }
    let file = good("#!/x\n# escape=`\n# syntax=docker/dockerfile\nFROM a\n");
    assert_eq!((file.directives.escape, file.directives.syntax.is_some(), file.stages[0].first_line), ('`', true, 4));
    // Only at the beginning.
    assert_eq!(told("FROM a\n\u{feff}RUN b\n"), ["2: unknown instruction `\u{feff}RUN`"]);
    assert_eq!(parse(b"# a\n#!/x\n# escape=`\nFROM a\n").dockerfile.directives.escape, '\\');
}

#[test]
fn d008_names_of_instructions_in_any_case() {
    let names = ["ADD a b", "ARG a", "CMD a", "COPY a b", "ENTRYPOINT a", "ENV a=b", "EXPOSE 1", "HEALTHCHECK NONE"];
    let more =
        ["LABEL a=b", "MAINTAINER a", "ONBUILD RUN a", "RUN a", "SHELL [\"a\"]", "STOPSIGNAL 9", "USER a", "VOLUME /a"];
    for line in names.into_iter().chain(more).chain(["WORKDIR /a"]) {
        let (name, rest) = line.split_once(' ').unwrap();
        let mixed: String =
            name.char_indices().map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c }).collect();
        let kind = only(&format!("FROM a\n{line}\n"));
        for name in [name.to_lowercase(), mixed] {
            let other = only(&format!("from a\n{name} {rest}\n"));
            assert_eq!(std::mem::discriminant(&kind), std::mem::discriminant(&other), "{name}");
        }
    }
    assert_eq!(good("fRoM a aS B\n").stages[0].name.as_ref().map(|name| name.text.as_str()), Some("b"));
}

#[test]
fn d009_here_documents_where_they_may_stand() {
    for (lines, documents) in [
        ("RUN <<EOF\nRUN a\n# b\nEOF", 1),
        ("COPY <<A <<B /x/\na\nA\nb\nB", 2),
        ("ADD <<-A /x\n\ta\n\tA", 1),
        ("ONBUILD RUN <<EOF\na\nEOF", 1),
        ("ONBUILD COPY <<EOF /x\na\nEOF", 1),
        ("onbuild add <<EOF /x\na\nEOF", 1),
    ] {
        let kind = only(&format!("FROM a\n{lines}\n"));
        let kind = match kind {
            InstructionKind::OnBuild(trigger) => trigger.instruction.kind,
            kind => kind,
        };
        let found = match kind {
            InstructionKind::Run(run) => run.heredocs.len(),
            InstructionKind::Copy(copy) => copy.heredocs.len(),
            InstructionKind::Add(add) => add.heredocs.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, documents, "{lines}");
    }
    // Elsewhere it is text.
    assert!(
        matches!(only("FROM a\nCMD cat <<EOF\n"), InstructionKind::Cmd(Command::Shell(text)) if text == "cat <<EOF")
    );
}

#[test]
fn d020_d021_d022_d024_words_of_from() {
    let file = good(
        "FROM --platform=$TARGETPLATFORM r.example.com:5000/a/b:1.0@sha256:00 AS B-1_x.y\nFROM scratch\nFROM b-1_x.y\n",
    );
    let [first, second, third] = file.stages.as_slice() else { panic!("three") };
    assert_eq!(first.base.text, "r.example.com:5000/a/b:1.0@sha256:00");
    assert_eq!(first.platform.as_ref().map(|word| word.text.as_str()), Some("$TARGETPLATFORM"));
    assert_eq!(first.name.as_ref().map(|word| word.text.as_str()), Some("b-1_x.y"));
    assert_eq!((second.base.text.as_str(), third.base.text.as_str()), ("scratch", "b-1_x.y"));
    for name in ["1st", "-a", "_a", "a/b", "a:b", "ä"] {
        assert_eq!(told(&format!("FROM a AS {name}\n")), [format!("1: invalid stage name `{name}`")]);
    }
}

#[test]
fn d025_order_without_a_copy_is_refused_with_a_way_to_have_it() {
    let parsed = parse(b"FROM a AS one\nFROM --after=one a\n");
    let [problem] = parsed.diagnostics.as_slice() else { panic!("{:?}", parsed.diagnostics) };
    assert_eq!(problem.message, "FROM has no flag `--after`");
    let help = problem.help.as_deref().unwrap_or_default();
    let line = help.split('`').nth(1).unwrap_or_default();
    assert_eq!(texts(&format!("FROM a AS one\nFROM a\n{line}\n"))[2], "COPY --from=one /etc/passwd /tmp/");
}

#[test]
fn d026_d027_arguments_before_and_behind_the_first_from() {
    let file = good("ARG A=1 B\nARG C=${A}-x\nFROM a\nARG A D=\"x y\" E=\n");
    assert_eq!((file.global_args.len(), file.stages[0].instructions.len()), (2, 1));
    let InstructionKind::Arg(declarations) = &file.stages[0].instructions[0].kind else { panic!("ARG") };
    let shown: Vec<(&str, Option<&str>)> = declarations
        .iter()
        .map(|one| (one.name.text.as_str(), one.default.as_ref().map(|word| word.text.as_str())))
        .collect();
    assert_eq!(shown, [("A", None), ("D", Some("\"x y\"")), ("E", Some(""))]);
    assert_eq!(told("ENV A=1\nFROM a\n"), ["1: ENV comes before the first FROM"]);
}

/// D039: a check says so, and the file is good.
#[test]
fn d039_reserved_names_of_stages_are_no_mistake() {
    let file = good("FROM a AS scratch\nFROM a AS context\nFROM scratch\n");
    assert_eq!(file.stages[0].name.as_ref().map(|name| name.text.as_str()), Some("scratch"));
}

#[test]
fn d100_d130_d131_d141_forms_of_commands() {
    for (line, expected) in [
        ("CMD a b", Command::Shell("a b".to_owned())),
        ("CMD [\"a\", \"b\"]", Command::Exec(vec!["a".to_owned(), "b".to_owned()])),
        ("CMD  [ \"\\u0061\" ] ", Command::Exec(vec!["a".to_owned()])),
        ("ENTRYPOINT [\"a\\tb\"]", Command::Exec(vec!["a\tb".to_owned()])),
        ("ENTRYPOINT exec $X", Command::Shell("exec $X".to_owned())),
    ] {
        match only(&format!("FROM a\n{line}\n")) {
            InstructionKind::Cmd(command) | InstructionKind::Entrypoint(command) => assert_eq!(command, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told("FROM a\nSHELL bash -c\n"), ["2: SHELL needs a JSON array of strings"]);
}
