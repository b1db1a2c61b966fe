use jiff::tz::TimeZone;

use super::{ContainerRow, ContainersView, Life, render};

/// C222.
#[test]
fn table_is_dockers() {
    let time = |text: &str| text.parse().unwrap();
    let row = |name: &str, command: &str, life| ContainerRow {
        id: "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0".to_owned(),
        name: name.to_owned(),
        image: "diamol/ch03-web-ping".to_owned(),
        command: command.to_owned(),
        created: time("2026-11-21T04:20:17Z"),
        life,
    };
    let rows = [
        row(
            "web-ping",
            "docker-entrypoint.sh node /web-ping/app.js",
            Life::Running { since: time("2026-11-21T04:20:18Z") },
        ),
        row("old", "node app.js", Life::Exited { code: 137, at: time("2026-11-21T04:30:14Z") }),
        row("new", "sh", Life::Created),
    ];
    let now = time("2026-11-21T04:30:17Z");
    let view = ContainersView { format: None, only_ids: false, in_full: false, now, zone: &TimeZone::UTC };
    insta::assert_snapshot!(render(&rows, &view).unwrap(), @r#"
    CONTAINER ID   IMAGE                  COMMAND                  CREATED          STATUS                       PORTS     NAMES
    0f1e2d3c4b5a   diamol/ch03-web-ping   "docker-entrypoint.s…"   10 minutes ago   Up 9 minutes                           web-ping
    0f1e2d3c4b5a   diamol/ch03-web-ping   "node app.js"            10 minutes ago   Exited (137) 3 seconds ago             old
    0f1e2d3c4b5a   diamol/ch03-web-ping   "sh"                     10 minutes ago   Created                                new
    "#);
    assert_eq!(render(&rows[..1], &ContainersView { only_ids: true, ..view }).as_deref(), Ok("0f1e2d3c4b5a\n"));
    let states = render(&rows, &ContainersView { format: Some("{{.Names}} {{.State}}"), ..view });
    assert_eq!(states.as_deref(), Ok("web-ping running\nold exited\nnew created\n"));
}
