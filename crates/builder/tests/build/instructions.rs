//! What each instruction makes of config, history and files.

use crate::kitchen::{Kitchen, Outcome};

/// Builds each Dockerfile on its own and compares one view of the result.
#[track_caller]
fn check(view: impl Fn(&Outcome<'_>) -> String, cases: &[(&str, &str)]) {
    for (dockerfile, expected) in cases {
        let kitchen = Kitchen::with("a=text");
        let outcome = kitchen.build(dockerfile);
        assert_eq!(view(&outcome), *expected, "for\n{dockerfile}");
    }
}

/// A field of the config, `(none)` where it is not there.
fn field(name: &'static str) -> impl Fn(&Outcome<'_>) -> String {
    move |outcome| {
        let config = outcome.config();
        let value = config.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or("(none)").to_owned()
    }
}

#[test]
fn s140_from_takes_an_image_by_name_tag_or_id() {
    let kitchen = Kitchen::new();
    let id = image::find(&kitchen.store, "base").unwrap().unwrap();
    for name in ["base", "base:latest", "docker.io/library/base", &id.0.hex()[..12]] {
        let built = kitchen.build(&format!("FROM {name}")).image();
        assert_eq!(built.rootfs, kitchen.store.image(id).unwrap().rootfs, "{name}");
    }
}

#[test]
fn s144_s146_s147_d132_env_and_arg() {
    check(
        field("Env"),
        &[
            ("FROM base\nENV A=\"b c\" D=e", r#"["PATH=/bin","A=b c","D=e"]"#),
            ("FROM base\nENV A b c", r#"["PATH=/bin","A=b c"]"#),
            ("FROM base\nENV A=1\nENV B=$A A=2\nENV C=$A", r#"["PATH=/bin","A=2","B=1","C=2"]"#),
            ("FROM base\nARG A=1\nENV B=$A", r#"["PATH=/bin","B=1"]"#),
            ("FROM base\nENV A=env\nARG A=arg\nENV B=$A", r#"["PATH=/bin","A=env","B=env"]"#),
            ("FROM scratch\nCOPY a /", r#"["PATH=DEFAULT"]"#),
        ],
    );
}

#[test]
fn d143_path_is_added_where_an_image_has_none() {
    let kitchen = Kitchen::new();
    kitchen.image("bare", "a=1", r#"{"Env":["X=1"]}"#);
    assert_eq!(field("Env")(&kitchen.build("FROM bare")), r#"["X=1","PATH=DEFAULT"]"#);
}

#[test]
fn s161_s162_d130_d131_cmd_and_entrypoint() {
    let both = |outcome: &Outcome<'_>| format!("{} {}", field("Entrypoint")(outcome), field("Cmd")(outcome));
    check(
        both,
        &[
            ("FROM base", r#"(none) ["sh"]"#),
            ("FROM base\nCMD [ \"npm\", \"start\" ]", r#"(none) ["npm","start"]"#),
            ("FROM base\nCMD npm start", r#"(none) ["/bin/sh","-c","npm start"]"#),
            ("FROM base\nCMD [\"a\"]\nCMD [\"b\"]", r#"(none) ["b"]"#),
            ("FROM base\nENTRYPOINT [\"e\"]", r#"["e"] (none)"#),
            ("FROM base\nENTRYPOINT e x", r#"["/bin/sh","-c","e x"] (none)"#),
            ("FROM base\nCMD [\"c\"]\nENTRYPOINT [\"e\"]", r#"["e"] ["c"]"#),
            ("FROM base\nENTRYPOINT [\"e\"]\nCMD [\"c\"]", r#"["e"] ["c"]"#),
            // The CMD of a stage is inherited like an image's, and goes like one.
            ("FROM base AS one\nCMD [\"c\"]\nFROM one\nENTRYPOINT [\"e\"]", r#"["e"] (none)"#),
            ("FROM base\nSHELL [\"/bin/bash\", \"-o\", \"x\"]\nCMD hi", r#"(none) ["/bin/bash","-o","x","hi"]"#),
        ],
    );
}

#[test]
fn s163_to_s168_single_fields() {
    check(field("User"), &[("FROM base\nUSER app:staff", "\"app:staff\""), ("FROM base", "(none)")]);
    check(field("StopSignal"), &[("FROM base\nSTOPSIGNAL SIGQUIT", "\"SIGQUIT\"")]);
    check(field("Shell"), &[("FROM base\nSHELL [\"/bin/sh\", \"-ec\"]", r#"["/bin/sh","-ec"]"#)]);
    check(
        field("Volumes"),
        &[("FROM base\nENV D=/d\nVOLUME $D /e\nVOLUME [\"/f g\"]", r#"{"/d":{},"/e":{},"/f g":{}}"#)],
    );
    check(
        field("ExposedPorts"),
        &[(
            "FROM base\nEXPOSE 80 443/tcp 53/UDP\nEXPOSE 8000-8002",
            r#"{"443/tcp":{},"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{},"8002/tcp":{}}"#,
        )],
    );
    check(field("Labels"), &[("FROM base\nLABEL a=\"b c\" d=e\nLABEL a=f", r#"{"a":"f","d":"e"}"#)]);
    check(field("OnBuild"), &[("FROM base\nONBUILD COPY a /\nONBUILD RUN say", r#"["COPY a /","RUN say"]"#)]);
}

#[test]
fn d140_healthcheck() {
    check(
        field("Healthcheck"),
        &[
            ("FROM base\nHEALTHCHECK NONE", r#"{"Test":["NONE"]}"#),
            (
                "FROM base\nHEALTHCHECK --interval=90s --timeout=500ms --retries=3 CMD curl x",
                r#"{"Test":["CMD-SHELL","curl x"],"Interval":90000000000,"Timeout":500000000,"Retries":3}"#,
            ),
            ("FROM base\nHEALTHCHECK CMD [\"a\", \"b\"]", r#"{"Test":["CMD","a","b"]}"#),
            (
                "FROM base\nHEALTHCHECK --start-period=1m --start-interval=250ms CMD [\"a\"]",
                r#"{"Test":["CMD","a"],"StartPeriod":60000000000,"StartInterval":250000000}"#,
            ),
            // The last one counts, and one from the base is replaced as a whole.
            ("FROM base\nHEALTHCHECK --retries=2 CMD a\nHEALTHCHECK CMD [\"b\"]", r#"{"Test":["CMD","b"]}"#),
            ("FROM base AS x\nHEALTHCHECK --retries=2 CMD a\nFROM x\nHEALTHCHECK NONE", r#"{"Test":["NONE"]}"#),
        ],
    );
}

#[test]
fn d142_maintainer_is_the_author() {
    let kitchen = Kitchen::new();
    assert_eq!(kitchen.build("FROM base\nMAINTAINER A B <c@d>").image().author.as_deref(), Some("A B <c@d>"));
}

#[test]
fn b011_labels_of_the_command_line_go_to_the_last_stage() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build_as("FROM base\nLABEL a=1 b=2", |request| {
        request.labels = vec![("b".to_owned(), "3".to_owned()), ("c".to_owned(), "4".to_owned())];
    });
    assert_eq!(field("Labels")(&outcome), r#"{"a":"1","b":"3","c":"4"}"#);
}

#[test]
fn s167_s213_s214_history_has_a_row_for_each_instruction() {
    let kitchen = Kitchen::with("a=1 b=2");
    let outcome = kitchen.build(
        "FROM base\nARG V=1.0\nARG W\nENV A=\"b c\" D=e\nWORKDIR /app/./\nWORKDIR sub/\nRUN write x y\n\
         COPY --chown=app:staff --chmod=0755 a b ./\nADD a /z\nRUN [\"exec\", \"nothing\"]\nLABEL l=\"m n\"\n\
         EXPOSE 80 443 80\nVOLUME /v /w\nUSER app\nSTOPSIGNAL 9\nSHELL [\"/bin/bash\", \"-c\"]\n\
         HEALTHCHECK --interval=90s --timeout=1m30.5s --retries=3 CMD curl \"x\"\nONBUILD RUN say hi\n\
         ENTRYPOINT [\"e\"]\nCMD [\"node\", \"./app.js\", \"it's \\\"q\\\"\"]\nMAINTAINER me",
    );
    let expected = r#"- ARG V=1.0
- ARG W
- ENV A=b c D=e
WORKDIR /app/./
WORKDIR /app/sub
RUN |2 V=1.0 W= /bin/sh -c write x y # buildkit
COPY --chown=app:staff --chmod=0755 a b ./ # buildkit
ADD a /z # buildkit
RUN |2 V=1.0 W= exec nothing # buildkit
- LABEL l=m n
- EXPOSE [443/tcp 80/tcp 80/tcp]
- VOLUME [/v /w]
- USER app
- STOPSIGNAL 9
- SHELL [/bin/bash -c]
- HEALTHCHECK &{["CMD-SHELL" "curl \"x\""] "1m30s" "1m30.5s" "0s" "0s" '\x03'}
- ONBUILD RUN say hi
- ENTRYPOINT ["e"]
- CMD ["node" "./app.js" "it's \"q\""]
- MAINTAINER me"#;
    assert_eq!(outcome.history(), expected);
}

#[test]
fn s148_env_takes_effect_after_its_line() {
    check(
        |outcome| outcome.calls(),
        &[
            ("FROM base\nRUN say 1\nENV A=1\nRUN say 2", "/bin/sh -c say 1\n/bin/sh -c say 2 A=1"),
            ("FROM base\nARG A=1\nRUN say $A", "/bin/sh -c say $A A=1"),
            ("FROM base\nARG A\nRUN say $A", "/bin/sh -c say $A"),
        ],
    );
}

#[test]
fn s151_s158_s159_run() {
    check(
        |outcome| outcome.calls(),
        &[
            ("FROM base\nRUN nothing > \"<a>\" 'b'", "/bin/sh -c nothing > \"<a>\" 'b'"),
            ("FROM base\nRUN \\\n  write a b && \\\n  # gone\n  write c d", "/bin/sh -c write a b &&   write c d"),
            ("FROM base\nRUN [\"a\", \"nothing\"]", "a nothing"),
            ("FROM base\nSHELL [\"/bin/bash\", \"-ec\"]\nRUN nothing", "/bin/bash -ec nothing"),
            ("FROM base\nWORKDIR /w\nUSER app:staff\nRUN nothing", "/bin/sh -c nothing user=app:staff in=/w"),
            ("FROM base\nRUN --network=none nothing", "/bin/sh -c nothing network=none"),
        ],
    );
}

#[test]
fn s149_s150_d137_workdir() {
    let view = |outcome: &Outcome<'_>| format!("{} | {}", field("WorkingDir")(outcome), outcome.changes());
    check(
        view,
        &[
            (
                "FROM base\nWORKDIR /web/ping",
                r#""/web/ping" | /web/ 755
/web/ping/ 755"#,
            ),
            ("FROM base\nWORKDIR /a\nWORKDIR b\nWORKDIR ../c", "\"/a/c\" | /a/ 755\n/a/b/ 755\n/a/c/ 755"),
            ("FROM base\nENV D=/x\nWORKDIR $D/y", "\"/x/y\" | /x/ 755\n/x/y/ 755"),
            ("FROM base\nWORKDIR .", "\"/\" | "),
            ("FROM base\nWORKDIR ../..", "\"/\" | "),
            // BuildKit gives new folders to USER; those that are there stay as they are.
            ("FROM base\nUSER app\nWORKDIR /srv/new", "\"/srv/new\" | /srv/new/ 755 1000:1001"),
            ("FROM base\nUSER 5\nWORKDIR /new", "\"/new\" | /new/ 755 5:0"),
            // Links are followed inside the image.
            ("FROM base\nWORKDIR /link/sub", "\"/link/sub\" | /srv/sub/ 755"),
            ("FROM base\nWORKDIR /srv", "\"/srv\" | "),
        ],
    );
}

#[test]
fn workdir_over_a_file_fails_with_its_line() {
    check(
        |outcome| outcome.error(),
        &[
            (
                "FROM base\nWORKDIR /srv/old",
                "line 2: `/srv/old` in the image is not a folder\n  help: take another path, or remove what is there \
                 with RUN first",
            ),
            (
                "FROM base\nWORKDIR /srv/old/sub",
                "line 2: `/srv/old` in the image is not a folder\n  help: take another path, or remove what is there \
                 with RUN first",
            ),
        ],
    );
}

#[test]
fn s160_files_removed_in_the_same_run_never_reach_the_layer() {
    check(
        |outcome| outcome.changes(),
        &[
            ("FROM base\nRUN write /tmp/x y && remove /link", "/tmp/ 755\n/tmp/x 644 \"y\"\n-/link"),
            ("FROM base\nRUN nothing", ""),
        ],
    );
}

#[test]
fn s219_s309_layer_count_is_that_of_the_file_system_instructions() {
    let kitchen = Kitchen::with("a=1");
    let outcome = kitchen.build("FROM base\nENV A=1\nRUN nothing\nCOPY a /\nWORKDIR /srv\nWORKDIR /\nCMD x");
    assert_eq!(outcome.layers().len(), 1 + 3);
    let image = outcome.image();
    assert_eq!(image.history.iter().filter(|row| !row.empty_layer).count(), image.rootfs.diff_ids.len());
}

#[test]
fn s305_defaults_of_the_base_are_inherited() {
    let kitchen = Kitchen::new();
    let json = r#"{"User":"app","ExposedPorts":{"1/tcp":{}},"Env":["PATH=/p","A=1"],"Entrypoint":["e"],"Cmd":["c"],"Volumes":{"/v":{}},"WorkingDir":"/w","Labels":{"l":"m"},"StopSignal":"9","Shell":["/s"]}"#;
    kitchen.image("rich", "w/ a=1", json);
    let outcome = kitchen.build("FROM rich\nRUN nothing");
    let again: serde_json::Value = serde_json::to_value(outcome.image().config).unwrap();
    assert_eq!(again, serde_json::from_str::<serde_json::Value>(json).unwrap());
    assert_eq!(outcome.calls(), "/s nothing A=1 user=app in=/w");
}

#[test]
fn d138_triggers_run_right_after_from_and_only_once() {
    let kitchen = Kitchen::with("a=1");
    let parent = kitchen.build_as("FROM base\nONBUILD COPY a /t\nONBUILD ENV T=1\nONBUILD RUN say", |request| {
        request.tags = vec!["parent".parse().unwrap()];
    });
    assert_eq!(parent.changes(), "");
    let child = kitchen.build_as("FROM parent\nRUN nothing", |request| {
        request.tags = vec!["child".parse().unwrap()];
    });
    assert_eq!(child.calls(), "/bin/sh -c say T=1\n/bin/sh -c nothing T=1");
    assert_eq!(
        child.steps().lines().map(|line| line.split(" (").next().unwrap()).collect::<Vec<_>>(),
        [
            "CACHED [1/5] FROM docker.io/library/parent@sha256:…",
            "DONE [2/5] ONBUILD COPY a /t",
            "DONE [3/5] ONBUILD RUN say",
            "DONE [4/5] RUN nothing"
        ]
    );
    assert_eq!(field("OnBuild")(&child), "(none)");
    assert_eq!(kitchen.build("FROM child\nCMD x").steps(), "CACHED [1/1] FROM docker.io/library/child@sha256:…");
}

#[test]
fn mistakes_are_reported_together_with_their_lines() {
    let lines = |instructions: &str| {
        let kitchen = Kitchen::with("a=1");
        let outcome = kitchen.build(&format!("FROM base\n{instructions}"));
        assert_eq!(outcome.calls(), "", "nothing has run");
        let error = outcome.error();
        let numbers: Vec<String> =
            error.lines().filter_map(|line| Some(line.strip_prefix("line ")?.split(':').next()?.to_owned())).collect();
        numbers.join(" ")
    };
    // What the text alone says, and what only shows with values put in.
    assert_eq!(lines("STOPSIGNAL NONE\nEXPOSE eighty\nRUN --network=wan x\nWHAT"), "2 3 4 5");
    assert_eq!(
        lines(
            "ARG A=x\nSTOPSIGNAL $A\nEXPOSE $A\nCOPY --chmod=$A a /\nRUN --device=x/y=z y\nVOLUME $B\nWORKDIR ${B:?no}"
        ),
        "3 4 5 6 7 8"
    );
}

#[test]
fn s157_the_image_that_is_missing_is_named() {
    check(
        |outcome| outcome.error(),
        &[
            (
                "FROM nothere:1",
                "line 1: image `docker.io/library/nothere:1` is not in the store [not found locally]\n  help: bring it in with `onggi load -i IMAGE.tar`, or make it \
                 from a root file system with `onggi import ROOTFS.tar nothere:1`",
            ),
            (
                "FROM base AS build\nFROM biuld",
                "line 2: image `docker.io/library/biuld` is not in the store [not found locally]\n  help: a stage has a similar name: `build`",
            ),
        ],
    );
}

#[test]
fn d114_a_command_that_fails_stops_the_build_with_its_line() {
    check(
        |outcome| outcome.error(),
        &[
            (
                "FROM base\nRUN say a && exit 3",
                "line 2: `RUN say a && exit 3` exited with status 3\n  cause: process `/bin/sh -c say a && exit 3` did \
                 not complete successfully: exit code: 3",
            ),
            (
                "FROM base\nRUN what",
                "line 2: `RUN what` exited with status 127 [a command in it was not found]\n  cause: process \
                 `/bin/sh -c what` did not complete successfully: exit code: 127",
            ),
            ("FROM base\nRUN refuse no memory", "line 2: the command could not be run\n  cause: no memory"),
        ],
    );
}
