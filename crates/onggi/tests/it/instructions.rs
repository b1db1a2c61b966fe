//! Bases and stages, variables, commands and metadata, built by the binary and looked at from the outside: config,
//! history, files (S140 to S148, S158 to S167). COPY, ADD and WORKDIR are in `instructions_files`.

use serde_json::json;
use testkit::checker::Kind;

use crate::build_project::{Project, file_digest, outcomes, steps};

#[test]
fn s140_d020_a_base_by_name_tag_digest_and_id() {
    let project = Project::new();
    project.ask(&["tag", "busybox", "diamol/node"]);
    project.ask(&["tag", "busybox", "node:lts-alpine"]);
    let digest = project.base_digest();
    let id = project.inspect("busybox")["Id"].as_str().unwrap()["sha256:".len()..].to_owned();
    let layers = project.inspect("busybox")["RootFS"]["Layers"].clone();
    for base in [
        "busybox",
        "busybox:latest",
        "docker.io/library/busybox",
        "library/busybox",
        "diamol/node",
        "node:lts-alpine",
        &format!("busybox@{digest}"),
        &format!("busybox:latest@{digest}"),
        &id,
        &id[..12],
        &format!("sha256:{id}"),
    ] {
        project.dockerfile(&format!("FROM {base}\nLABEL a=b\n")).build_app();
        assert_eq!(project.inspect("app")["RootFS"]["Layers"], layers, "{base}");
        assert_eq!(project.config("app")["Cmd"], json!(["sh"]), "the base's config is inherited: {base}");
    }
}

#[test]
fn s140_d021_scratch_is_no_image_and_makes_no_step() {
    let project = Project::with("FROM scratch\nCOPY a /\n");
    project.file("a", "1");
    assert_eq!(steps(&project.build_app().stderr), [("[1/1] COPY a /".to_owned(), "DONE".to_owned())]);
    let image = project.image("app");
    assert_eq!((image.tree.len(), image.diff_ids.len()), (1, 1));
}

#[test]
fn s142_d022_stages_are_named_in_any_case() {
    for (from, copy) in [("AS build-stage", "build-stage"), ("as Build-Stage", "BUILD-STAGE"), ("As x", "0")] {
        let project =
            Project::with(&format!("FROM busybox {from}\nCOPY a /a\nFROM busybox AS last\nCOPY --from={copy} /a /b\n"));
        project.file("a", "1");
        project.build_app();
        let tree = project.image("app").tree;
        assert!(tree.contains_key("b") && !tree.contains_key("a"), "{from}");
    }
}

#[test]
fn s142_d023_a_stage_continues_another() {
    let project = Project::with(
        "FROM busybox AS base\nENV A=1\nCOPY a /a\nCMD [\"x\"]\nFROM base AS next\nENV B=$A\nCOPY a /b\n",
    );
    project.file("a", "1");
    project.build_app();
    let tree = project.image("app").tree;
    assert!(tree.contains_key("a") && tree.contains_key("b"));
    assert_eq!(project.config("app")["Env"].as_array().unwrap()[1..], [json!("A=1"), json!("B=1")]);
    assert_eq!(
        project.history("app"),
        ["ENV A=1", "COPY a /a # buildkit", "CMD [\"x\"]", "ENV B=1", "COPY a /b # buildkit"]
    );
}

#[test]
fn s143_files_of_a_stage_are_copied_and_unused_stages_are_not_built() {
    let project = Project::with(
        "FROM busybox AS build-stage\nCOPY myapp.jar /app/target/myapp.jar\n\nFROM busybox AS unused\n\
         COPY not-there /\n\nFROM no-such-image AS unused-too\nRUN false\n\nFROM busybox AS production-stage\n\
         COPY --from=build-stage /app/target/myapp.jar /app/myapp.jar\nCMD [\"java\", \"-jar\", \"/app/myapp.jar\"]\n",
    );
    project.file("myapp.jar", "PK");
    let built = project.build_app();
    assert!(!built.stderr.contains("unused") && !built.stderr.contains("no-such-image"), "{}", built.stderr);
    let image = project.image("app");
    assert_eq!(image.tree["app/myapp.jar"].kind, file_digest("PK"));
    assert!(!image.tree.contains_key("app/target"));
    assert_eq!(image.diff_ids.len(), 2);
}

