//! Which variables are in scope where, and what they do to history, environment and cache.

use crate::kitchen::{Kitchen, Outcome};

/// Build arguments, Dockerfile, what was run.
type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, &'c str);

#[track_caller]
fn check(cases: &[Case<'_>]) {
    for (arguments, dockerfile, expected) in cases {
        let kitchen = Kitchen::new();
        assert_eq!(build(&kitchen, arguments, dockerfile).calls(), *expected, "for\n{dockerfile}");
    }
}

fn build<'k>(kitchen: &'k Kitchen, arguments: &[(&str, &str)], dockerfile: &str) -> Outcome<'k> {
    let outcome = kitchen.build_as(dockerfile, |request| {
        request.build_args = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    });
    outcome.id();
    outcome
}

#[test]
fn s146_d026_d027_d028_values_of_arguments() {
    check(&[
        (&[], "FROM base\nARG A=1\nRUN nothing", "/bin/sh -c nothing A=1"),
        (&[("A", "2")], "FROM base\nARG A=1\nRUN nothing", "/bin/sh -c nothing A=2"),
        (&[("A", "")], "FROM base\nARG A=1\nRUN nothing", "/bin/sh -c nothing A="),
        (&[("A", "2")], "FROM base\nRUN nothing", "/bin/sh -c nothing"),
        (&[], "FROM base\nARG A=1 B=${A}-x C\nRUN nothing", "/bin/sh -c nothing A=1 B=1-x"),
        // Those before FROM are for FROM lines, until they are declared again.
        (&[], "ARG A=base\nFROM $A\nRUN nothing", "/bin/sh -c nothing"),
        (&[], "ARG A=base\nFROM $A\nARG A\nRUN nothing", "/bin/sh -c nothing A=base"),
        (&[], "ARG A=base\nFROM $A\nARG A=own\nRUN nothing", "/bin/sh -c nothing A=own"),
        (&[("A", "base")], "ARG A=none\nFROM $A\nARG A=own\nRUN nothing", "/bin/sh -c nothing A=base"),
        (&[], "ARG A=b\nARG B=${A}ase\nFROM $B\nRUN nothing", "/bin/sh -c nothing"),
        // Declared again without a value, an argument keeps the one that it has.
        (&[], "FROM base\nARG A=1\nARG A\nRUN nothing", "/bin/sh -c nothing A=1"),
        (&[], "FROM base\nARG A=1\nARG A=2\nRUN nothing", "/bin/sh -c nothing A=2"),
    ]);
}

#[test]
fn s147_d029_d030_scope_and_precedence() {
    check(&[
        (&[("A", "arg")], "FROM base\nARG A\nENV A=env\nRUN nothing", "/bin/sh -c nothing A=env"),
        (&[("A", "arg")], "FROM base\nENV A=env\nARG A=x\nRUN nothing", "/bin/sh -c nothing A=env"),
        (&[], "FROM base\nRUN nothing\nARG A=1\nRUN say", "/bin/sh -c nothing\n/bin/sh -c say A=1"),
        (&[("A", "2")], "FROM base AS x\nARG A\nFROM base\nRUN nothing", "/bin/sh -c nothing"),
        (&[("A", "2")], "FROM base AS x\nARG A\nFROM x\nRUN nothing", "/bin/sh -c nothing A=2"),
        (&[("A", "2")], "FROM base\nARG A\nENV A=${A:-3}\nRUN nothing", "/bin/sh -c nothing A=2"),
        (&[], "FROM base\nARG A\nENV A=${A:-3}\nRUN nothing", "/bin/sh -c nothing A=3"),
    ]);
}

