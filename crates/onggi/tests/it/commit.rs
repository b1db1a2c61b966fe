//! What a container has written: `commit`, `diff`, `export`; and what `history` and `rmi` say of committed images
//! (S240 to S246, S212, S218, S233, S280 to S284, C228, C229, C231).

use crate::build_project::Project;

/// Commits with Docker's words; the ID.
#[track_caller]
fn commit(project: &Project, words: &[&str]) -> String {
    let id = project.ask(&[&["commit"], words].concat());
    assert!(id.starts_with("sha256:") && id.len() == 72, "{id}");
    id.trim_end().to_owned()
}

#[test]
#[ignore = "requires root"]
fn s240_s241_s242_s233_s245_a_container_becomes_an_image_requires_root() {
    let project = Project::new();
    project.ask(&["run", "--name", "my-ubuntu", "-e", "A=1", "-w", "/srv", "busybox", "sh", "-c", "echo hi > my-file"]);
    let id = commit(&project, &["-a", "woosik", "-m", "Add my_file", "my-ubuntu", "my-ubuntu:v1"]);
    assert_eq!(project.ask(&["images", "--no-trunc", "-q", "my-ubuntu:v1"]).trim_end(), id);
    let (base, image) = (project.image("busybox"), project.image("my-ubuntu:v1"));
    assert_eq!(image.diff_ids.len(), base.diff_ids.len() + 1, "exactly one layer more");
    assert_eq!(image.diff_ids[..base.diff_ids.len()], base.diff_ids);
    let field =
        |template: &str| project.ask(&["image", "inspect", "-f", template, "my-ubuntu:v1"]).trim_end().to_owned();
    assert_eq!((field("{{.Author}}"), field("{{.Comment}}")), ("woosik".to_owned(), "Add my_file".to_owned()));
    assert_eq!(field("{{.Parent}}"), project.ask(&["images", "--no-trunc", "-q", "busybox"]).trim_end());
    assert_eq!(field("{{json .Config.Cmd}}"), r#"["sh","-c","echo hi > my-file"]"#);
    assert_eq!(field("{{.Config.WorkingDir}} {{index .Config.Env 0}}"), "/srv A=1");
    assert!(!field("{{json .Config.Env}}").contains("HOSTNAME"), "what only the container had stays there");
    // Its own file is there, with the container's folder and variables.
    assert_eq!(project.ask(&["run", "--rm", "my-ubuntu:v1", "sh", "-c", "cat my-file; echo $A"]), "hi\n1\n");
    // Without a name it is a row of <none>.
    let nameless = commit(&project, &["my-ubuntu"]);
    let rows = project.ask(&["images", "--no-trunc", "--format", "{{.Repository}} {{.Tag}} {{.ID}}"]);
    assert!(rows.contains(&format!("<none> <none> {nameless}\n")), "{rows}");
}

/// The chain of the fourth note: what `history` shows of it, and what `rmi` says when it is taken down.
#[test]
#[ignore = "requires root"]
fn s212_s218_s244_s246_s280_s281_s282_s283_a_commit_of_a_commit_requires_root() {
    let project = Project::new();
    project.ask(&["run", "--name", "one", "busybox", "sh", "-c", "echo apache > /apache"]);
    let apache = commit(&project, &["-a", "voyagerwoo", "-m", "install apache2", "one", "ubuntu_apache"]);
    // The same name as the container's is fine.
    project.ask(&["run", "--name", "iscreamedu_apache", "ubuntu_apache", "sh", "-c", "echo page > /page"]);
    let page = commit(&project, &["-m", "add page", "iscreamedu_apache", "iscreamedu_apache"]);
    let busybox = project.ask(&["images", "--no-trunc", "-q", "busybox"]);
    let rows =
        project.ask(&["history", "--no-trunc", "--format", "{{.ID}}|{{.CreatedBy}}|{{.Comment}}", "iscreamedu_apache"]);
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows[0], format!("{page}|sh -c echo page > /page|add page"));
    assert_eq!(rows[1], format!("{apache}|sh -c echo apache > /apache|install apache2"));
    assert_eq!(rows[2].split('|').next(), Some(busybox.trim_end()), "the base's ID stays visible");
    assert_eq!(project.ask(&["history", "--format", "{{.Size}}", "ubuntu_apache"]).lines().next(), Some("7B"));

    project.ask(&["rm", "one", "iscreamedu_apache"]);
    let chains = |name: &str| project.image(name).chain_ids;
    let (apache_chains, page_chains) = (chains("ubuntu_apache"), chains("iscreamedu_apache"));
    assert_eq!(project.ask(&["rmi", "busybox"]), "Untagged: busybox:latest\n");
    assert_eq!(
        project.ask(&["rmi", "iscreamedu_apache"]),
        format!(
            "Untagged: iscreamedu_apache:latest\nDeleted: {page}\nDeleted: {}\n",
            page_chains[page_chains.len() - 1]
        )
    );
    // What nothing needs any more goes with it: the parent without a name, then its layers, the topmost first.
    let mut expected = format!("Untagged: ubuntu_apache:latest\nDeleted: {apache}\n");
    expected += &format!("Deleted: {}\n", apache_chains[apache_chains.len() - 1]);
    expected += &format!("Deleted: {}", busybox);
    for chain in apache_chains[..apache_chains.len() - 1].iter().rev() {
        expected += &format!("Deleted: {chain}\n");
    }
    assert_eq!(project.ask(&["rmi", "ubuntu_apache"]), expected);
    assert_eq!(project.ask(&["images", "-aq"]), "");
}

