//! `build --check` and `--call`, and builds that findings of the checks end.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::build_project::Project;

/// A folder that holds a Dockerfile and nothing else; the base image of it is nowhere.
fn without_base(dockerfile: &str) -> Project {
    let project = Project::without_base();
    project.dockerfile(dockerfile);
    project
}

/// Every file below a folder, with its size.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push((entry.path(), entry.metadata().unwrap().len())),
        }
    }
    found.sort();
    found
}

#[test]
fn d182_exit_codes_and_streams() {
    let project = without_base("FROM node:18\nCMD [\"node\"]\n");
    let clean = project.build(&["--check"]).run().exits(0);
    assert_eq!((clean.stdout.as_str(), clean.stderr.as_str()), ("Check complete, no warnings found.\n", ""));

    project.dockerfile("FROM node:18\nCMD node\n");
    let found = project.build(&["--check"]).run().exits(1);
    insta::assert_snapshot!(found.snapshot(), @r#"
    exit: 1
    --- stdout
    Check complete, 1 warning has been found!

    WARNING: JSONArgsRecommended
    JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
    Dockerfile:2
    --------------------
       1 |     FROM node:18
       2 | >>> CMD node
    --------------------
    hint: write `CMD ["node"]`
    "#);
    let ignored = project.build(&["--call=check,ignorestatus"]).run().exits(0);
    assert_eq!(ignored.stdout, found.stdout);

    project.dockerfile("FROM node:18\nRUM x\n");
    let wrong = project.build(&["--check"]).run().exits(1);
    insta::assert_snapshot!(wrong.snapshot(), @"
    exit: 1
    --- stderr
    error: unknown instruction `RUM`
     --> Dockerfile:2:1
      |
    2 | RUM x
      | ^^^

    hint: did you mean `RUN`?
    ");
    project.dockerfile("FROM node:18\nRUM x\nCMD node\n");
    let both = project.build(&["--call=lint"]).run().exits(1);
    assert!(both.stdout.starts_with("Check complete, 1 warning has been found!\n"), "{}", both.stdout);
    assert!(both.stderr.starts_with("error: unknown instruction `RUM`"), "{}", both.stderr);
}

/// The output of BuildKit's `frontend.lint`, with which editors work.
#[test]
fn d182_json_of_the_checks() {
    let project = without_base("FROM node:18 as A\n\nCMD \\\n  node\n");
    let answer: Value =
        serde_json::from_str(&project.build(&["--call=check,format=json"]).run().exits(1).stdout).unwrap();
    let line = |line: u32| json!({ "start": { "line": line }, "end": { "line": line } });
    let warnings = answer["warnings"].as_array().unwrap();
    let names: Vec<&str> = warnings.iter().map(|warning| warning["ruleName"].as_str().unwrap()).collect();
    assert_eq!(names, ["StageNameCasing", "FromAsCasing", "JSONArgsRecommended"]);
    assert_eq!(
        warnings[2],
        json!({
            "ruleName": "JSONArgsRecommended",
            "description":
                "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
            "url": "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
            "detail": "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
            "location": { "ranges": [line(3), line(4)] },
        })
    );
    assert_eq!(
        answer["sources"],
        json!([{
            "filename": "Dockerfile",
            "data": "RlJPTSBub2RlOjE4IGFzIEEKCkNNRCBcCiAgbm9kZQo=",
            "language": "Dockerfile",
        }])
    );
    assert_eq!(answer.get("buildError"), None);

    project.dockerfile("FROM node:18\nRUN a \\\n && b\nCOPY x\n");
    let wrong = project.build(&["--call=check,format=json"]).run().exits(1);
    let answer: Value = serde_json::from_str(&wrong.stdout).unwrap();
    assert_eq!(answer["warnings"], json!([]));
    assert_eq!(answer["buildError"]["location"], json!({ "ranges": [line(4)] }));
    assert_eq!(answer["buildError"]["message"], "COPY has a source but no destination");
    assert_eq!(wrong.stderr, "", "all of it is in the answer");
}

#[test]
fn d180_d181_outline_and_targets() {
    let project = without_base(
        "# VERSION of node\nARG VERSION=18\n# build compiles\nFROM node:$VERSION AS build\nARG MODE=fast\n\
         RUN --mount=type=secret,id=npm,required=true --mount=type=ssh make\n\n# app is what is shipped\nFROM scratch AS app\n\
         COPY --from=build /x /x\n",
    );
    let outline = project.build(&["--call=outline", "--build-arg", "VERSION=20"]).run().success();
    insta::assert_snapshot!(outline.stdout, @"
    TARGET:      app
    DESCRIPTION: is what is shipped

    BUILD ARG   VALUE   DESCRIPTION
    VERSION     20      of node
    MODE        fast    

    SECRET   REQUIRED
    npm      true

    SSH       REQUIRED
    default
    ");
    let targets = project.build(&["--call", "targets"]).run().success();
    insta::assert_snapshot!(targets.stdout, @"
    TARGET        DESCRIPTION
    build         compiles
    app (default) is what is shipped
    ");
    let parsed = |flag: &str| -> Value {
        serde_json::from_str(&project.build(&[flag, "--target=build"]).run().success().stdout).unwrap()
    };
    let outline = parsed("--call=outline,format=json");
    assert_eq!((&outline["name"], &outline["description"]), (&json!("build"), &json!("compiles")));
    assert_eq!(outline["args"][1]["name"], "MODE");
    assert_eq!(outline["secrets"][0]["required"], true);
    let targets = parsed("--call=targets,format=json");
    assert_eq!(targets["targets"][1]["default"], true);
    assert_eq!(targets["targets"][0]["base"], "node:$VERSION");
    let methods = parsed("--call=subrequests.describe,format=json");
    assert_eq!(methods[2]["name"], "frontend.lint");
}

/// Every short name that is listed is one that can be asked.
#[test]
fn b024_d183_what_is_listed_can_be_called() {
    let project = without_base("FROM scratch\nLABEL a=b\n");
    let listed = project.build(&["--call=subrequests.describe"]).run().success().stdout;
    let names: Vec<&str> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 4);
    for name in names {
        project.build(&["--call", name]).run().success();
    }
    let wrong = project.build(&["--call=outlines"]).run().exits(1);
    assert!(wrong.stderr.contains("`outlines` cannot be called"), "{}", wrong.stderr);
    assert_eq!(project.build(&["--call=outline", "--check"]).run().code, 125);
}

/// D182: nothing runs, and nothing is written.
#[test]
fn d182_a_call_leaves_the_store_alone() {
    let project = Project::with("FROM busybox\nCOPY a /\nWORKDIR /x\nCMD x\n");
    project.file("a", "1");
    project.ask(&["images"]);
    let before = files(&project.sandbox.root());
    project.build(&["--check"]).run().exits(1);
    project.build(&["--call=outline"]).run().success();
    project.build(&["--call=targets"]).run().success();
    assert_eq!(files(&project.sandbox.root()), before);
    project.build(&["--call=build", "-t", "app"]).run().success();
    assert_eq!(project.ask(&["images", "-q"]).lines().count(), 2, "--call=build builds");
}

/// D182: the Dockerfile may come from anywhere that a build takes it from.
#[test]
fn d182_wherever_the_dockerfile_is() {
    let project = Project::without_base();
    project.file("sub/My.dockerfile", "FROM a\nCOPY b /\n").file("sub/My.dockerfile.dockerignore", "b\n");
    let flags = ["--check", "-f", "sub/My.dockerfile", "--build-arg=BUILDKIT_DOCKERFILE_CHECK=experimental=all"];
    let found = project.build(&flags).run().exits(1);
    assert!(found.stdout.contains("WARNING: CopyIgnoredFile\n"), "{}", found.stdout);
    assert!(found.stdout.contains("\nMy.dockerfile:2\n"), "{}", found.stdout);
    let piped = project.onggi(["build", "--check", "-"]).stdin("FROM a\nCMD x\n").run().exits(1);
    assert!(piped.stdout.contains("WARNING: JSONArgsRecommended\n"), "{}", piped.stdout);
}

#[test]
fn d178_error_true_ends_the_build() {
    let project = Project::with("# check=error=true\nFROM busybox\nWORKDIR x\nCMD echo\n");
    let failed = project.build(&["-t", "app", "--progress=quiet"]).run().exits(1);
    insta::assert_snapshot!(failed.stderr, @"
    error: lint violation found for rules: WorkdirRelativePath, JSONArgsRecommended
    hint: `onggi build --check` shows each with its place; mend them, or take `error=true` out of `# check=`
    ");
    assert_eq!(project.ask(&["images", "-q", "app"]), "");
    // What the hint says.
    project.build(&["--check"]).run().exits(1);
    project.dockerfile("# check=error=true\nFROM busybox\nWORKDIR /x\nCMD [\"echo\"]\n");
    project.build(&["--check"]).run().success();
    project.build_app();
    project.dockerfile("FROM busybox\nWORKDIR x\nCMD echo\n");
    project.build_app();
    let wrong = project.build(&["--build-arg=BUILDKIT_DOCKERFILE_CHECK=error=yes"]).run().exits(1);
    insta::assert_snapshot!(wrong.snapshot(), @"
    exit: 1
    --- stderr
    #1 [internal] load build definition from Dockerfile
    #1 transferring dockerfile: 32B done
    #1 DONE <time>

    #2 [internal] load .dockerignore
    #2 transferring context: 0B done
    #2 DONE <time>

    #3 [internal] load metadata for docker.io/library/busybox:latest
    #3 DONE <time>
    error: invalid check option `error=yes` in BUILDKIT_DOCKERFILE_CHECK
    hint: write for example `--build-arg 'BUILDKIT_DOCKERFILE_CHECK=skip=JSONArgsRecommended;error=true'`
    ");
    project.build(&["--build-arg=BUILDKIT_DOCKERFILE_CHECK=skip=JSONArgsRecommended;error=true"]).run().exits(1);
}
