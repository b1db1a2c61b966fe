//! `build`'s command line: what may be typed, which files are read, which names the image gets (S080 to S091, X6).

use std::fs;

use crate::build_project::{Project, file_digest, outcomes, steps};

const TWO_STAGES: &str = "FROM busybox AS build-stage\nCOPY a /from-build\n\nFROM busybox AS last\nCOPY a /from-last\n";

/// The name that each form of the command gives.
#[test]
fn s080_s081_s082_four_ways_to_name_an_image() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    for (number, words) in [
        &["image", "build", "--tag", "name-0", "."][..],
        &["image", "build", "-t", "name-1", "./"],
        &["build", "--tag", "name-2", "."],
        &["builder", "build", "-t=name-3", "../work"],
    ]
    .iter()
    .enumerate()
    {
        project.onggi(*words).run().success();
        assert_eq!(project.config(&format!("name-{number}"))["Cmd"][0], "x", "{words:?}");
    }
    // Options may stand behind the path, and the path may be absolute.
    let here = project.sandbox.work();
    project.onggi(["build", here.to_str().unwrap(), "-tname-4"]).cwd("/").run().success();
    project.ask(&["image", "inspect", "name-4:latest"]);
}

#[test]
fn s083_s194_the_file_is_taken_from_the_current_folder() {
    let project = Project::with("FROM busybox\nCMD [\"wrong one\"]\n");
    project.file("example/MyDockerfile", "FROM busybox\nCOPY inside.txt /\nCMD [\"right one\"]\n");
    project.file("context/inside.txt", "in the context").file("context/MyDockerfile", "wrong one");
    let built = project.onggi(["build", "-t", "app:v1", "-f", "example/MyDockerfile", "./context"]).run().success();
    assert!(built.stderr.contains("#1 [internal] load build definition from MyDockerfile\n"), "{}", built.stderr);
    assert_eq!(project.config("app:v1")["Cmd"][0], "right one");
    assert_eq!(project.image("app:v1").tree["inside.txt"].kind, file_digest("in the context"));
    // From within the context the same file has another path.
    let words = ["build", "-t", "app:v2", "-f", "../example/MyDockerfile", "."];
    project.onggi(words).cwd("context").run().success();
    assert_eq!(project.inspect("app:v1")["Id"], project.inspect("app:v2")["Id"]);
}

#[test]
fn s084_a_lower_case_dockerfile_is_found_and_the_proper_one_preferred() {
    let project = Project::new();
    project.file("dockerfile", "FROM busybox\nCMD [\"lower\"]\n");
    project.build_app();
    assert_eq!(project.config("app")["Cmd"][0], "lower");
    project.dockerfile("FROM busybox\nCMD [\"proper\"]\n");
    project.build_app();
    assert_eq!(project.config("app")["Cmd"][0], "proper");
}

#[test]
fn s084_no_dockerfile_is_an_error_that_names_the_flag() {
    let project = Project::new();
    project.file("MyDockerfile", "FROM busybox\n");
    let failed = project.build(&["-t", "app"]).run().exits(1);
    assert_eq!(failed.stderr, "error: there is no Dockerfile in .\nhint: name it: `onggi build -f MyDockerfile .`\n");
    project.build(&["-f", "MyDockerfile", "-t", "app"]).run().success();
}

/// buildah's name is not looked for, as Docker does not; the hint says what to type.
#[test]
fn d011_a_containerfile_is_named_in_the_hint() {
    let project = Project::new();
    project.file("Containerfile", "FROM busybox\n");
    let failed = project.build(&["-t", "app"]).run().exits(1);
    assert_eq!(failed.stderr, "error: there is no Dockerfile in .\nhint: name it: `onggi build -f Containerfile .`\n");
    project.build(&["-f", "Containerfile", "-t", "app"]).run().success();
}

#[test]
fn s085_s086_d153_b002_a_dockerfile_from_standard_input_with_a_local_context() {
    let text = "FROM busybox\nCMD [\"cat\", \"app.txt\"]\nENV NAME=dojin\nCOPY app.txt .\n";
    let project = Project::new();
    project.file("app.txt", "hello");
    for (number, file) in [&["-f-"][..], &["-f", "-"], &["-f=-"], &["--file=-"]].iter().enumerate() {
        let tag = format!("myimage-helloname:v{number}");
        project.build(&[&["-q", "-t", &tag], *file].concat()).stdin(text).run().success();
        assert_eq!(project.config(&tag)["Cmd"], serde_json::json!(["cat", "app.txt"]));
        assert_eq!(project.image(&tag).tree["app.txt"].kind, file_digest("hello"));
    }
    assert_eq!(
        project.history("myimage-helloname:v0"),
        ["CMD [\"cat\" \"app.txt\"]", "ENV NAME=dojin", "COPY app.txt . # buildkit"]
    );
}

