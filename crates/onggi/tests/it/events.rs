//! `events`: what happens to containers, as it is written down and as it happens (C331).

use std::process::Stdio;

use serde_json::Value;

use crate::build_project::Project;

fn actions(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split(' ').nth(2).unwrap_or_default().to_owned()).collect()
}

#[test]
#[ignore = "requires root"]
fn c331_what_happened_is_told_requires_root() {
    let project = Project::new();
    project.ask(&["create", "--name", "box", "--label", "team=kiln", "busybox", "sleep", "1000"]);
    project.ask(&["start", "box"]);
    project.ask(&["pause", "box"]);
    project.ask(&["unpause", "box"]);
    project.ask(&["exec", "box", "true"]);
    project.ask(&["kill", "box"]);
    project.ask(&["wait", "box"]);
    project.ask(&["commit", "-m", "kept", "box", "kept"]);
    project.ask(&["rename", "box", "jar"]);
    project.ask(&["rm", "jar"]);
    project.ask(&["run", "--rm", "--name", "other", "busybox", "true"]);
    let told = |words: &[&str]| project.ask(&[&["events", "--since", "1h", "--until", "0s"], words].concat());
    let all = told(&["-f", "label=team=kiln"]);
    let expected = [
        "create",
        "start",
        "pause",
        "unpause",
        "exec_start:",
        "exec_die",
        "kill",
        "die",
        "commit",
        "rename",
        "destroy",
    ];
    assert_eq!(actions(&all), expected, "{all}");
    let first = all.lines().next().unwrap();
    assert!(first.ends_with("(image=busybox, name=box, team=kiln)"), "{first}");
    assert!(first.as_bytes()[10] == b'T' && first.contains(" container create "), "{first}");
    assert!(all.contains(" container die ") && all.contains("exitCode=137"), "{all}");
    assert!(all.contains("comment=kept") && all.contains("oldName=/box"), "{all}");
    assert_eq!(
        actions(&told(&["-f", "container=other", "-f", "event=start", "-f", "event=destroy"])),
        ["start", "destroy"]
    );
    assert_eq!(actions(&told(&["-f", "event=exec_start"])), ["exec_start:"]);
    assert_eq!(told(&["-f", "image=nope"]), "");
    assert_eq!(
        told(&["-f", "event=die", "--format", "{{.Status}} {{.Actor.Attributes.exitCode}}"]),
        "die 137\ndie 0\n"
    );
    for line in told(&["--format", "json", "-f", "type=container"]).lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["timeNano"].is_i64() && event["scope"] == "local" && event["Type"] == "container", "{line}");
    }
    // With an end, but without a beginning: all that is known, as with Docker.
    assert_eq!(project.ask(&["system", "events", "--until", "0s"]), told(&[]));
    for (words, expected) in [
        (["events", "-f", "nope=1"], "invalid filter `nope`"),
        (["events", "-f", "event"], "it must be KEY=VALUE"),
        (["events", "--since", "soon"], "`soon` is no time"),
    ] {
        let output = project.onggi(words).run().exits(1);
        assert!(output.stderr.contains(expected), "{words:?}: {}", output.stderr);
    }
}

/// Somebody who follows sees it as it happens, and goes when nobody reads.
#[test]
#[ignore = "requires root"]
fn c331_events_are_followed_requires_root() {
    use std::io::{BufRead, BufReader};
    let project = Project::new();
    let mut command = project.onggi(["events", "--format", "{{.Action}} {{.Actor.Attributes.name}}"]).to_std();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // Until it is there it hears nothing: so it is told again and again, by containers that are soon gone.
    let mut round = 0;
    let heard = std::thread::scope(|scope| {
        let heard = scope.spawn(|| lines.next().unwrap());
        while !heard.is_finished() {
            round += 1;
            project.ask(&["run", "--rm", "--name", &format!("first-{round}"), "busybox", "true"]);
        }
        heard.join().unwrap()
    });
    assert!(heard.contains(" first-"), "{heard}");
    project.ask(&["run", "--rm", "--name", "second", "busybox", "true"]);
    let seen: Vec<String> = lines.by_ref().skip_while(|line| !line.ends_with(" second")).take(5).collect();
    assert_eq!(seen, ["create second", "attach second", "start second", "die second", "destroy second"]);
    child.kill().unwrap();
    child.wait().unwrap();
}
