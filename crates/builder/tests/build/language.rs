//! Rows of the language whose meaning is a build's matter: which base, which stage, which words of config.

use oci::Platform;

use crate::kitchen::{Kitchen, Outcome};

/// Fields of the config, one a line, in order of their names.
fn fields(outcome: &Outcome<'_>, names: &[&str]) -> String {
    let config = outcome.config();
    let of_name = |line: &&str| names.iter().any(|name| line.starts_with(&format!("{name}=")));
    let mut lines: Vec<&str> = config.lines().filter(of_name).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn warnings(outcome: &Outcome<'_>) -> Vec<String> {
    outcome.text().lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect()
}

/// Attack row 18: nothing is looked up and nothing runs but what the file itself says.
#[test]
fn d001_a_front_end_is_never_run() {
    for image in ["attacker/x", "base", "../../bin/sh", "attacker/x:1 --privileged"] {
        let kitchen = Kitchen::new();
        let outcome = kitchen.build(&format!("# syntax={image}\nFROM base\nRUN say hi"));
        outcome.id();
        assert_eq!(outcome.calls(), "/bin/sh -c say hi");
        let text = format!("warning: the front end `{image}` is not run; the file is read as a Dockerfile, line 1");
        assert_eq!(warnings(&outcome), [text]);
        assert!(!outcome.text().contains("load metadata for docker.io/attacker"), "{}", outcome.text());
    }
    let kitchen = Kitchen::new();
    assert_eq!(warnings(&kitchen.build("# syntax=docker/dockerfile:1.7\nFROM base\nRUN say hi")), Vec::<String>::new());
    let given = |image: &str| {
        let outcome = kitchen.build_as("FROM base\nRUN say hi", |request| {
            request.build_args = vec![("BUILDKIT_SYNTAX".to_owned(), image.to_owned())];
        });
        outcome.id();
        warnings(&outcome)
    };
    let told = "warning: the front end `attacker/x` is not run; the file is read as a Dockerfile, line 0";
    assert_eq!(given("attacker/x"), [told]);
    assert_eq!(given("docker/dockerfile:1"), Vec::<String>::new());
    let foreign = kitchen.build("// syntax=attacker/x\npackage main");
    assert_eq!(
        foreign.error(),
        "line 1: the file is written for the front end `attacker/x`, not as a Dockerfile [never run]\n  \
         help: write it as a Dockerfile, beginning with `FROM`"
    );
    assert_eq!(foreign.calls(), "");
}

#[test]
fn d002_a_backtick_escapes_in_paths_values_and_triggers() {
    let kitchen = Kitchen::with("a=text");
    let built = kitchen.build(
        "# escape=`\nFROM base\nARG V=x\nCOPY a `\n  /d/`$V\nENV A=C:\\$V B=`$V C=a` b\nWORKDIR /w\\$V\nONBUILD ENV T=`$V`\n  U=1\nLABEL l=\"`\"\"",
    );
    assert!(built.tree().contains("/d/$V 644 \"text\""), "{}", built.tree());
    assert_eq!(
        fields(&built, &["Env", "WorkingDir", "OnBuild", "Labels"]),
        "Env=[\"PATH=/bin\",\"A=C:\\\\x\",\"B=$V\",\"C=a b\"]\nLabels={\"l\":\"\\\"\"}\n\
         OnBuild=[\"ENV T=`$V  U=1\"]\nWorkingDir=\"/w\\\\x\""
    );
}

#[test]
fn d020_the_digest_counts_and_the_tag_does_not() {
    let kitchen = Kitchen::new();
    let id = image::find(&kitchen.store, "base").unwrap().unwrap();
    let digest = image::manifest(&kitchen.store, id).unwrap().digest;
    let other = kitchen.image("other", "x=1", "{}");
    kitchen.store.set_reference(&"base:other".parse().unwrap(), other).unwrap();
    let layers = kitchen.store.image(id).unwrap().rootfs;
    for name in [format!("base@{digest}"), format!("base:latest@{digest}"), format!("base:other@{digest}")] {
        assert_eq!(kitchen.build(&format!("FROM {name}\nLABEL a=b")).image().rootfs, layers, "{name}");
    }
    assert_ne!(kitchen.build("FROM base:other").image().rootfs, layers);
}

#[test]
fn d021_d039_scratch_is_the_empty_base_whatever_a_stage_is_called() {
    let kitchen = Kitchen::with("a=text");
    for file in ["FROM scratch\nCOPY a /", "FROM base AS scratch\nFROM scratch\nCOPY a /"] {
        let built = kitchen.build(file);
        assert_eq!(built.tree(), "/a 644 \"text\"", "{file}");
        assert!(!built.text().contains("metadata for docker.io/library/scratch"), "{}", built.text());
    }
}

#[test]
fn d022_of_two_stages_of_a_name_the_one_above_is_meant() {
    let kitchen = Kitchen::with("a=A b=B");
    let file = "FROM scratch AS x\nCOPY a /\nFROM X AS y\nFROM scratch AS X\nCOPY b /\nFROM x\nCOPY --from=y /a /of-y";
    assert_eq!(kitchen.build(file).tree(), "/b 644 \"B\"\n/of-y 644 \"A\"");
    let named = kitchen.build_as(file, |request| request.target = Some("x".to_owned()));
    assert_eq!(named.tree(), "/b 644 \"B\"");
}

#[test]
fn d024_platform_takes_arguments_from_before_the_first_from() {
    let kitchen = Kitchen::new();
    let host = Platform::host();
    for file in [
        "FROM --platform=$BUILDPLATFORM base",
        "FROM --platform=${TARGETOS}/${TARGETARCH} base",
        &format!("ARG P={host}\nFROM --platform=$P base"),
        &format!("FROM --platform={host} base AS x\nFROM --platform=$TARGETPLATFORM x"),
    ] {
        kitchen.build(&format!("{file}\nLABEL a=b")).id();
    }
    // The base is for this machine and stays so, whatever is asked for; a stage of nothing is for what is asked for.
    let other = kitchen.build("ARG P=linux\nFROM --platform=$P/s390x base\nLABEL a=b");
    assert_eq!(other.image().architecture, host.architecture);
    assert!(other.text().contains("InvalidBaseImagePlatform"), "{}", other.text());
    let scratch = kitchen.build("ARG P=linux\nFROM --platform=$P/s390x scratch\nLABEL a=b");
    assert_eq!(scratch.image().architecture, "s390x");
    let error = kitchen.build("ARG P=linux\nFROM --platform=$P/s391x base").error();
    assert!(error.starts_with("line 2: `s391x` is not a processor that platforms are named by"), "{error}");
    let error = kitchen.build("FROM --platform=$NONE base").error();
    assert!(error.starts_with("line 1: "), "{error}");
}

#[test]
fn d133_labels_come_from_the_base_and_not_from_where_files_come_from() {
    let kitchen = Kitchen::with("a=A");
    kitchen.image("labelled", "x=1", r#"{"Labels":{"base":"1","both":"base"}}"#);
    let built = kitchen.build(
        "FROM labelled AS files\nLABEL of=files\nFROM labelled\nLABEL both=\"own words\" \"with blank\"='$x'\nCOPY --from=files /x /y",
    );
    assert_eq!(fields(&built, &["Labels"]), r#"Labels={"base":"1","both":"own words","with blank":"$x"}"#);
}

#[test]
fn d134_ports_of_every_protocol_and_from_variables() {
    let kitchen = Kitchen::new();
    let built = kitchen.build(
        "FROM base\nARG FROM=8000 LIST=\"1 2/udp\"\nEXPOSE 80 443/tcp 53/UDP 132/sctp $FROM-8001 $LIST\nEXPOSE 80/tcp",
    );
    assert_eq!(
        fields(&built, &["ExposedPorts"]),
        "ExposedPorts={\"1/tcp\":{},\"132/sctp\":{},\"2/udp\":{},\"443/tcp\":{},\"53/udp\":{},\"80/tcp\":{},\
         \"8000/tcp\":{},\"8001/tcp\":{}}"
    );
    assert!(
        built
            .history()
            .ends_with("- EXPOSE [8000/tcp 8001/tcp 1/tcp 2/udp 132/sctp 443/tcp 53/udp 80/tcp]\n- EXPOSE [80/tcp]"),
        "{}",
        built.history()
    );
    let error = kitchen.build("FROM base\nARG P=http\nEXPOSE $P").error();
    assert!(error.starts_with("line 3: ") && error.contains("`http`"), "{error}");
}

#[test]
fn d135_d136_d139_d141_words_of_config() {
    let kitchen = Kitchen::new();
    let built = kitchen.build(
        "FROM base\nARG U=app S=QUIT V=\"/v w\"\nUSER ${U}:staff\nSTOPSIGNAL SIG$S\nVOLUME $V /x\nVOLUME [\"/y z\"]\n\
         SHELL [\"/bin/sh\", \"-ec\"]\nCMD a $U",
    );
    assert_eq!(
        fields(&built, &["User", "StopSignal", "Volumes", "Shell", "Cmd"]),
        "Cmd=[\"/bin/sh\",\"-ec\",\"a $U\"]\nShell=[\"/bin/sh\",\"-ec\"]\nStopSignal=\"SIGQUIT\"\n\
         User=\"app:staff\"\nVolumes={\"/v w\":{},\"/x\":{},\"/y z\":{}}"
    );
    for (line, cause) in [("STOPSIGNAL SIG$X", "signal"), ("VOLUME $X", "VOLUME")] {
        let error = kitchen.build(&format!("FROM base\n{line}")).error();
        assert!(error.starts_with("line 2: ") && error.contains(cause) && error.contains("help: "), "{line}: {error}");
    }
    // As in BuildKit an empty user is that of the image no more.
    assert_eq!(fields(&kitchen.build("FROM base AS a\nUSER app\nFROM a\nUSER $X"), &["User"]), "");
    assert_eq!(fields(&kitchen.build("FROM base\nSTOPSIGNAL 9"), &["StopSignal"]), "StopSignal=\"9\"");
}
