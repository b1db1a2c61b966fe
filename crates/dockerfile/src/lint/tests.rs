use super::*;
use crate::parser::parse;
use crate::scope::BaseFacts;

/// Surroundings of a build for linux/amd64, with some images: `busybox`, `arm`, `shelled`, `triggers`, and nothing
/// known of `elsewhere`.
#[derive(Default)]
struct Around<'a> {
    build_args: &'a [(&'a str, &'a str)],
    stages: Option<&'a [usize]>,
    ignore: &'a str,
    checks: Option<&'a str>,
}

fn facts(_: usize, name: &str) -> Option<BaseFacts> {
    let mut facts = BaseFacts { platform: "linux/amd64".to_owned(), ..BaseFacts::default() };
    match name {
        "elsewhere" => return None,
        "arm" | "image-for-another-platform" => facts.platform = "linux/arm64".to_owned(),
        "shelled" => facts.has_shell = true,
        "triggers" => {
            facts.on_build = vec!["ENV FROM_TRIGGER=1".to_owned(), "CMD a".to_owned(), "WORKDIR /x".to_owned()]
        }
        _ => facts.env = vec!["PATH=/bin".to_owned(), "OF_BASE=1".to_owned()],
    }
    Some(facts)
}

impl Around<'_> {
    /// `line Rule: message` for each finding.
    fn lint(&self, text: &str) -> Vec<String> {
        let parsed = parse(text.as_bytes());
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let build_args: Vec<_> = self.build_args.iter().map(pair).collect();
        let platform_args =
            [("TARGETPLATFORM", "linux/amd64"), ("BUILDPLATFORM", "linux/amd64"), ("TARGETVARIANT", "")]
                .map(|one| pair(&one));
        let ignore = IgnoreFile::parse(self.ignore.as_bytes()).expect("patterns are good");
        let input = LintInput {
            dockerfile: &parsed.dockerfile,
            stages: self.stages,
            around: Surroundings { build_args: &build_args, platform_args: &platform_args, bases: &facts },
            target_platform: "linux/amd64",
            ignore_file: (!ignore.is_empty()).then_some(&ignore),
            is_image_name: &|name| !name.is_empty() && !name.ends_with(':') && !name.contains('@'),
            has_errors: parsed.has_errors(),
        };
        let own = parsed.dockerfile.directives.check.clone().unwrap_or_default();
        let checks = self.checks.map_or(own, |value| Checks::parse(value).expect("good options"));
        let line = |warning: Warning| {
            assert!(warning.span.start <= warning.span.end && warning.span.end <= text.len());
            format!("{} {}: {}", warning.location.first_line, warning.rule.name, warning.message)
        };
        lint(&input, &checks).into_iter().map(line).collect()
    }
}

fn found(text: &str) -> Vec<String> {
    Around::default().lint(text)
}

#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(found(text), *expected, "{text}");
    }
}

#[test]
fn d170_to_d177_every_bad_example_triggers_its_rule_alone_and_every_good_one_none() {
    let around = Around { ignore: "*/tmp/*", checks: Some("experimental=all"), ..Around::default() };
    for rule in rules() {
        let names = |text: &str| -> Vec<String> {
            let found = around.lint(text).into_iter();
            found.map(|line| line.split([' ', ':']).nth(1).unwrap_or_default().to_owned()).collect()
        };
        assert!(!parse(rule.bad.as_bytes()).has_errors() && !parse(rule.good.as_bytes()).has_errors(), "{rule:?}");
        let bad = names(rule.bad);
        assert!(!bad.is_empty() && bad.iter().all(|name| name == rule.name), "{rule:?}: {bad:?}");
        assert_eq!(names(rule.good), Vec::<String>::new(), "{rule:?}");
    }
}

#[test]
fn d170_names_of_stages_and_from_with_as() {
    check(&[
        ("FROM busybox AS BadName\n", &["1 StageNameCasing: Stage name 'BadName' should be lowercase"]),
        (
            "FROM --platform=$BUILDPLATFORM busybox AS BadName\n",
            &["1 StageNameCasing: Stage name 'BadName' should be lowercase"],
        ),
        ("FROM busybox as b\n", &["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"]),
        ("from busybox AS b\n", &["1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"]),
        ("FROM busybox aS b\n", &["1 FromAsCasing: 'aS' and 'FROM' keywords' casing do not match"]),
        ("from busybox as b\n", &[]),
        ("FROM busybox AS base3\n", &[]),
        // A FROM that is in no case at all is told of once.
        (
            "From busybox as b\nFROM busybox AS c\n",
            &[
                "1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)",
            ],
        ),
    ]);
}

