//! `ps`: which containers are listed, and how (C222).

use crate::build_project::Project;

/// Three containers of an image and one of its child, made one after the other.
fn project() -> Project {
    let project =
        Project::with("FROM busybox\nLABEL com.example.team=kiln\nEXPOSE 80\nHEALTHCHECK --interval=1h CMD true\n");
    project.build_app();
    project.onggi(["run", "--name", "ended", "busybox", "sh", "-c", "echo 12345 > /file; exit 3"]).run().exits(3);
    project.ask(&["run", "--name", "fine", "-p", "127.0.0.1::8000", "busybox", "true"]);
    project.start(&["--name", "web-1", "--network", "none", "app", "sleep", "1000"]);
    project.start(&["--name", "web-2", "busybox", "sleep", "1000"]);
    project
}

#[test]
#[ignore = "requires root"]
fn c222_filters_choose_requires_root() {
    let project = project();
    let id = project.container("fine", "{{.Id}}");
    let listed = |words: &[&str]| {
        let text = project.ask(&[&["ps", "--format", "{{.Names}}"], words].concat());
        text.lines().collect::<Vec<_>>().join(" ")
    };
    let start = format!("id={}", &id[..20]);
    for (words, expected) in [
        (&[][..], "web-2 web-1"),
        (&["-a"], "web-2 web-1 fine ended"),
        (&["-n", "3"], "web-2 web-1 fine"),
        (&["--last=-1"], "web-2 web-1"),
        (&["-l"], "web-2"),
        (&["-a", "-f", "name=web"], "web-2 web-1"),
        (&["-a", "--filter", "name=^/fine$"], "fine"),
        (&["-a", "-f", "name=^fine$", "-f", "name=web-2"], "web-2 fine"),
        (&["-a", "-f", &start], "fine"),
        (&["-f", "status=exited"], "fine ended"),
        (&["-f", "status=running", "-f", "status=exited"], "web-2 web-1 fine ended"),
        (&["-f", "status=paused"], ""),
        (&["-a", "-f", "exited=3"], "ended"),
        (&["-f", "exited=3"], ""),
        (&["-a", "-f", "label=com.example.team"], "web-1"),
        (&["-a", "-f", "label=com.example.team=kiln"], "web-1"),
        (&["-a", "-f", "label=com.example.team=other"], ""),
        (&["-a", "-f", "ancestor=app"], "web-1"),
        (&["-a", "-f", "ancestor=busybox"], "web-2 fine ended"),
        (&["-a", "-f", "ancestor=nope"], ""),
        (&["-a", "-f", "before=web-1"], "fine ended"),
        (&["-a", "-f", "since=fine"], "web-2 web-1"),
        (&["-a", "-f", "network=none"], "web-1"),
        (&["-f", "is-task=false", "-f", "name=1"], "web-1"),
        (&["-f", "is-task=true"], ""),
        (&["-a", "-f", "expose=80"], "web-1"),
        (&["-a", "-f", "expose=70-90/tcp"], "web-1"),
        (&["-a", "-f", "expose=80/udp"], ""),
        (&["-a", "-f", "publish=8000"], "fine"),
        (&["-a", "-f", "publish=80"], ""),
        (&["-f", "health=starting"], "web-1"),
        (&["-f", "health=none"], "web-2"),
    ] {
        assert_eq!(listed(words), expected, "{words:?}");
    }
    for (filter, expected) in [
        ("nope=1", "invalid filter `nope`"),
        ("name", "it must be KEY=VALUE"),
        ("status=asleep", "there is no such status"),
        ("exited=x", "the value must be an exit code"),
        ("health=ill", "there is no such state of health"),
        ("publish=x", "the value must be a port"),
        ("name=(", "no regular expression"),
        ("before=nope", "no such container: nope"),
    ] {
        let output = project.onggi(["ps", "-f", filter]).run().exits(1);
        assert!(output.stderr.contains(expected), "{filter}: {}", output.stderr);
    }
    project.ask(&["rm", "-f", "web-1", "web-2"]);
}

#[test]
#[ignore = "requires root"]
fn c222_sizes_labels_and_templates_requires_root() {
    let project = project();
    let size = |name: &str| {
        let filter = format!("name={name}");
        project.ask(&["ps", "-a", "-s", "-f", &filter, "--format", "{{.Size}}"])
    };
    let whole = project.ask(&["images", "--format", "{{.Size}}", "busybox"]);
    assert_eq!(size("ended"), format!("6B (virtual {})\n", whole.trim_end()));
    assert_eq!(size("fine"), format!("0B (virtual {})\n", whole.trim_end()));
    let table = project.ask(&["ps", "-s", "-a"]);
    let (first, rest) = table.split_once('\n').unwrap();
    assert_eq!(
        first.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>(),
        ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES", "SIZE"]
    );
    assert!(rest.contains("6B (virtual "), "{table}");
    assert_eq!(
        project.ask(&["ps", "--format", "table {{.Names}}\t{{.Label \"com.example.team\"}}\t{{.Labels}}"]),
        "NAMES     team      LABELS\nweb-2               \nweb-1     kiln      com.example.team=kiln\n"
    );
    project.ask(&["rm", "-f", "web-1", "web-2"]);
}
