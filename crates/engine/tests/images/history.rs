//! `history`.

use engine::{ErrorKind, HistoryEntry, history};
use serde_json::json;

use crate::forge::{Image, engine, family, layer};

#[test]
fn rows_have_sizes_of_their_layers() {
    let (_folder, engine) = engine();
    let history_rows = json!([
        { "created": "2026-11-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file:4d19… in / " },
        { "created_by": "ENV NAME=dojin", "comment": "buildkit.dockerfile.v0", "empty_layer": true },
        { "created": "2026-11-02T00:00:00Z", "created_by": "RUN make", "comment": "buildkit.dockerfile.v0" },
        { "created": "0001-01-01T00:00:00Z", "empty_layer": true },
    ]);
    let id = Image {
        layers: &[layer("a", 1000), layer("b", 20)],
        history: history_rows,
        names: &["sample:v1", "again:v2"],
        ..Image::default()
    }
    .put(&engine);
    let rows = history(&engine, "sample:v1", None).unwrap();
    let shown = |row: &HistoryEntry| (row.created_by.clone(), row.size, row.id, row.created.is_some());
    assert_eq!(
        rows.iter().map(shown).collect::<Vec<_>>(),
        [
            (String::new(), 0, Some(id), false),
            ("RUN make".to_owned(), 20, None, true),
            ("ENV NAME=dojin".to_owned(), 0, None, false),
            ("/bin/sh -c #(nop) ADD file:4d19… in / ".to_owned(), 1000, None, true),
        ]
    );
    assert_eq!(rows[1].comment, "buildkit.dockerfile.v0");
    assert_eq!(rows[0].names, ["again:v2", "sample:v1"]);
    assert_eq!(rows[1].names, [""; 0]);
    assert_eq!(history(&engine, "nothing", None).unwrap_err().kind, ErrorKind::NotFound);
}

/// S212: a local parent, as commit records it, keeps the IDs of the images below visible.
#[test]
fn s212_parents_give_their_ids_while_they_are_here() {
    let (_folder, engine) = engine();
    let [base, middle, top] = family(&engine);
    let ids = |name: &str| history(&engine, name, None).unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids("top:v1"), [Some(top), Some(middle), Some(base)]);
    assert_eq!(history(&engine, "top:v1", None).unwrap()[2].names, ["base:v1"]);
    engine.store().remove_image(middle).unwrap();
    assert_eq!(ids("top:v1"), [Some(top), None, None]);
}

/// S218: the row of a commit shows the container's command, the layer's size and the message; its base keeps its ID.
#[test]
fn s218_the_row_of_a_commit() {
    let (_folder, engine) = engine();
    let base_layer = layer("base", 1000);
    let base_row = json!({ "created": "2026-11-01T00:00:00Z", "created_by": "ADD rootfs" });
    let base = Image {
        layers: std::slice::from_ref(&base_layer),
        history: json!([base_row]),
        names: &["base"],
        ..Image::default()
    };
    let base = base.put(&engine);
    let commit = json!({ "created": "2026-11-02T00:00:00Z", "created_by": "/bin/bash", "comment": "install apache2" });
    let committed = Image {
        layers: &[base_layer, layer("own", 120)],
        history: json!([base_row, commit]),
        parent: Some(base),
        names: &["ubuntu_apache"],
        ..Image::default()
    };
    let committed = committed.put(&engine);
    let rows = history(&engine, "ubuntu_apache", None).unwrap();
    let shown: Vec<_> =
        rows.iter().map(|row| (row.id, row.created_by.as_str(), row.size, row.comment.as_str())).collect();
    assert_eq!(shown, [(Some(committed), "/bin/bash", 120, "install apache2"), (Some(base), "ADD rootfs", 1000, "")]);
}