#[test]
fn s143_files_of_an_image_are_copied() {
    let project = Project::with(
        "FROM scratch\nCOPY --from=busybox /etc/passwd /etc/group /\nCOPY --from=busybox:latest /bin/sh /sh\n",
    );
    project.build_app();
    let tree = project.image("app").tree;
    assert_eq!(tree.keys().collect::<Vec<_>>(), ["group", "passwd", "sh"]);
    // As in Docker a link that is named itself is followed.
    assert!(matches!(tree["sh"].kind, Kind::File { .. }), "{:?}", tree["sh"]);
}

#[test]
fn s144_d132_env_in_all_its_forms() {
    let project = Project::with(
        "FROM busybox\nENV TARGET=\"blog.sixeyed.com\"\nENV NAME=dojin METHOD='HEAD' EMPTY= SPACED=a\\ b\n\
         ENV OLD some words \"as they are\"\nENV NAME=again QUOTED=\"say \\\"hi\\\"\" MIXED=a\"b\"'c'\n",
    );
    project.build_app();
    let env = project.config("app")["Env"].clone();
    assert_eq!(
        env.as_array().unwrap()[1..],
        [
            json!("TARGET=blog.sixeyed.com"),
            json!("NAME=again"),
            json!("METHOD=HEAD"),
            json!("EMPTY="),
            json!("SPACED=a b"),
            json!("OLD=some words as they are"),
            json!("QUOTED=say \"hi\""),
            json!("MIXED=abc"),
        ]
    );
    assert!(env[0].as_str().unwrap().starts_with("PATH=/usr/local/sbin:"), "a base without PATH gets one");
}

#[test]
#[ignore = "requires root"]
fn s144_s148_env_is_seen_by_later_steps_and_by_containers_requires_root() {
    let project = Project::with(
        "FROM busybox\nRUN echo \"before=$NAME\" > /seen\nENV NAME=dojin\nRUN echo \"after=$NAME\" >> /seen\nCMD echo Hello $NAME\n",
    );
    project.build_app();
    assert_eq!(project.image("app").tree["seen"].kind, file_digest("before=\nafter=dojin\n"));
    assert_eq!(project.ask(&["run", "--rm", "app"]), "Hello dojin\n");
    assert_eq!(project.ask(&["run", "--rm", "-e", "NAME=docker", "app"]), "Hello docker\n");
}

#[test]
fn s145_d050_variables_are_put_in_where_docker_does_it() {
    let project = Project::with(
        "ARG TAG=latest\nFROM busybox:${TAG}\nARG SRC=a.txt PORT=80\nENV FOO=/bar WHO=1000:1000 SIG=SIGINT\nADD . $FOO\n\
         COPY ${SRC} ${FOO}/copied-$PORT\nWORKDIR ${FOO}/work\nEXPOSE $PORT ${OTHER:-8080}/udp\nLABEL at=\"$FOO\" raw='$FOO' esc=\\$FOO\n\
         USER $WHO\nVOLUME ${FOO}/data\nSTOPSIGNAL $SIG\nENV ALT=${NONE:-x} SET=${FOO:+y} CUT=${FOO#/b}\nCMD echo $FOO\n",
    );
    project.file("a.txt", "a").file(".dockerignore", "Dockerfile\n.dockerignore\n");
    project.build_app();
    assert_eq!(project.names("app", "bar"), ["a.txt", "copied-80", "work/"]);
    let config = project.config("app");
    assert_eq!(config["WorkingDir"], "/bar/work");
    assert_eq!(config["ExposedPorts"], json!({"80/tcp": {}, "8080/udp": {}}));
    assert_eq!(config["Labels"], json!({"at": "/bar", "raw": "$FOO", "esc": "$FOO"}));
    assert_eq!((&config["User"], &config["StopSignal"]), (&json!("1000:1000"), &json!("SIGINT")));
    assert_eq!(config["Volumes"], json!({"/bar/data": {}}));
    assert_eq!(config["Env"].as_array().unwrap()[4..], [json!("ALT=x"), json!("SET=y"), json!("CUT=ar")]);
    // The shell puts these in, when the container runs.
    assert_eq!(config["Cmd"], json!(["/bin/sh", "-c", "echo $FOO"]));
}