#[test]
fn d031_proxies_need_no_declaration_and_leave_no_trace() {
    let kitchen = Kitchen::new();
    let file = "FROM base\nRUN nothing";
    let first = build(&kitchen, &[("HTTP_PROXY", "http://p")], file);
    assert_eq!(first.calls(), "/bin/sh -c nothing HTTP_PROXY=http://p");
    assert_eq!(first.history(), "RUN /bin/sh -c nothing # buildkit");
    let second = build(&kitchen, &[("HTTP_PROXY", "http://q")], file);
    assert_eq!(second.calls(), "", "not part of the cache key");
    let declared = "FROM base\nARG HTTP_PROXY\nRUN nothing";
    build(&kitchen, &[("HTTP_PROXY", "http://p")], declared);
    let changed = build(&kitchen, &[("HTTP_PROXY", "http://q")], declared);
    assert_eq!(changed.calls(), "/bin/sh -c nothing HTTP_PROXY=http://q");
    assert!(changed.history().contains("|1 HTTP_PROXY=http://q"));
}

#[test]
fn d032_platform_arguments() {
    let host = oci::Platform::host();
    let kitchen = Kitchen::new();
    let outcome =
        build(&kitchen, &[], "FROM --platform=$BUILDPLATFORM base\nARG TARGETARCH\nARG TARGETOS\nRUN nothing");
    assert_eq!(outcome.calls(), format!("/bin/sh -c nothing TARGETARCH={} TARGETOS=linux", host.architecture));
    assert_eq!(build(&kitchen, &[], "FROM base\nENV A=x$TARGETARCH\nRUN nothing").calls(), "/bin/sh -c nothing A=x");
}

#[test]
fn d033_an_argument_that_nothing_takes_is_warned_about() {
    let warnings = |arguments: &[(&str, &str)], dockerfile: &str| {
        let kitchen = Kitchen::new();
        let text = build(&kitchen, arguments, dockerfile).text();
        text.lines().filter(|line| line.starts_with("warning")).map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        warnings(&[("VERSOIN", "1"), ("VERSION", "2")], "FROM base\nARG VERSION"),
        "warning: build argument `VERSOIN` was given, but no ARG takes it, line 0"
    );
    assert_eq!(warnings(&[("A", "1"), ("http_proxy", "x"), ("BUILDKIT_X", "1")], "ARG A\nFROM base"), "");
}

#[test]
fn d034_arguments_show_in_history() {
    let kitchen = Kitchen::new();
    let outcome = build(&kitchen, &[("B", "2")], "FROM base\nARG A=1\nARG B\nARG C\nENV A=env\nRUN nothing");
    assert_eq!(
        outcome.history(),
        "- ARG A=1\n- ARG B=2\n- ARG C\n- ENV A=env\nRUN |3 A=env B=2 C= /bin/sh -c nothing # buildkit"
    );
}

#[test]
fn d059_an_unset_variable_is_empty_and_warned_about() {
    let kitchen = Kitchen::new();
    let outcome = build(&kitchen, &[], "FROM base\nENV A=x${NOPE}y");
    assert!(outcome.config().contains("\"A=xy\""));
    assert!(
        outcome.text().contains("check: UndefinedVar: Usage of undefined variable '$NOPE', line 2"),
        "{}",
        outcome.text()
    );
}

#[test]
fn the_base_that_a_variable_leaves_empty() {
    let kitchen = Kitchen::new();
    assert_eq!(
        kitchen.build("ARG BASE\nFROM $BASE").error(),
        "line 2: the base image is empty: `BASE` has no value\n  help: give it with `--build-arg BASE=…` or a \
         default: `ARG BASE=…`"
    );
}

#[test]
fn names_of_steps_show_values() {
    let kitchen = Kitchen::with("a=1");
    let outcome =
        build(&kitchen, &[], "FROM base\nENV D=/x\nRUN nothing $D ${UNSET} \"$D\"\nCOPY a \"$D/\"\nWORKDIR $D/y");
    let names: Vec<String> = outcome.steps().lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect();
    assert_eq!(
        names[1..],
        ["DONE [2/4] RUN nothing /x ${UNSET} \"/x\"", "DONE [3/4] COPY a \"/x/\"", "DONE [4/4] WORKDIR /x/y"]
    );
}
