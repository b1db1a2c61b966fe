use jiff::{Timestamp, tz::TimeZone};

use engine::HistoryEntry;

use super::{HistoryView, render};

fn row(id: Option<&str>, created: &str, created_by: &str, size: u64, comment: &str) -> HistoryEntry {
    HistoryEntry {
        id: id.map(|id| id.parse().unwrap()),
        created: Some(created.parse().unwrap()),
        created_by: created_by.to_owned(),
        size,
        comment: comment.to_owned(),
        names: Vec::new(),
    }
}

/// The history of note 0.
fn rows() -> Vec<HistoryEntry> {
    let id = "sha256:e3b6a0b0d1f2c4a5968778695a4b3c2d1e0f00112233445566778899aabbccdd";
    vec![
        row(Some(id), "2026-11-21T04:30:13Z", "CMD [\"node\" \"./app.js\"]", 0, "buildkit.dockerfile.v0"),
        row(None, "2026-11-21T04:30:13Z", "COPY app.js . # buildkit", 42, "buildkit.dockerfile.v0"),
        row(None, "2026-11-21T04:30:12Z", "WORKDIR /", 0, "buildkit.dockerfile.v0"),
        row(None, "2026-10-10T04:30:13Z", "/bin/sh -c #(nop)  CMD [\"node\"]", 0, ""),
        row(
            None,
            "2026-10-10T04:30:13Z",
            "/bin/sh -c groupadd --gid 1000 node\t  && useradd --uid 1000 node",
            8_940,
            "",
        ),
        row(None, "2024-10-10T04:30:13Z", "/bin/sh -c #(nop) ADD file:4d192565a7220e135c in / ", 560_123_456, ""),
    ]
}

fn show(change: impl FnOnce(&mut HistoryView<'_>)) -> String {
    let now: Timestamp = "2026-11-21T04:30:17Z".parse().unwrap();
    let mut view =
        HistoryView { format: None, only_ids: false, is_human: true, in_full: false, now, zone: &TimeZone::UTC };
    change(&mut view);
    render(&rows(), &view).unwrap()
}

/// S210, S211, S213 to S217.
#[test]
fn table_is_dockers() {
    insta::assert_snapshot!(show(|_| {}), @r#"
    IMAGE          CREATED         CREATED BY                                      SIZE      COMMENT
    e3b6a0b0d1f2   4 seconds ago   CMD ["node" "./app.js"]                         0B        buildkit.dockerfile.v0
    <missing>      4 seconds ago   COPY app.js . # buildkit                        42B       buildkit.dockerfile.v0
    <missing>      5 seconds ago   WORKDIR /                                       0B        buildkit.dockerfile.v0
    <missing>      6 weeks ago     /bin/sh -c #(nop)  CMD ["node"]                 0B        
    <missing>      6 weeks ago     /bin/sh -c groupadd --gid 1000 node   && use…   8.94kB    
    <missing>      2 years ago     /bin/sh -c #(nop) ADD file:4d192565a7220e135…   560MB
    "#);
}

/// C041.
#[test]
fn other_formats() {
    insta::assert_snapshot!(show(|view| (view.is_human, view.in_full) = (false, true)), @r#"
    IMAGE                                                                     CREATED AT             CREATED BY                                                         SIZE        COMMENT
    sha256:e3b6a0b0d1f2c4a5968778695a4b3c2d1e0f00112233445566778899aabbccdd   2026-11-21T04:30:13Z   CMD ["node" "./app.js"]                                            0           buildkit.dockerfile.v0
    <missing>                                                                 2026-11-21T04:30:13Z   COPY app.js . # buildkit                                           42          buildkit.dockerfile.v0
    <missing>                                                                 2026-11-21T04:30:12Z   WORKDIR /                                                          0           buildkit.dockerfile.v0
    <missing>                                                                 2026-10-10T04:30:13Z   /bin/sh -c #(nop)  CMD ["node"]                                    0           
    <missing>                                                                 2026-10-10T04:30:13Z   /bin/sh -c groupadd --gid 1000 node   && useradd --uid 1000 node   8940        
    <missing>                                                                 2024-10-10T04:30:13Z   /bin/sh -c #(nop) ADD file:4d192565a7220e135c in /                 560123456
    "#);
    assert_eq!(show(|view| view.only_ids = true), format!("e3b6a0b0d1f2\n{}", "<missing>\n".repeat(5)));
    insta::assert_snapshot!(show(|view| view.format = Some("{{.CreatedBy}}: {{.Size}}")), @r#"
    CMD ["node" "./app.js"]: 0B
    COPY app.js . # buildkit: 42B
    WORKDIR /: 0B
    /bin/sh -c #(nop)  CMD ["node"]: 0B
    /bin/sh -c groupadd --gid 1000 node   && use…: 8.94kB
    /bin/sh -c #(nop) ADD file:4d192565a7220e135…: 560MB
    "#);
    assert!(show(|view| view.format = Some("json")).lines().all(|line| line.starts_with("{\"Comment\":")));
}