#[test]
fn s085_a_dockerfile_from_standard_input_without_a_context() {
    let project = Project::with("FROM busybox\nCMD [\"wrong one\"]\n");
    project.onggi(["build", "-t", "app", "-"]).stdin("FROM busybox\nCMD [\"right one\"]\n").run().success();
    assert_eq!(project.config("app")["Cmd"][0], "right one");
}

#[test]
fn s087_b004_the_target_stage_is_found_in_any_case_and_nothing_behind_it_is_built() {
    let project = Project::with(TWO_STAGES);
    project.file("a", "1");
    for (number, target) in ["build-stage", "BUILD-Stage", "0"].iter().enumerate() {
        let tag = format!("my-java-app-build:{number}");
        let built = project.build(&["--target", target, "-t", &tag]).run().success();
        assert_eq!(steps(&built.stderr).len(), 2, "{}", built.stderr);
        let tree = project.image(&tag).tree;
        assert!(tree.contains_key("from-build") && !tree.contains_key("from-last"));
    }
}

#[test]
fn s088_the_last_stage_is_the_result() {
    let project = Project::with(TWO_STAGES);
    project.file("a", "1");
    project.build_app();
    let tree = project.image("app").tree;
    assert!(!tree.contains_key("from-build") && tree.contains_key("from-last"));
}

#[test]
fn s089_x6_no_path_is_the_current_folder_with_a_note() {
    let project = Project::with("FROM busybox\nCOPY a /\n");
    project.file("a", "1");
    let built = project.onggi(["build", "-q", "-t", "my-app:v2"]).run().success();
    assert_eq!(built.stderr, "warning: no build context given: using the current folder `.`\n");
    assert_eq!(built.stdout.trim_end(), project.inspect("my-app:v2")["Id"]);
    let with_path = project.build(&["-q"]).run().success();
    assert_eq!((with_path.stdout, with_path.stderr.as_str()), (built.stdout, ""));
}

#[test]
fn s090_another_tag_for_the_same_image() {
    let project = Project::with("FROM busybox\nCOPY a /\nCMD [\"x\"]\n");
    project.file("a", "1");
    project.build(&["-t", "my-app:v1"]).run().success();
    let again = project.build(&["-t", "my-app:v2"]).run().success();
    assert_eq!(outcomes(&again), ["CACHED", "CACHED"]);
    assert_eq!(project.inspect("my-app:v2")["RepoTags"], serde_json::json!(["my-app:v1", "my-app:v2"]));
}

#[test]
fn s091_a_tag_that_moves_leaves_the_old_image_without_a_name() {
    let project = Project::with("FROM busybox\nCMD [\"old\"]\n");
    project.build_app();
    let old = project.inspect("app")["Id"].clone();
    project.dockerfile("FROM busybox\nCMD [\"new\"]\n").build_app();
    assert_ne!(project.inspect("app")["Id"], old);
    assert_eq!(project.inspect(old.as_str().unwrap())["RepoTags"], serde_json::json!([]));
    let list = project.ask(&["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]);
    let short = &old.as_str().unwrap()["sha256:".len()..][..12];
    assert!(list.contains(&format!("<none>:<none> {short}\n")), "{list}");
}

#[test]
fn b001_several_tags_are_all_given_and_an_image_may_have_none() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    let built = project.build(&["-t", "one", "--tag", "registry.example.com:5000/two/two:v2", "-t", "three"]).run();
    let named: Vec<String> =
        built.success().stderr.lines().filter_map(|line| Some(line.split_once(" naming to ")?.1.to_owned())).collect();
    assert_eq!(
        named,
        [
            "docker.io/library/one:latest done",
            "registry.example.com:5000/two/two:v2 done",
            "docker.io/library/three:latest done"
        ]
    );
    let all = serde_json::json!(["one:latest", "three:latest", "registry.example.com:5000/two/two:v2"]);
    assert_eq!(project.inspect("one")["RepoTags"], all);
    let unnamed = project.dockerfile("FROM busybox\nCMD [\"y\"]\n").build(&["-q"]).run().success();
    assert_eq!(project.inspect(unnamed.stdout.trim_end())["RepoTags"], serde_json::json!([]));
}

#[test]
fn b008_b010_quiet_prints_the_id_alone_and_iidfile_keeps_it() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    for flags in [&["-q"][..], &["--quiet"], &["-q", "--progress=plain"]] {
        let built = project.build(&[flags, &["--iidfile", "id.txt", "-t", "app"]].concat()).run().success();
        let id = project.inspect("app")["Id"].as_str().unwrap().to_owned();
        assert_eq!((built.stdout, built.stderr.as_str()), (format!("{id}\n"), ""));
        // No line break at the end, as Docker writes it.
        assert_eq!(fs::read_to_string(project.sandbox.work().join("id.txt")).unwrap(), id);
    }
}