#[test]
#[ignore = "requires root"]
fn c229_changes_alter_the_config_requires_root() {
    let project = Project::new();
    project.ask(&["run", "--name", "box", "-e", "A=1", "-u", "7", "busybox", "true"]);
    let changes = [
        "CMD [\"a\", \"b\"]",
        "ENTRYPOINT /bin/x y",
        "ENV B=$A C=3",
        "EXPOSE 80 53/udp",
        "LABEL who=\"me too\"",
        "ONBUILD RUN true",
        "USER 9:10",
        "VOLUME /data",
        "WORKDIR /srv",
        "WORKDIR app",
        "HEALTHCHECK --interval=5s CMD true",
        "STOPSIGNAL SIGINT",
    ];
    let flags = changes.iter().flat_map(|change| ["-c", change]);
    let words: Vec<&str> = flags.chain(["box", "box"]).collect();
    commit(&project, &words);
    let field = |template: &str| project.ask(&["image", "inspect", "-f", template, "box"]).trim_end().to_owned();
    for (template, expected) in [
        ("{{json .Config.Cmd}}", r#"["a","b"]"#),
        ("{{json .Config.Entrypoint}}", r#"["/bin/sh","-c","/bin/x y"]"#),
        ("{{json .Config.ExposedPorts}}", r#"{"53/udp":{},"80/tcp":{}}"#),
        ("{{index .Config.Labels \"who\"}}", "me too"),
        ("{{json .Config.OnBuild}}", r#"["RUN true"]"#),
        ("{{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}}", "9:10 /srv/app SIGINT"),
        ("{{json .Config.Volumes}}", r#"{"/data":{}}"#),
        ("{{json .Config.Healthcheck.Test}}", r#"["CMD-SHELL","true"]"#),
    ] {
        assert_eq!(field(template), expected, "{template}");
    }
    let env = field("{{json .Config.Env}}");
    assert!(env.contains(r#""B=1","C=3""#), "{env}");
    let wrong = project.onggi(["commit", "-c", "RUN true", "box", "other"]).run().exits(1);
    assert!(wrong.stderr.contains("RUN does more than alter the config"), "{}", wrong.stderr);
    assert_eq!(project.ask(&["images", "-q", "other"]), "", "nothing is listed");
}

/// Mode, owner, links, devices, removed files and replaced folders are as the container has them, in `commit` and in
/// `export`.
#[test]
#[ignore = "requires root"]
fn s245_c231_everything_written_is_in_the_image_and_the_export_requires_root() {
    let project = Project::with("FROM busybox\nRUN mkdir /old && touch /old/a /old/b /gone && mkdir /dir\n");
    project.build_app();
    let script = "rm -rf /old && mkdir /old && echo n > /old/b; rm /gone; ln -s b /old/link; ln /old/b /hard; \
                  chmod 6711 /hard; chown 5:6 /dir; mkfifo -m 640 /pipe; mknod /null c 1 3; : > /empty";
    project.ask(&["run", "--name", "box", "app", "sh", "-c", script]);
    commit(&project, &["box", "box"]);
    let tree = project.image("box").tree;
    let node = |path: &str| (tree[path].mode, tree[path].uid, tree[path].gid);
    assert_eq!((node("dir"), node("hard"), node("pipe")), ((0o755, 5, 6), (0o6711, 0, 0), (0o640, 0, 0)));
    let names: Vec<&str> = tree.keys().map(String::as_str).filter(|path| path.starts_with("old")).collect();
    assert_eq!(names, ["old", "old/b", "old/link"]);
    assert!(!tree.contains_key("gone") && tree.contains_key("null") && tree.contains_key("empty"));

    let file = project.sandbox.path().join("box.tar");
    let file = file.to_str().unwrap();
    assert_eq!(project.ask(&["container", "export", "-o", file, "box"]), "");
    project.ask(&["import", file, "again"]);
    assert_eq!(project.image("again").tree, tree);
    assert_eq!(project.ask(&["run", "--rm", "again", "/bin/busybox", "cat", "/old/link"]), "n\n");
    let piped = format!(
        "{} --root {} export box | cmp - {file}",
        testkit::binary().display(),
        project.sandbox.root().display()
    );
    assert_eq!(project.sandbox.command("sh").arguments(["-c", &piped]).run().success().stdout, "");
    let missing = project.onggi(["export", "nope"]).run().exits(1);
    assert!(missing.stderr.contains("no such container: nope"), "{}", missing.stderr);
}

/// What only Docker's own format has survives.
#[test]
#[ignore = "requires root"]
fn n043_healthcheck_onbuild_and_shell_survive_a_commit_requires_root() {
    let project = Project::with(
        "FROM busybox\nSHELL [\"/bin/sh\", \"-ec\"]\nONBUILD RUN true\nHEALTHCHECK --start-interval=2s CMD true\n",
    );
    project.build_app();
    project.ask(&["run", "--name", "box", "app", "true"]);
    commit(&project, &["box", "box"]);
    let (before, after) = (project.config("app"), project.config("box"));
    for field in ["Shell", "OnBuild", "Healthcheck"] {
        assert!(!before[field].is_null() && before[field] == after[field], "{field}: {after}");
    }
}

#[test]
#[ignore = "requires root"]
fn c231_diff_names_what_was_added_changed_and_removed_requires_root() {
    let project = Project::with("FROM busybox\nRUN mkdir -p /old/sub /kept && touch /old/a /old/b /gone /kept/x\n");
    project.build_app();
    project.ask(&["run", "--name", "new", "app", "true"]);
    assert_eq!(project.ask(&["diff", "new"]), "");
    let script = "rm -rf /old && mkdir /old && echo n > /old/b; rm /gone; echo 1 >> /kept/x; mkdir /a-b /a; touch /a/f";
    project.ask(&["run", "--name", "box", "app", "sh", "-c", script]);
    let expected = "A /a\nA /a-b\nA /a/f\nD /gone\nC /kept\nC /kept/x\nC /old\nD /old/a\nC /old/b\nD /old/sub\n";
    assert_eq!(project.ask(&["diff", "box"]), expected);
    assert_eq!(project.ask(&["container", "diff", "box"]), expected);
    let missing = project.onggi(["diff", "nope"]).run().exits(1);
    assert!(missing.stderr.contains("no such container: nope"), "{}", missing.stderr);
}

#[test]
#[ignore = "requires root"]
fn c228_bad_input_is_told_and_nothing_is_made_requires_root() {
    let project = Project::new();
    project.ask(&["run", "--name", "box", "busybox", "true"]);
    let before = project.ask(&["images", "-aq"]);
    for (words, expected) in [
        (&["commit", "nope"][..], "no such container: nope"),
        (&["commit", "box", "UPPER"], "UPPER"),
        (&["commit", "box", "x@sha256:0000000000000000000000000000000000000000000000000000000000000000"], "digest"),
        (&["commit", "-c", "NOPE x", "box"], "NOPE"),
        (&["commit", "-c", "STOPSIGNAL nope", "box"], "unknown signal `nope`"),
    ] {
        let output = project.onggi(words).run().exits(1);
        assert!(output.stderr.contains(expected), "{words:?}: {}", output.stderr);
    }
    assert_eq!(project.ask(&["images", "-aq"]), before);
}

/// A running container is paused while it is read, and goes on afterwards; what is mounted in it stays out.
#[test]
#[ignore = "requires root"]
fn s243_a_running_container_is_read_at_one_moment_requires_root() {
    let project = Project::new();
    // Both files are written again and again, one after the other: at no moment is the second ahead of the first.
    let script = "i=0; while :; do i=$((i + 1)); echo $i > /first; echo $i > /second; [ $i = 100 ] && echo ready; done";
    let bind = format!("{}:/mounted", project.sandbox.work().display());
    project.start(&["--name", "box", "-v", &bind, "busybox", "sh", "-c", script]);
    project.wait_for_log("box", "ready");
    for round in 0..5 {
        let name = format!("box:{round}");
        commit(&project, &["box", &name]);
        assert_eq!(project.container("box", "{{.State.Status}}"), "running", "it goes on");
        let number = |file: &str| {
            project.ask(&["run", "--rm", &name, "cat", file]).trim_end().parse::<u64>().unwrap_or_default()
        };
        let (first, second) = (number("/first"), number("/second"));
        assert!(first == 0 || second == 0 || first == second || first == second + 1, "{first} {second}");
        assert_eq!(project.names(&name, "mounted"), [""; 0], "only the place is there");
    }
    project.start(&["--name", "quiet", "busybox", "sh", "-c", "echo x > /x; sleep 1000"]);
    commit(&project, &["--pause=false", "quiet", "quiet"]);
    commit(&project, &["-p=true", "quiet", "quiet"]);
    project.ask(&["rm", "-f", "box", "quiet"]);
}
