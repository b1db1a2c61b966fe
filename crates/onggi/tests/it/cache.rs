//! What is run again and what is not (S180 to S186).

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use crate::build_project::{Project, outcomes, steps};

const NODE_APP: &str = "FROM busybox
WORKDIR /app
COPY package.json .
COPY app.js .
WORKDIR /app/run
COPY later .
CMD [\"cat\", \"/app/app.js\"]
";

fn node_app() -> Project {
    let project = Project::with(NODE_APP);
    project.file("package.json", "{}").file("app.js", "1").file("later", "1");
    project
}

const CACHED: &str = "CACHED";
const DONE: &str = "DONE";

#[test]
fn s180_s183_a_changed_file_reruns_its_copy_and_what_follows() {
    let project = node_app();
    assert_eq!(outcomes(&project.build_app()), [CACHED, DONE, DONE, DONE, DONE, DONE]);
    project.file("app.js", "2");
    let built = project.build_app();
    assert_eq!(outcomes(&built), [CACHED, CACHED, CACHED, DONE, DONE, DONE], "{}", built.stderr);
    project.file("package.json", "{\"changed\": true}");
    assert_eq!(outcomes(&project.build_app()), [CACHED, CACHED, DONE, DONE, DONE, DONE]);
    // Back again: results of earlier builds are still there.
    project.file("package.json", "{}");
    assert_eq!(outcomes(&project.build_app()), [CACHED; 6]);
}

#[test]
fn s181_nothing_changed_runs_nothing_and_gives_the_same_image() {
    let project = node_app();
    project.build_app();
    let first = project.inspect("app");
    assert_eq!(outcomes(&project.build_app()), [CACHED; 6]);
    assert_eq!(project.inspect("app"), first);
}

#[test]
fn s182_a_changed_cmd_keeps_every_step() {
    let project = node_app();
    project.build_app();
    let layers = project.inspect("app")["RootFS"].clone();
    project.dockerfile(&NODE_APP.replace("cat", "tail"));
    assert_eq!(outcomes(&project.build_app()), [CACHED; 6]);
    assert_eq!(project.inspect("app")["RootFS"], layers);
    assert_eq!(project.config("app")["Cmd"][0], "tail");
}

#[test]
fn s183_a_step_that_is_changed_added_or_moved_reruns_what_follows() {
    let project = node_app();
    project.build_app();
    for (old, new, expected) in [
        ("COPY app.js .", "COPY app.js ./", vec![CACHED; 6]),
        ("COPY app.js .", "COPY app.js other.js", vec![CACHED, CACHED, CACHED, DONE, DONE, DONE]),
        ("COPY app.js .", "COPY app.js .\nCOPY later here", vec![CACHED, CACHED, CACHED, CACHED, DONE, DONE, DONE]),
        (
            "WORKDIR /app\nCOPY package.json .",
            "COPY package.json .\nWORKDIR /app",
            vec![CACHED, DONE, DONE, DONE, DONE, DONE],
        ),
        // Metadata in between changes no file.
        ("COPY app.js .", "LABEL a=b\nENV C=d\nCOPY app.js .", vec![CACHED; 6]),
    ] {
        project.dockerfile(&NODE_APP.replace(old, new));
        let built = project.build_app();
        assert_eq!(outcomes(&built), expected, "{new}\n{}", built.stderr);
    }
}

#[test]
fn s184_content_and_mode_count_but_no_times() {
    let project = node_app();
    project.build_app();
    let path = project.sandbox.work().join("app.js");
    let file = File::options().write(true).open(&path).unwrap();
    file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))).unwrap();
    assert_eq!(outcomes(&project.build_app()), [CACHED; 6], "touched");
    // The same content in a new file.
    fs::remove_file(&path).unwrap();
    project.file("app.js", "1");
    assert_eq!(outcomes(&project.build_app()), [CACHED; 6], "written again");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(outcomes(&project.build_app()), [CACHED, CACHED, CACHED, DONE, DONE, DONE], "mode changed");
    // Same length, same time: only the content differs. The time of the change gives it away.
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "2").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    assert_eq!(outcomes(&project.build_app()), [CACHED, CACHED, CACHED, DONE, DONE, DONE], "content changed in secret");
    // A file that is not copied does not matter.
    project.file("unrelated", "x");
    assert_eq!(outcomes(&project.build_app()), [CACHED; 6]);
}

#[test]
fn s184_a_whole_folder_is_one_key() {
    let project = Project::with("FROM busybox\nCOPY src /src\n");
    project.file("src/a", "1").file("src/deep/b", "1");
    project.build_app();
    for (change, expected) in [("src/deep/new", DONE), ("src/deep/b", DONE), ("beside", CACHED)] {
        project.file(change, change);
        assert_eq!(outcomes(&project.build_app()), [CACHED, expected], "{change}");
    }
    fs::remove_file(project.sandbox.work().join("src/a")).unwrap();
    assert_eq!(outcomes(&project.build_app()), [CACHED, DONE]);
    fs::rename(project.sandbox.work().join("src/deep"), project.sandbox.work().join("src/deeper")).unwrap();
    assert_eq!(outcomes(&project.build_app()), [CACHED, DONE]);
    assert_eq!(project.names("app", "src"), ["deeper/", "deeper/b", "deeper/new"]);
}

