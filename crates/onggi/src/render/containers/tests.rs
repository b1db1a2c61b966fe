use engine::{ContainerRecord, ContainerState, ContainerStatus, ContainerSummary};
use jiff::tz::TimeZone;

use super::{ContainersView, render};

fn row(name: &str, command: &[&str], status: ContainerStatus) -> ContainerSummary {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let record = ContainerRecord {
        id: "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0".to_owned(),
        name: name.to_owned(),
        created: "2026-11-21T04:20:17Z".to_owned(),
        image: oci::ImageId(oci::Digest::of(b"")),
        image_name: "diamol/ch03-web-ping".to_owned(),
        entrypoint: words(&command[..1]),
        cmd: words(&command[1..]),
        env: Vec::new(),
        working_dir: "/".to_owned(),
        user: String::new(),
        hostname: String::new(),
        tty: false,
        interactive: false,
        runtime: None,
        labels: serde_json::Map::new(),
        lifetime: Default::default(),
        mounts: Default::default(),
        network: Default::default(),
        streams: Default::default(),
        log: Default::default(),
        limits: Default::default(),
        security: Default::default(),
        health: Default::default(),
    };
    let state = ContainerState {
        started: "2026-11-21T04:20:18Z".to_owned(),
        finished: "2026-11-21T04:30:14Z".to_owned(),
        exit_code: Some(137),
        ..ContainerState::default()
    };
    ContainerSummary { record, state, status, size: None, network: engine::NetworkState::default() }
}

/// C222.
#[test]
fn table_is_dockers() {
    let mut lost = row("lost", &["x"], ContainerStatus::Exited);
    lost.state.exit_code = None;
    lost.state.finished.clear();
    let rows = [
        row("web-ping", &["docker-entrypoint.sh", "node", "/web-ping/app.js"], ContainerStatus::Running),
        row("old", &["node", "app.js"], ContainerStatus::Exited),
        row("new", &["sh"], ContainerStatus::Created),
        row("again", &["sh"], ContainerStatus::Restarting),
        lost,
    ];
    let now = "2026-11-21T04:30:17Z".parse().unwrap();
    let view =
        ContainersView { format: None, only_ids: false, in_full: false, with_size: false, now, zone: &TimeZone::UTC };
    insta::assert_snapshot!(render(&rows, &view).unwrap(), @r#"
    CONTAINER ID   IMAGE                  COMMAND                  CREATED          STATUS                           PORTS     NAMES
    0f1e2d3c4b5a   diamol/ch03-web-ping   "docker-entrypoint.s…"   10 minutes ago   Up 9 minutes                               web-ping
    0f1e2d3c4b5a   diamol/ch03-web-ping   "node app.js"            10 minutes ago   Exited (137) 3 seconds ago                 old
    0f1e2d3c4b5a   diamol/ch03-web-ping   "sh"                     10 minutes ago   Created                                    new
    0f1e2d3c4b5a   diamol/ch03-web-ping   "sh"                     10 minutes ago   Restarting (137) 3 seconds ago             again
    0f1e2d3c4b5a   diamol/ch03-web-ping   "x"                      10 minutes ago   Exited (?) 9 minutes ago                   lost
    "#);
    assert_eq!(render(&rows[..1], &ContainersView { only_ids: true, ..view }).as_deref(), Ok("0f1e2d3c4b5a\n"));
    let states = render(&rows[..3], &ContainersView { format: Some("{{.Names}} {{.State}}"), ..view });
    assert_eq!(states.as_deref(), Ok("web-ping running\nold exited\nnew created\n"));
}
