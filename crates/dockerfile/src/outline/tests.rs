use super::*;
use crate::parser::parse;
use crate::scope::BaseFacts;

fn of(text: &str, target: &str, build_args: &[(&str, &str)]) -> Outline {
    let parsed = parse(text.as_bytes());
    assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
    let build_args: Vec<_> = build_args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let around =
        Surroundings { build_args: &build_args, platform_args: &[], bases: &|_, _| Some(BaseFacts::default()) };
    let target = parsed.dockerfile.target(Some(target)).expect("a stage");
    outline(&parsed.dockerfile, target, around)
}

/// `line name=value (description)`
fn args(outline: &Outline) -> Vec<String> {
    let show =
        |arg: &OutlineArg| format!("{} {}={} ({})", arg.location.first_line, arg.name, arg.value, arg.description);
    outline.args.iter().map(show).collect()
}

const FILE: &str = "\
ARG inherited=box
ARG inherited2=box2
ARG unused=abc${inherited2}
# sfx is a suffix
ARG sfx=\"usy${inherited}\"

FROM b${sfx} AS first
# this is not assigned to anything
ARG FOO=123
# BAR is a number
ARG BAR=456
RUN true

FROM alpine${unused} AS second
ARG BAZ
RUN true

FROM scratch AS third
ARG ABC=a

# target defines build target
FROM third AS target
COPY --from=first /etc/passwd /

FROM second
";

#[test]
fn d180_arguments_that_a_target_uses() {
    let target = of(FILE, "target", &[("BAR", "678")]);
    assert_eq!((target.name.as_str(), target.description.as_str()), ("target", "defines build target"));
    assert_eq!(
        args(&target),
        ["1 inherited=box ()", "5 sfx=usybox (is a suffix)", "9 FOO=123 ()", "11 BAR=678 (is a number)", "19 ABC=a ()"]
    );
    let last = of(FILE, "", &[]);
    assert_eq!(last.name, "");
    assert_eq!(args(&last), ["2 inherited2=box2 ()", "3 unused=abcbox2 ()", "15 BAZ= ()"]);
}

#[test]
fn d180_d028_arguments_declared_again() {
    let text = "# A the first\nARG A=1\nFROM scratch AS s\nARG A\nARG B=$A-x C\n# A another\nARG A=2\n";
    assert_eq!(args(&of(text, "s", &[])), ["5 B=1-x ()", "5 C= ()", "7 A=2 (another)"]);
    assert_eq!(args(&of(text, "s", &[("A", "7"), ("C", "8")])), ["5 B=7-x ()", "5 C=8 ()", "7 A=7 (another)"]);
    let inherited = "# A the first\nARG A=1\nFROM scratch AS s\nARG A\n";
    assert_eq!(args(&of(inherited, "s", &[])), ["2 A=1 (the first)"]);
}

#[test]
fn d180_secrets_and_agents() {
    let text = "\
FROM busybox AS first
RUN --mount=type=secret,target=/etc/passwd,required=true --mount=type=ssh true
FROM alpine AS second
RUN --mount=type=secret,id=unused --mount=type=ssh,id=ssh2 true
FROM scratch AS third
ARG BAR
RUN --mount=type=secret,id=second${BAR} true
FROM third AS target
COPY --from=first /foo /
RUN --mount=type=ssh,id=ssh3,required --mount=type=secret,src=by-source true
RUN --mount=type=secret,id=second678,required true
FROM second
";
    let target = of(text, "target", &[("BAR", "678")]);
    let show = |mounts: &[OutlineMount]| -> Vec<String> {
        mounts.iter().map(|one| format!("{} {} {}", one.location.first_line, one.name, one.is_required)).collect()
    };
    assert_eq!(show(&target.secrets), ["2 passwd true", "10 by-source false", "11 second678 true"]);
    assert_eq!(show(&target.ssh), ["2 default false", "10 ssh3 true"]);
}

#[test]
fn d181_targets() {
    let parsed = parse(FILE.as_bytes());
    let all = targets(&parsed.dockerfile);
    let shown: Vec<String> = all
        .iter()
        .map(|one| {
            format!("{}|{}|{}|{}|{}", one.name, one.is_default, one.description, one.base, one.location.first_line)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "first|false||b${sfx}|7",
            "second|false||alpine${unused}|14",
            "third|false||scratch|18",
            "target|false|defines build target|third|22",
            "|true||second|25"
        ]
    );
    let parsed = parse(b"FROM --platform=$BUILDPLATFORM a AS B\n");
    let only = &targets(&parsed.dockerfile)[0];
    assert_eq!((only.name.as_str(), only.platform.as_str(), only.is_default), ("b", "$BUILDPLATFORM", true));
}

#[test]
fn d010_descriptions_begin_with_the_name() {
    for (comment, expected) in [
        ("# build compiles\n# the rest\n", "compiles"),
        ("# licence\n# build compiles it  \n", "compiles it"),
        ("# build compiles\n\n", "compiles"),
        ("# build compiles\n#\n", ""),
        ("# Build compiles\n", ""),
        ("# builder compiles\n", ""),
        ("# build\n", ""),
        ("# check=skip=all\n# build compiles\n", "compiles"),
    ] {
        let parsed = parse(format!("ARG X\n{comment}FROM a AS build\n").as_bytes());
        assert_eq!(targets(&parsed.dockerfile)[0].description, expected, "{comment:?}");
    }
}