#[test]
fn another_context_with_the_same_files_is_cached() {
    let project = node_app();
    project.build_app();
    for name in ["Dockerfile", "package.json", "app.js", "later"] {
        let content = fs::read(project.sandbox.work().join(name)).unwrap();
        project.file(&format!("copy/{name}"), content);
    }
    let built = project.onggi(["build", "-t", "other", "copy"]).run().success();
    assert_eq!(outcomes(&built), [CACHED; 6]);
    assert_eq!(project.inspect("other")["Id"], project.inspect("app")["Id"]);
}

#[test]
fn b005_no_cache_runs_every_step_again() {
    let project = node_app();
    project.build_app();
    let again = project.build(&["--no-cache", "-t", "app"]).run().success();
    assert_eq!(outcomes(&again), [CACHED, DONE, DONE, DONE, DONE, DONE], "the base is not a step");
    assert_eq!(outcomes(&project.build_app()), [CACHED; 6], "and its results are kept");
}

#[test]
fn a_removed_image_does_not_break_the_next_build() {
    let project = node_app();
    project.build_app();
    project.ask(&["rmi", "app"]);
    project.sandbox.check();
    project.build_app();
    project.sandbox.check();
    assert_eq!(project.names("app", "app"), ["app.js", "package.json", "run/", "run/later"]);
}

#[test]
#[ignore = "requires root"]
fn s181_s185_a_run_is_known_by_its_parent_command_and_variables_requires_root() {
    let project =
        Project::with("FROM busybox\nARG A=1\nENV E=1\nRUN cat /proc/uptime > /when\nRUN cat /when > /copy\n");
    let project = &project;
    let build = |flags: &[&str]| outcomes(&project.build(&[flags, &["-t", "app"]].concat()).run().success());
    assert_eq!(build(&[]), [CACHED, DONE, DONE]);
    let image = project.inspect("app")["Id"].clone();
    assert_eq!(build(&[]), [CACHED; 3]);
    assert_eq!(project.inspect("app")["Id"], image, "time does not matter");
    assert_eq!(build(&["--build-arg", "A=2"]), [CACHED, DONE, DONE]);
    assert_eq!(build(&["--build-arg", "A=1"]), [CACHED; 3]);
    // Proxies reach RUN but do not belong to what it is.
    assert_eq!(build(&["--build-arg", "HTTP_PROXY=http://proxy"]), [CACHED; 3]);
    let text = fs::read_to_string(project.sandbox.work().join("Dockerfile")).unwrap();
    project.dockerfile(&text.replace("E=1", "E=2"));
    assert_eq!(build(&[]), [CACHED, DONE, DONE]);
    project.dockerfile(&text.replace("RUN cat /when", "RUN  cat /when"));
    assert_eq!(build(&[]), [CACHED; 3], "blanks before the command are not part of it");
    project.dockerfile(&text.replace("/copy", "/copy2"));
    assert_eq!(build(&[]), [CACHED, CACHED, DONE]);
}

#[test]
#[ignore = "requires root"]
fn s180_a_step_that_gives_the_same_files_again_keeps_what_follows_requires_root() {
    let project = Project::with(
        "FROM busybox\nCOPY config .\nRUN grep -v '#' /config > /clean && touch -d @0 /clean && rm /config\nCOPY app .\n",
    );
    project.file("config", "a=1\n").file("app", "1");
    project.build_app();
    project.file("config", "a=1\n# a comment\n");
    let built = project.build_app();
    // The parent is known by its content (D7), and the layers with the two configs are different ones.
    assert_eq!(outcomes(&built)[..3], [CACHED, DONE, DONE], "{}", built.stderr);
    project.dockerfile("FROM busybox\nRUN true\nCOPY app /\n").build_app();
    project.dockerfile("FROM busybox\nRUN true && true\nCOPY app /\n");
    assert_eq!(outcomes(&project.build_app()), [CACHED, DONE, CACHED], "both RUNs changed nothing");
}

#[test]
fn s186_a_cached_layer_is_the_stored_one() {
    let project = node_app();
    project.build_app();
    let layers = || -> Vec<String> {
        let entries = fs::read_dir(project.sandbox.root().join("layers")).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = layers();
    project.dockerfile(&NODE_APP.replace("CMD", "LABEL other=image\nCMD"));
    project.build(&["-t", "other"]).run().success();
    assert_ne!(project.inspect("app")["Id"], project.inspect("other")["Id"]);
    assert_eq!(layers(), before, "a second image of the same files is one small config");
}

#[test]
fn two_builds_at_once_make_the_step_once_and_the_same_image() {
    let project = node_app();
    let children: Vec<_> = (0..4).map(|n| project.build(&["-q", "-t", &format!("app{n}")]).spawn()).collect();
    let ids: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    let layers = |id: &str| project.inspect(id.trim())["RootFS"]["Layers"].clone();
    for id in &ids[1..] {
        assert_eq!(layers(id), layers(&ids[0]));
    }
    assert_eq!(steps(&project.build_app().stderr).len(), 6);
}