#[test]
fn b008_without_quiet_standard_output_stays_empty() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    for view in ["auto", "plain", "tty", "quiet", "rawjson"] {
        let built = project.build(&["--progress", view]).run().success();
        assert_eq!(built.stdout, "", "{view}");
        assert_eq!(built.stderr.is_empty(), view == "quiet", "{view}");
    }
}

#[test]
fn s146_b003_build_arguments_come_from_the_command_line_and_the_environment() {
    let project = Project::with(
        "ARG BASE=none\nFROM ${BASE}\nARG GIVEN FROM_ENVIRONMENT=default\nARG UNSET=default\nLABEL all=$GIVEN,$FROM_ENVIRONMENT,$UNSET\n",
    );
    let flags =
        ["--build-arg", "BASE=busybox", "--build-arg=GIVEN=a=b c", "--build-arg", "FROM_ENVIRONMENT", "--build-arg=NO"];
    project.build(&[&flags[..], &["-t", "app"]].concat()).env("FROM_ENVIRONMENT", "here").run().success();
    assert_eq!(project.config("app")["Labels"]["all"], "a=b c,here,default");
}

#[test]
fn b011_labels_of_the_command_line_win() {
    let project = Project::with("FROM busybox\nLABEL a=file b=file\n");
    project.build(&["--label", "a=flag", "--label=c", "-t", "app"]).run().success();
    assert_eq!(project.config("app")["Labels"], serde_json::json!({"a": "flag", "b": "file", "c": ""}));
}

/// Scripts written for Docker go on working (B023).
#[test]
fn b023_flags_that_mean_nothing_here_are_taken() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    let flags = ["--rm", "--force-rm", "--compress", "--load", "--disable-content-trust", "--security-opt=x"];
    let built = project.build(&[&flags[..], &["-q", "--isolation=default", "-t", "app"]].concat()).run().success();
    assert_eq!(built.stderr, "");
    let off =
        ["--rm=true", "--force-rm=false", "--compress=false", "--disable-content-trust=false", "--isolation", "hyperv"];
    project.build(&[&off[..], &["-q"]].concat()).run().success();
}

/// `--root` before the verb and `ONGGI_ROOT` are two names of the same thing.
#[test]
fn the_store_is_chosen_before_the_verb() {
    let project = Project::with("FROM scratch\nCMD [\"x\"]\n");
    let root = project.sandbox.path().join("other-root");
    project.onggi(["--root", root.to_str().unwrap(), "build", "-q", "-t", "app", "."]).run().success();
    project.onggi(["image", "inspect", "app"]).run().exits(1);
    project.onggi(["image", "inspect", "app"]).env("ONGGI_ROOT", &root).run().success();
    testkit::checker::check_store(&root).unwrap();
}

#[test]
fn b006_no_cache_filter_takes_names_with_commas_and_may_be_repeated() {
    let project = Project::with(
        "FROM busybox AS one\nCOPY a /\nFROM busybox AS two\nCOPY a /\nFROM busybox AS three\nCOPY --from=one /a /one\nCOPY --from=two /a /two\n",
    );
    project.file("a", "1").build_app();
    let ran = |flags: &[&str]| {
        let built = project.build(flags).run().success();
        let steps = crate::build_project::steps(&built.stderr);
        // Stages run side by side.
        let ran = steps.into_iter().filter(|(_, outcome)| outcome == "DONE").map(|(name, _)| name);
        ran.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        ran(&["--no-cache-filter", "one,TWO"]),
        ["[one 2/2] COPY a /", "[two 2/2] COPY a /"].map(str::to_owned).into()
    );
    assert_eq!(ran(&["--no-cache-filter=one", "--no-cache-filter=two"]).len(), 2);
    assert!(ran(&[]).is_empty());
}

#[test]
fn b007_pull_asks_the_registry_and_can_be_switched_off() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    let refused = project.build(&["--pull"]).run().exits(1);
    assert!(refused.stderr.contains("docker.io/library/busybox:latest is blocked by "), "{}", refused.stderr);
    project.build(&["--pull=false", "-q"]).run().success();
}

/// C030: three commands are the same, with the flags of the notes.
#[test]
fn c030_build_by_three_names() {
    let project = Project::with("FROM busybox AS first\nARG NAME=none\nLABEL name=$NAME\nFROM first\nCMD [\"x\"]\n");
    let mut ids = std::collections::HashSet::new();
    for words in [&["build"][..], &["image", "build"], &["builder", "build"]] {
        let flags = ["--quiet", "-f", "Dockerfile", "--tag", "app:v1", "--build-arg", "NAME=given", "."];
        ids.insert(project.ask(&[words, &flags].concat()));
        let first = project.ask(&[words, &["-q", "--target", "FIRST", "-t", "first", "./"]].concat());
        assert_eq!(project.inspect("first")["Id"], first.trim_end());
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(project.inspect("app:v1")["Config"]["Labels"]["name"], "given");
}
