//! `system df` and the prunes beside Debian's docker: what is asked, the rows, and what goes in which order.

use std::process::{Command, Stdio};

use testkit::Dockerd;

use crate::project::Project;

#[track_caller]
fn ask(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A last line with a size; sizes on the disk are each tool's own.
fn without_sizes(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split("space: ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
#[ignore = "requires root, docker"]
fn s270_s274_s287_c080_c310_c311_docker_requires_root() {
    let project = Project::with("FROM busybox\nCOPY own /own\n");
    let archive = project.sandbox.path().join("saved.tar");
    for content in ["one", "two"] {
        project.file("own", content);
        project.build(&["-t", "localhost/app:v1"]).run().success();
        project.ask(&["save", "-o", archive.with_extension(content).to_str().unwrap(), "localhost/app:v1"]);
    }
    project.ask(&["rmi", "busybox"]);
    project.onggi(["builder", "prune", "-af"]).run().success();
    let daemon = Dockerd::start(&project.sandbox.path().join("docker")).unwrap().unwrap();
    for content in ["one", "two"] {
        ask(daemon.docker().arg("load").arg("-qi").arg(archive.with_extension(content)));
    }
    let run = ["run", "--network", "none", "--name", "box", "-v", "data:/data", "localhost/app:v1", "true"];
    ask(daemon.docker().args(run));
    project.ask(&run);
    let both = |words: &[&str]| (project.ask(words), ask(daemon.docker().args(words)));

    let (ours, theirs) = both(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}"]);
    assert_eq!(ours, theirs);
    let header = |text: &str| text.lines().next().unwrap().to_owned();
    let (ours, theirs) = both(&["system", "df"]);
    assert_eq!(header(&ours), header(&theirs));
    let (ours, theirs) = both(&["system", "df", "-v"]);
    let titles = |text: &str| {
        let lines = text.lines().filter(|line| line.ends_with(':') || line.starts_with("Build cache usage"));
        lines.map(|line| line.split_once(':').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&ours), titles(&theirs));
    let columns = |text: &str, first: &str| {
        let line = text.lines().find(|line| line.starts_with(first)).unwrap();
        line.split("  ").filter(|word| !word.is_empty()).map(|word| word.trim().to_owned()).collect::<Vec<_>>()
    };
    for first in ["REPOSITORY", "CONTAINER ID", "VOLUME NAME", "CACHE ID"] {
        // What would be freed is said behind what docker says.
        let mut ours = columns(&ours, first);
        ours.retain(|title| title != "FREED IF REMOVED");
        assert_eq!(ours, columns(&theirs, first));
    }

    for words in [&["image", "prune"][..], &["image", "prune", "-a"], &["container", "prune"], &["network", "prune"]] {
        // Who cannot answer has not agreed.
        let ours = project.onggi(words).stdin("n\n").run().success().stdout;
        let asked = daemon.docker().args(words).stdin(Stdio::null()).output().unwrap().stdout;
        let theirs = String::from_utf8(asked).unwrap();
        let question = theirs.split_inclusive("[y/N] ").next().unwrap();
        assert_eq!(ours, question, "{words:?}");
    }
    let (ours, theirs) = both(&["image", "prune", "-f"]);
    assert_eq!(without_sizes(&ours), without_sizes(&theirs));
    assert_eq!(ours.lines().count(), 5, "{ours}");
    let (ours, theirs) = both(&["image", "prune", "-af"]);
    assert_eq!((&*ours, &*theirs), ("Total reclaimed space: 0B\n", "Total reclaimed space: 0B\n"));
    ask(daemon.docker().args(["rm", "box"]));
    project.ask(&["rm", "box"]);
    let (ours, theirs) = both(&["image", "prune", "-af"]);
    let (mut ours, mut theirs) = (without_sizes(&ours), without_sizes(&theirs));
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
}