#[test]
fn s146_arg_has_a_default_that_a_flag_replaces_and_is_gone_afterwards() {
    let project = Project::with("FROM busybox\nARG VERSION=1.0\nLABEL version=$VERSION\n");
    project.build_app();
    assert_eq!(project.config("app")["Labels"]["version"], "1.0");
    project.build(&["--build-arg", "VERSION=2.0", "-t", "app"]).run().success();
    let config = project.config("app");
    assert_eq!(config["Labels"]["version"], "2.0");
    assert!(!config["Env"].to_string().contains("VERSION"), "{config}");
    assert_eq!(project.history("app"), ["ARG VERSION=2.0", "LABEL version=2.0"]);
}

#[test]
fn s146_an_arg_is_known_from_its_line_on_and_in_its_stage_only() {
    let project = Project::with(
        "ARG GLOBAL=g\nFROM busybox AS one\nLABEL before=[$A] global=[$GLOBAL]\nARG A=a\nLABEL after=[$A]\n\
         FROM one\nARG GLOBAL\nLABEL inherited=[$A] declared=[$GLOBAL]\n",
    );
    project.build(&["--build-arg", "A=flag", "-t", "app"]).run().success();
    let labels = project.config("app")["Labels"].clone();
    assert_eq!(labels["before"], "[]");
    assert_eq!(labels["global"], "[]");
    assert_eq!(labels["after"], "[flag]");
    assert_eq!(labels["inherited"], "[flag]", "a stage that continues another has its arguments");
    assert_eq!(labels["declared"], "[g]");
}

#[test]
fn s147_env_always_wins() {
    for dockerfile in [
        "FROM busybox\nENV VERSION=env\nARG VERSION=arg\nLABEL version=$VERSION\n",
        "FROM busybox\nARG VERSION=arg\nENV VERSION=env\nLABEL version=$VERSION\n",
    ] {
        let project = Project::with(dockerfile);
        for flags in [&["-t", "app"][..], &["-t", "app", "--build-arg", "VERSION=flag"]] {
            project.build(flags).run().success();
            assert_eq!(project.config("app")["Labels"]["version"], "env", "{dockerfile} {flags:?}");
        }
    }
}

#[test]
#[ignore = "requires root"]
fn s146_s147_arguments_and_env_in_run_requires_root() {
    let project =
        Project::with("FROM busybox\nARG A=default\nENV B=env\nARG B=arg\nRUN echo \"$A $B\" > /seen; env > /all\n");
    project.build(&["--build-arg", "A=flag", "--build-arg", "B=flag", "-t", "app"]).run().success();
    assert_eq!(project.image("app").tree["seen"].kind, file_digest("flag env\n"));
    assert_eq!(project.ask(&["run", "--rm", "app", "sh", "-c", "echo \"[$A] [$B]\""]), "[] [env]\n");
    // Nothing of this machine's environment is seen in a step.
    let all = project.ask(&["run", "--rm", "app", "cat", "/all"]);
    let mut names: Vec<&str> = all.lines().map(|line| line.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "B", "HOME", "PATH", "PWD", "SHLVL"]);
}

#[test]
fn s148_env_counts_from_its_line_on() {
    let project = Project::with("FROM busybox\nENV A=1\nLABEL one=$A\nENV A=2 B=$A\nLABEL two=$A,$B\n");
    project.build_app();
    assert_eq!(project.config("app")["Labels"], json!({"one": "1", "two": "2,1"}));
}

