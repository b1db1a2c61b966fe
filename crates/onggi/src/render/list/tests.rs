use serde_json::json;

use super::{Columns, render};

const COLUMNS: Columns = Columns { table: &["ID", "Size"], titles: &[("ID", "IMAGE ID"), ("Size", "SIZE")] };

/// C002, C041: every way to ask.
#[test]
fn formats_are_dockers() {
    let rows = [json!({"ID": "e3b6a0b0d1f2", "Size": "351MB"}), json!({"ID": "a5", "Size": "<none>"})];
    for (format, expected) in [
        (None, "IMAGE ID       SIZE\ne3b6a0b0d1f2   351MB\na5             <none>\n"),
        (Some("table"), "IMAGE ID       SIZE\ne3b6a0b0d1f2   351MB\na5             <none>\n"),
        (Some("table {{.Size}}\\t{{.ID}}"), "SIZE      IMAGE ID\n351MB     e3b6a0b0d1f2\n<none>    a5\n"),
        (Some("table {{.ID | upper}}"), "IMAGE ID\nE3B6A0B0D1F2\nA5\n"),
        (Some("json"), "{\"ID\":\"e3b6a0b0d1f2\",\"Size\":\"351MB\"}\n{\"ID\":\"a5\",\"Size\":\"<none>\"}\n"),
        (Some("{{json .Size}}"), "\"351MB\"\n\"<none>\"\n"),
        (Some("{{.ID}}\\t{{.Size}}"), "e3b6a0b0d1f2\t351MB\na5\t<none>\n"),
        (Some("x"), "x\nx\n"),
        (Some("tables"), "tables\ntables\n"),
    ] {
        assert_eq!(render(format, &COLUMNS, &rows).as_deref(), Ok(expected), "{format:?}");
    }
    assert_eq!(render(None, &COLUMNS, &[]).as_deref(), Ok("IMAGE ID   SIZE\n"));
    assert!(render(Some("{{.Nope}}"), &COLUMNS, &rows).is_err());
}

/// Field-notes, section 2, row 29.
#[test]
fn tables_are_harmless_and_data_is_exact() {
    let rows = [json!({"ID": "a\tb\n\x1b[2J", "Size": "1"})];
    assert_eq!(render(None, &COLUMNS, &rows).as_deref(), Ok("IMAGE ID       SIZE\na b\\n\\x1b[2J   1\n"));
    assert_eq!(render(Some("{{.ID}}"), &COLUMNS, &rows).as_deref(), Ok("a\tb\n\x1b[2J\n"));
}
