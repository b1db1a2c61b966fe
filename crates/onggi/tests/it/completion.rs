//! Completion in shells, help for every command, and what is said of wrong words (C331).

use crate::build_project::Project;

/// The words that could come next.
fn next(project: &Project, words: &[&str]) -> Vec<String> {
    let text = project.ask(&[&["__complete"], words].concat());
    text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn c331_commands_flags_and_values_are_completed() {
    let project = Project::without_base();
    for (words, expected) in [
        (&["im"][..], &["images", "import", "image"][..]),
        (&["image", "h"], &["history"]),
        (&["--root", "/tmp", "hist"], &["history"]),
        (&["images", "--no"], &["--no-trunc"]),
        (&["image", "ls", "--dig"], &["--digests"]),
        (&["build", "--progress", "p"], &["plain"]),
        (&["build", "--progress=p"], &["--progress=plain"]),
        (&["inspect", "--type", "v"], &["volume"]),
        (&["completion", ""], &["bash", "zsh", "fish"]),
        (&["nothing", "x"], &[]),
        (&["save", "-o", ""], &[]),
    ] {
        let found = next(&project, words);
        let missing: Vec<_> = expected.iter().filter(|word| !found.iter().any(|found| found == *word)).collect();
        assert!(missing.is_empty(), "{words:?}: {found:?}");
        assert!(!expected.is_empty() || found.is_empty(), "{words:?}: {found:?}");
    }
    assert!(!next(&project, &[""]).iter().any(|word| word.starts_with("__")), "hidden commands stay hidden");
    let about = project.ask(&["__complete", "histor"]);
    assert_eq!(about, "history\tShow how an image was made\n");
    assert!(!project.sandbox.root().exists(), "to complete is not to make a store");
}

#[test]
#[ignore = "requires root"]
fn c331_names_of_images_and_containers_are_completed_requires_root() {
    let project = Project::new();
    project.ask(&["tag", "busybox", "here:5000/app:v1"]);
    project.ask(&["create", "--name", "web", "busybox"]);
    project.ask(&["volume", "create", "data"]);
    for (words, expected) in [
        (&["rmi", ""][..], &["busybox", "here:5000/app:v1"][..]),
        (&["rmi", "busybox", "here"], &["here:5000/app:v1"]),
        (&["history", "b"], &["busybox"]),
        (&["run", "--rm", "-it", "bus"], &["busybox"]),
        (&["logs", "w"], &["web"]),
        (&["container", "rm", "-f", ""], &["web"]),
        (&["inspect", "d"], &["data"]),
        (&["volume", "rm", ""], &["data"]),
        (&["network", "inspect", "bri"], &["bridge"]),
        (&["--root", "/nonexistent", "rmi", ""], &[]),
    ] {
        let mut found = next(&project, words);
        found.sort();
        assert_eq!(found, expected, "{words:?}");
    }
}

/// What bash makes of the script: also names with a colon, of which it completes the end alone.
#[test]
fn c331_bash_completes() {
    let project = Project::new();
    project.ask(&["tag", "busybox", "here:5000/app:v1"]);
    let binary = testkit::binary();
    project.sandbox.write("completion.bash", project.ask(&["completion", "bash"]));
    let folder = binary.parent().unwrap().display();
    for (line, expected) in [
        ("onggi histor", "history"),
        ("onggi image hi", "history"),
        ("onggi history busy", "busybox"),
        ("onggi rmi here:50", "5000/app:v1"),
        ("onggi build --progress=pl", "plain"),
        ("onggi save -o ", ""),
    ] {
        let script = format!(
            "PATH={folder}:$PATH; . ./completion.bash; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; _onggi; \
             complete -p onggi >&2; printf '%s ' \"${{COMPREPLY[@]}}\""
        );
        let done = project.sandbox.command("bash").arguments(["-c", &script]).run().success();
        assert_eq!(done.stdout.trim(), expected, "{line}");
        assert!(done.stderr.contains("complete -o default -F _onggi onggi"), "{}", done.stderr);
    }
    for (shell, sign) in [("zsh", "#compdef onggi"), ("fish", "complete -c onggi")] {
        let script = project.ask(&["completion", shell]);
        assert!(script.contains(sign) && script.contains("__complete"), "{script}");
        // A look at the grammar, where the shell is here.
        let path = project.sandbox.write(shell, script);
        if std::path::Path::new(&format!("/usr/bin/{shell}")).exists() {
            project.sandbox.command(shell).arguments(["-n", path.to_str().unwrap()]).run().success();
        }
    }
    let wrong = project.onggi(["completion", "tcsh"]).run().exits(1);
    assert!(wrong.stderr.contains("did you mean `zsh`?"), "{}", wrong.stderr);
}

/// Every command that help lists has help of its own, with a line of usage and its flags.
#[test]
fn c331_every_command_has_help() {
    fn check(project: &Project, path: &[&str]) -> usize {
        let shown = project.ask(&[path, &["--help"]].concat());
        assert!(shown.contains("Usage: onggi"), "{path:?}: {shown}");
        let Some((_, list)) = shown.split_once("Commands:\n") else { return 1 };
        let names =
            list.lines().take_while(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next());
        names.filter(|name| *name != "help").map(|name| check(project, &[path, &[name]].concat())).sum()
    }
    let project = Project::without_base();
    let commands = check(&project, &[]);
    assert!(commands > 70, "{commands} commands have help");
}

#[test]
fn c331_wrong_words_get_a_suggestion() {
    let project = Project::without_base();
    for (words, status, suggestion) in [
        (&["hystory", "x"][..], 1, "did you mean `onggi history`?"),
        (&["image", "lss"], 1, "did you mean `onggi image ls`?"),
        (&["images", "--no-trun"], 125, "did you mean `--no-trunc`?"),
        (&["history", "--quite", "x"], 125, "did you mean `--quiet`?"),
        (&["inspect", "--type", "imag", "x"], 125, "did you mean `image`?"),
    ] {
        let wrong = project.onggi(words).run().exits(status);
        assert!(wrong.stderr.contains(suggestion), "{words:?}: {}", wrong.stderr);
    }
}