#[test]
#[ignore = "requires root"]
fn s158_s159_the_shell_form_keeps_quotes_redirects_and_continuations_requires_root() {
    let project = Project::with(
        "FROM busybox\nWORKDIR /www\nRUN echo \"<h1>I-scream edu</h1>\" > eng.html\nRUN \\\n  echo 'one   two' > a && \\\n\
         \n  # a comment in between\n  echo \"$(cat a)\" | tr a-z A-Z >> a ; \\\n  echo \\$HOME >> a\nRUN [\"sh\", \"-c\", \"echo exec > b\"]\n\
         SHELL [\"/bin/sh\", \"-ec\"]\nRUN echo shell > c\n",
    );
    project.build_app();
    let tree = project.image("app").tree;
    assert_eq!(tree["www/eng.html"].kind, file_digest("<h1>I-scream edu</h1>\n"));
    assert_eq!(tree["www/a"].kind, file_digest("one   two\nONE   TWO\n$HOME\n"));
    assert_eq!((&tree["www/b"].kind, &tree["www/c"].kind), (&file_digest("exec\n"), &file_digest("shell\n")));
    let history = project.history("app");
    assert_eq!(history[1], "RUN /bin/sh -c echo \"<h1>I-scream edu</h1>\" > eng.html # buildkit");
    assert_eq!(history[3], "RUN sh -c echo exec > b # buildkit");
    assert_eq!(history[5], "RUN /bin/sh -ec echo shell > c # buildkit");
}

#[test]
#[ignore = "requires root"]
fn s160_s219_files_that_one_run_makes_and_removes_never_reach_the_layer_requires_root() {
    let project = Project::with(
        "FROM busybox\nRUN head -c 1000000 /dev/zero > /big && mkdir /made && rm /big && rmdir /made\nRUN true\nRUN echo 42 > /kept\nRUN rm /kept\n",
    );
    project.build_app();
    let rows = project.ask(&["history", "--format", "{{.Size}}", "app"]);
    assert_eq!(rows.lines().take(4).collect::<Vec<_>>(), ["0B", "3B", "0B", "0B"]);
    let image = project.image("app");
    assert_eq!(image.diff_ids.len(), 5, "RUN always makes a layer");
    assert!(!image.tree.contains_key("big") && !image.tree.contains_key("kept") && !image.tree.contains_key("made"));
}

#[test]
fn s161_cmd_in_its_forms() {
    for (typed, stored) in [
        ("[\"node\", \"./app.js\"]", json!(["node", "./app.js"])),
        ("[ \"npm\", \"start\" ]", json!(["npm", "start"])),
        ("[\"apachectl\",\"-DFOREGROUND\"]", json!(["apachectl", "-DFOREGROUND"])),
        ("npm start -- $PORT", json!(["/bin/sh", "-c", "npm start -- $PORT"])),
        ("[\"it's\", \"tab\\t\\u00e9\"]", json!(["it's", "tab\té"])),
        ("[]", json!([])),
    ] {
        let project = Project::with(&format!("FROM busybox\nCMD {typed}\n"));
        project.build_app();
        let cmd = project.config("app")["Cmd"].clone();
        assert!(cmd == stored || stored == json!([]) && cmd.is_null(), "{typed}: {cmd}");
    }
}

#[test]
fn s162_a_new_entrypoint_drops_the_cmd_of_the_base_but_not_its_own() {
    let project = Project::with("FROM busybox\nENTRYPOINT [\"python3\", \"app.py\"]\nCMD [\"--help\"]\n");
    project.build_app();
    let config = project.config("app");
    assert_eq!((&config["Entrypoint"], &config["Cmd"]), (&json!(["python3", "app.py"]), &json!(["--help"])));
    project.dockerfile("FROM app\nENTRYPOINT exec top -b\n").build(&["-t", "next"]).run().success();
    let config = project.config("next");
    assert_eq!(config["Entrypoint"], json!(["/bin/sh", "-c", "exec top -b"]));
    assert!(config["Cmd"].is_null(), "{config}");
}

#[test]
#[ignore = "requires root"]
fn s162_cmd_becomes_the_arguments_of_the_entrypoint_requires_root() {
    let project = Project::with("FROM busybox\nENTRYPOINT [\"echo\", \"app.py\"]\nCMD [\"--help\"]\n");
    project.build_app();
    assert_eq!(project.ask(&["run", "--rm", "app"]), "app.py --help\n");
    assert_eq!(project.ask(&["run", "--rm", "app", "--version"]), "app.py --version\n");
}

