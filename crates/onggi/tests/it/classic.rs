//! The classic builder's way of building (X3, X4; S120 to S129, S211, S281 to S283, S306): what it prints, and the images
//! that it keeps.

use testkit::Normaliser;

use crate::build_project::Project;

/// Note 4's, without what only RUN can do.
const APACHE: &str = "FROM busybox\nMAINTAINER your-name <your-email@example.com>\nLABEL \"purpose\"=\"practice\"\n\
                      ADD index.html /var/www/html/\nWORKDIR /var/www/html\nEXPOSE 80\nCMD [\"apachectl\", \"-DFOREGROUND\"]\n";

fn apache() -> Project {
    let project = Project::with(APACHE);
    project.file("index.html", "<h1>hi</h1>\n");
    project.wait_for_the_clock();
    project
}

/// IDs of the ` ---> ID` lines.
fn images(output: &str) -> Vec<String> {
    let ids = output.lines().filter_map(|line| line.strip_prefix(" ---> "));
    ids.filter(|id| id.len() == 12 && !id.contains(' ')).map(str::to_owned).collect()
}

#[test]
fn s120_to_s128_a_build_in_classic_words() {
    let project = apache();
    let built = project.build(&["--progress=classic", "-t", "apache:1", "-t", "web"]).run().success();
    insta::assert_snapshot!(Normaliser::default().apply(&built.stdout), @r#"
    Sending build context to Docker daemon  3.072kB
    Step 1/7 : FROM busybox
     ---> <id-1>
    Step 2/7 : MAINTAINER your-name <your-email@example.com>
     ---> Running in <id-2>
    Removing intermediate container <id-2>
     ---> <id-3>
    Step 3/7 : LABEL "purpose"="practice"
     ---> Running in <id-4>
    Removing intermediate container <id-4>
     ---> <id-5>
    Step 4/7 : ADD index.html /var/www/html/
     ---> <id-6>
    Step 5/7 : WORKDIR /var/www/html
     ---> Running in <id-7>
    Removing intermediate container <id-7>
     ---> <id-8>
    Step 6/7 : EXPOSE 80
     ---> Running in <id-9>
    Removing intermediate container <id-9>
     ---> <id-10>
    Step 7/7 : CMD ["apachectl", "-DFOREGROUND"]
     ---> Running in <id-11>
    Removing intermediate container <id-11>
     ---> <id-12>
    Successfully built <id-12>
    Successfully tagged apache:1
    Successfully tagged web:latest
    "#);
    assert!(built.stderr.contains("MaintainerDeprecated") && !built.stdout.contains("Deprecated"), "{}", built.stderr);
    let again = project.build(&["-t", "apache:1"]).env("DOCKER_BUILDKIT", "0").run().success();
    insta::assert_snapshot!(Normaliser::default().apply(&again.stdout), @r#"
    Sending build context to Docker daemon  3.072kB
    Step 1/7 : FROM busybox
     ---> <id-1>
    Step 2/7 : MAINTAINER your-name <your-email@example.com>
     ---> Using cache
     ---> <id-2>
    Step 3/7 : LABEL "purpose"="practice"
     ---> Using cache
     ---> <id-3>
    Step 4/7 : ADD index.html /var/www/html/
     ---> Using cache
     ---> <id-4>
    Step 5/7 : WORKDIR /var/www/html
     ---> Using cache
     ---> <id-5>
    Step 6/7 : EXPOSE 80
     ---> Using cache
     ---> <id-6>
    Step 7/7 : CMD ["apachectl", "-DFOREGROUND"]
     ---> Using cache
     ---> <id-7>
    Successfully built <id-7>
    Successfully tagged apache:1
    "#);
    assert_eq!(images(&again.stdout), images(&built.stdout));
}

/// Decision 0013: a way of showing does not change what is built.
#[test]
fn x3_the_image_is_the_same_in_both_dialects() {
    let project = apache();
    let id = |flags: &[&str]| project.build(&[flags, &["-q"]].concat()).run().success().stdout;
    let plain = id(&[]);
    assert_eq!(id(&["--progress=classic"]), plain);
    let layers = project.image(plain.trim()).diff_ids.len();
    let files = |folder: &str| std::fs::read_dir(project.sandbox.root().join(folder)).unwrap().count();
    // A tar and an index for each layer, and for the base's.
    assert_eq!((files("layers"), layers), (2 * layers, project.image("busybox").diff_ids.len() + 2));
    let other = apache();
    let classic = other.build(&["-q"]).env("DOCKER_BUILDKIT", "0").run().success().stdout;
    assert_eq!(other.image(classic.trim()).diff_ids.len(), layers);
    assert_eq!(other.build(&["-q"]).run().success().stdout, classic);
}

/// S211: while parents are known, history has their IDs; the images of steps are listed with `-a` only.
#[test]
fn x4_s211_the_images_of_steps_are_there_and_out_of_the_way() {
    let project = apache();
    let built = project.build(&["--progress=classic", "-t", "apache"]).run().success();
    let ids = images(&built.stdout);
    assert_eq!(ids.len(), 7);
    let listed = |flags: &[&str]| -> Vec<String> {
        let text = project.ask(&[&["images", "--format", "{{.ID}} {{.Repository}}"], flags].concat());
        text.lines().map(str::to_owned).collect()
    };
    assert_eq!(listed(&[]).len(), 2, "{:?}", listed(&[]));
    assert_eq!(listed(&["-a"]).len(), ids.len());
    let history = project.ask(&["history", "--format", "{{.ID}}", "apache"]);
    let newest_first: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
    assert_eq!(history.lines().take(7).collect::<Vec<_>>(), newest_first);
    assert_eq!(project.inspect("apache")["Parent"].as_str().unwrap()[7..19], ids[5]);
    // An image in the middle knows what came before it, and nothing else.
    let config = project.config(&ids[2]);
    assert!(config["Labels"]["purpose"] == "practice" && config["ExposedPorts"].is_null(), "{config}");
}

/// S281 to S283: with the last name go the image and the parents that nothing else needs, down to one with a name.
#[test]
fn s281_s282_s283_rmi_takes_the_images_of_steps_along() {
    let project = apache();
    let built = project.build(&["--progress=classic", "-t", "apache"]).run().success();
    let ids = images(&built.stdout);
    let removed = project.ask(&["rmi", "apache"]);
    let deleted: Vec<&str> = removed.lines().filter_map(|line| line.strip_prefix("Deleted: sha256:")).collect();
    assert_eq!(removed.lines().next(), Some("Untagged: apache:latest"));
    for id in &ids[1..] {
        assert_eq!(deleted.iter().filter(|deleted| deleted.starts_with(id)).count(), 1, "{id}\n{removed}");
    }
    assert!(!deleted.iter().any(|deleted| deleted.starts_with(&ids[0])), "the base has a name");
    assert_eq!(project.ask(&["images", "-aq"]).lines().count(), 1);
    // Two images that share their first steps: what is shared stays with the one that is left.
    project.build(&["--progress=classic", "-t", "one"]).run().success();
    project.dockerfile(&APACHE.replace("EXPOSE 80", "EXPOSE 81"));
    project.build(&["--progress=classic", "-t", "two"]).run().success();
    project.ask(&["rmi", "one"]);
    assert_eq!(project.ask(&["images", "-aq"]).lines().count(), 7);
    assert_eq!(project.ask(&["history", "-q", "two"]).lines().filter(|id| *id != "<missing>").count(), 7);
    project.ask(&["rmi", "--no-prune", "two"]);
    assert_eq!(project.ask(&["images", "-aq"]).lines().count(), 6);
}

#[test]
fn s129_stages_come_in_order_and_what_is_not_needed_is_called_so() {
    let project = Project::with(
        "ARG G=1\nFROM busybox AS one\nCOPY a /\nFROM busybox AS test\nCOPY a /\nCOPY a /b\nFROM one\nCOPY --from=one /a /c\n",
    );
    project.file("a", "1");
    let built = project.build(&["--progress=classic"]).run().success();
    insta::assert_snapshot!(Normaliser::default().apply(&built.stdout), @"
    Sending build context to Docker daemon  3.072kB
    Step 1/8 : ARG G=1
    Step 2/8 : FROM busybox AS one
     ---> <id-1>
    Step 3/8 : COPY a /
     ---> <id-2>
    Step 4/8 : FROM busybox AS test
     ---> Not needed
    Step 5/8 : COPY a /
     ---> Not needed
    Step 6/8 : COPY a /b
     ---> Not needed
    Step 7/8 : FROM one
     ---> <id-2>
    Step 8/8 : COPY --from=one /a /c
     ---> <id-3>
    Successfully built <id-3>
    ");
    let target = project.build(&["--progress=classic", "--target", "one"]).run().success();
    assert!(target.stdout.contains("Step 3/3 : COPY a /\n ---> Using cache\n"), "{}", target.stdout);
    assert!(!target.stdout.contains("FROM busybox AS test"), "{}", target.stdout);
}

#[test]
fn b009_the_dialect_is_chosen_by_flag_or_variable() {
    let project = Project::with("FROM scratch\nCMD [\"x\"]\n");
    let run = |variable: &str, flags: &[&str]| project.build(flags).env("DOCKER_BUILDKIT", variable).run();
    for (variable, flags) in [("0", &[][..]), ("false", &[]), ("1", &["--progress=classic"])] {
        let built = run(variable, flags).success();
        assert!(built.stdout.starts_with("Sending build context to Docker daemon  2.048kB\nStep 1/2 : FROM scratch\n"));
        assert_eq!(built.stderr, "");
    }
    for (variable, flags) in [("1", &[][..]), ("", &[]), ("0", &["--progress=plain"])] {
        let built = run(variable, flags).success();
        assert!(built.stdout.is_empty() && built.stderr.starts_with("#1 [internal]"), "{}", built.stderr);
    }
    let quiet = run("0", &["-q"]).success();
    assert!(quiet.stdout.starts_with("sha256:") && quiet.stdout.lines().count() == 1 && quiet.stderr.is_empty());
    assert_eq!(
        run("no", &[]).exits(1).stderr,
        "error: `no` is not a value of DOCKER_BUILDKIT\n\
         hint: use `DOCKER_BUILDKIT=0` for the classic way of showing, or unset it\n"
    );
}

#[test]
fn n001_explain_tells_hits_and_misses_in_classic_words_too() {
    let project = apache();
    project.build(&["--progress=classic"]).run().success();
    project.file("index.html", "other\n");
    let built = project.build(&["--progress=classic", "--explain"]).run().success();
    assert!(
        built.stdout.contains("ADD index.html /var/www/html/\n ---> Not cached: a file changed: index.html\n"),
        "{}",
        built.stdout
    );
    assert!(built.stdout.contains("LABEL \"purpose\"=\"practice\"\n ---> Using cache\n"), "{}", built.stdout);
}

#[test]
#[ignore = "requires root"]
fn s124_s126_s127_run_shows_its_output_requires_root() {
    let project = Project::with("FROM busybox\nRUN echo one; echo; echo two\nCMD [\"sh\"]\n");
    let built = project.build(&["--progress=classic", "-t", "app"]).run().success();
    insta::assert_snapshot!(Normaliser::default().apply(&built.stdout), @r#"
    Sending build context to Docker daemon  2.048kB
    Step 1/3 : FROM busybox
     ---> <id-1>
    Step 2/3 : RUN echo one; echo; echo two
     ---> Running in <id-2>
    one

    two
    Removing intermediate container <id-2>
     ---> <id-3>
    Step 3/3 : CMD ["sh"]
     ---> Running in <id-4>
    Removing intermediate container <id-4>
     ---> <id-5>
    Successfully built <id-5>
    Successfully tagged app:latest
    "#);
    let again = project.build(&["--progress=classic", "-t", "app"]).run().success();
    assert!(again.stdout.contains("RUN echo one; echo; echo two\n ---> Using cache\n"), "{}", again.stdout);
}

/// S306: the image of every step runs, also that of the last one before a failure; D114: with the command's own code.
#[test]
#[ignore = "requires root"]
fn s306_d114_the_images_of_steps_run_requires_root() {
    let project =
        Project::with("FROM busybox\nENV A=early\nRUN echo made > /made\nENV A=late\nRUN exit 7\nCMD [\"sh\"]\n");
    let failed = project.build(&["--progress=classic"]).run().exits(7);
    let ids = images(&failed.stdout);
    assert_eq!(ids.len(), 4);
    assert!(failed.stdout.contains("Step 5/6 : RUN exit 7\n ---> Running in "));
    let run = |id: &str, command: &str| project.onggi(["run", "--rm", id, "sh", "-c", command]).run().success().stdout;
    assert_eq!(run(&ids[1], "echo $A; ls /made 2>&1; true"), "early\nls: /made: No such file or directory\n");
    assert_eq!(run(&ids[2], "echo $A; cat /made"), "early\nmade\n");
    assert_eq!(run(&ids[3], "echo $A; cat /made"), "late\nmade\n");
}
