//! Here-documents of RUN: who reads them, and what is left of them (D120, D121, D123 to D125).

use testkit::checker::CheckedImage;

use crate::build_project::{Project, file_digest, outcomes, runtimes, steps};

/// These files, and nothing else, have come to `busybox` by the only RUN.
#[track_caller]
fn made(project: &Project, dockerfile: &str, files: &[(&str, &str)]) -> CheckedImage {
    project.dockerfile(dockerfile).build_app();
    let image = project.image("app");
    let base = project.image("busybox").tree;
    let new: Vec<&String> = image.tree.keys().filter(|path| !base.contains_key(*path)).collect();
    let mut wanted: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    wanted.sort_unstable();
    assert_eq!(new, wanted, "nothing but what the step wrote");
    for (path, content) in files {
        assert_eq!(image.tree[*path].kind, file_digest(content), "{path}");
    }
    image
}

#[test]
#[ignore = "requires root"]
fn d120_the_stages_shell_reads_the_document_requires_root() {
    let project = Project::new();
    let file = "FROM busybox\nARG A=arg\nENV E=env\nRUN <<EOF\nset -e\nx='a b'\necho \"$x $A $E\" > /one\n\n\
                cat > /two <<INNER\nnested $x\nINNER\nEOF\n";
    made(&project, file, &[("one", "a b arg env\n"), ("two", "nested a b\n")]);
    assert_eq!(outcomes(&project.build_app()), ["CACHED", "CACHED"]);
}

#[test]
#[ignore = "requires root"]
fn d120_a_line_that_fails_is_the_shells_business_requires_root() {
    // Without `set -e` the last line decides, as with every script.
    let project = Project::new();
    made(&project, "FROM busybox\nRUN <<EOF\nfalse\necho > /on\nEOF\n", &[("on", "\n")]);
    let failed = project.dockerfile("FROM busybox\nRUN <<EOF\nset -e\nfalse\necho > /on\nEOF\n").build(&[]);
    let failed = failed.run().exits(1);
    assert!(failed.stderr.contains("status 1"), "{}", failed.stderr);
}

#[test]
#[ignore = "requires root"]
fn d120_the_first_line_chooses_the_interpreter_requires_root() {
    let project = Project::new();
    for (script, wanted) in [
        ("#!/usr/bin/awk -f\nBEGIN { print 6 * 7 > \"/out\" }\n", "42\n"),
        ("#!/nowhere/awk\n", ""),
        ("#!/bin/sh -u\necho \"$0 $#\" > /out\n", "/dev/pipes/EOF 0\n"),
    ] {
        let file =
            format!("FROM busybox\nRUN ln -s /bin/awk /usr/bin/awk\nRUN <<EOF\n{script}EOF\nRUN rm /usr/bin/awk\n");
        let built = project.dockerfile(&file).build(&["-t", "app"]).run();
        if wanted.is_empty() {
            assert_eq!(built.code, 1, "{script}: {}", built.stderr);
            continue;
        }
        built.success();
        let image = project.image("app");
        assert_eq!(image.tree["out"].kind, file_digest(wanted), "{script}");
        assert!(!image.tree.keys().any(|path| path.contains("pipes")), "the script is in the layer");
    }
}

#[test]
#[ignore = "requires root"]
fn d120_the_interpreter_is_used_with_another_shell_too_requires_root() {
    let project = Project::new();
    // The shell of the stage starts the script, and says so.
    let file = "FROM busybox\nSHELL [\"/bin/sh\", \"-c\", \"echo wrapped > /shell; exec \\\"$0\\\" \\\"$@\\\"\"]\n\
                RUN <<EOF\n#!/bin/sed -nf\nEOF\n";
    made(&project, file, &[("shell", "wrapped\n")]);
    let file = "FROM busybox\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN <<EOF\n#!/bin/sh\nfalse\necho went on > /out\nEOF\n";
    made(&project, file, &[("out", "went on\n")]);
    let file = "FROM busybox\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN <<EOF sh || echo stopped > /out\nfalse\nEOF\n";
    made(&project, file, &[("out", "stopped\n")]);
}

#[test]
#[ignore = "requires root"]
fn d120_a_script_is_run_as_the_user_of_the_stage_requires_root() {
    let project = Project::new();
    let file = "FROM busybox\nRUN chmod 777 /var\nUSER node\nWORKDIR /var\nRUN <<EOF\n#!/bin/sh\nid -u > me; pwd > here\nEOF\n";
    made(&project, file, &[("var/me", "1000\n"), ("var/here", "/var\n")]);
}

#[test]
#[ignore = "requires root"]
fn d120_the_named_program_reads_the_document_requires_root() {
    let project = Project::new();
    let file = "FROM busybox\nRUN <<EOF sh -e\necho one > /one\nEOF\n";
    made(&project, file, &[("one", "one\n")]);
    let file = "FROM busybox\nRUN bc <<EOF > /sum\n2 + 3\nEOF\n";
    made(&project, file, &[("sum", "5\n")]);
    let file =
        "FROM busybox\nRUN <<EOF awk -f /dev/stdin && echo after > /after\nBEGIN { print \"awk\" > \"/awk\" }\nEOF\n";
    made(&project, file, &[("awk", "awk\n"), ("after", "after\n")]);
    // What looks like a script is text for the program.
    made(&project, "FROM busybox\nRUN <<EOF cat > /f\n#!/bin/false\nEOF\n", &[("f", "#!/bin/false\n")]);
}