#[test]
fn d170_case_of_instructions_is_that_of_most() {
    let told = |line: usize, name: &str, case: &str| {
        let most = format!("should match the case of the command majority ({case})");
        format!("{line} ConsistentInstructionCasing: Command '{name}' {most}")
    };
    for (text, expected) in [
        ("FROM busybox\ncopy a /b\nCOPY a /c\n", vec![told(2, "copy", "uppercase")]),
        ("from busybox\nCOPY a /b\ncopy a /c\n", vec![told(2, "COPY", "lowercase")]),
        ("FROM busybox\ncopy a /b\ncopy a /c\n", vec![told(1, "FROM", "lowercase")]),
        ("frOM busybox\nfrom busybox\n", vec![told(1, "frOM", "lowercase")]),
        // Upper case is right when it is even, and when there is nothing but odd ones.
        ("FROM busybox\nrun a\n", vec![told(2, "run", "uppercase")]),
        ("From busybox\n", vec![told(1, "From", "uppercase")]),
        ("from busybox\nrun a\ncopy a /b\n", vec![]),
        // Arguments before the first FROM do not count, neither do triggers.
        ("arg A=1\nFROM busybox\n", vec![]),
        ("FROM busybox\nONBUILD run a\n", vec![]),
        ("FROM busybox\nRUN <<e\nrun x\ne\n", vec![]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn d170_d171_ports() {
    let casing = "ExposeProtoCasing: Defined protocol";
    let format = "ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found";
    check(&[
        (
            "FROM busybox\nEXPOSE 80/TCP 53/udp\n",
            &[&format!("2 {casing} '80/TCP' in EXPOSE instruction should be lowercase")],
        ),
        (
            "FROM busybox\nARG P=80/Tcp\nEXPOSE $P\n",
            &[&format!("3 {casing} '80/Tcp' in EXPOSE instruction should be lowercase")],
        ),
        ("FROM busybox\nEXPOSE 127.0.0.1:80:80\n", &[&format!("2 {format} '127.0.0.1:80:80'")]),
        (
            "FROM busybox\nEXPOSE [::1]:80:80 8080:80/tcp 8000-8010\n",
            &[&format!("2 {format} '[::1]:80:80'"), &format!("2 {format} '8080:80/tcp'")],
        ),
        ("FROM busybox\nEXPOSE 80 443/tcp 5/sctp 8000-8010/udp\n", &[]),
    ]);
}

#[test]
fn d171_empty_lines_legacy_pairs_and_maintainer() {
    check(&[
        ("FROM busybox\nRUN a \\\n\n  b\nRUN c\n", &["4 NoEmptyContinuation: Empty continuation line"]),
        ("FROM \\\n\n\nbusybox\n", &["4 NoEmptyContinuation: Empty continuation line"]),
        ("ARG A=1 \\\n\nB=2\nFROM busybox\n", &["3 NoEmptyContinuation: Empty continuation line"]),
        ("FROM busybox\nRUN a \\\n\n  <<e\nx\ne\n", &["4 NoEmptyContinuation: Empty continuation line"]),
        ("FROM busybox\nRUN a \\\n# comment\n  b\n\nRUN c\n", &[]),
        (
            "FROM busybox\nENV a b\nLABEL c d\nenv e f\n",
            &[
                "2 LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key value\" format",
                "3 LegacyKeyValueFormat: \"LABEL key=value\" should be used instead of legacy \"LABEL key value\" format",
                "4 ConsistentInstructionCasing: Command 'env' should match the case of the command majority (uppercase)",
                "4 LegacyKeyValueFormat: \"env key=value\" should be used instead of legacy \"env key value\" format",
            ],
        ),
        ("FROM busybox\nENV a=b c=\"d e\"\n", &[]),
        (
            "FROM busybox\nMAINTAINER me\n",
            &["2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"],
        ),
    ]);
}

#[test]
fn d172_stages_twice_or_reserved_and_instructions_twice() {
    let lost = |line: usize, name: &str| {
        format!(
            "{line} MultipleInstructionsDisallowed: Multiple {name} instructions should not be used in the same stage \
             because only the last one will be used"
        )
    };
    let three = "ENTRYPOINT [\"a\"]\nCMD [\"a\"]\nHEALTHCHECK CMD [\"a\"]\n";
    check(&[
        (
            "FROM busybox AS b\nFROM busybox AS b\n",
            &["2 DuplicateStageName: Duplicate stage name \"b\", stage names should be unique"],
        ),
        ("FROM busybox AS b1\nFROM busybox AS b2\n", &[]),
        (
            "FROM busybox AS scratch\nFROM busybox AS context\n",
            &[
                "1 ReservedStageName: Stage name should not use the same name as reserved stage \"scratch\"",
                "2 ReservedStageName: Stage name should not use the same name as reserved stage \"context\"",
            ],
        ),
        ("FROM scratch\nFROM scratch AS a\n", &[]),
        // The one that is lost is told of, whatever stands in between.
        (&format!("FROM busybox\n{three}{three}"), &[&lost(2, "ENTRYPOINT"), &lost(3, "CMD"), &lost(4, "HEALTHCHECK")]),
        ("FROM busybox\nCMD [\"a\"]\nCMD [\"b\"]\nCMD [\"c\"]\n", &[&lost(2, "CMD"), &lost(3, "CMD")]),
        (&format!("FROM busybox AS a\n{three}FROM a AS b\n{three}"), &[]),
    ]);
}

#[test]
fn d173_commands_for_the_shell() {
    let told = |line: usize, name: &str| {
        format!(
            "{line} JSONArgsRecommended: JSON arguments recommended for {name} to prevent unintended behavior related to \
             OS signals"
        )
    };
    check(&[
        ("FROM busybox\nCMD a\n", &[&told(2, "CMD")]),
        ("FROM busybox\nENTRYPOINT a\n", &[&told(2, "ENTRYPOINT")]),
        ("FROM elsewhere\nCMD a\n", &[&told(2, "CMD")]),
        ("FROM busybox\nCMD [\"a\"]\nENTRYPOINT [\"b\"]\nRUN c\nHEALTHCHECK CMD d\n", &[]),
        ("FROM busybox\nSHELL [\"/bin/bash\"]\nCMD a\n", &[]),
        ("FROM busybox\nCMD a\nSHELL [\"/bin/bash\"]\n", &[&told(2, "CMD")]),
        ("FROM busybox AS b\nSHELL [\"/bin/bash\"]\nFROM b\nENTRYPOINT a\n", &[]),
        ("FROM shelled\nCMD a\n", &[]),
        // What the triggers of a base do is not this file's business.
        ("FROM triggers\n", &[]),
    ]);
}

#[test]
fn d173_the_first_workdir_is_absolute() {
    let told = |line: usize, path: &str| {
        format!(
            "{line} WorkdirRelativePath: Relative workdir {path} can have unexpected results if the base image changes"
        )
    };
    check(&[
        ("FROM busybox\nWORKDIR app/\n", &[&told(2, "\"app/\"")]),
        ("FROM busybox\nWORKDIR app\nWORKDIR b\n", &[&told(2, "\"app\"")]),
        ("FROM busybox\nARG D=x\nWORKDIR $D/y\n", &[&told(3, "\"x/y\"")]),
        ("FROM busybox\nARG D=/x\nWORKDIR $D/y\n", &[]),
        ("FROM busybox AS a\nWORKDIR /app\nFROM a AS b\nWORKDIR sub\n", &[]),
        ("FROM busybox\nWORKDIR /a\nWORKDIR b\n", &[]),
        ("FROM triggers\nWORKDIR b\n", &[]),
    ]);
}

#[test]
fn d174_arguments_in_from() {
    check(&[
        ("ARG base=busybox\nFROM $base\n", &[]),
        ("ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM busybox\n", &[]),
        ("FROM --platform=$BUILDPLATFORM busybox\n", &[]),
        ("ARG DEBUG\nFROM busybox${DEBUG}\n", &[]),
        ("ARG DEBUG\nFROM busy${DEBUG:-box}\n", &[]),
        (
            "FROM --platform=$BULIDPLATFORM busybox\n",
            &["1 UndefinedArgInFrom: FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?)"],
        ),
        (
            "ARG MY_ARCH=amd64\nFROM --platform=linux/${MYARCH} busybox\n",
            &["2 UndefinedArgInFrom: FROM argument 'MYARCH' is not declared (did you mean MY_ARCH?)"],
        ),
        (
            "ARG tag=1\nFROM busybox:${tag}${version}\n",
            &["2 UndefinedArgInFrom: FROM argument 'version' is not declared"],
        ),
        // ENV and ARG of a stage do not reach FROM.
        (
            "FROM busybox AS a\nARG x=1\nFROM busybox:1$x\n",
            &["3 UndefinedArgInFrom: FROM argument 'x' is not declared"],
        ),
    ]);
}

#[test]
fn d174_defaults_of_arguments_in_from() {
    let told = |word: &str| {
        format!("2 InvalidDefaultArgInFrom: Default value for ARG {word} results in empty or invalid base image name")
    };
    let given = Around { build_args: &[("V", "latest"), ("IMAGE", "busybox")], ..Around::default() };
    for (text, expected) in [
        ("ARG V\nFROM busybox:$V\n", vec![told("busybox:$V")]),
        ("ARG IMAGE\nFROM $IMAGE\n", vec![told("$IMAGE")]),
        ("ARG V=\"box:\"\nFROM busy${V}\n", vec![told("busy${V}")]),
        ("ARG V=latest\nFROM busybox:${V}\n", vec![]),
        ("ARG V=\"\"\nFROM busybox:stable${V}\n", vec![]),
        ("ARG V\nFROM busybox:stable${V}\n", vec![]),
        // Whoever writes this wants to be given something.
        ("ARG IMAGE=${IMAGE:?give an image}\nFROM $IMAGE\n", vec![]),
    ] {
        assert_eq!(given.lint(text), expected, "{text}");
    }
}

#[test]
fn d174_variables_that_nothing_defines() {
    let told = |line: usize, name: &str| format!("{line} UndefinedVar: Usage of undefined variable '${name}'");
    check(&[
        ("FROM busybox\nARG foo\nCOPY a${foo} .\n", &[]),
        ("FROM busybox AS base\nARG foo=a\nFROM base\nCOPY $foo .\n", &[]),
        ("FROM busybox\nRUN echo $NOPE\nCMD [\"$NOPE\"]\nHEALTHCHECK CMD $NOPE\nONBUILD COPY $NOPE /\n", &[]),
        ("FROM busybox\nENV A=$OF_BASE B=$PATH\n", &[]),
        ("FROM scratch\nENV B=$PATH\n", &[]),
        ("FROM busybox\nCOPY $foo .\nARG foo=bar\n", &[&told(2, "foo")]),
        // Each declaration sees those before it.
        ("FROM busybox\nARG foo=1 b=$foo c=${b}x\nCOPY $c .\n", &[]),
        ("FROM busybox\nARG b=$foo foo=1\n", &[&told(2, "foo")]),
        ("ARG foo=1\nFROM busybox\nCOPY $foo .\n", &[&told(3, "foo")]),
        (
            "FROM busybox\nARG DIR_BINARIES=b/\nARG DIR_ASSETS=a/\nARG DIR_CONFIG=c/\nCOPY $DIR_ASSET .\n",
            &["5 UndefinedVar: Usage of undefined variable '$DIR_ASSET' (did you mean $DIR_ASSETS?)"],
        ),
        (
            "FROM busybox\nENV PATH=$PAHT:/tmp/bin\n",
            &["2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)"],
        ),
        // A default does not define it: nothing but the base image could.
        ("FROM busybox\nENV A=${NOPE:-x} B=${NOPE+y}\n", &[&told(2, "NOPE")]),
        ("FROM elsewhere\nENV A=$NOPE\n", &[]),
        ("FROM elsewhere AS a\nFROM a\nENV A=$NOPE\n", &[]),
        ("FROM triggers\nENV A=$FROM_TRIGGER\n", &[]),
        ("FROM busybox AS a\nONBUILD ENV B=1\nFROM a\nENV A=$B\n", &[]),
        (
            "FROM busybox\nLABEL $a=$b\nUSER $c\nVOLUME $d\nSTOPSIGNAL $e\nADD --chown=$f $g h\nARG I=$i\n",
            &[
                &told(2, "a"),
                &told(2, "b"),
                &told(3, "c"),
                &told(4, "d"),
                &told(5, "e"),
                &told(6, "g"),
                &told(6, "f"),
                &told(7, "i"),
            ],
        ),
        ("FROM busybox\nRUN --mount=type=cache,target=$x make\n", &[&told(2, "x")]),
        ("FROM busybox\nCOPY <<E <<'F' /x/\n$a\nE\n$b\nF\n", &[&told(2, "a")]),
        ("FROM busybox\nEXPOSE $NOPE\nARG BUILDKIT_SBOM_SCAN_STAGE\nENV A=$BUILDKIT_SBOM_SCAN_CONTEXT\n", &[]),
    ]);
    let given = Around { build_args: &[("I", "1")], ..Around::default() };
    assert_eq!(given.lint("FROM busybox\nARG I=$i\n"), [""; 0], "a default that is not used");
}

#[test]
fn d174_a_build_looks_at_the_stages_that_it_needs() {
    let text = "FROM busybox AS a\nCOPY $foo .\nFROM busybox AS B\nCOPY $bar .\n";
    let of = |stages: &[usize]| Around { stages: Some(stages), ..Around::default() }.lint(text);
    let casing = "3 StageNameCasing: Stage name 'B' should be lowercase".to_owned();
    let bar = "4 UndefinedVar: Usage of undefined variable '$bar'".to_owned();
    assert_eq!(of(&[1]), [casing.clone(), bar.clone()]);
    assert_eq!(found(text), ["2 UndefinedVar: Usage of undefined variable '$foo'".to_owned(), casing, bar]);
}

#[test]
fn d175_platforms() {
    let base = "InvalidBaseImagePlatform: Base image arm was pulled with platform";
    let constant = "FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value";
    let redundant = "RedundantTargetPlatform: Setting platform to predefined";
    check(&[
        ("FROM arm\n", &[&format!("1 {base} \"linux/arm64\", expected \"linux/amd64\" for current build")]),
        ("FROM busybox\n", &[]),
        ("FROM elsewhere\n", &[]),
        (
            "FROM --platform=linux/arm/v7 arm AS x-arm\n",
            &[&format!("1 {base} \"linux/arm64\", expected \"linux/arm/v7\" for current build")],
        ),
        ("FROM --platform=linux/arm64/v8 arm AS x-arm64\n", &[]),
        ("FROM --platform=linux/amd64 scratch\n", &[&format!("1 {constant} \"linux/amd64\"")]),
        ("FROM --platform=amd64 scratch\n", &[&format!("1 {constant} \"amd64\"")]),
        ("FROM --platform=x86_64 scratch AS amd64\n", &[]),
        ("FROM --platform=linux/amd64 scratch AS my_amd64_stage\n", &[]),
        ("FROM --platform=linux/amd64 scratch AS linux\n", &[]),
        ("ARG P=linux/amd64\nFROM --platform=$P scratch\n", &[]),
        ("FROM --platform=nonsense scratch\n", &[]),
        (
            "FROM --platform=$TARGETPLATFORM scratch\n",
            &[&format!("1 {redundant} $TARGETPLATFORM in FROM is redundant as this is the default behavior")],
        ),
        (
            "FROM --platform=${TARGETPLATFORM} scratch\n",
            &[&format!("1 {redundant} ${{TARGETPLATFORM}} in FROM is redundant as this is the default behavior")],
        ),
        ("FROM --platform=$TARGETPLATFORM$TARGETVARIANT scratch\n", &[]),
        ("FROM --platform=$BUILDPLATFORM scratch\n", &[]),
    ]);
}

#[test]
fn d176_names_that_look_like_secrets() {
    let told = |line: usize, name: &str| {
        format!("{line} SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data ({name})")
    };
    check(&[
        (
            "FROM busybox\nARG SECRET_PASSPHRASE\nENV SUPER_Secret=foo\nENV password=bar secret=baz\n\
             ARG super_duper_secret_token=foo auth=bar\nENV apikey=bar sunflower=foo\nENV git_key=\n",
            &[
                &told(2, "ARG \"SECRET_PASSPHRASE\""),
                &told(3, "ENV \"SUPER_Secret\""),
                &told(4, "ENV \"password\""),
                &told(4, "ENV \"secret\""),
                &told(5, "ARG \"super_duper_secret_token\""),
                &told(5, "ARG \"auth\""),
                &told(6, "ENV \"apikey\""),
                &told(7, "ENV \"git_key\""),
            ],
        ),
        ("FROM busybox\nENV PUBLIC_KEY=\nARG public_token\nENV TOKEN_FILE=/x KEY_VERSION=1\n", &[]),
        ("FROM busybox\nENV MONKEY=1 KEYBOARD=2 TOKENS=3\n", &[]),
        // Before the first FROM they reach FROM lines only.
        ("ARG TOKEN=busybox\nFROM $TOKEN\n", &[]),
    ]);
}

#[test]
fn d176_copies_of_ignored_files() {
    let told = |line: usize, verb: &str, file: &str| {
        format!("{line} CopyIgnoredFile: Attempting to {verb} file \"{file}\" that is excluded by .dockerignore")
    };
    let of = |ignore: &str, text: &str| {
        Around { ignore, checks: Some("experimental=CopyIgnoredFile"), ..Around::default() }.lint(text)
    };
    let text = "FROM scratch\nCOPY Dockerfile .\nADD ./Dockerfile /x\nCOPY /Dockerfile a /y/\n";
    assert_eq!(
        of("Dockerfile\n", text),
        [told(2, "Copy", "Dockerfile"), told(3, "Add", "Dockerfile"), told(4, "Copy", "/Dockerfile")]
    );
    assert_eq!(of("a\n", "FROM scratch\nADD https://example.com/a /\nADD git@example.com:a.git /b\n"), [""; 0]);
    assert_eq!(of("dir\n", "FROM scratch\nARG D=dir\nCOPY $D/file /\n"), [told(3, "Copy", "dir/file")]);
    // What is taken back in cannot be told from the names alone.
    assert_eq!(of("dir\n!dir/file\n", "FROM scratch\nCOPY dir /\n"), [""; 0]);
    assert_eq!(
        of("foobar\n", "FROM scratch AS b\nCOPY Dockerfile /foobar\nFROM b\nCOPY --from=b /foobar /D\n"),
        [""; 0]
    );
    // It does not run unasked.
    assert_eq!(Around { ignore: "a\n", ..Around::default() }.lint("FROM scratch\nCOPY a /\n"), [""; 0]);
}

#[test]
fn d177_comments_that_describe_nothing() {
    let told = |line: usize, instruction: &str, name: &str| {
        let format = format!("Comment for {instruction} should follow the format: `# {name} <description>`");
        format!("{line} InvalidDefinitionDescription: {format}")
    };
    let head = "# check=experimental=InvalidDefinitionDescription\n";
    for (text, expected) in [
        ("# foo this is the foo\nARG foo=bar\n\n# base this is the base\nFROM scratch AS base\n", vec![]),
        (
            "# bar this is the bar\nARG foo=bar\n# BasE the base\nFROM scratch AS base\n",
            vec![told(3, "ARG", "foo"), told(5, "FROM", "base")],
        ),
        (
            "FROM scratch AS base\n# baz the baz\nARG foo=1 bar=2 baz=3\n# no\nARG a=1 b=2\n",
            vec![told(6, "ARG", "<arg_key>")],
        ),
        // An empty comment or line in between, no name, another instruction: no description is meant.
        ("# licence\n#\nARG a=1\nFROM scratch\n", vec![]),
        ("# licence\n\nARG a=1\nFROM scratch\n", vec![]),
        ("# anything\nFROM scratch\n# anything\nCOPY a b\n", vec![]),
        ("ARG a\n# check=skip=FromAsCasing\nFROM scratch as base\n", vec![]),
    ] {
        assert_eq!(found(&format!("{head}{text}")), expected, "{text}");
    }
    assert_eq!(found("# no\nFROM scratch AS base\n"), [""; 0], "it does not run unasked");
}

#[test]
fn d178_what_switches_rules_off() {
    let text = "FROM scratch as base\ncopy a .\n";
    let both = |line: usize| {
        let from = format!("{line} FromAsCasing: 'as' and 'FROM' keywords' casing do not match");
        let name = "Command 'copy' should match the case of the command majority (uppercase)";
        (from, format!("{} ConsistentInstructionCasing: {name}", line + 1))
    };
    let (from, case) = both(1);
    assert_eq!(found(text), [from, case]);
    let (from, case) = both(2);
    for (directive, expected) in [
        ("#check=skip=all", vec![]),
        ("# check=skip=all;error=true", vec![]),
        ("# check = skip = ConsistentInstructionCasing , FromAsCasing", vec![]),
        ("# check=skip=ConsistentInstructionCasing", vec![from.clone()]),
        ("# check=skip=consistentinstructioncasing,FromAsCasing", vec![case.clone()]),
        ("# check=skip=Unknown", vec![from.clone(), case.clone()]),
    ] {
        assert_eq!(found(&format!("{directive}\n{text}")), expected, "{directive}");
    }
    // A build argument counts instead of the directive.
    let given = Around { checks: Some("skip=FromAsCasing"), ..Around::default() };
    assert_eq!(given.lint(&format!("# check=skip=all\n{text}")), [case]);
}

#[test]
fn d178_comments_above_an_instruction() {
    check(&[
        ("FROM busybox\n# check=skip=JSONArgsRecommended\nCMD a\n", &[]),
        ("FROM busybox\n# why\n# check=skip=all\n\nMAINTAINER me\n", &[]),
        ("# about\n# check=skip=StageNameCasing\nFROM busybox AS Base\n", &[]),
        (
            "FROM busybox\n# check=skip=JSONArgsRecommended\nUSER me\nENTRYPOINT a\n",
            &[
                "4 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
            ],
        ),
        (
            "FROM busybox\n# check=skip=MaintainerDeprecated\n#\nMAINTAINER me\n",
            &["4 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"],
        ),
    ]);
}

#[test]
fn d178_of_a_file_with_mistakes_only_rules_that_need_no_values_speak() {
    check(&[(
        "FROM busybox AS Base\nMAINTAINER me\nBADCMD\nCOPY $nope /\n",
        &[
            "1 StageNameCasing: Stage name 'Base' should be lowercase",
            "2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label",
        ],
    )]);
}

#[test]
fn d170_to_d178_names_and_pages() {
    let mut names: Vec<&str> = rules().iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), 22);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 22, "each once");
    let experimental: Vec<&str> = rules().iter().filter(|rule| rule.is_experimental).map(|rule| rule.name).collect();
    assert_eq!(experimental, ["CopyIgnoredFile", "InvalidDefinitionDescription"]);
    let page = |name: &str| rules().iter().find(|rule| rule.name == name).and_then(LintRule::url);
    assert_eq!(
        page("JSONArgsRecommended").as_deref(),
        Some("https://docs.docker.com/go/dockerfile/rule/json-args-recommended/")
    );
    assert_eq!(page("InvalidBaseImagePlatform"), None);
}

#[test]
fn messages_quote_as_go_does() {
    for (text, expected) in [
        ("b", "\"b\""),
        ("a\"b\\c", "\"a\\\"b\\\\c\""),
        ("\t\n\r\u{1b}\u{7}", "\"\\t\\n\\r\\x1b\\a\""),
        ("도진\u{a0}\u{200b}\u{1f600}", "\"도진\\u00a0\\u200b\u{1f600}\""),
    ] {
        assert_eq!(quote::quoted(text), expected);
    }
}

#[test]
fn files_that_nobody_writes_are_checked_in_time() {
    for text in [
        format!("FROM busybox\nENV a=1234567890\n{}", "ENV a=$a$a\n".repeat(2_000)),
        format!("FROM busybox\nENV a=1234567890\n{}ENV b={}\n", "ENV a=$a$a\n".repeat(20), "$a".repeat(50_000)),
        format!("FROM busybox\n{}", "COPY $a $b /\n".repeat(19_000)),
        format!("FROM busybox AS b\n{}", "FROM b\n".repeat(900)),
        format!("FROM busybox AS b\n{}", "MAINTAINER x\n".repeat(19_000)),
    ] {
        assert!(found(&text).len() <= MAX_WARNINGS);
    }
}