#[test]
#[ignore = "requires root"]
fn s163_user_is_who_runs_requires_root() {
    let project = Project::with(
        "FROM busybox\nRUN id -u > /tmp/a\nUSER node\nRUN id -un > /tmp/b; echo $HOME > /tmp/c\nUSER root\nRUN id -u > /tmp/d\nUSER 1000\nCMD [\"id\"]\n",
    );
    project.build_app();
    let tree = project.image("app").tree;
    for (name, content, uid) in [("a", "0\n", 0), ("b", "node\n", 1000), ("c", "/home/node\n", 1000), ("d", "0\n", 0)] {
        let node = &tree[&format!("tmp/{name}")];
        assert_eq!((&node.kind, node.uid), (&file_digest(content), uid), "{name}");
    }
    assert_eq!(project.ask(&["run", "--rm", "app"]), "uid=1000(node) gid=1000(node) groups=1000(node)\n");
}

#[test]
fn s164_d133_labels() {
    let project = Project::with(
        "FROM busybox\nLABEL maintainer=\"your-email@example.com\"\nLABEL a=1 \"b c\"='2 3' d=\"x\\\ny\"\nLABEL a=2\n",
    );
    project.build_app();
    let labels = json!({"maintainer": "your-email@example.com", "a": "2", "b c": "2 3", "d": "xy"});
    assert_eq!(project.config("app")["Labels"], labels);
    assert_eq!(project.ask(&["inspect", "-f", "{{.Config.Labels.maintainer}}", "app"]), "your-email@example.com\n");
}