#[test]
#[ignore = "requires root"]
fn d121_several_documents_in_a_line_requires_root() {
    let project = Project::new();
    let file = "FROM busybox\nRUN <<A cat > /f1 && <<B cat > /f2\nfirst\nA\nsecond\nB\n";
    made(&project, file, &[("f1", "first\n"), ("f2", "second\n")]);
    // Of two for one program the last one is read, by another descriptor the other as well.
    let file = "FROM busybox\nRUN <<A <<B cat > /f\nfirst\nA\nsecond\nB\n";
    made(&project, file, &[("f", "second\n")]);
    let file = "FROM busybox\nRUN 3<<A <<B cat /dev/fd/3 - > /f\nfirst\nA\nsecond\nB\n";
    made(&project, file, &[("f", "first\nsecond\n")]);
    let file = "FROM busybox\nRUN <<A cat > /f1 && \\\n  echo mid > /f2 && <<B cat > /f3\nfirst\nA\nthird\nB\n";
    made(&project, file, &[("f1", "first\n"), ("f2", "mid\n"), ("f3", "third\n")]);
}

#[test]
#[ignore = "requires root"]
fn d123_tabs_at_the_beginning_go_requires_root() {
    let project = Project::new();
    let file = "FROM busybox\nRUN <<-EOF cat > /f\n\t\ttabs\n\t  spaces stay\n  \tinner\tstays\n\tEOF\n";
    made(&project, file, &[("f", "tabs\n  spaces stay\n  \tinner\tstays\n")]);
    let file = "FROM busybox\nRUN <<-EOF\n\tif true; then\n\t\techo yes > /f\n\tfi\n\tEOF\n";
    made(&project, file, &[("f", "yes\n")]);
    let file = "FROM busybox\nRUN <<-EOF\n\t#!/bin/sh\n\techo \"$0\" > /f\n\tEOF\n";
    made(&project, file, &[("f", "/dev/pipes/EOF\n")]);
}

#[test]
#[ignore = "requires root"]
fn d124_the_shell_expands_unless_the_marker_is_quoted_requires_root() {
    let project = Project::new();
    let text = "$A ${B:-default} $(echo run) \\$A\n";
    for (marker, wanted) in
        [("<<EOF", "arg default run $A\n"), ("<<\"EOF\"", text), ("<<'EOF'", text), ("<<-'EOF'", text)]
    {
        let file = format!("FROM busybox\nARG A=arg\nRUN {marker} cat > /f\n{text}EOF\n");
        made(&project, &file, &[("f", wanted)]);
    }
    // The document that is the script itself is read by the shell line by line, quoted or not.
    for marker in ["<<EOF", "<<'EOF'"] {
        let file = format!("FROM busybox\nARG A=arg\nRUN {marker}\nB=own\necho \"$A $B\" > /f\nEOF\n");
        made(&project, &file, &[("f", "arg own\n")]);
    }
}

#[test]
#[ignore = "requires root"]
fn d125_the_document_is_in_the_key_in_the_history_and_in_the_name_requires_root() {
    let project = Project::new();
    let file = |body: &str| format!("FROM busybox\nRUN <<EOF\n{body}EOF\nRUN <<S\n#!/bin/sh\n{body}S\n");
    project.dockerfile(&file("echo 1 > /a\necho 2 > /b\n"));
    let built = project.build_app();
    assert_eq!(
        steps(&built.stderr).into_iter().map(|(name, _)| name).skip(1).collect::<Vec<_>>(),
        ["[2/3] RUN <<EOF (echo 1 > /a...)", "[3/3] RUN <<S (#!/bin/sh...)"]
    );
    // One row of a history is one line of output, so the rows are taken from the config.
    let image = project.image("app");
    let rows: Vec<&str> =
        image.config["history"].as_array().unwrap().iter().filter_map(|row| row["created_by"].as_str()).collect();
    assert_eq!(
        rows[rows.len() - 2..],
        [
            "RUN /bin/sh -c echo 1 > /a\necho 2 > /b\n # buildkit",
            // Of a script the history has what the shell was given, as with BuildKit.
            "RUN /bin/sh -c /dev/pipes/S # buildkit"
        ]
    );
    assert_eq!(outcomes(&project.build_app()), ["CACHED"; 3]);
    project.dockerfile(&file("echo 1 > /a\necho 3 > /b\n"));
    assert_eq!(outcomes(&project.build_app()), ["CACHED", "DONE", "DONE"]);
    // The last script alone.
    let other = file("echo 1 > /a\necho 3 > /b\n").replace("#!/bin/sh\necho 1", "#!/bin/sh -e\necho 1");
    project.dockerfile(&other);
    assert_eq!(outcomes(&project.build_app()), ["CACHED", "CACHED", "DONE"]);
}

#[test]
#[ignore = "requires root"]
fn d120_documents_of_onbuild_requires_root() {
    let project = Project::new();
    let parent = "FROM busybox\nONBUILD RUN <<EOF\necho shell > /one\nEOF\n\
                  ONBUILD RUN <<'X' cat > /two && <<-Y cat > /three\n$raw\nX\n\ttab\nY\n\
                  ONBUILD RUN <<S\n#!/bin/sh\necho \"$0\" > /four\nS\n";
    project.dockerfile(parent).build(&["-t", "parent"]).run().success();
    let files = [("one", "shell\n"), ("two", "$raw\n"), ("three", "tab\n"), ("four", "/dev/pipes/S\n")];
    made(&project, "FROM parent\n", &files);
}

#[test]
#[ignore = "requires root"]
fn d120_with_other_runtimes_requires_root() {
    for flags in runtimes("d120_with_other_runtimes") {
        let project = Project::with("FROM busybox\nRUN <<EOF\n#!/bin/sh\necho \"$0\" > /f\nEOF\n");
        project.build(&[&["-t", "app"], flags].concat()).run().success();
        let tree = project.image("app").tree;
        assert_eq!(tree["f"].kind, file_digest("/dev/pipes/EOF\n"));
        assert!(!tree.keys().any(|path| path.contains("pipes")));
    }
}
