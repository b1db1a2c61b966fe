//! Whether what a container is for works (C205).

use crate::build_project::Project;
use crate::containers::wait_until;

fn status(project: &Project, name: &str) -> String {
    project.container(name, "{{.State.Health.Status}}")
}

#[test]
#[ignore = "requires root"]
fn c205_health_of_the_image_and_its_way_through_the_states_requires_root() {
    let project = Project::with(
        "FROM busybox\nHEALTHCHECK --interval=100ms --retries=2 --timeout=5s CMD echo probe $COLOUR; test -e /tmp/well\n\
         ENV COLOUR=blue\nCMD [\"sleep\", \"1000\"]\n",
    );
    project.build_app();
    project.start(&["--name", "one", "app"]);
    wait_until("it is unhealthy", || status(&project, "one") == "unhealthy");
    let streak: u32 = project.container("one", "{{.State.Health.FailingStreak}}").parse().unwrap();
    assert!(streak >= 2);
    assert!(project.ask(&["ps"]).contains(" (unhealthy)"), "{}", project.ask(&["ps"]));
    let log = project.container("one", "{{json .State.Health.Log}}");
    let log: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!((&log[0]["ExitCode"], &log[0]["Output"]), (&1.into(), &"probe blue\n".into()), "{log}");
    project.ask(&["exec", "one", "touch", "/tmp/well"]);
    wait_until("it is healthy", || status(&project, "one") == "healthy");
    assert_eq!(project.container("one", "{{.State.Health.FailingStreak}}"), "0");
    assert!(project.ask(&["ps"]).contains(" (healthy)"));
    wait_until("the log is full", || project.container("one", "{{len .State.Health.Log}}") == "5");
    assert_eq!(project.container("one", "{{json .Config.Healthcheck.Retries}}"), "2");
    project.ask(&["rm", "-f", "one"]);
}

#[test]
#[ignore = "requires root"]
fn c205_health_of_the_command_line_requires_root() {
    let project = Project::with("FROM busybox\nHEALTHCHECK CMD false\nCMD [\"sleep\", \"1000\"]\n");
    project.build_app();
    project.start(&["--name", "none", "--no-healthcheck", "app"]);
    assert!(!project.container("none", "{{json .State}}").contains("Health"));
    assert!(!project.ask(&["ps"]).contains("health"));
    // Too long, and too much to say.
    let slow = [
        "--health-cmd",
        "echo begun; sleep 1000",
        "--health-interval",
        "50ms",
        "--health-timeout",
        "200ms",
        "--health-retries",
        "1",
    ];
    project.start(&[&["--name", "slow"], &slow[..], &["app"]].concat());
    wait_until("it is unhealthy", || status(&project, "slow") == "unhealthy");
    let output = project.container("slow", "{{(index .State.Health.Log 0).Output}}");
    assert_eq!(output.trim_end(), "Health check exceeded timeout (200ms): begun");
    assert_eq!(project.container("slow", "{{(index .State.Health.Log 0).ExitCode}}"), "-1");
    let loud = ["--health-cmd", "head -c 10000 /dev/zero | tr '\\0' x", "--health-interval", "50ms"];
    project.start(&[&["--name", "loud"], &loud[..], &["app"]].concat());
    wait_until("it is healthy", || status(&project, "loud") == "healthy");
    let output = project.container("loud", "{{(index .State.Health.Log 0).Output}}");
    assert_eq!(output, format!("{}...", "x".repeat(4096)));
    project.ask(&["rm", "-f", "none", "slow", "loud"]);
}

/// In the start period failures do not count.
#[test]
#[ignore = "requires root"]
fn c205_the_start_period_requires_root() {
    let project = Project::new();
    let flags = [
        "--health-cmd",
        "test -e /tmp/well",
        "--health-interval",
        "50ms",
        "--health-start-interval",
        "50ms",
        "--health-start-period",
        "1h",
        "--health-retries",
        "1",
    ];
    project.start(&[&["--name", "one"], &flags[..], &["busybox", "sleep", "1000"]].concat());
    wait_until("it was asked", || project.container("one", "{{len .State.Health.Log}}") == "5");
    assert_eq!(status(&project, "one"), "starting");
    assert_eq!(project.container("one", "{{.State.Health.FailingStreak}}"), "0");
    assert!(project.ask(&["ps"]).contains(" (health: starting)"));
    project.ask(&["exec", "one", "touch", "/tmp/well"]);
    wait_until("it is healthy", || status(&project, "one") == "healthy");
    project.ask(&["rm", "-f", "one"]);
}

#[test]
#[ignore = "requires root"]
fn c205_mistakes_are_told_requires_root() {
    let project = Project::new();
    for (flags, message) in [
        (
            &["--no-healthcheck", "--health-cmd", "true"][..],
            "error: --no-healthcheck conflicts with --health-* options",
        ),
        (&["--health-interval", "-1s"], "error: --health-interval cannot be negative"),
        (&["--health-timeout", "soon"], "error: invalid argument \"soon\" for \"--health-timeout\" flag"),
        (&["--health-interval", "1us"], "error: interval in Healthcheck cannot be less than 1ms"),
    ] {
        let output = project.onggi([&["run", "--rm"], flags, &["busybox", "true"]].concat()).run();
        assert_eq!((output.code, output.stderr.lines().next()), (125, Some(message)), "{flags:?}");
    }
}

/// A container that was killed for want of memory says so.
#[test]
#[ignore = "requires root"]
fn c204_out_of_memory_is_told_requires_root() {
    let project = Project::new();
    let flags = ["--name", "one", "-m", "8m", "--memory-swap", "8m"];
    let words = ["busybox", "sh", "-c", "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"];
    let output = project.onggi([&["run"], &flags[..], &words].concat()).run();
    assert_eq!(output.code, 137, "{}", output.snapshot());
    assert_eq!(project.container("one", "{{.State.OOMKilled}}"), "true");
    project.ask(&["rm", "one"]);
}