#[test]
fn s165_s166_d134_expose_is_metadata_only() {
    let project = Project::with("FROM busybox\nEXPOSE 80 443/tcp 53/udp 8000-8002\n");
    let built = project.build_app();
    assert_eq!(steps(&built.stderr).len(), 1, "no step and no container: {}", built.stderr);
    let ports = json!({"80/tcp": {}, "443/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}});
    assert_eq!(project.config("app")["ExposedPorts"], ports);
    assert_eq!(project.image("app").diff_ids.len(), 1);
}

#[test]
fn d135_d136_d139_d141_the_rest_of_the_metadata() {
    let project = Project::with(
        "FROM busybox\nVOLUME [\"/data\", \"/var/log\"]\nVOLUME /a /b\nSTOPSIGNAL SIGQUIT\nUSER 1000:1000\n\
         SHELL [\"/bin/ash\", \"-c\"]\nHEALTHCHECK --interval=5s --timeout=1m --retries=3 CMD wget -q localhost\n\
         MAINTAINER somebody <some@body>\nCMD date\n",
    );
    project.build_app();
    let config = project.config("app");
    assert_eq!(config["Volumes"], json!({"/data": {}, "/var/log": {}, "/a": {}, "/b": {}}));
    assert_eq!((&config["StopSignal"], &config["User"]), (&json!("SIGQUIT"), &json!("1000:1000")));
    assert_eq!(config["Shell"], json!(["/bin/ash", "-c"]));
    assert_eq!(config["Cmd"], json!(["/bin/ash", "-c", "date"]));
    assert_eq!(
        config["Healthcheck"],
        json!({"Test": ["CMD-SHELL", "wget -q localhost"], "Interval": 5_000_000_000_i64, "Timeout": 60_000_000_000_i64, "Retries": 3})
    );
    assert_eq!(project.inspect("app")["Author"], "somebody <some@body>");
    project.dockerfile("FROM app\nHEALTHCHECK NONE\n").build(&["-t", "next"]).run().success();
    assert_eq!(project.config("next")["Healthcheck"], json!({"Test": ["NONE"]}));
}

#[test]
fn d138_onbuild_runs_in_the_next_build_only() {
    let project = Project::with("FROM busybox\nONBUILD COPY app.js /app/\nONBUILD ENV FROM_BASE=1\n");
    project.file("app.js", "1");
    project.build(&["-t", "parent"]).run().success();
    assert_eq!(project.config("parent")["OnBuild"], json!(["COPY app.js /app/", "ENV FROM_BASE=1"]));
    assert!(!project.image("parent").tree.contains_key("app"));
    project.dockerfile("FROM parent\nENV OWN=$FROM_BASE\n").build(&["-t", "child"]).run().success();
    assert!(project.image("child").tree.contains_key("app/app.js"));
    let config = project.config("child");
    assert_eq!(config["Env"].as_array().unwrap()[1..], [json!("FROM_BASE=1"), json!("OWN=1")]);
    assert!(config["OnBuild"].is_null(), "{config}");
}

/// S107, S213, S214: BuildKit's wording, word for word.
#[test]
fn s167_every_instruction_is_one_row_of_history() {
    let project = Project::with(
        "FROM busybox\nARG VERSION=1.0\nENV NAME=dojin A=\"b c\"\nWORKDIR /app\nCOPY app.js .\nADD app.js package*.json ./added/\n\
         LABEL k=v\nEXPOSE 80\nVOLUME /data\nUSER node\nSTOPSIGNAL 9\nSHELL [\"/bin/sh\", \"-c\"]\nHEALTHCHECK CMD true\n\
         ONBUILD RUN x\nMAINTAINER me\nENTRYPOINT [\"node\"]\nCMD [\"./app.js\"]\n",
    );
    project.file("app.js", "console.log('hello, world');\n").file("package.json", "{}");
    project.build_app();
    let rows = project.ask(&["history", "--no-trunc", "--format", "{{.CreatedBy}} | {{.Size}} | {{.Comment}}", "app"]);
    let mut rows: Vec<&str> = rows.lines().take(16).collect();
    rows.reverse();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    ARG VERSION=1.0 | 0B | buildkit.dockerfile.v0
    ENV NAME=dojin A=b c | 0B | buildkit.dockerfile.v0
    WORKDIR /app | 0B | buildkit.dockerfile.v0
    COPY app.js . # buildkit | 29B | buildkit.dockerfile.v0
    ADD app.js package*.json ./added/ # buildkit | 31B | buildkit.dockerfile.v0
    LABEL k=v | 0B | buildkit.dockerfile.v0
    EXPOSE [80/tcp] | 0B | buildkit.dockerfile.v0
    VOLUME [/data] | 0B | buildkit.dockerfile.v0
    USER node | 0B | buildkit.dockerfile.v0
    STOPSIGNAL 9 | 0B | buildkit.dockerfile.v0
    SHELL [/bin/sh -c] | 0B | buildkit.dockerfile.v0
    HEALTHCHECK &{["CMD-SHELL" "true"] "0s" "0s" "0s" "0s" '\x00'} | 0B | buildkit.dockerfile.v0
    ONBUILD RUN x | 0B | buildkit.dockerfile.v0
    MAINTAINER me | 0B | buildkit.dockerfile.v0
    ENTRYPOINT ["node"] | 0B | buildkit.dockerfile.v0
    CMD ["./app.js"] | 0B | buildkit.dockerfile.v0
    "#);
    let config = project.image("app").config;
    let own = &config["history"].as_array().unwrap()[2..];
    let empty = own.iter().filter(|row| row["empty_layer"] == true).count();
    assert_eq!((own.len(), empty), (16, 13));
    assert_eq!(outcomes(&project.build_app()), ["CACHED"; 4]);
}

#[test]
#[ignore = "requires root"]
fn s167_run_rows_name_the_arguments_requires_root() {
    let project = Project::with("FROM busybox\nARG A=1\nARG B\nRUN true\nENV A=2\nRUN true\nRUN [\"true\", \"x y\"]\n");
    project.build(&["--build-arg", "B=two words", "-t", "app"]).run().success();
    assert_eq!(
        project.history("app"),
        [
            "ARG A=1",
            "ARG B=two words",
            "RUN |2 A=1 B=two words /bin/sh -c true # buildkit",
            "ENV A=2",
            "RUN |2 A=2 B=two words /bin/sh -c true # buildkit",
            "RUN |2 A=2 B=two words true x y # buildkit",
        ]
    );
}
