//! `history`: exact layout and words (S210 to S219).

use serde_json::json;
use testkit::TarWriter;

use crate::build_project::Project;
use crate::forge::forge;

#[test]
fn s210_s211_s213_s214_rows_newest_first() {
    let project =
        Project::with("FROM busybox\nWORKDIR /\nENV NAME=dojin\nCOPY app.js .\nCMD [\"node\",\"./app.js\"]\n");
    project.file("app.js", vec![b'x'; 42]).build_app();
    let id = project.ask(&["images", "-q", "app"]);
    for words in [["image", "history", "app"], ["history", "--no-trunc=false", "app"]] {
        let output = project.onggi(words).run().success();
        let lines: Vec<Vec<&str>> = output
            .stdout
            .lines()
            .map(|line| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(lines[0], ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"]);
        let cells: Vec<_> = lines[1..].iter().map(|row| (row[0], row[2], row[3], row[4])).collect();
        let comment = "buildkit.dockerfile.v0";
        assert_eq!(
            cells[..5],
            [
                (id.trim_end(), "CMD [\"node\" \"./app.js\"]", "0B", comment),
                ("<missing>", "COPY app.js . # buildkit", "42B", comment),
                ("<missing>", "ENV NAME=dojin", "0B", comment),
                ("<missing>", "WORKDIR /", "0B", comment),
                ("<missing>", "CMD [\"sh\"]", "0B", comment),
            ]
        );
        assert!(
            output.stdout.lines().all(|line| line.trim_end().len() == line.len()) || output.stdout.contains("IMAGE ")
        );
    }
}

#[test]
#[ignore = "requires root"]
fn s214_s219_run_makes_a_layer_even_if_empty_requires_root() {
    let project = Project::with("FROM busybox\nRUN rm -rf /var/lib/apt/lists/*\nRUN echo x > /x\n");
    project.build_app();
    assert_eq!(
        project.history("app"),
        ["RUN /bin/sh -c rm -rf /var/lib/apt/lists/* # buildkit", "RUN /bin/sh -c echo x > /x # buildkit"]
    );
    let sizes = project.ask(&["history", "--format", "{{.Size}}", "app"]);
    assert_eq!(sizes.lines().take(2).collect::<Vec<_>>(), ["2B", "0B"]);
    let image = project.image("app");
    assert_eq!(image.diff_ids.len(), project.image("busybox").diff_ids.len() + 2);
}

/// A foreign image's rows are shown as they are stored, made harmless and cut at 45 characters.
#[test]
fn s215_s216_s217_foreign_rows() {
    let project = Project::without_base();
    let history = json!([
        {"created": "2020-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file:4d192565a7220e13d5c2ff54a3a1e7e6d8b2e3c5 in / "},
        {"created": "2020-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop)  CMD [\"node\"]", "empty_layer": true},
        {"created": "2020-01-01T00:00:00Z", "created_by": "/bin/sh -c groupadd --gid 1000 node   && useradd\t--uid 1000", "empty_layer": true},
        {"created": "2020-01-01T00:00:00Z", "created_by": "a\tb", "comment": "\u{1b}[31mred\u{202e}", "empty_layer": true},
    ]);
    let mut layer = TarWriter::default();
    layer.file("file", 0o644, &[b'x'; 8940]);
    let archive = forge(&project, "foreign:v1", layer, &json!({"history": history}));
    project.ask(&["load", "-i", &archive]);
    let shown = project.ask(&["history", "--format", "{{.CreatedBy}}|{{.Size}}", "foreign:v1"]);
    assert_eq!(
        shown.lines().collect::<Vec<_>>(),
        [
            "a b|0B",
            "/bin/sh -c groupadd --gid 1000 node   && use…|0B",
            "/bin/sh -c #(nop)  CMD [\"node\"]|0B",
            "/bin/sh -c #(nop) ADD file:4d192565a7220e13d…|8.94kB",
        ]
    );
    let full = project.ask(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", "foreign:v1"]);
    assert!(full.contains("groupadd --gid 1000 node   && useradd --uid 1000"), "{full}");
    let table = project.ask(&["history", "foreign:v1"]);
    assert!(!table.contains('\u{1b}') && !table.contains('\u{202e}'), "{table:?}");
}

#[test]
fn s211_the_image_by_name_id_and_quietly() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    project.build_app();
    let id = project.ask(&["images", "-q", "app"]);
    let rows = |name: &str| project.ask(&["history", "--format", "{{.ID}} {{.CreatedBy}} {{.Size}}", name]);
    assert_eq!(rows("app"), rows(id.trim_end()));
    let quiet = project.ask(&["history", "-q", "app"]);
    assert_eq!(quiet.lines().next(), Some(id.trim_end()));
    assert!(quiet.lines().skip(1).all(|line| line == "<missing>"), "{quiet}");
}

#[test]
fn c040_c041_history_as_it_is_asked_for() {
    let project = Project::with("FROM busybox\nCOPY app.js .\nLABEL a=1\n");
    project.file("app.js", vec![b'x'; 8940]).build_app();
    let (id, full) = (project.ask(&["images", "-q", "app"]), project.ask(&["images", "-q", "--no-trunc", "app"]));
    let (id, full) = (id.trim_end(), full.trim_end());
    let created = project.inspect("app")["Created"].as_str().unwrap().to_owned();
    let seconds = format!("{}Z", created.split(['.', 'Z']).next().unwrap());
    let second = |words: &[&str]| {
        let shown = project.ask(&[&["history"], words, &["app"]].concat());
        shown.lines().nth(1).unwrap().to_owned()
    };
    for (words, first) in [
        (&["-q"][..], id.to_owned()),
        (&["-q", "--no-trunc"], full.to_owned()),
        (&["--quiet", "--format", "table"], id.to_owned()),
        (&["-q", "--format", "{{.CreatedBy}}"], "LABEL a=1".to_owned()),
        (&["--no-trunc", "--format", "{{.ID}}"], full.to_owned()),
        (&["-H=false", "--format", "{{.CreatedSince}} {{.CreatedAt}} {{.Size}}"], format!("{seconds} {seconds} 0")),
    ] {
        let shown = project.ask(&[&["image", "history"], words, &["app"]].concat());
        assert_eq!(shown.lines().next(), Some(first.as_str()), "{words:?}");
    }
    assert_eq!(second(&["--human=false", "--format", "{{.Size}}"]), "8940");
    assert_eq!(second(&["--human", "--format", "{{.Size}}"]), "8.94kB");
    assert_eq!(second(&["--format", "table {{.Size}}\t{{.CreatedBy}}", "-H=false"]), "0         LABEL a=1");
    let plain = project.ask(&["history", "-H=false", "app"]);
    assert!(plain.starts_with("IMAGE          CREATED AT             CREATED BY "), "{plain}");
    let row: serde_json::Value =
        serde_json::from_str(project.ask(&["history", "--format", "json", "app"]).lines().next().unwrap()).unwrap();
    let keys: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["Comment", "CreatedAt", "CreatedBy", "CreatedSince", "ID", "Size"]);
    let missing = project.onggi(["history", "nothing"]).run().exits(1);
    assert!(missing.stderr.starts_with("error: no such image: nothing"), "{}", missing.stderr);
}
